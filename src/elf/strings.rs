//! Strings in an object's read-only data. A library that a program opens by its name stands there: as a
//! whole C string, for `dlopen` takes no other.

use super::image::Image;
use super::sections::Sections;
use crate::bytes::Error;
use aho_corasick::AhoCorasick;
use memchr::{memchr, memmem, memrchr};
use std::collections::{BTreeMap, BTreeSet};

/// The section of constants that a program does not write to.
const NAME: &[u8] = b".rodata";

/// What stands in the names of nearly all libraries.
const ENDING: &[u8] = b".so";

/// Which of `names` stand in `.rodata` as whole C strings, by their places in the list. Of a longer
/// section the first `most` bytes are read; of a file without section headers nothing is.
///
/// # Errors
/// Where the section headers are malformed, or the section lies outside of the file.
pub fn whole(image: &Image<'_>, names: &[&[u8]], most: u64) -> Result<BTreeSet<usize>, Error> {
    let mut found = BTreeSet::new();
    let Some(sections) = Sections::read(image)? else { return Ok(found) };
    let Some(section) = sections.named(image, NAME) else { return Ok(found) };
    let data = image.source().read(section.sh_offset, section.sh_size.min(most), ".rodata")?;
    // Names of libraries have a part in common, which is found at the speed of memory.
    let (usual, other): (Vec<usize>, Vec<usize>) = (0..names.len())
        .partition(|&at| names.get(at).is_some_and(|name| memmem::find(name, ENDING).is_some()));
    named_as_usual(&data, names, &usual, &mut found);
    let patterns = other.iter().filter_map(|&at| names.get(at));
    let patterns = patterns.map(|name| [name, &b"\0"[..]].concat());
    let finder = AhoCorasick::new(patterns).ok().filter(|_| !other.is_empty());
    let Some(finder) = finder else { return Ok(found) };
    for at in finder.find_overlapping_iter(data.as_ref()) {
        let before = at.start().checked_sub(1).and_then(|before| data.get(before));
        if before.is_none_or(|&byte| byte == 0) {
            found.extend(other.get(at.pattern().as_usize()));
        }
    }
    Ok(found)
}

/// The same for those of the names, by their places, that have the usual ending of a library somewhere.
fn named_as_usual(data: &[u8], names: &[&[u8]], usual: &[usize], found: &mut BTreeSet<usize>) {
    let usual = usual.iter().filter_map(|&at| Some((*names.get(at)?, at)));
    let usual: BTreeMap<&[u8], usize> = usual.collect();
    let Some(longest) = usual.keys().map(|name| name.len()).max() else { return };
    for at in memmem::find_iter(data, ENDING) {
        // No string is looked at farther than a name reaches.
        let first = at.saturating_sub(longest);
        let before = data.get(first..at).unwrap_or_default();
        let start = memrchr(0, before).map_or(first, |nul| first + nul + 1);
        let rest = data.get(at..data.len().min(at + longest + 1)).unwrap_or_default();
        let Some(len) = memchr(0, rest) else { continue };
        if let Some(place) = data.get(start..at + len).and_then(|string| usual.get(string)) {
            found.insert(*place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The names that stand between NULs, or at the beginning, one by one.
    fn by_hand(data: &[u8], names: &[&[u8]]) -> BTreeSet<usize> {
        let ends = data.iter().rposition(|&byte| byte == 0).unwrap_or(0);
        let strings = data.get(..ends).unwrap_or_default().split(|&byte| byte == 0);
        strings.filter_map(|string| names.iter().position(|name| *name == string)).collect()
    }

    #[test]
    fn names_are_found_as_whole_strings_and_as_nothing_else() {
        let names: [&[u8]; 4] = [b"liba.so", b"libb.so.1", b"x.so.so", b".so"];
        let all: Vec<usize> = (0..names.len()).collect();
        for data in [
            b"liba.so\0".as_slice(),
            b"\0liba.so\0libb.so.1\0",
            b"/usr/lib/liba.so\0xliba.so\0liba.so.1\0",
            b"libb.so.1 and more\0a libb.so.1\0",
            b"x.so.so\0.so\0",
            b"x.so.sox\0x.so\0",
            b".so\0liba.so",
            b"libb.so.1\0liba.so",
            b"",
        ] {
            let mut found = BTreeSet::new();
            named_as_usual(data, &names, &all, &mut found);
            assert_eq!(found, by_hand(data, &names), "{}", data.escape_ascii());
        }
    }
}
