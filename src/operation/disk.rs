//! Every system call that writes or syncs.
//!
//! They all go through [`Disk`], and each passes a [`Gate`] first, so that a test can stop an operation
//! between any two calls, or make any of them fail.

use super::error::PathError;
use super::file_source::FileSource;
use super::times::Times;
use super::tree::{Directory, Name};
use rustix::fs::{AtFlags, Gid, Mode, OFlags, RenameFlags, Timestamps, Uid, XattrFlags};
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
    /// The action, as a verb.
    pub operation: &'static str,
    /// The file that it changes.
    pub path: &'a Path,
    /// The bytes that are written and their offset, if it writes bytes.
    pub write: Option<(&'a File, &'a [u8], u64)>,
}

/// Decides whether a system call may be made.
pub trait Gate: Send + Sync {
    /// Called before each call that writes or syncs.
    ///
    /// # Errors
    /// The error with which the call is to fail. The call is not made then.
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

impl Handle {
    /// The file that is read, opened for writing.
    pub(super) fn of(source: &FileSource) -> Result<Self, PathError> {
        let path = source.path().to_path_buf();
        Ok(Self { file: source.again()?.file, path })
    }
}

impl Disk {
    /// Makes real system calls.
    #[must_use]
    pub fn real() -> Self {
        Self { gate: None, sync: true }
    }

    /// Makes real system calls, each after passing a gate.
    #[must_use]
    pub fn gated(gate: Arc<dyn Gate>) -> Self {
        Self { gate: Some(gate), sync: true }
    }

    /// The same; waits for the disk only if `sync` is set.
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

    /// Creates a file, which must not exist yet, with mode `mode` regardless of the umask.
    pub(super) fn create(&self, name: &Name, mode: u32) -> Result<Handle, PathError> {
        let flags =
            OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = self.call("create", name.path(), || {
            let private = Mode::from_raw_mode(0o600);
            let file = rustix::fs::openat(name.directory(), name.name(), flags, private)?;
            if mode != 0o600 {
                rustix::fs::fchmod(&file, Mode::from_raw_mode(mode as _))?;
            }
            Ok(File::from(file))
        })?;
        Ok(Handle { file, path: name.path().to_path_buf() })
    }

    /// Opens an existing regular file. Symlinks are not followed.
    pub(super) fn open(&self, name: &Name) -> Result<Handle, PathError> {
        let file = self.call("open for writing", name.path(), || name.open_with(OFlags::RDWR))?;
        Ok(Handle { file, path: name.path().to_path_buf() })
    }

    pub(super) fn write(&self, to: &Handle, bytes: &[u8], offset: u64) -> Result<(), PathError> {
        let failed = |source: io::Error| PathError::new("write to", &to.path, source);
        if let Some(gate) = &self.gate {
            let write = Some((&to.file, bytes, offset));
            gate.admit(&Call { operation: "write to", path: &to.path, write }).map_err(failed)?;
        }
        to.file.write_all_at(bytes, offset).map_err(failed)
    }

