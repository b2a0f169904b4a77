//! Finishes or rolls back an operation that was interrupted, by what the files hold.

use super::Options;
use super::disk::Disk;
use super::error::{Change, Error, PathError};
use super::file::{FileSource, change, through};
use super::journal::{self, Base, Record, Step, temporary};
use super::preflight::within;
use super::store::{Store, canonical};
use super::write::{self, Directories, Target, fits_in_place};
use crate::bytes::{self, Source};
use crate::edit::{Content, Edit, EditSet};
use crate::plan::RelativePath;
use std::ops::Range;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What became of an interrupted operation.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Recovered {
    /// The operation's ID.
    pub operation: String,
    /// Was every step done already, so that it counts as carried out? Otherwise every file is as
    /// it was before the operation.
    pub finished: bool,
    /// Files that something else has changed since, which are left as they are.
    pub left_alone: Vec<LeftAlone>,
}

/// A file that is not the one that was recorded.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
pub struct LeftAlone {
    /// The file.
    #[serde(flatten)]
    pub path: RelativePath,
    /// How it differs.
    #[serde(flatten)]
    pub change: Change,
}

/// What a name holds.
enum Found {
    Old,
    New,
    /// Part of an edit in place; these edits lead back.
    Between(EditSet),
    Foreign(Change),
}

/// Brings the target back into a known state where an operation was interrupted: every file is the
/// old one or, if all were done, the new one. Does nothing where none was.
///
/// # Errors
/// Where the store cannot be locked or read, or a file cannot be written; recovery can be tried
/// again then.
pub fn recover(
    root: &Path,
    store: &Store,
    options: &Options<'_>,
) -> Result<Option<Recovered>, Error> {
    let root = canonical(root)?;
    if store.pending()?.is_none() {
        return Ok(None);
    }
    let disk = store.disk.syncing(options.sync);
    let _guard = store.lock(&disk, options.wait, options.waiting)?;
    // Whoever held the lock may have finished it.
    let Some(record) = store.pending_record()? else { return Ok(None) };
    // What was interrupted need not be an operation on this target.
    let base = record.base.as_ref().map_or(store.base(&root), |Base(base)| base);
    let finished = is_complete(base, &record)?;
    let left_alone = if finished {
        let mut directories = Directories::new();
        for (index, step) in record.steps.iter().enumerate() {
            complete(&disk, base, &record.id, index, step, &mut directories)?;
        }
        write::settle(&disk, &directories)?;
        store.finish(&disk)?;
        Vec::new()
    } else {
        let left_alone = roll_back(&disk, base, &record)?;
        if left_alone.is_empty() {
            store.discard(&disk)?;
        } else {
            store.abandon(&disk)?;
        }
        left_alone
    };
    Ok(Some(Recovered { operation: record.id, finished, left_alone }))
}

/// Puts every file of the record back, the last one first. Can be called again where it failed.
pub(super) fn roll_back(
    disk: &Disk,
    base: &Path,
    record: &Record,
) -> Result<Vec<LeftAlone>, Error> {
    let (mut left_alone, mut directories) = (Vec::new(), Directories::new());
    for (index, step) in record.steps.iter().enumerate().rev() {
        left_alone.extend(roll_back_step(disk, base, &record.id, index, step, &mut directories)?);
    }
    write::settle(disk, &directories)?;
    Ok(left_alone)
}

fn is_complete(base: &Path, record: &Record) -> Result<bool, Error> {
    for step in &record.steps {
        for name in step.names() {
            match within(base, name) {
                Ok(path) if matches!(look(step, &path)?, Found::New) => {}
                _ => return Ok(false),
            }
        }
    }
    Ok(true)
}

/// All is done but, perhaps, the metadata and the temporary files.
fn complete(
    disk: &Disk,
    base: &Path,
    id: &str,
    index: usize,
    step: &Step,
    directories: &mut Directories,
) -> Result<(), Error> {
    let paths = step.names().map(|name| within(base, name)).collect::<Result<Vec<_>, _>>()?;
    let temporary = remove_temporary(disk, id, index, &paths)?;
    if step.new.link.is_none()
        && let Some(path) = paths.first()
    {
        restore_metadata(disk, path, &step.new.metadata, paths.len())?;
    }
    let target = target(step, &paths, &temporary, Vec::new());
    directories.extend(target.directories());
    Ok(())
}

