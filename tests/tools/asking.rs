//! Who asks for a library that no search path leads to: what is loaded before, what nothing asks for, and
//! what fails. In each case the interpreter says first what is so.

use crate::support::command::{Ran, command, run, snapshot, words};
use crate::support::environments::{Environment, empty};
use std::fs;
use std::path::Path;
use std::process::Command;

const HOST: &str = "libhost_framework.so.2";

/// A host with a module that loads its library, and a plugin that is opened once the host is imported, and
/// asks for the same library with no search path.
fn host_and_plugin(dir: &Path, host: &str, requires: &[&str]) -> Environment {
    let env = empty(dir);
    let lib = env.below();
    env.library(&format!("{lib}/tensorflow/{HOST}"), HOST, &[], &[]);
    env.module("tensorflow/_host", &[HOST], &["-Wl,-rpath,$ORIGIN"]);
    env.library(&format!("{lib}/plug/ops.so"), "ops.so", &[HOST], &[]);
    fs::write(
        env.site.join("plug/__init__.py"),
        "import ctypes, os, tensorflow._host\n\
         ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'ops.so'))\n",
    )
    .unwrap();
    let files =
        ["tensorflow/__init__.py", "tensorflow/_host.abi3.so", &format!("tensorflow/{HOST}")];
    env.distribution(host, &[], &files);
    env.distribution("plug", requires, &["plug/__init__.py", "plug/ops.so"]);
    env
}

/// An environment that works: no error, no warning, and nothing to repair.
#[track_caller]
fn assert_sound(env: &Environment, code: &str) -> Ran {
    assert!(env.runs(code), "the case does not work: {code}");
    let before = snapshot(&env.prefix);
    let dir = env.prefix.parent().unwrap();
    let doctor = run(dir, &["doctor", "env"]);
    assert_eq!(doctor.status, 0, "{doctor:#?}");
    assert!(!doctor.out.contains("warning"), "{doctor:#?}");
    run(dir, &["fix", "env"]).text(0);
    assert_eq!(snapshot(&env.prefix), before);
    run(dir, &["verify", "env"]).text(0);
    doctor
}

/// An environment that fails, and that a repair cures.
#[track_caller]
fn assert_cured(env: &Environment, works: impl Fn() -> bool) {
    assert!(!works(), "the case does not fail");
    let dir = env.prefix.parent().unwrap();
    let doctor = run(dir, &["doctor", "env"]);
    assert!(doctor.text(1).contains("path_missing"), "{doctor:#?}");
    let fixed = run(dir, &["fix", "env"]);
    assert!(works(), "{fixed:#?}");
    assert_eq!(fixed.status, 0, "{fixed:#?}");
    run(dir, &["verify", "env"]).text(0);
}

#[test]
fn another_distribution_of_the_same_package_meets_a_requirement() {
    for host in
        ["tensorflow", "tensorflow-cpu", "tf-nightly", "tensorflow-rocm", "tensorflow-macos"]
    {
        let dir = tempfile::tempdir().unwrap();
        let env = host_and_plugin(dir.path(), host, &["tensorflow (~=1.0)"]);
        assert!(assert_sound(&env, "import plug").out.contains("load_order"), "{host}");
    }
}

/// By hand unpacked, or installed by a tool that keeps no list of files: the packages are there, and say
/// whose they are by their names.
#[test]
fn a_package_is_known_without_a_list_of_its_files() {
    let dir = tempfile::tempdir().unwrap();
    let env = host_and_plugin(dir.path(), "tensorflow-cpu", &["tensorflow"]);
    let info = env.site.join("tensorflow_cpu-1.0.dist-info");
    fs::remove_file(info.join("RECORD")).unwrap();
    assert!(assert_sound(&env, "import plug").out.contains("load_order"));
    fs::remove_dir_all(&info).unwrap();
    assert!(assert_sound(&env, "import plug").out.contains("load_order"));
    // What says nothing of what it requires is believed where one package alone loads the library.
    fs::remove_dir_all(env.site.join("plug-1.0.dist-info")).unwrap();
    let told = assert_sound(&env, "import plug");
    assert!(told.out.contains("as far as metadata show"), "{told:#?}");
}

/// Nothing is loaded before a program's own libraries.
#[test]
fn a_program_that_does_not_start_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = host_and_plugin(dir.path(), "tensorflow", &["tensorflow"]);
    let site = env.below();
    let program = env.program(&format!("{site}/plug/worker"), &[HOST], &[]);
    let starts = || Command::new(&program).output().unwrap().status.success();
    assert_cured(&env, starts);
    assert!(env.runs("import plug"));
}

/// A program in a package that Python starts by a script of the same name gets its variables from there.
#[test]
fn a_program_behind_a_script_is_left_to_the_script() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    env.library(&format!("{site}/tool/lib/libtool_core.so.1"), "libtool_core.so.1", &[], &[]);
    env.program(&format!("{site}/tool/bin/worker"), &["libtool_core.so.1"], &[]);
    env.distribution("tool", &[], &["tool/bin/worker", "tool/lib/libtool_core.so.1"]);
    let script = env.prefix.join("bin/worker");
    let python = env.prefix.join("bin/python");
    fs::write(&script, format!("#!{}\nimport os\n", python.display())).unwrap();
    let told = assert_sound(&env, "pass");
    assert!(told.out.contains("libtool_core.so.1"), "{told:#?}");
    // One that found its library where it was installed gets no variable from the script.
    let finds = ["-Wl,-rpath,$ORIGIN/../lib"];
    let worker = env.program(&format!("{site}/tool/bin/worker"), &["libtool_core.so.1"], &finds);
    let works = || Command::new(&worker).status().unwrap().success();
    assert!(works());
    fs::rename(env.site.join("tool/lib"), env.site.join("tool/lib_old")).unwrap();
    assert_cured(&env, works);
    fs::rename(env.site.join("tool/lib_old"), env.site.join("tool/lib")).unwrap();
    env.program(&format!("{site}/tool/bin/worker"), &["libtool_core.so.1"], &[]);
    fs::remove_file(script).unwrap();
    let ran = run(dir.path(), &["doctor", "env"]);
    assert!(ran.text(1).contains("libtool_core.so.1 is not found by the loader"), "{ran:#?}");
}

