//! Strings in the read-only data of an object. The name of a library that a program opens is a complete C
//! string there, because `dlopen` accepts nothing else.

use super::image::Image;
use super::sections::Sections;
use crate::bytes::Error;
use aho_corasick::AhoCorasick;
use memchr::{memchr, memmem, memrchr};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

/// The section of read-only constants.
const NAME: &[u8] = b".rodata";

/// A substring of the names of nearly all libraries.
const ENDING: &[u8] = b".so";

/// Constants are searched in pieces of this many bytes, which the processor still has in its cache when they are
/// searched, and for which no new memory is needed.
const STEP: u64 = 128 << 10;

/// The result of a search in strings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// The names that were found, as indices in the list.
    pub names: BTreeSet<usize>,
    /// The number of bytes that were searched.
    pub read: u64,
    /// Was the section longer than the limit?
    pub is_cut: bool,
}

/// Which of `names` are complete C strings in `.rodata`? At most the first `most` bytes of the section are
/// read, and nothing of a file without section headers.
///
/// # Errors
/// If the section headers are malformed, or the section is outside the file.
pub fn whole(image: &Image<'_>, names: &[&[u8]], most: u64) -> Result<Found, Error> {
    found_by(&Finder::new(names), image, most)
}

/// Which of `names` occur anywhere in `.rodata`? Any bytes may surround them except underscores, which would
/// make them part of another name: Cython writes the constants of a module one after the other, without
/// terminators. The limits are those of [`whole`].
///
/// # Errors
/// As for [`whole`].
pub fn within(image: &Image<'_>, names: &[&[u8]], most: u64) -> Result<Found, Error> {
    found_by(&Finder::of_parts(names), image, most)
}

fn found_by(finder: &Finder<'_>, image: &Image<'_>, most: u64) -> Result<Found, Error> {
    let mut found = Found::default();
    let Some(sections) = Sections::read(image)? else { return Ok(found) };
    let Some(section) = sections.named(image, NAME) else { return Ok(found) };
    let len = section.sh_size.min(most);
    (found.read, found.is_cut) = (len, len < section.sh_size);
    // The section is searched completely or not at all.
    image.source().read(section.sh_offset.saturating_add(len), 0, ".rodata")?;
    let piece = |range: Range<u64>| {
        let at = section.sh_offset.saturating_add(range.start);
        image.source().read(at, range.end - range.start, ".rodata")
    };
    finder.search(len, STEP, piece, &mut found.names)?;
    Ok(found)
}

/// Searches for names, as complete C strings or inside of others.
struct Finder<'n> {
    names: &'n [&'n [u8]],
    /// The names of most libraries have a substring in common, which is found at the speed of memory. These
    /// are such names, with their indices.
    usual: BTreeMap<&'n [u8], usize>,
    /// The indices of the other names, and the searcher for these with their NULs.
    others: Vec<usize>,
    finder: Option<AhoCorasick>,
    longest: usize,
    is_of_parts: bool,
}

