//! The only code that writes to a target: it carries out plans, keeps undo records, and restores the old
//! bytes.
//!
//! # The store
//!
//! ```text
//! .tfpatch/
//!   .gitignore                            `*`
//!   lock                                  locked with flock(2) while an operation runs
//!   operations/
//!     0001-53c1a7b0e4d2.json              an operation that took place
//!     0001-53c1a7b0e4d2.old                 old bytes that are too many for a record: of an archive
//!     room                                room for the record of a revert on a full disk
//!     0002-9f0be1d3a865.pending.json      one that is running, or was interrupted
//!     0002-….abandoned.json               one that was rolled back except for files that
//!                                         something else had changed meanwhile
//! ```
//!
//! For every file, a record contains its size and digests, its times, and the edits in both directions, which
//! takes some kilobytes. It also contains a digest of itself. Before the first byte of a file changes, the
//! record is written under a temporary name, synced, and renamed to `….pending.json`, and the directory is
//! synced. At the end it is renamed again. Its paths are relative to the directory that contains the store,
//! so that an environment can be copied together with its store; if the store is elsewhere, they are relative
//! to the root of the target.
//!
//! # What is trusted
//!
//! A record is treated as untrusted data about this target only. The location and the owner of a store are
//! checked ([`Store`]), and the bytes that a record restores must differ from the current ones by an edit
//! that tfpatch can reproduce, even if somebody else wrote the record. Root acts with the permissions of the
//! tree's owner. Modes, owners and attributes are taken from the existing file. `SECURITY.md` explains this on
//! one page.
//!
//! # How names are looked up
//!
//! Names are looked up once, directory by directory, and every directory stays open from then on. The path to
//! a file is part of the checked state: it is walked again before the first byte is written, and must end at
//! the checked file, with the same inode, length and modification time, and with the same bytes in the ranges
//! that the plan relies on.
//!
//! # What happens to a file
//!
//! A file is edited in place if it belongs to the target, has no names outside it, and loads after every
//! prefix of its edits. Otherwise a clone is written to `.tfpatch-ID-STEP-NAME.tmp` beside it, and exchanged
//! with each of its names. If the file that comes out of the exchange is not the expected one, it is
//! restored. A file is truncated in place only under a write lease, which proves that no other process has it
//! open. An interrupted operation is detected by its pending record: [`recover()`] examines the bytes of
//! every file, and completes the operation or rolls it back.
//!
//! # What is synced
//!
//! Each sync protects against a power cut immediately afterwards:
//!
//! | sync | without it |
//! |---|---|
//! | the store's directories, when they are created | the record in them is lost |
//! | the record, then its directory, before the first file | files are half edited, and no record shows it |
//! | in place, everything written so far, before existing bytes change | a header points to a tail that does not exist |
//! | in place, before the file is truncated | a header points to a tail that is gone |
//! | the file, at the end, including metadata | the operation counts as complete, and the file is old |
//! | a new file, before it is renamed | the file is empty |
//! | each directory of renamed files, once, at the end | the operation counts as complete, and the name refers to the old file |
//! | the store's directory, when the operation is complete | it looks interrupted, possibly much later |
//!
//! With [`Options::sync`] off, nothing is synced.

mod apply;
mod changes;
mod digest;
mod disk;
mod distrust;
mod drift;
mod error;
mod file_source;
mod free_space;
mod half_done;
mod history;
mod home;
mod intent;
mod journal;
mod lease;
mod lock;
mod metadata;
mod nesting;
mod old_bytes;
mod owner;
mod permitted;
mod preflight;
mod record_rows;
mod recover;
mod refusal;
mod revert;
mod rights;
mod room;
mod shipped;
mod store;
mod times;
mod tree;
mod unpermitted;
mod write;
mod write_elsewhere;

