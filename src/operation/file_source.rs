//! The bytes of an open file, read in pieces.

use super::error::{Error, PathError};
use super::refusal::Refusal;
use super::tree::{FileId, Name, Place, Stat, is_gone};
use crate::bytes::{self, Source};
use crate::edit::{EditSet, Patched};
use crate::vfs::exactly;
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

/// The identity and state of a file when it was examined. A later comparison shows whether the file was
/// written since. The time of the last status change (ctime) is not included, because it also changes when
/// another name of the file is added or removed, and only the content matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    file: FileId,
    len: u64,
    modified: (i64, u32),
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { file: stat.id(), len: stat.len, modified: stat.modified }
    }
}

/// An open file as a [`Source`]. It is read, never mapped, so that a file that is truncated while it is read
/// causes an error instead of a signal.
pub(super) struct FileSource {
    pub(super) file: File,
    len: u64,
    path: PathBuf,
    /// The error number of a failed read; 0 if no read failed.
    failed: AtomicI32,
}

impl FileSource {
    /// Opens a regular file by its name. A symlink is not followed.
    pub(super) fn open(name: &Name) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", name.path(), source);
        Self::of(name.open().map_err(failed)?, name.path())
    }

    /// Opens a file that a user named. Symlinks are followed.
    pub(super) fn open_named(path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", path, source);
        Self::of(File::open(path).map_err(failed)?, path)
    }

    /// A file that is already open; errors call it `path`.
    pub(super) fn of(file: File, path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", path, source);
        let len = file.metadata().map_err(failed)?.len();
        Ok(Self { file, len, path: path.to_path_buf(), failed: AtomicI32::new(0) })
    }

    /// Another handle for the same file.
    pub(super) fn again(&self) -> Result<Self, PathError> {
        let file = self.file.try_clone();
        let file = file.map_err(|source| PathError::new("read", &self.path, source))?;
        Ok(Self { file, len: self.len, path: self.path.clone(), failed: AtomicI32::new(0) })
    }

    /// Fails if a read has failed. Call this before concluding from missing bytes that a file has changed: a
    /// truncated file has changed, but a failed read proves nothing.
    pub(super) fn require_read(&self) -> Result<(), PathError> {
        match self.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            number => {
                let source = io::Error::from_raw_os_error(number);
                Err(PathError::new("read", &self.path, source))
            }
        }
    }

    /// Its name in errors.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn stat(&self) -> Result<Stat, PathError> {
        let stat = rustix::fs::fstat(&self.file);
        Ok(stat.map_err(|source| PathError::new("read", &self.path, source))?.into())
    }
}

impl Source for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        let len = usize::try_from(range.end - range.start).ok()?;
        match exactly(&self.file, len, range.start) {
            Ok(bytes) => Some(Cow::Owned(bytes)),
            Err(error) => {
                if let Some(number) = error.raw_os_error() {
                    self.failed.store(number, Ordering::Relaxed);
                }
                None
            }
        }
    }
}

/// Does `source`, after `edits`, have exactly the bytes of another file?
pub(super) fn is_same_after(source: &dyn Source, edits: &[&EditSet], other: &dyn Source) -> bool {
    through(source, edits, &mut |then| {
        then.len() == other.len() && bytes::is_same(then, 0, other, 0, other.len())
    })
}

/// Calls `look` with `source` as it would be after all of `edits`, applied in order.
pub(super) fn through<T>(
    source: &dyn Source,
    edits: &[&EditSet],
    look: &mut dyn FnMut(&dyn Source) -> T,
) -> T {
    match edits.split_first() {
        None => look(source),
        Some((first, rest)) => through(&Patched::new(source, first), rest, look),
    }
}

/// Opens the file that a place refers to. Also returns the status of the name itself.
pub(super) fn open_place(place: &Place) -> Result<(FileSource, Stat), Error> {
    let failed = |source| PathError::new("read", place.name.path(), source);
    let own = place.name.stat().map_err(failed)?;
    let source = match &place.link {
        None if !own.is_file() => {
            return Err(Error::refused(place.name.path(), Refusal::NotRegular));
        }
        None => FileSource::open(&place.name)?,
        Some(target) => FileSource::open(&place.follow(target).map_err(failed)?)?,
    };
    Ok((source, own))
}

/// Opens the file that a link with this target refers to; `None` if there is none.
pub(super) fn open_linked(place: &Place, target: &Path) -> Result<Option<FileSource>, Error> {
    let failed = |source| PathError::new("follow", place.name.path(), source);
    let leads_nowhere = |error: &io::Error| {
        is_gone(error)
            || error.kind() == io::ErrorKind::InvalidInput
            || error.kind() == io::ErrorKind::IsADirectory
    };
    let name = match place.follow(target) {
        Err(error) if leads_nowhere(&error) => return Ok(None),
        result => result.map_err(failed)?,
    };
    match FileSource::open(&name) {
        Err(error) if leads_nowhere(&error.source) => Ok(None),
        result => Ok(Some(result?)),
    }
}
