//! Rows for parts of messages, as people write them from memory. They count where nothing else in the line does.

use super::saying::{Saying, Subject};

/// The rows.
pub(super) const SAYINGS: &[Saying] = &[
    Saying {
        words: &[&["GLIBCXX_", "not found"], &["CXXABI_", "not found"]],
        subject: Subject::Releases,
        about: "libstdc++.so.6",
        meaning: "a library was built with a newer C++ compiler than the libstdc++.so.6 that was loaded for it. Often an older \
                  copy comes first: that of the system, of conda, or of a directory in LD_LIBRARY_PATH.",
        cure: "unset LD_LIBRARY_PATH if it leads to another copy; in conda: conda install -c conda-forge libstdcxx-ng; on \
               Debian and Ubuntu, libstdc++6 of a newer release; the whole message names the file that was loaded",
    },
    Saying {
        words: &[&["GLIBC_", "not found"]],
        subject: Subject::Releases,
        about: "libc.so.6",
        meaning: "a program or a library was built for a newer Linux: it needs functions that the glibc of this system \
                  does not have.",
        cure: "run it on a system with that glibc or a newer one (ldd --version shows yours), such as a newer container \
               image, or install a build for older systems; glibc itself cannot be replaced in a running system",
    },
    Saying {
        words: &[
            &["cannot allocate memory in static TLS block"],
            &["cannot load any more object with static TLS"],
        ],
        subject: Subject::Releases,
        about: "static thread-local storage",
        meaning: "a library needs memory of each thread that can only be given when the program starts, and the reserve for \
                  libraries that are opened later is used up.",
        cure: "import the package that needs it first; or set GLIBC_TUNABLES=glibc.rtld.optional_static_tls=4096 for the program; \
               the whole message names the library, and LD_PRELOAD=LIBRARY loads it at the start",
    },
    Saying {
        words: &[&["wrong ELF class"]],
        subject: Subject::Processor,
        about: "a library",
        meaning: "a library for 32 bits was found for a program of 64 bits, or the other way round.",
        cure: "install the library for the architecture of the program (file FILE shows that of each); remove directories of the \
               other one from LD_LIBRARY_PATH",
    },
    Saying {
        words: &[&["mach-o file, but is an incompatible architecture"]],
        subject: Subject::Processor,
        about: "a library",
        meaning: "a library for another processor was found: on Macs with Apple silicon, Python runs either as arm64 or, \
                  under Rosetta, as x86_64, and its packages must be of the same kind.",
        cure: "reinstall the package with the Python that runs it (python -c 'import platform; print(platform.machine())' shows \
               its processor)",
    },
    Saying {
        words: &[
            &["CUDA runtime library not found"],
            &["CUDA libraries not found"],
            &["CUDA library not found"],
        ],
        subject: Subject::NotInstalled,
        about: "libcudart.so",
        meaning: "a program did not find the libraries of CUDA. They are not installed, or they are in a directory that the \
                  program does not search.",
        cure: "install the CUDA that the program was built for, with its own extra if it has one (such as [cuda]); if it is \
               installed, run the program with tfpatch trace to see where it searches",
    },
];