/// A distribution without modules loads nothing: its libraries are there for others, and not before them.
#[test]
fn libraries_that_nobody_loads_are_not_loaded_before() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let (lib, soname) = ("vendor/fft/lib", "libfft.so.11");
    env.library(&format!("{site}/{lib}/{soname}"), soname, &[], &[]);
    env.distribution("vendor-fft", &[], &[&format!("{lib}/{soname}")]);
    // Somebody else loads it, whom the asker does not require.
    env.module("other/_other", &[soname], &["-Wl,-rpath,$ORIGIN/../vendor/fft/lib"]);
    env.distribution("other", &["vendor-fft"], &["other/__init__.py", "other/_other.abi3.so"]);
    env.module("runtime/_runtime", &[soname], &[]);
    env.distribution(
        "runtime",
        &["vendor-fft ; extra == 'gpu'"],
        &["runtime/__init__.py", "runtime/_runtime.abi3.so"],
    );
    assert_cured(&env, || env.runs("import runtime._runtime"));
}

/// What a distribution does not require it works without, or it would: a module for a library that
/// happens to be there may stay as it is. Named outright it is judged by itself.
#[test]
fn a_library_that_nobody_requires_is_only_worth_knowing() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.library("lib/libpool.so.12", "libpool.so.12", &[], &[]);
    let file = env.prefix.join("lib/libpool.so.12");
    let up = "../../libpool.so.12";
    assert!(env.site.join(up).canonicalize().unwrap() == file.canonicalize().unwrap());
    env.distribution("pool", &[], &[up]);
    let module = env.module("jit/_pool", &["libpool.so.12"], &[]);
    env.distribution("jit", &["llvm"], &["jit/__init__.py", "jit/_pool.abi3.so"]);
    let told = assert_sound(&env, "import jit");
    assert!(told.out.contains("info  libpool.so.12 is not found by the loader"), "{told:#?}");
    let named = run(dir.path(), &words(&[&"doctor", &module]));
    assert!(named.text(1).contains("libpool.so.12 is not found by the loader"), "{named:#?}");
    // One that it requires is another matter, and so is one for a GPU.
    env.distribution("jit", &["llvm", "pool"], &["jit/__init__.py", "jit/_pool.abi3.so"]);
    assert_cured(&env, || env.runs("import jit._pool"));
}

/// A plugin of a distribution that requires nothing is for something else that may be installed. A library of the
/// same name in a distribution that has nothing to do with it does not make it an error.
#[test]
fn plugins_are_not_led_to_the_libraries_of_strangers() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let rows = |package: &str, files: &[&str]| -> Vec<String> {
        files.iter().map(|file| format!("{package}/{file}")).collect()
    };
    let distribution = |name: &str, requires: &[&str], rows: &[String]| {
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        env.distribution(name, requires, &rows);
    };
    env.library(&format!("{site}/two/lib/libextra.so.1"), "libextra.so.1", &[], &[]);
    env.module("two/_two", &[], &[]);
    let rows_of_two = rows("two", &["__init__.py", "_two.abi3.so", "lib/libextra.so.1"]);
    distribution("two", &[], &rows_of_two);
    env.module("one/_one", &[], &[]);
    let plugin = format!("{site}/one/plugins/libplug.so");
    let plugin = env.library(&plugin, "libplug.so", &["libextra.so.1"], &[]);
    let rows_of_one = rows("one", &["__init__.py", "_one.abi3.so", "plugins/libplug.so"]);
    distribution("one", &[], &rows_of_one);
    let told = assert_sound(&env, "import one._one, two._two");
    assert!(told.out.contains("info  libextra.so.1 is not found by the loader"), "{told:#?}");
    // A distribution that requires both relies on them working together.
    env.distribution("bundle", &["one", "two"], &[]);
    assert_cured(&env, || env.runs(&format!("import ctypes; ctypes.CDLL({plugin:?})")));
}

/// Two distributions have a library of the same name. A directory that was renamed is still that of the first.
#[test]
fn a_library_that_was_moved_belongs_to_its_distribution() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    for name in ["one", "two"] {
        let flag = format!("-Wl,--defsym,its_{name}=0");
        let library = format!("{site}/{name}/lib/libboth.so.6");
        env.library(&library, "libboth.so.6", &[], &[&flag]);
        let module = format!("{name}/_{name}");
        env.module(&module, &["libboth.so.6"], &["-Wl,-rpath,$ORIGIN/lib"]);
        let files = ["__init__.py", &format!("_{name}.abi3.so"), "lib/libboth.so.6"];
        let files = files.map(|file| format!("{name}/{file}"));
        env.distribution(name, &[], &files.each_ref().map(String::as_str));
    }
    assert_sound(&env, "import one._one, two._two");
    fs::rename(env.site.join("one/lib"), env.site.join("one/lib_old")).unwrap();
    let one =
        "import one._one; assert 'one/lib_old/libboth.so.6' in open('/proc/self/maps').read()";
    assert_cured(&env, || env.runs(one));
}

