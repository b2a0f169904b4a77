//! The directory `.tfpatch/`, which holds the records of operations.

use super::disk::{Disk, Times, is_full};
use super::error::{Error, PathError};
use super::journal::{Base, Kind, Record};
use super::nesting::{beneath, found_above};
use super::tree::{Directory, Name, Stat, Tree, is_no_directory};
use super::{lock, owner, pack, room, shipped};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The name of a store.
pub const NAME: &str = ".tfpatch";

/// The directory of a store that holds the records.
const OPERATIONS: &str = "operations";

/// A record that waits to be finished or rolled back.
const PENDING: &str = ".pending.json";
/// A record that could not be rolled back for some file, and is kept for a person to look at.
const ABANDONED: &str = ".abandoned.json";
/// A record of an operation that took place.
const DONE: &str = ".json";
/// The name under which a record is written.
const TEMPORARY: &str = "record.tmp";

/// No record is longer: that of a signature made anew for a library of a gigabyte has some 12 MB.
const MAX_RECORD_BYTES: u64 = 256 << 20;

/// Group and others may write.
pub(super) const LOOSE: u32 = 0o022;

/// The store of one environment. Nothing is created before the first operation.
#[derive(Clone)]
pub struct Store {
    directory: PathBuf,
    /// Where absolute links begin.
    top: PathBuf,
    /// Was it named as one to be trusted, whoever it belongs to?
    is_trusted: bool,
    pub(super) disk: Disk,
}

/// A store that is there, and held open.
pub(super) struct Home {
    home: Arc<Directory>,
    /// None where the store is not complete.
    operations: Option<Arc<Directory>>,
    owner: u32,
    is_trusted: bool,
}

/// A record's file.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    name: Name,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Done,
    Pending,
    Abandoned,
}

