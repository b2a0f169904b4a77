//! Every system call that writes or syncs.
//!
//! They go through one [`Disk`], and each asks a [`Gate`] first, so that a test can stop an
//! operation between any two of them, or let any one fail.

use super::error::PathError;
use rustix::fs::{AtFlags, CWD, Gid, Mode, OFlags, Timespec, Timestamps, Uid, XattrFlags};
use rustix::io::Errno;
use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A system call that is about to be made.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// What it does, as a verb.
    pub operation: &'static str,
    /// The file that it changes.
    pub path: &'a Path,
    /// What is written, and at which offset, where it writes bytes.
    pub write: Option<(&'a File, &'a [u8], u64)>,
}

/// Says whether a system call may be made.
pub trait Gate: Send + Sync {
    /// Is asked before each call that writes or syncs.
    ///
    /// # Errors
    /// An error is what the call is to fail with; it is not made then.
    fn admit(&self, call: &Call<'_>) -> io::Result<()>;
}

/// The system calls that write.
#[derive(Clone)]
pub struct Disk {
    gate: Option<Arc<dyn Gate>>,
    sync: bool,
}

/// A file that is open for writing.
#[derive(Debug)]
pub(super) struct Handle {
    pub(super) file: File,
    pub(super) path: PathBuf,
}

/// The time of a file's last access and of its last change of content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Times {
    /// Last access: seconds since 1970, and nanoseconds.
    pub accessed: (i64, u32),
    /// Last change of content: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
}

impl From<Times> for Timestamps {
    fn from(times: Times) -> Self {
        let spec = |(seconds, nanoseconds): (i64, u32)| Timespec {
            tv_sec: seconds,
            tv_nsec: i64::from(nanoseconds),
        };
        Self { last_access: spec(times.accessed), last_modification: spec(times.modified) }
    }
}

impl Disk {
    /// The real thing.
    #[must_use]
    pub fn real() -> Self {
        Self { gate: None, sync: true }
    }

