//! Writes the new bytes of a file: in place, or to a new file that replaces the old one.

use super::disk::{Disk, Handle, is_not_permitted, is_text_busy};
use super::error::{Error, PathError};
use super::file_source::{FileSource, open_place, through};
use super::journal::{Change, Link};
use super::lease::Lease;
use super::metadata::Metadata;
use super::times::Times;
use super::tree::{Directory, FileId, Name, Place};
use crate::bytes::Source;
use crate::edit::{Content, Edit, EditSet, Kept};
use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;

/// The size in bytes of the pieces in which a file is read when it is rewritten.
const PIECE: u64 = 1 << 20;

/// The names of one file, and what they will refer to.
pub(super) struct Target<'a> {
    pub(super) names: Vec<Name>,
    /// The file at each name. Only these checked files are written or replaced.
    pub(super) judged: Vec<FileId>,
    /// A temporary name beside each.
    pub(super) temporary: Vec<Name>,
    /// The file that the names refer to.
    pub(super) source: &'a FileSource,
    /// The times of the directory of each name.
    pub(super) directories: &'a [Times],
    /// The edits, in order.
    pub(super) edits: Vec<&'a EditSet>,
    pub(super) metadata: &'a Metadata,
    /// The link that replaces the file, and its owner.
    pub(super) link: Option<&'a Link>,
    /// Is editing in place forbidden while another process has the file open?
    pub(super) unopened: bool,
}

impl Target<'_> {
    /// The directory of each name, and its times.
    pub(super) fn directories(&self) -> impl Iterator<Item = (Arc<Directory>, Times)> {
        let parents = self.names.iter().map(|name| Arc::clone(name.directory()));
        parents.zip(self.directories.iter().copied())
    }

    /// Length in bytes after the last edit.
    fn new_len(&self) -> u64 {
        self.edits.last().map_or(0, |edits| edits.new_len())
    }
}

/// Can these changes be written into the file itself? Only if every remaining byte keeps its offset, and if
/// [`super::recover()`] can restore the old file after an interruption.
pub(super) fn fits_in_place(changes: &[Change]) -> bool {
    let grows = match changes {
        [Change { edits, .. }] => !shrinks(edits) && !reads_what_it_writes(edits),
        _ => false,
    };
    let overwrites = |Change { edits, .. }: &Change| {
        let is_bytes = |edit: &Edit| matches!(edit.new, Content::Bytes(_));
        edits.new_len() <= edits.old_len() && edits.in_write_order().iter().all(is_bytes)
    };
    changes.iter().all(|change| change.edits.keeps_offsets())
        && (grows || changes.iter().all(overwrites))
}

fn shrinks(edits: &EditSet) -> bool {
    edits.new_len() < edits.old_len()
}

/// Directories in which names were changed, and the times that they get.
pub(super) type Directories = BTreeMap<PathBuf, (Arc<Directory>, Times)>;

/// Adds directories in which names were changed.
pub(super) fn note(
    directories: &mut Directories,
    changed: impl Iterator<Item = (Arc<Directory>, Times)>,
) {
    directories.extend(
        changed.map(|(directory, times)| (directory.path().to_path_buf(), (directory, times))),
    );
}

/// Writes into the file itself if `in_place`; [`open()`] has opened it for that. If the file must not be
/// changed while another process has it open, it is replaced instead, unless `strict` forbids that. Adds the
/// directories of changed names to `directories`, which the caller settles.
///
/// # Errors
/// [`Error::Overtaken`] if a name refers to another file than the checked one, and that one was not written
/// to; [`Error::Moved`] if it was, and has another name now.
pub(super) fn write(
    disk: &Disk,
    target: &Target<'_>,
    in_place: bool,
    strict: bool,
    directories: &mut Directories,
) -> Result<(), Error> {
    if let (true, Some(name), Some(judged)) =
        (in_place, target.names.first(), target.judged.first())
    {
        // A file that has got a name elsewhere in the meantime may not be written in place.
        let is_shared = target.source.stat()?.links > target.names.len() as u64;
        if is_shared && strict {
            return Err(overtaken(name));
        }
        if !is_shared && write_in_place(disk, &Handle::of(target.source)?, target)? {
            return require_still_named(name, *judged, target.source);
        }
        if strict {
            return Err(Error::InUse { path: name.path().to_path_buf() });
        }
    }
    replace(disk, target, directories)
}

/// Opens the file of a place, for editing in place if `in_place` and it is not being executed. Returns
/// whether it is editable in place. A second handle of the file would prevent a lease.
pub(super) fn open(
    disk: &Disk,
    place: &Place,
    in_place: bool,
    strict: bool,
) -> Result<(FileSource, bool), Error> {
    if in_place && place.link.is_none() {
        match disk.open(&place.name) {
            Err(error) if is_text_busy(&error) && !strict => {}
            result => return Ok((FileSource::of(result?.file, place.name.path())?, true)),
        }
    }
    Ok((open_place(place)?.0, false))
}

