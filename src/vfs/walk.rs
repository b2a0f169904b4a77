//! Following a path component by component, as the kernel does (`path_resolution(7)`), inside a
//! root that nothing leads out of.

use super::MAX_LINKS;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// The entry at a path whose directories contain no link.
pub(super) enum Entry {
    /// A directory that may be searched.
    Directory,
    /// A symbolic link, and where it points.
    Link(PathBuf),
    /// Anything else.
    Other,
}

/// Do the last bytes of a path show that it names a directory?
fn asks_for_directory(path: &Path) -> bool {
    let bytes = path.as_os_str().as_encoded_bytes();
    bytes.ends_with(b"/") || bytes.ends_with(b"/.") || bytes.ends_with(b"/..")
}

/// The path without any link, but perhaps for its last component where `follow` is false. `..` of
/// the root is the root, and an absolute link starts at it again.
///
/// # Errors
/// As `look` gives them; `ENOTDIR` where a file is used as a directory, `ELOOP` after 40 links,
/// `InvalidInput` for a relative path.
pub(super) fn resolve(
    path: &Path,
    follow: bool,
    look: impl Fn(&Path) -> io::Result<Entry>,
) -> io::Result<PathBuf> {
    if !path.has_root() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path is not absolute"));
    }
    let mut links = 0;
    let mut at = PathBuf::from("/");
    let mut left = components(path);
    // A slash at the end of the path, or of a link that ends it, requires a directory.
    let mut directory = asks_for_directory(path);
    while let Some(name) = left.pop_front() {
        if name == ".." {
            at.pop();
            continue;
        }
        let last = left.is_empty();
        at.push(&name);
        match look(&at)? {
            Entry::Directory => {}
            Entry::Link(_) if last && !follow && !directory => {}
            Entry::Link(target) => {
                links += 1;
                if links > MAX_LINKS {
                    return Err(rustix::io::Errno::LOOP.into());
                }
                if target.as_os_str().is_empty() {
                    return Err(rustix::io::Errno::NOENT.into());
                }
                directory |= last && asks_for_directory(&target);
                at.pop();
                if target.has_root() {
                    at = PathBuf::from("/");
                }
                let mut joined = components(&target);
                joined.append(&mut left);
                left = joined;
            }
            Entry::Other if last && !directory => {}
            Entry::Other => return Err(rustix::io::Errno::NOTDIR.into()),
        }
    }
    Ok(at)
}

fn components(path: &Path) -> VecDeque<OsString> {
    path.components()
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
        })
        .collect()
}
