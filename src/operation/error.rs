//! The errors of operations, as data. Their texts are in the report.

use super::distrust::{Distrust, Unusable};
use super::refusal::Refusal;
use super::unpermitted::Unpermitted;
use std::io;
use std::path::{Path, PathBuf};

/// A failed system call and its file.
#[derive(Debug, thiserror::Error)]
#[error("cannot {operation} {path:?}: {source}")]
pub struct PathError {
    /// The attempted action, as a verb.
    pub operation: &'static str,
    /// The file.
    pub path: PathBuf,
    /// The error of the operating system.
    pub source: io::Error,
}

impl PathError {
    pub(super) fn new(operation: &'static str, path: &Path, source: impl Into<io::Error>) -> Self {
        Self { operation, path: path.to_path_buf(), source: source.into() }
    }
}

/// How a file differs from its recorded state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// It does not exist.
    Gone,
    /// It is not a regular file, or a different link than recorded.
    OtherKind,
    /// Its length differs.
    Size {
        /// The recorded length in bytes.
        expected: u64,
        /// The current length in bytes.
        found: u64,
    },
    /// Its bytes differ in the recorded ranges.
    Digest {
        /// The offset of the first byte that differs from what was written; `None` if everything that was
        /// written is still there, and something around it differs.
        at: Option<u64>,
        /// The recorded digest.
        expected: String,
        /// The current digest; "unreadable" if the bytes cannot be read.
        found: String,
    },
    /// Its bytes differ outside the edits, so that the old content cannot be restored completely.
    Outside {
        /// The recorded digest of the whole file.
        expected: String,
        /// The current digest; "unreadable" if the bytes cannot be read.
        found: String,
    },
    /// An undo record would change more of it than an edit can.
    Forbidden {
        /// What the record would change.
        what: Unpermitted,
    },
    /// These operations changed it after the one that is to be reverted.
    Later {
        /// Their IDs, newest first.
        operations: Vec<String>,
    },
}

/// The reason why an operation did not take place.
///
/// Nothing of the target was written, except in the case of [`Error::Stopped`].
#[derive(Debug)]
pub enum Error {
    /// A system call failed.
    Path(PathError),
    /// There is a store above or below the requested directory.
    NestedStore {
        /// The requested directory.
        store: PathBuf,
        /// The directory of the other store.
        other: PathBuf,
    },
    /// Another tfpatch holds the store.
    Locked {
        /// The store's directory.
        store: PathBuf,
        /// The process ID of the other tfpatch, if known.
        pid: Option<u32>,
    },
    /// An operation was interrupted, and is neither completed nor rolled back.
    Pending {
        /// The store's directory.
        store: PathBuf,
        /// The operation's ID.
        id: String,
    },
    /// An operation on another target was interrupted, and its record is in the same store.
    PendingElsewhere {
        /// The store's directory.
        store: PathBuf,
        /// The operation's ID.
        id: String,
        /// The target of that operation.
        target: PathBuf,
    },
    /// A record of the store is invalid.
    Record {
        /// The record's file.
        path: PathBuf,
        /// The reason.
        why: Unusable,
    },
    /// A path leads outside the target.
    Outside {
        /// The path.
        path: PathBuf,
        /// The target's root.
        root: PathBuf,
    },
    /// The file differs from the one that the plan was made for.
    Changed {
        /// The file.
        path: PathBuf,
        /// The difference.
        change: Change,
    },
    /// Another program changed the file, or a directory or link in its path, while tfpatch was running.
    Overtaken {
        /// The file.
        path: PathBuf,
    },
    /// Another program moved the file, or its directory, after it was edited in place.
    Moved {
        /// The name under which the file was edited.
        path: PathBuf,
    },
    /// The file must be edited in place, but another process may have it open.
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// This user must not rely on the store.
    ForeignStore {
        /// The path `.tfpatch`, whatever it is.
        store: PathBuf,
        /// The reason.
        why: Distrust,
    },
    /// The store was opened for reading only.
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
    /// The file cannot be edited.
    Refused {
        /// The file.
        path: PathBuf,
        /// The reason.
        why: Refusal,
    },
    /// There is not enough space for the new files.
    NoSpace {
        /// A file on the file system.
        path: PathBuf,
        /// The bytes that the operation needs there.
        needed: u64,
        /// The free bytes.
        available: u64,
    },
    /// There is no such operation.
    NoOperation {
        /// The store's directory.
        store: PathBuf,
        /// The requested ID.
        id: String,
    },
    /// A step failed.
    Stopped {
        /// The operation's ID.
        id: String,
        /// The error.
        cause: Box<Error>,
        /// The error of the rollback, if that failed too. The operation is pending then.
        rest: Option<Box<Error>>,
    },
}

/// The contradiction in a plan, or between the plan and a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Contradiction {
    /// It was made by another version of tfpatch.
    OtherVersion,
    /// Two steps edit the same file.
    EditedTwice,
    /// A name that the plan declares as another name of the file is not one.
    Alias,
    /// A link that leads outside the target has other names.
    LinkWithAliases,
    /// The edits are for a file of another length.
    OtherLength,
    /// The edits do not produce the file that the step declares.
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

    /// Did another program change a file in the meantime, so that a new plan may succeed?
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