fn roll_back_step(
    disk: &Disk,
    base: &Path,
    id: &str,
    index: usize,
    step: &Step,
    directories: &mut Directories,
) -> Result<Vec<LeftAlone>, Error> {
    let (mut left_alone, mut paths) = (Vec::new(), Vec::new());
    let (mut old, mut other, mut back) = (Vec::new(), Vec::new(), None);
    for (position, name) in step.names().enumerate() {
        // A directory that went away took the file with it.
        let Ok(path) = within(base, name) else {
            left_alone.push(LeftAlone { path: name.clone(), change: Change::Gone });
            continue;
        };
        disk.remove(&temporary(id, index, position, &path))?;
        match look(step, &path)? {
            Found::Old => old.push(path.clone()),
            Found::New => other.push((position, path.clone())),
            Found::Between(edits) => {
                back = Some(edits);
                other.push((position, path.clone()));
            }
            Found::Foreign(change) => left_alone.push(LeftAlone { path: name.clone(), change }),
        }
        paths.push(path);
    }
    let temporary: Vec<_> =
        other.iter().map(|(position, path)| temporary(id, index, *position, path)).collect();
    let changes = step.back();
    let edits = match &back {
        Some(edits) => vec![edits],
        None => changes.iter().map(|change| &change.edits).collect(),
    };
    let target = Target {
        names: other.iter().map(|(_, path)| path.as_path()).collect(),
        temporary,
        directories: &[],
        edits,
        metadata: &step.old.metadata,
        link: step.old.link.as_ref(),
        unopened: step.unopened,
    };
    match old.first() {
        Some(original) if step.old.link.is_none() && !other.is_empty() => {
            write::relink(disk, &target, original)?;
        }
        Some(original) if step.old.link.is_none() => {
            restore_metadata(disk, original, &step.old.metadata, paths.len())?;
        }
        _ if !other.is_empty() => {
            let single = other.first().is_some_and(|(_, path)| is_alone(path, other.len()));
            let links = step.old.link.is_some() || step.new.link.is_some();
            let in_place = back.is_some() || goes_back_in_place(step, &changes);
            let in_place = in_place && single && !links && !step.replace;
            write::write(disk, &target, in_place, false, directories)?;
        }
        _ => {}
    }
    // Temporary files may have changed the times of the directories of all names.
    if paths.len() == step.directories.len() {
        let parents = paths.iter().filter_map(|path| path.parent());
        let parents = parents.map(Path::to_path_buf);
        directories.extend(parents.zip(step.directories.iter().copied()));
    }
    Ok(left_alone)
}

/// Can the new file get its old bytes back in place, by `changes`? Not where it would grow: what an
/// interruption leaves of that is no state that [`way_back`] knows.
fn goes_back_in_place(step: &Step, changes: &[journal::Change]) -> bool {
    step.new.lock.size >= step.old.lock.size
        && fits_in_place(&step.changes)
        && fits_in_place(changes)
}

/// What a name of the step holds now.
fn look(step: &Step, path: &Path) -> Result<Found, Error> {
    let stat = match std::fs::symlink_metadata(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Found::Foreign(Change::Gone));
        }
        result => result.map_err(|source| PathError::new("find", path, source))?,
    };
    let link = if stat.is_symlink() {
        let read = std::fs::read_link(path);
        Some(read.map_err(|source| PathError::new("read the link", path, source))?)
    } else {
        None
    };
    let is = |state: &journal::State| state.link.as_ref().map(|link| &link.target) == link.as_ref();
    if (!is(&step.old) && !is(&step.new)) || !(stat.is_file() || stat.is_symlink()) {
        return Ok(Found::Foreign(Change::OtherKind));
    }
    if link.is_some() && is(&step.old) {
        return Ok(Found::Old);
    }
    let source = FileSource::open(path)?;
    if is(&step.new) && step.new.lock.matches(&source) && copies_are_complete(step, &source) {
        return Ok(Found::New);
    }
    let Some(change) = change(&step.old.lock, &source).filter(|_| is(&step.old)) else {
        return Ok(if is(&step.old) { Found::Old } else { Found::Foreign(Change::OtherKind) });
    };
    if let Some(edits) = way_back(step, &source)
        && through(&source, &[&edits], &mut |patched| step.old.lock.matches(patched))
    {
        return Ok(Found::Between(edits));
    }
    Ok(Found::Foreign(change))
}

