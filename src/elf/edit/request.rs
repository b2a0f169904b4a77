//! The input and the output of an edit: the requested changes, and the resulting edits or the reason why
//! there are none.

use super::refusal::Refusal;
use crate::bytes;
use crate::edit::EditSet;
use crate::elf::search_path::RpathKind;
use std::ops::Range;

/// The requested changes of an object. They are applied in order, and written as one edit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The changes, in this order.
    pub changes: Vec<Change>,
}

/// One change of a property that the loader reads.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The search path that the object is to have.
    SearchPath {
        /// All entries, in order. If there are none, the tag is removed.
        entries: Vec<Vec<u8>>,
        /// The tag. `None` keeps the existing one, or uses `DT_RUNPATH` if there is none.
        kind: Option<RpathKind>,
    },
    /// `DT_SONAME`.
    Soname(Vec<u8>),
    /// Adds a `DT_NEEDED`, unless it exists.
    AddNeeded {
        /// The name.
        name: Vec<u8>,
        /// Insert it before all others instead of after them: symbols are looked up in this order.
        first: bool,
    },
    /// Removes the `DT_NEEDED` of this name and the version needs of the library: glibc aborts at a version
    /// need of a library that is not loaded (`_dl_check_map_versions`).
    RemoveNeeded(Vec<u8>),
    /// Renames a `DT_NEEDED` and the file name in its version needs.
    ReplaceNeeded {
        /// The current name.
        old: Vec<u8>,
        /// The new name.
        new: Vec<u8>,
    },
    /// `PT_INTERP`: the dynamic loader of a program.
    Interpreter(Vec<u8>),
    /// Does it request an executable stack: the flag `PF_X` of `PT_GNU_STACK`?
    ExecutableStack(bool),
    /// Sets `DF_1_NODEFLIB`, so that the default directories are not searched.
    NoDefaultLibraries,
    /// Adds `DT_DEBUG`, which debuggers look for.
    DebugTag,
    /// `EI_OSABI`.
    OsAbi(u8),
}

impl Request {
    /// A request with one change.
    #[must_use]
    pub fn of(change: Change) -> Self {
        Self { changes: vec![change] }
    }

    /// The request for a search path; see [`Change::SearchPath`].
    #[must_use]
    pub fn search_path(entries: Vec<Vec<u8>>, kind: Option<RpathKind>) -> Self {
        Self::of(Change::SearchPath { entries, kind })
    }

    /// The entries of the search path that it requests, or none.
    #[must_use]
    pub fn entries(&self) -> &[Vec<u8>] {
        let mut paths = self.changes.iter().rev().filter_map(|change| match change {
            Change::SearchPath { entries, .. } => Some(entries.as_slice()),
            _ => None,
        });
        paths.next().unwrap_or_default()
    }
}

/// How room was found for new strings.
///
/// Plans and undo records contain its name, as in [`crate::plan::Method`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// No edit was needed.
    Unchanged,
    /// The old string was overwritten.
    Slot,
    /// The string was already elsewhere in the string table.
    Repoint,
    /// The string was appended to a string table that ends the file, or to one that ends the highest segment,
    /// whose bytes then move to the end of the file.
    ExtendTail,
    /// The string was added to a copy of the string table, in a new segment at the end of the file.
    NewSegment,
    /// As [`Self::NewSegment`], but the program headers moved there too, because nothing behind them could
    /// make room for one more. The loader and the kernel support this; GNU strip and objcopy write a broken
    /// file from it and report success.
    NewSegmentWithHeaders,
    /// The tag was removed.
    Remove,
    /// No string was written, only flags and other fields of a fixed size.
    Fields,
}

/// Edits of an ELF object, and what they rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The edits; empty if nothing has to change.
    pub edits: EditSet,
    /// The strategy that was used.
    pub method: Method,
    /// May the edits be written into the file itself? `false` if a prefix of the sequence would not load, or
    /// if they would harm a process that runs the file.
    pub in_place: bool,
    /// May they be written into the file itself while no process has it open or mapped? `false` if a prefix
    /// of the sequence would not load.
    pub in_place_unopened: bool,
    /// Ranges of the old file that the edits rely on, sorted and disjoint, in bytes.
    pub relies_on: Vec<Range<u64>>,
}

/// Why there is no [`Patch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The object is malformed.
    #[error(transparent)]
    Malformed(#[from] bytes::Error),
    /// The object is valid, but editing it would be risky.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
