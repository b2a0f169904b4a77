//! From a wanted search path to the edits that bring it about, by the first way that serves.

use super::Image;
use crate::bytes;
use crate::edit::EditSet;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which of the two tags a search path stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RpathKind {
    /// `DT_RPATH`: inherited by dependencies, searched before `LD_LIBRARY_PATH`.
    Rpath,
    /// `DT_RUNPATH`: for the object's own dependencies alone, searched after it.
    Runpath,
}

/// The search path that an object has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// The tag that counts.
    pub kind: RpathKind,
    /// The entries between the colons, empty ones included.
    pub entries: Vec<Vec<u8>>,
}

/// The search path that an object is to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// All entries, in order; none at all takes the tag away.
    pub entries: Vec<Vec<u8>>,
    /// The tag; `None` keeps the one that is there, and takes `DT_RUNPATH` where there is none.
    pub kind: Option<RpathKind>,
}

/// The way in which room was made for the new string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Nothing was to be done.
    Unchanged,
    /// Over the old string.
    Slot,
    /// The string stood elsewhere in the string table.
    Repoint,
    /// Behind a string table that ends the file.
    ExtendTail,
    /// In a copy of the string table, in a new segment at the end of the file.
    NewSegment,
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
    /// Ranges of the old file that the edits rely on, sorted and disjoint, in bytes.
    pub relies_on: Vec<Range<u64>>,
}

/// Why an object that is sound is not edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No dynamic table: nothing is searched for it.
    #[error("it is not dynamically linked")]
    NotDynamic,
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

/// The search path of an object: the tag that counts and its entries, empty ones included.
///
/// # Errors
/// Where the string lies outside the string table.
pub fn current(image: &Image<'_>) -> Result<Option<SearchPath>, bytes::Error> {
    let _ = image;
    Ok(None)
}

/// The edits that give an object the search path of `request`.
///
/// # Errors
/// [`Failure::Refused`] where the object is sound, and editing it would be a risk.
pub fn edit(image: &Image<'_>, request: &Request) -> Result<Patch, Failure> {
    let _ = (image, request);
    Err(Refusal::NotDynamic.into())
}
