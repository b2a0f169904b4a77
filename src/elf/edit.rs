//! From a wanted search path to the edits that bring it about, by the first way that serves.

pub mod counterpart;
mod debug_symbols;
mod mapped_tables;
mod postconditions;
mod preconditions;
mod program_header_room;
mod refusal;
mod request;
mod strategies;

use self::strategies::{append_to_tail, in_place, move_last_segment, new_segment};
use super::Image;
use super::search_path::{RpathKind, SearchPath, current};
use super::{dynamic_table, segments};
use crate::bytes;
use crate::edit::{Content, Edit, EditSet};
use goblin::elf::header::Header;
use std::ops::Range;

pub use self::refusal::Refusal;
pub use self::request::{Failure, Method, Patch, Request};

/// The edits that give an object the search path of `request`: in the first way that serves, from
/// a few bytes over the old string to a new segment.
///
/// # Errors
/// [`Failure::Malformed`] where the object cannot be read; [`Failure::Refused`] where it can, and
/// editing it would be a risk.
pub fn edit(image: &Image<'_>, request: &Request) -> Result<Patch, Failure> {
    check_entries(request)?;
    preconditions::check_dynamic(image)?;
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
    preconditions::check(image)?;
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
    postconditions::verify(image, &edits, wanted.as_ref(), &steps.slot)?;
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
        && let Some(slot) = in_place::find(image, index, string.len() as u64)?
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
        if let Some(value) = in_place::elsewhere(image, string)? {
            let edits = dynamic_table::edits(image, &with(value));
            let source = string_range(image, value, string.len())?;
            return Ok(Steps { sources: vec![source], ..Steps::new(Method::Repoint, edits) });
        }
        if let Some(tail) = append_to_tail::find(image)? {
            let entries = with(tail.offset);
            if let Some(edits) = tail.append(image, string, entries) {
                return Ok(Steps::new(Method::ExtendTail, edits));
            }
        }
        if let Some(carried) = move_last_segment::find(image)? {
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
        vec![0..header_len, segments::header_table(image), dynamic_table::range(image)];
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
