//! Looks up many names in one object. Each part of a table is read once, however many names there are.

use super::gnu::{GnuHash, gnu_hash};
use super::{Symbols, exports};
use crate::bytes::{Error, read_together};
use crate::elf::image::Image;
use std::ops::Range;

/// The number of links that are read together with the first one of a chain. Linkers create enough buckets
/// for shorter chains.
const LINKS: u64 = 16;

/// The name of a symbol with its hash, which is computed once for all objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'n> {
    bytes: &'n [u8],
    hash: u32,
}

impl<'n> Name<'n> {
    /// The name, hashed.
    #[must_use]
    pub fn new(bytes: &'n [u8]) -> Self {
        Self { bytes, hash: gnu_hash(bytes) }
    }
}

/// The result of [`exports`] for each of `names`.
///
/// # Errors
/// If a hash table, the symbol table or a name is malformed.
pub fn exports_each(image: &Image<'_>, names: &[Name<'_>]) -> Result<Vec<bool>, Error> {
    let Some(table) = GnuHash::open(image)? else {
        return names.iter().map(|name| exports(image, name.bytes)).collect();
    };
    let mut found = vec![false; names.len()];
    let Some(symbols) = Symbols::open(image)? else { return Ok(found) };
    let strings = image.string_table()?;
    let asked = names.iter().enumerate().map(|(number, name)| (name.hash, number));
    let possible = table.possible(asked.collect())?;
    let hits = table.first_hits(table.chains_of(possible)?, LINKS)?;
    let Looked { mut unsettled, candidates } = look_at(image, &symbols, &strings, hits, names)?;
    let ranges: Vec<Range<u64>> = candidates.iter().map(|(range, _)| range.clone()).collect();
    read_together(image.source(), &ranges, "symbol name", |index, bytes| {
        let Some((_, number)) = candidates.get(index) else { return Ok(()) };
        let name = names.get(*number).map_or(b"".as_slice(), |name| name.bytes);
        match found.get_mut(*number) {
            Some(found) if bytes.split_last() == Some((&0, name)) => *found = true,
            _ => unsettled.push(*number),
        }
        Ok(())
    })?;
    // The first symbol of a chain with the right hash is nearly always the one. Otherwise the chain is
    // walked.
    for number in unsettled {
        if let (Some(name), Some(found)) = (names.get(number), found.get_mut(number)) {
            *found = exports(image, name.bytes)?;
        }
    }
    Ok(found)
}

/// The result for the symbols with these hashes.
struct Looked {
    /// The names to compare and the symbols that they belong to, in the order of the string table.
    candidates: Vec<(Range<u64>, usize)>,
    /// The names that none of these symbols settles.
    unsettled: Vec<usize>,
}

/// Examines the symbol that was found in each chain, if any. `hits` are in the order of the table.
fn look_at(
    image: &Image<'_>,
    symbols: &Symbols<'_, '_>,
    strings: &Range<u64>,
    hits: Vec<(Option<u64>, usize)>,
    names: &[Name<'_>],
) -> Result<Looked, Error> {
    let mut looked = Looked { candidates: Vec::new(), unsettled: Vec::new() };
    let mut at = Vec::new();
    for (hit, number) in hits {
        match hit {
            Some(index) => {
                let start = symbols.end(index)?;
                at.push((start..start.saturating_add(symbols.size), number));
            }
            None => looked.unsettled.push(number),
        }
    }
    let ranges: Vec<Range<u64>> = at.iter().map(|(range, _)| range.clone()).collect();
    read_together(image.source(), &ranges, Symbols::WHAT, |index, bytes| {
        let Some((_, number)) = at.get(index) else { return Ok(()) };
        let len = names.get(*number).map_or(0, |name| name.bytes.len() as u64);
        let defined = symbols.decode(bytes).filter(|symbol| symbol.section != 0);
        let start = defined.and_then(|symbol| strings.start.checked_add(symbol.name.into()));
        let range = start.map(|start| start..start.saturating_add(len + 1));
        match range.filter(|range| range.end <= strings.end) {
            Some(range) => looked.candidates.push((range, *number)),
            None => looked.unsettled.push(*number),
        }
        Ok(())
    })?;
    looked.candidates.sort_unstable_by_key(|(range, _)| range.start);
    Ok(looked)
}