impl Store {
    /// The store in `directory`, whether it is there already or not.
    ///
    /// # Errors
    /// Where `directory` is none, or a store lies above it. Whether one lies beneath it is looked
    /// at when the store is created, for it takes a walk of the tree.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        Self::open_on(directory, Disk::real())
    }

    /// The same, writing through `disk`.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_on(directory: &Path, disk: Disk) -> Result<Self, Error> {
        let directory = canonical(directory)?;
        let top = PathBuf::from("/");
        if let Some(above) = found_above(&directory, 1)? {
            return Err(Error::NestedStore { store: directory, other: above });
        }
        Ok(Self { directory, top, is_trusted: false, disk })
    }

    /// The store that is responsible for `path`: the one in it, or in a directory above. One in a
    /// directory that is neither root's, nor ours, nor of the owner of `path`, is passed over, and so is
    /// a foreign one in a directory that anybody may write in.
    ///
    /// # Errors
    /// Where `path` is not there, or the store found is nested in another.
    pub fn find(path: &Path) -> Result<Option<Self>, Error> {
        found_above(&canonical(path)?, 0)?.map(|above| Self::open(&above)).transpose()
    }

    /// The same store, for targets inside the root of another system, where absolute links begin.
    #[must_use]
    pub fn inside(self, top: &Path) -> Self {
        Self { top: top.to_path_buf(), ..self }
    }

    /// The same store, relied on whoever it belongs to: for a person who names it and knows.
    #[must_use]
    pub fn trusted(self) -> Self {
        Self { is_trusted: true, ..self }
    }

    /// The directory that holds `.tfpatch`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Is there a store already?
    #[must_use]
    pub fn is_created(&self) -> bool {
        is_directory(&self.directory.join(NAME))
    }

    /// The ID of the operation that was interrupted, if one was; or that another process is
    /// carrying out just now.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn pending(&self) -> Result<Option<String>, Error> {
        self.as_owner(|| Ok(self.pending_record()?.map(|record| record.id)))
    }

    /// The ID of an operation that was interrupted: one that is pending, and that no process is
    /// carrying out just now.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn interrupted(&self) -> Result<Option<String>, Error> {
        self.as_owner(|| match self.look_for_pending(None) {
            Err(Error::Pending { id, .. }) => Ok(Some(id)),
            Ok(()) | Err(Error::Locked { .. }) => Ok(None),
            Err(error) => Err(error),
        })
    }

    /// The ID of the last operation, which goes into the next one's.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn last(&self) -> Result<Option<String>, Error> {
        self.as_owner(|| self.last_id())
    }

    /// Runs `work` with the rights of whom the store belongs to, or will belong to: that is the owner
    /// of its directory where there is none yet. For anybody but root those are the rights that he has.
    pub(super) fn as_owner<T: Send>(
        &self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        if owner::myself() != 0 || self.is_trusted {
            return work();
        }
        let failed = |source| PathError::new("find", &self.directory, source);
        let around = std::fs::metadata(&self.directory).map_err(failed)?;
        let home = std::fs::symlink_metadata(self.directory.join(NAME)).ok();
        let uid = home.as_ref().map_or(around.uid(), |home| home.uid());
        if uid == 0 || uid != around.uid() {
            return work();
        }
        owner::run_as(uid, around.gid(), self.top == Path::new("/"), work)
    }

    /// The tree of a target, whose names are looked up.
    pub(super) fn tree(&self, root: &Path) -> Result<Tree, Error> {
        Ok(Tree::open(&self.top, root)?)
    }

    /// Opens the store.
    ///
    /// # Errors
    /// [`Error::ForeignStore`] where it is no directory, or belongs to somebody who is not to be
    /// relied on.
    pub(super) fn home(&self) -> Result<Option<Home>, Error> {
        let tree = Tree::open(Path::new("/"), &self.directory)?;
        let name = tree.root().name(NAME);
        let path = name.path().to_path_buf();
        let foreign = |why: String| Error::ForeignStore { store: path.clone(), why };
        let failed = |source| PathError::new("open", &path, source);
        let stat = match name.stat() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result.map_err(failed)?,
        };
        let other = "remove it, or keep backups elsewhere with --store DIR";
        if !stat.is_directory() {
            let what = if stat.is_link() { "a symbolic link" } else { "not a directory" };
            return Err(foreign(format!("it is {what}; {other}")));
        }
        let around = tree.root().stat().map_err(failed)?;
        let home = Arc::new(tree.root().enter(name.name()).map_err(failed)?);
        let stat = home.stat().map_err(failed)?;
        if !self.is_trusted {
            check_owner(&stat, &around).map_err(|why| foreign(format!("{why}; {other}")))?;
        }
        let operations = match home.enter(OsStr::new(OPERATIONS)) {
            Ok(operations) => Some(Arc::new(operations)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(error) if is_no_directory(&error) => {
                let what = "its directory `operations` is a link or no directory";
                return Err(foreign(format!("{what}; {other}")));
            }
            Err(error) => return Err(failed(error).into()),
        };
        if let Some(operations) = &operations {
            let inside = operations.stat().map_err(failed)?;
            if !self.is_trusted && inside.uid != stat.uid {
                let what = format!("its directory `operations` belongs to user {}", inside.uid);
                return Err(foreign(format!("{what}; {other}")));
            }
        }
        let found = Home { home, operations, owner: stat.uid, is_trusted: self.is_trusted };
        if !found.is_trusted
            && !found.entries()?.is_empty()
            && let Some(record) = shipped::lists(&self.directory)
        {
            let what = format!("{} lists it: a package brought it along", record.display());
            return Err(foreign(format!("{what}; remove it, and report the package")));
        }
        Ok(Some(found))
    }

    /// Fails where an operation is pending: because it was interrupted, or, if it is not we who hold
    /// the lock, because somebody is carrying it out.
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
        let entries = home.entries()?;
        let last = entries.iter().rev().find(|entry| entry.state == State::Done);
        Ok(last.map(|entry| home.read(&entry.name)).transpose()?.map(|record| record.id))
    }

    /// Every operation that took place, the oldest first.
    pub(super) fn records(&self) -> Result<Vec<Record>, Error> {
        let Some(home) = self.home()? else { return Ok(Vec::new()) };
        let done = |entry: &&Entry| entry.state == State::Done;
        home.entries()?.iter().filter(done).map(|entry| home.read(&entry.name)).collect()
    }

    /// The same of one target, whose paths are relative to `base`. A target that is no longer there
    /// may be this one, which was moved.
    pub(super) fn records_of(&self, base: &Path) -> Result<Vec<Record>, Error> {
        let mut records = self.records()?;
        records.retain(|record| self.concerns(record, base));
        Ok(records)
    }

    /// Is a record about the target at `base`, as far as can be known?
    fn concerns(&self, record: &Record, base: &Path) -> bool {
        let other = record.base.as_ref().map_or(&self.directory, |Base(other)| other);
        other == base || canonical(other).is_err()
    }

    pub(super) fn pending_record(&self) -> Result<Option<Record>, Error> {
        let Some(home) = self.home()? else { return Ok(None) };
        Ok(home.pending()?.map(|(_, record)| record))
    }

    /// Fails where a record is about another target than the one at `base`: it says which one it was
    /// made for, and not where anything is written.
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

    /// The directory that a record's paths are relative to, for a target with the canonical path
    /// `root`: the store's own, so that an environment can be moved and copied with its store; or
    /// the root, where the store lies elsewhere.
    pub(super) fn base<'a>(&'a self, root: &'a Path) -> &'a Path {
        if root.starts_with(&self.directory) { &self.directory } else { root }
    }

    /// What a record says of `base`, if it has to say it.
    pub(super) fn recorded(&self, base: &Path) -> Option<Base> {
        (base != self.directory).then(|| Base(base.to_path_buf()))
    }

    /// Locks the store, and creates it first where there is none: for its owner alone where
    /// `is_private`.
    ///
    /// Of two that start at once, one completes the store under the lock and the other finds it
    /// complete.
    pub(super) fn claim(
        &self,
        disk: &Disk,
        is_private: bool,
        wait: Duration,
        waiting: &dyn Fn(Option<u32>),
    ) -> Result<(Home, lock::Guard), Error> {
        if let Some(found) = self.home()?.filter(|found| found.operations.is_some()) {
            found.require_writable()?;
            found.tighten(disk)?;
            let guard = found.lock(disk, &self.directory, wait, waiting)?;
            return Ok((found, guard));
        }
        if let Some(other) = beneath(&self.directory) {
            return Err(Error::NestedStore { store: self.directory.clone(), other });
        }
        let failed = |source| PathError::new("read", &self.directory, source);
        let around = Tree::open(Path::new("/"), &self.directory)?;
        let around = around.root();
        let times = Times::from(&around.stat().map_err(failed)?);
        let mode = if is_private { 0o700 } else { 0o755 };
        let is_new = disk.create_directory(&around.name(NAME), mode)?;
        let mut found = self.home()?.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
        found.require_writable()?;
        let guard = found.lock(disk, &self.directory, wait, waiting)?;
        if let Some(complete) = self.home()?.filter(|found| found.operations.is_some()) {
            found = complete;
        } else {
            let ignore = found.home.name(".gitignore");
            if !ignore.is_there().map_err(failed)? {
                let handle = disk.create(&ignore, mode & 0o644)?;
                disk.write(&handle, b"*\n", 0)?;
            }
            // Last, for it tells that the store is complete.
            let operations = found.home.name(OPERATIONS);
            disk.create_directory(&operations, mode)?;
            let entered = found.home.enter(operations.name()).map_err(failed)?;
            found.operations = Some(Arc::new(entered));
            disk.sync_directory(&found.home)?;
        }
        // Only who made the name knows the times that the directory had before.
        if is_new {
            super::write::restore_directory(disk, around, times)?;
        }
        disk.sync_directory(around)?;
        Ok((found, guard))
    }
}

