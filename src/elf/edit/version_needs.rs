//! Changes the records of version needs: renames the libraries that they refer to, or removes records.

use super::refusal::Refusal;
use super::request::Failure;
use crate::bytes::Error;
use crate::edit::{Content, Edit};
use crate::elf::hash;
use crate::elf::image::{Image, VersionNeed};
use goblin::elf::dynamic;
use scroll::{Pread as _, Pwrite as _};
use std::collections::BTreeSet;
use std::ops::Range;

/// The size in bytes of a record, and of one of its versions.
const SIZE: u64 = 16;
/// An upper limit for the versions that an object needs of one library.
const MAX: usize = 65_536;
/// The version index of a global symbol without a version (`VER_NDX_GLOBAL`).
const GLOBAL: u16 = 1;

/// One record (`Elf64_Verneed`; the layout is the same in both classes).
#[derive(Debug, Clone)]
pub(in crate::elf) struct Record {
    /// Its file offset.
    at: u64,
    bytes: Vec<u8>,
    /// The distance to its first version.
    aux: u64,
}

/// The records, in the order of their list.
///
/// # Errors
/// If one is truncated.
pub(in crate::elf) fn records(image: &Image<'_>) -> Result<Vec<Record>, Error> {
    const WHAT: &str = "DT_VERNEED";
    let mut records = Vec::new();
    let Some(mut at) = image.table(dynamic::DT_VERNEED, WHAT)? else { return Ok(records) };
    let count = image.value(dynamic::DT_VERNEEDNUM).unwrap_or(0).min(MAX as u64);
    for _ in 0..count {
        let bytes = image.source().read(at, SIZE, WHAT)?.into_owned();
        let (aux, next) = (image.u32_at(&bytes, 8), image.u32_at(&bytes, 12));
        records.push(Record { at, bytes, aux: aux.into() });
        match next {
            0 => break,
            next => at = at.saturating_add(next.into()),
        }
    }
    Ok(records)
}

/// What happens to a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::elf) enum Fate<T> {
    /// It is unchanged.
    Stays,
    /// It is removed.
    Goes,
    /// It gets a new `vn_file`.
    Renamed(T),
}

/// The edits that change each record as specified. The symbols of removed records lose their versions. If no
/// record remains, the records stay as they are, and the caller must remove the tags.
///
/// # Errors
/// If a record is malformed, or removing it would change the order of the list.
pub(in crate::elf) fn edits(
    image: &Image<'_>,
    records: &[Record],
    fates: &[Fate<u64>],
) -> Result<Vec<Edit>, Failure> {
    let mut gone = BTreeSet::new();
    let mut kept = Vec::new();
    for (record, fate) in records.iter().zip(fates) {
        let mut new = record.clone();
        match *fate {
            Fate::Goes => {
                collect_versions(image, record, &mut gone)?;
                continue;
            }
            Fate::Stays => {}
            Fate::Renamed(file) => {
                let file = u32::try_from(file).map_err(|_| Refusal::VersionRecords)?;
                let written = new.bytes.pwrite_with(file, 4, image.ctx().le);
                written.map_err(|_| Refusal::VersionRecords)?;
            }
        }
        kept.push((record, new));
    }
    let mut edits = relinked(image, records, &kept)?;
    if !gone.is_empty() {
        edits.extend(without_versions(image, &gone)?);
    }
    Ok(edits)
}

