//! What tfpatch may do with a file, and what it refuses because an edit would lose it.

use super::error::{Error, PathError};
use super::file_source::FileSource;
use super::metadata::{Attribute, CAPABILITY, LABEL, Metadata};
use super::owner;
use super::refusal::Refusal;
use super::tree::{Directory, Name, Tree};
use rustix::fs::{Access, AtFlags};
use std::ffi::OsStr;
use std::path::Path;

/// Refuses files with properties that an edit would lose: fs-verity, and what only root can restore.
pub(super) fn refuse_privileged(
    path: &Path,
    source: &FileSource,
    metadata: &Metadata,
) -> Result<(), Error> {
    if metadata.mode & 0o6000 != 0 {
        return Err(Error::refused(path, Refusal::SetUserId));
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        use rustix::fs::{StatxAttributes, StatxFlags};
        // A kernel without statx (before 4.11) has no fs-verity.
        if let Ok(stat) =
            rustix::fs::statx(&source.file, "", AtFlags::EMPTY_PATH, StatxFlags::BASIC_STATS)
        {
            let attributes = stat.stx_attributes & stat.stx_attributes_mask;
            if attributes.contains(StatxAttributes::VERITY) {
                return Err(Error::refused(path, Refusal::Verity));
            }
            if attributes.intersects(StatxAttributes::IMMUTABLE | StatxAttributes::APPEND) {
                return Err(Error::refused(path, Refusal::Immutable));
            }
        }
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = source;
    Ok(())
}

/// May the effective user of the thread edit the file with these names, and preserve its metadata?
pub(super) fn check(
    tree: &Tree,
    names: &[&Name],
    metadata: &Metadata,
    in_place: bool,
) -> Result<(), Error> {
    let Some(path) = names.first().map(|name| name.path()) else { return Ok(()) };
    check_owner(tree, path, names, metadata, in_place)?;
    check_attributes(path, metadata, in_place)
}

fn check_owner(
    tree: &Tree,
    path: &Path,
    names: &[&Name],
    metadata: &Metadata,
    in_place: bool,
) -> Result<(), Error> {
    let me = owner::myself();
    if me != 0 && me != metadata.uid {
        let owner = metadata.uid;
        // Root would edit a tree of this user with the permissions of this user.
        let is_of_this_user = || tree.root().stat().is_ok_and(|root| root.uid == me);
        let why = match owner::is_other() || is_of_this_user() {
            true => Refusal::OtherOwner { owner, user: me },
            false => Refusal::NotOwner { owner },
        };
        return Err(Error::refused(path, why));
    }
    if in_place {
        return Ok(());
    }
    if me != 0 && rustix::process::getegid().as_raw() != metadata.gid {
        let groups = rustix::process::getgroups()
            .map_err(|source| PathError::new("find the groups for", path, source))?;
        if !groups.iter().any(|group| group.as_raw() == metadata.gid) {
            return Err(Error::refused(path, Refusal::OtherGroup { group: metadata.gid }));
        }
    }
    names.iter().try_for_each(|name| require_writable(name.directory()))
}

/// An edit in place removes the capabilities of a file, and a new file has no attributes at all. Only root
/// can set security attributes, except for SELinux's label, which the policy sets.
fn check_attributes(path: &Path, metadata: &Metadata, in_place: bool) -> Result<(), Error> {
    let is_lost = |name: &str| {
        name == CAPABILITY || (!in_place && name.starts_with("security.") && name != LABEL)
    };
    let lost = metadata.attributes.iter().find(|attribute| is_lost(&attribute.name));
    match lost {
        Some(Attribute { name, .. }) if owner::myself() != 0 => {
            Err(Error::refused(path, Refusal::Attribute { attribute: name.clone() }))
        }
        _ => Ok(()),
    }
}

/// Is the file writable?
pub(super) fn is_writable(name: &Name) -> bool {
    access(name.directory(), name.name(), Access::WRITE_OK).is_ok()
}

/// Refuses a directory in which no file can be created.
pub(super) fn require_writable(directory: &Directory) -> Result<(), Error> {
    access(directory, OsStr::new("."), Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|source| PathError::new("write in the directory", directory.path(), source).into())
}

/// Does the effective user of the thread have this permission? This asks the kernel, which also considers
/// access control lists and file systems that are mounted read-only.
fn access(directory: &Directory, name: &OsStr, access: Access) -> rustix::io::Result<()> {
    rustix::fs::accessat(directory, name, access, AtFlags::EACCESS)
}
