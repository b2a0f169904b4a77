//! An existing store, held open: its records and its lock.

use super::disk::{Disk, is_full};
use super::distrust::Unusable;
use super::error::{Error, PathError};
use super::journal::{Kind, Record};
use super::lock;
use super::old_bytes;
use super::owner;
use super::room;
use super::times::Times;
use super::tree::{Directory, Name, Stat};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The name of a store.
pub const NAME: &str = ".tfpatch";

/// Group and others may write.
pub(super) const LOOSE: u32 = 0o022;

/// The directory of a store that holds the records.
pub(super) const OPERATIONS: &str = "operations";

/// The suffix of a record that is to be completed or rolled back.
const PENDING: &str = ".pending.json";
/// The suffix of a record that could not be rolled back for some file, and is kept for inspection.
const ABANDONED: &str = ".abandoned.json";
/// The suffix of a record of a completed operation.
const DONE: &str = ".json";
/// The temporary name for writing a record.
const TEMPORARY: &str = "record.tmp";

/// The maximum length of a record. The record for a new signature of a library of a gigabyte has about 12 MB.
const MAX_RECORD_BYTES: u64 = 64 << 20;

/// An existing store, held open.
pub(super) struct Home {
    pub(super) home: Arc<Directory>,
    /// `None` if the store is incomplete.
    pub(super) operations: Option<Arc<Directory>>,
    pub(super) owner: u32,
    /// Did the user name it as trusted, regardless of its owner?
    pub(super) is_trusted: bool,
}

/// The file of a record.
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

impl Home {
    /// Fails if the store belongs to root, and the current user is not root.
    pub(super) fn require_writable(&self) -> Result<(), Error> {
        if self.is_trusted || self.owner == owner::myself() {
            return Ok(());
        }
        Err(Error::ReadOnlyStore { store: self.home.path().to_path_buf() })
    }

