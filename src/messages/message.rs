//! The content of a message from a loader, Python or TensorFlow, as data.

use crate::findings::evidence::Release;
use crate::findings::finding::Cause;
use crate::knowledge::saying::Saying;
use schemars::JsonSchema;
use serde::Serialize;

/// The source of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// `ld.so` of the GNU C library.
    Glibc,
    /// `ld.so` of musl.
    Musl,
    /// The loader of macOS.
    Dyld,
    /// The interpreter, or the shell that starts it.
    Python,
    /// TensorFlow.
    Tensorflow,
    /// Another program or library, with its own texts.
    Program,
}

/// The kind of a message. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No file was found for the name of a library.
    LibraryNotFound,
    /// The file that was named with its path does not exist.
    ObjectNotFound,
    /// The file exists, but is not a library that the loader can map.
    ObjectUnreadable,
    /// The file is for another processor, or for another word size.
    WrongArchitecture,
    /// The library exists, but lacks a symbol version.
    VersionNotFound,
    /// The library exists, but lacks a symbol.
    SymbolNotFound,
    /// There is no space left for static thread-local storage.
    StaticTls,
    /// The stack must not become executable.
    ExecStack,
    /// A Mach-O file has no valid signature.
    BadSignature,
    /// A Mach-O file has a duplicate search path entry.
    DuplicateRpath,
    /// A library that is opened at run time could not be loaded.
    GpuLibraryNotLoaded,
    /// TensorFlow continues without a GPU, because libraries could not be loaded.
    GpuLibrariesNotLoaded,
    /// There is no graphics driver, or it does not respond.
    DriverNotFound,
    /// TensorRT was not found, which is harmless.
    #[serde(rename = "tensorrt_not_found")]
    TensorRtNotFound,
    /// A data file or program was not found: libdevice, ptxas.
    DataNotFound,
    /// The interpreter found no module with this name.
    ModuleNotFound,
    /// A module exists, but lacks a name that is imported from it.
    NameNotFound,
    /// A module was built for another release of a distribution than the installed one.
    DistributionsDoNotFit,
    /// dyld ignores an entry of a search path.
    RpathIgnored,
    /// A line that looks like a failure, but is not one.
    Harmless,
    /// The interpreter of a script does not exist.
    InterpreterNotFound,
}

/// The severity according to the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// An import or a program fails.
    Fails,
    /// The program continues with reduced functionality.
    GoesOn,
    /// Nothing is wrong.
    Harmless,
}

/// A location that dyld searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The candidate path.
    pub path: Vec<u8>,
    /// The reason for rejecting it, in the words of dyld.
    pub note: Vec<u8>,
}

/// A parsed message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Its kind.
    pub kind: Kind,
    /// Its source.
    pub speaker: Speaker,
    /// The object that needs something, or that has the problem itself: a path or a name.
    pub object: Option<Vec<u8>>,
    /// The library or file that is needed, or that lacks something.
    pub library: Option<Vec<u8>>,
    /// The symbol, or the imported name.
    pub symbol: Option<Vec<u8>>,
    /// The required version.
    pub version: Option<Vec<u8>>,
    /// The Python module.
    pub module: Option<Vec<u8>>,
    /// The entry of a search path, or the interpreter of a script.
    pub entry: Option<Vec<u8>>,
    /// The row of the table of sayings, if it matches.
    pub saying: Option<&'static Saying>,
    /// The locations that dyld searched, in order.
    pub tried: Vec<Tried>,
    /// The Python file in the nearest traceback line before it.
    pub near: Option<Vec<u8>>,
    /// The installed distribution that the object or the module belongs to, if the message was checked in an
    /// environment.
    pub installed: Option<Release>,
    /// The text of the message, truncated if it is very long.
    pub words: Vec<u8>,
    /// Does the text name files of Nix, whose programs do not search directories of the system?
    pub in_nix: bool,
    /// The number of its first line, counted from 1.
    pub line: usize,
    /// The number of occurrences.
    pub times: usize,
}

impl Message {
    /// Does its text contain this?
    pub(crate) fn says(&self, words: &[u8]) -> bool {
        memchr::memmem::find(&self.words, words).is_some()
    }

    pub(super) fn new(speaker: Speaker, kind: Kind) -> Self {
        Self {
            kind,
            speaker,
            object: None,
            library: None,
            symbol: None,
            version: None,
            module: None,
            entry: None,
            saying: None,
            tried: Vec::new(),
            near: None,
            installed: None,
            words: Vec::new(),
            in_nix: false,
            line: 0,
            times: 1,
        }
    }

    pub(super) fn object(self, object: &[u8]) -> Self {
        Self { object: Some(object.to_vec()), ..self }
    }

    pub(super) fn library(self, library: &[u8]) -> Self {
        Self { library: Some(library.to_vec()), ..self }
    }

    pub(super) fn symbol(self, symbol: &[u8]) -> Self {
        Self { symbol: Some(symbol.to_vec()), ..self }
    }

    pub(super) fn version(self, version: Option<&[u8]>) -> Self {
        Self { version: version.map(<[u8]>::to_vec), ..self }
    }

    pub(super) fn module(self, module: &[u8]) -> Self {
        Self { module: Some(module.to_vec()), ..self }
    }

    pub(super) fn entry(self, entry: &[u8]) -> Self {
        Self { entry: Some(entry.to_vec()), ..self }
    }

    /// The details besides the object and the library: symbol, version, module, entry.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        [&self.symbol, &self.version, &self.module, &self.entry]
            .into_iter()
            .flatten()
            .map(Vec::as_slice)
    }

    /// Do two messages have the same content?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (&self.object, &self.library) == (&other.object, &other.library)
            && self.saying == other.saying
            && self.names().eq(other.names())
    }

    /// The most likely cause according to the message; `None` if nothing is wrong.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.causes().first().copied()
    }
}
