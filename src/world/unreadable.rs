//! Places in a target that could not be read as what they seem to be.

use crate::bytes::{self, Source};
use crate::python::TooLong;
use crate::vfs::{FileKind, Vfs};
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A place in the tree that could not be read as what it seems to be.
#[derive(Debug)]
pub struct Unreadable {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a place could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The operating system refused.
    Io(SystemError),
    /// The object is malformed.
    Malformed(bytes::Error),
    /// A file that is too long for its kind.
    TooLong(TooLong),
    /// It is named as a shared object and is something else.
    NoObject(Instead),
    /// A text in place of a link to an existing file, as archives and copies without support for links
    /// leave it.
    Flattened(PathBuf),
    /// What Git LFS leaves in place of a large file.
    LfsPointer,
    /// A link to a missing file.
    Dangling(PathBuf),
    /// A link that leads back to itself.
    Loop,
    /// Its file system is mounted `noexec`, so that its code cannot be mapped.
    NoExec,
    /// Its path contains a token such as `$LIB`, which the loader replaces in the paths that programs open.
    Token,
    /// The loader refuses to open it, with this message.
    Refused(String),
}

/// What a file is that is named as a shared object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    /// Nothing: it is empty.
    Empty,
    /// Zeros, as an interrupted write leaves them.
    Zeros,
    /// Neither an ELF nor a Mach-O file.
    Other,
}

/// What an operating system said, as data that can be compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemError {
    /// The kind of the error.
    pub kind: io::ErrorKind,
    /// The system's own words.
    pub said: String,
}

impl From<io::Error> for SystemError {
    fn from(error: io::Error) -> Self {
        Self { kind: error.kind(), said: error.to_string() }
    }
}

impl From<io::Error> for Why {
    fn from(error: io::Error) -> Self {
        Self::Io(error.into())
    }
}

impl From<bytes::Error> for Why {
    fn from(error: bytes::Error) -> Self {
        Self::Malformed(error)
    }
}

impl From<TooLong> for Why {
    fn from(error: TooLong) -> Self {
        Self::TooLong(error)
    }
}

/// The longest text that is regarded as a link: Linux's `NAME_MAX`, and some directories before it.
const MAX_LINK_BYTES: u64 = 1024;

/// What a file that was a link names, if it contains only the relative path of another existing file.
#[must_use]
pub fn flattened_link(vfs: &dyn Vfs, path: &Path) -> Option<PathBuf> {
    let source = vfs.open(path).ok()?;
    flattened(vfs, path, source.as_ref())
}

/// The same for a file that is already open.
pub(super) fn flattened(vfs: &dyn Vfs, path: &Path, source: &dyn Source) -> Option<PathBuf> {
    if source.is_empty() || source.len() > MAX_LINK_BYTES {
        return None;
    }
    let text = source.get(0..source.len())?;
    let text = text.trim_ascii_end();
    if text.is_empty() || text.starts_with(b"/") || text.iter().any(u8::is_ascii_control) {
        return None;
    }
    let named = PathBuf::from(OsStr::from_bytes(text));
    let target = path.parent()?.join(&named);
    let is_there = vfs.metadata(&target).is_ok_and(|found| found.kind == FileKind::File);
    (is_there && target != path).then_some(named)
}