/// Of two modules of a package one finds the library that both need. The order of the imports decides, through all
/// files in which they are.
#[test]
fn the_module_that_loads_a_library_has_to_be_imported_first() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.library(&format!("{}/geo/lib/libgeo.so.3", env.below()), "libgeo.so.3", &[], &[]);
    env.module("geo/_finds", &["libgeo.so.3"], &["-Wl,-rpath,$ORIGIN/lib"]);
    env.module("geo/_needs", &["libgeo.so.3"], &[]);
    fs::write(env.site.join("geo/core.py"), "import geo.lower\nimport geo._needs\n").unwrap();
    let files = ["__init__.py", "core.py", "lower.py", "lib/libgeo.so.3"];
    let files = files.iter().chain(&["_finds.abi3.so", "_needs.abi3.so"]);
    let files: Vec<String> = files.map(|file| format!("geo/{file}")).collect();
    let write = |init: &str, lower: &str| {
        fs::write(env.site.join("geo/__init__.py"), init).unwrap();
        fs::write(env.site.join("geo/lower.py"), lower).unwrap();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        env.distribution("geo", &[], &files);
    };
    write("from .core import *\n", "from . import _finds\n");
    let sound = assert_sound(&env, "import geo");
    assert!(sound.out.contains("libgeo.so.3 must be loaded first"), "{sound:#?}");
    // A function that is called later comes too late, and so does an import behind the other.
    write("from .core import *\nfrom . import _finds\n", "def f():\n    from . import _finds\n");
    assert_cured(&env, || env.runs("import geo"));
}

/// Of two providers that a runtime can open, one lacks a library for good: an entry for another that it
/// needs would not have it load, and nobody asks for it.
#[test]
fn a_plugin_that_cannot_load_is_not_half_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    env.library(&format!("{site}/vendor/fft/lib/libcufft.so.11"), "libcufft.so.11", &[], &[]);
    env.distribution("vendor-fft", &[], &["vendor/fft/lib/libcufft.so.11"]);
    env.module("runtime/_runtime", &[], &[]);
    let gone = env.library("lib/libgone.so.10", "libgone.so.10", &[], &[]);
    fs::remove_file(gone).unwrap();
    let one = env.library(
        &format!("{site}/runtime/libprovider_one.so"),
        "libprovider_one.so",
        &["libcufft.so.11"],
        &[],
    );
    let two = env.library(
        &format!("{site}/runtime/libprovider_two.so"),
        "libprovider_two.so",
        &["libcufft.so.11", "libgone.so.10"],
        &[],
    );
    let files = ["__init__.py", "_runtime.abi3.so", "libprovider_one.so", "libprovider_two.so"];
    let files = files.map(|file| format!("runtime/{file}"));
    env.distribution("runtime", &[], &files.each_ref().map(String::as_str));
    let before = fs::read(&two).unwrap();
    let opens = |path: &Path| env.runs(&format!("import ctypes; ctypes.CDLL({path:?})"));
    assert!(!opens(&one) && !opens(&two));
    run(dir.path(), &["doctor", "env"]).text(1);
    let fixed = run(dir.path(), &["fix", "env"]);
    assert!(fixed.text(0).contains("repaired; no errors"), "{fixed:#?}");
    assert!(opens(&one));
    assert!(fs::read(&two).unwrap() == before);
    let named = run(dir.path(), &words(&[&"doctor", &two]));
    assert!(named.text(1).contains("libgone.so.10"), "{named:#?}");
}

/// A program that opens a whole directory of plugins loads one before the other. Python code that opens one of
/// them loads no other.
#[test]
fn a_plugin_finds_the_plugins_beside_it_loaded() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    env.module("host/_host", &[], &[]);
    let base = env.library(&format!("{site}/host/plugins/libbase.so"), "libbase.so", &[], &[]);
    let more =
        env.library(&format!("{site}/host/plugins/libmore.so"), "libmore.so", &["libbase.so"], &[]);
    let init = env.site.join("host/__init__.py");
    let files = ["__init__.py", "_host.abi3.so", "plugins/libbase.so", "plugins/libmore.so"];
    let files = files.map(|file| format!("host/{file}"));
    env.distribution("host", &[], &files.each_ref().map(String::as_str));
    assert!(!env.runs(&format!("import ctypes; ctypes.CDLL({more:?})")));
    let both = format!("import ctypes; ctypes.CDLL({base:?}); ctypes.CDLL({more:?})");
    let doctor = assert_sound(&env, &both);
    assert!(doctor.out.contains("libbase.so must be loaded first"), "{doctor:#?}");
    let opens =
        "import ctypes, os\nctypes.CDLL(os.path.join(__path__[0], 'plugins', 'libmore.so'))\n";
    fs::write(init, opens).unwrap();
    assert_cured(&env, || env.runs("import host"));
}

