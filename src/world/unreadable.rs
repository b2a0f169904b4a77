//! Places in a target that could not be read as what they seem to be.

use crate::bytes::{self, Source as _, shown};
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
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The object is malformed.
    #[error("{0}")]
    Malformed(#[from] bytes::Error),
    /// A file that is longer than any of its kind.
    #[error(transparent)]
    TooLong(#[from] TooLong),
    /// A file that is named as a shared object and is something else.
    #[error("it is named as a shared object, and {0}")]
    NoObject(&'static str),
    /// A text in the place of a link to a file that is there: archives without links, and copies that do
    /// not know them, leave those.
    #[error("it is a text with the name of {}, in the place of a link", shown(.0))]
    Flattened(PathBuf),
    /// What Git LFS leaves in the place of a large file.
    #[error("it is a pointer of Git LFS, and not the object itself")]
    LfsPointer,
    /// A link to a file that is not there.
    #[error("it is a link to {}, which is not there", shown(.0))]
    Dangling(PathBuf),
    /// A link that leads back to itself.
    #[error("it is a link that leads back to itself")]
    Loop,
}

impl Why {
    /// What cures it.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Io(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                "run tfpatch as a user who may read it"
            }
            Self::LfsPointer => {
                "git lfs pull in the repository that it comes from, or install from a package index"
            }
            Self::Dangling(_) | Self::Loop => "install the distribution again, or remove the link",
            Self::Io(_)
            | Self::TooLong(_)
            | Self::Malformed(_)
            | Self::NoObject(_)
            | Self::Flattened(_) => "install the distribution again",
        }
    }
}

/// The longest text that is taken for a link: Linux's `NAME_MAX`, and some directories before it.
const MAX_LINK_BYTES: u64 = 1024;

/// What a file that was a link names, where it holds nothing but the relative path of another file that
/// is there.
#[must_use]
pub fn flattened_link(vfs: &dyn Vfs, path: &Path) -> Option<PathBuf> {
    let source = vfs.open(path).ok()?;
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
