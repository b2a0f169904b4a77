//! The meaning of messages in plain language.

use crate::bytes::printable;
use crate::messages::meaning::{
    InstallName, LibraryFault, Meaning, ObjectFault, OpeningFault, Processors, PythonFault,
    SymbolFault, Unreadable,
};
use crate::messages::{Message, Speaker, leaf};

/// One or two sentences.
#[must_use]
pub fn of(message: &Message) -> String {
    match message.meaning() {
        Meaning::Saying(saying) => saying.meaning.to_owned(),
        Meaning::NothingIsWrong => "nothing is wrong.".to_owned(),
        Meaning::OfTheDriver => format!(
            "{} is part of the NVIDIA driver, which is installed on the machine and never by a wheel. Without it, a \
             program runs on the CPU.",
            library_of(message)
        ),
        Meaning::Library(fault) => of_library(message, &fault),
        Meaning::Opening(fault) => of_opening(message, &fault),
        Meaning::Object(fault) => of_object(message, &fault),
        Meaning::Symbols(fault) => of_symbols(message, &fault),
        Meaning::Python(fault) => of_python(message, &fault),
    }
}

/// A name in a message as shown to users, or another text if the message does not contain it.
fn named(name: &Option<Vec<u8>>, otherwise: &str) -> String {
    name.as_deref().map_or_else(|| otherwise.to_owned(), printable)
}

/// The name of the object, without its directory.
fn name_of(message: &Message) -> String {
    message.object.as_deref().map_or_else(|| "the file".to_owned(), |path| printable(leaf(path)))
}

fn library_of(message: &Message) -> String {
    named(&message.library, "a library")
}

/// The object that needs a library, to be appended to the name of the library.
fn needed_by(message: &Message) -> String {
    let name = name_of(message);
    message.object.as_ref().map_or_else(String::new, |_| format!(" (needed by {name})"))
}

fn of_library(message: &Message, fault: &LibraryFault) -> String {
    let (name, library) = (name_of(message), library_of(message));
    match fault {
        LibraryFault::OfGlibc => format!(
            "{library} is part of the GNU C library, but this system uses musl: {name} was built for another kind of \
             Linux."
        ),
        LibraryFault::OfMusl => format!(
            "{library} is musl, the C library of Alpine, and the program that reports it runs with the GNU C library: \
             what needs {library} was built for another kind of Linux."
        ),
        LibraryFault::NotFoundByDyld(install_name) => not_found_by_dyld(message, *install_name),
        LibraryFault::NotFoundByProgram => format!(
            "a program could not find or load {library}. The message does not show whether the library is not \
             installed, is in a directory that is not searched, or lacks a library itself."
        ),
        LibraryFault::NotFound => format!(
            "the loader did not find {library}{} in any directory that it searches. The message is the same whether \
             the library is not installed or is in a directory that is not searched.",
            needed_by(message)
        ),
        LibraryFault::Garbled => format!(
            "the loader searched for a library with the name {library}: the file that needs it is damaged. Some \
             releases of patchelf damage files in this way when they edit them, or when a file is stripped afterwards."
        ),
        LibraryFault::EntryPassedOver => format!(
            "dyld ignores the search path entry {} of {name}: it is a relative path, and the program is restricted \
             (signed with the hardened runtime, or running with other privileges).",
            named(&message.entry, "in the message")
        ),
    }
}

fn not_found_by_dyld(message: &Message, install_name: InstallName) -> String {
    let places = match message.tried.len() {
        0 => String::new(),
        1 => " in the only location that it searched".to_owned(),
        places => format!(" in any of {places} locations"),
    };
    let why = match install_name {
        InstallName::Rpath => {
            "The name begins with @rpath, so dyld searches the LC_RPATH entries of the files that lead to it."
        }
        InstallName::BesideAsker => {
            "The name gives the location of the file, relative to the one that needs it."
        }
        InstallName::Absolute => "The name is an absolute path, so search paths are not used.",
        InstallName::NoPath => {
            "The name is not a path: dyld searches DYLD_LIBRARY_PATH, DYLD_FALLBACK_LIBRARY_PATH and /usr/local/lib for \
             it, and not the directory of Homebrew on Apple silicon."
        }
    };
    let library = library_of(message);
    format!("dyld did not find {library}{}{places}. {why}", needed_by(message))
}

