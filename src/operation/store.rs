//! The directory `.tfpatch/`, which holds the records of operations.

use super::disk::{Disk, Times};
use super::error::{Error, PathError};
use super::journal::{Base, Record, SCHEMA};
use super::{file, lock, pack};
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The name of a store.
pub const NAME: &str = ".tfpatch";

/// A record that waits to be finished or rolled back.
const PENDING: &str = ".pending.json";
/// A record that could not be rolled back for some file, and is kept for a person to look at.
const ABANDONED: &str = ".abandoned.json";
/// A record of an operation that took place.
const DONE: &str = ".json";

/// The store of one environment. Nothing is created before the first operation.
#[derive(Clone)]
pub struct Store {
    directory: PathBuf,
    pub(super) disk: Disk,
}

/// A record's file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    number: u64,
    path: PathBuf,
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
        for above in directory.ancestors().skip(1) {
            if is_store(&above.join(NAME)) {
                return Err(Error::NestedStore {
                    store: directory.clone(),
                    other: above.to_path_buf(),
                });
            }
        }
        Ok(Self { directory, disk })
    }

    /// The store that is responsible for `path`: the one in it, or in a directory above.
    ///
    /// # Errors
    /// Where `path` is not there, or the store found is nested in another.
    pub fn find(path: &Path) -> Result<Option<Self>, Error> {
        let path = canonical(path)?;
        path.ancestors().find(|above| is_store(&above.join(NAME))).map(Self::open).transpose()
    }

    /// The directory that holds `.tfpatch`.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Is there a store already?
    #[must_use]
    pub fn is_created(&self) -> bool {
        is_store(&self.home())
    }

    /// The ID of the operation that was interrupted, if one was; or that another process is
    /// carrying out just now.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn pending(&self) -> Result<Option<String>, Error> {
        Ok(self.pending_record()?.map(|record| record.id))
    }

    /// The ID of an operation that was interrupted: one that is pending, and that no process is
    /// carrying out just now.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn interrupted(&self) -> Result<Option<String>, Error> {
        match self.look_for_pending(None) {
            Err(Error::Pending { id, .. }) => Ok(Some(id)),
            Ok(()) | Err(Error::Locked { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Fails where an operation is pending: because it was interrupted, or, if it is not we who hold
    /// the lock, because somebody is carrying it out.
    pub(super) fn look_for_pending(&self, guard: Option<&lock::Guard>) -> Result<(), Error> {
        let Some(id) = self.pending()? else { return Ok(()) };
        let store = self.directory.clone();
        match lock::held_by(&self.home().join("lock")) {
            Some(pid) if guard.is_none() => Err(Error::Locked { store, pid }),
            _ => Err(Error::Pending { store, id }),
        }
    }

    /// The ID of the last operation, which goes into the next one's.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn last(&self) -> Result<Option<String>, Error> {
        let entries = self.entries()?;
        let last = entries.iter().rev().find(|entry| entry.state == State::Done);
        Ok(last.map(|entry| read(&entry.path)).transpose()?.map(|record| record.id))
    }

    /// Every operation that took place, the oldest first.
    pub(super) fn records(&self) -> Result<Vec<Record>, Error> {
        let done = |entry: &&Entry| entry.state == State::Done;
        self.entries()?.iter().filter(done).map(|entry| read(&entry.path)).collect()
    }

    /// The same of one target, whose paths are relative to `base`. A target that is no longer there
    /// may be this one, which was moved.
    pub(super) fn records_of(&self, base: &Path) -> Result<Vec<Record>, Error> {
        let mut records = self.records()?;
        records.retain(|record| {
            let other = record.base.as_ref().map_or(&self.directory, |Base(other)| other);
            other == base || canonical(other).is_err()
        });
        Ok(records)
    }

    pub(super) fn pending_record(&self) -> Result<Option<Record>, Error> {
        let entries = self.entries()?;
        let pending = entries.iter().find(|entry| entry.state == State::Pending);
        pending.map(|entry| read(&entry.path)).transpose()
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

    /// Locks the store, and creates it first where there is none.
    ///
    /// Of two that start at once, one completes the store under the lock and the other finds it
    /// complete.
    pub(super) fn claim(
        &self,
        disk: &Disk,
        wait: Duration,
        waiting: &dyn Fn(Option<u32>),
    ) -> Result<lock::Guard, Error> {
        let (home, operations) = (self.home(), self.operations());
        if is_store(&operations) {
            return self.lock(disk, wait, waiting);
        }
        if let Some(other) = beneath(&self.directory) {
            return Err(Error::NestedStore { store: self.directory.clone(), other });
        }
        let failed = |source| PathError::new("read", &self.directory, source);
        let times = file::times_of(&std::fs::metadata(&self.directory).map_err(failed)?);
        let is_new = disk.create_directory(&home)?;
        let guard = self.lock(disk, wait, waiting)?;
        if !is_store(&operations) {
            let ignore = home.join(".gitignore");
            disk.remove(&ignore)?;
            let handle = disk.create(&ignore, 0o644)?;
            disk.write(&handle, b"*\n", 0)?;
            // Last, for it tells that the store is complete.
            disk.create_directory(&operations)?;
            disk.sync_directory(&home)?;
        }
        // Only who made the name knows the times that the directory had before.
        if is_new {
            super::write::restore_directory(disk, &self.directory, times)?;
        }
        disk.sync_directory(&self.directory)?;
        Ok(guard)
    }

    /// Locks the store, which must have been created.
    pub(super) fn lock(
        &self,
        disk: &Disk,
        wait: Duration,
        waiting: &dyn Fn(Option<u32>),
    ) -> Result<lock::Guard, Error> {
        lock::take(disk, &self.directory, &self.home().join("lock"), wait, waiting)
    }

    /// Puts a record on the disk, as pending.
    pub(super) fn begin(&self, disk: &Disk, record: &Record) -> Result<(), Error> {
        let number = self.entries()?.last().map_or(1, |entry| entry.number + 1);
        let path = self.operations().join(format!("{number:04}-{}{PENDING}", record.id));
        let record = &pack::write(disk, record, &path)?;
        // One name for all: what a crash left is written over.
        let temporary = self.operations().join("record.tmp");
        let text = serde_json::to_vec_pretty(record)
            .map_err(|error| PathError::new("write", &path, io::Error::other(error)))?;
        disk.remove(&temporary)?;
        let handle = disk.create(&temporary, 0o644)?;
        disk.write(&handle, &text, 0)?;
        disk.sync(&handle)?;
        disk.rename(&temporary, &path)?;
        Ok(disk.sync_directory(&self.operations())?)
    }

    /// The pending operation took place. Under either name the record says the same of files that
    /// are all new: that the new name may not outlast a power cut is no failure.
    pub(super) fn finish(&self, disk: &Disk) -> Result<(), Error> {
        self.rename_pending(disk, DONE)?;
        let _ = disk.sync_directory(&self.operations());
        Ok(())
    }

    /// Gives the store's files the time of the operation that was finished, so that an image that is
    /// built twice with the same SOURCE_DATE_EPOCH is the same. No failure here loses anything.
    pub(super) fn date(&self, disk: &Disk, time: i64) {
        let times = Times { accessed: (time, 0), modified: (time, 0) };
        let home = self.home();
        let record =
            self.entries().ok().and_then(|entries| entries.last().map(|last| last.path.clone()));
        let packed = record
            .as_deref()
            .map(pack::beside)
            .filter(|path| std::fs::symlink_metadata(path).is_ok());
        let files = [home.join(".gitignore"), home.join("lock"), self.operations(), home];
        for path in record.iter().chain(&packed).chain(&files) {
            let _ = disk.set_times_at(path, times);
        }
    }

    /// The pending operation was rolled back, except for files that are no longer those it knew.
    pub(super) fn abandon(&self, disk: &Disk) -> Result<(), Error> {
        self.rename_pending(disk, ABANDONED)?;
        Ok(disk.sync_directory(&self.operations())?)
    }

    /// The pending operation was rolled back.
    pub(super) fn discard(&self, disk: &Disk) -> Result<(), Error> {
        for entry in self.entries()?.iter().filter(|entry| entry.state == State::Pending) {
            disk.remove(&entry.path)?;
        }
        pack::remove_leftovers(disk, &self.operations())?;
        Ok(disk.sync_directory(&self.operations())?)
    }

    fn rename_pending(&self, disk: &Disk, ending: &str) -> Result<(), Error> {
        for entry in self.entries()?.iter().filter(|entry| entry.state == State::Pending) {
            let name = entry.path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let stem = name.strip_suffix(PENDING).unwrap_or(name);
            disk.rename(&entry.path, &entry.path.with_file_name(format!("{stem}{ending}")))?;
        }
        Ok(())
    }

    fn home(&self) -> PathBuf {
        self.directory.join(NAME)
    }

    fn operations(&self) -> PathBuf {
        self.home().join("operations")
    }

    /// The records, in the order of their numbers.
    fn entries(&self) -> Result<Vec<Entry>, Error> {
        let operations = self.operations();
        let failed = |source| PathError::new("read", &operations, source);
        let listing = match std::fs::read_dir(&operations) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            result => result.map_err(failed)?,
        };
        let mut entries = Vec::new();
        for entry in listing {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
            let state = if name.ends_with(PENDING) {
                State::Pending
            } else if name.ends_with(ABANDONED) {
                State::Abandoned
            } else if name.ends_with(DONE) {
                State::Done
            } else {
                continue;
            };
            let number = name.split('-').next().and_then(|digits| digits.parse().ok());
            if let Some(number) = number {
                entries.push(Entry { number, path, state });
            }
        }
        entries.sort_by(|one, other| (one.number, &one.path).cmp(&(other.number, &other.path)));
        Ok(entries)
    }
}

fn read(path: &Path) -> Result<Record, Error> {
    let text = std::fs::read(path).map_err(|source| PathError::new("read", path, source))?;
    let malformed = |why: String| Error::Record { path: path.to_path_buf(), why };
    let mut record: Record =
        serde_json::from_slice(&text).map_err(|error| malformed(error.to_string()))?;
    if record.schema != SCHEMA {
        return Err(malformed(format!("its schema is {:?}, not {SCHEMA:?}", record.schema)));
    }
    pack::find(&mut record, path)?;
    Ok(record)
}

pub(super) fn canonical(path: &Path) -> Result<PathBuf, PathError> {
    std::fs::canonicalize(path).map_err(|source| PathError::new("find", path, source))
}

fn is_store(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}

/// The directory of a store somewhere beneath `directory`. What cannot be read cannot hold one.
fn beneath(directory: &Path) -> Option<PathBuf> {
    let walk = walkdir::WalkDir::new(directory).min_depth(2).sort_by_file_name();
    let store = walk
        .into_iter()
        .filter_map(Result::ok)
        .find(|entry| entry.file_name() == NAME && entry.file_type().is_dir())?;
    store.path().parent().map(Path::to_path_buf)
}
