//! What the words of a message mean, whatever the machine, and the causes that they allow.

use super::scanner::is_object;
use super::{Kind, Message, Speaker, Weight};
use crate::findings::finding::Cause;
use crate::knowledge::glibc_symbols::is_only_in_glibc;
use crate::knowledge::saying::{Saying, Subject};
use crate::knowledge::standard_modules::{self, Headers};
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
            Kind::LibraryNotFound if is_of_musl(library) => &[Cause::WrongPlatform],
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
        if self.says(b"invalid ELF header") || self.says(b"Exec format error") {
            &[Cause::Unreadable, Cause::WrongPlatform, Cause::PartialInstall]
        } else if self.says(b"not a mach-o file") || self.says(b"not valid mach-o") {
            &[Cause::WrongPlatform, Cause::Unreadable, Cause::PartialInstall]
        } else if self.says(b"file too short")
            || self.says(b"ELF load command")
            || self.says(b"truncated")
        {
            &[Cause::Unreadable, Cause::PartialInstall]
        } else {
            &[Cause::Unreadable]
        }
    }

    fn missing_symbol(&self) -> &'static [Cause] {
        let symbol = self.symbol.as_deref().unwrap_or_default();
        match (self.speaker, self.library.as_deref()) {
            (Speaker::Musl, _) if is_only_in_glibc(symbol) => {
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

    /// What the words mean.
    #[must_use]
    pub fn meaning(&self) -> Meaning {
        if let Some(saying) = self.saying {
            return Meaning::Saying(saying);
        }
        match self.kind {
            Kind::LibraryNotFound => self.library_not_found(),
            Kind::GpuLibraryNotLoaded => self.gpu_library_not_loaded(),
            Kind::GpuLibrariesNotLoaded => Meaning::Opening(OpeningFault::GpuLibraries),
            Kind::DriverNotFound => Meaning::Opening(OpeningFault::NoDriver),
            Kind::TensorRtNotFound => Meaning::Opening(OpeningFault::NoTensorRt),
            Kind::Harmless => Meaning::NothingIsWrong,
            Kind::RpathIgnored => Meaning::Library(LibraryFault::EntryPassedOver),
            Kind::ObjectNotFound if self.is_not_a_directory() => {
                Meaning::Object(ObjectFault::NotADirectory)
            }
            Kind::ObjectNotFound => Meaning::Object(ObjectFault::NoObject),
            Kind::ObjectUnreadable => {
                Meaning::Object(ObjectFault::Unreadable(self.why_unreadable()))
            }
            Kind::WrongArchitecture => {
                Meaning::Object(ObjectFault::OtherProcessor(self.processors()))
            }
            Kind::VersionNotFound | Kind::SymbolNotFound if self.is_of_two_libcs() => {
                Meaning::Symbols(SymbolFault::TwoLibcs)
            }
            Kind::VersionNotFound => Meaning::Symbols(SymbolFault::OlderLibrary),
            Kind::SymbolNotFound => self.no_symbol(),
            Kind::StaticTls => Meaning::Object(ObjectFault::StaticTls),
            Kind::ExecStack => Meaning::Object(ObjectFault::ExecStack),
            Kind::BadSignature if self.is_about_a_policy() => {
                Meaning::Object(ObjectFault::Quarantined)
            }
            Kind::BadSignature if self.is_about_a_team() => Meaning::Object(ObjectFault::OtherTeam),
            Kind::BadSignature => Meaning::Object(ObjectFault::NoSignature),
            Kind::DuplicateRpath => Meaning::Object(ObjectFault::EntryTwice),
            Kind::DataNotFound => Meaning::Opening(OpeningFault::NoData),
            Kind::NameNotFound if self.asks_for_a_compiled_module() => {
                Meaning::Python(PythonFault::NoCompiledModule)
            }
            Kind::NameNotFound => Meaning::Python(PythonFault::NoName),
            Kind::DistributionsDoNotFit if self.is_for_a_newer_numpy() => {
                Meaning::Python(PythonFault::OlderRelease)
            }
            Kind::DistributionsDoNotFit => Meaning::Python(PythonFault::OtherRelease),
            Kind::InterpreterNotFound => Meaning::Python(PythonFault::NoInterpreter),
            Kind::ModuleNotFound if self.headers().is_some() => {
                Meaning::Python(PythonFault::NoStandardModule)
            }
            Kind::ModuleNotFound => Meaning::Python(PythonFault::NoModule),
        }
    }

    /// Is a part of the path a file, where a directory has to be?
    pub(super) fn is_not_a_directory(&self) -> bool {
        self.says(b"Not a directory")
    }

    /// Is it about what the parts of one GNU C library have for each other alone?
    fn is_of_two_libcs(&self) -> bool {
        self.version.as_deref() == Some(b"GLIBC_PRIVATE")
    }

    fn library_not_found(&self) -> Meaning {
        let causes = self.causes();
        if causes.contains(&Cause::DriverMissing) {
            Meaning::OfTheDriver
        } else if self.library.as_deref().is_some_and(is_of_musl) {
            Meaning::Library(LibraryFault::OfMusl)
        } else if causes == [Cause::WrongPlatform] {
            Meaning::Library(LibraryFault::OfGlibc)
        } else {
            match self.speaker {
                Speaker::Dyld => {
                    Meaning::Library(LibraryFault::NotFoundByDyld(self.install_name()))
                }
                Speaker::Program => Meaning::Library(LibraryFault::NotFoundByProgram),
                _ => Meaning::Library(LibraryFault::NotFound),
            }
        }
    }

    fn gpu_library_not_loaded(&self) -> Meaning {
        if self.causes().contains(&Cause::DriverMissing) {
            Meaning::OfTheDriver
        } else if self.speaker != Speaker::Tensorflow {
            Meaning::Opening(OpeningFault::NotFound)
        } else if self.object.is_some() {
            Meaning::Opening(OpeningFault::WithoutNeed)
        } else {
            Meaning::Opening(OpeningFault::NotFoundByTensorflow)
        }
    }

    /// The package of headers that a part of the standard library is compiled with.
    pub(super) fn headers(&self) -> Option<Headers> {
        standard_modules::headers_of(std::str::from_utf8(self.module.as_deref()?).ok()?)
    }

    /// What a name says to dyld of where a library has to lie.
    fn install_name(&self) -> InstallName {
        let name = self.library.as_deref().unwrap_or_default();
        if name.starts_with(b"@rpath/") {
            InstallName::Rpath
        } else if name.starts_with(b"@") {
            InstallName::BesideAsker
        } else if name.starts_with(b"/") {
            InstallName::Absolute
        } else {
            InstallName::NoPath
        }
    }

    pub(super) fn why_unreadable(&self) -> Unreadable {
        if self.says(b"file too short") {
            Unreadable::TooShort
        } else if self.says(b"invalid ELF header") {
            Unreadable::NoElf
        } else if self.says(b"Too many open files")
            || self.says(b"Error 24")
            || self.says(b"Error 23")
        {
            Unreadable::TooManyFiles
        } else if self.says(b"Too many levels of symbolic links") {
            Unreadable::LinkLoop
        } else if self.says(b"Permission denied") {
            Unreadable::Forbidden
        } else if self.may_not_be_executed() {
            Unreadable::NoExec
        } else if self.says(b"failed to map segment") {
            Unreadable::NotMapped
        } else if self.says(b"ELF load command") {
            Unreadable::LaidOutBadly
        } else if self.says(b"not a mach-o file") || self.says(b"not valid mach-o") {
            Unreadable::NoMacho
        } else if self.says(b"Exec format error") {
            Unreadable::NotForThisMachine
        } else {
            Unreadable::NotTaken
        }
    }

    /// Is a file not mapped since its file system is mounted `noexec`? Programs that unpack libraries do it into
    /// directories that often are.
    pub(super) fn may_not_be_executed(&self) -> bool {
        let object = self.object.as_deref().unwrap_or_default();
        let is_temporary = [&b"/tmp/"[..], b"/var/tmp/", b"/dev/shm/", b"/run/"]
            .iter()
            .any(|start| object.starts_with(start));
        self.says(b"failed to map segment")
            && !self.says(b"Cannot allocate memory")
            && (is_temporary || self.says(b"Operation not permitted"))
    }

    /// What a file has code for, and what is needed, as far as the words tell.
    fn processors(&self) -> Processors {
        let told = self.tried.iter().find_map(|tried| {
            let (_, rest) = super::scanner::around(&tried.note, b"(have ")?;
            let (have, need) = super::scanner::around(rest, b", need ")?;
            let need = need.split(|&byte| byte == b')').next()?;
            Some(Processors::Told { have: have.to_vec(), need: need.to_vec() })
        });
        told.unwrap_or_else(|| {
            if self.says(b"ELFCLASS32") {
                Processors::Has32Bits
            } else if self.says(b"ELFCLASS64") {
                Processors::Has64Bits
            } else if self.speaker == Speaker::Dyld {
                Processors::OfMacs
            } else {
                Processors::Untold
            }
        })
    }

    fn no_symbol(&self) -> Meaning {
        if self.causes().first() == Some(&Cause::WrongPlatform) {
            return Meaning::Symbols(SymbolFault::OfGlibc);
        }
        if self.library.as_deref().is_some_and(is_of_macos) && self.speaker == Speaker::Dyld {
            return Meaning::Symbols(SymbolFault::OfMacos);
        }
        let library = self.library.as_deref().filter(|library| is_object(library));
        Meaning::Symbols(SymbolFault::NotInLibrary {
            of_library: library.is_some(),
            owner: self.owner().map(|it| it.name),
        })
    }
}

/// What the words of a message mean, whatever the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// What is in the table of sayings.
    Saying(&'static Saying),
    /// The library comes with the graphics driver.
    OfTheDriver,
    /// Nothing is wrong.
    NothingIsWrong,
    /// A library is not found.
    Library(LibraryFault),
    /// Something that is opened at run time is not there.
    Opening(OpeningFault),
    /// Something is wrong with an object.
    Object(ObjectFault),
    /// A library lacks symbols or versions, or has those of another release.
    Symbols(SymbolFault),
    /// Python does not find what is imported, or not as it has to be.
    Python(PythonFault),
}

/// A library is not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryFault {
    /// The library belongs to the GNU C library, and musl speaks.
    OfGlibc,
    /// The library is musl itself, and another loader speaks.
    OfMusl,
    /// dyld found no file for a library.
    NotFoundByDyld(InstallName),
    /// A program could not find or load a library, in words of its own.
    NotFoundByProgram,
    /// A loader found no file for a library.
    NotFound,
    /// dyld passes over an entry of a search path.
    EntryPassedOver,
}

