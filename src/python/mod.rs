//! Python environments, read and never executed: where they are, what is installed in them, and
//! which distribution owns a file.
//!
//! Sources of the rules: CPython's `Modules/getpath.py` and `Lib/site.py`, PEP 376, 405, 427, 503,
//! 508 and 627, Debian's `dist-packages`, and how uv, pip, pipx, conda and pyenv lay out files.

pub mod broken;
pub mod direct_url;
pub mod discovery;
pub mod distribution;
pub mod environment;
pub mod installer;
pub mod installs;
pub mod interpreter;
pub mod modules;
pub mod owners;
pub mod pth;
pub mod record;
pub mod sources;
pub mod tags;
pub mod target;
pub mod venv;
pub mod wheel;

use crate::bytes::Source as _;
use crate::vfs::{FileKind, Vfs};
use std::ffi::OsStr;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The first bytes of a file, at most `limit`, so that a large file with the name of a small one is
/// not read completely.
///
/// # Errors
/// As the [`Vfs`]'s.
pub(crate) fn read_start(vfs: &dyn Vfs, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = vfs.open(path)?;
    let start = file.get(0..file.len().min(limit));
    Ok(start.map(std::borrow::Cow::into_owned).unwrap_or_default())
}

/// A file that is too long for its kind, and is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it exceeds the limit of {}", in_words(*.limit))]
pub struct TooLong {
    /// The most bytes that are read.
    pub limit: u64,
}

/// A limit in the unit in which it was chosen.
fn in_words(limit: u64) -> String {
    match limit {
        _ if limit >= 1 << 20 && limit.is_multiple_of(1 << 20) => format!("{} MiB", limit >> 20),
        _ if limit >= 1 << 10 && limit.is_multiple_of(1 << 10) => format!("{} KiB", limit >> 10),
        _ => format!("{limit} bytes"),
    }
}

/// All bytes of a file, if there are at most `limit`: a part of a list would be misleading.
///
/// # Errors
/// As the [`Vfs`]'s; [`TooLong`] inside of an error of the kind `FileTooLarge`.
fn read_whole(vfs: &dyn Vfs, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = vfs.open(path)?;
    if file.len() > limit {
        return Err(too_long(limit));
    }
    Ok(file.get(0..file.len()).map(std::borrow::Cow::into_owned).unwrap_or_default())
}

fn too_long(limit: u64) -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, TooLong { limit })
}

/// Is there a directory, perhaps at the end of links?
fn is_directory(vfs: &dyn Vfs, path: &Path) -> bool {
    vfs.metadata(path).is_ok_and(|metadata| metadata.kind == FileKind::Directory)
}

/// Is there a regular file, perhaps at the end of links?
fn is_file(vfs: &dyn Vfs, path: &Path) -> bool {
    vfs.metadata(path).is_ok_and(|metadata| metadata.kind == FileKind::File)
}

/// Where an installer puts a file that a RECORD names, relative to site-packages: a wheel has some of
/// them below `NAME.data/purelib` or `NAME.data/platlib` (PEP 427), which no installed RECORD names.
fn as_installed(dist_info: &OsStr, path: &Path) -> PathBuf {
    let name = dist_info.as_encoded_bytes().strip_suffix(b".dist-info").unwrap_or_default();
    let mut parts = path.components();
    let first = parts.next().map(|part| part.as_os_str().as_encoded_bytes());
    let is_data =
        !name.is_empty() && first.and_then(|first| first.strip_suffix(b".data")) == Some(name);
    let scheme = parts.next().map(|part| part.as_os_str().as_encoded_bytes());
    let rest = parts.as_path();
    match scheme {
        Some(b"purelib" | b"platlib") if is_data && rest.as_os_str() != "" => rest.to_owned(),
        _ => path.to_owned(),
    }
}

/// `path` relative to `base`, with `.` and `..` removed textually, as by Python's
/// `os.path.abspath`: links are not resolved.
pub(crate) fn join_lexically(base: &Path, path: &Path) -> PathBuf {
    let whole = base.join(path);
    // Nearly every path is plain, and is used unchanged.
    let bytes = whole.as_os_str().as_encoded_bytes();
    let is_odd = |pair: &[u8]| matches!(pair, b"//" | b"/.");
    if bytes.starts_with(b"/") && !bytes.ends_with(b"/") && !bytes.windows(2).any(is_odd) {
        return whole;
    }
    let mut joined = PathBuf::new();
    for component in whole.components() {
        match component {
            Component::CurDir => {}
            // `pop` does not change the root.
            Component::ParentDir => _ = joined.pop(),
            other => joined.push(other),
        }
    }
    joined
}

/// The same for a relative `base`; none if the path leaves the directory that `base` is relative to.
pub(crate) fn join_within(base: &Path, path: &Path) -> Option<PathBuf> {
    let mut joined = PathBuf::new();
    for component in base.components().chain(path.components()) {
        match component {
            Component::CurDir => {}
            Component::ParentDir if joined.pop() => {}
            Component::Normal(name) => joined.push(name),
            Component::ParentDir | Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(joined)
}
