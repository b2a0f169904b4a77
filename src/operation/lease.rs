//! Whether anybody else has a file open, and a moment in which nobody can open it.
//!
//! Whoever maps the part of a file that is cut off gets SIGBUS. A write lease is granted only where
//! nobody else has the file open or mapped; while it is held, whoever opens the file waits
//! (fcntl(2), "Leases").

use std::fs::File;
#[cfg(any(target_os = "linux", target_os = "android"))]
use std::os::fd::AsRawFd as _;

/// Nobody else has the file open as long as this lives.
pub(super) struct Lease<'a> {
    #[cfg_attr(not(any(target_os = "linux", target_os = "android")), expect(dead_code))]
    file: &'a File,
}

/// File systems on which a mapping holds the file open, and which no other machine has mounted: by
/// `f_type` of statfs(2), ext4 (ext2 and ext3 are the same number), XFS, btrfs, tmpfs, F2FS,
/// bcachefs. overlayfs, which containers run on, is the counterexample: it maps the file beneath,
/// and grants a lease on a library that is in use.
#[cfg(any(target_os = "linux", target_os = "android"))]
const TRUSTED: [u64; 6] = [0xef53, 0x5846_5342, 0x9123_683e, 0x0102_1994, 0xf2f5_2010, 0xca45_1a4e];

/// Somebody may just be looking at the file: an indexer, or a process that is being started and
/// still has what its parent had open.
#[cfg(any(target_os = "linux", target_os = "android"))]
const ATTEMPTS: u32 = 5;
#[cfg(any(target_os = "linux", target_os = "android"))]
const PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

#[cfg(any(target_os = "linux", target_os = "android"))]
impl<'a> Lease<'a> {
    /// A lease on `file`; none where somebody else has it open, or where that cannot be known.
    pub(super) fn take(file: &'a File) -> Option<Self> {
        let kind = rustix::fs::fstatfs(file).ok()?.f_type;
        // The field has another type on every architecture; all values fit into 32 bits.
        if !TRUSTED.contains(&(u64::try_from(kind).ok()? & 0xffff_ffff)) {
            return None;
        }
        // Whoever waits for the file has the kernel send us a signal, SIGIO by default, which would
        // end the process. SIGURG is ignored unless somebody asks for it.
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

/// The command of fcntl(2) that chooses the signal; the same number on every architecture.
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
    /// There are no leases here.
    pub(super) fn take(_: &'a File) -> Option<Self> {
        None
    }
}
