//! What is asked of an edit, and what it gives: edits, or why there are none.

use super::refusal::Refusal;
use crate::bytes;
use crate::edit::EditSet;
use crate::elf::search_path::RpathKind;
use std::ops::Range;

/// What is to become of an object: changes that are made one after the other, and written as one edit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Request {
    /// The changes, in this order.
    pub changes: Vec<Change>,
}

/// One change of what the loader reads of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// The search path that the object is to have.
    SearchPath {
        /// All entries, in order; none at all takes the tag away.
        entries: Vec<Vec<u8>>,
        /// The tag; `None` keeps the one that is there, and takes `DT_RUNPATH` where there is none.
        kind: Option<RpathKind>,
    },
    /// `DT_SONAME`.
    Soname(Vec<u8>),
    /// One more `DT_NEEDED`, unless it is there.
    AddNeeded {
        /// The name.
        name: Vec<u8>,
        /// Before all others instead of after them: symbols are looked up in this order.
        first: bool,
    },
    /// No `DT_NEEDED` of this name, and no versions that are needed of it: glibc stops at a version need of
    /// a library that it has not loaded (`_dl_check_map_versions`).
    RemoveNeeded(Vec<u8>),
    /// Another name for a `DT_NEEDED`, and for what is needed of its versions.
    ReplaceNeeded {
        /// The name that is there.
        old: Vec<u8>,
        /// The name that takes its place.
        new: Vec<u8>,
    },
    /// `PT_INTERP`: the dynamic loader of a program.
    Interpreter(Vec<u8>),
    /// Does it request a stack that can be executed: the flag `PF_X` of `PT_GNU_STACK`?
    ExecutableStack(bool),
    /// `DF_1_NODEFLIB`: the default directories are not searched.
    NoDefaultLibraries,
    /// `DT_DEBUG`, which a debugger looks for.
    DebugTag,
    /// `EI_OSABI`.
    OsAbi(u8),
}

impl Request {
    /// The request of one change.
    #[must_use]
    pub fn of(change: Change) -> Self {
        Self { changes: vec![change] }
    }

    /// The request for a search path; see [`Change::SearchPath`].
    #[must_use]
    pub fn search_path(entries: Vec<Vec<u8>>, kind: Option<RpathKind>) -> Self {
        Self::of(Change::SearchPath { entries, kind })
    }

    /// The entries of the search path that it asks for; none where it asks for none.
    #[must_use]
    pub fn entries(&self) -> &[Vec<u8>] {
        let mut paths = self.changes.iter().rev().filter_map(|change| match change {
            Change::SearchPath { entries, .. } => Some(entries.as_slice()),
            _ => None,
        });
        paths.next().unwrap_or_default()
    }
}

/// The way in which room was made for new strings.
///
/// Plans and undo records write a name of it, which is a name of [`crate::plan::Method`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Nothing was to be done.
    Unchanged,
    /// Over the old string.
    Slot,
    /// The string stood elsewhere in the string table.
    Repoint,
    /// Behind a string table that ends the file, or ends the highest segment, whose bytes then move
    /// to the end of the file.
    ExtendTail,
    /// In a copy of the string table, in a new segment at the end of the file.
    NewSegment,
    /// The same, and the program headers moved there too, because nothing that stands after them
    /// could make room for one more. The loader and the kernel take that; GNU strip and objcopy
    /// write a broken file from it and report success.
    NewSegmentWithHeaders,
    /// The tag was taken away.
    Remove,
    /// No string was to be written: flags and other fields of a fixed size alone.
    Fields,
}

/// Edits of an ELF object, and what they rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The edits; empty where nothing is to be done.
    pub edits: EditSet,
    /// The way that was taken.
    pub method: Method,
    /// May the edits be written into the file itself? `false` where a prefix of the sequence
    /// would not load, or a process that runs the file would be harmed.
    pub in_place: bool,
    /// May they be, as long as no process has the file open or mapped? `false` where a prefix of
    /// the sequence would not load.
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
    /// The object is sound, and editing it would be a risk.
    #[error(transparent)]
    Refused(#[from] Refusal),
}
