//! Room inside the existing string table: over the old string, or where the wanted string already is.

use crate::bytes::Error;
use crate::elf::dynamic_table::is_string;
use crate::elf::hash::{Reference, names_in};
use crate::elf::image::Image;
use crate::elf::sections::Sections;
use crate::elf::versions::version_names;
use std::ops::Range;

/// The slot of the string of entry `index` of the dynamic table, if a string of `len` bytes fits into it and
/// nothing else in the file refers to it. The result is the range of file offsets of the string, its NUL, and
/// as many of the following NULs as needed.
///
/// A linker merges a string that is a tail of another one, so the name of a symbol may begin inside a search
/// path, and the search path inside another string.
///
/// # Errors
/// If a table that may refer to the string is malformed.
pub(in crate::elf) fn find(
    image: &Image<'_>,
    index: usize,
    len: u64,
) -> Result<Option<Range<u64>>, Error> {
    let Some(entry) = image.dynamic().get(index) else { return Ok(None) };
    let table = image.string_table()?;
    let text = image.string(entry.value, "search path")?;
    let start = table.start + entry.value;
    // Offset 0 is the empty string, which everything without a name uses.
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

/// The end of the slot: after the old string's NUL at `end`, or further, as far as needed and as the NULs
/// extend that an earlier, longer string left.
fn end_of_room(image: &Image<'_>, end: u64, needed: u64, limit: u64) -> Option<u64> {
    if needed <= end {
        return Some(end);
    }
    let more = if needed <= limit { image.source().get(end..needed) } else { None }?;
    more.iter().all(|&byte| byte == 0).then_some(needed)
}

/// Does a section that is not loaded, or do the section headers, use names from this table?
fn is_read_by_sections(image: &Image<'_>) -> bool {
    match Sections::read(image) {
        Ok(Some(sections)) => sections
            .dynamic_strings(image)
            .is_some_and(|row| sections.has_other_readers(row, image.header().e_shstrndx)),
        Ok(None) => false,
        // If something cannot be read, it may use them.
        Err(_) => true,
    }
}

/// The offset of `wanted`, with its NUL, in the string table, if it is a suffix of a string that the dynamic
/// table refers to. The rest of the table, which may have 70 MB, is not searched.
///
/// # Errors
/// If a string is outside the table.
pub(in crate::elf) fn elsewhere(image: &Image<'_>, wanted: &[u8]) -> Result<Option<u64>, Error> {
    for entry in image.dynamic().iter().filter(|entry| is_string(entry.tag)) {
        let text = image.string(entry.value, "dynamic string")?;
        if text.ends_with(wanted) {
            return Ok(Some(entry.value + (text.len() - wanted.len()) as u64));
        }
    }
    Ok(None)
}
