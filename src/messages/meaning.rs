//! The meaning of a message, independent of the machine, and its possible causes.

use super::scanner::is_object;
use super::{Kind, Message, Speaker, Weight};
use crate::findings::finding::Cause;
use crate::knowledge::glibc_symbols::is_only_in_glibc;
use crate::knowledge::saying::{Saying, Subject};
use crate::knowledge::standard_modules::{self, Headers};
use crate::knowledge::tensorflow::is_driver_library;

/// Libraries of the GNU C library that do not exist in musl (glibc's `shlib-versions`).
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
    /// The possible causes according to the message, the most likely one first; none if nothing is wrong.
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
            Kind::ModuleNotFound if self.is_of_the_start() => {
                &[Cause::EnvOverride, Cause::WrongInterpreter]
            }
            Kind::ModuleNotFound => match self.module.as_deref() {
                Some(module) if module.contains(&b'.') => {
                    &[Cause::PartialInstall, Cause::WrongInterpreter, Cause::NotInstalled]
                }
                _ => &[Cause::NotInstalled, Cause::WrongInterpreter, Cause::PartialInstall],
            },
            Kind::NameNotFound if self.may_be_about_a_shadow() => &[Cause::DuplicateInstall],
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

    /// The severity, according to the message.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self.kind {
            Kind::TensorRtNotFound | Kind::Harmless => Weight::Harmless,
            _ if self.saying.is_some_and(|saying| saying.subject == Subject::LeftOut) => {
                Weight::GoesOn
            }
            // A program other than TensorFlow does not continue without it, or does not report it.
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

    /// The meaning of the message.
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
            Kind::ObjectUnreadable if self.library.is_some() => {
                Meaning::Library(LibraryFault::Garbled)
            }
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
            Kind::NameNotFound if self.may_be_about_a_shadow() => {
                Meaning::Python(PythonFault::Shadow)
            }
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
            Kind::ModuleNotFound if self.is_of_the_start() => {
                Meaning::Python(PythonFault::NoStandardLibrary)
            }
            Kind::ModuleNotFound => Meaning::Python(PythonFault::NoModule),
        }
    }

    /// Is a component of the path a file, but should be a directory?
    pub(super) fn is_not_a_directory(&self) -> bool {
        self.says(b"Not a directory")
    }

    /// Is it about interfaces that only parts of the same GNU C library use?
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

    /// Is it about the module that Python imports first, before any other code of the standard library (PEP 587,
    /// `init_fs_encoding`)?
    pub(super) fn is_of_the_start(&self) -> bool {
        let module = self.module.as_deref().unwrap_or_default();
        module == b"encodings" || module.starts_with(b"encodings.")
    }

    /// The package of headers for a module of the standard library.
    pub(super) fn headers(&self) -> Option<Headers> {
        standard_modules::headers_of(std::str::from_utf8(self.module.as_deref()?).ok()?)
    }

    /// How dyld interprets a name.
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

    /// Could a file not be mapped because its file system is mounted `noexec`? Programs often unpack
    /// libraries into such directories.
    pub(super) fn may_not_be_executed(&self) -> bool {
        let object = self.object.as_deref().unwrap_or_default();
        let is_temporary = [&b"/tmp/"[..], b"/var/tmp/", b"/dev/shm/", b"/run/"]
            .iter()
            .any(|start| object.starts_with(start));
        self.says(b"failed to map segment")
            && !self.says(b"Cannot allocate memory")
            && (is_temporary || self.says(b"Operation not permitted"))
    }

    /// The architectures of a file and the required one, if the message contains them.
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

/// The meaning of a message, independent of the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// A row in the table of sayings.
    Saying(&'static Saying),
    /// The library belongs to the graphics driver.
    OfTheDriver,
    /// Nothing is wrong.
    NothingIsWrong,
    /// A library was not found.
    Library(LibraryFault),
    /// Something that is opened at run time was not found.
    Opening(OpeningFault),
    /// An object has a problem.
    Object(ObjectFault),
    /// A library lacks symbols or versions, or is from another release.
    Symbols(SymbolFault),
    /// Python does not find an import, or finds an incompatible one.
    Python(PythonFault),
}

/// A library was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LibraryFault {
    /// The library belongs to the GNU C library, but the message is from musl.
    OfGlibc,
    /// The library is musl itself, but the message is from another loader.
    OfMusl,
    /// dyld found no file for a library.
    NotFoundByDyld(InstallName),
    /// A program could not find or load a library, according to its own message.
    NotFoundByProgram,
    /// A loader found no file for a library.
    NotFound,
    /// The name that a loader searched for is not text.
    Garbled,
    /// dyld ignores an entry of a search path.
    EntryPassedOver,
}