impl<'n> Finder<'n> {
    fn new(names: &'n [&'n [u8]]) -> Self {
        let numbered = names.iter().copied().zip(0..);
        let (usual, others): (Vec<_>, Vec<_>) =
            numbered.partition(|(name, _)| memmem::find(name, ENDING).is_some());
        let patterns = others.iter().map(|(name, _)| [name, &b"\0"[..]].concat());
        let finder = if others.is_empty() { None } else { AhoCorasick::new(patterns).ok() };
        Self {
            names,
            usual: usual.into_iter().collect(),
            others: others.into_iter().map(|(_, place)| place).collect(),
            finder,
            longest: names.iter().map(|name| name.len()).max().unwrap_or(0),
            is_of_parts: false,
        }
    }

    fn of_parts(names: &'n [&'n [u8]]) -> Self {
        Self {
            names,
            usual: BTreeMap::new(),
            others: (0..names.len()).collect(),
            finder: AhoCorasick::new(names).ok(),
            longest: names.iter().map(|name| name.len()).max().unwrap_or(0),
            is_of_parts: true,
        }
    }

    /// Searches `len` bytes, which `piece` reads, in steps of `step` bytes. Reading a whole section would use
    /// most of the memory of a diagnosis.
    fn search<'d>(
        &self,
        len: u64,
        step: u64,
        piece: impl Fn(Range<u64>) -> Result<Cow<'d, [u8]>, Error>,
        found: &mut BTreeSet<usize>,
    ) -> Result<(), Error> {
        // Pieces overlap, so that each name, with the byte before it and the NUL behind it, is complete in
        // one of them.
        let overlap = self.longest as u64 + 2;
        let mut at = 0;
        while at < len && found.len() < self.names.len() {
            let end = len.min(at.saturating_add(step).saturating_add(overlap));
            let data = piece(at..end)?;
            self.search_usual(&data, at == 0, found);
            self.search_others(&data, at == 0, found);
            at = at.saturating_add(step);
        }
        Ok(())
    }

    fn search_usual(&self, data: &[u8], is_first: bool, found: &mut BTreeSet<usize>) {
        if self.usual.is_empty() {
            return;
        }
        for at in memmem::find_iter(data, ENDING) {
            // Only as many bytes of a string are compared as the name has.
            let first = at.saturating_sub(self.longest + 1);
            let before = data.get(first..at).unwrap_or_default();
            let start = match memrchr(0, before) {
                Some(nul) => first + nul + 1,
                None if first == 0 && is_first => 0,
                None => continue,
            };
            let rest = data.get(at..data.len().min(at + self.longest + 1)).unwrap_or_default();
            let Some(len) = memchr(0, rest) else { continue };
            found.extend(data.get(start..at + len).and_then(|string| self.usual.get(string)));
        }
    }

    fn search_others(&self, data: &[u8], is_first: bool, found: &mut BTreeSet<usize>) {
        let Some(finder) = &self.finder else { return };
        for at in finder.find_overlapping_iter(data) {
            let before = at.start().checked_sub(1).and_then(|before| data.get(before));
            let stands = match self.is_of_parts {
                true => before != Some(&b'_') && data.get(at.end()) != Some(&b'_'),
                false => before.map_or(is_first, |&byte| byte == 0),
            };
            if stands {
                found.extend(self.others.get(at.pattern().as_usize()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that occur between NULs, or at the beginning, one by one.
    fn by_hand(data: &[u8], names: &[&[u8]]) -> BTreeSet<usize> {
        let ends = data.iter().rposition(|&byte| byte == 0).unwrap_or(0);
        let strings = data.get(..ends).unwrap_or_default().split(|&byte| byte == 0);
        strings.filter_map(|string| names.iter().position(|name| *name == string)).collect()
    }

    #[test]
    fn names_are_found_as_whole_strings_and_as_nothing_else_however_they_are_cut() {
        let names: [&[u8]; 6] = [b"liba.so", b"libb.so.1", b"x.so.so", b".so", b"libc", b"c"];
        for data in [
            b"liba.so\0".as_slice(),
            b"\0liba.so\0libb.so.1\0",
            b"/usr/lib/liba.so\0xliba.so\0liba.so.1\0",
            b"libb.so.1 and more\0a libb.so.1\0",
            b"x.so.so\0.so\0",
            b"x.so.sox\0x.so\0libc\0xc\0lib",
            b"c\0.so\0liba.so",
            b"libb.so.1\0libc.so\0libc",
            b"libcc\0\0c\0\0libc\0",
            b"",
        ] {
            let piece = |range: Range<u64>| {
                let range = usize::try_from(range.start).unwrap()..range.end.try_into().unwrap();
                Ok(Cow::Borrowed(&data[range]))
            };
            for step in 1..=data.len() as u64 + 1 {
                let mut found = BTreeSet::new();
                Finder::new(&names).search(data.len() as u64, step, piece, &mut found).unwrap();
                assert_eq!(found, by_hand(data, &names), "{} by {step}", data.escape_ascii());
            }
        }
    }
}
