//! The symbols that an object leaves to others.

use super::{Symbols, unhashed};
use crate::bytes::Error;
use crate::elf::image::Image;
use goblin::elf::sym::STB_GLOBAL;
use std::cell::RefCell;
use std::ops::Range;

/// A longer name than this is none: the longest in TensorFlow's libraries, of templates, take some ten
/// kilobytes.
const MAX_NAME: u64 = 1 << 16;
/// Most names are shorter than this, and are read at once.
const USUAL_NAME: u64 = 256;
/// An object of TensorFlow leaves some ten thousand symbols to others.
const MAX_NAMES: usize = 1 << 20;
/// All names together are not longer than this in any sound object; in a malformed one all symbols may
/// share one long name.
const MAX_BYTES: usize = 1 << 26;

/// The symbols that the object needs others to define, by their names (versions left aside): those
/// that are undefined and not weak. Among them may be one whose name cannot be read, which is left
/// out.
///
/// # Errors
/// Where a hash table or the symbol table is malformed.
pub fn undefined(image: &Image<'_>) -> Result<Vec<Vec<u8>>, Error> {
    let (Some(symbols), Some(unhashed)) = (Symbols::open(image)?, unhashed(image)?) else {
        return Ok(Vec::new());
    };
    let strings = image.string_table()?;
    let offsets = RefCell::new(Vec::new());
    let too_much = || {
        Error::invalid(Symbols::WHAT, strings.start, "more undefined symbols than are looked at")
    };
    let are_too_many = symbols.any(unhashed, |symbol| {
        let mut offsets = offsets.borrow_mut();
        if symbol.section == 0 && symbol.binding == STB_GLOBAL {
            offsets.push(symbol.name);
        }
        Ok(offsets.len() > MAX_NAMES)
    })?;
    if are_too_many {
        return Err(too_much());
    }
    let mut offsets: Vec<(usize, u32)> = offsets.into_inner().into_iter().enumerate().collect();
    // In the order of the string table each part of it is read once.
    offsets.sort_unstable_by_key(|(_, offset)| *offset);
    let (mut names, mut bytes) = (Vec::new(), 0);
    for (number, offset) in offsets {
        if let Some(name) = name_at(image, &strings, offset) {
            bytes += name.len();
            names.push((number, name));
        }
        if bytes > MAX_BYTES {
            return Err(too_much());
        }
    }
    names.sort_unstable_by_key(|(number, _)| *number);
    Ok(names.into_iter().map(|(_, name)| name).collect())
}

/// The name at `offset` of the table `strings`; `None` where it is empty, or does not end there.
fn name_at(image: &Image<'_>, strings: &Range<u64>, offset: u32) -> Option<Vec<u8>> {
    let start = strings.start.checked_add(offset.into())?;
    [USUAL_NAME, MAX_NAME].into_iter().find_map(|most| {
        let end = strings.end.min(start.checked_add(most)?);
        let bytes = image.source().get(start..end.max(start))?;
        let len = bytes.iter().position(|&byte| byte == 0).filter(|&len| len > 0)?;
        bytes.get(..len).map(<[u8]>::to_vec)
    })
}