/// Why a store that belongs to `stat.uid`, in a directory of `around.uid`, is not relied on.
fn check_owner(stat: &Stat, around: &Stat) -> Result<(), String> {
    let me = owner::myself();
    if owner::is_nobody(stat.uid) {
        return Err(format!("they belong to user {}, who is nobody here", stat.uid));
    }
    let is_ours = match me {
        0 => stat.uid == 0 || stat.uid == around.uid,
        _ => stat.uid == me || stat.uid == 0,
    };
    if is_ours {
        return Ok(());
    }
    Err(format!("they belong to user {}", stat.uid))
}

impl Home {
    /// Fails where the store is root's, and we are not.
    fn require_writable(&self) -> Result<(), Error> {
        if self.is_trusted || self.owner == owner::myself() {
            return Ok(());
        }
        Err(Error::ReadOnlyStore { store: self.home.path().to_path_buf() })
    }

    /// Takes from group and others the right to write in the store, once all records are read.
    fn tighten(&self, disk: &Disk) -> Result<(), Error> {
        for directory in std::iter::once(&self.home).chain(&self.operations) {
            let stat = directory
                .stat()
                .map_err(|source| PathError::new("read", directory.path(), source))?;
            if stat.mode & LOOSE == 0 || stat.uid != owner::myself() {
                continue;
            }
            for entry in self.entries()? {
                self.read(&entry.name)?;
            }
            disk.set_mode_of(directory, stat.mode & !LOOSE)?;
        }
        Ok(())
    }

