//! The undefined symbols of an object.

use super::{Symbols, unhashed};
use crate::bytes::{Error, read_together};
use crate::elf::image::Image;
use goblin::elf::sym::STB_GLOBAL;
use std::ops::Range;

/// The maximum length of a name. The longest names in TensorFlow's libraries, which are of templates, have
/// about ten kilobytes.
const MAX_NAME: u64 = 1 << 16;
/// Most names are shorter than this, and are read in one piece.
const USUAL_NAME: u64 = 256;
/// An object of TensorFlow has about ten thousand undefined symbols.
const MAX_NAMES: usize = 1 << 20;
/// The maximum total length of all names. A valid object has less; in a malformed one, all symbols may share
/// one long name.
const MAX_BYTES: usize = 1 << 26;

/// The names of the symbols that other objects must define: those that are undefined and not weak. Versions
/// are ignored, and a name that cannot be read is omitted.
///
/// # Errors
/// If a hash table or the symbol table is malformed.
pub fn undefined(image: &Image<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let (Some(symbols), Some(unhashed)) = (Symbols::open(image)?, unhashed(image)?) else {
        return Ok(Vec::new());
    };
    let strings = image.string_table()?;
    let mut offsets = Vec::new();
    let too_much = || {
        Error::invalid(Symbols::WHAT, strings.start, "more undefined symbols than are looked at")
    };
    let are_too_many = symbols.any(unhashed, |symbol| {
        if symbol.section == 0 && symbol.binding == STB_GLOBAL {
            offsets.push(symbol.name);
        }
        Ok(offsets.len() > MAX_NAMES)
    })?;
    if are_too_many {
        return Err(too_much());
    }
    let mut offsets: Vec<(usize, u64)> = offsets
        .into_iter()
        .enumerate()
        .filter_map(|(number, offset)| Some((number, strings.start.checked_add(offset.into())?)))
        .filter(|(_, start)| *start < strings.end)
        .collect();
    // In the order of the string table, so that each part of it is read once.
    offsets.sort_unstable_by_key(|(_, start)| *start);
    let begins = |start: u64| start..strings.end.min(start.saturating_add(USUAL_NAME));
    let ranges: Vec<Range<u64>> = offsets.iter().map(|(_, start)| begins(*start)).collect();
    let (mut names, mut bytes) = (Vec::new(), 0);
    read_together(image.source(), &ranges, Symbols::WHAT, |index, piece| {
        let Some((number, start)) = offsets.get(index) else { return Ok(()) };
        let name = ended(piece).or_else(|| long_name_at(image, &strings, *start));
        if let Some(name) = name.filter(|name| !name.is_empty()) {
            bytes += name.len();
            names.push((*number, name));
        }
        if bytes > MAX_BYTES { Err(too_much()) } else { Ok(()) }
    })?;
    names.sort_unstable_by_key(|(number, _)| *number);
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

/// The bytes before the first NUL; `None` if there is no NUL.
fn ended(bytes: &[u8]) -> Option<Vec<u8>> {
    let len = memchr::memchr(0, bytes)?;
    bytes.get(..len).map(<[u8]>::to_vec)
}

/// A long name that begins at `start` in the table `strings`; `None` if it does not end inside the table.
fn long_name_at(image: &Image<'_>, strings: &Range<u64>, start: u64) -> Option<Vec<u8>> {
    let end = strings.end.min(start.checked_add(MAX_NAME)?);
    ended(&image.source().get(start..end)?)
}
