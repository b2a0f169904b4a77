//! The files of a store that belong to a target.

use super::stores::StoreOfTarget;
use super::{App, Chosen};
use crate::operation::Selection;
use crate::plan::RelativePath;
use crate::python::target::Target;
use crate::vfs::{Vfs as _, names_along};
use std::path::{Path, PathBuf};

impl App {
    /// Does a file of the store belong to a target?
    #[must_use]
    pub fn means(&self, chosen: &Chosen, place: &StoreOfTarget, file: &RelativePath) -> bool {
        let path = place.root.join(file);
        match &chosen.target {
            Target::File(named) | Target::Wheel(named) => self.real_files(named).contains(&path),
            Target::Distribution { files, .. } => files.iter().any(|file| self.real(file) == path),
            _ => path.starts_with(self.real(chosen.path())),
        }
    }

    /// The files of a store that belong to a target: all of them, or a single one.
    #[must_use]
    pub fn selection(&self, chosen: &Chosen, place: &StoreOfTarget) -> Selection {
        let mut paths = match &chosen.target {
            Target::File(path) | Target::Wheel(path) => self.real_files(path),
            Target::Distribution { files, .. } => {
                files.iter().flat_map(|file| self.real_files(file)).collect()
            }
            _ => vec![self.real(chosen.path())],
        };
        if paths.contains(&place.root) {
            return Selection::All;
        }
        // If a link leads outside the tree, the store does not contain its target.
        let named = paths.first().cloned();
        paths.retain(|path| path.starts_with(&place.root) || Some(path) == named.as_ref());
        Selection::Paths(paths)
    }

    /// A directory on the disk, links resolved.
    pub(super) fn real(&self, directory: &Path) -> PathBuf {
        let inside = self.vfs.canonicalize(directory);
        self.on_disk(&inside.unwrap_or_else(|_| directory.to_owned()))
    }

    /// A file on the disk, with links to its directory resolved. If it is a link itself, its target is
    /// included, because either may have been edited.
    fn real_files(&self, file: &Path) -> Vec<PathBuf> {
        let real = |file: PathBuf| match (file.parent(), file.file_name()) {
            (Some(parent), Some(name)) => self.real(parent).join(name),
            _ => self.real(&file),
        };
        names_along(&self.vfs, file).map(real).collect()
    }
}
