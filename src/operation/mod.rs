//! The only code that writes: carries out plans, keeps what is needed to take them back, and puts
//! the old bytes back.
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
//! A record holds for every file its size and digests, its times, and the edits in both directions:
//! some kilobytes; and a digest of itself. It is written under a temporary name, synced, renamed to
//! `….pending.json`, and the directory is synced, before the first byte of a file changes; when all is
//! done it is renamed once more. Paths in it are relative to the directory that holds the store, so that
//! an environment can be copied with it (to the target's root, where the store was put elsewhere).
//!
//! # What is trusted
//!
//! A record is data about this target alone: where it lies and whose it is ([`Store`]) is checked, and what
//! it puts back has to be what an edit, made anew, leads to, whoever wrote it. Root acts with the rights of a tree's owner. Modes, owners and
//! attributes come from the file as it is found. `SECURITY.md` says it in a page.
//!
//! # How names are looked up
//!
//! Once, directory by directory, and every directory is held open from then on. The way to a file is
//! part of what was judged; it is walked again before the first byte is written, and the file at its
//! end must be the one that was judged: the same inode, length and time of change, and the same bytes
//! where the plan relied on them.
//!
//! # What happens to a file
//!
//! It is edited in place if it is a file of the target's own, with no name outside, and if every
//! prefix of its edits loads. Otherwise a clone is written beside it as `.tfpatch-ID-STEP-NAME.tmp`
//! and exchanged with each of its names: what comes out must be what was judged, and is put back if it
//! is not. Cut off in place it is only under a write lease, which tells that nobody has it open. An
//! interrupted operation is found by its pending record: [`recover()`] looks at the bytes of every file,
//! and finishes or rolls back.
//!
//! # What is waited for
//!
//! Each sync is there for a power cut at the next moment:
//!
//! | sync | without it |
//! |---|---|
//! | the store's directories, when they are created | the record below them is gone |
//! | the record, then its directory, before the first file | files are half edited, and nobody knows |
//! | in place, what was written so far, before bytes that are there already change | a header leads to a tail that is not there |
//! | in place, before the end is cut off | a header leads to a tail that is gone |
//! | the file, at the end, metadata included | the operation counts as done, and the file is old |
//! | a new file, before it is renamed | the name leads to no bytes |
//! | each directory of renamed files, once, at the end | the operation counts as done, and the name is old |
//! | the store's directory, when the operation is done | it is taken for interrupted, much later |
//!
//! With [`Options::sync`] off there is none of them.

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
pub use apply::apply;
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

/// How an operation is carried out.
#[derive(Clone, Copy)]
pub struct Options<'a> {
    /// Wait until everything is on the disk? Without, a power cut may lose what a crash does not:
    /// for the build of an image, which is thrown away then.
    pub sync: bool,
    /// Edit in place or replace.
    pub write: Write,
    /// Only find out what would be done, and whether anything is in the way.
    pub dry_run: bool,
    /// What the record gives as its time: seconds since 1970.
    pub time: i64,
    /// How long to wait for another tfpatch that works on the same store.
    pub wait: Duration,
    /// Is told once, with the other's process ID, when there is one to wait for.
    pub waiting: &'a (dyn Fn(Option<u32>) + Sync),
}

/// Edit in place or replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    /// In place where that is safe.
    Auto,
    /// In place, or not at all.
    InPlace,
    /// Never in place.
    Replace,
}

/// An operation, for a report.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct Operation {
    /// 12 hexadecimal digits: the digest of the plan and of the operation before.
    pub id: String,
    /// What it does.
    pub kind: Kind,
    /// The version of tfpatch.
    pub tool: String,
    /// Seconds since 1970.
    pub time: i64,
    /// The operations that it reverts, for any of its files.
    pub reverts: Vec<String>,
    /// What it did to each file.
    pub steps: Vec<StepDone>,
}

/// What an operation did to a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct StepDone {
    /// Relative to the directory that holds the store (to the target's root, where the store lies
    /// outside of it); with links inside the target followed.
    #[serde(flatten)]
    pub path: RelativePath,
    /// The file's other names.
    pub aliases: Vec<RelativePath>,
    /// What kind of file it is.
    pub kind: plan::Kind,
    /// The entries or rows that stood there.
    pub before: Vec<String>,
    /// Those that stand there now.
    pub after: Vec<String>,
    /// What changed of the object besides its search path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
    /// How room was found; `old_bytes` or `link` for a revert.
    #[schemars(with = "String")]
    pub method: plan::Method,
    /// Why.
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
/// Where the store cannot be read.
pub fn log(store: &Store) -> Result<Vec<Operation>, Error> {
    store.as_reader(|| Ok(store.records()?.iter().map(Operation::of).collect()))
}