/// The remaining records, each with its change, as a list that begins at the old position.
fn relinked(
    image: &Image<'_>,
    records: &[Record],
    kept: &[(&Record, Record)],
) -> Result<Vec<Edit>, Refusal> {
    let Some(first) = records.first() else { return Ok(Vec::new()) };
    let place = |number: usize| match kept.get(number) {
        Some(_) if number == 0 => Some(first.at),
        kept => kept.map(|(record, _)| record.at),
    };
    let mut edits = Vec::new();
    for (number, (old, new)) in kept.iter().enumerate() {
        let told = || {
            let at = place(number)?;
            let next = match place(number + 1) {
                Some(next) => next.checked_sub(at)?,
                None => 0,
            };
            let aux = old.at.checked_add(old.aux)?.checked_sub(at)?;
            let mut bytes = new.bytes.clone();
            bytes.pwrite_with(u32::try_from(aux).ok()?, 8, image.ctx().le).ok()?;
            bytes.pwrite_with(u32::try_from(next).ok()?, 12, image.ctx().le).ok()?;
            let is_same = at == old.at && bytes == old.bytes;
            Some((!is_same).then_some(Edit { range: at..at + SIZE, new: Content::Bytes(bytes) }))
        };
        edits.extend(told().ok_or(Refusal::VersionRecords)?);
    }
    Ok(edits)
}

/// The version indices that a record assigns (`vna_other`).
fn collect_versions(
    image: &Image<'_>,
    record: &Record,
    gone: &mut BTreeSet<u16>,
) -> Result<(), Failure> {
    let mut at = record.at.saturating_add(record.aux);
    for _ in 0..MAX {
        let version = image.source().read(at, SIZE, "Vernaux")?;
        gone.insert(version.pread_with::<u16>(6, image.ctx().le).unwrap_or(0) & 0x7fff);
        match image.u32_at(&version, 12) {
            0 => return Ok(()),
            next => at = at.saturating_add(next.into()),
        }
    }
    Err(Refusal::VersionRecords.into())
}

/// The edit of `DT_VERSYM` that removes these versions from their symbols. glibc's table of versions is only
/// as long as the highest index in the records, and it is indexed with the version of each symbol without a
/// check.
fn without_versions(image: &Image<'_>, gone: &BTreeSet<u16>) -> Result<Option<Edit>, Failure> {
    let Some(start) = image.table(dynamic::DT_VERSYM, "DT_VERSYM")? else { return Ok(None) };
    let count = hash::symbol_count(image)?.ok_or(Refusal::VersionRecords)?;
    let old = image.source().read(start, count.saturating_mul(2), "DT_VERSYM")?;
    let mut new = old.to_vec();
    let mut changed: Option<Range<usize>> = None;
    for at in (0..old.len()).step_by(2) {
        let index: u16 = old.pread_with(at, image.ctx().le).unwrap_or(0);
        if gone.contains(&(index & 0x7fff)) && index & 0x7fff > GLOBAL {
            // This cannot fail inside a buffer of the right size.
            let _ = new.pwrite_with(GLOBAL, at, image.ctx().le);
            changed = Some(changed.map_or(at, |range| range.start)..at + 2);
        }
    }
    let Some(range) = changed else { return Ok(None) };
    let bytes = new.get(range.clone()).unwrap_or_default().to_vec();
    let range = start + range.start as u64..start + range.end as u64;
    Ok(Some(Edit { range, new: Content::Bytes(bytes) }))
}

/// For each record of `now`, the file that it has in `then`, or `None` if it does not exist there. Records
/// are matched by file, or else by their versions. Returns `None` if all are the same, or
/// the records of either cannot be read.
pub(in crate::elf) fn renamed(now: &Image<'_>, then: &Image<'_>) -> Option<Vec<Option<Vec<u8>>>> {
    let (now, then) = (now.version_needs().ok()?, then.version_needs().ok()?);
    let has = |needs: &[VersionNeed], file: &[u8]| needs.iter().any(|need| need.file == file);
    let mut others = then.iter().filter(|need| !has(&now, &need.file)).peekable();
    let files = now.iter().map(|need| {
        if has(&then, &need.file) {
            return Some(need.file.clone());
        }
        others.next_if(|other| other.versions == need.versions).map(|other| other.file.clone())
    });
    let files: Vec<_> = files.collect();
    let is_same = files.iter().map(Option::as_ref).eq(now.iter().map(|need| Some(&need.file)));
    (!is_same).then_some(files)
}
