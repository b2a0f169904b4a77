//! The permissions of an operation. On a tree that belongs to another user, root works with the permissions
//! of that user, so that nothing in the tree, including records, can do what its owner could not.

use super::error::Error;
use super::refusal::Refusal;
use std::cell::Cell;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::OnceLock;

/// The maximum number of bytes that are read from a list of users or groups.
const MAX_LIST_BYTES: u64 = 16 << 20;

thread_local! {
    /// Has root given the current thread the permissions of another user?
    static IS_OTHER: Cell<bool> = const { Cell::new(false) };
}

/// Does the current thread work for root with the permissions of another user?
pub(super) fn is_other() -> bool {
    IS_OTHER.get()
}

/// The effective user of the current thread.
pub(super) fn myself() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// Another user whose permissions are used.
#[cfg_attr(
    not(any(target_os = "linux", target_os = "android")),
    expect(dead_code, reason = "there is no user of a single thread elsewhere")
)]
pub(super) struct Other {
    pub(super) uid: u32,
    /// Its group, if the system does not know more of them.
    pub(super) gid: u32,
    /// Is it a user of this system, whose groups are listed here?
    pub(super) is_here: bool,
}

/// Runs `work` with the permissions of the owner of `directory`, if the process is root's and the directory
/// is not. `is_here` states whether the directory belongs to this system, whose users are listed here.
///
/// # Errors
/// The errors of `work`; also if the system does not allow switching to that user, and then `work` is not
/// run.
pub fn as_owner_of<T: Send>(
    directory: &Path,
    is_here: bool,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    match other_owner(directory) {
        Some((uid, gid)) => Other { uid, gid, is_here }.run(work, directory),
        None => work(),
    }
}

/// The owner and group of `directory`, if the process is root's and works with the permissions of these.
#[must_use]
pub fn other_owner(directory: &Path) -> Option<(u32, u32)> {
    let found = std::fs::metadata(directory).ok().filter(|found| found.uid() != 0)?;
    let is_other = myself() == 0 && !is_nobody(found.uid());
    is_other.then(|| (found.uid(), found.gid()))
}

impl Other {
    /// Runs `work` with the permissions of that user, in a separate thread that never gets other permissions
    /// again.
    ///
    /// # Errors
    /// If the system does not allow the thread to switch to that user; `work` is not run then.
    pub(super) fn run<T: Send>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send,
        directory: &Path,
    ) -> Result<T, Error> {
        let uid = self.uid;
        self.try_run(work).unwrap_or_else(|(error, _)| {
            Err(Error::refused(directory, Refusal::NoRights { uid, error }))
        })
    }

    /// The same for work that only reads. If the system does not allow the thread to switch, it reads with
    /// its current permissions.
    pub(super) fn read<T: Send>(
        self,
        work: impl FnOnce() -> Result<T, Error> + Send,
    ) -> Result<T, Error> {
        self.try_run(work).unwrap_or_else(|(_, work)| work())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn try_run<T: Send, W: FnOnce() -> Result<T, Error> + Send>(
        self,
        work: W,
    ) -> Result<Result<T, Error>, (rustix::io::Errno, W)> {
        let outcome = std::thread::scope(|scope| {
            let worker = scope.spawn(move || match self.become_user() {
                Ok(()) => Ok(work()),
                Err(error) => Err((error, work)),
            });
            worker.join()
        });
        outcome.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }

    /// This system has no users of single threads: `work` runs with the permissions of the process.
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    fn try_run<T: Send, W: FnOnce() -> Result<T, Error> + Send>(
        self,
        work: W,
    ) -> Result<Result<T, Error>, (rustix::io::Errno, W)> {
        Ok(work())
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn become_user(&self) -> rustix::io::Result<()> {
        use rustix::fs::{Gid, Uid};
        use rustix::thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid};
        let listed = if self.is_here { groups_of(self.uid) } else { None };
        let groups: Vec<Gid> =
            listed.unwrap_or_else(|| vec![self.gid]).into_iter().map(Gid::from_raw).collect();
        let first = groups.first().copied().unwrap_or(Gid::from_raw(self.gid));
        set_thread_groups(&groups)?;
        set_thread_res_gid(first, first, first)?;
        let uid = Uid::from_raw(self.uid);
        set_thread_res_uid(uid, uid, uid)?;
        IS_OTHER.set(true);
        Ok(())
    }
}

/// The groups of a user of this system according to `/etc/passwd` and `/etc/group`, the primary group first;
/// none if they do not list the user.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn groups_of(uid: u32) -> Option<Vec<u32>> {
    let users = list("/etc/passwd")?;
    let fields = |line: &str| line.split(':').map(str::to_owned).collect::<Vec<_>>();
    let user = users
        .lines()
        .map(fields)
        .find(|user| user.get(2).and_then(|number| number.parse().ok()) == Some(uid))?;
    let mut groups = vec![user.get(3)?.parse().ok()?];
    let name = user.first()?;
    for group in list("/etc/group")?.lines().map(fields) {
        let is_member =
            group.get(3).is_some_and(|members| members.split(',').any(|member| member == name));
        if let (true, Some(Ok(number))) = (is_member, group.get(2).map(|number| number.parse())) {
            groups.push(number);
        }
    }
    groups.dedup();
    Some(groups)
}

fn list(path: &str) -> Option<String> {
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(MAX_LIST_BYTES).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Is it the user that the kernel shows for owners that have no number in this user namespace? If every
/// number is mapped, it is an ordinary user.
pub(super) fn is_nobody(uid: u32) -> bool {
    // It is a setting of the kernel, and is asked for each time that a store is opened.
    static OVERFLOW: OnceLock<Option<u32>> = OnceLock::new();
    let read = || list("/proc/sys/kernel/overflowuid")?.trim().parse::<u32>().ok();
    let Some(overflow) = *OVERFLOW.get_or_init(read) else { return false };
    if uid != overflow {
        return false;
    }
    let map = list("/proc/self/uid_map").unwrap_or_default();
    let mut lengths = map.lines().filter_map(|line| line.split_whitespace().nth(2)?.parse().ok());
    !lengths.any(|length: u64| length >= u64::from(u32::MAX))
}
