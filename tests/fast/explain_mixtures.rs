//! Messages of what was mixed: two releases of a library, files of the system and of an environment, bundles and
//! programs for another processor. Each is held against what an answer has to say and what it must not say.

use crate::support::elf_writer::Elf;
use std::path::Path;
use tfpatch::diagnosis::diagnose::diagnose;
use tfpatch::loader::Settings;
use tfpatch::messages::in_environment::look;
use tfpatch::messages::verdict::{Case, Outcome};
use tfpatch::messages::{Log, Weight, read};
use tfpatch::report::words::{helps, meanings};
use tfpatch::vfs::MemVfs;
use tfpatch::world::World;

/// What is read in a text.
fn read_text(text: &str) -> Log {
    read(&mut text.as_bytes()).unwrap()
}

/// What is said of a text by its words alone.
fn answer(text: &str) -> String {
    let log = read_text(text);
    assert!(!log.messages.is_empty(), "not recognised: {text}");
    let lines =
        log.messages.iter().map(|one| format!("{}\n→ {}\n", meanings::of(one), helps::of(one)));
    lines.collect()
}

/// Texts, each with what its answer has to say and what it must not say.
fn hold(rows: &[(&str, &[&str], &[&str])]) {
    for (text, expected, wrong) in rows {
        let said = answer(text);
        for part in *expected {
            assert!(said.contains(part), "{text}: lacks {part}: {said}");
        }
        for part in *wrong {
            assert!(!said.contains(part), "{text}: has {part}: {said}");
        }
    }
}

#[test]
fn a_file_that_no_distribution_owns_is_not_given_to_one() {
    hold(&[
        (
            "INTEL MKL ERROR: /c/lib/python3.9/site-packages/faiss/../../../libmkl_avx2.so: undefined symbol: mkl_sparse_optimize_bsr_trsm_i8.",
            &["one channel", "numpy"],
            &["libmkl-avx2", "--force-reinstall"],
        ),
        (
            "Intel MKL FATAL ERROR: Cannot load libmkl_avx2.so or libmkl_def.so.",
            &["one channel"],
            &["tfpatch fix", "apt-file"],
        ),
        (
            "ImportError: /c/lib/python3.9/site-packages/faiss/../../../libfaiss.so: undefined symbol: f",
            &["libfaiss.so"],
            &["pip install"],
        ),
        (
            "ImportError: /v/site-packages/usb/../x.so: undefined symbol: f",
            &["pip install"],
            &["pyusb"],
        ),
        (
            "ImportError: /v/site-packages/_cffi.so: undefined symbol: f",
            &["_cffi.so"],
            &["pip install"],
        ),
        (
            "ImportError: /v/site-packages/libx.so.1: undefined symbol: f",
            &["libx.so.1"],
            &["pip install"],
        ),
        (
            "/v/site-packages/tensorflow_io/python/ops/libtensorflow_io_plugins.so: undefined symbol: _ZN3tsl6StatusC1Ev",
            &["release of tensorflow-io that is built for the installed TensorFlow"],
            &["if that does not help"],
        ),
        (
            "ImportError: /v/lib/python2.7/site-packages/foo/bar.so: undefined symbol: PyUnicodeUCS4_AsUTF8String",
            &["another Python", "--no-cache-dir foo"],
            &["NAME"],
        ),
    ]);
}

