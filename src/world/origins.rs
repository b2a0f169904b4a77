//! The distributions of files: the nodes that a graph of them consists of.

use crate::python::distribution;
use crate::python::distribution::packages_around;
use crate::python::owners::Owners;
use crate::vfs::Vfs;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The location of a file, and its distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home {
    /// Its path with every link resolved, except if the file itself is a link.
    pub path: PathBuf,
    /// Name and version of the distribution whose RECORD lists it.
    pub distribution: Option<String>,
}

/// The locations of files, by the requested paths.
#[must_use]
pub fn homes<'p>(
    vfs: &dyn Vfs,
    paths: impl IntoIterator<Item = &'p Path>,
) -> HashMap<&'p Path, Home> {
    let mut homes: HashMap<&Path, Home> = HashMap::new();
    for path in paths {
        homes.entry(path).or_insert_with(|| {
            let directory = path.parent().and_then(|parent| vfs.canonicalize(parent).ok());
            let file = directory.zip(path.file_name()).map(|(parent, name)| parent.join(name));
            Home { path: file.unwrap_or_else(|| path.to_owned()), distribution: None }
        });
    }
    let mut sites: HashMap<&Path, Option<&Path>> = HashMap::new();
    let mut installed: BTreeMap<&Path, HashSet<&OsStr>> = BTreeMap::new();
    for home in homes.values() {
        let (Some(directory), Some(name)) = (home.path.parent(), home.path.file_name()) else {
            continue;
        };
        let site = sites.entry(directory).or_insert_with(|| packages_around(vfs, &home.path));
        if let Some(site) = site {
            installed.entry(site).or_default().insert(name);
        }
    }
    let mut named: HashMap<PathBuf, String> = HashMap::new();
    for (site, names) in installed {
        let (distributions, _) = distribution::distributions(vfs, site);
        let is_wanted = |row: &[u8]| {
            Path::new(OsStr::from_bytes(row)).file_name().is_some_and(|name| names.contains(name))
        };
        let (owners, _) = Owners::new(vfs, &distributions, is_wanted);
        for (path, owners) in owners.files() {
            let owner = owners.first().and_then(|owner| distributions.get(owner.distribution));
            if let Some(owner) = owner {
                named.insert(path.to_owned(), format!("{} {}", owner.name, owner.version));
            }
        }
    }
    for home in homes.values_mut() {
        home.distribution = named.get(&home.path).cloned();
    }
    homes
}
