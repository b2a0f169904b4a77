//! What can go wrong with an operation, as data. The words are the report's.

use super::distrust::{Distrust, Unusable};
use super::refusal::Refusal;
use super::unpermitted::Unpermitted;
use std::io;
use std::path::{Path, PathBuf};

/// A system call that failed, and on which file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path:?}: {source}")]
pub struct PathError {
    /// What was to be done, as a verb.
    pub operation: &'static str,
    /// The file.
    pub path: PathBuf,
    /// What the operating system says.
    pub source: io::Error,
}

impl PathError {
    pub(super) fn new(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self { operation, path: path.to_path_buf(), source: source.into() }
    }
}

/// How a file differs from what was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It is not there.
    Gone,
    /// It is not a regular file, or is a different link than was recorded.
    OtherKind,
    /// It has another length.
    Size {
        /// The recorded length in bytes.
        expected: u64,
        /// The length it has.
        found: u64,
    },
    /// Its bytes differ in the recorded ranges.
    Digest {
        /// Offset of the first byte that is not the one that was written there; none where all that
        /// was written is there, and something around it differs.
        at: Option<u64>,
        /// The recorded digest.
        expected: String,
        /// The digest it has; "unreadable" where the bytes cannot be read.
        found: String,
    },
    /// Its bytes differ outside of the edits, so that the old ones cannot be given back whole.
    Outside {
        /// The recorded digest of the whole file.
        expected: String,
        /// The digest it has; "unreadable" where the bytes cannot be read.
        found: String,
    },
    /// An undo record would change more of it than an edit does.
    Forbidden {
        /// What would change.
        what: Unpermitted,
    },
    /// These operations changed it after the one that is to be reverted.
    Later {
        /// Their IDs, the newest first.
        operations: Vec<String>,
    },
}

/// Why an operation did not take place.
///
/// Except for [`Error::Stopped`], nothing of the target was written.
#[derive(Debug)]
pub enum Error {
    /// A system call failed.
    Path(PathError),
    /// A store lies above or beneath the one that was asked for.
    NestedStore {
        /// The directory that was asked for.
        store: PathBuf,
        /// The directory of the other store.
        other: PathBuf,
    },
    /// Another tfpatch holds the store.
    Locked {
        /// The store's directory.
        store: PathBuf,
        /// The other's process ID, if it is known.
        pid: Option<u32>,
    },
    /// An operation was interrupted, and is neither finished nor rolled back.
    Pending {
        /// The store's directory.
        store: PathBuf,
        /// The operation's ID.
        id: String,
    },
    /// An operation on another target was interrupted, whose record lies in the same store.
    PendingElsewhere {
        /// The store's directory.
        store: PathBuf,
        /// The operation's ID.
        id: String,
        /// The target that it was about.
        target: PathBuf,
    },
    /// A record of the store cannot be understood.
    Record {
        /// The record's file.
        path: PathBuf,
        /// What is wrong with it.
        why: Unusable,
    },
    /// A path leads out of the target.
    Outside {
        /// The path.
        path: PathBuf,
        /// The target's root.
        root: PathBuf,
    },
    /// The file is not the one that the plan was made for.
    Changed {
        /// The file.
        path: PathBuf,
        /// What differs.
        change: Change,
    },
    /// Somebody else changed the file, or the way to it, while tfpatch was running.
    Overtaken {
        /// The file.
        path: PathBuf,
    },
    /// Somebody else moved the file, or its directory, after it had been edited in place.
    Moved {
        /// The name under which the file was edited.
        path: PathBuf,
    },
    /// The file was to be edited in place, and another process may have it open.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The store is not one that this user may rely on.
    ForeignStore {
        /// The directory `.tfpatch`, or what stands in its place.
        store: PathBuf,
        /// Whose it is, or what it is.
        why: Distrust,
    },
    /// A store is used for reading alone.
    ReadOnlyStore {
        /// The directory `.tfpatch`.
        store: PathBuf,
    },
    /// The plan contradicts itself.
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        why: Contradiction,
    },
    /// The file is not written.
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        why: Refusal,
    },
    /// There is no room for the new files.
    NoSpace {
        /// A file on the file system.
        path: PathBuf,
        /// Bytes that the operation needs there.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// No such operation.
    NoOperation {
        /// The store's directory.
        store: PathBuf,
        /// The ID that was asked for.
        id: String,
    },
    /// A step failed.
    Stopped {
        /// The operation's ID.
        id: String,
        /// What failed.
        cause: Box<Error>,
        /// Why rolling back failed too, if it did: the operation is pending then.
        rest: Option<Box<Error>>,
    },
}

/// In what a plan contradicts itself, or the file that it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// It is of another version of tfpatch.
    OtherVersion,
    /// Two steps edit the same file.
    EditedTwice,
    /// What is said to be another name of the file is none.
    Alias,
    /// A link that leaves the target has other names.
    LinkWithAliases,
    /// The edits are for a file of another length.
    OtherLength,
    /// The edits do not lead to the file that the step says it leaves.
    OtherOutcome,
}

impl From<PathError> for Error {
    fn from(error: PathError) -> Self {
        Self::Path(error)
    }
}

impl Error {
    pub(super) fn refused(path: &Path, why: Refusal) -> Self {
        Self::Refused { path: path.to_path_buf(), why }
    }

    /// Did somebody else change a file meanwhile, so that planning again may help?
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        match self {
            Self::Overtaken { .. } | Self::Changed { .. } => true,
            Self::Path(error) => error.source.kind() == io::ErrorKind::NotFound,
            Self::Stopped { cause, rest: None, .. } => cause.is_overtaken(),
            _ => false,
        }
    }
}
