//! What was seen of paths, so that each directory that contains many files is resolved once.

use crate::elf::Headers;
use crate::hashing::QuickMap;
use crate::vfs::{FileKind, Metadata};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Paths, byte for byte, and what they were when they were first seen. To [`Path`] a path with a slash at its
/// end is the same path, but to the system it is a directory. Missing files are not remembered: they may
/// appear, and are rarely looked up twice.
#[derive(Debug, Default)]
pub(super) struct Remembered {
    /// Links and directories with every link resolved.
    ways: Mutex<QuickMap<OsString, PathBuf>>,
    /// The entries at paths whose directories contain no link.
    entries: Mutex<QuickMap<OsString, Metadata>>,
    /// The headers of files, by device and inode.
    headers: Mutex<QuickMap<(u64, u64), Arc<Headers>>>,
}

/// The files that are read if nothing is remembered.
pub(super) trait Look {
    /// Of the entry itself; a link is not followed.
    fn entry(&self, path: &Path) -> io::Result<Metadata>;

    /// Of the file at the end of a path.
    fn file(&self, path: &Path) -> io::Result<Metadata>;

    /// The path with every link resolved.
    fn resolved(&self, path: &Path) -> io::Result<PathBuf>;
}

/// The most components of a path that are resolved one by one; the kernel accepts no path of twice as
/// many.
const MAX_DEPTH: usize = 1024;

impl Remembered {
    /// The path with every link resolved.
    pub(super) fn canonicalize(&self, files: &dyn Look, path: &Path) -> io::Result<PathBuf> {
        match Last::of(path) {
            Last::Name(parent, name) => {
                let real = self.directory(files, parent)?.join(name);
                match self.known(files, &real)?.kind {
                    FileKind::Symlink => self.way(&real, || files.resolved(&real)),
                    _ => Ok(real),
                }
            }
            Last::Parent(child) => {
                let mut real = self.directory(files, child)?;
                if self.known(files, &real)?.kind != FileKind::Directory {
                    return Err(Errno::NOTDIR.into());
                }
                real.pop();
                Ok(real)
            }
            Last::Other => self.way(path, || files.resolved(path)),
        }
    }

    /// The same for a path that is the beginning of others.
    fn directory(&self, files: &dyn Look, path: &Path) -> io::Result<PathBuf> {
        self.way(path, || self.canonicalize(files, path))
    }

    /// The path with every link resolved, as `resolve` finds it the first time.
    pub(super) fn way(
        &self,
        path: &Path,
        resolve: impl FnOnce() -> io::Result<PathBuf>,
    ) -> io::Result<PathBuf> {
        if let Some(known) = locked(&self.ways).get(path.as_os_str()) {
            return Ok(known.clone());
        }
        let found = resolve()?;
        // If two threads look at the same time, both get the answer of the first.
        Ok(locked(&self.ways).entry(path.into()).or_insert(found).clone())
    }

    /// Of the entry itself; a link is not followed.
    pub(super) fn symlink_metadata(&self, files: &dyn Look, path: &Path) -> io::Result<Metadata> {
        match Last::of(path) {
            Last::Name(parent, name) => {
                self.known(files, &self.directory(files, parent)?.join(name))
            }
            _ => files.entry(path),
        }
    }

    /// Of the file at the end of a path.
    pub(super) fn metadata(&self, files: &dyn Look, path: &Path) -> io::Result<Metadata> {
        match Last::of(path) {
            Last::Other => files.file(path),
            Last::Name(parent, name) => {
                let real = self.directory(files, parent)?.join(name);
                let found = self.known(files, &real)?;
                if found.kind != FileKind::Symlink {
                    return Ok(found);
                }
                self.known(files, &self.way(&real, || files.resolved(&real))?)
            }
            Last::Parent(_) => self.known(files, &self.canonicalize(files, path)?),
        }
    }

    /// The headers of a file, if they were read.
    pub(super) fn headers(&self, id: (u64, u64)) -> Option<Arc<Headers>> {
        locked(&self.headers).get(&id).cloned()
    }