fn of_opening(message: &Message, fault: &OpeningFault) -> String {
    let (name, library) = (name_of(message), library_of(message));
    match fault {
        OpeningFault::NotFound => {
            let opened = match &message.object {
                None => format!("the program opens {library} at run time"),
                Some(_) => format!("the program opens {name} at run time, which needs {library}"),
            };
            format!(
                "{opened}, but the loader did not find it. The message is the same whether the library is not \
                 installed or is in a directory that is not searched."
            )
        }
        OpeningFault::WithoutNeed => format!(
            "{name} was found, but it needs {library}, which the loader did not find. The program continues without \
             {name}."
        ),
        OpeningFault::NotFoundByTensorflow => format!(
            "the program opens {library} at run time, but the loader did not find it. It continues without it, and \
             therefore without a GPU."
        ),
        OpeningFault::GpuLibraries => {
            "TensorFlow opens NVIDIA's libraries at run time, could not load one of them, and continues without a \
             GPU. This message does not name the library; TF_CPP_MAX_VLOG_LEVEL=3 does."
                .to_owned()
        }
        OpeningFault::NoDriver => {
            "TensorFlow found no working NVIDIA driver (libcuda.so.1), and runs on the CPU. A build for CUDA reports \
             this on every machine without a driver."
                .to_owned()
        }
        OpeningFault::NoTensorRt => {
            "TensorFlow searches for TensorRT on each import, and it is not installed. Nothing is wrong: only models \
             converted with TF-TRT need it. The GPU works without it."
                .to_owned()
        }
        OpeningFault::NoData => format!(
            "XLA needs {library} to compile for the GPU, and did not find it. It is not a shared library, so search \
             paths are not used."
        ),
    }
}

fn of_object(message: &Message, fault: &ObjectFault) -> String {
    let (name, object) = (name_of(message), named(&message.object, "the file"));
    match fault {
        ObjectFault::NotADirectory => format!(
            "a part of the path {object} is a file instead of a directory (Not a directory): the path comes from a \
             variable that names a program instead of its directory, such as JAVA_HOME."
        ),
        ObjectFault::NoObject => format!(
            "a program opens {object} by path, but the file does not exist: it was never installed, was removed, or \
             the path is from another machine."
        ),
        ObjectFault::Unreadable(why) => format!("{object} {}.", unreadable(*why)),
        ObjectFault::OtherProcessor(processors) => {
            format!("{name} is built for another architecture{}.", processors_in_words(processors))
        }
        ObjectFault::StaticTls => format!(
            "{name} needs static thread-local storage, which is reserved when a program starts. It was opened later, \
             and no space was left."
        ),
        ObjectFault::ExecStack => format!(
            "{name} requests an executable stack, usually by mistake, and the system does not allow one in a program \
             that started without it."
        ),
        ObjectFault::OtherTeam => format!(
            "{name} is not signed by the team that signed the program, and the program uses library validation: it \
             loads only libraries with its own Team ID, and those of macOS."
        ),
        ObjectFault::Quarantined => format!(
            "Gatekeeper of macOS blocked {name}: the file was downloaded, has the attribute com.apple.quarantine, and is not \
             notarized. Its signature may be valid."
        ),
        ObjectFault::NoSignature => format!(
            "macOS found no valid code signature in {name}, and loads no code without one: the file was never \
             signed, or was changed after it was signed."
        ),
        ObjectFault::EntryTwice => format!(
            "{name} has the search path entry {} twice. macOS 15.4 and later reject such a file if it was built with \
             a recent SDK.",
            named(&message.entry, "an entry")
        ),
    }
}

fn unreadable(why: Unreadable) -> &'static str {
    match why {
        Unreadable::TooShort => "is truncated: it is shorter than the header of a library",
        Unreadable::NoElf => {
            "is not an ELF file: it is for another system, is a text file (a linker script, a Git LFS pointer), or \
             is truncated"
        }
        Unreadable::TooManyFiles => {
            "was not opened, because the process has reached its limit of open files; the file itself may be \
             fine"
        }
        Unreadable::LinkLoop => {
            "is a link that leads back to itself, directly or through other links"
        }
        Unreadable::Forbidden => "is not readable for the user who ran the program",
        Unreadable::NotMapped => {
            "could not be mapped: its file system is mounted noexec, memory is limited, or the file is truncated"
        }
        Unreadable::NoExec => {
            "could not be mapped to run its code: its file system is mounted noexec, as /tmp often is on servers"
        }
        Unreadable::LaidOutBadly => {
            "has a layout that this loader rejects: it is truncated, or was damaged by a tool that edited it"
        }
        Unreadable::NoMacho => "is not a Mach-O file: it is for another system, or is truncated",
        Unreadable::NotForThisMachine => "is not a library for this machine, or is truncated",
        Unreadable::NotTaken => "exists, but the loader could not load it",
    }
}

