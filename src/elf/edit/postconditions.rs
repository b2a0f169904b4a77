//! Postconditions: the edited file is read again, through the edits, before the edits are returned.

use super::preconditions;
use super::refusal::Refusal;
use super::wanted::Wanted;
use crate::bytes::{self, Piecewise};
use crate::edit::{Content, EditSet, Patched};
use crate::elf::dynamic_table::{is_search_path, is_string};
use crate::elf::hash;
use crate::elf::image::{Image, Summary, VersionNeed};
use crate::elf::search_path::current;
use crate::elf::sections::Sections;
use crate::elf::segments::contains;
use crate::elf::versions::version_names;
use goblin::elf::dynamic;
use goblin::elf::program_header::PT_GNU_STACK;
use std::ops::Range;

/// Does the edited file have the wanted state, and is everything else unchanged?
///
/// The string table may have 70 MB, so its bytes are not compared; the edits themselves show that the old
/// bytes are kept. `slots` are the file offsets of the parts that may change.
///
/// # Errors
/// [`Refusal::Inconsistent`] with the first postcondition that is violated.
pub(in crate::elf) fn verify(
    image: &Image<'_>,
    edits: &EditSet,
    wanted: &Wanted,
    slots: &[Range<u64>],
) -> Result<(), Refusal> {
    let broken = |what| Refusal::Inconsistent { what };
    require(edits.keeps_offsets(), "bytes that stay keep their offsets")?;
    let patched = Patched::new(image.source(), edits);
    let pieces = Piecewise::new(&patched);
    let new = Image::parse(&pieces).map_err(|_| broken("it can be read again"))?;
    preconditions::check(&new).map_err(|_| broken("it is still sound"))?;
    if preconditions::check_payload(image).is_ok() {
        preconditions::check_payload(&new).map_err(|_| broken("nothing is behind its end"))?;
    }
    let found = current(&new).map_err(|_| broken("its search path can be read"))?;
    let has_path = match &wanted.path {
        Some(path) => found == *path,
        None => same(current(image), Ok(found)),
    };
    require(has_path, "its search path is the requested one")?;
    strings(image, &new, edits, (wanted, slots))?;
    tables(image, &new, edits)?;
    let (before, after) = (others(image, wanted), others(&new, &Wanted::default()));
    let same_versions = match (&before, &after) {
        (Ok(before), Ok(after)) => {
            before.version_needs == after.version_needs
                && before.version_definitions == after.version_definitions
        }
        // What is malformed elsewhere says nothing about the versions.
        _ => {
            same(version_needs(image, wanted), new.version_needs())
                && same(image.version_definitions(), new.version_definitions())
        }
    };
    require(same_versions, "it needs and defines the same versions")?;
    require(same(before, after), "it is read as before otherwise")?;
    let same_records = same(version_names(image), version_names(&new));
    require(same_records || wanted.version_files.is_some(), "its version records are the same")?;
    require(
        wanted.stack.is_none_or(|flags| has_stack(&new, flags)),
        "its stack is the requested one",
    )?;
    sections(image, &new)
}

fn require(holds: bool, what: &'static str) -> Result<(), Refusal> {
    if holds { Ok(()) } else { Err(Refusal::Inconsistent { what }) }
}

/// Are both readings the same? Two failures count as the same: a part that was malformed, and that the edit
/// does not touch, stays malformed.
fn same<T: PartialEq>(old: Result<T, bytes::Error>, new: Result<T, bytes::Error>) -> bool {
    match (old, new) {
        (Ok(old), Ok(new)) => old == new,
        (Err(_), Err(_)) => true,
        _ => false,
    }
}

/// All properties that the loader reads, in the wanted state, except for the search path. In a malformed
/// object they may overlap anything; the interpreter's name may contain the number of program headers, for
/// example.
fn others(image: &Image<'_>, wanted: &Wanted) -> Result<Summary, bytes::Error> {
    let mut summary = Summary { rpath: None, runpath: None, ..image.summary()? };
    let (soname, interpreter) = (&wanted.soname, &wanted.interpreter);
    summary.soname = soname.clone().or(summary.soname);
    summary.interpreter = interpreter.clone().or(summary.interpreter);
    summary.stack_flags = wanted.stack.or(summary.stack_flags);
    summary.flags_1 = wanted.flags_1.unwrap_or(summary.flags_1);
    summary.osabi = wanted.osabi.unwrap_or(summary.osabi);
    if let Some(needed) = &wanted.needed {
        summary.needed.clone_from(needed);
    }
    if wanted.version_files.is_some() {
        summary.version_needs = version_needs(image, wanted)?;
    }
    Ok(summary)
}

