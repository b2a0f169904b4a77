//! Directories that a target has by a link alone, and that lie outside of it: the walk does not follow
//! them, and an interpreter does.
//!
//! What lies there belongs to somebody else, so it is not edited; but whoever says that everything is
//! well has to say what was not looked at.

use super::object_names::{is_named_as_object, is_passed_over};
use crate::vfs::{FileKind, Vfs};
use std::collections::{BTreeMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Entries that are looked at below a linked directory. Where there are more without an object among
/// them, there may be one.
const MAX_ENTRIES: usize = 10_000;

/// Links that are told of: more than these are a tree that is made of links.
const MAX_LINKS: usize = 1000;

/// Endings that no directory of packages or libraries has. An environment of links has tens of
/// thousands of files with them, and what each is a link to is not asked for.
const OF_FILES: &[&str] = &["py", "pyc", "pyi", "h", "hpp", "txt", "json"];

/// A linked directory that was not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The link.
    pub path: PathBuf,
    /// The directory, links resolved.
    pub target: PathBuf,
}

/// Is a link one to a directory?
pub(crate) fn is_directory(vfs: &dyn Vfs, link: &Path) -> bool {
    let ending = link.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    !OF_FILES.contains(&ending)
        && vfs.metadata(link).is_ok_and(|found| found.kind == FileKind::Directory)
}

/// Those links that lead out of all `roots`, to directories with shared objects; of several to one
/// directory the first.
pub(crate) fn not_followed(vfs: &dyn Vfs, roots: &[PathBuf], links: Vec<PathBuf>) -> Vec<Linked> {
    if links.is_empty() {
        return Vec::new();
    }
    let roots: Vec<PathBuf> = roots.iter().filter_map(|root| vfs.canonicalize(root).ok()).collect();
    let mut known: HashSet<PathBuf> = HashSet::new();
    let outside = links.into_iter().filter_map(|path| {
        let target = vfs.canonicalize(&path).ok()?;
        // A link to what is around the target is a circle, and no package.
        let is_known =
            roots.iter().any(|root| target.starts_with(root) || root.starts_with(&target));
        (!is_known && known.insert(target.clone())).then_some(Linked { path, target })
    });
    outside.filter(|linked| may_hold_objects(vfs, &linked.target)).take(MAX_LINKS).collect()
}

/// Is there a file below a directory that is named as a shared object, as far as was looked?
fn may_hold_objects(vfs: &dyn Vfs, directory: &Path) -> bool {
    let mut left = MAX_ENTRIES;
    let mut directories = vec![directory.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in vfs.read_dir(&directory).unwrap_or_default() {
            let Some(rest) = left.checked_sub(1) else { return true };
            left = rest;
            match entry.kind {
                FileKind::Directory if !is_passed_over(&entry.name) => {
                    directories.push(directory.join(&entry.name));
                }
                FileKind::File | FileKind::Symlink if is_named_as_object(entry.name.as_bytes()) => {
                    return true;
                }
                _ => {}
            }
        }
    }
    false
}

/// What is to be looked at instead: the directories, or the one that several lie in, for they may need
/// one another.
#[must_use]
pub fn places<'a>(not_followed: impl Iterator<Item = &'a Linked>) -> Vec<PathBuf> {
    let mut by_parent: BTreeMap<&Path, Vec<&Path>> = BTreeMap::new();
    for Linked { target, .. } in not_followed {
        by_parent.entry(target.parent().unwrap_or(target)).or_default().push(target);
    }
    let places = by_parent.into_iter().flat_map(|(parent, targets)| match targets.len() {
        1 => targets,
        _ if parent.parent().is_none() => targets,
        _ => vec![parent],
    });
    places.map(Path::to_owned).collect()
}
