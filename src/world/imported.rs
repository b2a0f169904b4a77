//! The directories from which an interpreter imports, as the walk of a target has to know them: those of
//! packages, and those of sources that a `.pth` file or `PYTHONPATH` names.

use crate::python::environment::Environment;
use crate::vfs::{FileKind, Vfs};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where an interpreter imports from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Imported {
    /// The directories of packages of the target itself.
    pub sites: Vec<PathBuf>,
    /// Directories outside the target into which distributions are installed.
    pub packages: Vec<PathBuf>,
    /// Other directories outside: the packages in them are imported, and other files in them are not.
    pub sources: Vec<PathBuf>,
    /// Packages outside that are imported by their own directories, which are walked whole.
    pub mapped: Vec<PathBuf>,
}

impl Imported {
    /// What a target whose `roots` are walked is imported from: its `sites`, and what its environment imports
    /// from outside.
    #[must_use]
    pub fn of(
        vfs: &dyn Vfs,
        roots: &[PathBuf],
        sites: Vec<PathBuf>,
        environment: &Environment,
    ) -> Self {
        let real = |path: &Path| vfs.canonicalize(path).ok();
        let mut known: Vec<PathBuf> = roots.iter().filter_map(|root| real(root)).collect();
        let mut found = Self { sites, ..Self::default() };
        for directory in &environment.python_paths {
            let Some(path) = real(directory) else { continue };
            let is_inside = roots.iter().any(|root| directory.starts_with(root));
            if is_inside && holds_distributions(vfs, directory) {
                let is_new = |site: &PathBuf| real(site).is_none_or(|site| site != path);
                if found.sites.iter().all(is_new) {
                    found.sites.push(directory.clone());
                }
                continue;
            }
            // A directory around the target is not a directory of packages, and would be walked
            // completely.
            if overlaps(&known, &path) {
                continue;
            }
            known.push(path);
            let list = match holds_distributions(vfs, directory) {
                true => &mut found.packages,
                false => &mut found.sources,
            };
            list.push(directory.clone());
        }
        for package in &environment.mapped {
            let Some(path) = real(&package.directory) else { continue };
            if !overlaps(&known, &path) {
                known.push(path);
                found.mapped.push(package.directory.clone());
            }
        }
        found
    }

    /// Does an interpreter follow a link to a directory when it imports? This is not known of a tree
    /// without packages.
    #[must_use]
    pub fn leads_by(&self, vfs: &dyn Vfs, link: &Path) -> bool {
        let sites = self.sites.iter().filter(|site| holds_distributions(vfs, site));
        let mut all = sites.chain(self.beyond());
        all.any(|directory| link.starts_with(directory) || directory.starts_with(link))
    }

    /// The directories outside the target.
    pub fn beyond(&self) -> impl Iterator<Item = &PathBuf> {
        self.packages.iter().chain(&self.sources).chain(&self.mapped)
    }
}

/// Is a directory inside of one that is known, or around it?
fn overlaps(known: &[PathBuf], directory: &Path) -> bool {
    known.iter().any(|root| directory.starts_with(root) || root.starts_with(directory))
}

/// Are distributions installed into a directory, by its name or by its content?
fn holds_distributions(vfs: &dyn Vfs, directory: &Path) -> bool {
    directory.ends_with("site-packages")
        || directory.ends_with("dist-packages")
        || vfs.read_dir(directory).unwrap_or_default().iter().any(|entry| {
            entry.kind != FileKind::File && entry.name.as_bytes().ends_with(b".dist-info")
        })
}
