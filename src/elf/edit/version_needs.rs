//! The records of version needs: other names for the libraries that they are of, and fewer of them.

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

/// Size of a record in bytes, and of one of its versions.
const SIZE: u64 = 16;
/// More versions than any object needs of one library.
const MAX: usize = 65_536;
/// The version of a symbol that is global and has none (`VER_NDX_GLOBAL`).
const GLOBAL: u16 = 1;

/// One record (`Elf64_Verneed`, the same in both classes).
#[derive(Debug, Clone)]
pub(in crate::elf) struct Record {
    /// Its file offset.
    at: u64,
    bytes: Vec<u8>,
    /// Distance of its first version.
    aux: u64,
}

/// The records, in the order of their list.
///
/// # Errors
/// Where one is cut off.
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

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::elf) enum Fate<T> {
    /// It stays what it is.
    Stays,
    /// It goes.
    Goes,
    /// It gets another `vn_file`.
    Renamed(T),
}

/// The edits that give each record its fate; the symbols of those that go have no version then. With none
/// left the tags have to go too, and the records stay as they are.
///
/// # Errors
/// Where a record is malformed, or lies where its list cannot be told again.
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

/// The records that stay, each with what it becomes, as a list that begins where it began.
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

/// The indices by which symbols have the versions of a record (`vna_other`).
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

/// The edit of `DT_VERSYM` that takes these versions from their symbols: glibc has a table of versions no
/// longer than the highest index of a record, and looks up in it whatever index a symbol has.
fn without_versions(image: &Image<'_>, gone: &BTreeSet<u16>) -> Result<Option<Edit>, Failure> {
    let Some(start) = image.table(dynamic::DT_VERSYM, "DT_VERSYM")? else { return Ok(None) };
    let count = hash::symbol_count(image)?.ok_or(Refusal::VersionRecords)?;
    let old = image.source().read(start, count.saturating_mul(2), "DT_VERSYM")?;
    let mut new = old.to_vec();
    let mut changed: Option<Range<usize>> = None;
    for at in (0..old.len()).step_by(2) {
        let index: u16 = old.pread_with(at, image.ctx().le).unwrap_or(0);
        if gone.contains(&(index & 0x7fff)) && index & 0x7fff > GLOBAL {
            // Inside a buffer made for it this cannot fail.
            let _ = new.pwrite_with(GLOBAL, at, image.ctx().le);
            changed = Some(changed.map_or(at, |range| range.start)..at + 2);
        }
    }
    let Some(range) = changed else { return Ok(None) };
    let bytes = new.get(range.clone()).unwrap_or_default().to_vec();
    let range = start + range.start as u64..start + range.end as u64;
    Ok(Some(Edit { range, new: Content::Bytes(bytes) }))
}

/// For each record of `now` the file that it is of in `then`, or `None` where it is not there: by its
/// file, else by its versions. `None` where the records of either cannot be read.
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
    Some(files.collect())
}
