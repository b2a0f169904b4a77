//! Postconditions: the edited file is read again, through the edits, before they are handed out.

use super::preconditions;
use super::refusal::Refusal;
use crate::bytes;
use crate::edit::{Content, EditSet, Patched};
use crate::elf::dynamic_table::{is_search_path, is_string};
use crate::elf::hash;
use crate::elf::image::{Image, Summary};
use crate::elf::search_path::{SearchPath, current};
use crate::elf::sections::Sections;
use crate::elf::versions::version_names;
use goblin::elf::dynamic;
use std::ops::Range;

/// Does the edited file have the wanted search path, and is everything else what it was?
///
/// The string table may have 70 MB, so its bytes are not compared: that they are the old ones
/// follows from the edits. `slot` is the part of it that may change, in offsets of the file.
///
/// # Errors
/// [`Refusal::Inconsistent`] with the first postcondition that does not hold.
pub(in crate::elf) fn verify(
    image: &Image<'_>,
    edits: &EditSet,
    wanted: Option<&SearchPath>,
    slot: &Range<u64>,
) -> Result<(), Refusal> {
    let broken = |what| Refusal::Inconsistent { what };
    require(edits.keeps_offsets(), "bytes that stay keep their offsets")?;
    let patched = Patched::new(image.source(), edits);
    let new = Image::parse(&patched).map_err(|_| broken("it can be read again"))?;
    preconditions::check(&new).map_err(|_| broken("it is still sound"))?;
    let found = current(&new).map_err(|_| broken("its search path can be read"))?;
    require(found.as_ref() == wanted, "its search path is the requested one")?;
    strings(image, &new, edits, slot)?;
    tables(image, &new, edits)?;
    let same_needs = same(image.version_needs(), new.version_needs())
        && same(image.version_definitions(), new.version_definitions());
    require(same_needs, "it needs and defines the same versions")?;
    require(same(others(image), others(&new)), "it is read as before otherwise")?;
    let same_records = same(version_names(image), version_names(&new));
    require(same_records, "its version records are the same")?;
    sections(image, &new)
}

fn require(holds: bool, what: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::Inconsistent { what }) }
}

/// Are both readings the same? Two failures are: what was malformed, and no part of the edit,
/// stays so.
fn same<T: PartialEq>(old: Result<T, bytes::Error>, new: Result<T, bytes::Error>) -> bool {
    match (old, new) {
        (Ok(old), Ok(new)) => old == new,
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

/// All that the loader reads of it, but the search path. In a malformed object it may lie anywhere, such as
/// the interpreter's name in the number of program headers.
fn others(image: &Image<'_>) -> Result<Summary, bytes::Error> {
    Ok(Summary { rpath: None, runpath: None, ..image.summary()? })
}

/// Every string that was there is there, at its old offset in the table.
fn strings(
    image: &Image<'_>,
    new: &Image<'_>,
    edits: &EditSet,
    slot: &Range<u64>,
) -> Result<(), Refusal> {
    require(entries(image) == entries(new), "its dynamic table is the same otherwise")?;
    let names = |image: &Image<'_>| {
        image.strings_of(|tag| is_string(tag) && !is_search_path(tag), "dynamic string")
    };
    require(same(names(image), names(new)), "its dynamic strings are the same")?;
    let (Ok(old_table), Ok(new_table)) = (image.string_table(), new.string_table()) else {
        return Err(Refusal::Inconsistent { what: "it has a string table" });
    };
    let len = old_table.end - old_table.start;
    let is_kept =
        new_table.end - new_table.start >= len && stands(edits, &old_table, new_table.start, slot);
    require(is_kept, "its string table holds the old strings")
}

/// Tags and values of the dynamic table without the search path; of tables that an edit may move, the
/// tags alone.
fn entries(image: &Image<'_>) -> Vec<(u64, u64)> {
    let others = image.dynamic().iter().filter(|entry| !is_search_path(entry.tag));
    let moved = |tag| matches!(tag, dynamic::DT_STRTAB | dynamic::DT_STRSZ) || can_move(tag);
    others.map(|entry| (entry.tag, if moved(entry.tag) { 0 } else { entry.value })).collect()
}

/// The tables that may move hold what they held.
fn tables(image: &Image<'_>, new: &Image<'_>, edits: &EditSet) -> Result<(), Refusal> {
    for tag in [dynamic::DT_GNU_HASH, dynamic::DT_HASH, dynamic::DT_SYMTAB] {
        let at = |image: &Image<'_>| image.value(tag).and_then(|value| image.offset_of(value));
        let is_kept = match (at(image), at(new)) {
            (None, None) => true,
            (Some(old), Some(new)) => stands(edits, &extent(image, tag, old), new, &(0..0)),
            _ => false,
        };
        require(is_kept, "its symbols and their hash tables are the same")?;
    }
    Ok(())
}

/// The part of a table that is looked at: of hash tables the beginning, of the symbols all, for
/// where a malformed object claims more of them than it has, some lie in what is edited.
fn extent(image: &Image<'_>, tag: u64, start: u64) -> Range<u64> {
    let all = if tag == dynamic::DT_SYMTAB { hash::symbol_table(image) } else { Ok(None) };
    all.ok().flatten().filter(|all| !all.is_empty()).unwrap_or(start..start + 16)
}

fn can_move(tag: u64) -> bool {
    matches!(tag, dynamic::DT_GNU_HASH | dynamic::DT_HASH | dynamic::DT_SYMTAB)
}

/// Do the bytes of the old file's `range` stand at offset `at` of the new one, all but `except`?
fn stands(edits: &EditSet, range: &Range<u64>, at: u64, except: &Range<u64>) -> bool {
    let overlaps = |edit: &Range<u64>| edit.start < range.end && range.start < edit.end;
    if at == range.start && range.end <= edits.old_len() {
        return edits.in_write_order().iter().all(|edit| {
            !overlaps(&edit.range)
                || (except.start <= edit.range.start && edit.range.end <= except.end)
        });
    }
    let new_ranges = edits.new_ranges();
    edits.in_write_order().iter().zip(new_ranges).any(|(edit, new)| match &edit.new {
        Content::Bytes(_) | Content::Kept(_) => false,
        Content::CopyOf(from) => {
            from.start <= range.start
                && range.end <= from.end
                && new.start + (range.start - from.start) == at
        }
    })
}

/// Where sections told of the same tables as the segments, they still do.
fn sections(image: &Image<'_>, new: &Image<'_>) -> Result<(), Refusal> {
    let view = |image: &Image<'_>| -> Result<Option<bool>, bytes::Error> {
        let Some(sections) = Sections::read(image)? else { return Ok(None) };
        let row = |index: Option<usize>| index.and_then(|index| sections.rows().get(index));
        let Some(dynamic_row) = row(sections.dynamic_table()) else { return Ok(Some(false)) };
        let Some(strings_row) = row(sections.dynamic_strings(image)) else {
            return Ok(Some(false));
        };
        let table = image.string_table()?;
        let segment = crate::elf::dynamic_table::range(image);
        Ok(Some(
            Some(dynamic_row.sh_link as usize) == sections.dynamic_strings(image)
                && dynamic_row.sh_offset == segment.start
                && strings_row.sh_offset == table.start
                && strings_row.sh_size == table.end - table.start,
        ))
    };
    let holds = match (view(image), view(new)) {
        (Ok(Some(true)), new) => new == Ok(Some(true)),
        (old, new) => old.is_ok() == new.is_ok(),
    };
    require(holds, "its sections tell of the same tables as its segments")
}