    /// Copies the whole of `from` into the empty file `to`, which will become `room` bytes long. Makes a
    /// clone if the file system supports clones.
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
                // File systems without clones report this with several different errors.
                Ok(rustix::fs::ioctl_ficlone(&to.file, from).is_ok())
            })?;
            if cloned {
                return Ok(());
            }
        }
        self.reserve(to, room)?;
        self.copy(from, 0..len, to, 0)
    }

    /// Reserves `len` bytes for an empty file, if the file system supports that, so that a full disk is
    /// detected before anything is copied. Moreover, when a file is renamed over another one, ext4 starts to
    /// write it out unless its blocks are already allocated (`ext4_alloc_da_blocks`).
    pub(super) fn reserve(&self, to: &Handle, len: u64) -> Result<(), PathError> {
        self.call("reserve room for", &to.path, || reserve_blocks(&to.file, len))
    }

    /// Makes a file `len` bytes long, and allocates all of them.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    pub(super) fn extend(&self, file: &Handle, len: u64) -> Result<(), PathError> {
        let flags = rustix::fs::FallocateFlags::empty();
        self.call("reserve room for", &file.path, || {
            Ok(rustix::fs::fallocate(&file.file, flags, 0, len)?)
        })
    }

    /// This system has no call that reserves space.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    pub(super) fn extend(&self, _: &Handle, _: u64) -> Result<(), PathError> {
        Ok(())
    }

    /// Copies a range of `from` to an offset of `to`, inside the kernel if possible. Both may be the same
    /// file; the ranges must not overlap then.
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

    pub(super) fn sync_directory(&self, directory: &Directory) -> Result<(), PathError> {
        if !self.sync {
            return Ok(());
        }
        self.call("sync", directory.path(), || directory.open()?.sync_all())
    }

    /// Creates a directory. Returns false if the name already exists.
    pub(super) fn create_directory(&self, name: &Name, mode: u32) -> Result<bool, PathError> {
        self.call("create", name.path(), || {
            let raw = Mode::from_raw_mode(mode as _);
            match rustix::fs::mkdirat(name.directory(), name.name(), raw) {
                Err(Errno::EXIST) => return Ok(false),
                result => result?,
            }
            // Undoes the effects of the umask, and of what the parent directory passes on.
            let made = name.directory().enter(name.name())?;
            rustix::fs::fchmod(made.open()?, raw)?;
            Ok(true)
        })
    }

    pub(super) fn rename(&self, from: &Name, to: &Name) -> Result<(), PathError> {
        self.call("replace", to.path(), || {
            Ok(rustix::fs::renameat(from.directory(), from.name(), to.directory(), to.name())?)
        })
    }

    /// Exchanges two names. Returns false if this kernel or file system does not support that.
    pub(super) fn exchange(&self, one: &Name, other: &Name) -> Result<bool, PathError> {
        #[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
        return self.call("replace", other.path(), || {
            let (from, to) = (one.directory(), other.directory());
            let flags = RenameFlags::EXCHANGE;
            match rustix::fs::renameat_with(from, one.name(), to, other.name(), flags) {
                Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP | Errno::PERM) => Ok(false),
                result => Ok(result.map(|()| true)?),
            }
        });
        #[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
        {
            let _ = (one, other);
            Ok(false)
        }
    }

    pub(super) fn link(&self, from: &Name, to: &Name) -> Result<(), PathError> {
        self.call("link", to.path(), || {
            let (old, new) = (from.directory(), to.directory());
            Ok(rustix::fs::linkat(old, from.name(), new, to.name(), AtFlags::empty())?)
        })
    }

    pub(super) fn symlink(&self, target: &Path, at: &Name) -> Result<(), PathError> {
        self.call("link", at.path(), || {
            Ok(rustix::fs::symlinkat(target, at.directory(), at.name())?)
        })
    }

    /// Removes a file if it exists.
    pub(super) fn remove(&self, name: &Name) -> Result<(), PathError> {
        let failed = |source| PathError::new("remove", name.path(), source);
        if !name.is_there().map_err(failed)? {
            return Ok(());
        }
        self.call("remove", name.path(), || {
            Ok(rustix::fs::unlinkat(name.directory(), name.name(), AtFlags::empty())?)
        })
    }

    pub(super) fn set_mode(&self, of: &Handle, mode: u32) -> Result<(), PathError> {
        let mode = Mode::from_raw_mode(mode as _);
        self.call("set the mode of", &of.path, || Ok(rustix::fs::fchmod(&of.file, mode)?))
    }

    pub(super) fn set_owner(&self, of: &Handle, uid: u32, gid: u32) -> Result<(), PathError> {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        self.call("set the owner of", &of.path, || Ok(rustix::fs::fchown(&of.file, uid, gid)?))
    }

    /// Sets the owner of a link, not of its target.
    pub(super) fn set_link_owner(&self, name: &Name, uid: u32, gid: u32) -> Result<(), PathError> {
        let (uid, gid) = (Some(Uid::from_raw(uid)), Some(Gid::from_raw(gid)));
        let flags = AtFlags::SYMLINK_NOFOLLOW;
        self.call("set the owner of", name.path(), || {
            Ok(rustix::fs::chownat(name.directory(), name.name(), uid, gid, flags)?)
        })
    }

    pub(super) fn set_times(&self, of: &Handle, times: Times) -> Result<(), PathError> {
        let times = Timestamps::from(times);
        self.call("set the times of", &of.path, || Ok(rustix::fs::futimens(&of.file, &times)?))
    }

    /// Sets the times of a file by its name; for a link, those of the link.
    pub(super) fn set_times_at(&self, name: &Name, times: Times) -> Result<(), PathError> {
        let (times, flags) = (Timestamps::from(times), AtFlags::SYMLINK_NOFOLLOW);
        self.call("set the times of", name.path(), || {
            Ok(rustix::fs::utimensat(name.directory(), name.name(), &times, flags)?)
        })
    }

    /// Sets the times of a directory.
    pub(super) fn set_times_of(
        &self,
        directory: &Directory,
        times: Times,
    ) -> Result<(), PathError> {
        let times = Timestamps::from(times);
        self.call("set the times of", directory.path(), || {
            Ok(rustix::fs::utimensat(directory, ".", &times, AtFlags::empty())?)
        })
    }

    /// Sets the mode of a directory.
    pub(super) fn set_mode_of(&self, directory: &Directory, mode: u32) -> Result<(), PathError> {
        let mode = Mode::from_raw_mode(mode as _);
        self.call("set the mode of", directory.path(), || {
            Ok(rustix::fs::fchmod(directory.open()?, mode)?)
        })
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

/// Is the error caused by the disk, rather than by the call?
#[cfg(any(target_os = "linux", target_os = "android"))]
fn is_of_the_disk(error: Errno) -> bool {
    [Errno::NOSPC, Errno::DQUOT, Errno::IO, Errno::FBIG].contains(&error)
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn reserve_blocks(of: &File, len: u64) -> io::Result<()> {
    match rustix::fs::fallocate(of, rustix::fs::FallocateFlags::KEEP_SIZE, 0, len) {
        Err(error) if is_of_the_disk(error) => Err(error.into()),
        // Other errors mean that this kernel or file system cannot reserve space.
        _ => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reserve_blocks(_: &File, _: u64) -> io::Result<()> {
    Ok(())
}

/// Copies as much as the kernel can copy alone, and returns the number of bytes.
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
            // Other errors mean that this kernel or file system cannot copy here.
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
    // Allocates nothing if the kernel has copied everything.
    let left = usize::try_from(range.end - range.start).unwrap_or(usize::MAX);
    let mut buffer = vec![0; left.min(1 << 20)];
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

/// Does the error mean that the disk is full or a quota is used up?
pub(super) fn is_full(error: &PathError) -> bool {
    let found = error.source.raw_os_error();
    [Errno::NOSPC, Errno::DQUOT].iter().any(|errno| found == Some(errno.raw_os_error()))
}

/// Does the error mean that the program is being executed?
pub(super) fn is_text_busy(error: &PathError) -> bool {
    error.source.raw_os_error() == Some(Errno::TXTBSY.raw_os_error())
}

/// Does the error mean that only the owner may make this call?
pub(super) fn is_not_permitted(error: &PathError) -> bool {
    [Errno::PERM, Errno::ACCESS, Errno::OPNOTSUPP]
        .iter()
        .any(|errno| error.source.raw_os_error() == Some(errno.raw_os_error()))
}
