//! Reserved space in a store, so that an operation can be reverted on a full disk: the record of the revert
//! overwrites it.

use super::disk::{Disk, Handle};
use super::error::PathError;
use super::journal::Record;
use super::tree::{Directory, Name};
use crate::plan::Kind;
use std::sync::Arc;

/// The file with the reserved space.
const NAME: &str = "room";

/// The maximum space. If more would be needed, none is reserved, because it would be part of every image.
const MAX_BYTES: u64 = 128 << 10;

/// Space is reserved in blocks of this many bytes.
const BLOCK: u64 = 4096;

/// Reserves the space that a revert of `record` needs before it frees any: for its own record, and for each
/// RECORD, which is always written again. `record` was written as `len` bytes. It is not an error if the disk
/// is too full, or if the file system cannot reserve space.
pub(super) fn keep(disk: &Disk, operations: &Arc<Directory>, record: &Record, len: u64, mode: u32) {
    let rows = record.steps.iter().filter(|step| step.about.kind == Kind::Record);
    let rows: u64 = rows.map(|step| blocks(step.old.lock.size)).sum();
    // The record of the revert contains the same edits in the other direction.
    let wanted = blocks(len.saturating_mul(2)).saturating_add(rows);
    let name = name_in(operations);
    if wanted > MAX_BYTES || name.stat().is_ok_and(|stat| stat.len >= wanted) {
        return;
    }
    let opened =
        if name.is_there().unwrap_or(true) { disk.open(&name) } else { disk.create(&name, mode) };
    if let Ok(handle) = opened {
        let _ = disk.extend(&handle, wanted);
    }
}

fn blocks(len: u64) -> u64 {
    len.div_ceil(BLOCK).saturating_mul(BLOCK)
}

/// The file with the reserved space of a store.
pub(super) fn name_in(operations: &Arc<Directory>) -> Name {
    operations.name(NAME)
}

/// The reserved space as a file that `len` bytes can be written over; `None` if there is less. The rest of it
/// is freed.
pub(super) fn take(
    disk: &Disk,
    operations: &Arc<Directory>,
    temporary: &Name,
    len: u64,
) -> Result<Option<Handle>, PathError> {
    let name = name_in(operations);
    if !name.stat().is_ok_and(|stat| stat.is_file() && stat.links == 1 && stat.len >= len) {
        return Ok(None);
    }
    disk.rename(&name, temporary)?;
    let handle = disk.open(temporary)?;
    disk.set_len(&handle, len)?;
    Ok(Some(handle))
}