/// A provider for the GPU that was built for another release of CUDA than the one that is installed is lost; of
/// several builds of one provider those for other releases are not missed.
#[test]
fn a_gpu_that_is_lost_to_another_release_is_an_error() {
    for (names, status) in [
        (["libprovider_cuda.so", "libprovider_fft.so"], 1),
        (["libprovider_cuda13.so", "libprovider_cuda12.so"], 0),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = empty(dir.path());
        let site = env.below();
        for release in ["12", "13"] {
            let blas = format!("libcublas.so.{release}");
            env.library(&format!("{site}/vendor/blas/lib/{blas}"), &blas, &[], &[]);
        }
        env.module("runtime/_runtime", &[], &[]);
        let needed = ["libcublas.so.13", "libcublas.so.12"];
        let path = ["-Wl,-rpath,$ORIGIN/../vendor/blas/lib"];
        let providers = [0, 1].map(|at| {
            env.library(&format!("{site}/runtime/{}", names[at]), names[at], &[needed[at]], &path)
        });
        fs::remove_file(env.site.join("vendor/blas/lib/libcublas.so.13")).unwrap();
        env.distribution("vendor-blas", &[], &["vendor/blas/lib/libcublas.so.12"]);
        let files = ["__init__.py", "_runtime.abi3.so", names[0], names[1]];
        let files = files.map(|file| format!("runtime/{file}"));
        env.distribution("runtime", &[], &files.each_ref().map(String::as_str));
        let opens = |path: &Path| env.runs(&format!("import ctypes; ctypes.CDLL({path:?})"));
        assert!(!opens(&providers[0]) && opens(&providers[1]));
        let told = run(dir.path(), &["doctor", "env"]);
        assert!(told.text(status).contains("soname_mismatch"), "{told:#?}");
    }
}

/// Libraries that lie together and are opened by one another, of which no module is imported.
#[test]
fn libraries_of_distributions_without_modules_are_left_to_who_opens_them() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.library("lib/libmath_core.so.2", "libmath_core.so.2", &[], &[]);
    env.library("lib/libmath_fast.so.2", "libmath_fast.so.2", &["libmath_core.so.2"], &[]);
    let files = ["../../libmath_core.so.2", "../../libmath_fast.so.2"];
    env.distribution("math", &[], &files);
    assert_sound(
        &env,
        "import ctypes, sys\n\
         for name in 'core', 'fast': ctypes.CDLL(sys.prefix + '/lib/libmath_%s.so.2' % name)",
    );
}

/// What stands in `bin` is started as it is.
#[test]
fn a_command_whose_library_is_nowhere_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let gone = env.library("lib/libgone_away.so.1", "libgone_away.so.1", &[], &[]);
    let program = env.program("bin/command", &["libgone_away.so.1"], &[]);
    fs::remove_file(gone).unwrap();
    assert!(!Command::new(program).output().unwrap().status.success());
    let ran = run(dir.path(), &["doctor", "env"]);
    assert!(ran.text(1).contains("libgone_away.so.1 is not installed"), "{ran:#?}");
}

/// Links that a copy has lost, as the command says to make them: the interpreter imports the module then.
#[test]
fn a_lost_link_is_made_again_by_what_the_report_says() {
    for is_flattened in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let env = empty(dir.path());
        let site = env.below();
        let there = format!("{site}/pq.libs/libpqlike.so.5.15");
        env.library(&there, "libpqlike.so.5", &[], &[]);
        env.module("pq/_pq", &["libpqlike.so.5"], &["-Wl,-rpath,$ORIGIN/../pq.libs"]);
        let works = || env.runs("import pq._pq");
        if is_flattened {
            fs::write(env.site.join("pq.libs/libpqlike.so.5"), "libpqlike.so.5.15").unwrap();
        }
        assert!(!works());
        let ran = run(dir.path(), &["doctor", "env"]);
        assert!(ran.text(1).contains("dropped_link"), "{ran:#?}");
        assert_eq!(ran.out.matches("error  ").count(), 1, "{ran:#?}");
        let cure = ran.out.lines().find_map(|line| line.trim().strip_prefix("→ ")).unwrap();
        assert!(Command::new("sh").args(["-c", cure]).status().unwrap().success());
        assert!(works(), "{cure}");
        run(dir.path(), &["doctor", "env"]).text(0);
    }
}

/// The library of Python itself lies with the interpreter that an environment is based on.
#[test]
fn a_program_with_python_in_it_finds_pythons_library_in_the_base() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let base = dir.path().join("base");
    let soname = "libpython3.99.so.1.0";
    let built = env.library("lib/libpython", soname, &[], &[]);
    fs::create_dir_all(base.join("lib")).unwrap();
    fs::rename(built, base.join("lib").join(soname)).unwrap();
    let config = env.prefix.join("pyvenv.cfg");
    let text = fs::read_to_string(&config).unwrap();
    let home = format!("home = {}\n", base.join("bin").display());
    fs::write(&config, text.lines().skip(1).fold(home, |all, line| all + line + "\n")).unwrap();
    let program = env.program("bin/command", &[soname], &[]);
    let starts = || Command::new(&program).output().unwrap().status.success();
    assert!(!starts());
    let ran = run(dir.path(), &["doctor", "env"]);
    let lies = format!("it is in {}", base.join("lib").display());
    assert!(ran.text(1).contains(&lies), "{ran:#?}");
    run(dir.path(), &["fix", "env"]).text(1);
    assert!(!starts());
    run(dir.path(), &["fix", "env", "--allow-absolute"]);
    assert!(starts());
}