/// Fails if a name refers to another file than the checked one.
fn require_judged(name: &Name, judged: FileId) -> Result<(), Error> {
    match name.stat() {
        Ok(stat) if stat.id() == judged => Ok(()),
        _ => Err(overtaken(name)),
    }
}

/// The same for a file that was edited in place. If it has no name left, nothing of the edit is left either.
/// Otherwise it has been moved, and only the record leads back to its old bytes.
fn require_still_named(name: &Name, judged: FileId, source: &FileSource) -> Result<(), Error> {
    match require_judged(name, judged) {
        Err(_) if source.stat()?.links > 0 => Err(Error::Moved { path: name.path().to_path_buf() }),
        result => result,
    }
}

fn overtaken(name: &Name) -> Error {
    Error::Overtaken { path: name.path().to_path_buf() }
}

/// Returns false if the file has to be truncated, or must not be open elsewhere, and another process has it
/// open. The file is unchanged then, or differs only in bytes that the edits write.
fn write_in_place(disk: &Disk, file: &Handle, target: &Target<'_>) -> Result<bool, PathError> {
    let len = target.edits.iter().any(|edits| shrinks(edits)).then(|| target.new_len());
    let mut lease = None;
    if target.unopened {
        lease = Lease::take(&file.file);
        if lease.is_none() {
            return Ok(false);
        }
    }
    let mut unsynced = false;
    for edits in &target.edits {
        unsynced = overwrite(disk, file, edits, unsynced)?;
    }
    if let Some(len) = len {
        // Old references to the tail must be gone from the disk before the tail is.
        if unsynced {
            disk.sync_data(file)?;
        }
        // Take the lease late, because processes that open the file have to wait.
        lease = lease.or_else(|| Lease::take(&file.file));
        if lease.is_none() {
            return Ok(false);
        }
        disk.set_len(file, len)?;
    }
    target.metadata.restore(disk, file)?;
    // Sync before the record says that the operation is complete.
    disk.sync(file)?;
    Ok(true)
}

/// Writes the edits into an open file that other processes can see, in an order in which a power cut leaves a
/// prefix of them: before existing bytes change, everything written so far is synced. Appended bytes are
/// invisible until then, and need no order. Returns whether unsynced writes remain.
fn overwrite(
    disk: &Disk,
    file: &Handle,
    edits: &EditSet,
    mut unsynced: bool,
) -> Result<bool, PathError> {
    for (edit, range) in edits.in_write_order().iter().zip(edits.new_ranges()) {
        if edit.new.is_empty() {
            continue;
        }
        if unsynced && edit.range.start < edits.old_len() {
            disk.sync_data(file)?;
        }
        put(disk, &file.file, file, edit, range)?;
        unsynced = true;
    }
    Ok(unsynced)
}

/// Writes the edits into an open file that no other process uses, and truncates it if it becomes shorter.
fn patch(disk: &Disk, old: &File, file: &Handle, edits: &EditSet) -> Result<(), PathError> {
    for (edit, range) in edits.in_write_order().iter().zip(edits.new_ranges()) {
        put(disk, old, file, edit, range)?;
    }
    if shrinks(edits) { disk.set_len(file, edits.new_len()) } else { Ok(()) }
}

/// Writes the new bytes of an edit into `file`. Copied bytes are read from `old`.
fn put(
    disk: &Disk,
    old: &File,
    file: &Handle,
    edit: &Edit,
    range: Range<u64>,
) -> Result<(), PathError> {
    match &edit.new {
        Content::Bytes(bytes) if bytes.is_empty() => Ok(()),
        Content::Bytes(bytes) => disk.write(file, bytes, range.start),
        Content::CopyOf(from) => disk.copy(old, from.clone(), file, range.start),
        Content::Kept(kept) => copy_kept(disk, kept, file, range.start),
    }
}

/// Writes bytes that are kept in another file.
pub(super) fn copy_kept(
    disk: &Disk,
    kept: &Kept,
    file: &Handle,
    offset: u64,
) -> Result<(), PathError> {
    let mut done = 0;
    while done < kept.len() {
        let piece = kept.get(done..kept.len().min(done + PIECE)).ok_or_else(|| {
            let why = io::Error::other("its bytes are missing from the undo record");
            PathError::new("write to", &file.path, why)
        })?;
        disk.write(file, &piece, offset + done)?;
        done += piece.len() as u64;
    }
    Ok(())
}