    /// The real thing behind a gate.
    #[must_use]
    pub fn gated(gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate), sync: true }
    }

    /// The same, that waits for the disk only if `sync`.
    #[must_use]
    pub(super) fn syncing(&self, sync: bool) -> Self {
        Self { gate: self.gate.clone(), sync }
    }

    fn call<T>(
        &self,
        operation: &'static str,
        path: &Path,
        run: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, PathError> {
        let admitted = match &self.gate {
            Some(gate) => gate.admit(&Call { operation, path, write: None }),
            None => Ok(()),
        };
        admitted.and_then(|()| run()).map_err(|source| PathError::new(operation, path, source))
    }

    /// A new file, which must not be there yet.
    pub(super) fn create(&self, path: &Path, mode: u32) -> Result<Handle, PathError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mode = Mode::from_raw_mode(mode as _);
        let file =
            self.call("create", path, || Ok(File::from(rustix::fs::open(path, flags, mode)?)))?;
        Ok(Handle { file, path: path.to_path_buf() })
    }

    /// A file that is there; a link is not followed.
    pub(super) fn open(&self, path: &Path) -> Result<Handle, PathError> {
        let flags = OFlags::RDWR | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = self.call("open for writing", path, || {
            Ok(File::from(rustix::fs::open(path, flags, Mode::empty())?))
        })?;
        Ok(Handle { file, path: path.to_path_buf() })
    }

    pub(super) fn write(&self, to: &Handle, bytes: &[u8], offset: u64) -> Result<(), PathError> {
        let failed = |source: io::Error| PathError::new("write to", &to.path, source);
        if let Some(gate) = &self.gate {
            let write = Some((&to.file, bytes, offset));
            gate.admit(&Call { operation: "write to", path: &to.path, write }).map_err(failed)?;
        }
        to.file.write_all_at(bytes, offset).map_err(failed)
    }

    /// `from` as a whole into the empty `to`, which is to become `room` bytes long: as a clone where
    /// the file system has clones.
    pub(super) fn clone_into(
        &self,
        from: &File,
        len: u64,
        to: &Handle,
        room: u64,
    ) -> Result<(), PathError> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        {
            let cloned = self.call("clone into", &to.path, || {
                // No file system without clones answers with an error that says just that.
                Ok(rustix::fs::ioctl_ficlone(&to.file, from).is_ok())
            })?;
            if cloned {
                return Ok(());
            }
        }
        self.reserve(to, room)?;
        self.copy(from, 0..len, to, 0)
    }

    /// Room for `len` bytes of an empty file, where the file system can reserve it: a disk that is too
    /// small is found before anything is copied. And ext4 begins to write out a file that gets the
    /// name of another one, unless its blocks are allocated already (`ext4_alloc_da_blocks`).
    pub(super) fn reserve(&self, to: &Handle, len: u64) -> Result<(), PathError> {
        self.call("reserve room for", &to.path, || reserve_blocks(&to.file, len))
    }

    /// A range of `from` to an offset of `to`, inside the kernel where that can be. The files may
    /// be the same; the ranges must not overlap then.
    pub(super) fn copy(
        &self,
        from: &File,
        range: Range<u64>,
        to: &Handle,
        offset: u64,
    ) -> Result<(), PathError> {
        self.call("copy into", &to.path, || {
            let done = copy_in_kernel(from, range.clone(), &to.file, offset)?;
            copy_by_hand(from, range.start + done..range.end, &to.file, offset + done)
        })
    }

    pub(super) fn set_len(&self, of: &Handle, len: u64) -> Result<(), PathError> {
        self.call("set the length of", &of.path, || of.file.set_len(len))
    }

    pub(super) fn sync_data(&self, of: &Handle) -> Result<(), PathError> {
        if self.sync { self.call("sync", &of.path, || of.file.sync_data()) } else { Ok(()) }
    }

    pub(super) fn sync(&self, of: &Handle) -> Result<(), PathError> {
        if self.sync { self.call("sync", &of.path, || of.file.sync_all()) } else { Ok(()) }
    }

    pub(super) fn sync_directory(&self, path: &Path) -> Result<(), PathError> {
        if !self.sync {
            return Ok(());
        }
        self.call("sync", path, || File::open(path)?.sync_all())
    }

    /// A directory, and whether it is new: it may be there already.
    pub(super) fn create_directory(&self, path: &Path) -> Result<bool, PathError> {
        self.call("create", path, || match std::fs::create_dir(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            result => result.map(|()| true),
        })
    }

    pub(super) fn rename(&self, from: &Path, to: &Path) -> Result<(), PathError> {
        self.call("replace", to, || std::fs::rename(from, to))
    }

    pub(super) fn link(&self, from: &Path, to: &Path) -> Result<(), PathError> {
        self.call("link", to, || std::fs::hard_link(from, to))
    }

    pub(super) fn symlink(&self, target: &Path, at: &Path) -> Result<(), PathError> {
        self.call("link", at, || std::os::unix::fs::symlink(target, at))
    }

    /// Removes a file if it is there.
    pub(super) fn remove(&self, path: &Path) -> Result<(), PathError> {
        if std::fs::symlink_metadata(path).is_err() {
            return Ok(());
        }
        self.call("remove", path, || std::fs::remove_file(path))
    }

    pub(super) fn set_mode(&self, of: &Handle, mode: u32) -> Result<(), PathError> {
        let mode = Mode::from_raw_mode(mode as _);
        self.call("set the mode of", &of.path, || Ok(rustix::fs::fchmod(&of.file, mode)?))
    }

    pub(super) fn set_owner(&self, of: &Handle, uid: u32, gid: u32) -> Result<(), PathError> {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        self.call("set the owner of", &of.path, || Ok(rustix::fs::fchown(&of.file, uid, gid)?))
    }

    /// The owner of a link itself.
    pub(super) fn set_link_owner(&self, path: &Path, uid: u32, gid: u32) -> Result<(), PathError> {
        self.call("set the owner of", path, || {
            std::os::unix::fs::lchown(path, Some(uid), Some(gid))
        })
    }

    pub(super) fn set_times(&self, of: &Handle, times: Times) -> Result<(), PathError> {
        let times = Timestamps::from(times);
        self.call("set the times of", &of.path, || Ok(rustix::fs::futimens(&of.file, &times)?))
    }

    /// The times of a directory, or of a link itself.
    pub(super) fn set_times_at(&self, path: &Path, times: Times) -> Result<(), PathError> {
        let (times, flags) = (Timestamps::from(times), AtFlags::SYMLINK_NOFOLLOW);
        self.call("set the times of", path, || Ok(rustix::fs::utimensat(CWD, path, &times, flags)?))
    }

    pub(super) fn set_attribute(
        &self,
        of: &Handle,
        name: &str,
        value: &[u8],
    ) -> Result<(), PathError> {
        self.call("set an attribute of", &of.path, || {
            Ok(rustix::fs::fsetxattr(&of.file, name, value, XattrFlags::empty())?)
        })
    }

    pub(super) fn remove_attribute(&self, of: &Handle, name: &str) -> Result<(), PathError> {
        self.call("remove an attribute of", &of.path, || {
            Ok(rustix::fs::fremovexattr(&of.file, name)?)
        })
    }
}

