//! Where a module is that an interpreter of an environment would import, as far as the files show.

use super::environment::Environment;
use crate::vfs::{FileKind, Vfs};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The result of the search for a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// An interpreter of the environment would find it here.
    Importable(PathBuf),
    /// It is here, as an extension module for another Python or another system.
    ForAnother(PathBuf),
    /// The package that it belongs to is here, but does not contain it.
    PackageOnly(PathBuf),
    /// Nothing of it is here.
    Absent,
}

/// Is a directory a package with code of its own, and not one that the import system makes up (PEP 420)?
#[must_use]
pub fn is_regular_package(vfs: &dyn Vfs, directory: &Path) -> bool {
    let mut beginnings = ["__init__.py", "__init__.pyc"].iter();
    beginnings.any(|name| vfs.metadata(&directory.join(name)).is_ok())
}

/// Looks for a module, such as `tensorflow.python`, in the directories that an environment imports
/// from.
#[must_use]
pub fn find(vfs: &dyn Vfs, environment: &Environment, module: &[u8]) -> Found {
    let names: Vec<&[u8]> = module.split(|&byte| byte == b'.').collect();
    let mut best = Found::Absent;
    for directory in environment.import_path() {
        match in_directory(vfs, environment, directory, &names) {
            Found::Absent => {}
            found @ Found::Importable(_) => return found,
            found if best == Found::Absent => best = found,
            _ => {}
        }
    }
    best
}

fn in_directory(
    vfs: &dyn Vfs,
    environment: &Environment,
    directory: &Path,
    names: &[&[u8]],
) -> Found {
    let mut at = directory.to_owned();
    for (index, name) in names.iter().enumerate() {
        let package = at.join(OsStr::from_bytes(name));
        let is_last = index + 1 == names.len();
        let is_directory =
            vfs.metadata(&package).is_ok_and(|found| found.kind == FileKind::Directory);
        if is_directory {
            if is_last {
                return Found::Importable(package);
            }
            at = package;
            continue;
        }
        let found = if is_last { file(vfs, environment, &at, name) } else { Found::Absent };
        return match found {
            Found::Absent if index > 0 => Found::PackageOnly(at),
            found => found,
        };
    }
    Found::Absent
}

/// A module that is a file: `NAME.py`, or an extension module with one of the suffixes that an
/// interpreter takes (PEP 3149).
fn file(vfs: &dyn Vfs, environment: &Environment, directory: &Path, name: &[u8]) -> Found {
    let interpreters = &environment.interpreters;
    let takes = |suffix: &[u8]| {
        let mut known = interpreters.iter().flat_map(|interpreter| &interpreter.extension_suffixes);
        known.any(|known| known.as_bytes() == suffix)
    };
    let mut other = Found::Absent;
    for entry in vfs.read_dir(directory).unwrap_or_default() {
        let Some(suffix) = entry.name.as_bytes().strip_prefix(name) else { continue };
        let path = directory.join(&entry.name);
        match suffix {
            b".py" | b".pyc" => return Found::Importable(path),
            _ if !suffix.starts_with(b".") || !suffix.ends_with(b".so") => {}
            _ if entry.kind == FileKind::Directory => {}
            _ if takes(suffix) => return Found::Importable(path),
            _ => other = Found::ForAnother(path),
        }
    }
    other
}