/// A TensorFlow that was built for CUDA, whose metadata require none of NVIDIA's distributions, beside
/// those: it says itself what it opens. Before 2.14 it uses no GPU without the library of random numbers
/// either.
#[test]
fn tensorflow_opens_what_it_was_built_with_whatever_its_metadata_say() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let opened = [
        ("cuda_runtime", "libcudart.so.11.0"),
        ("cublas", "libcublas.so.11"),
        ("cublas", "libcublasLt.so.11"),
        ("cufft", "libcufft.so.10"),
        ("curand", "libcurand.so.10"),
        ("cusolver", "libcusolver.so.11"),
        ("cusparse", "libcusparse.so.11"),
        ("cudnn", "libcudnn.so.8"),
    ];
    for (package, soname) in opened {
        let file = format!("nvidia/{package}/lib/{soname}");
        env.library(&format!("{site}/{file}"), soname, &[], &[]);
        env.distribution(&format!("nvidia-{package}-cu11"), &[], &[&file]);
    }
    let framework = "libtensorflow_framework.so.2";
    env.library(&format!("{site}/tensorflow/{framework}"), framework, &[], &[]);
    env.module("tensorflow/_host", &[framework], &["-Wl,-rpath,$ORIGIN"]);
    let info = env.site.join("tensorflow/python/platform/build_info.py");
    fs::create_dir_all(info.parent().unwrap()).unwrap();
    let built = |is_for_cuda: bool| {
        let is_for_cuda = if is_for_cuda { "True" } else { "False" };
        let text = format!(
            "build_info = dict([('cuda_version', '11.8'), ('cudnn_version', '8'), \
             ('is_cuda_build', {is_for_cuda})])"
        );
        fs::write(&info, text).unwrap();
    };
    let files = [format!("tensorflow/{framework}"), "tensorflow/_host.abi3.so".to_owned()];
    env.distribution("tensorflow", &["numpy"], &files.each_ref().map(String::as_str));
    built(false);
    assert_sound(&env, "import tensorflow._host");
    built(true);
    let ran = run(dir.path(), &["doctor", "env"]);
    assert!(ran.text(1).contains("dlopen_path_missing"), "{ran:#?}");
    let fixed = run(dir.path(), &["fix", "env"]);
    assert!(fixed.text(0).contains("repaired; no errors"), "{fixed:#?}");
    run(dir.path(), &["verify", "env"]).text(0);
    let printed = run(
        dir.path(),
        &words(&[&"rpath", &"print", &env.site.join("tensorflow").join(framework)]),
    );
    for (package, _) in opened {
        let entry = format!("$ORIGIN/../nvidia/{package}/lib\n");
        assert!(printed.text(0).contains(&entry), "{entry}: {printed:#?}");
    }
}

/// Libraries that were moved out of the target are not lost: a search that leads there cures what lacks
/// them, and the list of the files that were installed is no reason to install again.
#[test]
fn libraries_that_were_moved_away_and_are_found_are_not_missing() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let library =
        env.library(&format!("{site}/core/libcore_away.so.2"), "libcore_away.so.2", &[], &[]);
    env.module("core/_core", &["libcore_away.so.2"], &["-Wl,-rpath,$ORIGIN"]);
    let files = ["core/__init__.py", "core/_core.abi3.so", "core/libcore_away.so.2"];
    env.distribution("core", &[], &files);
    fs::create_dir(dir.path().join("out")).unwrap();
    fs::rename(&library, dir.path().join("out/libcore_away.so.2")).unwrap();
    assert!(!env.runs("import core._core"));
    let told = run(dir.path(), &["doctor", "env"]);
    assert!(told.text(1).contains("partial_install"), "{told:#?}");
    let asked = ["doctor", "--search", "out", "--allow-absolute", "env"];
    let told = run(dir.path(), &asked);
    assert!(!told.text(1).contains("partial_install"), "{told:#?}");
    run(dir.path(), &["fix", "--search", "out", "--allow-absolute", "env"]).text(0);
    assert!(env.runs("import core._core"));
    run(dir.path(), &["verify", "env"]).text(0);
    run(dir.path(), &["doctor", "env"]).text(0);
}

/// A Python that was unpacked or compiled into a directory of its own, as pyenv and uv have them: the
/// modules of its standard library are imported as any other.
#[test]
fn modules_of_the_standard_library_are_judged() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    fs::remove_file(env.prefix.join("pyvenv.cfg")).unwrap();
    fs::remove_file(env.prefix.join("bin/python")).unwrap();
    env.program("bin/python3.99", &[], &[]);
    let library = "lib/python3.99";
    fs::create_dir_all(env.prefix.join(library)).unwrap();
    fs::write(env.prefix.join(library).join("os.py"), "").unwrap();
    let ending = "cpython-399-x86_64-linux-gnu.so";
    let gone = env.library("gone/libssl_away.so.1", "libssl_away.so.1", &[], &[]);
    let needs = ["libssl_away.so.1"];
    let module = |name: &str| format!("{library}/lib-dynload/{name}.{ending}");
    env.library(&module("_tkinter"), "_tkinter.so", &needs, &[]);
    fs::create_dir(env.prefix.join("lib/away")).unwrap();
    let there = env.prefix.join("lib/away/libssl_away.so.1");
    let elsewhere = dir.path().join("libssl_away.so.1");
    fs::rename(gone, &elsewhere).unwrap();
    // Images leave out what only a display needs: `import tkinter` says so itself.
    let ran = run(dir.path(), &["doctor", "env"]);
    assert!(ran.text(0).contains("info  libssl_away.so.1 is not installed"), "{ran:#?}");
    env.library(&module("_ssl"), "_ssl.so", &needs, &[]);
    let ran = run(dir.path(), &["doctor", "env"]);
    assert!(ran.text(1).contains("error  libssl_away.so.1 is not installed"), "{ran:#?}");
    fs::rename(elsewhere, there).unwrap();
    let ran = run(dir.path(), &["fix", "env"]);
    assert!(ran.text(0).contains("no errors"), "{ran:#?}");
    run(dir.path(), &["verify", "env"]).text(0);
}