#[test]
fn a_library_of_the_system_stays() {
    hold(&[
        (
            "app: /lib/x86_64-linux-gnu/libz.so.1: version `ZLIB_1.2.9' not found (required by /tmp/.mount_AppX1/usr/lib/libpng16.so.16)",
            &["older than", "newer release of the system", "build of the program", "do not remove"],
            &["remove the older", "build of libpng16"],
        ),
        (
            "python: /usr/lib64/libgomp.so.1: version `GOMP_5.0' not found (required by /opt/x/y.so)",
            &["newer release of the system", "build of y.so", "do not remove"],
            &["remove the older"],
        ),
        (
            "ImportError: /lib/x86_64-linux-gnu/libcrypto.so.3: version `OPENSSL_3.3.0' not found (required by /home/u/miniconda3/lib/python3.11/lib-dynload/_ssl.cpython-311-x86_64-linux-gnu.so)",
            &["unset LD_LIBRARY_PATH", "conda-forge openssl", "do not remove"],
            &["remove the older", "newer image"],
        ),
        (
            "curl: /opt/app/lib/libssl.so.3: version `OPENSSL_3.2.0' not found (required by /usr/lib/x86_64-linux-gnu/libcurl.so.4)",
            &["unset LD_LIBRARY_PATH", "/opt/app/lib/libssl.so.3 is a private copy"],
            &["apt install", "remove the older"],
        ),
        (
            "ls: /opt/x/libc.so.6: version `GLIBC_2.34' not found (required by /usr/bin/ls)",
            &["unset LD_LIBRARY_PATH"],
            &["newer system"],
        ),
        (
            "x: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by x)",
            &["newer system"],
            &["unset LD_LIBRARY_PATH"],
        ),
        (
            "/usr/lib/x86_64-linux-gnu/libp11-kit.so.0: undefined symbol: ffi_type_pointer, version LIBFFI_BASE_7.0",
            &["libffi.so.7", "conda"],
            &["dpkg -S"],
        ),
    ]);
}

#[test]
fn what_the_driver_or_the_host_lacks_is_said_of_them() {
    hold(&[
        (
            "OSError: libcuda.so: cannot open shared object file: No such file or directory",
            &["NVIDIA driver", "libcuda.so.1", "/usr/lib/wsl/lib"],
            &["apt-file", "tfpatch fix"],
        ),
        (
            "Could not load library libcudnn_cnn_infer.so.8. Error: libcuda.so: cannot open shared object file: No such file or directory",
            &["NVIDIA driver", "/usr/lib/wsl/lib"],
            &["apt-file"],
        ),
        (
            "nvidia-container-cli: initialization error: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory: unknown",
            &["on the host"],
            &["--gpus all", "tfpatch fix"],
        ),
        (
            "Could not load dynamic library 'libcudart.so.11.0'; dlerror: libcudart.so.11.0: cannot open shared object file: No such file or directory",
            &["nvidia-cuda-runtime-cu11"],
            &[],
        ),
        (
            "RuntimeError: Unable to load cuSPARSE. Is it installed?",
            &["nvidia-cusparse", "unset LD_LIBRARY_PATH"],
            &[],
        ),
        (
            "Loaded runtime CuDNN library: 9.5.1 but source was compiled with: 9.8.0.",
            &["unset LD_LIBRARY_PATH", "nvidia-cudnn"],
            &[],
        ),
    ]);
}

#[test]
fn what_was_built_for_another_system_is_named() {
    for symbol in
        ["fcntl64", "__res_init", "__isoc23_strtol", "__memcpy_chk", "gnu_get_libc_version"]
    {
        let said = answer(&format!("Error relocating /app/x: {symbol}: symbol not found"));
        assert!(said.contains("another kind of Linux"), "{said}");
    }
    // musl has these too, so that another library may lack them.
    for symbol in ["open64", "strlen", "deflateInit_"] {
        let said = answer(&format!("Error relocating /app/x: {symbol}: symbol not found"));
        assert!(!said.contains("another kind of Linux"), "{said}");
    }
    hold(&[
        (
            "rosetta error: failed to open elf at /lib64/ld-linux-x86-64.so.2",
            &["--platform linux/amd64"],
            &["apt install"],
        ),
        ("bash: ./x: cannot execute binary file: Exec format error", &["processor"], &["pip"]),
        ("exec /usr/local/bin/app: exec format error", &["processor"], &["pip"]),
        (
            "exec /usr/local/bin/app: no such file or directory",
            &["interpreter", "/usr/local/bin/app", "Windows line ending"],
            &["pip", "FILE"],
        ),
        (
            "ImportError: cannot import name '_gi' from partially initialized module 'gi' (most likely due to a circular import) (/usr/lib/python3/dist-packages/gi/__init__.py)",
            &["/usr/bin/python3", "PyGObject"],
            &["apt-file"],
        ),
    ]);
}

