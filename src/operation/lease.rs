//! Detects whether another process has a file open, and prevents others from opening it for a moment.
//!
//! A process that has mapped the truncated part of a file gets SIGBUS. The kernel grants a write lease only
//! if no other process has the file open or mapped, and while the lease is held, every open of the file waits
//! (fcntl(2), "Leases").

use std::fs::File;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd as _;

/// No other process has the file open while this exists.
pub(super) struct Lease<'a> {
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(dead_code))]
    file: &'a File,
}

/// File systems that no other machine has mounted, and on which a mapping counts as an open file. The numbers
/// are `f_type` of statfs(2) for ext4 (ext2 and ext3 have the same number), XFS, btrfs, tmpfs, F2FS and
/// bcachefs. overlayfs, which containers use, does not qualify: it maps the underlying file, and grants a
/// lease on a library that is in use.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TRUSTED: [u64; 6] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010, 0xca45_1a4e];

/// A file may be open only briefly: in an indexer, or in a process that has just been started and still has
/// the open files of its parent.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ATTEMPTS: u32 = 5;
#[cfg(any(target_os = "linux", target_os = "android"))]
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl<'a> Lease<'a> {
    /// Takes a lease on `file`; `None` if another process has it open, or if that cannot be determined.
    pub(super) fn take(file: &'a File) -> Option<Self> {
        let kind = rustix::fs::fstatfs(file).ok()?.f_type;
        // The type of the field depends on the architecture; all values fit into 32 bits.
        if !TRUSTED.contains(&(u64::try_from(kind).ok()? & 0xffff_ffff)) {
            return None;
        }
        // If another process waits for the file, the kernel sends a signal to this one. The default, SIGIO,
        // would end the process; SIGURG is ignored by default.
        if !set(file, F_SETSIG, libc::SIGURG) {
            return None;
        }
        for attempt in 0..ATTEMPTS {
            if attempt > 0 {
                std::thread::sleep(PAUSE);
            }
            if set(file, libc::F_SETLEASE, libc::F_WRLCK) {
                return Some(Self { file });
            }
        }
        None
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
impl Drop for Lease<'_> {
    fn drop(&mut self) {
        set(self.file, libc::F_SETLEASE, libc::F_UNLCK);
    }
}

/// The command of fcntl(2) that sets the signal. Its number is the same on every architecture.
#[cfg(any(target_os = "linux", target_os = "android"))]
const F_SETSIG: libc::c_int = 10;

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set(file: &File, command: libc::c_int, value: libc::c_int) -> bool {
    #[allow(unsafe_code, reason = "rustix has neither of the two commands")]
    // SAFETY: the descriptor is open as long as `file` is borrowed, and both commands take a number.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), command, value) };
    result == 0
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
impl<'a> Lease<'a> {
    /// This system has no leases.
    pub(super) fn take(_: &'a File) -> Option<Self> {
        None
    }
}
