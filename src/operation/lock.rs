//! One operation at a time: the store is locked while one runs.

use super::disk::Disk;
use super::error::{Error, PathError};
use rustix::fs::FlockOperation;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to sleep between two attempts.
const PAUSE: Duration = Duration::from_millis(50);

/// The store is locked as long as this lives. The kernel gives the lock back when the process
/// ends, in whatever way.
#[derive(Debug)]
pub(super) struct Guard {
    file: File,
}

impl Drop for Guard {
    fn drop(&mut self) {
        // The number of a process that has ended says nothing, and would make two images of one
        // environment differ. Where it stays, nobody is misled: the lock itself counts.
        let _ = self.file.set_len(0);
        // Said outright, for a process that is being started at this moment has the file open too.
        let _ = rustix::fs::flock(&self.file, FlockOperation::Unlock);
    }
}

/// Takes the lock `path`, a file of the store in `directory`; waits for at most `wait` while
/// somebody else holds it, and tells `waiting` once who does.
pub(super) fn take(
    disk: &Disk,
    directory: &Path,
    path: &Path,
    wait: Duration,
    waiting: &dyn Fn(Option<u32>),
) -> Result<Guard, Error> {
    let until = Instant::now() + wait;
    let mut told = false;
    loop {
        let handle = match disk.open(path) {
            Err(error) if error.source.kind() == std::io::ErrorKind::NotFound => {
                match disk.create(path, 0o644) {
                    Err(error) if error.source.kind() == std::io::ErrorKind::AlreadyExists => {
                        continue;
                    }
                    result => result?,
                }
            }
            result => result?,
        };
        match rustix::fs::flock(&handle.file, FlockOperation::NonBlockingLockExclusive) {
            // Somebody may have removed the store between the open and the lock.
            Ok(()) if !is_still(&handle.file, path) => continue,
            Ok(()) => {
                disk.set_len(&handle, 0)?;
                disk.write(&handle, format!("{}\n", std::process::id()).as_bytes(), 0)?;
                return Ok(Guard { file: handle.file });
            }
            Err(rustix::io::Errno::WOULDBLOCK | rustix::io::Errno::INTR) => {}
            Err(error) => return Err(PathError::new("lock", path, error).into()),
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

/// Who holds the lock `path` just now: none where nobody does, and where nobody ever did. Creates
/// nothing.
pub(super) fn held_by(path: &Path) -> Option<Option<u32>> {
    let file = File::open(path).ok()?;
    match rustix::fs::flock(&file, FlockOperation::NonBlockingLockShared) {
        Err(rustix::io::Errno::WOULDBLOCK) => Some(holder(&file)),
        _ => None,
    }
}

fn is_still(file: &File, path: &Path) -> bool {
    let id = |metadata: std::fs::Metadata| (metadata.dev(), metadata.ino());
    file.metadata().ok().map(id) == std::fs::symlink_metadata(path).ok().map(id)
}

fn holder(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