#[test]
fn a_name_that_a_compiled_module_lacks_is_of_loading_and_one_of_python_code_is_not() {
    let count = |text: &str| read_text(text).messages.len();
    let of_python = "ImportError: cannot import name 'Mapping' from 'collections' (/usr/lib/python3.10/collections/__init__.py)";
    assert_eq!(count(of_python), 0);
    // Only an environment shows whether this is more than the user's own code.
    let own = "ImportError: cannot import name 'Random' from partially initialized module 'random' (most likely due to a circular import) (/home/me/random.py)";
    assert!(read_text(own).messages.iter().all(|one| one.is_about_own_code()));
    assert_eq!(
        count(
            "ImportError: cannot import name 'f' from 'm' (/home/me/m.cpython-311-x86_64-linux-gnu.so)"
        ),
        1
    );
}

#[test]
fn a_bundle_is_not_completed_by_packages_of_the_system() {
    hold(&[
        (
            "[1] Error loading Python lib '/tmp/_MEIx1/libpython3.7m.so.1.0'",
            &["PyInstaller", "another release"],
            &["apt", "tfpatch fix"],
        ),
        (
            "Error loading Python lib '/tmp/.mount_Ab1/usr/lib/libpython3.7m.so.1.0': dlopen: /tmp/.mount_Ab1/usr/lib/libpython3.7m.so.1.0: cannot open shared object file: No such file or directory",
            &["AppImage", "another release"],
            &["apt install", "apt-file"],
        ),
        (
            "dlopen(): error loading libfuse.so.2\nAppImages require FUSE to run.",
            &["libfuse2", "--appimage-extract-and-run"],
            &["tfpatch fix"],
        ),
        (
            "/usr/local/bin/python3.11: error while loading shared libraries: libpython3.11.so.1.0: cannot open shared object file: No such file or directory",
            &["LD_LIBRARY_PATH=/usr/local/lib", "ldconfig"],
            &["apt install", "tfpatch fix"],
        ),
        (
            "jpype._jvmfinder.JVMNotFoundException: No JVM shared library file (libjvm.so) found. Try setting up JAVA_HOME.",
            &["JAVA_HOME"],
            &["tfpatch fix"],
        ),
    ]);
}

#[test]
fn what_is_not_wrong_with_a_file_is_said_so() {
    hold(&[
        (
            "ImportError: /v/lib/x.so: cannot open shared object file: Error 24",
            &["ulimit -n", "limit of open files"],
            &["reinstall"],
        ),
        (
            "ImportError: libz.so.1: cannot open shared object file: Too many open files",
            &["ulimit -n"],
            &["reinstall"],
        ),
        (
            "x: error while loading shared libraries: /opt/x/liby.so.1: cannot open shared object file: Permission denied",
            &["chmod a+r /opt/x/liby.so.1"],
            &["reinstall", "FILE"],
        ),
        (
            "x: error while loading shared libraries: libz.so.1: cannot open shared object file: Too many levels of symbolic links",
            &["loop", "namei -l"],
            &["truncated"],
        ),
        (
            "ImportError: dlopen(/v/y.so, 0x0002): tried: '/v/y.so' (code signature in <A> '/v/y.so' not valid for use in process: library load disallowed by system policy)",
            &["Gatekeeper", "xattr -d com.apple.quarantine /v/y.so"],
            &["codesign", "tfpatch fix"],
        ),
        (
            "OSError: cannot load library 'libgobject-2.0-0': dlopen(libgobject-2.0-0, 0x0002): tried: 'libgobject-2.0-0' (no such file), '/usr/lib/libgobject-2.0-0' (no such file, not in dyld cache)",
            &["brew install glib", "DYLD_FALLBACK_LIBRARY_PATH=/opt/homebrew/lib"],
            &["do not apply", "build of the program", "tfpatch fix"],
        ),
        (
            "qt.qpa.xcb: could not connect to display",
            &["QT_QPA_PLATFORM=offscreen"],
            &["apt install"],
        ),
    ]);
    let preload = "ERROR: ld.so: object '/usr/lib/libx.so' from LD_PRELOAD cannot be preloaded (wrong ELF class: ELFCLASS64): ignored.";
    let log = read_text(preload);
    assert_eq!(log.messages[0].weight(), Weight::Harmless);
}

