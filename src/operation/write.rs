//! Gives a file its new bytes: in place, or as a new file under the old name.

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

/// A file that is read piecewise to be written anew, is read in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// The names of one file, and what they are to lead to.
pub(super) struct Target<'a> {
    pub(super) names: Vec<Name>,
    /// What stands under each name: what was judged, and no other file, is written or replaced.
    pub(super) judged: Vec<FileId>,
    /// A temporary name beside each.
    pub(super) temporary: Vec<Name>,
    /// The file that the names lead to.
    pub(super) source: &'a FileSource,
    /// The times of each name's directory.
    pub(super) directories: &'a [Times],
    /// One after the other.
    pub(super) edits: Vec<&'a EditSet>,
    pub(super) metadata: &'a Metadata,
    /// The link that takes the file's place, instead of a file, and whose it is to be.
    pub(super) link: Option<&'a Link>,
    /// Is it not to be edited in place while anybody else has it open?
    pub(super) unopened: bool,
}

impl Target<'_> {
    /// The directory of each name, with its times.
    pub(super) fn directories(&self) -> impl Iterator<Item = (Arc<Directory>, Times)> {
        let parents = self.names.iter().map(|name| Arc::clone(name.directory()));
        parents.zip(self.directories.iter().copied())
    }

    /// Length in bytes after the last edit.
    fn new_len(&self) -> u64 {
        self.edits.last().map_or(0, |edits| edits.new_len())
    }
}

/// Can these changes be written into the file itself? Only where every byte that stays keeps its
/// offset, and where an interruption leaves a file that [`super::recover()`] finds the way back from.
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

/// Directories in which names were changed, with the times that they are to have.
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

/// Writes into the file itself if `in_place`, for which [`open()`] has opened it, unless it must not be
/// changed while somebody else has it open: it is replaced then, if `strict` does not forbid that. The directories
/// of the names that were changed are added to `directories`, to be settled.
///
/// # Errors
/// [`Error::Overtaken`] where a name leads to another file than the one that was judged, and that one was
/// not written to; [`Error::Moved`] where it was, and has another name now.
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
        // What has got a name elsewhere since is not only ours to write into.
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

/// Opens the file that a place leads to: to be edited in place if `in_place` and it is not being
/// executed. Says whether it is. Whoever opens it once more stands in the way of a lease.
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

/// Fails where a name leads to another file than the one that was judged.
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

/// False where the file is to be cut off, or must not be open elsewhere, and somebody else has it
/// open. It is as before then, or differs in bytes alone that the edits write.
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
        // What led into the tail must not outlast it.
        if unsynced {
            disk.sync_data(file)?;
        }
        // Taken late, for whoever opens the file waits meanwhile.
        lease = lease.or_else(|| Lease::take(&file.file));
        if lease.is_none() {
            return Ok(false);
        }
        disk.set_len(file, len)?;
    }
    target.metadata.restore(disk, file)?;
    // Before the record says that the operation took place.
    disk.sync(file)?;
    Ok(true)
}

/// Writes the edits into an open file that others see, in such an order that a power cut leaves a
/// prefix of them: before bytes that are there already change, all that was written before is on the
/// disk. What is appended is unseen until then, and needs no order of its own. Says whether something
/// is left that may not be on the disk.
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

/// Writes the edits into an open file of our own, and cuts it off where it becomes shorter.
fn patch(disk: &Disk, old: &File, file: &Handle, edits: &EditSet) -> Result<(), PathError> {
    for (edit, range) in edits.in_write_order().iter().zip(edits.new_ranges()) {
        put(disk, old, file, edit, range)?;
    }
    if shrinks(edits) { disk.set_len(file, edits.new_len()) } else { Ok(()) }
}

/// Writes the new bytes of an edit into `file`; what it copies is read from `old`.
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

/// Puts a new file, or a link, under every name.
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
        // Before the rename: else a power cut may leave the name and not the bytes.
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

/// Puts what stands under `temporary` under `name`, in the place of what was judged and of nothing
/// else: what an installer has put there in the last moment gets its name back.
///
/// An interruption may leave the file that was replaced under the temporary name: [`super::recover()`]
/// tells it from one of ours.
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

/// Makes the names of `target` names of the file that `original` is.
pub(super) fn relink(disk: &Disk, target: &Target<'_>, original: &Name) -> Result<(), Error> {
    let names = target.names.iter().zip(&target.temporary).zip(&target.judged);
    for ((name, temporary), judged) in names {
        disk.link(original, temporary)?;
        take(disk, temporary, name, *judged)?;
    }
    Ok(())
}

/// Writes the old bytes with the edits into an empty file.
fn render(
    disk: &Disk,
    source: &FileSource,
    edits: &[&EditSet],
    new: &Handle,
) -> Result<(), PathError> {
    let keep_offsets = edits.iter().all(|edits| edits.keeps_offsets());
    // A single list of edits copies from the old file, whatever it writes.
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

/// Gives directories their times back, and puts them on the disk: each once, after the last change of
/// a name in it, and before the record says that the operation took place.
pub(super) fn settle(disk: &Disk, directories: &Directories) -> Result<(), PathError> {
    directories.values().try_for_each(|(directory, times)| {
        restore_directory(disk, directory, *times)?;
        disk.sync_directory(directory)
    })
}

/// Gives a directory its times back. Only its owner may: for anybody else who may write in it,
/// that it shows the time of the change is no reason to fail.
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

/// Do the new bytes of `edits` stand where an edit still reads from?
fn reads_what_it_writes(edits: &EditSet) -> bool {
    let edits = edits.in_write_order();
    edits.iter().any(|edit| match &edit.new {
        Content::Bytes(_) | Content::Kept(_) => false,
        Content::CopyOf(from) => {
            edits.iter().any(|other| other.range.start < from.end && from.start < other.range.end)
        }
    })
}
