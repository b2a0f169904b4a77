//! A read-only view of files, so that root, working directory and planned edits are parameters.

mod memory;
mod os;
mod overlay;
mod walk;

pub use memory::MemVfs;
pub use os::OsVfs;
pub(crate) use os::exactly;
pub use overlay::Overlay;

use crate::bytes::Source;
use crate::elf::Headers;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Links that are followed before a path counts as a loop, as Linux's `MAXSYMLINKS`.
pub const MAX_LINKS: usize = 40;

/// What a directory entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link.
    Symlink,
    /// A socket, a pipe or a device.
    Other,
}

/// What is known about a file without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metadata {
    /// What it is.
    pub kind: FileKind,
    /// Length in bytes.
    pub len: u64,
    /// Device and inode: equal for two names of one file.
    pub id: (u64, u64),
    /// Number of hard links.
    pub links: u64,
    /// Permission bits, as in `st_mode & 0o7777`.
    pub mode: u32,
    /// The owner's user ID.
    pub uid: u32,
    /// Time of the last change of content: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
}

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The name alone, any bytes.
    pub name: std::ffi::OsString,
    /// What it is; a link is not followed.
    pub kind: FileKind,
}

/// A tree of files that can be read. Paths are absolute.
pub trait Vfs: Sync {
    /// Of the entry itself; a link is not followed.
    ///
    /// # Errors
    /// The error of the operating system.
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// Of the file at the end of a path.
    ///
    /// # Errors
    /// The error of the operating system.
    fn metadata(&self, path: &Path) -> io::Result<Metadata>;

    /// Where a symbolic link points, as it is written.
    ///
    /// # Errors
    /// The error of the operating system.
    fn read_link(&self, path: &Path) -> io::Result<PathBuf>;

    /// The names in a directory, sorted by bytes.
    ///
    /// # Errors
    /// The error of the operating system.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>>;

    /// The path with every link resolved.
    ///
    /// # Errors
    /// The error of the operating system.
    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf>;

    /// A file's bytes, to be read piecewise. Never waits for a pipe or a device.
    ///
    /// # Errors
    /// The error of the operating system; [`io::ErrorKind::InvalidInput`] for anything but a regular file.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>>;

    /// The headers of the file at a path, which has that device and inode, and is read through `source` where
    /// it is open. Where files are remembered, each file is read for this once.
    ///
    /// # Errors
    /// As for [`Self::open`], where the file is opened.
    fn headers(
        &self,
        path: &Path,
        _id: (u64, u64),
        source: Option<&dyn Source>,
    ) -> io::Result<Arc<Headers>> {
        read_headers(self, path, source)
    }

    /// Is a path on a file system of which no code can be mapped, because it is mounted `noexec`? `false` where
    /// that is not known, as for the files of another system.
    fn is_noexec(&self, _path: &Path) -> bool {
        false
    }
}

/// Reads the headers of the file at a path, through `source` where it is open.
fn read_headers<V: Vfs + ?Sized>(
    vfs: &V,
    path: &Path,
    source: Option<&dyn Source>,
) -> io::Result<Arc<Headers>> {
    Ok(Arc::new(match source {
        Some(source) => Headers::of(source),
        None => Headers::of(vfs.open(path)?.as_ref()),
    }))
}

/// A name, and where it is a link the names that it leads to, one after the other. Links on the way to
/// them stay as they are.
pub fn names_along(vfs: &dyn Vfs, name: &Path) -> impl Iterator<Item = PathBuf> {
    let next = |link: &PathBuf| Some(link.parent()?.join(vfs.read_link(link).ok()?));
    std::iter::successors(Some(name.to_owned()), next).take(MAX_LINKS)
}