/// A plugin of a host that may never open it: what it lacks is always said, and is no error but for whoever
/// names it.
#[test]
fn what_a_plugin_lacks_is_said_and_known_to_explain() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let gone = env.library("gone/libxcb_away.so.0", "libxcb_away.so.0", &[], &[]);
    env.module("qt/_core", &[], &[]);
    env.library(
        &format!("{site}/qt/lib/libxcbqpa.so.6"),
        "libxcbqpa.so.6",
        &["libxcb_away.so.0"],
        &[],
    );
    let plugin = env.library(
        &format!("{site}/qt/plugins/platforms/libqxcb.so"),
        "libqxcb.so",
        &["libxcbqpa.so.6"],
        &["-Wl,-rpath,$ORIGIN/../../lib"],
    );
    fs::remove_file(gone).unwrap();
    assert!(env.runs("import qt._core"));
    let told = run(dir.path(), &["doctor", "env"]);
    assert!(told.text(0).contains("info  libxcb_away.so.0 is not installed"), "{told:#?}");
    assert!(told.out.contains("plugins or programs lack 1 library\n"), "{told:#?}");
    let json = run(dir.path(), &["doctor", "env", "--format", "json"]).json(0);
    assert_eq!(json["findings"][0]["severity"], "info");
    let named = run(dir.path(), &words(&[&"doctor", &plugin]));
    assert!(named.text(1).contains("error  libxcb_away.so.0 is not installed"), "{named:#?}");
    let words = format!(
        "Cannot load library {}: (libxcb_away.so.0: cannot open shared object file: No such file or directory)",
        plugin.display()
    );
    let mut explain = command(dir.path());
    let explain = explain.args(["explain", &words]).env("VIRTUAL_ENV", &env.prefix);
    let said = Ran::of(&explain.output().unwrap());
    assert!(
        said.text(0)
            .contains("libxcbqpa.so.6 needs libxcb_away.so.0, which is not found on this system"),
        "{said:#?}"
    );
}

/// A path from the root names one file: what has its name elsewhere is another.
#[test]
fn a_path_that_does_not_exist_is_not_answered_by_another_file() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let there = env.library(&format!("{site}/pkg/libthere.so"), "libthere.so", &[], &[]);
    let below = there.join("libthere.so");
    let away = env.site.join("away/libthere.so");
    for (path, why) in [(below, "Not a directory"), (away, "No such file or directory")] {
        let words = format!("OSError: {}: cannot open shared object file: {why}", path.display());
        let mut explain = command(dir.path());
        let explain = explain.args(["explain", &words]).env("VIRTUAL_ENV", &env.prefix);
        let said = Ran::of(&explain.output().unwrap());
        assert!(!said.text(0).contains("is here"), "{said:#?}");
        assert!(!said.out.contains("no action needed"), "{said:#?}");
    }
}

/// An entry that is relative to wherever a process happens to be is written as it was asked for, and not
/// without a word.
#[test]
fn a_relative_entry_is_told_of() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let file = env.library("lib/liba.so", "liba.so", &[], &["-Wl,-rpath,/a/long/enough/directory"]);
    let ran = run(dir.path(), &words(&[&"rpath", &"set", &file, &"--entry", &"../lib"]));
    assert_eq!(ran.status, 0, "{ran:#?}");
    assert!(
        ran.out.contains("../lib is relative to the working directory of the process"),
        "{ran:#?}"
    );
    let ran = run(dir.path(), &words(&[&"rpath", &"set", &file, &"--entry", &""]));
    assert!(ran.text(0).contains("an empty entry as the working directory"), "{ran:#?}");
    let ran = run(dir.path(), &words(&[&"rpath", &"set", &file, &"--entry", &"$ORIGIN/../lib"]));
    assert!(!ran.text(0).contains("working directory"), "{ran:#?}");
}

/// A plugin in one directory of packages and the libraries that it opens in another, as `lib64` and `lib`
/// or a `.pth` file have them: its entries lead nowhere, and say what was meant.
#[test]
fn a_requirement_that_no_entry_reaches_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let (file, soname) = ("vendor/blas/lib/libblaslike.so.12", "libblaslike.so.12");
    let entries = "-Wl,-rpath,$ORIGIN/../vendor/blas/lib:$ORIGIN/../../vendor/blas/lib";
    let library = env.library(&format!("{site}/{file}"), soname, &[], &[]);
    env.distribution("vendor-blas", &[], &[file]);
    env.module_that_opens("plug/_xla", soname, &[entries]);
    let files = ["plug/__init__.py", "plug/_xla.abi3.so"];
    env.distribution("plug", &["vendor-blas"], &files);
    assert_sound(&env, "import plug._xla");
    // The same in another directory from which is imported.
    let other = dir.path().join("other");
    fs::create_dir_all(other.join("vendor/blas/lib")).unwrap();
    fs::rename(&library, other.join(file)).unwrap();
    fs::rename(env.site.join("vendor_blas-1.0.dist-info"), other.join("vendor_blas-1.0.dist-info"))
        .unwrap();
    fs::write(env.site.join("other.pth"), format!("{}\n", other.display())).unwrap();
    assert!(!env.runs("import plug._xla"));
    let told = run(dir.path(), &["doctor", "env"]);
    assert!(told.text(1).contains("dlopen_path_missing"), "{told:#?}");
    run(dir.path(), &["fix", "env"]).text(1);
    run(dir.path(), &["fix", "env", "--allow-absolute"]).text(0);
    assert!(env.runs("import plug._xla"));
    run(dir.path(), &["verify", "env"]).text(0);
    run(dir.path(), &["revert", "env"]).text(0);
    // An entry that names what nobody requires is a leftover.
    env.distribution("plug", &[], &files);
    assert_eq!(run(dir.path(), &["doctor", "env"]).status, 0);
}