    /// Removes the write permission of group and others from the store, once all records are read.
    pub(super) fn tighten(&self, disk: &Disk) -> Result<(), Error> {
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

    pub(super) fn lock_file(&self) -> Name {
        self.home.name("lock")
    }

    /// Writes a record to the disk as pending. Only its owner may read it if `is_private`.
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
            why: Unusable::NoNumber,
        })?;
        let mode = if is_private { 0o600 } else { 0o644 };
        let name = operations.name(format!("{number:04}-{}{PENDING}", record.id));
        let record = &old_bytes::write(disk, record, &name, mode)?;
        // The temporary name is always the same, so that leftovers of a crash are overwritten.
        let temporary = operations.name(TEMPORARY);
        let text = record
            .seal()
            .map_err(|error| PathError::new("write", name.path(), io::Error::other(error)))?;
        // Do not write a record that could not be read again.
        record.check().map_err(|why| Error::Record {
            path: name.path().to_path_buf(),
            why: Unusable::Impossible(why),
        })?;
        if text.len() as u64 > MAX_RECORD_BYTES {
            let why = Unusable::WouldBeTooLong { limit: MAX_RECORD_BYTES };
            return Err(Error::Record { path: name.path().to_path_buf(), why });
        }
        disk.remove(&temporary)?;
        if record.kind != Kind::Revert {
            room::keep(disk, operations, record, text.len() as u64, mode);
        }
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
        Ok(disk.sync_directory(operations)?)
    }

    /// Marks the pending operation as completed. The record is valid under either name once all files are
    /// new, so it does not matter if a power cut undoes the renaming.
    pub(super) fn finish(&self, disk: &Disk) -> Result<(), Error> {
        self.rename_pending(disk, DONE)?;
        if let Some(operations) = &self.operations {
            let _ = disk.sync_directory(operations);
        }
        Ok(())
    }

    /// Sets the times of the store's files to the time of the completed operation, so that building an image
    /// twice with the same SOURCE_DATE_EPOCH gives the same result. A failure here is harmless.
    pub(super) fn date(&self, disk: &Disk, time: i64) {
        let times = Times { accessed: (time, 0), modified: (time, 0) };
        let entries = self.entries().unwrap_or_default();
        let record = entries.last().map(|last| last.name.clone());
        let packed = record
            .as_ref()
            .map(old_bytes::beside)
            .filter(|name| name.is_there().unwrap_or_default());
        let files = [self.home.name(".gitignore"), self.lock_file()];
        let room = self.operations.as_ref().map(room::name_in);
        for name in record.iter().chain(&packed).chain(&files).chain(&room) {
            let _ = disk.set_times_at(name, times);
        }
        for directory in self.operations.iter().chain([&self.home]) {
            let _ = disk.set_times_of(directory, times);
        }
    }

    /// Marks the pending operation as rolled back, except for files that something else has changed.
    pub(super) fn abandon(&self, disk: &Disk) -> Result<(), Error> {
        self.rename_pending(disk, ABANDONED)?;
        let Some(operations) = &self.operations else { return Ok(()) };
        Ok(disk.sync_directory(operations)?)
    }

    /// Removes the record of the pending operation, which was rolled back.
    pub(super) fn discard(&self, disk: &Disk) -> Result<(), Error> {
        for entry in self.entries()?.iter().filter(|entry| entry.state == State::Pending) {
            disk.remove(&entry.name)?;
        }
        let Some(operations) = &self.operations else { return Ok(()) };
        old_bytes::remove_leftovers(disk, operations)?;
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

    /// The record of the pending operation, and its file.
    pub(super) fn pending(&self) -> Result<Option<(Name, Record)>, Error> {
        let entries = self.entries()?;
        let pending = entries.into_iter().find(|entry| entry.state == State::Pending);
        pending.map(|entry| Ok((entry.name.clone(), self.read(&entry.name)?))).transpose()
    }

    /// Does the store contain a record, in any state?
    pub(super) fn holds_records(&self) -> Result<bool, Error> {
        Ok(!self.entries()?.is_empty())
    }

    /// Is this the only completed operation, according to the names of the records?
    pub(super) fn has_only(&self, id: &str) -> Result<bool, Error> {
        let is_own = |entry: &Entry| {
            let stem = entry.name.name().to_str().and_then(|name| name.strip_suffix(DONE));
            stem.and_then(|stem| stem.split_once('-')).is_some_and(|(_, named)| named == id)
        };
        Ok(self.entries()?.iter().all(|entry| entry.state != State::Done || is_own(entry)))
    }

    /// All completed operations, oldest first.
    pub(super) fn done(&self) -> Result<Vec<Record>, Error> {
        let done = |entry: &&Entry| entry.state == State::Done;
        self.entries()?.iter().filter(done).map(|entry| self.read(&entry.name)).collect()
    }

    /// The last completed operation.
    pub(super) fn last_done(&self) -> Result<Option<Record>, Error> {
        let entries = self.entries()?;
        let last = entries.iter().rev().find(|entry| entry.state == State::Done);
        last.map(|entry| self.read(&entry.name)).transpose()
    }

    /// The records in the order of their numbers.
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
        let unusable = |why: Unusable| Error::Record { path: name.path().to_path_buf(), why };
        let (file, len) = self.open(name).map_err(unusable)?;
        let mut text =
            Vec::with_capacity(usize::try_from(len.min(MAX_RECORD_BYTES)).unwrap_or(0) + 1);
        file.take(MAX_RECORD_BYTES + 1)
            .read_to_end(&mut text)
            .map_err(|source| PathError::new("read", name.path(), source))?;
        if text.len() as u64 > MAX_RECORD_BYTES {
            return Err(unusable(Unusable::TooLong { limit: MAX_RECORD_BYTES }));
        }
        let mut record = Record::unseal(&text).map_err(unusable)?;
        old_bytes::find(&mut record, name)?;
        Ok(record)
    }

    /// Opens a file of the store, and returns its length too. It must be a regular file of the store's owner, with no hard links
    /// elsewhere.
    fn open(&self, name: &Name) -> Result<(File, u64), Unusable> {
        let unread = |error: io::Error| Unusable::Unread { said: error.to_string() };
        let file = name.open().map_err(unread)?;
        let stat = rustix::fs::fstat(&file).map_err(|error| unread(error.into()))?;
        let stat = Stat::from(stat);
        if stat.links != 1 {
            return Err(Unusable::Linked { names: stat.links });
        }
        if stat.uid != self.owner && !self.is_trusted {
            return Err(Unusable::OfUser { uid: stat.uid });
        }
        Ok((file, stat.len))
    }
}

fn write_record(disk: &Disk, name: &Name, mode: u32, text: &[u8]) -> Result<(), PathError> {
    let handle = disk.create(name, mode)?;
    disk.write(&handle, text, 0)?;
    disk.sync(&handle)
}
