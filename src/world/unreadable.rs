//! Places in a target that could not be read as what they seem to be.

use crate::bytes::{self, shown};
use crate::python::TooLong;
use std::io;
use std::path::PathBuf;

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
            Self::Io(_) | Self::TooLong(_) | Self::Malformed(_) | Self::NoObject(_) => {
                "install the distribution again"
            }
        }
    }
}
