//! Strings in an object's read-only data. A library that a program opens by its name stands there: as a
//! whole C string, for `dlopen` takes no other.

use super::image::Image;
use super::sections::Sections;
use crate::bytes::Error;
use aho_corasick::AhoCorasick;
use std::collections::BTreeSet;

/// The section of constants that a program does not write to.
const NAME: &[u8] = b".rodata";

/// How many bytes `.rodata` has; none where there are no section headers.
///
/// # Errors
/// Where the section headers are malformed.
pub fn size(image: &Image<'_>) -> Result<u64, Error> {
    let sections = Sections::read(image)?;
    let section = sections.as_ref().and_then(|sections| sections.named(image, NAME));
    Ok(section.map_or(0, |section| section.sh_size))
}

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
    let patterns = names.iter().map(|name| [name, &b"\0"[..]].concat());
    let Ok(finder) = AhoCorasick::new(patterns) else { return Ok(found) };
    for at in finder.find_overlapping_iter(data.as_ref()) {
        let before = at.start().checked_sub(1).and_then(|before| data.get(before));
        if before.is_none_or(|&byte| byte == 0) {
            found.insert(at.pattern().as_usize());
        }
    }
    Ok(found)
}
