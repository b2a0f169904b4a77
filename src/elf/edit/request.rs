//! What is asked of an edit, and what it gives: edits, or why there are none.

use super::refusal::Refusal;
use crate::bytes;
use crate::edit::EditSet;
use crate::elf::search_path::RpathKind;
use std::ops::Range;

/// The search path that an object is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// All entries, in order; none at all takes the tag away.
    pub entries: Vec<Vec<u8>>,
    /// The tag; `None` keeps the one that is there, and takes `DT_RUNPATH` where there is none.
    pub kind: Option<RpathKind>,
}

/// The way in which room was made for the new string.
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
