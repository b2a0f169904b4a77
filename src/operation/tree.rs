//! Looks up names once, component by component as the kernel does, and keeps their directories open.
//!
//! A path may lead to different files in two lookups, if somebody changes a directory or link in between.
//! Here each directory on the path is opened without following links, each link is read and followed
//! explicitly, and every step is recorded, so that a second walk shows whether the path is still the same.
//! All later writes are relative to the open directory.

use super::error::{Error, PathError};
use super::refusal::Refusal;
use crate::plan::RelativePath;
use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags};
use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// The maximum number of links that are followed in a row, as in Linux.
const MAX_LINKS: usize = 40;

/// The identity of a file: the device, and the inode on it.
pub(super) type FileId = (u64, u64);

/// An open directory.
#[derive(Debug)]
pub(super) struct Directory {
    descriptor: OwnedFd,
    path: PathBuf,
    id: FileId,
}

impl AsFd for Directory {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.descriptor.as_fd()
    }
}

/// Opened only for lookups, which does not need read permission.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TO_SEARCH: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const TO_SEARCH: OFlags = OFlags::RDONLY;

impl Directory {
    /// Opens a directory by its path. Links are followed.
    fn at(path: &Path) -> io::Result<Self> {
        let flags = TO_SEARCH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Self::of(rustix::fs::openat(CWD, path, flags, Mode::empty())?, path.to_path_buf())
    }

    /// Opens a subdirectory, which must not be a link.
    pub(super) fn enter(&self, name: &OsStr) -> io::Result<Self> {
        let flags = TO_SEARCH | OFlags::DIRECTORY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let descriptor = rustix::fs::openat(self, name, flags, Mode::empty())?;
        Self::of(descriptor, self.path.join(name))
    }

    fn of(descriptor: OwnedFd, path: PathBuf) -> io::Result<Self> {
        let stat = Stat::from(rustix::fs::fstat(&descriptor)?);
        Ok(Self { descriptor, path, id: stat.id() })
    }

    /// The path by which it was reached, with links resolved.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn stat(&self) -> io::Result<Stat> {
        Ok(rustix::fs::fstat(&self.descriptor)?.into())
    }

    /// The directory as a file that can be listed and synced.
    pub(super) fn open(&self) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(self, ".", flags, Mode::empty())?))
    }

    /// The names in it in arbitrary order, without `.` and `..`.
    pub(super) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in rustix::fs::Dir::new(OwnedFd::from(self.open()?))? {
            let name = entry?.file_name().to_bytes().to_vec();
            if name != b"." && name != b".." {
                names.push(OsString::from_vec(name));
            }
        }
        Ok(names)
    }

    /// A name in it.
    pub(super) fn name(self: &Arc<Self>, name: impl Into<OsString>) -> Name {
        let name = name.into();
        Name { path: self.path.join(&name), directory: Arc::clone(self), name }
    }
}

/// The result of fstat(2), with the same types on every system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) kind: FileType,
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) links: u64,
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) len: u64,
    /// Seconds since 1970, and nanoseconds.
    pub(super) accessed: (i64, u32),
    /// Seconds since 1970, and nanoseconds.
    pub(super) modified: (i64, u32),
}

impl Stat {
    pub(super) fn id(&self) -> FileId {
        (self.device, self.inode)
    }

    pub(super) fn is_file(&self) -> bool {
        self.kind == FileType::RegularFile
    }

    pub(super) fn is_link(&self) -> bool {
        self.kind == FileType::Symlink
    }

    pub(super) fn is_directory(&self) -> bool {
        self.kind == FileType::Directory
    }
}

