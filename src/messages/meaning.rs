//! What the words of a message mean, whatever the machine: in plain language, the causes that they
//! allow.

use super::scanner::{is_object, leaf};
use super::{Kind, Message, Speaker, Weight};
use crate::bytes::printable;
use crate::findings::finding::Cause;
use crate::knowledge::sayings::Subject;
use crate::knowledge::standard_modules;
use crate::knowledge::tensorflow::is_driver_library;

/// Libraries that the GNU C library brings and musl has no file for (glibc's `shlib-versions`).
const GLIBC_LIBRARIES: &[&[u8]] = &[
    b"libm.so.6",
    b"libc.so.6",
    b"libdl.so.2",
    b"librt.so.1",
    b"libpthread.so.0",
    b"libresolv.so.2",
    b"libutil.so.1",
    b"libanl.so.1",
    b"libnsl.so.1",
    b"libcrypt.so.1",
    b"libmvec.so.1",
];

/// Symbols of the GNU C library that musl does not have, beside those that end in `_chk`.
const GLIBC_SYMBOLS: &[&[u8]] = &[
    b"__register_atfork",
    b"__strtod_internal",
    b"__cxa_thread_atexit_impl",
    b"backtrace",
    b"backtrace_symbols",
    b"gnu_get_libc_version",
    b"__libc_malloc",
    b"secure_getenv",
    b"__rawmemchr",
    b"__isnan",
    b"__finite",
];