/// The version needs in the wanted state.
fn version_needs(image: &Image<'_>, wanted: &Wanted) -> Result<Vec<VersionNeed>, bytes::Error> {
    let needs = image.version_needs()?;
    let Some(files) = &wanted.version_files else { return Ok(needs) };
    let named = needs.into_iter().zip(files);
    Ok(named.filter_map(|(need, file)| Some(VersionNeed { file: file.clone()?, ..need })).collect())
}

/// Do all `PT_GNU_STACK` headers have these flags?
fn has_stack(image: &Image<'_>, flags: u32) -> bool {
    let mut stacks = image.segments().iter().filter(|it| it.p_type == PT_GNU_STACK).peekable();
    stacks.peek().is_some() && stacks.all(|stack| stack.p_flags == flags)
}

/// Does any entry of this tag differ from the old one?
fn is_changed(tag: u64, wanted: &Wanted) -> bool {
    is_search_path(tag)
        || match tag {
            dynamic::DT_SONAME => wanted.soname.is_some(),
            dynamic::DT_NEEDED => wanted.needed.is_some(),
            dynamic::DT_FLAGS_1 => wanted.flags_1.is_some(),
            dynamic::DT_DEBUG => wanted.debug,
            dynamic::DT_VERNEED | dynamic::DT_VERNEEDNUM | dynamic::DT_VERSYM => {
                wanted.version_files.is_some()
            }
            _ => false,
        }
}

/// Every old string is still at its old offset in the table.
fn strings(
    image: &Image<'_>,
    new: &Image<'_>,
    edits: &EditSet,
    (wanted, slots): (&Wanted, &[Range<u64>]),
) -> Result<(), Refusal> {
    let is_same = entries(image, wanted) == entries(new, wanted);
    require(is_same, "its dynamic table is the same otherwise")?;
    let names = |image: &Image<'_>| {
        image.strings_of(|tag| is_string(tag) && !is_changed(tag, wanted), "dynamic string")
    };
    require(same(names(image), names(new)), "its dynamic strings are the same")?;
    let (Ok(old_table), Ok(new_table)) = (image.string_table(), new.string_table()) else {
        return Err(Refusal::Inconsistent { what: "it has a string table" });
    };
    let len = old_table.end - old_table.start;
    let is_kept =
        new_table.end - new_table.start >= len && stands(edits, &old_table, new_table.start, slots);
    require(is_kept, "its string table holds the old strings")
}

/// The tags and values of the dynamic table, without those that are to change. For tables that an edit may
/// move, only the tags.
fn entries(image: &Image<'_>, wanted: &Wanted) -> Vec<(u64, u64)> {
    let others = image.dynamic().iter().filter(|entry| !is_changed(entry.tag, wanted));
    let moved = |tag| matches!(tag, dynamic::DT_STRTAB | dynamic::DT_STRSZ) || can_move(tag);
    others.map(|entry| (entry.tag, if moved(entry.tag) { 0 } else { entry.value })).collect()
}

/// The tables that may move have the same content as before.
fn tables(image: &Image<'_>, new: &Image<'_>, edits: &EditSet) -> Result<(), Refusal> {
    for tag in [dynamic::DT_GNU_HASH, dynamic::DT_HASH, dynamic::DT_SYMTAB] {
        let at = |image: &Image<'_>| image.value(tag).and_then(|value| image.offset_of(value));
        let is_kept = match (at(image), at(new)) {
            (None, None) => true,
            (Some(old), Some(new)) => stands(edits, &extent(image, tag, old), new, &[]),
            _ => false,
        };
        require(is_kept, "its symbols and their hash tables are the same")?;
    }
    Ok(())
}

/// The part of a table that is compared: the beginning of hash tables, and all symbols. If a malformed object
/// claims too many symbols, some of them are in bytes that the edit changes.
fn extent(image: &Image<'_>, tag: u64, start: u64) -> Range<u64> {
    let all = if tag == dynamic::DT_SYMTAB { hash::symbol_table(image) } else { Ok(None) };
    all.ok().flatten().filter(|all| !all.is_empty()).unwrap_or(start..start + 16)
}

fn can_move(tag: u64) -> bool {
    matches!(tag, dynamic::DT_GNU_HASH | dynamic::DT_HASH | dynamic::DT_SYMTAB)
}

/// Are the bytes of the old file in `range` at offset `at` of the new file, apart from those in `except`?
fn stands(edits: &EditSet, range: &Range<u64>, at: u64, except: &[Range<u64>]) -> bool {
    let overlaps = |edit: &Range<u64>| edit.start < range.end && range.start < edit.end;
    if at == range.start && range.end <= edits.old_len() {
        return edits.in_write_order().iter().all(|edit| {
            !overlaps(&edit.range) || except.iter().any(|slot| contains(slot, &edit.range))
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

/// If sections and segments described the same tables before, they still do.
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