#[test]
fn the_file_that_needs_a_library_may_be_named_behind_it_or_before() {
    hold(&[
        (
            "LoadError: libmysqlclient.so.20: cannot open shared object file: No such file or directory - /usr/local/bundle/gems/mysql2-0.5.2/lib/mysql2/mysql2.so",
            &["gem pristine mysql2"],
            &["tfpatch fix"],
        ),
        (
            "unable to load shared object '/usr/lib/R/site-library/stringi/libs/stringi.so':\n  libicui18n.so.66: cannot open shared object file: No such file or directory",
            &["install.packages(\"stringi\")"],
            &["tfpatch fix"],
        ),
    ]);
}

#[test]
fn an_object_of_another_manager_is_repaired_by_that() {
    const ABSENT: &str = "cannot open shared object file: No such file or directory";
    let libraries = format!(
        "install_driver(mysql) failed: Can't load '/usr/lib64/perl5/auto/DBD/mysql/mysql.so' for module DBD::mysql: libmysqlclient.so.20: {ABSENT} at /usr/lib64/perl5/DynaLoader.pm line 190."
    );
    let staged = format!(
        "unable to load shared object '/home/me/renv/staging/1/00LOCK-stringi/00new/stringi/libs/stringi.so':\n  libicui18n.so.71: {ABSENT}"
    );
    let in_conda = format!(
        "Traceback (most recent call last):\n  File \"/home/me/anaconda3/envs/gis/lib/python3.6/site-packages/rasterio/__init__.py\", line 15, in <module>\nImportError: libpoppler.so.71: {ABSENT}"
    );
    hold(&[
        (&libraries, &["needed by mysql.so", "cpan -f -i DBD::mysql"], &["tfpatch fix"]),
        (
            "Can't load '/usr/lib/perl5/5.28/auto/DBI/DBI.so' for module DBI: Error relocating /usr/lib/perl5/5.28/auto/DBI/DBI.so: Perl_croak_nocontext: symbol not found at /usr/lib/perl5/5.28/DynaLoader.pm line 159.",
            &["cpan -f -i DBI", "libdbi-perl"],
            &["LD_PRELOAD"],
        ),
        (&staged, &["install.packages(\"stringi\")"], &["apt-file", "00LOCK"]),
        (
            "dlopen(/Users/me/.rvm/gems/ruby-3.2.3/gems/pg-1.5.4/lib/pg_ext.bundle, 0x0009): Library not loaded: /opt/homebrew/opt/postgresql@15/lib/libpq.5.dylib (LoadError)\n  Referenced from: <B> /Users/me/.rvm/gems/ruby-3.2.3/gems/pg-1.5.4/lib/pg_ext.bundle\n  Reason: tried: '/opt/homebrew/opt/postgresql@15/lib/libpq.5.dylib' (no such file)",
            &["brew install postgresql@15", "gem pristine pg "],
            &["(LoadError)", "pristine ruby"],
        ),
        (&in_conda, &["conda-forge", "one channel"], &["apt-file", "dnf"]),
        (
            "ImportError: /home/me/miniconda3/envs/t/lib/python3.7/site-packages/osgeo/../../.././libkea.so.1.4: undefined symbol: _ZNK2H510H5Location15getObjnameByIdx",
            &["one channel", "LD_LIBRARY_PATH"],
            &["pip install"],
        ),
        (
            "FATAL:  could not load library \"/usr/lib/postgresql/12/lib/pg_x.so\": /usr/lib/postgresql/12/lib/pg_x.so: undefined symbol: make_attrmap",
            &["another release of PostgreSQL", "SELECT version()"],
            &["LD_PRELOAD", "pip install"],
        ),
        (
            "Error: Error loading shared library xmljs.node: No such file or directory (needed by /app/node_modules/libxml-xsd/build/Release/node-libxml-xsd.node)",
            &["xmljs.node", "npm rebuild"],
            &["apk add"],
        ),
    ]);
}

