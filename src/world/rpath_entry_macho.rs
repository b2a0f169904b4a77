//! Which directory an `LC_RPATH` names.

use super::rpath_entry::is_of_bazel;
use crate::vfs::{FileKind, Vfs};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Where builds put their output, and where nothing is installed.
const BUILD_DIRECTORIES: [&[u8]; 6] =
    [b"/Users/", b"/private/", b"/var/", b"/tmp/", b"/home/", b"/Volumes/"];

/// Directories of every macOS: if they exist, an absolute path can be checked.
const MACOS: &str = "/System/Library/CoreServices/SystemVersion.plist";

/// Does an entry name a directory, seen from any of the object's names?
///
/// What depends on the program (`@executable_path`), on what loads the object (`@rpath`) or on the
/// working directory is assumed to exist, and so is a directory of a Mac that is not this machine.
#[must_use]
pub fn leads_somewhere(vfs: &dyn Vfs, entry: &[u8], directories: &[&Path]) -> bool {
    let is_directory =
        |path: &Path| vfs.metadata(path).is_ok_and(|metadata| metadata.kind == FileKind::Directory);
    match entry.strip_prefix(b"@loader_path") {
        Some(b"") => true,
        Some([b'/', way @ ..]) => {
            directories.iter().any(|origin| is_directory(&origin.join(OsStr::from_bytes(way))))
        }
        Some(_) => true,
        None if entry.first() == Some(&b'/') => {
            let is_here = vfs.metadata(Path::new(MACOS)).is_ok();
            let is_judged = is_of_bazel(entry) || is_here && is_of_a_build(entry);
            !is_judged || is_directory(Path::new(OsStr::from_bytes(entry)))
        }
        None => true,
    }
}

/// Is it a path that a build has left behind? Such entries are removed first if there is no room.
#[must_use]
pub fn is_of_a_build(entry: &[u8]) -> bool {
    is_of_bazel(entry) || BUILD_DIRECTORIES.iter().any(|start| entry.starts_with(start))
}

/// Does an entry lead from each of the object's directories to one that `is_inside` accepts? One
/// that depends on the program or on what loads the object does not.
#[must_use]
pub fn stays(entry: &[u8], directories: &[&Path], is_inside: impl Fn(&Path) -> bool) -> bool {
    let way = match entry.strip_prefix(b"@loader_path") {
        Some(b"") => b"".as_slice(),
        Some([b'/', way @ ..]) => way,
        _ => return false,
    };
    directories.iter().all(|origin| is_inside(&origin.join(OsStr::from_bytes(way))))
}
