//! What the words of a message mean, in plain language.

use crate::bytes::printable;
use crate::messages::meaning::{
    InstallName, LibraryFault, Meaning, ObjectFault, OpeningFault, Processors, PythonFault,
    SymbolFault, Unreadable,
};
use crate::messages::{Message, leaf};

/// One or two sentences.
#[must_use]
pub fn of(message: &Message) -> String {
    match message.meaning() {
        Meaning::Saying(saying) => saying.meaning.to_owned(),
        Meaning::NothingIsWrong => "nothing is wrong.".to_owned(),
        Meaning::OfTheDriver => format!(
            "{} is NVIDIA's driver: it comes with the machine, and never with a wheel. Without it a program runs on \
             the CPU.",
            library_of(message)
        ),
        Meaning::Library(fault) => of_library(message, &fault),
        Meaning::Opening(fault) => of_opening(message, &fault),
        Meaning::Object(fault) => of_object(message, &fault),
        Meaning::Symbols(fault) => of_symbols(message, &fault),
        Meaning::Python(fault) => of_python(message, &fault),
    }
}

/// A name of a message as it is shown, or the words that stand for one that it does not tell.
fn named(name: &Option<Vec<u8>>, otherwise: &str) -> String {
    name.as_deref().map_or_else(|| otherwise.to_owned(), printable)
}

/// The object's name, without its directory.
fn name_of(message: &Message) -> String {
    message.object.as_deref().map_or_else(|| "the object".to_owned(), |path| printable(leaf(path)))
}

fn library_of(message: &Message) -> String {
    named(&message.library, "a library")
}

/// Who needs a library, to follow its name.
fn needed_by(message: &Message) -> String {
    let name = name_of(message);
    message.object.as_ref().map_or_else(String::new, |_| format!(", which {name} needs"))
}

fn of_library(message: &Message, fault: &LibraryFault) -> String {
    let (name, library) = (name_of(message), library_of(message));
    match fault {
        LibraryFault::OfGlibc => format!(
            "{library} belongs to the GNU C library, and this system has musl: {name} was built for another kind of \
             Linux."
        ),
        LibraryFault::NotFoundByDyld(install_name) => not_found_by_dyld(message, *install_name),
        LibraryFault::NotFoundByProgram => format!(
            "a program could not find or load {library}. Its words do not say whether the library is not installed, \
             is in a directory that is not searched, or lacks a library itself."
        ),
        LibraryFault::NotFound => format!(
            "the loader found no file of the name {library}{}, in any directory that it looks into. It says the same \
             whether the library is absent or merely out of reach.",
            needed_by(message)
        ),
        LibraryFault::EntryPassedOver => format!(
            "dyld passes over the search path entry {} of {name}: it is a relative path, and the program is \
             restricted (signed with the hardened runtime, or run with other rights).",
            named(&message.entry, "that it names")
        ),
    }
}

fn not_found_by_dyld(message: &Message, install_name: InstallName) -> String {
    let places = match message.tried.len() {
        0 => String::new(),
        1 => ", in the one place where it looked".to_owned(),
        places => format!(", in any of {places} places"),
    };
    let why = match install_name {
        InstallName::Rpath => {
            "The name begins with @rpath: it is looked for in the entries of LC_RPATH of those that ask."
        }
        InstallName::BesideAsker => {
            "The name says where the file has to lie, beside the one that asks."
        }
        InstallName::Absolute => "The name is a whole path, which search paths do not change.",
        InstallName::NoPath => {
            "The name is no path, and search paths do not change where it is looked for."
        }
    };
    let library = library_of(message);
    format!("dyld found no file for {library}{}{places}. {why}", needed_by(message))
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
                "{opened}, and the loader found no file of that name. Its words are the same whether the library is \
                 not installed or is in a directory that is not searched."
            )
        }
        OpeningFault::WithoutNeed => format!(
            "{name} was found, and needs {library}, for which the loader found no file. The program goes on without \
             {name}."
        ),
        OpeningFault::NotFoundByTensorflow => format!(
            "the program opens {library} at run time, and the loader found no file of that name. It goes on without \
             it, and so without a GPU."
        ),
        OpeningFault::GpuLibraries => {
            "TensorFlow opens NVIDIA's libraries at run time, could not load one of them, and goes on without a GPU. \
             These words do not say which one; TF_CPP_MAX_VLOG_LEVEL=3 makes it say so."
                .to_owned()
        }
        OpeningFault::NoDriver => {
            "TensorFlow found no NVIDIA driver that answers (libcuda.so.1), and runs on the CPU. In a build for CUDA \
             it says so on every machine without one."
                .to_owned()
        }
        OpeningFault::NoTensorRt => {
            "TensorFlow looks for TensorRT whenever it is imported, and it is not installed. Nothing is wrong: only \
             models that are converted with TF-TRT need it. The GPU does not."
                .to_owned()
        }
        OpeningFault::NoData => format!(
            "XLA needs {library} to compile for the GPU, and it is not where XLA looks. It is no library, and no \
             search path leads to it."
        ),
    }
}

