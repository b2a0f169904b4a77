//! What a file of Python source imports and opens, read by a parser and never executed.
//!
//! Files of shared objects do not show whether a program works without one of them. The code that imports
//! it does, by a `try` around the import. What is read: imports, and calls by which Python code opens a
//! shared object ([`ctypes`](https://docs.python.org/3/library/ctypes.html), cffi, NumPy's `ctypeslib`,
//! and `load_library` and `load_op_library` of PyTorch and TensorFlow), each with its context.
//!
//! Sources are hostile input. A parser by recursive descent overflows its stack on deep nesting, so that
//! what is nested deeply is not parsed (the `nesting` module), and the rest on a thread with a large stack.

mod calls;
mod conditions;
mod constants;
mod existence;
mod guards;
pub mod mappings;
pub mod markers;
mod nesting;
mod reader;
mod reroutes;
mod text;

pub use self::conditions::Holds;

pub use calls::{OPENERS, may_open};

use std::fmt;
use std::path::PathBuf;
use std::thread;

/// The longest file that is read: the longest that people write by hand have half of that, and
/// generated tables are of no use.
pub const MAX_FILE_BYTES: u64 = 2 << 20;

/// The stack of the thread that parses, in bytes. Files that the `nesting` module accepts need a part of
/// it, even without optimisation.
const STACK_BYTES: usize = 64 << 20;

/// The content of a file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Source {
    /// Its imports, in order.
    pub imports: Vec<Import>,
    /// The shared objects that it opens, in order.
    pub openings: Vec<Opening>,
    /// Constants that look like names of libraries and are passed to any function.
    pub handed: Vec<String>,
    /// The names of libraries that are passed to `ctypes.util.find_library`, which searches the system, or to a
    /// function of that name with underscores.
    pub searched: Vec<(String, Standing)>,
    /// The strings in conditions that ask whether a file exists, and continue without it.
    pub optional: Vec<String>,
    /// The statements after which modules may come from elsewhere than the directories of packages.
    pub reroutes: Vec<Reroute>,
}

/// A statement that changes where modules come from, and is reached when the file is imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reroute {
    /// The line after which it counts, from 1.
    pub line: u32,
    /// The one module that it is about; `None` if it may be any.
    pub module: Option<String>,
}

/// An import of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// How many packages up the name begins: 0 for a name from the top.
    pub level: u32,
    /// The name of the module, with dots; empty for the package itself.
    pub module: String,
    /// Is this only the beginning of the name, and the rest not known?
    pub is_start: bool,
    /// The names that are imported from it, each of which may be a module as well.
    pub names: Vec<String>,
    /// Its context.
    pub standing: Standing,
}

/// A call that opens a shared object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What it opens.
    pub what: Opened,
    /// Its context.
    pub standing: Standing,
}

/// What a call opens, as far as constants show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// A name without a slash, which the loader searches for.
    Name(String),
    /// A path from the root.
    Path(PathBuf),
    /// A path relative to the directory of the source file.
    Beside(PathBuf),
    /// A file of that name, in a directory that is not known.
    Somewhere(String),
    /// What `ctypes.util.find_library` finds for a name.
    Found(String),
    /// Files of a listed directory: the pattern of their names with the path before it as far as that is
    /// known, and whether the path begins at the directory of the source file.
    Listed(Option<(PathBuf, bool)>),
    /// A library of an installed package of NVIDIA, which `cuda.pathfinder` finds by its own tables.
    Installed,
    /// Something else.
    Unknown,
}

impl Opened {
    /// The name of the file, if known.
    #[must_use]
    pub fn file_name(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Somewhere(name) => Some(name),
            Self::Path(path) | Self::Beside(path) => path.file_name()?.to_str(),
            Self::Found(_) | Self::Listed(_) | Self::Installed | Self::Unknown => None,
        }
    }
}

/// The context of an import or a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The line, from 1.
    pub line: u32,
    /// When it is reached.
    pub when: When,
    /// The line from which it is reached when the file is imported: its own, or the one that calls the function
    /// that contains it.
    pub reached: u32,
    /// Does it depend on a condition that may not hold on this system?
    pub is_conditional: bool,
    /// Can a call of the enclosing function end before it, after a `return`, in a method or a generator; or is it in
    /// a loop over what is not known, and may be nothing?
    pub may_be_skipped: bool,
    /// Is an `ImportError` caught, and not raised again?
    pub catches_import_error: bool,
    /// May an `ImportError` be caught which says that the module is not installed? It may if there is a
    /// handler for it that does not end by raising an error.
    pub may_be_caught: bool,
    /// Is an `OSError` caught, and not raised again?
    pub catches_os_error: bool,
}

impl Standing {
    /// Is it reached whenever the file is imported, by what is there or by a function that the file calls?
    #[must_use]
    pub fn is_sure(self) -> bool {
        let is_reached = matches!(self.when, When::Always | When::Conditionally);
        is_reached && !self.is_conditional && !self.may_be_skipped
    }
}

/// When a statement is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// Whenever the file is imported.
    Always,
    /// When the file is imported, and a condition holds.
    Conditionally,
    /// When a function is called.
    Called,
    /// Never: it is for type checkers.
    Never,
}

/// Why a file is not read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unread {
    /// It is longer than [`MAX_FILE_BYTES`].
    TooLong,
    /// Its encoding is not known, or the file does not match it (PEP 263).
    Encoding,
    /// It is nested more deeply than code that people write.
    TooDeep,
    /// It is not valid in a current Python.
    Syntax,
}

impl fmt::Display for Unread {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(to, "it has more than {} MiB", MAX_FILE_BYTES >> 20),
            Self::Encoding => to.write_str("its encoding is unknown, or it contains other bytes"),
            Self::TooDeep => to.write_str("it is nested too deeply"),
            Self::Syntax => to.write_str("it is not Python 3"),
        }
    }
}

/// Reads files, in order.
#[must_use]
pub fn read(files: &[&[u8]]) -> Vec<Result<Source, Unread>> {
    let all = || files.iter().map(|file| read_one(file)).collect();
    // If no thread can be started, nothing is read, and nothing is known.
    let nothing = || files.iter().map(|_| Err(Unread::Syntax)).collect();
    on_parser_thread(all).unwrap_or_else(nothing)
}

/// The result of a function that parses, on a thread with a large stack; `None` if there is no such thread.
fn on_parser_thread<T: Send>(parses: impl FnOnce() -> T + Send) -> Option<T> {
    thread::scope(|scope| {
        let parser = thread::Builder::new().name("sources".to_owned()).stack_size(STACK_BYTES);
        parser.spawn_scoped(scope, parses).ok()?.join().ok()
    })
}

fn read_one(file: &[u8]) -> Result<Source, Unread> {
    if file.len() as u64 > MAX_FILE_BYTES {
        return Err(Unread::TooLong);
    }
    let text = text::decoded(file).ok_or(Unread::Encoding)?;
    if !nesting::is_bounded(&text) {
        return Err(Unread::TooDeep);
    }
    let parsed = ruff_python_parser::parse_module(&text).map_err(|_| Unread::Syntax)?;
    Ok(reader::read(&text, parsed.suite()))
}

#[cfg(test)]
mod tests;