/// A distribution by its name: of the environment that is found, and only its own files.
#[test]
fn a_distribution_is_a_target_by_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    env.library(&format!("{site}/store/libdeep.so.1"), "libdeep.so.1", &[], &[]);
    env.distribution("store", &[], &["store/libdeep.so.1"]);
    for name in ["first_one", "second"] {
        env.module(&format!("{name}/_module"), &["libdeep.so.1"], &[]);
        let files = [format!("{name}/__init__.py"), format!("{name}/_module.abi3.so")];
        env.distribution(name, &["store"], &files.each_ref().map(String::as_str));
    }
    let asked = |arguments: &[&str]| {
        let mut tfpatch = command(dir.path());
        Ran::of(&tfpatch.args(arguments).env("VIRTUAL_ENV", &env.prefix).output().unwrap())
    };
    let told = asked(&["doctor", "First.One"]);
    assert!(told.text(1).starts_with("Distribution  first-one (in env; "), "{told:#?}");
    assert!(!told.out.contains("second/"), "{told:#?}");
    assert!(asked(&["fix", "first-one"]).text(0).contains("1 file repaired"));
    assert!(env.runs("import first_one._module") && !env.runs("import second._module"));
    asked(&["verify", "first-one"]).text(0);
    assert_eq!(asked(&["verify", "second"]).status, 1);
    asked(&["fix", "env"]).text(0);
    asked(&["revert", "first-one"]).text(0);
    assert!(!env.runs("import first_one._module") && env.runs("import second._module"));
    // A path goes first, and what is neither is an error.
    fs::create_dir(dir.path().join("second")).unwrap();
    assert_eq!(asked(&["doctor", "second"]).status, 2);
    assert_eq!(asked(&["doctor", "third"]).status, 2);
}

/// A variable puts another copy of a library first. It is an error where that lacks a symbol that a module binds,
/// and a warning where it has them all.
#[test]
fn a_variable_that_takes_symbols_away_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    env.library(&format!("{site}/store/libdeep.so.1"), "libdeep.so.1", &[], &[]);
    env.module("pkg/_module", &["libdeep.so.1"], &["-Wl,-rpath,$ORIGIN/../store"]);
    env.distribution("store", &[], &["store/libdeep.so.1"]);
    env.distribution("pkg", &["store"], &["pkg/__init__.py", "pkg/_module.abi3.so"]);
    let (fuller, emptier) = (dir.path().join("fuller"), dir.path().join("emptier"));
    fs::create_dir_all(&fuller).unwrap();
    fs::create_dir_all(&emptier).unwrap();
    fs::copy(env.site.join("store/libdeep.so.1"), fuller.join("libdeep.so.1")).unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-Wl,-soname,libdeep.so.1", "-x", "c", "/dev/null", "-o"]);
    assert!(gcc.arg(emptier.join("libdeep.so.1")).status().unwrap().success());
    for (first, status) in [(&fuller, 0), (&emptier, 1)] {
        let with = |mut command: Command| command.env("LD_LIBRARY_PATH", first).output().unwrap();
        let mut python = Command::new(env.prefix.join("bin/python"));
        python.args(["-c", "import pkg._module"]);
        assert_eq!(with(python).status.success(), status == 0);
        for words in [["doctor", "env"], ["fix", "env"]] {
            let mut tfpatch = command(dir.path());
            tfpatch.args(words);
            let ran = Ran::of(&with(tfpatch));
            assert_eq!(ran.status, status, "{ran:#?}");
            let word = if status == 0 { "warning" } else { "error" };
            assert!(ran.out.contains(&format!("{word}  libdeep.so.1 depends")), "{ran:#?}");
            assert_eq!(ran.out.contains("and that copy lacks "), status == 1, "{ran:#?}");
        }
    }
}

/// A distribution without requirements, and one that requires it and has a copy of its library: the latter is
/// imported later.
#[test]
fn what_requires_a_distribution_is_not_loaded_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let soname = "libquad-96973f99.so.0";
    env.library(&format!("{site}/big.libs/{soname}"), soname, &[], &[]);
    env.module("big/_big", &[soname], &["-Wl,-rpath,$ORIGIN/../big.libs"]);
    env.distribution("big", &["base"], &["big/_big.abi3.so", &format!("big.libs/{soname}")]);
    env.library(&format!("lib/other/{soname}"), soname, &[], &[]);
    env.module("base/_base", &[soname], &["-Wl,-rpath,$ORIGIN/../base.libs"]);
    env.distribution("base", &[], &["base/_base.abi3.so", &format!("../../other/{soname}")]);
    assert!(!env.runs("import base._base") && env.runs("import big._big"));
    assert_eq!(run(dir.path(), &["doctor", "env"]).status, 1);
    run(dir.path(), &["fix", "env"]).text(0);
    assert!(env.runs("import base._base"));
}

