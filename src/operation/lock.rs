//! Locks the store, so that only one operation runs at a time.

use super::disk::{Disk, is_full};
use super::distrust::Distrust;
use super::error::{Error, PathError};
use super::tree::{Name, Stat};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// The time between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// The store is locked while this exists. The kernel releases the lock when the process ends, in whatever
/// way.
#[derive(Debug)]
pub(super) struct Guard {
    file: File,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The ID of a process that has ended is useless, and would make two images of one environment differ.
        // If it remains in the file, it does no harm, because only the lock itself counts.
        let _ = self.file.set_len(0);
        // Unlock explicitly, because a process that is being started at this moment has the file open too.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// The maximum length of a process ID, in bytes.
const MAX_PID_BYTES: u64 = 20;

/// Takes the lock `name`, a file of the store in `directory`. Waits for at most `wait` while another process
/// holds it, and calls `waiting` once with that process.
pub(super) fn take(
    disk: &Disk,
    directory: &Path,
    name: &Name,
    wait: Duration,
    waiting: &dyn Fn(Option<u32>),
) -> Result<Guard, Error> {
    let failed = |error: rustix::io::Errno| PathError::new("lock", name.path(), error);
    let until = Instant::now() + wait;
    let mut told = false;
    loop {
        let handle = match disk.open(name) {
            Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                match disk.create(name, 0o644) {
                    Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
                        continue;
                    }
                    result => result?,
                }
            }
            result => result?,
        };
        // Writing to the lock file must not change another file.
        let links = Stat::from(rustix::fs::fstat(&handle.file).map_err(failed)?).links;
        if links > 1 {
            let why = Distrust::LinkedLock { names: links };
            return Err(Error::ForeignStore { store: name.path().to_path_buf(), why });
        }
        match rustix::fs::flock(&handle.file, FlockOperation::NonBlockingLockExclusive) {
            // The store may have been removed between open and lock.
            Ok(()) if !is_still(&handle.file, name)? => continue,
            Ok(()) => {
                disk.set_len(&handle, 0)?;
                match disk.write(&handle, format!("{}\n", std::process::id()).as_bytes(), 0) {
                    // The holder is unknown then, but the lock is held nevertheless.
                    Err(error) if is_full(&error) => {}
                    result => result?,
                }
                return Ok(Guard { file: handle.file });
            }
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(failed(error).into()),
        }
        let pid = holder(&handle.file);
        if Instant::now() >= until {
            return Err(Error::Locked { store: directory.to_path_buf(), pid });
        }
        if !told {
            waiting(pid);
            told = true;
        }
        std::thread::sleep(PAUSE);
    }
}

/// The process that holds the lock `name`; `None` if there is none or there was never a lock. Does not create
/// anything.
pub(super) fn held_by(name: &Name) -> Option<Option<u32>> {
    let file = name.open().ok()?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Some(holder(&file)),
        _ => None,
    }
}

fn is_still(file: &File, name: &Name) -> Result<bool, PathError> {
    let failed = |error: rustix::io::Errno| PathError::new("lock", name.path(), error);
    let locked = Stat::from(rustix::fs::fstat(file).map_err(failed)?);
    Ok(name.stat().is_ok_and(|stat| stat.id() == locked.id()))
}

fn holder(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(MAX_PID_BYTES).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
