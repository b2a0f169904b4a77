//! Room inside the string table as it is: over the old string, or where the wanted string stands
//! already.

use crate::bytes::Error;
use crate::elf::dynamic_table::is_string;
use crate::elf::hash::{Reference, names_in};
use crate::elf::image::Image;
use crate::elf::sections::Sections;
use crate::elf::versions::version_names;
use std::ops::Range;

/// The slot of the string of entry `index` of the dynamic table, if a string of `len` bytes fits
/// into it and nothing else in the file refers into it: file offsets of the string, its NUL, and
/// as many of the NULs after it as are needed.
///
/// A linker merges strings that are tails of others, so that a symbol's name may well begin
/// inside a search path, and the search path inside another string.
///
/// # Errors
/// Where a table that may refer into it is malformed.
pub(in crate::elf) fn find(
    image: &Image<'_>,
    index: usize,
    len: u64,
) -> Result<Option<Range<u64>>, Error> {
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
pub(in crate::elf) fn elsewhere(image: &Image<'_>, wanted: &[u8]) -> Result<Option<u64>, Error> {
    for entry in image.dynamic().iter().filter(|entry| is_string(entry.tag)) {
        let text = image.string(entry.value, "dynamic string")?;
        if text.ends_with(wanted) {
            return Ok(Some(entry.value + (text.len() - wanted.len()) as u64));
        }
    }
    Ok(None)
}