/// Something that is opened at run time was not found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpeningFault {
    /// A program opens a library at run time, and the loader did not find it.
    NotFound,
    /// TensorFlow opens an object that was found, but the loader did not find a library that it needs.
    WithoutNeed,
    /// TensorFlow opens a library, and the loader did not find it.
    NotFoundByTensorflow,
    /// TensorFlow could not load one of NVIDIA's libraries.
    GpuLibraries,
    /// TensorFlow found no working driver.
    NoDriver,
    /// TensorFlow found no TensorRT.
    NoTensorRt,
    /// XLA does not find a file.
    NoData,
}

/// An object has a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ObjectFault {
    /// A component of the path of an object is a file.
    NotADirectory,
    /// The path of an object does not exist.
    NoObject,
    /// The file exists, but the loader rejects it.
    Unreadable(Unreadable),
    /// The file is for another processor.
    OtherProcessor(Processors),
    /// No static thread-local storage is left.
    StaticTls,
    /// An executable stack is not allowed.
    ExecStack,
    /// A library is signed by another team than the program.
    OtherTeam,
    /// Gatekeeper blocks a file.
    Quarantined,
    /// A file has no valid signature.
    NoSignature,
    /// A search path has a duplicate entry.
    EntryTwice,
}

/// A library lacks symbols or versions, or is from another release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SymbolFault {
    /// Parts of two releases of the GNU C library are mixed.
    TwoLibcs,
    /// A library is older than the one that an object was built for.
    OlderLibrary,
    /// The symbol belongs to the GNU C library, but the message is from musl.
    OfGlibc,
    /// The symbol belongs to a part of macOS, which is too old.
    OfMacos,
    /// A library lacks a symbol.
    NotInLibrary {
        /// Is the library named?
        of_library: bool,
        /// The owner of the symbol, according to the table of symbols.
        owner: Option<&'static str>,
    },
}

/// Python does not find an import, or finds an incompatible one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PythonFault {
    /// A package has no compiled module that this Python can import.
    NoCompiledModule,
    /// A file of the program was imported, which lacks a name.
    Shadow,
    /// A module lacks a name.
    NoName,
    /// A distribution is older than the one that a module was built with.
    OlderRelease,
    /// A distribution is from another release than the one that a module was built for.
    OtherRelease,
    /// The interpreter of a script does not exist.
    NoInterpreter,
    /// Python does not find its standard library.
    NoStandardLibrary,
    /// Python was built without a part of its standard library.
    NoStandardModule,
    /// No directory contains a module that can be imported.
    NoModule,
}

/// How dyld interprets the name of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstallName {
    /// `@rpath/…`: searched in the entries of `LC_RPATH`.
    Rpath,
    /// `@loader_path/…`, `@executable_path/…`: relative to the file that needs it.
    BesideAsker,
    /// An absolute path.
    Absolute,
    /// Not a path.
    NoPath,
}

/// The reason why a loader rejects a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreadable {
    /// It is shorter than a header.
    TooShort,
    /// It does not begin like an ELF file.
    NoElf,
    /// The user may not read it.
    Forbidden,
    /// The process or the system has reached its limit of open files.
    TooManyFiles,
    /// The links in its path form a loop.
    LinkLoop,
    /// It could not be mapped.
    NotMapped,
    /// It could not be mapped, because its file system is mounted noexec.
    NoExec,
    /// The loader rejects the layout of its segments.
    LaidOutBadly,
    /// It does not begin like a Mach-O file.
    NoMacho,
    /// It is not a library for this machine.
    NotForThisMachine,
    /// Another or unknown reason.
    NotTaken,
}

/// The architectures of a file and the required one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Processors {
    /// In the words of the loader.
    Told {
        /// The architectures of the file.
        have: Vec<u8>,
        /// The required architecture.
        need: Vec<u8>,
    },
    /// The file is 32-bit, and the program is 64-bit.
    Has32Bits,
    /// The file is 64-bit, and the program is 32-bit.
    Has64Bits,
    /// One of the two architectures of Macs.
    OfMacs,
    /// The message does not contain them.
    Untold,
}

/// The possible reasons why a library is not found.
const NOT_FOUND: &[Cause] = &[
    Cause::NotInstalled,
    Cause::PathMissing,
    Cause::SonameMismatch,
    Cause::DroppedLink,
    Cause::StaleCache,
];

/// The same for musl, which has no cache that could be outdated.
const NOT_FOUND_BY_MUSL: &[Cause] =
    &[Cause::NotInstalled, Cause::PathMissing, Cause::SonameMismatch, Cause::DroppedLink];

const GPU: &[Cause] = &[Cause::DlopenPathMissing, Cause::NotInstalled, Cause::SonameMismatch];

fn is_of_glibc(library: &[u8]) -> bool {
    library.starts_with(b"ld-linux") || GLIBC_LIBRARIES.contains(&library)
}

/// Is a library musl itself, under the name in Alpine's package?
fn is_of_musl(library: &[u8]) -> bool {
    library.starts_with(b"libc.musl-") || library.starts_with(b"ld-musl-")
}

/// Is a library part of macOS?
pub(super) fn is_of_macos(library: &[u8]) -> bool {
    library.starts_with(b"/usr/lib/") || library.starts_with(b"/System/Library/")
}
