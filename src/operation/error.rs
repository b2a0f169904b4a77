//! What can go wrong with an operation: each error names the file, and the cure.

use super::refusal::Refusal;
use schemars::JsonSchema;
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
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, thiserror::Error, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
pub enum Change {
    /// It is not there.
    #[error("it is gone")]
    Gone,
    /// It is no regular file, or another link than was recorded.
    #[error("it is another kind of file")]
    OtherKind,
    /// It has another length.
    #[error("it has {found} bytes, expected {expected}")]
    Size {
        /// The recorded length in bytes.
        expected: u64,
        /// The length it has.
        found: u64,
    },
    /// Its bytes differ in the recorded ranges.
    #[error("{}its digest is {found}, expected {expected}", from(*.at))]
    Digest {
        /// Offset of the first byte that is not the one that was written there; none where all that
        /// was written is there, and something around it differs.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
        /// The recorded digest.
        expected: String,
        /// The digest it has; "unreadable" where the bytes cannot be read.
        found: String,
    },
    /// Its bytes differ outside of the edits, so that the old ones cannot be given back whole.
    #[error("its bytes differ outside of the edits; its digest is {found}, expected {expected}")]
    Outside {
        /// The recorded digest of the whole file.
        expected: String,
        /// The digest it has; "unreadable" where the bytes cannot be read.
        found: String,
    },
    /// An undo record would change more of it than an edit of search paths does.
    #[error("the undo record would change more than a search path: {why}")]
    Forbidden {
        /// What would change.
        why: String,
    },
    /// It is as these operations left it, which came after the one that was to be put back.
    #[error(
        "{} changed it afterwards; revert {} first",
        operations.join(", "),
        if operations.len() == 1 { "that" } else { "them, in this order," }
    )]
    Later {
        /// Their IDs, the newest first.
        operations: Vec<String>,
    },
}

fn from(at: Option<u64>) -> String {
    at.map(|at| format!("its bytes are others from offset {at:#x} on; ")).unwrap_or_default()
}

/// Why an operation did not take place.
///
/// Except for [`Error::Stopped`], nothing of the target was written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A system call failed.
    #[error(transparent)]
    Path(#[from] PathError),
    /// A store lies above or beneath the one that was asked for.
    #[error(
        "the store {store:?} would be nested with {other:?}; name that one's directory instead"
    )]
    NestedStore {
        /// The directory that was asked for.
        store: PathBuf,
        /// The directory of the other store.
        other: PathBuf,
    },
    /// Another tfpatch holds the store.
    #[error("another tfpatch{} works on {store:?}; wait until it has ended", with_pid(*.pid))]
    Locked {
        /// The store's directory.
        store: PathBuf,
        /// The other's process ID, if it is known.
        pid: Option<u32>,
    },
    /// An operation was interrupted, and is neither finished nor rolled back.
    #[error(
        "operation {id} in {store:?} was interrupted; `tfpatch fix` or `tfpatch revert`, without \
         --dry-run, finishes it or takes it back"
    )]
    Pending {
        /// The store's directory.
        store: PathBuf,
        /// The operation's ID.
        id: String,
    },
    /// An operation on another target was interrupted, whose record lies in the same store.
    #[error(
        "operation {id} on {target:?} was interrupted, and its backups are in {store:?} too; run \
         tfpatch revert on that target first"
    )]
    PendingElsewhere {
        /// The store's directory.
        store: PathBuf,
        /// The operation's ID.
        id: String,
        /// The target that it was about.
        target: PathBuf,
    },
    /// A record of the store cannot be understood.
    #[error("the undo record {path:?} cannot be used: {why}; restore it, or move it away")]
    Record {
        /// The record's file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A path leads out of the target.
    #[error("{path:?} leads out of {root:?}; run tfpatch on the tree that it lies in")]
    Outside {
        /// The path.
        path: PathBuf,
        /// The target's root.
        root: PathBuf,
    },
    /// The file is not the one that the plan was made for.
    #[error("{path:?} is not as the plan expects: {change}; plan again")]
    Changed {
        /// The file.
        path: PathBuf,
        /// What differs.
        change: Change,
    },
    /// Somebody else changed the file, or the way to it, while tfpatch was running.
    #[error("{path:?} changed while tfpatch was running; run it again")]
    Overtaken {
        /// The file.
        path: PathBuf,
    },
    /// The store is not one that this user may rely on.
    #[error("the backups in {store:?} are not used: {why}")]
    ForeignStore {
        /// The directory `.tfpatch`, or what stands in its place.
        store: PathBuf,
        /// Whose it is, or what it is.
        why: String,
    },
    /// A store is used for reading alone.
    #[error("the backups in {store:?} belong to root; run tfpatch as root to change them")]
    ReadOnlyStore {
        /// The directory `.tfpatch`.
        store: PathBuf,
    },
    /// The plan contradicts itself.
    #[error("the plan's step for {path:?} is wrong: {why}; plan again")]
    Inconsistent {
        /// The file.
        path: PathBuf,
        /// The contradiction.
        why: &'static str,
    },
    /// The file is not written.
    #[error("{path:?} {why}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why, and the cure.
        why: Refusal,
    },
    /// There is no room for the new files.
    #[error(
        "the file system of {path:?} has {available} bytes left, {needed} are needed; make room"
    )]
    NoSpace {
        /// A file on the file system.
        path: PathBuf,
        /// Bytes that the operation needs there.
        needed: u64,
        /// Bytes that are free.
        available: u64,
    },
    /// No such operation.
    #[error("the store {store:?} has no operation {id:?}; `tfpatch log` lists them")]
    NoOperation {
        /// The store's directory.
        store: PathBuf,
        /// The ID that was asked for.
        id: String,
    },
    /// A step failed.
    #[error(
        "operation {id} stopped: {cause}; {}",
        if rest.is_none() { "every file is as it was before" }
        else { "run tfpatch again to put every file back" }
    )]
    Stopped {
        /// The operation's ID.
        id: String,
        /// What failed.
        cause: Box<Error>,
        /// Why rolling back failed too, if it did: the operation is pending then.
        rest: Option<Box<Error>>,
    },
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

fn with_pid(pid: Option<u32>) -> String {
    pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default()
}
