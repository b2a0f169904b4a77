//! Room that a store keeps, so that an operation can be taken back on a full disk: the record of the
//! revert is written over it.

use super::disk::{Disk, Handle};
use super::error::PathError;
use super::journal::Record;
use super::tree::{Directory, Name};
use crate::plan::Kind;
use std::sync::Arc;

/// The file that holds the room.
const NAME: &str = "room";

/// Where more would be needed, none is kept: an image would carry it along.
const MAX_BYTES: u64 = 128 << 10;

/// Room is kept in whole blocks of this many bytes.
const BLOCK: u64 = 4096;

/// Keeps as much room as a revert of `record`, which was written as `len` bytes, takes before it gives
/// any back: for its own record, and for each RECORD, which is always written anew. A disk that has no
/// room for it, and a file system that reserves none, are no failure.
pub(super) fn keep(disk: &Disk, operations: &Arc<Directory>, record: &Record, len: u64, mode: u32) {
    let rows = record.steps.iter().filter(|step| step.about.kind == Kind::Record);
    let rows: u64 = rows.map(|step| blocks(step.old.lock.size)).sum();
    // Its record tells of the same edits in the other direction.
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

/// The file that holds the room of a store.
pub(super) fn name_in(operations: &Arc<Directory>) -> Name {
    operations.name(NAME)
}

/// The room as a file that `len` bytes can be written over; none where there is not as much. What is
/// left of it is given back.
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