#[test]
fn a_library_is_read_however_a_program_calls_it() {
    hold(&[
        (
            "System.DllNotFoundException: Unable to load shared library 'libgdiplus' or one of its dependencies. In order to help diagnose loading problems, consider setting the LD_DEBUG environment variable: liblibgdiplus: cannot open shared object file: No such file or directory",
            &["libgdiplus.so", "apt install libgdiplus"],
            &["liblibgdiplus"],
        ),
        (
            "Unable to load shared library 'odd' or one of its dependencies. libodd: cannot open shared object file: No such file or directory",
            &["did not find libodd.so "],
            &[],
        ),
        (
            "  Exception of type `System.DllNotFoundException`: libgdiplus.so.0 assembly:<unknown assembly> type:<unknown type> member:(null)",
            &["apt install libgdiplus"],
            &[],
        ),
        (
            "System.DllNotFoundException : Unable to load DLL 'libgdiplus': The specified module could not be found.",
            &["apt install libgdiplus"],
            &[],
        ),
        (
            "torchvision.libs/libcudart.41118559.so.12 (deleted): cannot open shared object file: No such file or directory",
            &["removed or replaced while the program was running", "restart"],
            &["apt-file"],
        ),
        (
            "nvidia-container-cli: initialization error: load library failed: libcuda.so.1",
            &["driver on the host"],
            &["pip install"],
        ),
        (
            "INVALID_ARGUMENT: Mismatched PJRT plugin PJRT API version (0.54) and framework PJRT API version 0.51).",
            &["one release", "jax[cuda12]"],
            &[],
        ),
        (
            "OSError: libc10_cuda.so: cannot open shared object file: No such file or directory",
            &["a build for the torch that is installed"],
            &["pip install torch (", "apt-file"],
        ),
        (
            "/snap/core18/current/lib/x86_64-linux-gnu/libm.so.6: error: version lookup error: version `GLIBC_2.29' not found (required by /lib/libgdiplus.so) (fatal)",
            &["GLIBC_2.29", "snap"],
            &["apt install"],
        ),
    ]);
    // On Windows the words are the same, and the name is another.
    let windows =
        "Unable to load DLL 'SQLite.Interop.dll': The specified module could not be found.";
    assert!(read_text(windows).messages.is_empty());
}

#[test]
fn a_library_of_macos_may_be_older_than_what_needs_it() {
    hold(&[
        (
            "UnsatisfiedLinkError: fontmanager (dlopen(/w/jre/lib/libfontmanager.dylib, 2): Library not loaded: /usr/local/opt/freetype/lib/libfreetype.6.dylib Referenced from: /w/jre/lib/libfontmanager.dylib Reason: Incompatible library version: libfontmanager.dylib requires version 24.0.0 or later, but libfreetype.6.dylib provides version 23.0.0)",
            &[
                "libfreetype.6.dylib was found, but it is older",
                "below 24.0.0",
                "brew upgrade freetype",
            ],
            &["did not find", "LD_PRELOAD"],
        ),
        (
            "Library not loaded: @loader_path/../lib/libcrypto.dylib (LoadError)\n  Referenced from: /usr/lib/libpq.5.dylib\n  Reason: Incompatible library version: libpq.5.dylib requires version 1.0.0 or later, but libcrypto.0.9.8.dylib provides version 0.9.8 - /g/pg_ext.bundle",
            &["libcrypto.0.9.8.dylib was found", "below 1.0.0", "DYLD_LIBRARY_PATH"],
            &["did not find"],
        ),
        (
            "ImportError: dlopen(/v/lib/python3.7/site-packages/MySQLdb/_mysql.cpython-37m-darwin.so, 2): \n  Library not loaded: /usr/local/opt/mysql-client/lib/libssl.1.1.dylib\n      Referenced from: /v/lib/python3.7/site-packages/MySQLdb/_mysql.cpython-37m-darwin.so\n      Reason: image not found",
            &["--no-cache-dir mysqlclient"],
            &[],
        ),
    ]);
}

