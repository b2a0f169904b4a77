//! Room inside the string table as it is: over the old string, or where the wanted string stands
//! already.

use super::dynamic_table::is_string;
use super::hash::{Reference, names_in};
use super::image::Image;
use super::sections::Sections;
use super::soundness::{loads, range_of};
use crate::bytes::Error;
use goblin::elf::dynamic;
use scroll::Pread as _;
use std::ops::Range;

/// More version records than any object has; bounds the walk over malformed ones.
const MOST_RECORDS: usize = 1 << 18;

/// The slot of the string of entry `index` of the dynamic table, if a string of `len` bytes fits
/// into it and nothing else in the file refers into it: file offsets of the string, its NUL, and
/// as many of the NULs after it as are needed.
///
/// A linker merges strings that are tails of others, so that a symbol's name may well begin
/// inside a search path, and the search path inside another string.
///
/// # Errors
/// Where a table that may refer into it is malformed.
pub(super) fn find(image: &Image<'_>, index: usize, len: u64) -> Result<Option<Range<u64>>, Error> {
    let Some(entry) = image.dynamic().get(index) else { return Ok(None) };
    let table = image.string_table()?;
    let text = image.string(entry.value, "search path")?;
    let start = table.start + entry.value;
    // Offset 0 is the empty string of everything that has no name.
    if entry.value == 0 || image.source().get(start - 1..start).as_deref() != Some(&[0]) {
        return Ok(None);
    }
    let Some(end) = end_of_room(image, start + text.len() as u64 + 1, start + len + 1, table.end)
    else {
        return Ok(None);
    };
    let slot = entry.value..end - table.start;
    let is_shared = image.dynamic().iter().enumerate().any(|(other, entry)| {
        other != index && is_string(entry.tag) && slot.contains(&entry.value)
    });
    if is_shared
        || version_names(image)?.iter().any(|name| slot.contains(name))
        || names_in(image, &slot, &text)? != Reference::None
        || is_read_by_sections(image)
    {
        return Ok(None);
    }
    Ok(Some(start..end))
}

/// Where the slot ends: after the old string's NUL at `end`, or as far behind it as is needed and
/// as NULs reach, which an earlier, longer string left there.
fn end_of_room(image: &Image<'_>, end: u64, needed: u64, limit: u64) -> Option<u64> {
    if needed <= end {
        return Some(end);
    }
    let more = if needed <= limit { image.source().get(end..needed) } else { None }?;
    more.iter().all(|&byte| byte == 0).then_some(needed)
}

/// Does a section that is not loaded, or the section headers, take names from this table?
fn is_read_by_sections(image: &Image<'_>) -> bool {
    match Sections::read(image) {
        Ok(Some(sections)) => sections
            .dynamic_strings(image)
            .is_some_and(|row| sections.has_other_readers(row, image.header().e_shstrndx)),
        Ok(None) => false,
        // What cannot be read cannot be excluded.
        Err(_) => true,
    }
}

/// Where `wanted` stands in the string table, NUL included, as an offset in it: as a suffix of one
/// of the strings that the dynamic table names. The rest of a table of 70 MB is not searched.
///
/// # Errors
/// Where a string lies outside the table.
pub(super) fn elsewhere(image: &Image<'_>, wanted: &[u8]) -> Result<Option<u64>, Error> {
    for entry in image.dynamic().iter().filter(|entry| is_string(entry.tag)) {
        let text = image.string(entry.value, "dynamic string")?;
        if text.ends_with(wanted) {
            return Ok(Some(entry.value + (text.len() - wanted.len()) as u64));
        }
    }
    Ok(None)
}

/// The names of all version needs and definitions, the base definition included, as offsets in
/// the string table, in order.
///
/// # Errors
/// Where a record is cut off, or lies outside the segment in which the list begins.
pub(super) fn version_names(image: &Image<'_>) -> Result<Vec<u64>, Error> {
    let mut names = Vec::new();
    // Verneed: vn_file at 4, vn_aux at 8, vn_next at 12; Vernaux: vna_name at 8, vna_next at 12.
    let need = Records { size: 16, own_name: Some(4), first: 8, next: 12 };
    let version = Records { size: 16, own_name: Some(8), first: 0, next: 12 };
    // Verdef: vd_aux at 12, vd_next at 16; Verdaux: vda_name at 0, vda_next at 4.
    let definition = Records { size: 20, own_name: None, first: 12, next: 16 };
    let name = Records { size: 8, own_name: Some(0), first: 0, next: 4 };
    walk(image, dynamic::DT_VERNEED, &need, &version, &mut names)?;
    walk(image, dynamic::DT_VERDEF, &definition, &name, &mut names)?;
    Ok(names)
}

/// Layout of a version record: its size, and the offsets of its name, of the distance to its
/// first auxiliary record, and of the distance to the next record.
struct Records {
    size: u64,
    own_name: Option<usize>,
    first: usize,
    next: usize,
}

/// Follows a list of records and their auxiliary records as glibc does: by the distances alone.
fn walk(
    image: &Image<'_>,
    tag: u64,
    outer: &Records,
    inner: &Records,
    names: &mut Vec<u64>,
) -> Result<(), Error> {
    const WHAT: &str = "version record";
    let Some(entry) = image.entry(tag) else { return Ok(()) };
    let mut at = image.offset_of(entry.value).ok_or_else(|| {
        Error::invalid(WHAT, entry.offset, "no segment maps the address of its table")
    })?;
    let segment = loads(image).map(|(_, load)| range_of(load)).find(|range| range.contains(&at));
    let segment = segment.unwrap_or(at..at);
    // What lies behind the segment the loader would read from whatever is mapped there.
    let read = |at: u64, size: u64| {
        let end = at.saturating_add(size);
        if at < segment.start || end > segment.end {
            return Err(Error::invalid(WHAT, at, "it lies outside its segment"));
        }
        image.source().read(at, size, WHAT)
    };
    let field = |bytes: &[u8], at: usize| -> u64 {
        bytes.pread_with::<u32>(at, image.ctx().le).unwrap_or(0).into()
    };
    let mut steps = 0;
    let mut count = || {
        steps += 1;
        let error = Error::invalid(WHAT, entry.offset, "the records do not end");
        if steps > MOST_RECORDS { Err(error) } else { Ok(()) }
    };
    loop {
        count()?;
        let record = read(at, outer.size)?;
        if let Some(name) = outer.own_name {
            names.push(field(&record, name));
        }
        let mut inner_at = at.saturating_add(field(&record, outer.first));
        loop {
            count()?;
            let aux = read(inner_at, inner.size)?;
            if let Some(name) = inner.own_name {
                names.push(field(&aux, name));
            }
            match field(&aux, inner.next) {
                0 => break,
                next => inner_at = inner_at.saturating_add(next),
            }
        }
        match field(&record, outer.next) {
            0 => return Ok(()),
            next => at = at.saturating_add(next),
        }
    }
}