    pub(super) fn remember_headers(&self, id: (u64, u64), headers: &Arc<Headers>) {
        locked(&self.headers).insert(id, Arc::clone(headers));
    }

    /// The entry at a path whose directories contain no link.
    fn known(&self, files: &dyn Look, real: &Path) -> io::Result<Metadata> {
        if let Some(known) = locked(&self.entries).get(real.as_os_str()) {
            return Ok(known.clone());
        }
        let found = files.entry(real)?;
        Ok(locked(&self.entries).entry(real.into()).or_insert(found).clone())
    }
}

/// What is remembered is complete, even if a thread panicked.
fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How a path ends.
enum Last<'p> {
    /// In a directory, with a name.
    Name(&'p Path, &'p OsStr),
    /// With `..` of this path.
    Parent(&'p Path),
    /// The root; or a path that names a directory by a slash at its end, is relative or too long, and is
    /// left to the system.
    Other,
}

impl<'p> Last<'p> {
    fn of(path: &'p Path) -> Self {
        let bytes = path.as_os_str().as_encoded_bytes();
        let asks_for_directory = bytes.ends_with(b"/") || bytes.ends_with(b"/.");
        if !path.has_root() || asks_for_directory || bytes.len() > 2 * MAX_DEPTH {
            return Self::Other;
        }
        // Nearly every path is plain, and ends behind its last slash.
        if let Some(slash) = memchr::memrchr(b'/', bytes)
            && let Some((directory, name)) = bytes.split_at_checked(slash)
            && !directory.ends_with(b"/")
            && !directory.ends_with(b"/.")
            && name != b"/.."
        {
            let directory = if directory.is_empty() { b"/" } else { directory };
            let name = name.get(1..).unwrap_or_default();
            return Self::Name(Path::new(OsStr::from_bytes(directory)), OsStr::from_bytes(name));
        }
        match (path.components().next_back(), path.parent()) {
            (Some(Component::Normal(name)), Some(parent)) => Self::Name(parent, name),
            (Some(Component::ParentDir), _) => {
                // `Path::parent` does not regard `..` as a name.
                let mut components = path.components();
                components.next_back();
                Self::Parent(components.as_path())
            }
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Look, Metadata, Remembered};
    use crate::vfs::{MemVfs, Vfs as _};
    use std::io;
    use std::path::{Path, PathBuf};
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Files that count how often they are accessed.
    struct Counted {
        files: MemVfs,
        looks: AtomicUsize,
    }

    impl Look for Counted {
        fn entry(&self, path: &Path) -> io::Result<Metadata> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            self.files.symlink_metadata(path)
        }

        fn file(&self, path: &Path) -> io::Result<Metadata> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            self.files.metadata(path)
        }

        fn resolved(&self, path: &Path) -> io::Result<PathBuf> {
            self.looks.fetch_add(1, Ordering::Relaxed);
            self.files.canonicalize(path)
        }
    }

    #[test]
    fn each_directory_and_each_file_is_looked_at_once_by_whatever_path() {
        let files = MemVfs::new().file("/env/lib/a.so", "").file("/env/lib/b.so", "");
        let files = files.file("/env/app/c.so", "").symlink("/env/lib/d.so", "a.so");
        let files = Counted { files, looks: AtomicUsize::new(0) };
        let known = Remembered::default();
        for _ in 0..3 {
            for name in ["a.so", "b.so", "d.so"] {
                for directory in ["/env/lib", "/env/app/../lib", "/env/app/../app/../lib"] {
                    let path = Path::new(directory).join(name);
                    let real = known.canonicalize(&files, &path).unwrap();
                    assert_eq!(real, files.files.canonicalize(&path).unwrap());
                    let found = known.metadata(&files, &path).unwrap();
                    assert_eq!(found, files.files.metadata(&path).unwrap());
                    let found = known.symlink_metadata(&files, &path).unwrap();
                    assert_eq!(found, files.files.symlink_metadata(&path).unwrap());
                }
            }
        }
        // The root, three directories, two files, and a link that is read and then resolved.
        assert!(files.looks.into_inner() <= 8);
    }
}