/// The edits that put the old bytes back whatever part of an edit in place was done. None where the
/// step was not done in place.
fn way_back(step: &Step, source: &FileSource) -> Option<EditSet> {
    if !fits_in_place(&step.changes) {
        return None;
    }
    match step.changes.as_slice() {
        [change] if change.edits.new_len() >= change.edits.old_len() => {
            way_back_from_growth(change, source.len())
        }
        changes => way_back_from_overwriting(changes, source),
    }
}

/// The tail may be there in part, of a file that has `len` bytes now.
fn way_back_from_growth(change: &journal::Change, len: u64) -> Option<EditSet> {
    let old_len = change.edits.old_len();
    if len < old_len || len > change.edits.new_len() {
        return None;
    }
    let undo = change.undo.in_write_order().iter().filter_map(|edit| {
        let range = edit.range.start.min(len)..edit.range.end.min(len);
        let new = edit.new.clone();
        (!range.is_empty() || !new.is_empty()).then_some(Edit { range, new })
    });
    EditSet::new(len, undo.collect()).ok().filter(|edits| edits.new_len() == old_len)
}

/// Cutting off comes last: the file has its old length, and differs in bytes alone that the edits
/// write. Writing all of them gives the new file, and from there the old one is known.
fn way_back_from_overwriting(changes: &[journal::Change], source: &FileSource) -> Option<EditSet> {
    let len = source.len();
    if changes.first()?.edits.old_len() != len {
        return None;
    }
    let there = changes.iter().map(|change| &change.edits);
    let back = changes.iter().rev().map(|change| &change.undo);
    let written: Vec<_> = there.clone().flat_map(EditSet::new_ranges).collect();
    let ranges = bytes::joined(&written);
    let edits = through(source, &there.chain(back).collect::<Vec<_>>(), &mut |old| {
        let edit = |range: &Range<u64>| {
            let new = Content::Bytes(old.get(range.clone())?.into_owned());
            Some(Edit { range: range.clone(), new })
        };
        ranges.iter().map(edit).collect::<Option<Vec<_>>>()
    });
    EditSet::new(len, edits?).ok()
}

/// Are the bytes there that an edit in place copies within the file? The lock leaves them out.
fn copies_are_complete(step: &Step, source: &FileSource) -> bool {
    const PIECE: u64 = 1 << 20;
    let [change] = step.changes.as_slice() else { return true };
    if !fits_in_place(&step.changes) {
        return true;
    }
    let edits = change.edits.in_write_order().iter().zip(change.edits.new_ranges());
    edits.into_iter().all(|(edit, range)| {
        let Content::CopyOf(from) = &edit.new else { return true };
        let mut done = 0;
        while done < from.end - from.start {
            let len = PIECE.min(from.end - from.start - done);
            let piece = |at: u64| source.get(at + done..at + done + len);
            match (piece(from.start), piece(range.start)) {
                (Some(one), Some(other)) if one == other => done += len,
                _ => return false,
            }
        }
        true
    })
}

fn target<'a>(
    step: &'a Step,
    paths: &'a [PathBuf],
    temporary: &[PathBuf],
    edits: Vec<&'a EditSet>,
) -> Target<'a> {
    Target {
        names: paths.iter().map(PathBuf::as_path).collect(),
        temporary: temporary.to_vec(),
        directories: &step.directories,
        edits,
        metadata: &step.new.metadata,
        link: step.new.link.as_ref(),
        unopened: step.unopened,
    }
}

fn remove_temporary(
    disk: &Disk,
    id: &str,
    step: usize,
    paths: &[PathBuf],
) -> Result<Vec<PathBuf>, Error> {
    let positions = paths.iter().enumerate();
    let temporary: Vec<_> =
        positions.map(|(position, path)| temporary(id, step, position, path)).collect();
    temporary.iter().try_for_each(|path| disk.remove(path))?;
    Ok(temporary)
}

/// Gives a file its metadata back if it is ours alone: an edit in place may have been stopped
/// before its last call. A file that others have names of was never written to.
fn restore_metadata(
    disk: &Disk,
    path: &Path,
    metadata: &super::Metadata,
    names: usize,
) -> Result<(), Error> {
    let source = FileSource::open(path)?;
    if !is_alone(path, names) || source.metadata()? == *metadata {
        return Ok(());
    }
    match disk.open(path) {
        // A program that is being executed was not edited in place.
        Err(error) if super::disk::is_text_busy(&error) => Ok(()),
        result => Ok(metadata.restore(disk, &result?)?),
    }
}

/// Is `path` itself a file, with no more than `names` names?
fn is_alone(path: &Path, names: usize) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|stat| stat.is_file() && stat.nlink() <= names as u64)
}