/// A copy to which a variable leads may lack a library itself. The cure is the variable, wherever that library is.
#[test]
fn a_copy_that_does_not_load_is_the_fault_of_the_variable_that_leads_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let deep = env.library("lib/libdeep.so.1", "libdeep.so.1", &[], &[]);
    let out = dir.path().join("out");
    fs::create_dir(&out).unwrap();
    let copy = env.library("made/libfoo.so.1", "libfoo.so.1", &["libdeep.so.1"], &[]);
    fs::rename(copy, out.join("libfoo.so.1")).unwrap();
    let site = env.below();
    env.library(&format!("{site}/pkg/libfoo.so.1"), "libfoo.so.1", &[], &[]);
    env.module("pkg/_fast", &["libfoo.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    let with = |mut command: Command| command.env("LD_LIBRARY_PATH", &out).output().unwrap();
    let mut python = Command::new(env.prefix.join("bin/python"));
    python.args(["-c", "import pkg._fast"]);
    assert!(env.runs("import pkg._fast"));
    assert!(!with(python).status.success());
    for is_there in [true, false] {
        if !is_there {
            fs::remove_file(&deep).unwrap();
        }
        let mut doctor = command(dir.path());
        doctor.args(["doctor", "env"]);
        let told = Ran::of(&with(doctor));
        let lacks = "that copy needs libdeep.so.1, which is not found";
        assert!(told.text(1).contains(lacks), "{told:#?}");
        assert!(told.out.contains("from LD_LIBRARY_PATH\n"), "{told:#?}");
        for other in ["path_missing", "not_installed", "tfpatch fix"] {
            assert!(!told.out.contains(other), "{told:#?}");
        }
    }
}

/// What a distribution needs of another one is told where it is asked for by its name.
#[test]
fn a_distribution_is_judged_with_what_it_brings_along() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let site = env.below();
    let gone = env.library("lib/libgone.so.1", "libgone.so.1", &[], &[]);
    fs::remove_file(gone).unwrap();
    env.library(&format!("{site}/store/libdeep.so.1"), "libdeep.so.1", &["libgone.so.1"], &[]);
    env.distribution("store", &[], &["store/libdeep.so.1"]);
    env.module("pkg/_module", &["libdeep.so.1"], &["-Wl,-rpath,$ORIGIN/../store"]);
    env.distribution("pkg", &["store"], &["pkg/__init__.py", "pkg/_module.abi3.so"]);
    assert!(!env.runs("import pkg._module"));
    for words in [["doctor", "pkg"], ["verify", "pkg"]] {
        let mut tfpatch = command(dir.path());
        tfpatch.args(words).env("VIRTUAL_ENV", &env.prefix);
        let ran = Ran::of(&tfpatch.output().unwrap());
        assert!(ran.text(1).contains("libgone.so.1"), "{ran:#?}");
    }
}

/// What a variable spoils of a plugin is only worth knowing; what it spoils of a module is an error.
#[test]
fn a_variable_that_spoils_a_plugin_alone_is_no_error() {
    for (is_module, status) in [(false, 0), (true, 1)] {
        let dir = tempfile::tempdir().unwrap();
        let env = empty(dir.path());
        let site = env.below();
        let script = dir.path().join("versions");
        fs::write(&script, "V_1 { global: *; };").unwrap();
        let (name, script) = ("libver.so.1", format!("-Wl,--version-script={}", script.display()));
        let path = ["-Wl,-rpath,$ORIGIN/../libs"];
        env.library(&format!("{site}/libs/{name}"), name, &[], &[&script]);
        let needs = if is_module { vec![name] } else { Vec::new() };
        env.module("pkg/_fast", &needs, &path);
        env.library(&format!("{site}/pkg/libplugin.so"), "libplugin.so", &[name], &path);
        let files =
            ["pkg/__init__.py", "pkg/_fast.abi3.so", "pkg/libplugin.so", "libs/libver.so.1"];
        env.distribution("pkg", &[], &files);
        fs::write(dir.path().join("versions"), "V_0 { global: *; };").unwrap();
        env.library(&format!("older/{name}"), name, &[], &[&script]);
        let variable = format!("LD_LIBRARY_PATH={}", env.prefix.join("older").display());
        assert_eq!(run(dir.path(), &["doctor", "env"]).status, 0);
        let told = run(dir.path(), &["doctor", "env", "--env", &variable]);
        assert!(told.text(status).contains("symbol_version"), "{is_module}: {told:#?}");
    }
}

/// A package that is imported first may open the library that a module of another one needs.
#[test]
fn a_package_that_is_imported_first_opens_what_it_brings() {
    let opens = "ctypes.CDLL(os.path.join(os.path.dirname(__file__), 'lib', 'libdeep.so.1'))\n";
    for (first, preload, works) in [
        ("import store\nfrom . import _module\n", format!("import ctypes, os\n{opens}"), true),
        (
            "import store\nfrom . import _module\n",
            format!("import ctypes, os\ndef load():\n    {opens}"),
            false,
        ),
        ("from . import _module\nimport store\n", format!("import ctypes, os\n{opens}"), false),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = empty(dir.path());
        let site = env.below();
        env.library(&format!("{site}/store/lib/libdeep.so.1"), "libdeep.so.1", &[], &[]);
        fs::write(env.site.join("store/__init__.py"), &preload).unwrap();
        env.distribution("store", &[], &["store/__init__.py", "store/lib/libdeep.so.1"]);
        env.module("pkg/_module", &["libdeep.so.1"], &[]);
        fs::write(env.site.join("pkg/__init__.py"), first).unwrap();
        env.distribution("pkg", &["store"], &["pkg/__init__.py", "pkg/_module.abi3.so"]);
        assert_eq!(env.runs("import pkg"), works, "{first}{preload}");
        let told = run(dir.path(), &["doctor", "env"]);
        assert_eq!(told.status == 0, works, "{first}{preload}: {told:#?}");
    }
}
