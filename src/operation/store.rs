//! The directory `.tfpatch/`, which contains the records of operations.

use super::disk::Disk;
use super::distrust::Distrust;
use super::error::{Error, PathError};
use super::home::{Home, NAME, OPERATIONS};
use super::journal::{Base, Record};
use super::nesting::{between, found_above};
use super::times::Times;
use super::tree::{Stat, Tree, is_no_directory};
use super::{lock, owner, shipped};
use crate::plan::RelativePath;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The store of one environment. Nothing is created before the first operation.
#[derive(Clone)]
pub struct Store {
    directory: PathBuf,
    /// The directory to which absolute links are relative.
    top: PathBuf,
    /// Did the user name it as trusted, regardless of its owner?
    is_trusted: bool,
    /// The list of a package's files that contains the store, if any. It is looked up only once, because this
    /// reads the file lists of an environment.
    shipped: Arc<OnceLock<Option<PathBuf>>>,
    /// The ID of the operation for which this process created it.
    first: Arc<OnceLock<String>>,
    pub(super) disk: Disk,
}

impl Store {
    /// The store in `directory`, which may not exist yet.
    ///
    /// # Errors
    /// If `directory` is not a directory, or there is none in it yet, but one above it.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        Self::open_on(directory, Disk::real())
    }

    /// The same, with writes through `disk`.
    ///
    /// # Errors
    /// As for [`Store::open`].
    pub fn open_on(directory: &Path, disk: Disk) -> Result<Self, Error> {
        let directory = canonical(directory)?;
        // An existing store is the closest one to its files, and one above it records none of these.
        let above = found_above(&directory, 1)?.filter(|_| !is_directory(&directory.join(NAME)));
        if let Some(above) = above {
            return Err(Error::NestedStore { store: directory, other: above });
        }
        Ok(Self::in_directory(directory, disk))
    }

    /// The store that is responsible for `path`: the one in it, or in one of its ancestors. A store is
    /// skipped if its directory belongs neither to root, nor to the current user, nor to the owner of `path`;
    /// so is the store of another user in a directory that everybody may write to.
    ///
    /// # Errors
    /// If `path` does not exist, or the store is nested in another one.
    pub fn find(path: &Path) -> Result<Option<Self>, Error> {
        found_above(&canonical(path)?, 0)?.map(|above| Self::open(&above)).transpose()
    }

    /// The store that is responsible for `path`, as in [`Store::find`], or else the one that would be created
    /// in it.
    ///
    /// # Errors
    /// If `path` does not exist, or the store is nested in another one.
    pub fn find_or_open(path: &Path) -> Result<Self, Error> {
        let directory = canonical(path)?;
        match found_above(&directory, 0)? {
            Some(above) => Self::open(&above),
            None => Ok(Self::in_directory(directory, Disk::real())),
        }
    }

    fn in_directory(directory: PathBuf, disk: Disk) -> Self {
        let top = PathBuf::from("/");
        let (shipped, first) = Default::default();
        Self { directory, top, is_trusted: false, shipped, first, disk }
    }

    /// The same store, for targets inside the root of another system, to which absolute links are relative.
    #[must_use]
    pub fn inside(self, top: &Path) -> Self {
        Self { top: top.to_path_buf(), ..self }
    }

    /// The same store, trusted regardless of its owner, for users who name it explicitly.
    #[must_use]
    pub fn trusted(self) -> Self {
        Self { is_trusted: true, ..self }
    }

    /// The directory that contains `.tfpatch`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Does the store exist?
    #[must_use]
    pub fn is_created(&self) -> bool {
        is_directory(&self.directory.join(NAME))
    }

    /// Is there certainly no store yet, so that nothing in it has to be read?
    pub(super) fn is_absent(&self) -> bool {
        let home = std::fs::symlink_metadata(self.directory.join(NAME));
        home.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
    }

    /// The ID of the pending operation, if any. It was interrupted, or another process is carrying it out.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn pending(&self) -> Result<Option<String>, Error> {
        self.as_reader(|| Ok(self.pending_record()?.map(|record| record.id)))
    }

    /// The ID of an interrupted operation: one that is pending, while no process is carrying it out.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn interrupted(&self) -> Result<Option<String>, Error> {
        self.as_reader(|| match self.look_for_pending(None) {
            Err(Error::Pending { id, .. }) => Ok(Some(id)),
            Ok(()) | Err(Error::Locked { .. }) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// The ID of the last operation, which is part of the ID of the next one.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn last(&self) -> Result<Option<String>, Error> {
        if self.is_absent() {
            return Ok(None);
        }
        self.as_reader(|| self.last_id())
    }

    /// Runs `work` with the permissions of the owner of the store, or of its parent directory if the store
    /// does not exist yet. For users other than root, these are their own permissions.
    pub(super) fn as_owner<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        match self.other_owner()? {
            Some(owner) => owner.run(work, &self.directory),
            None => work(),
        }
    }

    /// The same for work that only reads.
    pub(super) fn as_reader<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        match self.other_owner()? {
            Some(owner) => owner.read(work),
            None => work(),
        }
    }

    /// Runs `work` on the files of the tree at `root`, with the permissions of its owner. The store may
    /// belong to root, and be elsewhere.
    pub(super) fn on_files_of<T: Send>(
        &self,
        root: &Path,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        if self.is_trusted { work() } else { owner::as_owner_of(root, self.is_here(), work) }
    }

    /// Does the target use the users of this system, rather than those of another root?
    fn is_here(&self) -> bool {
        self.top == Path::new("/")
    }

    /// The user with whose permissions root works; `None` if the current permissions are right.
    fn other_owner(&self) -> Result<Option<owner::Other>, Error> {
        if owner::myself() != 0 || self.is_trusted {
            return Ok(None);
        }
        let failed = |source| PathError::new("find", &self.directory, source);
        let around = std::fs::metadata(&self.directory).map_err(failed)?;
        let home = std::fs::symlink_metadata(self.directory.join(NAME)).ok();
        let uid = home.as_ref().map_or(around.uid(), |home| home.uid());
        if uid == 0 || uid != around.uid() || owner::is_nobody(uid) {
            return Ok(None);
        }
        Ok(Some(owner::Other { uid, gid: around.gid(), is_here: self.is_here() }))
    }

    /// The tree of a target, for looking up names.
    pub(super) fn tree(&self, root: &Path) -> Result<Tree, Error> {
        Ok(Tree::open(&self.top, root)?)
    }

    /// Opens the store.
    ///
    /// # Errors
    /// [`Error::ForeignStore`] if it is not a directory, or belongs to a user who is not trusted.
    pub(super) fn home(&self) -> Result<Option<Home>, Error> {
        // Usually no store exists yet; then no directory is opened.
        match std::fs::symlink_metadata(self.directory.join(NAME)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            _ => self.home_in(&Tree::open(Path::new("/"), &self.directory)?),
        }
    }

    /// The same in the open directory of the store.
    fn home_in(&self, tree: &Tree) -> Result<Option<Home>, Error> {
        let name = tree.root().name(NAME);
        let path = name.path().to_path_buf();
        let foreign = |why: Distrust| Error::ForeignStore { store: path.clone(), why };
        let failed = |source| PathError::new("open", &path, source);
        let stat = match name.stat() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(failed)?,
        };
        if !stat.is_directory() {
            let is_link = stat.is_link();
            return Err(foreign(if is_link { Distrust::Link } else { Distrust::NoDirectory }));
        }
        let around = tree.root().stat().map_err(failed)?;
        let home = Arc::new(tree.root().enter(name.name()).map_err(failed)?);
        let stat = home.stat().map_err(failed)?;
        if !self.is_trusted {
            check_owner(&stat, &around).map_err(foreign)?;
        }
        let operations = match home.enter(OsStr::new(OPERATIONS)) {
            Ok(operations) => Some(Arc::new(operations)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if is_no_directory(&error) => {
                return Err(foreign(Distrust::NoRecords));
            }
            Err(error) => return Err(failed(error).into()),
        };
        if let Some(operations) = &operations {
            let inside = operations.stat().map_err(failed)?;
            if !self.is_trusted && inside.uid != stat.uid {
                return Err(foreign(Distrust::RecordsOfUser { uid: inside.uid }));
            }
        }
        let found = Home { home, operations, owner: stat.uid, is_trusted: self.is_trusted };
        if !found.is_trusted
            && found.holds_records()?
            && let Some(record) = self.shipped.get_or_init(|| shipped::lists(&self.directory))
        {
            return Err(foreign(Distrust::Shipped { list: record.clone() }));
        }
        Ok(Some(found))
    }

    /// Fails if an operation is pending. It was interrupted or, unless this process holds the lock, another
    /// process is carrying it out.
    pub(super) fn look_for_pending(&self, guard: Option<&lock::Guard>) -> Result<(), Error> {
        let Some(home) = self.home()? else { return Ok(()) };
        let Some((_, record)) = home.pending()? else { return Ok(()) };
        let store = self.directory.clone();
        match lock::held_by(&home.lock_file()) {
            Some(pid) if guard.is_none() => Err(Error::Locked { store, pid }),
            _ => Err(Error::Pending { store, id: record.id }),
        }
    }

    pub(super) fn last_id(&self) -> Result<Option<String>, Error> {
        let Some(home) = self.home()? else { return Ok(None) };
        Ok(home.last_done()?.map(|record| record.id))
    }

    /// All completed operations, oldest first.
    pub(super) fn records(&self) -> Result<Vec<Record>, Error> {
        self.home()?.map_or_else(|| Ok(Vec::new()), |home| home.done())
    }

    /// The same for one target, whose paths are relative to `base`. Includes operations on a target that no
    /// longer exists, because it may be this one, moved.
    pub(super) fn records_of(&self, base: &Path) -> Result<Vec<Record>, Error> {
        let mut records = self.records()?;
        records.retain(|record| self.concerns(record, base));
        Ok(records)
    }

    /// Is a record about the target at `base`, as far as can be determined?
    fn concerns(&self, record: &Record, base: &Path) -> bool {
        let other = record.base.as_ref().map_or(&self.directory, |Base(other)| other);
        other == base || canonical(other).is_err()
    }

    /// Notes the operation for which the store was just created.
    pub(super) fn note_first(&self, id: &str) {
        let _ = self.first.set(id.to_owned());
    }

    /// Was the store created for this operation? Then no other one was before it. Nothing is read for it.
    #[must_use]
    pub fn is_new_for(&self, id: &str) -> bool {
        self.first.get().is_some_and(|first| first == id)
    }

    /// Is this the only completed operation in the store? No record is read for it.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn has_only(&self, id: &str) -> Result<bool, Error> {
        self.as_reader(|| self.home()?.map_or(Ok(false), |home| home.has_only(id)))
    }

    pub(super) fn pending_record(&self) -> Result<Option<Record>, Error> {
        let Some(home) = self.home()? else { return Ok(None) };
        Ok(home.pending()?.map(|(_, record)| record))
    }

    /// Fails if a record is about another target than the one at `base`. The record names the target that it
    /// was made for; that name never determines where anything is written.
    pub(super) fn require_concern(&self, record: &Record, base: &Path) -> Result<(), Error> {
        if self.concerns(record, base) {
            return Ok(());
        }
        let other = record.base.as_ref().map_or(&self.directory, |Base(other)| other);
        Err(Error::PendingElsewhere {
            store: self.directory.clone(),
            id: record.id.clone(),
            target: other.clone(),
        })
    }

    /// Fails if files have other stores, which are closer to them: undoing one operation would not know of the other.
    pub(super) fn require_own(&self, root: &Path, files: &[RelativePath]) -> Result<(), Error> {
        let root = canonical(root)?;
        let files = files.iter().map(|file| root.join(file.as_path()));
        let directories: BTreeSet<PathBuf> =
            files.filter_map(|it| Some(it.parent()?.join("_"))).collect();
        match directories.iter().find_map(|file| between(&self.directory, file)) {
            Some(other) => Err(Error::NestedStore { store: self.directory.clone(), other }),
            None => Ok(()),
        }
    }

    /// The directory that the paths in a record are relative to, for a target with the canonical path `root`.
    /// It is the directory of the store, so that an environment can be moved and copied with its store, or
    /// the root if the store is elsewhere.
    pub(super) fn base<'a>(&'a self, root: &'a Path) -> &'a Path {
        if root.starts_with(&self.directory) { &self.directory } else { root }
    }

    /// The value for `base` in a record, if it needs one.
    pub(super) fn recorded(&self, base: &Path) -> Option<Base> {
        (base != self.directory).then(|| Base(base.to_path_buf()))
    }

    /// Locks the store, and creates it first if it does not exist; only its owner may read it if
    /// `is_private`.
    ///
    /// If two processes start at once, one completes the store under the lock, and the other finds it
    /// complete.
    pub(super) fn claim(
        &self,
        disk: &Disk,
        is_private: bool,
        wait: Duration,
        waiting: &dyn Fn(Option<u32>),
    ) -> Result<Claimed, Error> {
        if let Some(home) = self.home()?.filter(|found| found.operations.is_some()) {
            home.require_writable()?;
            home.tighten(disk)?;
            let guard = home.lock(disk, &self.directory, wait, waiting)?;
            return Ok(Claimed { home, guard, is_new: false });
        }
        let failed = |source| PathError::new("read", &self.directory, source);
        let tree = Tree::open(Path::new("/"), &self.directory)?;
        let around = tree.root();
        let times = Times::from(&around.stat().map_err(failed)?);
        let mode = if is_private { 0o700 } else { 0o755 };
        let is_made = disk.create_directory(&around.name(NAME), mode)?;
        let found = self.home_in(&tree)?;
        let mut found = found.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        found.require_writable()?;
        let guard = found.lock(disk, &self.directory, wait, waiting)?;
        let complete = self.home_in(&tree)?.filter(|found| found.operations.is_some());
        let is_new = is_made && complete.is_none();
        if let Some(complete) = complete {
            found = complete;
        } else {
            let ignore = found.home.name(".gitignore");
            if !ignore.is_there().map_err(failed)? {
                let handle = disk.create(&ignore, mode & 0o644)?;
                disk.write(&handle, b"*\n", 0)?;
            }
            // This comes last, because it marks the store as complete.
            let operations = found.home.name(OPERATIONS);
            disk.create_directory(&operations, mode)?;
            let entered = found.home.enter(operations.name()).map_err(failed)?;
            found.operations = Some(Arc::new(entered));
            disk.sync_directory(&found.home)?;
        }
        // Only the process that created the store knows the previous times of its parent directory.
        if is_made {
            super::write::restore_directory(disk, around, times)?;
        }
        disk.sync_directory(around)?;
        Ok(Claimed { home: found, guard, is_new })
    }
}

/// A locked store.
pub(super) struct Claimed {
    pub(super) home: Home,
    pub(super) guard: lock::Guard,
    /// Is the store new, so that no other process can have recorded an operation in it?
    pub(super) is_new: bool,
}

/// The reason why a store that belongs to `stat.uid`, in a directory of `around.uid`, is not trusted.
fn check_owner(stat: &Stat, around: &Stat) -> Result<(), Distrust> {
    let me = owner::myself();
    if owner::is_nobody(stat.uid) {
        return Err(Distrust::OfNobody { uid: stat.uid });
    }
    let is_ours = match me {
        0 => stat.uid == 0 || stat.uid == around.uid,
        _ => stat.uid == me || stat.uid == 0,
    };
    if is_ours {
        return Ok(());
    }
    Err(Distrust::OfUser { uid: stat.uid })
}

pub(super) fn canonical(path: &Path) -> Result<PathBuf, PathError> {
    std::fs::canonicalize(path).map_err(|source| PathError::new("find", path, source))
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}
