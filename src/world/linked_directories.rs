//! Directories that a target has only by a link. Those outside it are examined if an interpreter
//! imports from them, and are otherwise only named.
//!
//! Their content belongs to another target, so it is not edited. But a report that finds no problem
//! has to name what was not examined.

use super::imported::Imported;
use super::object_names::{is_named_as_object, is_passed_over};
use crate::vfs::{FileKind, Vfs};
use std::collections::{BTreeMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The most entries that are examined below a linked directory. If there are more, and no object
/// among these, there may be one.
const MAX_ENTRIES: usize = 10_000;

/// The most links that are reported: a tree with more consists of links.
const MAX_LINKS: usize = 1000;

/// Endings that no directory of packages or libraries has. An environment of links has tens of
/// thousands of files with them, and it is not checked what each links to.
const OF_FILES: &[&str] = &["py", "pyc", "pyi", "h", "hpp", "txt", "json"];

/// A linked directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The link.
    pub path: PathBuf,
    /// The directory, links resolved; of one inside of the target, by its name there.
    pub target: PathBuf,
}

/// Is a link one to a directory?
pub(crate) fn is_directory(vfs: &dyn Vfs, link: &Path) -> bool {
    let ending = link.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    !OF_FILES.contains(&ending)
        && vfs.metadata(link).is_ok_and(|found| found.kind == FileKind::Directory)
}

/// The linked directories of a target, sorted by what becomes of them.
#[derive(Debug, Default)]
pub(crate) struct Links {
    /// They lead outside, and an interpreter follows them.
    pub(crate) followed: Vec<Linked>,
    /// They lead to directories inside.
    pub(crate) inside: Vec<Linked>,
    /// They lead outside, to directories with shared objects.
    pub(crate) not_followed: Vec<Linked>,
    /// The directories that are walked anyway, by the names that they have and by their real ones.
    roots: Vec<(PathBuf, PathBuf)>,
    /// Directories outside that are already known by a link.
    known: HashSet<PathBuf>,
}

impl Links {
    /// Empty, for a target whose `roots` are walked.
    pub(crate) fn new(vfs: &dyn Vfs, roots: &[PathBuf], imported: &Imported) -> Self {
        let named = roots.iter().chain(imported.beyond());
        let roots = named.filter_map(|root| Some((root.clone(), vfs.canonicalize(root).ok()?)));
        Self { roots: roots.collect(), ..Self::default() }
    }

    /// Adds more links, the first of several to one directory outside, and returns those to follow.
    pub(crate) fn add(
        &mut self,
        vfs: &dyn Vfs,
        imported: &Imported,
        mut links: Vec<PathBuf>,
    ) -> Vec<Linked> {
        links.sort_unstable();
        let before = self.followed.len();
        for path in links {
            let Ok(target) = vfs.canonicalize(&path) else { continue };
            if let Some(inside) = self.inside(&target) {
                self.inside.push(Linked { path, target: inside });
            } else if self.is_new(&target) && may_hold_objects(vfs, &target) {
                let list = match imported.leads_by(vfs, &path) {
                    true => &mut self.followed,
                    false => &mut self.not_followed,
                };
                list.push(Linked { path, target });
            }
        }
        self.followed.get(before..).unwrap_or_default().to_vec()
    }

    /// A directory below one that is walked anyway, by its name there.
    fn inside(&self, target: &Path) -> Option<PathBuf> {
        let mut below = self
            .roots
            .iter()
            .filter_map(|(root, real)| Some(root.join(target.strip_prefix(real).ok()?)));
        below.next()
    }

    /// Is a directory outside still unknown? A link to a directory around the target is a circle, and
    /// not a package; and a directory that was followed includes everything below it.
    fn is_new(&mut self, target: &Path) -> bool {
        let is_around = self.roots.iter().any(|(_, root)| root.starts_with(target));
        let is_below = self.followed.iter().any(|other| target.starts_with(&other.target));
        let is_full = self.followed.len() + self.not_followed.len() >= MAX_LINKS;
        !is_around && !is_below && !is_full && self.known.insert(target.to_owned())
    }
}

/// Is there a file below a directory that is named as a shared object, as far as it was searched?
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

/// What to examine instead: the directories, or the one that contains several of them, since they may
/// need one another.
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
