//! The file system of the operating system, as it is or seen from a root.

use super::walk::{self, Entry};
use super::{DirEntry, FileKind, Metadata, Vfs};
use crate::bytes::Source;
use memmap2::{Advice, Mmap};
use rustix::fs::{FileType, Mode, OFlags};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// The files of the operating system.
///
/// With a root every path is looked up inside it, as after `chroot`: absolute links start at the
/// root again, `..` does not leave it, and nothing outside is looked at.
#[derive(Debug, Clone, Default)]
pub struct OsVfs {
    root: Option<PathBuf>,
}

impl OsVfs {
    /// The files as the system shows them.
    #[must_use]
    pub fn new() -> Self {
        Self { root: None }
    }

    /// The files inside `root`, an absolute path of the system.
    #[must_use]
    pub fn with_root(root: PathBuf) -> Self {
        Self { root: Some(root) }
    }

    /// The root, where it is not the system's own.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// The system's path of what `path` names.
    fn system_path(&self, path: &Path, follow: bool) -> io::Result<PathBuf> {
        let Some(root) = &self.root else { return Ok(path.to_owned()) };
        let inside = walk::resolve(path, follow, |at| {
            let entry = fs::symlink_metadata(below(root, at))?.file_type();
            Ok(if entry.is_dir() {
                Entry::Directory
            } else if entry.is_symlink() {
                Entry::Link(fs::read_link(below(root, at))?)
            } else {
                Entry::Other
            })
        })?;
        Ok(below(root, &inside))
    }
}

/// A path of the tree as a path of the system.
fn below(root: &Path, inside: &Path) -> PathBuf {
    root.join(inside.strip_prefix("/").unwrap_or(inside))
}

impl Vfs for OsVfs {
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        Ok(metadata_of(&fs::symlink_metadata(self.system_path(path, false)?)?))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        Ok(metadata_of(&fs::metadata(self.system_path(path, true)?)?))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(self.system_path(path, false)?)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(self.system_path(path, true)?)? {
            let entry = entry?;
            entries.push(DirEntry { name: entry.file_name(), kind: kind_of(entry.file_type()?) });
        }
        entries.sort_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
        Ok(entries)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let resolved = fs::canonicalize(self.system_path(path, true)?)?;
        let Some(root) = &self.root else { return Ok(resolved) };
        // The root itself may be reached through links.
        let outside = fs::canonicalize(root)?;
        let inside = resolved.strip_prefix(outside).map_err(|_| rustix::io::Errno::NOENT)?;
        Ok(Path::new("/").join(inside))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        let path = self.system_path(path, true)?;
        // O_NONBLOCK: a pipe without a writer must not stop the whole walk.
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        if self.root.is_some() {
            // Every link is resolved already: one that appears now would lead out of the root.
            flags |= OFlags::NOFOLLOW;
        }
        let file = rustix::fs::open(path, flags, Mode::empty())?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        if stat.st_size == 0 {
            // An empty file cannot be mapped.
            return Ok(Box::new(Vec::new()));
        }
        Ok(Box::new(map(&File::from(file))?))
    }
}

fn map(file: &File) -> io::Result<Mapped> {
    #[allow(unsafe_code, reason = "mapping a file is unsafe by its nature")]
    // SAFETY: the mapping is read-only and private to this process, and nothing here relies on its
    // bytes staying the same between two reads: every read is checked against the length by itself
    // and copied or parsed at once. Who truncates the file meanwhile ends the process by SIGBUS;
    // tfpatch does not edit a file while it is mapped here.
    let mapping = unsafe { Mmap::map(file)? };
    // Few pages far apart are read: reading around them would pull in a file of 1 GB. Where the
    // advice is not understood the reads are right all the same.
    let _ = mapping.advise(Advice::Random);
    Ok(Mapped(mapping))
}

/// A file in memory.
struct Mapped(Mmap);

impl Source for Mapped {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        Source::get(&*self.0, range)
    }
}

fn kind_of(file_type: fs::FileType) -> FileKind {
    if file_type.is_file() {
        FileKind::File
    } else if file_type.is_dir() {
        FileKind::Directory
    } else if file_type.is_symlink() {
        FileKind::Symlink
    } else {
        FileKind::Other
    }
}

fn metadata_of(metadata: &fs::Metadata) -> Metadata {
    Metadata {
        kind: kind_of(metadata.file_type()),
        len: metadata.len(),
        id: (metadata.dev(), metadata.ino()),
        links: metadata.nlink(),
        mode: metadata.permissions().mode() & 0o7777,
        uid: metadata.uid(),
    }
}
