//! Directories that a target has by a link alone. Those that lie outside of it are looked into where an
//! interpreter imports from them, and are named where nobody says that one does.
//!
//! What lies there belongs to somebody else, so it is not edited; but whoever says that everything is
//! well has to say what was not looked at.

use super::imported::Imported;
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
    /// They lead out, and an interpreter comes by them.
    pub(crate) followed: Vec<Linked>,
    /// They lead to directories inside.
    pub(crate) inside: Vec<Linked>,
    /// They lead out, to directories with shared objects.
    pub(crate) not_followed: Vec<Linked>,
    /// The directories that are walked anyway, by the names that they have and by their real ones.
    roots: Vec<(PathBuf, PathBuf)>,
    /// Directories outside that are known by a link already.
    known: HashSet<PathBuf>,
}

impl Links {
    /// None yet, of a target whose `roots` are walked.
    pub(crate) fn new(vfs: &dyn Vfs, roots: &[PathBuf], imported: &Imported) -> Self {
        let named = roots.iter().chain(imported.beyond());
        let roots = named.filter_map(|root| Some((root.clone(), vfs.canonicalize(root).ok()?)));
        Self { roots: roots.collect(), ..Self::default() }
    }

    /// Sorts in more links, of several to one directory outside the first; those are returned that are
    /// to be followed.
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

    /// Is nothing known yet of a directory outside? A link to what is around the target is a circle, and
    /// no package; and what was followed has brought along what lies below.
    fn is_new(&mut self, target: &Path) -> bool {
        let is_around = self.roots.iter().any(|(_, root)| root.starts_with(target));
        let is_below = self.followed.iter().any(|other| target.starts_with(&other.target));
        let is_full = self.followed.len() + self.not_followed.len() >= MAX_LINKS;
        !is_around && !is_below && !is_full && self.known.insert(target.to_owned())
    }
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