impl Message {
    /// The causes that the words allow, the likeliest first; none where nothing is wrong.
    #[must_use]
    pub fn causes(&self) -> &'static [Cause] {
        let library = self.library.as_deref().unwrap_or_default();
        match self.kind {
            Kind::TensorRtNotFound | Kind::Harmless => &[],
            Kind::RpathIgnored => &[Cause::PathMissing],
            Kind::DriverNotFound => &[Cause::DriverMissing],
            Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded if is_driver_library(library) => {
                &[Cause::DriverMissing]
            }
            Kind::LibraryNotFound if self.speaker == Speaker::Musl && is_of_glibc(library) => {
                &[Cause::WrongPlatform]
            }
            Kind::LibraryNotFound if self.speaker == Speaker::Dyld => {
                if library.starts_with(b"@rpath/") {
                    &[Cause::PathMissing, Cause::NotInstalled, Cause::VersionMismatch]
                } else if library.starts_with(b"@") {
                    &[Cause::PartialInstall, Cause::NotInstalled]
                } else {
                    &[Cause::NotInstalled]
                }
            }
            Kind::GpuLibraryNotLoaded if self.object.is_none() => GPU,
            Kind::GpuLibrariesNotLoaded => GPU,
            Kind::LibraryNotFound if self.speaker == Speaker::Musl => NOT_FOUND_BY_MUSL,
            Kind::LibraryNotFound | Kind::GpuLibraryNotLoaded => NOT_FOUND,
            Kind::ObjectNotFound if self.is_not_a_directory() => &[Cause::PathMissing],
            Kind::ObjectNotFound => &[Cause::PartialInstall, Cause::PathMissing],
            Kind::VersionNotFound | Kind::SymbolNotFound if self.is_of_two_libcs() => {
                &[Cause::EnvOverride, Cause::SymbolVersion]
            }
            Kind::ObjectUnreadable => self.unreadable(),
            Kind::WrongArchitecture => &[Cause::WrongArch],
            Kind::VersionNotFound => &[Cause::SymbolVersion],
            Kind::SymbolNotFound => self.missing_symbol(),
            Kind::StaticTls => &[Cause::StaticTls],
            Kind::ExecStack => &[Cause::ExecStack],
            Kind::BadSignature => &[Cause::BadSignature],
            Kind::DuplicateRpath => &[Cause::DuplicateRpath],
            Kind::DataNotFound => &[Cause::DataMissing],
            Kind::ModuleNotFound => match self.module.as_deref() {
                Some(module) if module.contains(&b'.') => {
                    &[Cause::PartialInstall, Cause::WrongInterpreter, Cause::NotInstalled]
                }
                _ => &[Cause::NotInstalled, Cause::WrongInterpreter, Cause::PartialInstall],
            },
            Kind::NameNotFound => &[Cause::VersionMismatch, Cause::PartialInstall],
            Kind::DistributionsDoNotFit => &[Cause::VersionMismatch],
            Kind::InterpreterNotFound => &[Cause::WrongInterpreter],
        }
    }

    fn unreadable(&self) -> &'static [Cause] {
        let says = |words: &[u8]| memchr::memmem::find(&self.words, words).is_some();
        if says(b"invalid ELF header") || says(b"Exec format error") {
            &[Cause::Unreadable, Cause::WrongPlatform, Cause::PartialInstall]
        } else if says(b"not a mach-o file") || says(b"not valid mach-o") {
            &[Cause::WrongPlatform, Cause::Unreadable, Cause::PartialInstall]
        } else if says(b"file too short") || says(b"ELF load command") || says(b"truncated") {
            &[Cause::Unreadable, Cause::PartialInstall]
        } else {
            &[Cause::Unreadable]
        }
    }

    fn missing_symbol(&self) -> &'static [Cause] {
        let symbol = self.symbol.as_deref().unwrap_or_default();
        match (self.speaker, self.library.as_deref()) {
            (Speaker::Musl, _) if symbol.ends_with(b"_chk") || GLIBC_SYMBOLS.contains(&symbol) => {
                &[Cause::WrongPlatform, Cause::VersionMismatch, Cause::MissingSymbol]
            }
            (Speaker::Dyld, Some(library)) if is_of_macos(library) => &[Cause::MissingSymbol],
            (Speaker::Dyld, Some(_)) => &[Cause::VersionMismatch, Cause::MissingSymbol],
            (Speaker::Dyld, None) => &[Cause::MissingSymbol, Cause::VersionMismatch],
            _ => &[Cause::VersionMismatch, Cause::MissingSymbol, Cause::EnvOverride],
        }
    }

    /// How much it matters, by the words alone.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self.kind {
            Kind::TensorRtNotFound | Kind::Harmless => Weight::Harmless,
            _ if self.saying.is_some_and(|saying| saying.subject == Subject::LeftOut) => {
                Weight::GoesOn
            }
            // What is not TensorFlow does not go on without it, or does not say so.
            Kind::DriverNotFound if self.saying.is_some() => Weight::Fails,
            Kind::GpuLibraryNotLoaded if self.speaker != Speaker::Tensorflow => Weight::Fails,
            Kind::GpuLibraryNotLoaded
            | Kind::RpathIgnored
            | Kind::GpuLibrariesNotLoaded
            | Kind::DriverNotFound
            | Kind::DataNotFound => Weight::GoesOn,
            _ => Weight::Fails,
        }
    }

    /// What the words mean: one or two sentences.
    #[must_use]
    pub fn meaning(&self) -> String {
        if let Some(saying) = self.saying {
            return saying.meaning.to_owned();
        }
        let (name, library) = (self.name(), self.library_shown());
        match self.kind {
            Kind::LibraryNotFound => self.library_not_found(&name, &library),
            Kind::GpuLibraryNotLoaded => self.gpu_library_not_loaded(&name, &library),
            Kind::GpuLibrariesNotLoaded => GPU_LIBRARIES.to_owned(),
            Kind::DriverNotFound => DRIVER.to_owned(),
            Kind::TensorRtNotFound => TENSORRT.to_owned(),
            Kind::Harmless => "nothing is wrong.".to_owned(),
            Kind::RpathIgnored => format!(
                "dyld passes over the search path entry {} of {name}: it is a relative path, and the program is \
                 restricted (signed with the hardened runtime, or run with other rights).",
                named(&self.entry, "that it names")
            ),
            Kind::ObjectNotFound => self.no_object(),
            Kind::ObjectUnreadable => self.why_unreadable(&self.object_shown()),
            Kind::WrongArchitecture => {
                format!("{name} is for another processor{}.", self.have_need())
            }
            Kind::VersionNotFound | Kind::SymbolNotFound if self.is_of_two_libcs() => format!(
                "{name} is of one release of the GNU C library and {} of another: the parts of it in a process have to be of one \
                 release. Usually a libc.so.6 in LD_LIBRARY_PATH, or of a snap or a bundle, comes before that of the \
                 system.",
                self.library.as_ref().map_or("what was loaded before", |_| library.as_str())
            ),
            Kind::VersionNotFound => {
                let version = named(&self.version, "a version");
                let asker = self.object.as_ref().map_or("the object", |_| name.as_str());
                format!(
                    "{library} was found, and it is older than {asker} was built for: it has no {version}."
                )
            }
            Kind::SymbolNotFound => self.no_symbol(&name, &self.symbol_shown(), &library),
            Kind::StaticTls => format!(
                "{name} has thread-local variables at a fixed place, room for which is laid out when a program \
                 starts. Opened later, it found none left."
            ),
            Kind::ExecStack => format!(
                "{name} says that it needs a stack on which code can run, mostly by mistake, and the system \
                 does not grant one to a program that has started without."
            ),
            Kind::BadSignature => self.no_signature_that_holds(&name),
            Kind::DuplicateRpath => format!(
                "{name} has the search path entry {} twice. macOS 15.4 and later refuse such a file where it \
                 was built with a recent SDK.",
                named(&self.entry, "an entry")
            ),
            Kind::DataNotFound => format!(
                "XLA needs {library} to compile for the GPU, and it is not where XLA looks. It is no library, and \
                 no search path leads to it."
            ),
            Kind::ModuleNotFound
            | Kind::NameNotFound
            | Kind::DistributionsDoNotFit
            | Kind::InterpreterNotFound => self.said_by_python(&name),
        }
    }

    /// The object as it stands in the message.
    fn object_shown(&self) -> String {
        named(&self.object, "the object")
    }

    /// The object's name, without its directory.
    fn name(&self) -> String {
        self.object.as_deref().map_or_else(|| self.object_shown(), |path| printable(leaf(path)))
    }

    fn library_shown(&self) -> String {
        named(&self.library, "a library")
    }

    fn symbol_shown(&self) -> String {
        named(&self.symbol, "a symbol")
    }

    /// Is a part of the path a file, where a directory has to be?
    pub(super) fn is_not_a_directory(&self) -> bool {
        memchr::memmem::find(&self.words, b"Not a directory").is_some()
    }

    fn no_object(&self) -> String {
        let object = self.object_shown();
        if self.is_not_a_directory() {
            return format!(
                "a part of the path {object} is a file, where a directory has to be (Not a directory): the path was \
                 put together from a variable that names a program instead of its home, such as JAVA_HOME."
            );
        }
        format!(
            "{object} was to be opened by its path, and no file is there: it was never installed, was removed, or \
             the path is another machine's."
        )
    }

    /// Is it about what the parts of one GNU C library have for each other alone?
    fn is_of_two_libcs(&self) -> bool {
        self.version.as_deref() == Some(b"GLIBC_PRIVATE")
    }

    fn library_not_found(&self, name: &str, library: &str) -> String {
        let causes = self.causes();
        if causes.contains(&Cause::DriverMissing) {
            return comes_with_the_driver(library);
        }
        if causes == [Cause::WrongPlatform] {
            return format!(
                "{library} belongs to the GNU C library, and this system has musl: {name} was built for \
                 another kind of Linux."
            );
        }
        if self.speaker == Speaker::Dyld {
            return self.not_loaded_by_dyld(library, name);
        }
        if self.speaker == Speaker::Program {
            return format!(
                "a program could not find or load {library}. Its words do not say whether the library is not \
                 installed, is in a directory that is not searched, or lacks a library itself."
            );
        }
        let whose =
            self.object.as_ref().map_or_else(String::new, |_| format!(", which {name} needs"));
        format!(
            "the loader found no file of the name {library}{whose}, in any directory that it looks into. It \
             says the same whether the library is absent or merely out of reach."
        )
    }

    fn gpu_library_not_loaded(&self, name: &str, library: &str) -> String {
        if self.causes().contains(&Cause::DriverMissing) {
            return comes_with_the_driver(library);
        }
        if self.speaker != Speaker::Tensorflow {
            let opened = self.object.as_ref().map_or_else(
                || format!("the program opens {library} at run time"),
                |_| format!("the program opens {name} at run time, which needs {library}"),
            );
            return format!(
                "{opened}, and the loader found no file of that name. Its words are the same whether the library is \
                 not installed or is in a directory that is not searched."
            );
        }
        if self.object.is_some() {
            return format!(
                "{name} was found, and needs {library}, for which the loader found no file. The program goes on \
                 without {name}."
            );
        }
        format!(
            "the program opens {library} at run time, and the loader found no file of that name. It goes on \
             without it, and so without a GPU."
        )
    }

    fn no_signature_that_holds(&self, name: &str) -> String {
        if self.is_about_a_team() {
            return format!(
                "{name} is not signed by the team that signed the program, and the program has library validation: \
                 it accepts only libraries with its own Team ID, and those of macOS."
            );
        }
        format!(
            "macOS found no code signature of {name} that holds, and maps no code without one: the file was \
             never signed, or its bytes were changed since."
        )
    }

    /// What Python's own words mean, and those of the shell that was to start it.
    fn said_by_python(&self, name: &str) -> String {
        match self.kind {
            Kind::NameNotFound if self.asks_for_a_compiled_module() => format!(
                "the package {} is there, and has no module {} that the Python which runs could import: mostly \
                 that is a compiled module, and it was installed for another version of Python.",
                named(&self.module, "that is named"),
                self.symbol_shown()
            ),
            Kind::NameNotFound => format!(
                "the module {} is there, and has no {}: it is of another release than the code that imports \
                 from it was written for.",
                named(&self.module, "the module"),
                self.symbol_shown()
            ),
            Kind::DistributionsDoNotFit if self.is_for_a_newer_numpy() => format!(
                "a module was built with a newer {} than the one that is installed.",
                named(&self.module, "distribution")
            ),
            Kind::DistributionsDoNotFit => format!(
                "a module was built for another release of {} than the one that is installed.",
                named(&self.module, "a distribution")
            ),
            Kind::InterpreterNotFound => format!(
                "{name} begins with the path of its interpreter, {}, and no file is there: the environment was \
                 moved, copied from another machine, or its path has a blank.",
                named(&self.entry, "a program")
            ),
            _ if self.headers().is_some() => format!(
                "{} is a part of Python's standard library, and the Python that runs was built without it: the \
                 headers of a library were missing when it was compiled, or the distribution has it in another \
                 package.",
                named(&self.module, "the module")
            ),
            _ => format!(
                "no directory on sys.path of the interpreter that ran has a module {} that it could import. An \
                 extension module for another Python or another system does not count.",
                named(&self.module, "that name")
            ),
        }
    }

    /// The package of headers that a part of the standard library is compiled with.
    pub(super) fn headers(&self) -> Option<&'static str> {
        standard_modules::headers_of(std::str::from_utf8(self.module.as_deref()?).ok()?)
    }

    fn not_loaded_by_dyld(&self, library: &str, asker: &str) -> String {
        let places = match self.tried.len() {
            0 => String::new(),
            1 => ", in the one place where it looked".to_owned(),
            places => format!(", in any of {places} places"),
        };
        let name = self.library.as_deref().unwrap_or_default();
        let why = if name.starts_with(b"@rpath/") {
            "The name begins with @rpath: it is looked for in the entries of LC_RPATH of those that ask."
        } else if name.starts_with(b"@") {
            "The name says where the file has to lie, beside the one that asks."
        } else if name.starts_with(b"/") {
            "The name is a whole path, which search paths do not change."
        } else {
            "The name is no path, and search paths do not change where it is looked for."
        };
        let asker =
            self.object.as_ref().map_or_else(String::new, |_| format!(", which {asker} needs"));
        format!("dyld found no file for {library}{asker}{places}. {why}")
    }

    fn why_unreadable(&self, object: &str) -> String {
        let says = |words: &[u8]| memchr::memmem::find(&self.words, words).is_some();
        let why = if says(b"file too short") {
            "is cut off: it is shorter than the header of a library"
        } else if says(b"invalid ELF header") {
            "is no ELF file: a file of another system, a text (a linker script, a Git LFS pointer), or cut off"
        } else if says(b"Permission denied") {
            "may not be read by the user who ran the program"
        } else if says(b"failed to map segment") {
            "could not be mapped: its file system is mounted noexec, memory is limited, or the file is cut off"
        } else if says(b"ELF load command") {
            "is laid out in a way that this loader does not take: it was cut off, or edited by a tool that broke it"
        } else if says(b"not a mach-o file") || says(b"not valid mach-o") {
            "is no Mach-O file: a file of another system, or cut off"
        } else if says(b"Exec format error") {
            "is no library for this machine, or cut off"
        } else {
            "is there, and the loader could not take it"
        };
        format!("{object} {why}.")
    }

    /// What dyld has and needs, where it says so.
    fn have_need(&self) -> String {
        let have = self.tried.iter().find_map(|tried| {
            let (_, rest) = super::scanner::around(&tried.note, b"(have ")?;
            let (have, need) = super::scanner::around(rest, b", need ")?;
            let need = need.split(|&byte| byte == b')').next()?;
            let bare = |text: &[u8]| printable(text).replace(['\'', '(', ')'], "");
            Some(format!(": it has code for {}, and {} is needed", bare(have), bare(need)))
        });
        have.unwrap_or_else(|| match memchr::memmem::find(&self.words, b"ELFCLASS32") {
            Some(_) => ": it has 32 bits, and the program has 64".to_owned(),
            None if memchr::memmem::find(&self.words, b"ELFCLASS64").is_some() => {
                ": it has 64 bits, and the program has 32".to_owned()
            }
            None if self.speaker == Speaker::Dyld => {
                " than the program that opens it: one is for arm64, the other for x86_64".to_owned()
            }
            None => String::new(),
        })
    }

    fn no_symbol(&self, name: &str, symbol: &str, library: &str) -> String {
        if self.causes().first() == Some(&Cause::WrongPlatform) {
            return format!(
                "{symbol} is a function of the GNU C library, and this system has musl: {name} was built for \
                 another kind of Linux."
            );
        }
        if self.library.as_deref().is_some_and(is_of_macos) && self.speaker == Speaker::Dyld {
            return format!(
                "{name} needs {symbol} of {library}, which is a part of macOS: this macOS is older than {name} \
                 was built for."
            );
        }
        let whose = match (&self.library, &self.version) {
            (Some(library), _) if is_object(library) => format!(" of {}", printable(leaf(library))),
            (_, Some(version)) => format!(" of the version {}", printable(version)),
            _ => String::new(),
        };
        let owner = self
            .owner()
            .map_or_else(String::new, |owner| format!(" {symbol} is a symbol of {}.", owner.name));
        format!(
            "{name} was built against a library that has {symbol}{whose}; the one that was loaded does not have \
             it. The two are of releases that do not fit, or another copy was loaded first.{owner}"
        )
    }
}