    pub(super) fn lock(
        &self,
        disk: &Disk,
        directory: &Path,
        wait: Duration,
        waiting: &dyn Fn(Option<u32>),
    ) -> Result<lock::Guard, Error> {
        self.require_writable()?;
        lock::take(disk, directory, &self.lock_file(), wait, waiting)
    }

    fn lock_file(&self) -> Name {
        self.home.name("lock")
    }

    /// Puts a record on the disk, as pending; for its owner alone where `is_private`.
    pub(super) fn begin(
        &self,
        disk: &Disk,
        record: &Record,
        is_private: bool,
    ) -> Result<(), Error> {
        let Some(operations) = &self.operations else { return Ok(()) };
        let last = self.entries()?.last().map_or(0, |entry| entry.number);
        let number = last.checked_add(1).ok_or_else(|| Error::Record {
            path: operations.path().to_path_buf(),
            why: "no number is left for another record".to_owned(),
        })?;
        let mode = if is_private { 0o600 } else { 0o644 };
        let name = operations.name(format!("{number:04}-{}{PENDING}", record.id));
        let record = &pack::write(disk, record, &name, mode)?;
        // One name for all: what a crash left is written over.
        let temporary = operations.name(TEMPORARY);
        let text = record
            .seal()
            .map_err(|error| PathError::new("write", name.path(), io::Error::other(error)))?;
        disk.remove(&temporary)?;
        match write_record(disk, &temporary, mode, &text) {
            Err(error) if is_full(&error) => {
                disk.remove(&temporary)?;
                let room = room::take(disk, operations, &temporary, text.len() as u64)?;
                let handle = room.ok_or(error)?;
                disk.write(&handle, &text, 0)?;
                disk.sync(&handle)?;
            }
            result => result?,
        }
        disk.rename(&temporary, &name)?;
        if record.kind != Kind::Revert {
            room::keep(disk, operations, record, text.len() as u64, mode);
        }
        Ok(disk.sync_directory(operations)?)
    }

    /// The pending operation took place. Under either name the record says the same of files that
    /// are all new: that the new name may not outlast a power cut is no failure.
    pub(super) fn finish(&self, disk: &Disk) -> Result<(), Error> {
        self.rename_pending(disk, DONE)?;
        if let Some(operations) = &self.operations {
            let _ = disk.sync_directory(operations);
        }
        Ok(())
    }

    /// Gives the store's files the time of the operation that was finished, so that an image that is
    /// built twice with the same SOURCE_DATE_EPOCH is the same. No failure here loses anything.
    pub(super) fn date(&self, disk: &Disk, time: i64) {
        let times = Times { accessed: (time, 0), modified: (time, 0) };
        let entries = self.entries().unwrap_or_default();
        let record = entries.last().map(|last| last.name.clone());
        let packed =
            record.as_ref().map(pack::beside).filter(|name| name.is_there().unwrap_or_default());
        let files = [self.home.name(".gitignore"), self.lock_file()];
        for name in record.iter().chain(&packed).chain(&files) {
            let _ = disk.set_times_at(name, times);
        }
        for directory in self.operations.iter().chain([&self.home]) {
            let _ = disk.set_times_of(directory, times);
        }
    }

