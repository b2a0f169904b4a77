//! The file system of the operating system, as it is or seen from a root.

mod remembered;

use self::remembered::{Look, Remembered};
use super::walk::{self, Entry};
use super::{DirEntry, FileKind, Metadata, Vfs, read_headers};
use crate::bytes::{self, Pieces, Source};
use crate::elf::Headers;
use rustix::buffer::spare_capacity;
#[cfg(target_os = "linux")]
use rustix::fs::StatVfsMountFlags;
use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::{Errno, pread, retry_on_intr};
use std::borrow::Cow;
use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The files of the operating system.
///
/// With a root every path is looked up inside it, as after `chroot`: absolute links start at the
/// root again, `..` does not leave it, and nothing outside is accessed.
#[derive(Debug, Clone, Default)]
pub struct OsVfs {
    root: Option<PathBuf>,
    failures: Failures,
    /// What was seen of paths, if they are to lead to the same place from then on. Below a root only
    /// resolved directories are remembered.
    remembered: Option<Arc<Remembered>>,
}

/// What could not be read because the disk failed, and the number of the error. For a search of
/// libraries, an unreadable file is absent; code that writes must not rely on that.
#[derive(Debug, Clone, Default)]
struct Failures(Arc<Mutex<Vec<(PathBuf, i32)>>>);

/// The most failures that are kept; further ones add no information.
const MAX_FAILURES: usize = 64;

impl Failures {
    fn note<T>(&self, path: &Path, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && let Some(number) = error.raw_os_error()
            && OF_THE_FILE.iter().all(|errno| errno.raw_os_error() != number)
        {
            let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.len() < MAX_FAILURES {
                known.push((path.to_owned(), number));
            }
        }
        result
    }
}

/// The errors that say something about a path or the file there. All others are the disk's or the
/// system's, and might be gone at the next look.
const OF_THE_FILE: [Errno; 11] = [
    Errno::NOENT,
    Errno::NOTDIR,
    Errno::ISDIR,
    Errno::ACCESS,
    Errno::PERM,
    Errno::LOOP,
    Errno::NAMETOOLONG,
    Errno::INVAL,
    Errno::NXIO,
    Errno::NODEV,
    Errno::OPNOTSUPP,
];

impl OsVfs {
    /// The files as the system shows them.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The files inside `root`, an absolute path of the system.
    #[must_use]
    pub fn with_root(root: PathBuf) -> Self {
        Self { root: Some(root), ..Self::default() }
    }

    /// The same files, of which each path is resolved and looked at once: a plan that is made of them reaches
    /// each file by one path, and an operation can check that the path and the file are still the same.
    #[must_use]
    pub fn remembering(&self) -> Self {
        Self { remembered: Some(Arc::default()), ..self.clone() }
    }

    /// The root, where it is not the system's own.
    #[must_use]
    pub fn root(&self) -> Option<&Path> {
        self.root.as_deref()
    }

    /// Fails if something in `root`, a directory of the tree, could not be read because the disk
    /// failed, with the path and the error. Earlier failures are then forgotten.
    ///
    /// # Errors
    /// Then.
    pub fn require_read(&self, root: &Path) -> Result<(), (PathBuf, io::Error)> {
        let mut known = self.failures.0.lock().unwrap_or_else(PoisonError::into_inner);
        match known.drain(..).find(|(path, _)| path.starts_with(root)) {
            None => Ok(()),
            Some((path, number)) => Err((path, io::Error::from_raw_os_error(number))),
        }
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
        let found = match self.remembered() {
            Some(known) => known.symlink_metadata(self, path),
            None => self.entry(path),
        };
        self.failures.note(path, found)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        let found = match self.remembered() {
            Some(known) => known.metadata(self, path),
            None => self.file(path),
        };
        self.failures.note(path, found)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.failures.note(path, self.target(path))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.failures.note(path, self.names(path))
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let found = match &self.remembered {
            None => self.resolved(path),
            Some(known) if self.root.is_some() => known.way(path, || self.resolved(path)),
            Some(known) => known.canonicalize(self, path),
        };
        self.failures.note(path, found)
    }

    fn headers(
        &self,
        path: &Path,
        id: (u64, u64),
        source: Option<&dyn Source>,
    ) -> io::Result<Arc<Headers>> {
        let known = self.remembered.as_ref();
        if let Some(headers) = known.and_then(|known| known.headers(id)) {
            return Ok(headers);
        }
        let headers = read_headers(self, path, source)?;
        if let Some(known) = known {
            known.remember_headers(id, &headers);
        }
        Ok(headers)
    }

    #[cfg(target_os = "linux")]
    fn is_noexec(&self, path: &Path) -> bool {
        let flags = || Some(rustix::fs::statvfs(path).ok()?.f_flag);
        self.root.is_none() && flags().is_some_and(|it| it.contains(StatVfsMountFlags::NOEXEC))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        self.failures.note(path, self.opened(path))
    }
}

impl OsVfs {
    /// What is remembered besides resolved directories: nothing below a root, where every look-up
    /// starts at the root.
    fn remembered(&self) -> Option<&Remembered> {
        self.remembered.as_deref().filter(|_| self.root.is_none())
    }

    fn target(&self, path: &Path) -> io::Result<PathBuf> {
        fs::read_link(self.system_path(path, false)?)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let mut entries = listed(&self.system_path(path, true)?)?;
        entries.sort_unstable_by(|a, b| a.name.as_encoded_bytes().cmp(b.name.as_encoded_bytes()));
        Ok(entries)
    }