/// A name of a message as it is shown, or the words that stand for one that it does not tell.
fn named(name: &Option<Vec<u8>>, otherwise: &str) -> String {
    name.as_deref().map_or_else(|| otherwise.to_owned(), printable)
}

fn comes_with_the_driver(library: &str) -> String {
    format!(
        "{library} is NVIDIA's driver: it comes with the machine, and never with a wheel. Without it a program \
         runs on the CPU."
    )
}

/// What [`Kind::GpuLibrariesNotLoaded`] means.
const GPU_LIBRARIES: &str = "TensorFlow opens NVIDIA's libraries at run time, could not load one of them, and goes \
                             on without a GPU. These words do not say which one; TF_CPP_MAX_VLOG_LEVEL=3 makes it \
                             say so.";
/// What [`Kind::DriverNotFound`] means.
const DRIVER: &str = "TensorFlow found no NVIDIA driver that answers (libcuda.so.1), and runs on the CPU. In a build \
                      for CUDA it says so on every machine without one.";
/// What [`Kind::TensorRtNotFound`] means.
const TENSORRT: &str = "TensorFlow looks for TensorRT whenever it is imported, and it is not installed. Nothing is \
                        wrong: only models that are converted with TF-TRT need it. The GPU does not.";

/// Why a library is not found.
const NOT_FOUND: &[Cause] = &[
    Cause::NotInstalled,
    Cause::PathMissing,
    Cause::SonameMismatch,
    Cause::DroppedLink,
    Cause::StaleCache,
];

/// The same of musl, which has no cache that could be older.
const NOT_FOUND_BY_MUSL: &[Cause] =
    &[Cause::NotInstalled, Cause::PathMissing, Cause::SonameMismatch, Cause::DroppedLink];

const GPU: &[Cause] = &[Cause::DlopenPathMissing, Cause::NotInstalled, Cause::SonameMismatch];

fn is_of_glibc(library: &[u8]) -> bool {
    library.starts_with(b"ld-linux") || GLIBC_LIBRARIES.contains(&library)
}

/// Does a library come with macOS?
pub(super) fn is_of_macos(library: &[u8]) -> bool {
    library.starts_with(b"/usr/lib/") || library.starts_with(b"/System/Library/")
}
