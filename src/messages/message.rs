//! What a message of a loader, of Python or of TensorFlow says, as data.

use crate::findings::finding::Cause;
use crate::knowledge::saying::Saying;
use schemars::JsonSchema;
use serde::Serialize;

/// Who speaks.
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
    /// Another program or library, in words of its own.
    Program,
}

/// What a message says. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// No file was found for the name of a library.
    LibraryNotFound,
    /// The file that was named with its path is not there.
    ObjectNotFound,
    /// The file exists, but is not a library that the loader can map.
    ObjectUnreadable,
    /// The file is for another processor, or another number of bits.
    WrongArchitecture,
    /// The library is there, without a version of its symbols.
    VersionNotFound,
    /// The library is there, without a symbol.
    SymbolNotFound,
    /// There is no space left for static thread-local storage.
    StaticTls,
    /// The stack may not be made executable.
    ExecStack,
    /// A Mach-O file has no signature that holds.
    BadSignature,
    /// A Mach-O file has a search path entry twice.
    DuplicateRpath,
    /// A library that is opened at run time could not be loaded.
    GpuLibraryNotLoaded,
    /// TensorFlow continues without a GPU, since libraries could not be loaded.
    GpuLibrariesNotLoaded,
    /// There is no graphics driver, or it does not answer.
    DriverNotFound,
    /// TensorRT was not found, which nothing needs.
    #[serde(rename = "tensorrt_not_found")]
    TensorRtNotFound,
    /// A data file or program was not found: libdevice, ptxas.
    DataNotFound,
    /// The interpreter knows no module of that name.
    ModuleNotFound,
    /// A module is there, without a name that is imported from it.
    NameNotFound,
    /// A module was built for another release of a distribution than the one that is there.
    DistributionsDoNotFit,
    /// dyld passes over an entry of a search path.
    RpathIgnored,
    /// A line that looks like a failure and is none.
    Harmless,
    /// The program that a script names as its interpreter is not there.
    InterpreterNotFound,
}

/// How much a message matters, by its words alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Weight {
    /// An import or a program fails.
    Fails,
    /// It goes on with less than it could have.
    GoesOn,
    /// Nothing is wrong.
    Harmless,
}

/// A place that dyld looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tried {
    /// The candidate.
    pub path: Vec<u8>,
    /// Why it would not do, in dyld's words.
    pub note: Vec<u8>,
}

/// One message, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// What it says.
    pub kind: Kind,
    /// Who says it.
    pub speaker: Speaker,
    /// The object that needs something, or that is itself at fault: a path or a name.
    pub object: Option<Vec<u8>>,
    /// The library or file that is needed, or the one that lacks something.
    pub library: Option<Vec<u8>>,
    /// The symbol, or the name that is imported.
    pub symbol: Option<Vec<u8>>,
    /// The version that is needed.
    pub version: Option<Vec<u8>>,
    /// The Python module.
    pub module: Option<Vec<u8>>,
    /// The entry of a search path, or the interpreter of a script.
    pub entry: Option<Vec<u8>>,
    /// The row of the table of sayings, where the words are there.
    pub saying: Option<&'static Saying>,
    /// The places that dyld looked at, in order.
    pub tried: Vec<Tried>,
    /// The Python file of the nearest line of a traceback before it.
    pub near: Option<Vec<u8>>,
    /// The words themselves, cut where they are very long.
    pub words: Vec<u8>,
    /// Does the text name files of Nix, whose programs search no directory of the system?
    pub in_nix: bool,
    /// The number of its first line, from 1 on.
    pub line: usize,
    /// How often it was said.
    pub times: usize,
}

impl Message {
    /// Do its words contain these?
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

    /// What is named beside the object and the library: symbol, version, module, entry.
    pub fn names(&self) -> impl Iterator<Item = &[u8]> {
        [&self.symbol, &self.version, &self.module, &self.entry]
            .into_iter()
            .flatten()
            .map(Vec::as_slice)
    }

    /// Do two messages say the same?
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.kind == other.kind
            && (&self.object, &self.library) == (&other.object, &other.library)
            && self.saying == other.saying
            && self.names().eq(other.names())
    }

    /// The most likely cause, by the words alone; `None` if nothing is wrong.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.causes().first().copied()
    }
}
