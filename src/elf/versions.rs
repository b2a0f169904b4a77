//! Version needs and definitions, as records that refer to names in the string table.

use super::image::Image;
use super::segments::{loads, range_of};
use crate::bytes::Error;
use goblin::elf::dynamic;
use scroll::Pread as _;

/// An upper limit for version records; limits the work on malformed ones.
const MAX_RECORDS: usize = 1 << 18;

/// The names of all version needs and definitions, including the base definition, as offsets in the string
/// table, in order.
///
/// # Errors
/// If a record is truncated, or is outside the segment in which the list begins.
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

/// The layout of a version record: its size, and the offsets of its name, of the distance to its first
/// auxiliary record, and of the distance to the next record.
struct Records {
    size: u64,
    own_name: Option<usize>,
    first: usize,
    next: usize,
}

/// Follows a list of records and their auxiliary records as glibc does: only by the distances.
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
    // Beyond the end of the segment, the loader would read whatever is mapped there.
    let read = |at: u64, size: u64| {
        let end = at.saturating_add(size);
        if at < segment.start || end > segment.end {
            return Err(Error::invalid(WHAT, at, "it is outside its segment"));
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
        if steps > MAX_RECORDS { Err(error) } else { Ok(()) }
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