impl From<rustix::fs::Stat> for Stat {
    fn from(stat: rustix::fs::Stat) -> Self {
        // The types of the fields depend on the system; no value is truncated.
        fn number<T: TryInto<u64>>(value: T) -> u64 {
            value.try_into().unwrap_or_default()
        }
        fn small<T: TryInto<u32>>(value: T) -> u32 {
            value.try_into().unwrap_or_default()
        }
        fn signed<T: TryInto<i64>>(value: T) -> i64 {
            value.try_into().unwrap_or_default()
        }
        Self {
            kind: FileType::from_raw_mode(stat.st_mode),
            device: number(stat.st_dev),
            inode: number(stat.st_ino),
            links: number(stat.st_nlink),
            mode: small(stat.st_mode) & 0o7777,
            uid: small(stat.st_uid),
            gid: small(stat.st_gid),
            len: number(stat.st_size),
            accessed: (signed(stat.st_atime), small(stat.st_atime_nsec)),
            modified: (signed(stat.st_mtime), small(stat.st_mtime_nsec)),
        }
    }
}

/// A name in an open directory.
#[derive(Debug, Clone)]
pub(super) struct Name {
    directory: Arc<Directory>,
    name: OsString,
    path: PathBuf,
}

impl Name {
    pub(super) fn directory(&self) -> &Arc<Directory> {
        &self.directory
    }

    pub(super) fn name(&self) -> &OsStr {
        &self.name
    }

    /// The path, for messages.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Another name in the same directory.
    pub(super) fn beside(&self, name: impl Into<OsString>) -> Self {
        self.directory.name(name)
    }

    /// The status of the name. A link is not followed.
    pub(super) fn stat(&self) -> io::Result<Stat> {
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        Ok(rustix::fs::statat(&self.directory, &self.name, flags)?.into())
    }

    /// Does the name exist? An error means that this is unknown.
    pub(super) fn is_there(&self) -> io::Result<bool> {
        match self.stat() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            result => result.map(|_| true),
        }
    }

    /// The target of the link, if it is one.
    pub(super) fn read_link(&self) -> io::Result<Option<PathBuf>> {
        match rustix::fs::readlinkat(&self.directory, &self.name, Vec::new()) {
            Ok(target) => Ok(Some(PathBuf::from(OsString::from_vec(target.into_bytes())))),
            Err(rustix::io::Errno::INVAL) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens the file for reading. It does not follow links, and does not block on pipes.
    pub(super) fn open(&self) -> io::Result<File> {
        self.open_with(OFlags::RDONLY)
    }

    /// Opens the file, which must be a regular file.
    pub(super) fn open_with(&self, access: OFlags) -> io::Result<File> {
        let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
        let file = rustix::fs::openat(&self.directory, &self.name, flags, Mode::empty())?;
        if !Stat::from(rustix::fs::fstat(&file)?).is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        Ok(File::from(file))
    }
}

/// The steps of a walk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    /// A directory.
    Directory(FileId),
    /// A link, and its target.
    Link(PathBuf),
}

/// A walk from the root of this system, or of another one.
#[derive(Debug, Clone)]
struct Walk {
    /// The directories from the root to the current one; `..` returns to the previous one.
    held: Vec<Arc<Directory>>,
    seen: Vec<Seen>,
    links: usize,
}

impl Walk {
    fn at(top: &Path) -> io::Result<Self> {
        let directory = Directory::at(top)?;
        let seen = vec![Seen::Directory(directory.id)];
        Ok(Self { held: vec![Arc::new(directory)], seen, links: 0 })
    }

    fn directory(&self) -> Option<&Arc<Directory>> {
        self.held.last()
    }

    /// Is the walk in `root` or below it?
    fn is_within(&self, root: &Directory) -> bool {
        self.held.iter().any(|held| held.id == root.id && held.path == root.path)
    }

    /// Enters a directory. Links are followed.
    fn enter(&mut self, path: &Path) -> io::Result<()> {
        let mut todo: VecDeque<Step> = VecDeque::new();
        Step::push_front(&mut todo, path);
        while let Some(step) = todo.pop_front() {
            match step {
                Step::Top => self.held.truncate(1),
                Step::Up if self.held.len() > 1 => _ = self.held.pop(),
                Step::Up => {}
                Step::Into(name) => {
                    if let Some(target) = self.enter_one(&name)? {
                        Step::push_front(&mut todo, &target);
                    }
                }
            }
        }
        Ok(())
    }