/// Installs a new file, or a link, under every name.
fn replace(disk: &Disk, target: &Target<'_>, directories: &mut Directories) -> Result<(), Error> {
    let Some(temporary) = target.temporary.first() else { return Ok(()) };
    if let Some(link) = target.link {
        disk.symlink(&link.target, temporary)?;
        let failed = |source| PathError::new("read the metadata of", temporary.path(), source);
        let stat = temporary.stat().map_err(failed)?;
        let Metadata { uid, gid, .. } = *target.metadata;
        if (stat.uid, stat.gid) != (uid, gid) {
            disk.set_link_owner(temporary, uid, gid)?;
        }
        disk.set_times_at(temporary, link.times)?;
    } else {
        let new = disk.create(temporary, 0o600)?;
        render(disk, target.source, &target.edits, &new)?;
        target.metadata.restore(disk, &new)?;
        // Sync before the rename; otherwise a power cut may keep the name and lose the bytes.
        disk.sync(&new)?;
    }
    for alias in target.temporary.iter().skip(1) {
        disk.link(temporary, alias)?;
    }
    let names = target.names.iter().zip(&target.temporary).zip(&target.judged);
    for ((name, temporary), judged) in names {
        take(disk, temporary, name, *judged)?;
    }
    note(directories, target.directories());
    Ok(())
}

/// Renames `temporary` to `name`, if `name` is still the checked file. If an installer has replaced that file
/// in the meantime, the installer's file gets its name back.
///
/// An interruption may leave the replaced file under the temporary name; [`super::recover()`] can distinguish
/// it from a new file.
fn take(disk: &Disk, temporary: &Name, name: &Name, judged: FileId) -> Result<(), Error> {
    require_judged(name, judged)?;
    let exchanged = match disk.exchange(temporary, name) {
        Err(error) if error.source.kind() == io::ErrorKind::NotFound => {
            return Err(overtaken(name));
        }
        result => result?,
    };
    if !exchanged {
        return Ok(disk.rename(temporary, name)?);
    }
    if require_judged(temporary, judged).is_err() {
        disk.exchange(temporary, name)?;
        return Err(overtaken(name));
    }
    Ok(disk.remove(temporary)?)
}

/// Makes the names of `target` hard links to the file `original`.
pub(super) fn relink(disk: &Disk, target: &Target<'_>, original: &Name) -> Result<(), Error> {
    let names = target.names.iter().zip(&target.temporary).zip(&target.judged);
    for ((name, temporary), judged) in names {
        disk.link(original, temporary)?;
        take(disk, temporary, name, *judged)?;
    }
    Ok(())
}

/// Writes the old bytes with the edits applied into an empty file.
fn render(
    disk: &Disk,
    source: &FileSource,
    edits: &[&EditSet],
    new: &Handle,
) -> Result<(), PathError> {
    let keep_offsets = edits.iter().all(|edits| edits.keeps_offsets());
    // A single list of edits copies from the old file, regardless of what it writes.
    let is_single = edits.len() == 1;
    if keep_offsets && (is_single || !edits.iter().any(|edits| reads_what_it_writes(edits))) {
        let longest = edits.iter().map(|edits| edits.new_len()).fold(source.len(), u64::max);
        disk.clone_into(&source.file, source.len(), new, longest)?;
        let old = if is_single { &source.file } else { &new.file };
        return edits.iter().try_for_each(|edits| patch(disk, old, new, edits));
    }
    through(source, edits, &mut |patched| {
        disk.reserve(new, patched.len())?;
        let mut at = 0;
        while at < patched.len() {
            let piece = patched
                .read(at, PIECE.min(patched.len() - at), "the edited file")
                .map_err(|error| PathError::new("read", &new.path, io::Error::other(error)))?;
            disk.write(new, &piece, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    })
}

/// Restores the times of directories, and syncs each once, after the last change of a name in it, and before
/// the record says that the operation is complete.
pub(super) fn settle(disk: &Disk, directories: &Directories) -> Result<(), PathError> {
    directories.values().try_for_each(|(directory, times)| {
        restore_directory(disk, directory, *times)?;
        disk.sync_directory(directory)
    })
}

/// Restores the times of a directory. Only its owner may do that. If another user edits in it, the directory
/// shows the time of the change, which is not an error.
pub(super) fn restore_directory(
    disk: &Disk,
    directory: &Directory,
    times: Times,
) -> Result<(), PathError> {
    match disk.set_times_of(directory, times) {
        Err(error) if is_not_permitted(&error) => Ok(()),
        result => result,
    }
}

/// Do `edits` overwrite bytes that one of them still reads?
fn reads_what_it_writes(edits: &EditSet) -> bool {
    let edits = edits.in_write_order();
    edits.iter().any(|edit| match &edit.new {
        Content::Bytes(_) | Content::Kept(_) => false,
        Content::CopyOf(from) => {
            edits.iter().any(|other| other.range.start < from.end && from.start < other.range.end)
        }
    })
}
