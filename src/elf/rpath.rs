//! From a wanted search path to the edits that bring it about, by the first way that serves.

use super::Image;
use super::{carried, check, dynamic_table, new_segment, slot, soundness, tail};
use crate::bytes;
use crate::edit::{Content, Edit, EditSet};
use goblin::elf::header::Header;
use serde::{Deserialize, Serialize};
use std::ops::Range;

pub use super::refusal::Refusal;

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

/// The search path of an object: the tag that counts and its entries, empty ones included.
///
/// `DT_RUNPATH` counts where there is one, `DT_RPATH` otherwise, and of several the last (glibc's
/// `_dl_map_object_from_fd`, `elf_get_dynamic_info`).
///
/// # Errors
/// Where the string lies outside the string table.
pub fn current(image: &Image<'_>) -> Result<Option<SearchPath>, bytes::Error> {
    let Some((index, kind)) = dynamic_table::counting(image) else { return Ok(None) };
    let Some(entry) = image.dynamic().get(index) else { return Ok(None) };
    let text = image.string(entry.value, "search path")?;
    let entries = text.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect();
    Ok(Some(SearchPath { kind, entries }))
}

/// The edits that give an object the search path of `request`: in the first way that serves, from
/// a few bytes over the old string to a new segment.
///
/// # Errors
/// [`Failure::Malformed`] where the object cannot be read; [`Failure::Refused`] where it can, and
/// editing it would be a risk.
pub fn edit(image: &Image<'_>, request: &Request) -> Result<Patch, Failure> {
    check_entries(request)?;
    soundness::check_dynamic(image)?;
    let old = current(image)?;
    let kind = request.kind.or(old.as_ref().map(|old| old.kind)).unwrap_or(RpathKind::Runpath);
    let wanted = (!request.entries.is_empty())
        .then(|| SearchPath { kind, entries: request.entries.clone() });
    if wanted == old {
        return Ok(Patch {
            edits: EditSet::none(image.source().len()),
            method: Method::Unchanged,
            in_place: true,
            in_place_unopened: true,
            relies_on: relied_on(image, &[], Vec::new())?,
        });
    }
    soundness::check(image)?;
    let steps = match &wanted {
        None => {
            let entries = dynamic_table::without_search_path(image);
            Steps::new(Method::Remove, dynamic_table::edits(image, &entries))
        }
        Some(wanted) => climb(image, kind, &wanted.entries.join(&b':'))?,
    };
    let relies_on = relied_on(image, &steps.edits, steps.sources)?;
    let in_place_unopened = steps.loads_throughout;
    let in_place = steps.is_unseen && dynamic_table::is_private(image, &steps.edits);
    let edits = EditSet::new(image.source().len(), steps.edits)
        .map_err(|_| Refusal::Inconsistent { what: "its edits are disjoint" })?;
    check::verify(image, &edits, wanted.as_ref(), &steps.slot)?;
    Ok(Patch { edits, method: steps.method, in_place, in_place_unopened, relies_on })
}

/// What one rung of the ladder gives.
struct Steps {
    method: Method,
    edits: Vec<Edit>,
    /// Does a process that runs the file see nothing of it, the dynamic table left aside?
    is_unseen: bool,
    /// Does the file load after every prefix of the edits?
    loads_throughout: bool,
    /// File offsets of the old string and what belongs to it, where it is overwritten.
    slot: Range<u64>,
    /// What the edits were made from, apart from what every edit relies on.
    sources: Vec<Range<u64>>,
}

impl Steps {
    fn new(method: Method, edits: Vec<Edit>) -> Self {
        Self {
            method,
            edits,
            is_unseen: true,
            loads_throughout: true,
            slot: 0..0,
            sources: Vec::new(),
        }
    }
}

/// The first rung of the ladder that serves.
fn climb(image: &Image<'_>, kind: RpathKind, string: &[u8]) -> Result<Steps, Failure> {
    let old = dynamic_table::counting(image);
    let with = |value: u64| dynamic_table::with_search_path(image, kind, value);
    if let Some((index, _)) = old
        && let Some(slot) = slot::find(image, index, string.len() as u64)?
        && let Some(value) = image.dynamic().get(index).map(|entry| entry.value)
    {
        let mut bytes = string.to_vec();
        bytes.resize((slot.end - slot.start) as usize, 0);
        let mut edits = Vec::new();
        // Where only the tag changes, the string stays as it is.
        if image.source().get(slot.clone()).as_deref() != Some(&bytes) {
            edits.push(Edit { range: slot.clone(), new: Content::Bytes(bytes) });
        }
        edits.extend(dynamic_table::edits(image, &with(value)));
        return Ok(Steps { slot, ..Steps::new(Method::Slot, edits) });
    }
    let copies_dynamic = old.is_none() && !dynamic_table::has_spare(image);
    if !copies_dynamic {
        if let Some(value) = slot::elsewhere(image, string)? {
            let edits = dynamic_table::edits(image, &with(value));
            let source = string_range(image, value, string.len())?;
            return Ok(Steps { sources: vec![source], ..Steps::new(Method::Repoint, edits) });
        }
        if let Some(tail) = tail::find(image)? {
            let entries = with(tail.offset);
            if let Some(edits) = tail.append(image, string, entries) {
                return Ok(Steps::new(Method::ExtendTail, edits));
            }
        }
        if let Some(carried) = carried::find(image)? {
            let entries = with(carried.offset);
            if let Some(edits) = carried.append(image, string, entries) {
                return Ok(Steps::new(Method::ExtendTail, edits));
            }
        }
    }
    let new = new_segment::append(image, string, with, copies_dynamic)?;
    let method = if new.moves_headers { Method::NewSegmentWithHeaders } else { Method::NewSegment };
    Ok(Steps {
        is_unseen: new.is_unseen,
        loads_throughout: new.loads_throughout,
        sources: new.sources,
        ..Steps::new(method, new.edits)
    })
}

/// Refuses entries that would end an entry or the whole string.
fn check_entries(request: &Request) -> Result<(), Refusal> {
    for (index, entry) in request.entries.iter().enumerate() {
        if let Some(&byte) = entry.iter().find(|&&byte| byte == 0 || byte == b':') {
            return Err(Refusal::EntryHolds { index, byte: byte.into() });
        }
    }
    Ok(())
}

/// File offsets of a string of the string table, its NUL included.
fn string_range(image: &Image<'_>, value: u64, len: usize) -> Result<Range<u64>, bytes::Error> {
    let start = image.string_table()?.start + value;
    Ok(start..start + len as u64 + 1)
}

/// The ranges that lock a patch to its file: header, program headers, dynamic table, the old
/// string, what the edits replace and what they were made from; sorted, disjoint.
fn relied_on(
    image: &Image<'_>,
    edits: &[Edit],
    sources: Vec<Range<u64>>,
) -> Result<Vec<Range<u64>>, bytes::Error> {
    let header_len = Header::size(image.ctx()) as u64;
    let mut ranges =
        vec![0..header_len, soundness::header_table(image), dynamic_table::range(image)];
    if let Some(entry) =
        dynamic_table::counting(image).and_then(|(index, _)| image.dynamic().get(index))
    {
        let len = image.string(entry.value, "search path")?.len();
        ranges.push(string_range(image, entry.value, len)?);
    }
    ranges.extend(edits.iter().map(|edit| edit.range.clone()));
    ranges.extend(sources);
    ranges.retain(|range| !range.is_empty());
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    Ok(joined)
}
