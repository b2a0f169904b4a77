//! Old bytes that are too many for a record: those of an archive's members, which an edit compresses
//! anew. They lie in a file beside the record, and are written and synced before it.
//!
//! New bytes are not kept at all: they are in the file that the operation left, and a revert, which
//! takes no other file, finds them there.

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

/// What the file's name ends with.
const ENDING: &str = "old";

/// The file beside a record, by the record's name, whatever state that tells of.
pub(super) fn beside(record: &Name) -> Name {
    record.beside(format!("{}.{ENDING}", stem(record.name())))
}

fn stem(name: &OsStr) -> &str {
    let name = name.to_str().unwrap_or_default();
    name.split('.').next().unwrap_or(name)
}

/// Puts the old bytes that `record` keeps elsewhere on the disk, beside where it is going to be, and
/// returns the record that tells of them. Does nothing where it keeps none.
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

/// Removes what belongs to no record of a store's `directory`: an operation left it that was stopped
/// before it had a record, or was taken back.
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

/// Says where the bytes lie that `record`, which was read from `name`, keeps elsewhere.
pub(super) fn find(record: &mut Record, name: &Name) -> Result<(), PathError> {
    if !keeps_bytes_elsewhere(record) {
        return Ok(());
    }
    let file: Arc<dyn Source> = match FileSource::open(&beside(name)) {
        // Who wants to put the bytes back is told; a log needs none.
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => return Ok(()),
        result => Arc::new(result?),
    };
    for change in record.steps.iter_mut().flat_map(|step| &mut step.changes) {
        change.undo.keep_in(&file);
    }
    Ok(())
}

/// Says where the bytes lie that changes back from the file under `name` would take away: they are in
/// that file, and in what it is after each change but the last.
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

/// A file after edits, all of it owned.
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