/// Something that is opened at run time is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpeningFault {
    /// A program opens a library at run time, for which the loader found no file.
    NotFound,
    /// TensorFlow opens an object that was found, and the loader found no file for what that needs.
    WithoutNeed,
    /// TensorFlow opens a library, for which the loader found no file.
    NotFoundByTensorflow,
    /// TensorFlow could not load one of NVIDIA's libraries.
    GpuLibraries,
    /// TensorFlow found no driver that answers.
    NoDriver,
    /// TensorFlow found no TensorRT.
    NoTensorRt,
    /// XLA does not find a file.
    NoData,
}

/// Something is wrong with an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectFault {
    /// A part of the path of an object is a file.
    NotADirectory,
    /// No file is at the path of an object.
    NoObject,
    /// The file is there, and the loader does not take it.
    Unreadable(Unreadable),
    /// The file is for another processor.
    OtherProcessor(Processors),
    /// No static thread-local storage is left.
    StaticTls,
    /// An executable stack is not granted.
    ExecStack,
    /// Another team than the program's signed a library.
    OtherTeam,
    /// Gatekeeper blocks a file.
    Quarantined,
    /// A file has no signature that holds.
    NoSignature,
    /// A search path has an entry twice.
    EntryTwice,
}

/// A library lacks symbols or versions, or has those of another release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SymbolFault {
    /// Parts of two releases of the GNU C library meet.
    TwoLibcs,
    /// A library is older than an object was built for.
    OlderLibrary,
    /// The symbol belongs to the GNU C library, and musl speaks.
    OfGlibc,
    /// The symbol is of a part of macOS, which is older.
    OfMacos,
    /// A library does not have a symbol.
    NotInLibrary {
        /// Is the library named?
        of_library: bool,
        /// Whose the symbol is, by the table of symbols.
        owner: Option<&'static str>,
    },
}

