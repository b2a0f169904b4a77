//! Further rows of the table of sayings, which come before the others: copies of two releases of a library in
//! one process, builds for another Python or another processor, and bundles that are incompatible with the
//! system.

use super::saying::{Saying, Subject};

const MKL_IS: &str = "MKL opens a part of itself at run time, and that part did not fit or did not find the rest: libraries of \
                      two releases of MKL are mixed, or libmkl_core was not loaded for all to see.";
const MKL_CURE: &str = "install mkl, numpy and what uses MKL from one channel, in one step: conda install -c conda-forge mkl numpy \
                        PACKAGE, or all of them from pip in a new environment; until then, LD_PRELOAD=DIR/libmkl_core.so:DIR/libmkl_sequential.so, \
                        with the directory of MKL, lets its parts find each other";

/// The rows.
pub(super) const SAYINGS: &[Saying] = &[
    Saying {
        words: &[&["MKL ERROR: ", "undefined symbol: mkl_"], &["undefined symbol: mkl_"]],
        subject: Subject::AsTheLoaderSays,
        about: "MKL",
        meaning: MKL_IS,
        cure: MKL_CURE,
    },
    Saying {
        words: &[
            &["MKL FATAL ERROR: Cannot load "],
            &["MKL FATAL ERROR: Error on loading function "],
        ],
        subject: Subject::Releases,
        about: "MKL",
        meaning: MKL_IS,
        cure: MKL_CURE,
    },
    Saying {
        words: &[&["Loaded runtime CuDNN library: ", "but source was compiled with: "]],
        subject: Subject::Releases,
        about: "cuDNN",
        meaning: "the program was compiled with a newer cuDNN than the one that was loaded: LD_LIBRARY_PATH selects the copy of \
                  the system, or the installed nvidia-cudnn wheel is of another release.",
        cure: "unset LD_LIBRARY_PATH, which can select an older cuDNN; otherwise pip install -U nvidia-cudnn-cu12 (or the same for \
               another CUDA), at least of the release that the source was compiled with, and of the same major version",
    },
    Saying {
        words: &[
            &["before creating cudnn handle", "symbol not found"],
            &["before creating cudnn handle (302)"],
        ],
        subject: Subject::Releases,
        about: "CUDA",
        meaning: "CUDA's runtime had failed before cuDNN was used: it lacks a symbol that the program needs. The NVIDIA driver is older \
                  than the CUDA that the program was built with, or LD_LIBRARY_PATH selects the libraries of another CUDA.",
        cure: "update the NVIDIA driver, or install a build for the CUDA version that nvidia-smi shows; unset LD_LIBRARY_PATH first, \
               which can select another libcudart",
    },
    Saying {
        words: &[&["DNN library is not found"], &["DNN library initialization failed"]],
        subject: Subject::Releases,
        about: "cuDNN",
        meaning: "the program uses the GPU, and has no cuDNN to work with: libcudnn was not found or not loaded, is older than the one that \
                  the program was built with, or found no free GPU memory. The line before this one has the reason.",
        cure: "tfpatch doctor shows whether cuDNN is found; tensorflow[and-cuda] and jax[cuda12] install the release that fits \
               (pip install -U 'tensorflow[and-cuda]'); unset LD_LIBRARY_PATH, which can select an older cuDNN",
    },
    Saying {
        words: &[
            &["mca: base: component_find: unable to open "],
            &["mca_base_component_repository_open: unable to open "],
        ],
        subject: Subject::LeftOut,
        about: "Open MPI",
        meaning: "Open MPI could not load one of its plugins, and continues without it: the plugin is for another release of Open MPI, or \
                  its library was opened without RTLD_GLOBAL, as Python opens modules, so that the plugin does not find its symbols.",
        cure: "install one release of Open MPI, and build mpi4py with it (pip install --force-reinstall --no-binary mpi4py mpi4py); until \
               then, LD_PRELOAD=libmpi.so makes its symbols visible",
    },
    Saying {
        words: &[&["Mismatched PJRT plugin PJRT API version"]],
        subject: Subject::Releases,
        about: "JAX",
        meaning: "jaxlib and the plugin of JAX for the GPU are of different releases, and do not work with each other.",
        cure: "install them in one step, so that they are of one release: pip install -U 'jax[cuda12]' (or the extra for \
               another CUDA); remove a jaxlib that was installed separately",
    },
    Saying {
        words: &[&[" (deleted): cannot open shared object file"]],
        subject: Subject::AsTheLoaderSays,
        about: "a deleted file",
        meaning: "the file was removed or replaced while the program was running, as an installation does it: the kernel \
                  reports such a file as deleted.",
        cure: "restart the program, and do not install or remove packages while it runs; if it still fails, reinstall the \
               package that contains the file",
    },
    Saying {
        words: &[
            &["could not load library \"", "/postgresql/", "undefined symbol: "],
            &["could not load library \"", "/pgsql", "undefined symbol: "],
        ],
        subject: Subject::AsTheLoaderSays,
        about: "PostgreSQL",
        meaning: "the extension was built for another release of PostgreSQL than the server that runs: the server has no symbol of \
                  that name.",
        cure: "restart the server if PostgreSQL was upgraded; otherwise install the extension for the release that SELECT version() \
               shows (Debian, Ubuntu: apt install postgresql-VERSION-NAME), or compile it with the pg_config of that release, and drop it \
               from shared_preload_libraries until then",
    },
    Saying {
        words: &[&["rosetta error: failed to open elf at "]],
        subject: Subject::Processor,
        about: "a program for another processor",
        meaning: "the program is for x86-64, and the container or the virtual machine is for arm64: Rosetta runs it, but the \
                  dynamic loader and the libraries for x86-64 are not there.",
        cure: "run the image for x86-64, docker run --platform linux/amd64 (FROM --platform=linux/amd64 in a Dockerfile); or \
               install the build of the program for arm64 (aarch64)",
    },
    Saying {
        words: &[
            &["cannot execute binary file: Exec format error"],
            &["exec format error"],
            &["Exec format error"],
        ],
        subject: Subject::Processor,
        about: "a program for another processor",
        meaning: "the kernel cannot run the program: it is built for another processor, such as an image for arm64 on x86-64, or \
                  it is a script without a first line that begins with #!.",
        cure: "install the build for this processor (uname -m shows the processor, file FILE the one that the program is built \
               for); in a container, use an image with --platform linux/amd64 or linux/arm64; begin a script with #!/bin/sh",
    },
    Saying {
        words: &[
            &["No JVM shared library file (libjvm.so) found"],
            &["No JVM shared library file (libjvm.dylib) found"],
        ],
        subject: Subject::NotInstalled,
        about: "Java",
        meaning: "the Java virtual machine was not found: no Java is installed, or JAVA_HOME does not name its directory.",
        cure: "apt install default-jdk-headless (Debian, Ubuntu), dnf install java-latest-openjdk-headless (Fedora), or conda \
               install -c conda-forge openjdk; then set JAVA_HOME to its directory, which has lib/server/libjvm.so",
    },
    Saying {
        words: &[
            &["error loading libfuse.so.2"],
            &["AppImages require FUSE to run"],
            &["AppImage", "libfuse.so.2"],
        ],
        subject: Subject::NotInstalled,
        about: "an AppImage",
        meaning: "an AppImage mounts itself with FUSE 2, whose library libfuse.so.2 is not installed. FUSE 3 does not replace it.",
        cure: "apt install libfuse2 (Debian, Ubuntu up to 23.10) or libfuse2t64 (Debian 13, Ubuntu 24.04), dnf install fuse-libs (Fedora); or \
               run the AppImage with --appimage-extract-and-run, which needs no FUSE",
    },
    Saying {
        words: &[&["from LD_PRELOAD cannot be preloaded", "wrong ELF class"]],
        subject: Subject::Harmless,
        about: "a library that LD_PRELOAD names",
        meaning: "LD_PRELOAD names a library of 64 bits and the program has 32 bits, or the reverse: the loader ignores the library \
                  for this program. Nothing is wrong.",
        cure: "no action needed; programs of 32 bits, such as Steam's, report it when LD_PRELOAD names a library for 64 bits only",
    },
    Saying {
        words: &[&["undefined symbol: ffi_type_"], &["LIBFFI_BASE_"], &["LIBFFI_CLOSURE_"]],
        subject: Subject::AsTheLoaderSays,
        about: "libffi",
        meaning: "the libffi that was loaded is of another release than its name says: some conda environments have a link \
                  libffi.so.7 that leads to libffi.so.8, and libraries of the system then load it.",
        cure: "unset LD_LIBRARY_PATH and LD_PRELOAD; in the conda environment, conda install -c conda-forge libffi=3.3 (it has the \
               real libffi.so.7), or remove the link libffi.so.7 from its lib directory, so that the copy of the system is found",
    },
    Saying {
        words: &[&["undefined symbol: PyUnicodeUCS"], &["undefined symbol: PyFPE_jbuf"]],
        subject: Subject::AsTheLoaderSays,
        about: "a module for another Python",
        meaning: "the module was built for another Python than the one that runs: another version, or Python 2 with characters \
                  of another width.",
        cure: "install it with the python that runs: python -m pip install --force-reinstall --no-cache-dir NAME; if it is \
               compiled here, remove its build directory first",
    },
    Saying {
        words: &[&["version `NCURSES6_TINFO"], &["undefined symbol: _nc_"]],
        subject: Subject::AsTheLoaderSays,
        about: "ncurses",
        meaning: "libncursesw and libtinfo are of two builds: one of conda and one of the system are mixed.",
        cure: "unset LD_LIBRARY_PATH, so that programs of the system use the system's libtinfo; in the conda environment, conda \
               install -c conda-forge --force-reinstall ncurses",
    },
    Saying {
        words: &[&["could not connect to display"], &["ould not connect to any X display"]],
        subject: Subject::NotInstalled,
        about: "a display",
        meaning: "the program found no display: no X server runs where DISPLAY leads, as in a container or over SSH. No library \
                  is missing.",
        cure: "for Qt without a window, set QT_QPA_PLATFORM=offscreen; otherwise run it under xvfb-run, or with ssh -X",
    },
];