    /// Enters a directory, or returns the target if the name is a link.
    fn enter_one(&mut self, name: &OsStr) -> io::Result<Option<PathBuf>> {
        let here = self.directory().ok_or(io::ErrorKind::NotFound)?;
        match here.enter(name) {
            Ok(directory) => {
                self.seen.push(Seen::Directory(directory.id));
                self.held.push(Arc::new(directory));
                Ok(None)
            }
            Err(error) if is_no_directory(&error) => {
                let Some(target) = here.name(name).read_link()? else { return Err(error) };
                self.follow(&target)?;
                Ok(Some(target))
            }
            Err(error) => Err(error),
        }
    }

    /// Counts a followed link.
    fn follow(&mut self, target: &Path) -> io::Result<()> {
        self.links += 1;
        if self.links > MAX_LINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        self.seen.push(Seen::Link(target.to_path_buf()));
        Ok(())
    }
}

/// `O_DIRECTORY` on a link gives ENOTDIR with `O_PATH`, and may give ELOOP without it.
pub(super) fn is_no_directory(error: &io::Error) -> bool {
    let found = error.raw_os_error();
    [rustix::io::Errno::NOTDIR, rustix::io::Errno::LOOP]
        .iter()
        .any(|errno| found == Some(errno.raw_os_error()))
}

/// Does the error mean that the file does not exist?
pub(super) fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || is_no_directory(error)
}

/// A component of a path.
enum Step {
    Top,
    Up,
    Into(OsString),
}

impl Step {
    fn push_front(todo: &mut VecDeque<Self>, path: &Path) {
        for component in path.components().rev() {
            match component {
                Component::RootDir => todo.push_front(Self::Top),
                Component::ParentDir => todo.push_front(Self::Up),
                Component::Normal(name) => todo.push_front(Self::Into(name.to_owned())),
                Component::CurDir | Component::Prefix(_) => {}
            }
        }
    }
}

/// A name that was looked up, and the path to it.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) name: Name,
    /// The target of the link, if the name is a link that leads outside the tree.
    pub(super) link: Option<PathBuf>,
    walk: Walk,
}

impl Place {
    /// The steps of the walk.
    pub(super) fn seen(&self) -> &[Seen] {
        &self.walk.seen
    }

    /// The same name, with its target if it is a link.
    pub(super) fn with_link(&self) -> io::Result<Self> {
        Ok(Self { link: self.name.read_link()?, ..self.clone() })
    }

    /// Another name in the same directory.
    pub(super) fn beside(&self, name: &Name) -> Self {
        Self { name: self.name.beside(name.name()), link: None, walk: self.walk.clone() }
    }

    /// The file that a link with this target would refer to, if the link were at this name.
    pub(super) fn follow(&self, target: &Path) -> io::Result<Name> {
        let mut walk = self.walk.clone();
        let mut target = target.to_path_buf();
        loop {
            walk.follow(&target)?;
            let (directory, last) = split(&target);
            walk.enter(directory)?;
            let (Some(here), Some(last)) = (walk.directory(), last) else {
                return Err(rustix::io::Errno::ISDIR.into());
            };
            let name = here.name(last);
            match name.read_link()? {
                Some(next) => target = next,
                None => return Ok(name),
            }
        }
    }
}

/// The directory of a path, and the name in it; no name if the path ends in `..` or is a root.
fn split(path: &Path) -> (&Path, Option<&OsStr>) {
    match path.file_name() {
        Some(name) => (path.parent().unwrap_or(Path::new("")), Some(name)),
        None => (path, None),
    }
}