/// What the loader of musl says is of an image, even if the path that it names exists in a system with glibc.
#[test]
fn a_message_of_musl_is_not_checked_against_glibc() {
    let said = "Error loading shared library libx.so.1: No such file or directory (needed by /usr/bin/app)";
    let answer = |loader: &str| {
        let interpreter = Some(loader.as_bytes().to_vec());
        let app = Elf { interpreter, ..Elf::needing(&["libx.so.1"]) }.bytes();
        let library = Elf::needing(&[]).soname("libx.so.1").bytes();
        let vfs = MemVfs::new().file("/usr/bin/app", app).file("/lib/libx.so.1", library);
        let settings = Settings { working_directory: "/".into(), ..Settings::default() };
        let world = World::of_directory(&vfs, Path::new("/usr/bin"), None, settings);
        let diagnosis = diagnose(&vfs, &world);
        look(&vfs, &world, &diagnosis, &read_text(said).messages[0]).outcome
    };
    assert_eq!(answer("/lib64/ld-linux-x86-64.so.2"), Outcome::NotHere);
    assert_eq!(answer("/lib/ld-musl-x86_64.so.1"), Outcome::Resolves);
}

/// What no environment of Python has a part in is not looked for in one.
#[test]
fn an_environment_is_not_named_where_it_has_no_part() {
    let site = Path::new("/e/lib/python3.11/site-packages");
    let vfs = MemVfs::new().file(site.join("a/x.py"), *b"");
    let settings = Settings { working_directory: "/".into(), ..Settings::default() };
    let world = World::of_directory(&vfs, site, None, settings);
    let diagnosis = diagnose(&vfs, &world);
    let case = |text: &str| {
        let log = read_text(text);
        look(&vfs, &world, &diagnosis, &log.messages[0]).case
    };
    for text in [
        "rosetta error: failed to open elf at /lib64/ld-linux-x86-64.so.2",
        "[unixODBC][Driver Manager]Can't open lib 'ODBC Driver 17 for SQL Server' : file not found",
        "nvidia-container-cli: load library failed: libnvidia-ml.so.1: cannot open shared object file: no such file or directory",
        "Error: The module was compiled against a different Node.js version",
        "ImportError: libz.so.1: cannot open shared object file: Too many open files",
        "OSError: dlopen(libgobject-2.0-0, 0x0002): tried: 'libgobject-2.0-0' (no such file)",
    ] {
        let case = case(text);
        assert!(matches!(case, Case::WordsAlone | Case::PathsElsewhere), "{text}: {case:?}");
    }
    let missing =
        "ImportError: libx.so.1: cannot open shared object file: No such file or directory";
    assert_eq!(case(missing), Case::NothingFits);
}

#[test]
fn the_older_of_two_numpys_is_the_one_to_replace() {
    hold(&[
        (
            "RuntimeError: module compiled against API version 0x10 but this version of numpy is 0xf",
            &["pip install -U numpy"],
            &["numpy<2"],
        ),
        (
            "RuntimeError: module compiled against ABI version 0x2000000 but this version of numpy is 0x1000009",
            &["pip install -U numpy"],
            &["numpy<2"],
        ),
        (
            "RuntimeError: module compiled against ABI version 0x1000009 but this version of numpy is 0x2000000",
            &["numpy<2"],
            &["-U numpy"],
        ),
        (
            "ValueError: numpy.ndarray size changed, may indicate binary incompatibility. Expected 96 from C header, got 80 from PyObject",
            &["pip install -U numpy"],
            &["numpy<2"],
        ),
        // This type has become smaller in NumPy 2.
        (
            "ValueError: numpy.dtype size changed, may indicate binary incompatibility. Expected 96 from C header, got 88 from PyObject",
            &["numpy<2"],
            &["-U numpy"],
        ),
        // Cython before 0.29 expects the size of the installed release.
        (
            "RuntimeWarning: numpy.ufunc size changed, may indicate binary incompatibility. Expected 216, got 192",
            &["newer releases of the packages"],
            &["-U numpy"],
        ),
    ]);
}
