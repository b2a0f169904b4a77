//! Messages that programs and libraries write in their own words about what they could not load: their texts,
//! subjects, meanings and fixes. The sources are the messages of the programs; a row matches any program that
//! prints the text.

use super::saying::{Saying, Subject};
use super::{sayings_of_fragments, sayings_of_mixtures};

const NOTHING: &str = "no action needed";

/// The rows. The first match counts, after those of mixtures.
const SAYINGS: &[Saying] = &[
    Saying {
        words: &[
            &["Unable to register cuDNN factory"],
            &["Unable to register cuBLAS factory"],
            &["Unable to register cuFFT factory"],
        ],
        subject: Subject::Harmless,
        about: "TensorFlow",
        meaning: "TensorFlow registers the same GPU library twice, and reports it on each import. Nothing is wrong.",
        cure: NOTHING,
    },
    Saying {
        words: &[&["NUMA node read from SysFS had negative value"]],
        subject: Subject::Harmless,
        about: "TensorFlow",
        meaning: "the kernel does not report the NUMA node of the GPU, so node 0 is used. Nothing is wrong.",
        cure: NOTHING,
    },
    Saying {
        words: &[&["computation placer already registered"]],
        subject: Subject::Harmless,
        about: "TensorFlow",
        meaning: "XLA registers a part of itself twice. Nothing is wrong.",
        cure: NOTHING,
    },
    Saying {
        words: &[
            &["does not match DSO version"],
            &["Driver/library version mismatch"],
            &["CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"],
            &["CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE"],
            &["forward compatibility was attempted on non supported HW"],
        ],
        subject: Subject::Driver,
        about: "libcuda.so.1",
        meaning: "the libraries of the NVIDIA driver and its kernel module have different versions: the driver was \
                  updated and the old kernel module is still loaded, or a container has other driver libraries than \
                  the host.",
        cure: "reboot the machine to load the kernel module of the installed driver; in a container, remove its own \
               driver libraries and cuda-compat",
    },
    Saying {
        words: &[
            &["CUDA driver version is insufficient for CUDA runtime version"],
            &["NVIDIA driver on your system is too old"],
            &["CUDA_ERROR_INVALID_PTX"],
            &["provided PTX was compiled with an unsupported toolchain"],
        ],
        subject: Subject::Driver,
        about: "libcuda.so.1",
        meaning: "the NVIDIA driver is older than the CUDA that the program was built with.",
        cure: "update the NVIDIA driver, or install a build for the CUDA version that nvidia-smi shows",
    },
    Saying {
        words: &[
            &["NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver"],
            &["Found no NVIDIA driver on your system"],
            &["NVML Shared Library Not Found"],
            &["NVML: Driver Not Loaded"],
        ],
        subject: Subject::Driver,
        about: "libcuda.so.1",
        meaning: "no NVIDIA driver responds: it is not installed, its kernel module is not loaded, or the container \
                  was started without access to the GPU.",
        cure: "install the NVIDIA driver and reboot the machine, or start the container with --gpus all",
    },
    Saying {
        words: &[
            &["nvidia-container-cli", "libnvidia-ml.so.1", "no such file"],
            &["nvidia-container-cli", "load library failed: libcuda.so.1"],
        ],
        subject: Subject::Driver,
        about: "libnvidia-ml.so.1",
        meaning: "NVIDIA's container tools did not find the library of the driver on the host, outside of the container.",
        cure: "install the NVIDIA driver on the host (nvidia-smi must work there); in WSL, install it on Windows; a driver \
               inside of the container does not help",
    },
    Saying {
        words: &[&["nvidia-container-cli", "ermission denied"]],
        subject: Subject::Driver,
        about: "libnvidia-ml.so.1",
        meaning: "NVIDIA's container tools found the library of the driver, and were not permitted to open it.",
        cure: "start the container as root or with a daemon that runs as root; otherwise let users read the file \
               (chmod a+rX on the directories that ldconfig -p shows for libnvidia-ml.so.1), and look for denials of SELinux \
               or AppArmor in dmesg",
    },
    Saying {
        words: &[
            &["Could not load the Qt platform plugin", "xcb"],
            &["find or load the Qt platform plugin", "xcb"],
            &["Qt platform plugin could be initialized", "xcb"],
        ],
        subject: Subject::NotInstalled,
        about: "Qt",
        meaning: "Qt could not start its platform plugin for X11, xcb: usually a library that the plugin needs is missing, or there is no display. A second copy of Qt that was loaded first, such \
                  as that of opencv-python, causes the same message.",
        cure: "apt install libxcb-cursor0 libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 \
               libxcb-xinerama0 libxkbcommon-x11-0 (Debian, Ubuntu); with QT_DEBUG_PLUGINS=1, Qt names the missing \
               library; without a display, set QT_QPA_PLATFORM=offscreen; with PyQt or PySide, install \
               opencv-python-headless instead of opencv-python",
    },
    Saying {
        words: &[
            &["Could not find the Qt platform plugin \"wayland"],
            &["Could not load the Qt platform plugin \"wayland"],
        ],
        subject: Subject::LeftOut,
        about: "Qt",
        meaning: "Qt did not find its platform plugin for Wayland, which is a separate package, and continues with another \
                  plugin where there is one.",
        cure: "no action needed if the program starts; otherwise apt install qtwayland5 (Qt 5) or qt6-wayland (Qt 6), or set \
               QT_QPA_PLATFORM=xcb",
    },
    Saying {
        words: &[
            &["could not find or load the Qt platform plugin"],
            &["Could not load the Qt platform plugin"],
            &["Could not find the Qt platform plugin"],
        ],
        subject: Subject::NotInstalled,
        about: "Qt",
        meaning: "Qt could not find or start a platform plugin: it is not where Qt searches (QT_PLUGIN_PATH, or a \
                  second copy of Qt that was loaded first), or a library that it needs is missing.",
        cure: "unset QT_PLUGIN_PATH and QT_QPA_PLATFORM_PLUGIN_PATH; with QT_DEBUG_PLUGINS=1, Qt shows the reason; \
               keep one copy of Qt in the environment (opencv-python-headless with PyQt or PySide)",
    },
    Saying {
        words: &[&["OpenSSL version mismatch. Built against"]],
        subject: Subject::Releases,
        about: "OpenSSL",
        meaning: "the program was built with another release of OpenSSL than the libssl and libcrypto that were \
                  loaded: another copy comes first in LD_LIBRARY_PATH or in the directory of a bundle.",
        cure: "unset LD_LIBRARY_PATH for this program (PyInstaller keeps the old value in LD_LIBRARY_PATH_ORIG), or \
               install a build for the installed OpenSSL",
    },
    Saying {
        words: &[
            &["you should not try to import numpy from"],
            &["Error importing numpy from its source directory"],
            &["Importing the numpy C-extensions failed"],
            &["Importing the numpy c-extensions failed"],
            &["Importing the multiarray numpy extension module failed"],
        ],
        subject: Subject::Releases,
        about: "numpy",
        meaning: "the compiled modules of numpy cannot be imported: the copy of numpy was installed for another Python or \
                  another system, or the program runs in numpy's source directory.",
        cure: "leave numpy's source directory; otherwise install numpy with the python that runs, on the system that \
               runs it: python -m pip install --force-reinstall numpy (for AWS Lambda: --platform \
               manylinux2014_x86_64 --only-binary=:all: --target DIR)",
    },
    Saying {
        words: &[&["_ARRAY_API not found"]],
        subject: Subject::Releases,
        about: "numpy",
        meaning: "a module was built for NumPy 1, and NumPy 2 is installed.",
        cure: "pip install 'numpy<2', or newer releases of the packages that were built for NumPy 1",
    },
    Saying {
        words: &[
            &["numpy.core.multiarray failed to import"],
            &["numpy._core.multiarray failed to import"],
        ],
        subject: Subject::Releases,
        about: "numpy",
        meaning: "a module was built for a different release of NumPy than the installed one; earlier lines show \
                  which of the two is older.",
        cure: "install compatible releases: pip install -U numpy and the imported package; a module that was built \
               for NumPy 1 needs 'numpy<2'",
    },
    Saying {
        words: &[
            &["No threading layer could be loaded"],
            &["Intel TBB is required"],
            &["TBB threading layer requires"],
        ],
        subject: Subject::NotInstalled,
        about: "libtbb.so.12",
        meaning: "numba found no library for its parallel code: libtbb.so.12 (tbb) or libgomp.so.1. pip installs tbb \
                  in the lib directory of the environment, which is not searched.",
        cure: "pip install tbb, then run tfpatch fix; or set NUMBA_THREADING_LAYER=workqueue",
    },
    Saying {
        words: &[
            &["[unixODBC]", "Can't open lib"],
            &["[unixODBC]", "Data source name not found"],
            &["[unixODBC]", "file not found"],
        ],
        subject: Subject::NotInstalled,
        about: "the ODBC driver",
        meaning: "the driver manager unixODBC found no driver with that name in odbcinst.ini, or cannot open the \
                  file that is listed there.",
        cure: "install the ODBC driver of the database (odbcinst -q -d lists the installed ones; Microsoft: apt \
               install msodbcsql18 from packages.microsoft.com; FreeTDS: apt install tdsodbc; PostgreSQL: apt \
               install odbc-postgresql; macOS: brew tap microsoft/mssql-release, then brew install msodbcsql18), and use the \
               name from odbcinst.ini",
    },
    Saying {
        words: &[&[".node: invalid ELF header"], &[".node: wrong ELF class"], &[".node' (mach-o"]],
        subject: Subject::AsTheLoaderSays,
        about: "Node.js",
        meaning: "the native addon of Node.js was built for another system or architecture: node_modules was copied \
                  from another machine, usually into a container.",
        cure: "run npm rebuild, or remove node_modules and run npm ci on the system that runs it (list node_modules \
               in .dockerignore)",
    },
    Saying {
        words: &[&["ould not load the", "sharp", "module using the"]],
        subject: Subject::NotInstalled,
        about: "Node.js",
        meaning: "the native part of sharp for this system is not installed. npm installs it as an optional package for the \
                  system on which it runs, so node_modules was copied, or optional packages were left out.",
        cure: "run npm install --include=optional sharp on the system that runs it; for another one, npm install --os=linux \
               --cpu=x64 sharp",
    },
    Saying {
        words: &[
            &["was compiled against a different Node.js version"],
            &["NODE_MODULE_VERSION"],
            &["Module did not self-register"],
        ],
        subject: Subject::Releases,
        about: "Node.js",
        meaning: "the native addon was built for a different release of Node.js than the one that runs.",
        cure: "run npm rebuild with the node that runs the program",
    },
    Saying {
        words: &[
            &["UNABLE to load uWSGI plugin", "python"],
            &["unable to load uWSGI plugin", "python"],
            &["unavailable modifier requested: 0"],
        ],
        subject: Subject::NotInstalled,
        about: "uWSGI's Python plugin",
        meaning: "the uWSGI of the Linux distribution loads Python from a plugin, which is a separate package.",
        cure: "apt install uwsgi-plugin-python3 (Debian, Ubuntu), and set plugin = python3 in the configuration; or \
               pip install uwsgi, which needs no plugin",
    },
    Saying {
        words: &[&["UNABLE to load uWSGI plugin"]],
        subject: Subject::NotInstalled,
        about: "a plugin of uWSGI",
        meaning: "uWSGI did not find the file of a plugin that its configuration names.",
        cure: "apt install uwsgi-plugins-all (Debian, Ubuntu), or remove the plugin from the configuration",
    },
    Saying {
        words: &[
            &["dynamic module does not define", "PyInit_"],
            &["oaded module does not contain symbol _init"],
            &["dynamic module does not define", "init function"],
        ],
        subject: Subject::Releases,
        about: "the module",
        meaning: "a shared library was imported as a Python module, but has no function PyInit_NAME for the imported \
                  name: it is not a Python module, was built for Python 2, or its file was renamed.",
        cure: "import it with the name that it was built with (nm -D FILE shows PyInit_NAME), or build it for the \
               Python that runs",
    },
    Saying {
        words: &[
            &["HDF5 library version mismatched error"],
            &["The HDF5 header files used to compile this application do not match"],
            &["Headers are 1.", "library is 1."],
        ],
        subject: Subject::Releases,
        about: "HDF5",
        meaning: "a module was compiled with the headers of another HDF5 than the loaded libhdf5: two packages \
                  contain different copies, or LD_LIBRARY_PATH selects another one.",
        cure: "install h5py, netCDF4 and tables from one source (all from pip, or all from one conda channel): pip \
               install -U --force-reinstall h5py netCDF4; and remove other copies of HDF5 from LD_LIBRARY_PATH",
    },
    Saying {
        words: &[&[
            "An NVIDIA GPU may be present on this machine, but a CUDA-enabled jaxlib is not installed",
        ]],
        subject: Subject::LeftOut,
        about: "jaxlib",
        meaning: "jax does not use the GPU: its CUDA plugin is not installed, or could not load its libraries.",
        cure: "pip install -U 'jax[cuda12]', and unset LD_LIBRARY_PATH, which can shadow the libraries that it \
               installs",
    },
    Saying {
        words: &[&["undefined symbol: iJIT_"]],
        subject: Subject::AsTheLoaderSays,
        about: "MKL",
        meaning: "the library was built against an older MKL than the one that is installed: MKL 2024.1 removed this symbol.",
        cure: "conda install -c conda-forge 'mkl<2024.1', or pip install 'mkl<2024.1'; or install a newer release of the \
               package that needs it",
    },
    Saying {
        words: &[&["OMP: Error #15"]],
        subject: Subject::Releases,
        about: "OpenMP",
        meaning: "the process loaded two copies of an OpenMP runtime, each from another package, and the second one ended it.",
        cure: "install builds that share one OpenMP runtime, such as all packages from conda-forge, and remove the second copy \
               (tfpatch doctor lists both); KMP_DUPLICATE_LIB_OK=TRUE disables the check, and results may then be wrong",
    },
    Saying {
        words: &[&["no version information available", "required by"]],
        subject: Subject::Harmless,
        about: "a library",
        meaning: "the library has no versions of its symbols, and the program was built with one that has. The loader \
                  continues, and nothing is wrong unless the program then reports an undefined symbol.",
        cure: "no action needed; it is not reported with the library that the program was built with (a conda environment \
               in LD_LIBRARY_PATH often has another one)",
    },
    Saying {
        words: &[&["Inconsistency detected by ld.so", "_dl_check_map_versions"]],
        subject: Subject::Releases,
        about: "the program or a library",
        meaning: "a file needs versions of symbols from a library that it does not list as needed: it was edited, such as with \
                  patchelf --remove-needed or --replace-needed, or is damaged, and the loader stops with an assertion.",
        cure: "reinstall the program or the library, without the edit (readelf -dV FILE shows both lists: each file under \
               Version needs has to be NEEDED)",
    },
    Saying {
        words: &[
            &["Inconsistency detected by ld.so", "dl-tls.c"],
            &["Inconsistency detected by ld.so", "dl_allocate_tls"],
        ],
        subject: Subject::Releases,
        about: "the GNU C library",
        meaning: "the loader failed an assertion about thread-local storage: a defect of the GNU C library up to its \
                  release 2.33, which occurs if threads start while libraries are loaded.",
        cure: "use a system or an image with glibc 2.34 or later (Debian 12, Ubuntu 22.04); until then, import the libraries \
               before the program starts threads",
    },
    Saying {
        words: &[&["Inconsistency detected by ld.so"]],
        subject: Subject::Releases,
        about: "the GNU C library",
        meaning: "the loader failed an assertion of its own: a file is damaged or was edited, or libraries of two releases \
                  of the GNU C library are mixed.",
        cure: "unset LD_LIBRARY_PATH and LD_PRELOAD, and reinstall the program; if it happens only at the exit of the \
               program, its work is done",
    },
    Saying {
        words: &[&["UnsatisfiedLinkError: no ", "in java.library.path"]],
        subject: Subject::NotInstalled,
        about: "a library of Java code",
        meaning: "Java found no library of that name in java.library.path, and the jars contain none that it could unpack: \
                  the jar for this system is missing, or an earlier exception shows why the library failed to load.",
        cure: "add the jars for this system (JavaCPP: the artifact whose name ends in -platform), or start java with \
               -Djava.library.path=DIR, where DIR has libNAME.so; see the first UnsatisfiedLinkError of the log",
    },
    Saying {
        words: &[&["(Possible cause: can't load", "platform)"]],
        subject: Subject::Releases,
        about: "a library of Java code",
        meaning: "Java could not load a library from a jar, and assumes that it is for another processor. On Alpine, it \
                  reports the same for a library that needs the GNU C library.",
        cure: "use a newer release of the jar, which has a library for this processor, or a java for the processor of the \
               library; instead of Alpine, use an image with glibc",
    },
    Saying {
        words: &[&["conda entry point: conda-libmamba-solver", "libarchive.so"]],
        subject: Subject::AsTheLoaderSays,
        about: "conda-libmamba-solver",
        meaning: "the solver of conda was built for another libarchive than the one in conda's base environment, which has \
                  packages from two channels.",
        cure: "conda install -n base --solver=classic conda-forge::conda-libmamba-solver conda-forge::libmamba \
               conda-forge::libmambapy conda-forge::libarchive",
    },
    Saying {
        words: &[
            &["NixOS cannot run dynamically linked executables"],
            &["Could not start dynamically linked executable"],
            &["nix.dev/permalink/stub-ld"],
        ],
        subject: Subject::NotInstalled,
        about: "a dynamic loader",
        meaning: "the program was built for other Linux systems, and NixOS does not have their dynamic loader at its usual path.",
        cure: "install the program from nixpkgs; or set programs.nix-ld.enable = true, with the libraries that it needs in \
               programs.nix-ld.libraries; or run it with steam-run",
    },
    Saying {
        words: &[
            &["CANNOT LINK EXECUTABLE"],
            &["dlopen failed: library \""],
            &["dlopen failed: cannot locate symbol \""],
        ],
        subject: Subject::NotInstalled,
        about: "a library on Android",
        meaning: "the loader of Android did not find a library or a symbol. Android has other libraries than Linux systems, \
                  and tfpatch does not know them.",
        cure: "in Termux, unset LD_LIBRARY_PATH and LD_PRELOAD, and run pkg upgrade; programs for other Linux systems \
               need a separate system, such as proot-distro installs",
    },
    Saying {
        words: &[
            &["runtime_loader: ", "annot open file"],
            &["runtime_loader: ", "ot found"],
            &["runtime_loader: ", "ould not resolve symbol"],
        ],
        subject: Subject::NotInstalled,
        about: "a library on Haiku",
        meaning: "the loader of Haiku did not find a library, a version or a symbol. tfpatch does not know the files of Haiku.",
        cure: "pkgman full-sync, and restart (Haiku); if a library is missing, pkgman search --provides lib:NAME finds its \
               package",
    },
    Saying {
        words: &[&["from LD_PRELOAD cannot be preloaded"]],
        subject: Subject::LeftOut,
        about: "a library that LD_PRELOAD names",
        meaning: "LD_PRELOAD names a library that the loader could not load. The program continues without it.",
        cure: "unset LD_PRELOAD, or set it to the absolute path of the library",
    },
];

/// All rows.
fn rows() -> impl Iterator<Item = &'static Saying> {
    sayings_of_mixtures::SAYINGS.iter().chain(SAYINGS)
}

/// The saying that a line contains, if any.
#[must_use]
pub fn find(line: &[u8]) -> Option<&'static Saying> {
    rows().find(|saying| is_in(saying, line))
}

/// The saying of which a line contains a part, if it contains nothing else that is known.
#[must_use]
pub fn fragment(line: &[u8]) -> Option<&'static Saying> {
    sayings_of_fragments::SAYINGS.iter().find(|saying| is_in(saying, line))
}

fn is_in(saying: &Saying, line: &[u8]) -> bool {
    let has = |word: &&str| memchr::memmem::find(line, word.as_bytes()).is_some();
    saying.words.iter().any(|words| words.iter().all(has))
}

/// The first text of each alternative, one of which is in any matching line.
pub fn beginnings() -> impl Iterator<Item = &'static str> {
    let all = rows().chain(sayings_of_fragments::SAYINGS);
    all.flat_map(|saying| saying.words).filter_map(|words| words.first().copied())
}