pub use self::write_elsewhere::{
    Scratch, make_directory, make_link, require_writable, write_elsewhere, write_over, write_text,
};
pub use apply::{apply, protected};
pub use disk::{Call, Disk, Gate};
pub use distrust::{Distrust, Impossible, Unusable};
pub use drift::{FileDiff, FileState, State, diff, drift};
pub use error::{Change, Contradiction, Error, PathError};
pub use home::NAME;
pub use journal::Kind;
pub use metadata::{Attribute, Metadata};
pub use owner::{as_owner_of, other_owner};
pub use recover::{LeftAlone, Recovered, recover};
pub use refusal::{Obstacle, Refusal};
pub use revert::{Reverted, Selection, revert};
pub use store::Store;
pub use times::Times;
pub use unpermitted::Unpermitted;

use crate::plan::field::FieldChange;
use crate::plan::{self, RelativePath};
use schemars::JsonSchema;
use std::time::Duration;

/// The options of an operation.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Wait until everything is on the disk? If not, a power cut may lose changes, but a crash of the process
    /// does not. This is meant for building images, which are thrown away after a power cut.
    pub sync: bool,
    /// Edit in place, or replace files.
    pub write: Write,
    /// Only determine what would be done, and whether anything prevents it.
    pub dry_run: bool,
    /// The time in the record: seconds since 1970.
    pub time: i64,
    /// How long to wait for another tfpatch that uses the same store.
    pub wait: Duration,
    /// Called once with the process ID of the other tfpatch, if it has to wait.
    pub waiting: &'a (dyn Fn(Option<u32>) + Sync),
}

/// Edit in place, or replace files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// In place if that is safe.
    Auto,
    /// In place, or fail.
    InPlace,
    /// Never in place.
    Replace,
}

/// An operation, for a report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct Operation {
    /// 12 hexadecimal digits: the digest of the plan and of the operation before.
    pub id: String,
    /// The kind of the operation.
    pub kind: Kind,
    /// The version of tfpatch.
    pub tool: String,
    /// Seconds since 1970.
    pub time: i64,
    /// The operations that it reverts, at least for one of its files.
    pub reverts: Vec<String>,
    /// What it did to each file.
    pub steps: Vec<StepDone>,
}

/// What an operation did to a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct StepDone {
    /// The path, relative to the directory that contains the store, or to the root of the target if the store
    /// is elsewhere. Links inside the target are resolved.
    #[serde(flatten)]
    pub path: RelativePath,
    /// The file's other names.
    pub aliases: Vec<RelativePath>,
    /// What kind of file it is.
    pub kind: plan::Kind,
    /// The old entries or rows.
    pub before: Vec<String>,
    /// The new entries or rows.
    pub after: Vec<String>,
    /// The changes of the object in addition to its search path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// How room was found; `old_bytes` or `link` for a revert.
    #[schemars(with = "String")]
    pub method: plan::Method,
    /// The reason for the change.
    pub reason: String,
    /// Bytes of the old file that were replaced.
    pub bytes_changed: u64,
    /// Bytes by which the file grew.
    pub bytes_appended: u64,
}

impl Operation {
    fn of(record: &journal::Record) -> Self {
        let mut reverts: Vec<String> = Vec::new();
        for id in record.steps.iter().flat_map(|step| &step.reverts) {
            if !reverts.contains(id) {
                reverts.push(id.clone());
            }
        }
        let steps = record.steps.iter().map(|step| StepDone {
            path: step.path.clone(),
            aliases: step.aliases.clone(),
            kind: step.about.kind,
            before: step.about.before.clone(),
            after: step.about.after.clone(),
            fields: step.about.fields.clone(),
            method: step.about.method.clone(),
            reason: step.about.reason.clone(),
            bytes_changed: step.changes.iter().map(|change| change.edits.bytes_changed()).sum(),
            bytes_appended: step.new.lock.size.saturating_sub(step.old.lock.size),
        });
        Self {
            id: record.id.clone(),
            kind: record.kind,
            tool: record.tool.clone(),
            time: record.time,
            steps: steps.collect(),
            reverts,
        }
    }
}

/// The operations of a store, the oldest first. Reads only.
///
/// # Errors
/// If the store cannot be read.
pub fn log(store: &Store) -> Result<Vec<Operation>, Error> {
    store.as_reader(|| Ok(store.records()?.iter().map(Operation::of).collect()))
}