    fn opened(&self, name: &Path) -> io::Result<Box<dyn Source + '_>> {
        let path = self.system_path(name, true)?;
        // O_NONBLOCK: a pipe without a writer must not stop the whole walk.
        let mut flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        if self.root.is_some() {
            // Every link is already resolved: one that appears now would lead out of the root.
            flags |= OFlags::NOFOLLOW;
        }
        let file = retry_on_intr(|| rustix::fs::open(&path, flags, Mode::empty()))?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let len = u64::try_from(stat.st_size).unwrap_or_default();
        Ok(Box::new(Opened {
            path: name.to_owned(),
            failures: self.failures.clone(),
            file: File::from(file),
            len,
            pieces: Pieces::default(),
        }))
    }
}

impl Look for OsVfs {
    fn entry(&self, path: &Path) -> io::Result<Metadata> {
        Ok(metadata_of(&fs::symlink_metadata(self.system_path(path, false)?)?))
    }

    fn file(&self, path: &Path) -> io::Result<Metadata> {
        Ok(metadata_of(&fs::metadata(self.system_path(path, true)?)?))
    }

    fn resolved(&self, path: &Path) -> io::Result<PathBuf> {
        let resolved = fs::canonicalize(self.system_path(path, true)?)?;
        let Some(root) = &self.root else { return Ok(resolved) };
        // The root itself may be reached through links.
        let outside = fs::canonicalize(root)?;
        let inside = resolved.strip_prefix(outside).map_err(|_| Errno::NOENT)?;
        Ok(Path::new("/").join(inside))
    }
}

/// An open file. It is read and not mapped: if a mapped file is truncated, the process that reads
/// it dies by SIGBUS, and an installer may be running. What is read is small.
struct Opened {
    path: PathBuf,
    failures: Failures,
    file: File,
    len: u64,
    pieces: Pieces,
}

impl Opened {
    fn read(&self, len: usize, at: u64) -> Option<Vec<u8>> {
        self.failures.note(&self.path, exactly(&self.file, len, at)).ok()
    }
}

impl Source for Opened {
    fn len(&self) -> u64 {
        self.len
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        let read = |len: usize, at: u64| self.read(len, at);
        if let Some(bytes) = self.pieces.small(self.len, &range, read) {
            return Some(bytes);
        }
        // A file that has become shorter is treated like one that was always too short.
        let bytes = self.read(usize::try_from(range.end - range.start).ok()?, range.start)?;
        Some(Cow::Owned(bytes))
    }

    fn string(&self, offset: u64, limit: u64, what: &'static str) -> Result<Vec<u8>, bytes::Error> {
        let range = offset..limit.min(self.len);
        match self.pieces.string(self.len, &range, |len, at| self.read(len, at)) {
            Some(string) => Ok(string),
            None => bytes::string_of(self, offset, limit, what),
        }
    }
}

/// So many bytes of a file from an offset on.
pub(crate) fn exactly(file: &File, len: usize, at: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(len);
    while bytes.len() < len {
        let next = at + bytes.len() as u64;
        // What is not read yet is not filled with zeros before: some millions of bytes are read.
        let read = retry_on_intr(|| pread(file, spare_capacity(&mut bytes), next))?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    bytes.truncate(len);
    Ok(bytes)
}

/// The entries of a directory, in no order. An environment has thousands of directories, whose entries are not copied
/// more often than once.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn listed(path: &Path) -> io::Result<Vec<DirEntry>> {
    use rustix::fs::{AtFlags, RawDir};
    use std::ffi::OsStr;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt as _;

    /// How much the kernel lists at once, in bytes.
    const AT_ONCE: usize = 1 << 14;

    let kind = |file_type| match file_type {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    let mut entries = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); AT_ONCE];
    let mut raw = RawDir::new(&directory, &mut buffer);
    while let Some(entry) = raw.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not tell.
            FileType::Unknown => {
                let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                kind(FileType::from_raw_mode(stat.st_mode))
            }
            known => kind(known),
        };
        entries.push(DirEntry { name: OsStr::from_bytes(name.to_bytes()).to_owned(), kind });
    }
    Ok(entries)
}

/// The same by the standard library, where the kernel's own lists are not known.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn listed(path: &Path) -> io::Result<Vec<DirEntry>> {
    let entries = fs::read_dir(path)?.map(|entry| {
        let entry = entry?;
        Ok(DirEntry { name: entry.file_name(), kind: kind_of(entry.file_type()?) })
    });
    entries.collect()
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
        // The kernel gives less than 10^9 nanoseconds.
        modified: (metadata.mtime(), u32::try_from(metadata.mtime_nsec()).unwrap_or_default()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_told_once_and_what_is_not_there_has_not_failed() {
        let vfs = OsVfs::new();
        let failed = |errno: Errno| -> io::Result<()> { Err(errno.into()) };
        let _ = vfs.failures.note(Path::new("/env/a.so"), failed(Errno::NOENT));
        assert!(vfs.require_read(Path::new("/env")).is_ok());
        let _ = vfs.failures.note(Path::new("/env/a.so"), failed(Errno::IO));
        assert!(vfs.require_read(Path::new("/other")).is_ok());
        let other = vfs.clone();
        let _ = other.failures.note(Path::new("/env/a.so"), failed(Errno::IO));
        drop(other);
        let (path, error) = vfs.require_read(Path::new("/env")).unwrap_err();
        assert_eq!((path.as_path(), error.raw_os_error()), (Path::new("/env/a.so"), Some(5)));
        assert!(vfs.require_read(Path::new("/env")).is_ok());
    }
}