fn processors_in_words(processors: &Processors) -> String {
    let bare = |text: &[u8]| printable(text).replace(['\'', '(', ')'], "");
    match processors {
        Processors::Told { have, need } => {
            format!(": it has code for {}, but {} is needed", bare(have), bare(need))
        }
        Processors::Has32Bits => ": it is a 32-bit file, and the program is 64-bit".to_owned(),
        Processors::Has64Bits => ": it is a 64-bit file, and the program is 32-bit".to_owned(),
        Processors::OfMacs => {
            " than the program that opens it: one is for arm64, the other for x86_64".to_owned()
        }
        Processors::Untold => String::new(),
    }
}

fn of_symbols(message: &Message, fault: &SymbolFault) -> String {
    let (name, library) = (name_of(message), library_of(message));
    let symbol = named(&message.symbol, "a symbol");
    match fault {
        SymbolFault::TwoLibcs => format!(
            "{name} is from one release of the GNU C library and {} from another, but all its parts in a process \
             must be from the same release. Usually a libc.so.6 in LD_LIBRARY_PATH, in a snap or in a bundle shadows \
             that of the system.",
            named(&message.library, "a library loaded before")
        ),
        SymbolFault::OlderLibrary => {
            let version = named(&message.version, "a version");
            // Versions of these libraries grow with each release; those of others distinguish two series of
            // releases.
            let grows = message.needs_a_newer_one();
            if message.speaker == Speaker::Dyld {
                return format!(
                    "{library} was found, but it is older than the one that {name} was built for: its compatibility version is \
                     below {version}."
                );
            }
            let is = if grows { "is older than" } else { "is not the release" };
            let that = if grows { "the one that" } else { "that" };
            format!(
                "{library} was found, but it {is} {that} {name} was built for: it lacks {version}."
            )
        }
        SymbolFault::OfGlibc => format!(
            "{symbol} is a function of the GNU C library, but this system uses musl: {name} was built for another \
             kind of Linux."
        ),
        SymbolFault::OfMacos => format!(
            "{name} needs {symbol} from {library}, which is part of macOS: this macOS is older than the one that \
             {name} was built for."
        ),
        SymbolFault::NotInLibrary { of_library, owner } => {
            let whose = match (&message.library, &message.version) {
                (Some(library), _) if *of_library => format!(" from {}", printable(leaf(library))),
                (_, Some(version)) => format!(" with version {}", printable(version)),
                _ => String::new(),
            };
            let owner = owner
                .map_or_else(String::new, |owner| format!(" {symbol} is a symbol of {owner}."));
            format!(
                "{name} was built against a library that has {symbol}{whose}; the one that was loaded lacks it. \
                 Their releases are incompatible, or another copy was loaded first.{owner}"
            )
        }
    }
}

/// The meaning of messages from Python, and from the shell that was to start it.
fn of_python(message: &Message, fault: &PythonFault) -> String {
    let symbol = named(&message.symbol, "a symbol");
    let module = |otherwise| named(&message.module, otherwise);
    match fault {
        PythonFault::NoCompiledModule => format!(
            "the package {} is installed, but has no module {symbol} that this Python can import: usually it is a \
             compiled module, installed for another version of Python.",
            module("in the message")
        ),
        PythonFault::Shadow => format!(
            "Python imported {} from a file of the program, {}, which has no {symbol}. Python searches the directory of the \
             program before the installed packages.",
            module("the module"),
            named(&message.object, "which is named in the message")
        ),
        PythonFault::NoName => format!(
            "the module {} is installed, but has no {symbol}: it is from a different release than the importing code \
             expects.",
            module("the module")
        ),
        PythonFault::OlderRelease => format!(
            "a module was built with a newer {} than the installed one.",
            module("distribution")
        ),
        PythonFault::OtherRelease => format!(
            "a module was built for a different release of {} than the installed one.",
            module("a distribution")
        ),
        PythonFault::NoInterpreter if message.entry.is_none() => format!(
            "{} exists, but the interpreter that it names does not: for a script, the program in its first line; \
             for a compiled program, its dynamic loader, as with a program for Alpine or for another architecture.",
            name_of(message)
        ),
        PythonFault::NoInterpreter => format!(
            "the first line of {} names its interpreter, {}, which does not exist: the environment was moved, copied \
             from another machine, or its path contains a space.",
            name_of(message),
            named(&message.entry, "a program")
        ),
        PythonFault::NoStandardLibrary => "Python did not find its standard library, from which it imports this module \
             first, so it cannot start. PYTHONHOME names another directory, or the installation was moved or removed."
            .to_owned(),
        PythonFault::NoStandardModule => format!(
            "{} is part of Python's standard library, but this Python was built without it: the headers of a library \
             were missing when it was compiled, or the Linux distribution ships it in a separate package.",
            module("the module")
        ),
        PythonFault::NoModule => format!(
            "no directory in sys.path of the interpreter contains a module {} that it can import. Extension modules \
             for another Python or another system are ignored.",
            module("with that name")
        ),
    }
}