    /// The pending operation was rolled back, except for files that are no longer those it knew.
    pub(super) fn abandon(&self, disk: &Disk) -> Result<(), Error> {
        self.rename_pending(disk, ABANDONED)?;
        let Some(operations) = &self.operations else { return Ok(()) };
        Ok(disk.sync_directory(operations)?)
    }

    /// The pending operation was rolled back.
    pub(super) fn discard(&self, disk: &Disk) -> Result<(), Error> {
        for entry in self.entries()?.iter().filter(|entry| entry.state == State::Pending) {
            disk.remove(&entry.name)?;
        }
        let Some(operations) = &self.operations else { return Ok(()) };
        pack::remove_leftovers(disk, operations)?;
        Ok(disk.sync_directory(operations)?)
    }

    fn rename_pending(&self, disk: &Disk, ending: &str) -> Result<(), Error> {
        for entry in self.entries()?.iter().filter(|entry| entry.state == State::Pending) {
            let name = entry.name.name().to_str().unwrap_or_default();
            let stem = name.strip_suffix(PENDING).unwrap_or(name);
            disk.rename(&entry.name, &entry.name.beside(format!("{stem}{ending}")))?;
        }
        Ok(())
    }

    /// The record of the operation that is pending, and its file.
    pub(super) fn pending(&self) -> Result<Option<(Name, Record)>, Error> {
        let entries = self.entries()?;
        let pending = entries.into_iter().find(|entry| entry.state == State::Pending);
        pending.map(|entry| Ok((entry.name.clone(), self.read(&entry.name)?))).transpose()
    }

    /// The records, in the order of their numbers.
    fn entries(&self) -> Result<Vec<Entry>, Error> {
        let Some(operations) = &self.operations else { return Ok(Vec::new()) };
        let failed = |source| PathError::new("read", operations.path(), source);
        let mut entries = Vec::new();
        for name in operations.names().map_err(failed)? {
            let text = name.to_str().unwrap_or_default();
            let state = if text.ends_with(PENDING) {
                State::Pending
            } else if text.ends_with(ABANDONED) {
                State::Abandoned
            } else if text.ends_with(DONE) {
                State::Done
            } else {
                continue;
            };
            let number = text.split('-').next().and_then(|digits| digits.parse().ok());
            if let Some(number) = number {
                entries.push(Entry { number, name: operations.name(name), state });
            }
        }
        let key = |entry: &Entry| (entry.number, OsString::from(entry.name.name()));
        entries.sort_by_cached_key(key);
        Ok(entries)
    }

    /// Reads a record.
    fn read(&self, name: &Name) -> Result<Record, Error> {
        let unusable = |why: String| Error::Record { path: name.path().to_path_buf(), why };
        let mut text = Vec::new();
        let file = self.open(name).map_err(unusable)?;
        file.take(MAX_RECORD_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(|source| PathError::new("read", name.path(), source))?;
        if text.len() as u64 > MAX_RECORD_BYTES {
            let limit = MAX_RECORD_BYTES >> 20;
            return Err(unusable(format!("it is longer than {limit} MiB")));
        }
        let mut record = Record::unseal(&text).map_err(unusable)?;
        pack::find(&mut record, name)?;
        Ok(record)
    }

    /// Opens a file of the store: a regular one of the store's owner, with no name elsewhere.
    fn open(&self, name: &Name) -> Result<File, String> {
        let file = name.open().map_err(|error| error.to_string())?;
        let stat = rustix::fs::fstat(&file).map_err(|error| error.to_string())?;
        let stat = Stat::from(stat);
        if stat.links != 1 {
            return Err(format!("it has {} names", stat.links));
        }
        if stat.uid != self.owner && !self.is_trusted {
            return Err(format!("it belongs to user {}", stat.uid));
        }
        Ok(file)
    }
}

fn write_record(disk: &Disk, name: &Name, mode: u32, text: &[u8]) -> Result<(), PathError> {
    let handle = disk.create(name, mode)?;
    disk.write(&handle, text, 0)?;
    disk.sync(&handle)
}

pub(super) fn canonical(path: &Path) -> Result<PathBuf, PathError> {
    std::fs::canonicalize(path).map_err(|source| PathError::new("find", path, source))
}

fn is_directory(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}
