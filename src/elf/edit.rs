//! Computes the edits that give an object what a request specifies: a search path, names of libraries, a
//! soname, a loader, or the flags of its stack. The first strategy that works is used.

pub mod counterpart;
mod debug_symbols;
mod headers;
mod ladder;
mod mapped_tables;
mod postconditions;
mod preconditions;
mod program_header_room;
mod refusal;
mod request;
mod strategies;
mod table;
mod version_needs;
mod wanted;

use self::ladder::{climb, string_range};
use self::wanted::Wanted;
use super::Image;
use super::{dynamic_table, segments};
use crate::bytes;
use crate::edit::{Edit, EditSet};
use goblin::elf::header::Header;
use std::ops::Range;

pub use self::refusal::Refusal;
pub use self::request::{Change, Failure, Method, Patch, Request};

/// The edits that fulfil `request`. The first strategy that works is used; strategies range from overwriting
/// a few bytes of an old string to adding a segment.
///
/// # Errors
/// [`Failure::Malformed`] if the object cannot be read; [`Failure::Refused`] if it can be read, but an edit
/// would be risky.
pub fn edit(image: &Image<'_>, request: &Request) -> Result<Patch, Failure> {
    check_words(request)?;
    preconditions::check_dynamic(image)?;
    make(image, &Wanted::of(image, request)?)
}

/// The edits that produce the wanted state.
fn make(image: &Image<'_>, wanted: &Wanted) -> Result<Patch, Failure> {
    if wanted.is_nothing() {
        return Ok(Patch {
            edits: EditSet::none(image.source().len()),
            method: Method::Unchanged,
            in_place: true,
            in_place_unopened: true,
            relies_on: relied_on(image, &[], Vec::new())?,
        });
    }
    preconditions::check(image)?;
    let steps = climb(image, wanted)?;
    let relies_on = relied_on(image, &steps.edits, steps.sources)?;
    // The loader reads the names of libraries and of the interpreter while it loads the object, and several
    // of them cannot change atomically. The flags of the stack are a single write.
    let is_path = wanted.is_search_path();
    let in_place_unopened =
        is_path && steps.loads_throughout || wanted.is_stack() && steps.edits.len() == 1;
    let in_place = is_path && steps.is_unseen && dynamic_table::is_private(image, &steps.edits);
    let edits = EditSet::new(image.source().len(), steps.edits)
        .map_err(|_| Refusal::Inconsistent { what: "its edits are disjoint" })?;
    postconditions::verify(image, &edits, wanted, &steps.slots)?;
    Ok(Patch { edits, method: steps.method, in_place, in_place_unopened, relies_on })
}

/// Refuses entries that contain a separator or a NUL, and invalid names.
fn check_words(request: &Request) -> Result<(), Refusal> {
    for change in &request.changes {
        match change {
            Change::SearchPath { entries, .. } => check_entries(entries)?,
            Change::Soname(name)
            | Change::AddNeeded { name, .. }
            | Change::ReplaceNeeded { new: name, .. }
            | Change::Interpreter(name) => check_name(name)?,
            Change::RemoveNeeded(_)
            | Change::ExecutableStack(_)
            | Change::NoDefaultLibraries
            | Change::DebugTag
            | Change::OsAbi(_) => {}
        }
    }
    Ok(())
}

fn check_entries(entries: &[Vec<u8>]) -> Result<(), Refusal> {
    for (index, entry) in entries.iter().enumerate() {
        if let Some(&byte) = entry.iter().find(|&&byte| byte == 0 || byte == b':') {
            return Err(Refusal::EntryHolds { index, byte: byte.into() });
        }
    }
    Ok(())
}

fn check_name(name: &[u8]) -> Result<(), Refusal> {
    if name.is_empty() || name.contains(&0) {
        return Err(Refusal::NotAName { name: bytes::printable(name) });
    }
    Ok(())
}

/// The ranges that bind a patch to its file: the ELF header, the program headers, the dynamic table, the old
/// string, the bytes that the edits replace, and those from which they were computed. Sorted and disjoint.
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
