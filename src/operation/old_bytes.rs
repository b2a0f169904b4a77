//! Old bytes that are too large for a record, namely those of the members of an archive, which an edit
//! compresses again. They are kept in a file beside the record, which is written and synced before the
//! record.
//!
//! New bytes are not kept: they are in the file that the operation produced. A revert only accepts that file,
//! and finds them there.

use super::disk::Disk;
use super::error::{Error, PathError};
use super::file_source::FileSource;
use super::journal::{Change, Record};
use super::tree::{Directory, Name};
use super::write::copy_kept;
use crate::bytes::Source;
use crate::edit::{Content, EditSet, Kept, Patched};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::io;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// The suffix of the file.
const ENDING: &str = "old";

/// The file beside a record, given the name of the record in any of its states.
pub(super) fn beside(record: &Name) -> Name {
    record.beside(format!("{}.{ENDING}", stem(record.name())))
}

fn stem(name: &OsStr) -> &str {
    let name = name.to_str().unwrap_or_default();
    name.split('.').next().unwrap_or(name)
}

/// Writes the old bytes of `record` that are kept outside it to the disk, beside the future file of the
/// record, and returns the record with references to them. Does nothing if there are none.
pub(super) fn write(disk: &Disk, record: &Record, name: &Name, mode: u32) -> Result<Record, Error> {
    let mut packed = record.clone();
    remove_leftovers(disk, name.directory())?;
    if !keeps_bytes_elsewhere(record) {
        return Ok(packed);
    }
    let handle = disk.create(&beside(name), mode)?;
    let mut at = 0;
    for change in packed.steps.iter_mut().flat_map(|step| &mut step.changes) {
        if !is_kept(change) {
            continue;
        }
        change.edits = change.edits.kept_in_new();
        change.undo = change.undo.with_contents(|content| {
            let Content::Kept(kept) = content else { return Ok(content.clone()) };
            copy_kept(disk, kept, &handle, at)?;
            let range = at..at + kept.len();
            at = range.end;
            Ok::<_, PathError>(Content::Kept(Kept::new(range)))
        })?;
    }
    disk.sync(&handle)?;
    Ok(packed)
}

/// Removes files in a store's `directory` that belong to no record. They remain from an operation that was
/// interrupted before it had a record, or was rolled back.
pub(super) fn remove_leftovers(disk: &Disk, directory: &Arc<Directory>) -> Result<(), PathError> {
    let failed = |source: io::Error| PathError::new("read", directory.path(), source);
    let names = directory.names().map_err(failed)?;
    let has_ending =
        |name: &OsStr, ending: &str| Path::new(name).extension() == Some(OsStr::new(ending));
    let records = names.iter().filter(|name| has_ending(name, "json"));
    let records: Vec<&str> = records.map(|name| stem(name)).collect();
    let packs = names.iter().filter(|name| has_ending(name, ENDING));
    packs
        .filter(|pack| !records.contains(&stem(pack)))
        .try_for_each(|pack| disk.remove(&directory.name(pack)))
}

/// Sets the source of the bytes that `record`, which was read from `name`, keeps outside it.
pub(super) fn find(record: &mut Record, name: &Name) -> Result<(), PathError> {
    if !keeps_bytes_elsewhere(record) {
        return Ok(());
    }
    let file: Arc<dyn Source> = match FileSource::open(&beside(name)) {
        // A missing file is an error only when the bytes are restored; a log does not need them.
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => Arc::new(result?),
    };
    for change in record.steps.iter_mut().flat_map(|step| &mut step.changes) {
        change.undo.keep_in(&file);
    }
    Ok(())
}

/// Sets the source of the bytes that the changes `back` remove from the file `name`: the file itself, and its
/// state after each change but the last.
pub(super) fn resolve(back: &mut [Change], name: &Name) -> Result<(), PathError> {
    if !back.iter().any(is_kept) {
        return Ok(());
    }
    let mut now: Arc<dyn Source> = Arc::new(FileSource::open(name)?);
    for change in back {
        change.undo.keep_in(&now);
        now = Arc::new(After { old: now, edits: change.edits.clone() });
    }
    Ok(())
}

fn keeps_bytes_elsewhere(record: &Record) -> bool {
    record.steps.iter().flat_map(|step| &step.changes).any(is_kept)
}

fn is_kept(change: &Change) -> bool {
    change.edits.keeps_bytes_elsewhere() || change.undo.keeps_bytes_elsewhere()
}

/// A file after edits, with everything owned.
struct After {
    old: Arc<dyn Source>,
    edits: EditSet,
}

impl Source for After {
    fn len(&self) -> u64 {
        self.edits.new_len()
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        let patched = Patched::new(&*self.old, &self.edits);
        patched.get(range).map(|bytes| Cow::Owned(bytes.into_owned()))
    }
}
