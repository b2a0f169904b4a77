//! Gives a file its new bytes: in place, or as a new file under the old name.

use super::disk::{Disk, Handle, Times, is_not_permitted, is_text_busy};
use super::error::PathError;
use super::file::{FileSource, Metadata, through};
use super::journal::{Change, Link};
use super::preflight::reads_what_it_writes;
use crate::bytes::Source;
use crate::edit::{Content, EditSet};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A file that is read piecewise to be written anew, is read in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// The names of one file, and what they are to lead to.
pub(super) struct Target<'a> {
    /// Absolute.
    pub(super) names: Vec<&'a Path>,
    /// A temporary name beside each.
    pub(super) temporary: Vec<PathBuf>,
    /// The times of each name's directory.
    pub(super) directories: &'a [Times],
    /// One after the other.
    pub(super) edits: Vec<&'a EditSet>,
    pub(super) metadata: &'a Metadata,
    /// The link that takes the file's place, instead of a file.
    pub(super) link: Option<&'a Link>,
}

/// Can these changes be written into the file itself? Only where every byte that stays keeps its
/// offset and nothing is cut off: whoever maps the part that goes would get SIGBUS. Only a write
/// lease could rule that out; a clone that is renamed needs none.
pub(super) fn fits_in_place(changes: &[Change]) -> bool {
    let [Change { edits, .. }] = changes else { return false };
    edits.keeps_offsets() && edits.new_len() >= edits.old_len() && !reads_what_it_writes(edits)
}

/// Writes into the file itself if `in_place`, unless it is being executed and `strict` does not
/// forbid to replace it.
pub(super) fn write(
    disk: &Disk,
    target: &Target<'_>,
    in_place: bool,
    strict: bool,
) -> Result<(), PathError> {
    if let (true, Some(path), [edits]) = (in_place, target.names.first(), target.edits.as_slice()) {
        match disk.open(path) {
            Err(error) if is_text_busy(&error) && !strict => {}
            Err(error) => return Err(error),
            Ok(handle) => {
                patch(disk, &handle, edits, true)?;
                target.metadata.restore(disk, &handle)?;
                return disk.sync(&handle);
            }
        }
    }
    replace(disk, target)
}

/// Writes the edits into an open file that holds the old bytes. Where the file is `seen` by
/// others, each edit is on the disk before the next, so that a power cut leaves a prefix too.
fn patch(disk: &Disk, file: &Handle, edits: &EditSet, seen: bool) -> Result<(), PathError> {
    for (edit, range) in edits.in_write_order().iter().zip(edits.new_ranges()) {
        match &edit.new {
            Content::Bytes(bytes) if bytes.is_empty() => continue,
            Content::Bytes(bytes) => disk.write(file, bytes, range.start)?,
            Content::CopyOf(from) => disk.copy(&file.file, from.clone(), file, range.start)?,
        }
        if seen {
            disk.sync_data(file)?;
        }
    }
    if edits.new_len() < edits.old_len() {
        disk.set_len(file, edits.new_len())?;
    }
    Ok(())
}

/// Puts a new file, or a link, under every name.
fn replace(disk: &Disk, target: &Target<'_>) -> Result<(), PathError> {
    let (Some(path), Some(temporary)) = (target.names.first(), target.temporary.first()) else {
        return Ok(());
    };
    if let Some(link) = target.link {
        disk.symlink(&link.target, temporary)?;
        let stat = std::fs::symlink_metadata(temporary)
            .map_err(|source| PathError::new("read the metadata of", temporary, source))?;
        use std::os::unix::fs::MetadataExt as _;
        if (stat.uid(), stat.gid()) != (link.uid, link.gid) {
            disk.set_link_owner(temporary, link.uid, link.gid)?;
        }
        disk.set_times_at(temporary, link.times)?;
    } else {
        let source = FileSource::open(path)?;
        let new = disk.create(temporary, 0o600)?;
        render(disk, &source, &target.edits, &new)?;
        target.metadata.restore(disk, &new)?;
        disk.sync(&new)?;
    }
    for alias in target.temporary.iter().skip(1) {
        disk.link(temporary, alias)?;
    }
    for (name, temporary) in target.names.iter().zip(&target.temporary) {
        disk.rename(temporary, name)?;
    }
    settle_directories(disk, target)
}

/// Makes the names of `target` names of the file that `original` is.
pub(super) fn relink(disk: &Disk, target: &Target<'_>, original: &Path) -> Result<(), PathError> {
    for (name, temporary) in target.names.iter().zip(&target.temporary) {
        disk.link(original, temporary)?;
        disk.rename(temporary, name)?;
    }
    settle_directories(disk, target)
}

/// Writes the old bytes with the edits into an empty file.
fn render(
    disk: &Disk,
    source: &FileSource,
    edits: &[&EditSet],
    new: &Handle,
) -> Result<(), PathError> {
    if edits.iter().all(|edits| edits.keeps_offsets() && !reads_what_it_writes(edits)) {
        disk.clone_into(&source.file, source.len(), new)?;
        return edits.iter().try_for_each(|edits| patch(disk, new, edits, false));
    }
    through(source, edits, &mut |patched| {
        let mut at = 0;
        while at < patched.len() {
            let piece = patched
                .read(at, PIECE.min(patched.len() - at), "the edited file")
                .map_err(|error| PathError::new("read", &new.path, std::io::Error::other(error)))?;
            disk.write(new, &piece, at)?;
            at += piece.len() as u64;
        }
        Ok(())
    })
}

/// Gives the directories of all names their times back, and puts them on the disk.
pub(super) fn settle_directories(disk: &Disk, target: &Target<'_>) -> Result<(), PathError> {
    let parents = target.names.iter().filter_map(|name| name.parent());
    let directories: BTreeMap<_, _> = parents.zip(target.directories).collect();
    for (directory, times) in directories {
        restore_directory(disk, directory, *times)?;
        disk.sync_directory(directory)?;
    }
    Ok(())
}

/// Gives a directory its times back. Only its owner may: for anybody else who may write in it,
/// that it shows the time of the change is no reason to fail.
pub(super) fn restore_directory(
    disk: &Disk,
    directory: &Path,
    times: Times,
) -> Result<(), PathError> {
    match disk.set_times_at(directory, times) {
        Err(error) if is_not_permitted(&error) => Ok(()),
        result => result,
    }
}