/// A directory tree in which names are looked up. No lookup may leave it.
#[derive(Debug)]
pub(super) struct Tree {
    walk: Walk,
    root: Arc<Directory>,
}

impl Tree {
    /// The tree at `root`, an absolute path below `top`. Absolute links are relative to `top`, which is `/`
    /// or the root of another system.
    pub(super) fn open(top: &Path, root: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("find", root, source);
        let inside = root.strip_prefix(top).map_err(|_| {
            failed(io::Error::new(io::ErrorKind::InvalidInput, "is outside the root"))
        })?;
        let mut walk = Walk::at(top).map_err(failed)?;
        walk.enter(inside).map_err(failed)?;
        let found = walk.directory().cloned();
        let root = found.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        Ok(Self { walk, root })
    }

    /// Translates a path in the system of the tree to a path in this system.
    pub(super) fn on_disk(&self, path: &Path) -> PathBuf {
        let top = self.walk.held.first().map_or(Path::new("/"), |top| top.path());
        top.join(path.strip_prefix("/").unwrap_or(path))
    }

    pub(super) fn root(&self) -> &Arc<Directory> {
        &self.root
    }

    /// Looks up a name whose directory must be inside the tree. If the name itself is a link, it is not
    /// followed.
    pub(super) fn name(&self, relative: &RelativePath) -> Result<Place, Error> {
        let mut walk = self.walk.clone();
        let (directory, last) = split(relative.as_path());
        let path = self.root.path.join(relative);
        walk.enter(directory).map_err(|source| PathError::new("find", &path, source))?;
        match (walk.directory(), last) {
            (Some(here), Some(last)) if walk.is_within(&self.root) => {
                Ok(Place { name: here.name(last), link: None, walk })
            }
            _ => Err(self.outside(relative)),
        }
    }

    /// The same; `None` if the path does not exist or leads outside the tree. A failure to look it up is an
    /// error, because a temporary failure of the disk does not prove that a file is gone.
    pub(super) fn find(&self, relative: &RelativePath) -> Result<Option<Place>, Error> {
        match self.name(relative) {
            Err(Error::Outside { .. }) => Ok(None),
            Err(Error::Path(error)) if is_gone(&error.source) => Ok(None),
            result => result.map(Some),
        }
    }

    /// Follows `relative` while it stays within the tree, and ends at a file or at the link that leaves the
    /// tree.
    pub(super) fn locate(&self, relative: &RelativePath) -> Result<Place, Error> {
        let mut walk = self.walk.clone();
        let mut target = relative.as_path().to_path_buf();
        let mut leaving: Option<Place> = None;
        let path = self.root.path.join(relative);
        let failed = |source| PathError::new("find", &path, source);
        loop {
            let (directory, last) = split(&target);
            let entered = walk.enter(directory);
            let last = last.filter(|_| entered.is_ok() && walk.is_within(&self.root));
            let (Some(last), Some(here)) = (last, walk.directory()) else {
                return match (leaving, entered) {
                    (Some(place), _) => Ok(place),
                    (None, Err(error)) => Err(failed(error).into()),
                    (None, Ok(())) => Err(self.outside(relative)),
                };
            };
            let name = here.name(last);
            let stat = name.stat().map_err(|source| PathError::new("find", name.path(), source))?;
            if !stat.is_link() {
                return Ok(Place { name, link: None, walk });
            }
            let next = name.read_link().map_err(failed)?;
            let next = next.ok_or_else(|| Error::Overtaken { path: path.clone() })?;
            leaving = Some(Place { name, link: Some(next.clone()), walk: walk.clone() });
            if walk.follow(&next).is_err() {
                return Err(Error::refused(&path, Refusal::DanglingLink));
            }
            target = next;
        }
    }

    fn outside(&self, relative: &RelativePath) -> Error {
        Error::Outside { path: self.root.path.join(relative), root: self.root.path.clone() }
    }
}