/// Is it an error of the disk, not of the call?
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_the_disk(error: Errno) -> bool {
    [Errno::NOSPC, Errno::DQUOT, Errno::IO, Errno::FBIG].contains(&error)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn reserve_blocks(of: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(of, rustix::fs::FallocateFlags::KEEP_SIZE, 0, len) {
        Err(error) if is_of_the_disk(error) => Err(error.into()),
        // The rest says that this kernel or file system reserves nothing.
        _ => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reserve_blocks(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

/// Copies as much as the kernel can copy by itself, and says how much that was.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn copy_in_kernel(from: &File, range: Range<u64>, to: &File, offset: u64) -> io::Result<u64> {
    let mut done = 0;
    while done < range.end - range.start {
        let (mut read_at, mut write_at) = (range.start + done, offset + done);
        let len = usize::try_from(range.end - read_at).unwrap_or(usize::MAX).min(1 << 30);
        let (input, output) = (Some(&mut read_at), Some(&mut write_at));
        match rustix::fs::copy_file_range(from, input, to, output, len) {
            Ok(0) => break,
            Ok(copied) => done += copied as u64,
            Err(Errno::INTR) => {}
            Err(error) if is_of_the_disk(error) => return Err(error.into()),
            // The rest says that this kernel or file system does not copy here.
            Err(_) => break,
        }
    }
    Ok(done)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn copy_in_kernel(_: &File, _: Range<u64>, _: &File, _: u64) -> io::Result<u64> {
    Ok(0)
}

fn copy_by_hand(from: &File, range: Range<u64>, to: &File, offset: u64) -> io::Result<()> {
    let mut buffer = vec![0; 1 << 20];
    let (mut read_at, mut write_at) = (range.start, offset);
    while read_at < range.end {
        let want = usize::try_from(range.end - read_at).unwrap_or(usize::MAX).min(buffer.len());
        let Some(piece) = buffer.get_mut(..want) else { break };
        from.read_exact_at(piece, read_at)?;
        to.write_all_at(piece, write_at)?;
        read_at += want as u64;
        write_at += want as u64;
    }
    Ok(())
}

/// Is it the error of a program that is being executed?
pub(super) fn is_text_busy(error: &PathError) -> bool {
    error.source.raw_os_error() == Some(Errno::TXTBSY.raw_os_error())
}

/// Is it the error of a call that only the owner may make?
pub(super) fn is_not_permitted(error: &PathError) -> bool {
    [Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.source.raw_os_error() == Some(errno.raw_os_error()))
}
