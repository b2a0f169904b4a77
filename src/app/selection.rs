//! Which files of a store a target means.

use super::stores::StoreOfTarget;
use super::{App, Chosen};
use crate::operation::Selection;
use crate::plan::RelativePath;
use crate::python::target::Target;
use crate::vfs::{Vfs as _, names_along};
use std::path::{Path, PathBuf};

impl App {
    /// Does a target mean a file of its store?
    #[must_use]
    pub fn means(&self, chosen: &Chosen, place: &StoreOfTarget, file: &RelativePath) -> bool {
        let path = place.root.join(file);
        match &chosen.target {
            Target::File(named) | Target::Wheel(named) => self.real_files(named).contains(&path),
            Target::Distribution { files, .. } => files.iter().any(|file| self.real(file) == path),
            _ => path.starts_with(self.real(chosen.path())),
        }
    }

    /// The files of a store that a target means: all of them, or one that was named.
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
        // Where a link leads out of the tree, nothing of it is in the store.
        let named = paths.first().cloned();
        paths.retain(|path| path.starts_with(&place.root) || Some(path) == named.as_ref());
        Selection::Paths(paths)
    }

    /// A directory on the disk, links resolved.
    pub(super) fn real(&self, directory: &Path) -> PathBuf {
        let inside = self.vfs.canonicalize(directory);
        self.on_disk(&inside.unwrap_or_else(|_| directory.to_owned()))
    }

    /// A file on the disk, links on the way resolved; where it is a link itself, what it leads to as
    /// well: either may be what was edited.
    fn real_files(&self, file: &Path) -> Vec<PathBuf> {
        let real = |file: PathBuf| match (file.parent(), file.file_name()) {
            (Some(parent), Some(name)) => self.real(parent).join(name),
            _ => self.real(&file),
        };
        names_along(&self.vfs, file).map(real).collect()
    }
}
