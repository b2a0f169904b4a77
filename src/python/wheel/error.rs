//! Why a wheel cannot be read or written: which member, and what is wrong with it.

use crate::bytes;
use std::io;

/// What is wrong with a wheel.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{why}", member.as_deref().map(|name| format!("{name}: ")).unwrap_or_default())]
pub struct Error {
    /// The member, as it is shown to people; `None` for the archive itself.
    pub member: Option<String>,
    /// What is wrong.
    pub why: Why,
}

/// What can be wrong with a wheel, and the fix if there is one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The file cannot be read.
    #[error("cannot read it: {0}")]
    Unreadable(String),
    /// Its new bytes cannot be written.
    #[error("cannot write it: {0}")]
    Unwritable(String),
    /// A structure of the archive extends beyond its end.
    #[error("it is truncated: {0}; download or build it again")]
    Malformed(#[from] bytes::Error),
    /// It does not end as a zip archive does.
    #[error(
        "it does not end like a zip archive: it is truncated, or not a wheel; download it again"
    )]
    NoEnd,
    /// The central directory is malformed.
    #[error("{0}; download or build it again")]
    Directory(&'static str),
    /// The local header or the descriptor after the data differs from the directory.
    #[error("its local header and the central directory differ in {0}; rebuild the wheel")]
    Differs(&'static str),
    /// It is encrypted.
    #[error(
        "it is encrypted, which installers do not support; rebuild the wheel without encryption"
    )]
    Encrypted,
    /// It is a symbolic link.
    #[error(
        "it is a symlink, which installers turn into a text file; rebuild the wheel without it"
    )]
    Link,
    /// It is a duplicate.
    #[error("it is contained twice, and installers may use either; rebuild the wheel")]
    Twice,
    /// It overlaps another member.
    #[error("it overlaps {0}; rebuild the wheel")]
    Overlap(String),
    /// Its path leads out of the wheel.
    #[error("its path points outside the wheel; do not install this wheel")]
    Outside,
    /// Its path is a directory of another member's.
    #[error("another member uses it as a directory; rebuild the wheel")]
    FileAndDirectory,
    /// It claims to inflate to more than any real file.
    #[error("{packed} bytes expand to {size}, which is not plausible; do not install this wheel")]
    Bomb {
        /// Length in the archive, in bytes.
        packed: u64,
        /// Length when inflated, in bytes.
        size: u64,
    },
    /// Its compression is not supported.
    #[error("it is compressed with method {0}; tfpatch supports stored and deflated members only")]
    Method(u16),
    /// Its inflated bytes do not match the directory.
    #[error("its bytes are damaged: {0}; download or build it again")]
    Damaged(&'static str),
    /// There is no `.dist-info` directory with a RECORD, or there are several.
    #[error("it has {0} NAME.dist-info directories with a RECORD; a wheel has exactly one")]
    DistInfo(usize),
    /// The RECORD is signed, and cannot be replaced.
    #[error(
        "an edit would invalidate the signature of RECORD; sign the wheel after the repair, or remove the signature \
         first"
    )]
    Signed,
    /// It becomes too large for a field of the archive.
    #[error("it would become too large for a 32-bit field; rebuild the wheel with zip64")]
    TooLarge,
}

impl From<Why> for Error {
    fn from(why: Why) -> Self {
        Self { member: None, why }
    }
}

impl From<bytes::Error> for Error {
    fn from(error: bytes::Error) -> Self {
        Why::from(error).into()
    }
}

impl From<Error> for io::Error {
    /// The code that opens a member knows its path.
    fn from(error: Error) -> Self {
        Self::new(io::ErrorKind::InvalidData, error.why)
    }
}