fn of_object(message: &Message, fault: &ObjectFault) -> String {
    let (name, object) = (name_of(message), named(&message.object, "the object"));
    match fault {
        ObjectFault::NotADirectory => format!(
            "a part of the path {object} is a file, where a directory has to be (Not a directory): the path was put \
             together from a variable that names a program instead of its home, such as JAVA_HOME."
        ),
        ObjectFault::NoObject => format!(
            "{object} was to be opened by its path, and no file is there: it was never installed, was removed, or \
             the path is another machine's."
        ),
        ObjectFault::Unreadable(why) => format!("{object} {}.", unreadable(*why)),
        ObjectFault::OtherProcessor(processors) => {
            format!("{name} is for another processor{}.", processors_in_words(processors))
        }
        ObjectFault::StaticTls => format!(
            "{name} has thread-local variables at a fixed place, room for which is laid out when a program starts. \
             Opened later, it found none left."
        ),
        ObjectFault::ExecStack => format!(
            "{name} says that it needs a stack on which code can run, mostly by mistake, and the system does not \
             grant one to a program that has started without."
        ),
        ObjectFault::OtherTeam => format!(
            "{name} is not signed by the team that signed the program, and the program has library validation: it \
             accepts only libraries with its own Team ID, and those of macOS."
        ),
        ObjectFault::NoSignature => format!(
            "macOS found no code signature of {name} that holds, and maps no code without one: the file was never \
             signed, or its bytes were changed since."
        ),
        ObjectFault::EntryTwice => format!(
            "{name} has the search path entry {} twice. macOS 15.4 and later refuse such a file where it was built \
             with a recent SDK.",
            named(&message.entry, "an entry")
        ),
    }
}

fn unreadable(why: Unreadable) -> &'static str {
    match why {
        Unreadable::TooShort => "is cut off: it is shorter than the header of a library",
        Unreadable::NoElf => {
            "is no ELF file: a file of another system, a text (a linker script, a Git LFS pointer), or cut off"
        }
        Unreadable::Forbidden => "may not be read by the user who ran the program",
        Unreadable::NotMapped => {
            "could not be mapped: its file system is mounted noexec, memory is limited, or the file is cut off"
        }
        Unreadable::LaidOutBadly => {
            "is laid out in a way that this loader does not take: it was cut off, or edited by a tool that broke it"
        }
        Unreadable::NoMacho => "is no Mach-O file: a file of another system, or cut off",
        Unreadable::NotForThisMachine => "is no library for this machine, or cut off",
        Unreadable::NotTaken => "is there, and the loader could not take it",
    }
}

fn processors_in_words(processors: &Processors) -> String {
    let bare = |text: &[u8]| printable(text).replace(['\'', '(', ')'], "");
    match processors {
        Processors::Told { have, need } => {
            format!(": it has code for {}, and {} is needed", bare(have), bare(need))
        }
        Processors::Has32Bits => ": it has 32 bits, and the program has 64".to_owned(),
        Processors::Has64Bits => ": it has 64 bits, and the program has 32".to_owned(),
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
            "{name} is of one release of the GNU C library and {} of another: the parts of it in a process have to \
             be of one release. Usually a libc.so.6 in LD_LIBRARY_PATH, or of a snap or a bundle, comes before that \
             of the system.",
            named(&message.library, "what was loaded before")
        ),
        SymbolFault::OlderLibrary => {
            let version = named(&message.version, "a version");
            format!(
                "{library} was found, and it is older than {name} was built for: it has no {version}."
            )
        }
        SymbolFault::OfGlibc => format!(
            "{symbol} is a function of the GNU C library, and this system has musl: {name} was built for another \
             kind of Linux."
        ),
        SymbolFault::OfMacos => format!(
            "{name} needs {symbol} of {library}, which is a part of macOS: this macOS is older than {name} was built \
             for."
        ),
        SymbolFault::NotInLibrary { of_library, owner } => {
            let whose = match (&message.library, &message.version) {
                (Some(library), _) if *of_library => format!(" of {}", printable(leaf(library))),
                (_, Some(version)) => format!(" of the version {}", printable(version)),
                _ => String::new(),
            };
            let owner = owner
                .map_or_else(String::new, |owner| format!(" {symbol} is a symbol of {owner}."));
            format!(
                "{name} was built against a library that has {symbol}{whose}; the one that was loaded does not have \
                 it. The two are of releases that do not fit, or another copy was loaded first.{owner}"
            )
        }
    }
}

/// What Python's own words mean, and those of the shell that was to start it.
fn of_python(message: &Message, fault: &PythonFault) -> String {
    let symbol = named(&message.symbol, "a symbol");
    let module = |otherwise| named(&message.module, otherwise);
    match fault {
        PythonFault::NoCompiledModule => format!(
            "the package {} is there, and has no module {symbol} that the Python which runs could import: mostly \
             that is a compiled module, and it was installed for another version of Python.",
            module("that is named")
        ),
        PythonFault::NoName => format!(
            "the module {} is there, and has no {symbol}: it is of another release than the code that imports from \
             it was written for.",
            module("the module")
        ),
        PythonFault::OlderRelease => format!(
            "a module was built with a newer {} than the one that is installed.",
            module("distribution")
        ),
        PythonFault::OtherRelease => format!(
            "a module was built for another release of {} than the one that is installed.",
            module("a distribution")
        ),
        PythonFault::NoInterpreter => format!(
            "{} begins with the path of its interpreter, {}, and no file is there: the environment was moved, copied \
             from another machine, or its path has a blank.",
            name_of(message),
            named(&message.entry, "a program")
        ),
        PythonFault::NoStandardModule => format!(
            "{} is a part of Python's standard library, and the Python that runs was built without it: the headers \
             of a library were missing when it was compiled, or the distribution has it in another package.",
            module("the module")
        ),
        PythonFault::NoModule => format!(
            "no directory on sys.path of the interpreter that ran has a module {} that it could import. An \
             extension module for another Python or another system does not count.",
            module("that name")
        ),
    }
}
