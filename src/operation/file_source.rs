//! The bytes of an open file, read piecewise.

use super::error::{Error, PathError};
use super::refusal::Refusal;
use super::tree::{FileId, Name, Place, Stat, is_gone};
use crate::bytes::{self, Source};
use crate::edit::{EditSet, Patched};
use std::borrow::Cow;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

/// Which file it was when it was looked at: a later look tells whether somebody wrote since. The time
/// of the last change of the inode is not part of it, for that moves whenever another name of the file
/// comes or goes, and content counts.
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

/// An open file as a [`Source`]. It is read, never mapped, so that a file that shrinks meanwhile
/// is an error and no signal.
pub(super) struct FileSource {
    pub(super) file: File,
    len: u64,
    path: PathBuf,
    /// The number of the error with which a read failed; 0 where none did.
    failed: AtomicI32,
}

impl FileSource {
    /// Opens the regular file under a name; a link is not followed.
    pub(super) fn open(name: &Name) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", name.path(), source);
        Self::of(name.open().map_err(failed)?, name.path())
    }

    /// Opens what `path` leads to, links followed: a file that a person named.
    pub(super) fn open_named(path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", path, source);
        Self::of(File::open(path).map_err(failed)?, path)
    }

    /// A file that is open already, and is called `path` in errors.
    pub(super) fn of(file: File, path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", path, source);
        let len = file.metadata().map_err(failed)?.len();
        Ok(Self { file, len, path: path.to_path_buf(), failed: AtomicI32::new(0) })
    }

    /// The same file once more.
    pub(super) fn again(&self) -> Result<Self, PathError> {
        let file = self.file.try_clone();
        let file = file.map_err(|source| PathError::new("read", &self.path, source))?;
        Ok(Self { file, len: self.len, path: self.path.clone(), failed: AtomicI32::new(0) })
    }

    /// Fails where a read has failed. Whoever concludes from bytes that are not there that they are others
    /// asks for this first; a file that became shorter is another one indeed, and no failure.
    pub(super) fn require_read(&self) -> Result<(), PathError> {
        match self.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            number => {
                let source = io::Error::from_raw_os_error(number);
                Err(PathError::new("read", &self.path, source))
            }
        }
    }

    /// What it is called in errors.
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
        let mut bytes = vec![0; usize::try_from(range.end - range.start).ok()?];
        match self.file.read_exact_at(&mut bytes, range.start) {
            Ok(()) => Some(Cow::Owned(bytes)),
            Err(error) => {
                if let Some(number) = error.raw_os_error() {
                    self.failed.store(number, Ordering::Relaxed);
                }
                None
            }
        }
    }
}

/// Has `source` after `edits` the very bytes of another file?
pub(super) fn is_same_after(source: &dyn Source, edits: &[&EditSet], other: &dyn Source) -> bool {
    through(source, edits, &mut |then| {
        then.len() == other.len() && bytes::is_same(then, 0, other, 0, other.len())
    })
}

/// Runs `look` on `source` as it would be after all of `edits`, one after the other.
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

/// The file that a place leads to, open, and what stands under the name itself.
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

/// The file that a link with this target leads to, open; none where it leads to none.
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