/// Python does not find what is imported, or not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonFault {
    /// A package has no compiled module that could be imported.
    NoCompiledModule,
    /// A module does not have a name.
    NoName,
    /// A distribution is older than a module was built with.
    OlderRelease,
    /// A distribution is of another release than a module was built for.
    OtherRelease,
    /// The interpreter of a script is not there.
    NoInterpreter,
    /// Python was built without a part of its standard library.
    NoStandardModule,
    /// No directory has a module that could be imported.
    NoModule,
}

/// What the name of a library says to dyld of where it has to lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallName {
    /// `@rpath/…`: in an entry of `LC_RPATH`.
    Rpath,
    /// `@loader_path/…`, `@executable_path/…`: beside who asks.
    BesideAsker,
    /// A whole path.
    Absolute,
    /// No path.
    NoPath,
}

/// Why a loader does not take a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is shorter than a header.
    TooShort,
    /// It does not begin as an ELF file does.
    NoElf,
    /// The user may not read it.
    Forbidden,
    /// The process or the system has as many files open as it may.
    TooManyFiles,
    /// The links of its path lead in a circle.
    LinkLoop,
    /// It could not be mapped.
    NotMapped,
    /// It could not be mapped, since its file system lets nothing be executed.
    NoExec,
    /// Its segments are not laid out as the loader takes them.
    LaidOutBadly,
    /// It does not begin as a Mach-O file does.
    NoMacho,
    /// It is not a library for this machine.
    NotForThisMachine,
    /// Another reason, or none that is known.
    NotTaken,
}

/// What a file has code for, and what is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processors {
    /// As the loader says it.
    Told {
        /// What the file has.
        have: Vec<u8>,
        /// What is needed.
        need: Vec<u8>,
    },
    /// It has 32 bits, and the program has 64.
    Has32Bits,
    /// It has 64 bits, and the program has 32.
    Has64Bits,
    /// One of both processors of Macs.
    OfMacs,
    /// The words do not tell.
    Untold,
}

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

/// Is a library musl itself, whose name is that of Alpine's package?
fn is_of_musl(library: &[u8]) -> bool {
    library.starts_with(b"libc.musl-") || library.starts_with(b"ld-musl-")
}

/// Does a library come with macOS?
pub(super) fn is_of_macos(library: &[u8]) -> bool {
    library.starts_with(b"/usr/lib/") || library.starts_with(b"/System/Library/")
}
