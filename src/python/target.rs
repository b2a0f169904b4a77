//! The meaning of a TARGET on the command line.

use super::discovery::Ambient;
use super::distribution::{Distribution, distributions, normalized};
use super::environment::Environment;
use super::interpreter::is_interpreter_name;
use crate::vfs::{FileKind, Vfs};
use std::io;
use std::path::{Component, Path, PathBuf};

/// What to examine, and where edits may be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An environment, named by its prefix or by an interpreter in it.
    Environment(Environment),
    /// A directory of packages. Edits stay inside.
    SitePackages {
        /// The `site-packages` or `dist-packages` directory.
        path: PathBuf,
        /// The environment whose interpreter imports from it, if there is one above.
        environment: Option<Environment>,
    },
    /// An installed distribution, named by its name.
    Distribution {
        /// The environment that it is installed in.
        environment: Environment,
        /// The name by which distributions are compared.
        normalized: String,
        /// The files that its RECORD lists.
        files: Vec<PathBuf>,
    },
    /// Any other directory.
    Directory(PathBuf),
    /// A wheel.
    Wheel(PathBuf),
    /// Any other file: a shared object or a program.
    File(PathBuf),
}

/// Why a path is not a target.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing is there.
    #[error("{path} not found; name an environment, a directory, a wheel, a shared library or an installed package", path = path.display())]
    Absent {
        /// The path, absolute.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("cannot read {path}: {source}{cure}", path = path.display(), cure = cure_of(source))]
    Unreadable {
        /// The path, absolute.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// It is a pipe, a device or a socket.
    #[error("{path} is not a file or a directory", path = path.display())]
    Unsuitable {
        /// The path, absolute.
        path: PathBuf,
    },
}

fn cure_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::PermissionDenied => "; run tfpatch as a user who can read it",
        _ => "",
    }
}

/// The target at `path`, which is relative to the working directory or absolute.
///
/// # Errors
/// If it does not exist, cannot be read, or is neither a file nor a directory.
pub fn at(vfs: &dyn Vfs, ambient: &Ambient, path: &Path) -> Result<Target, Error> {
    let home = ambient.home.as_deref();
    let path = absolute(vfs, &ambient.working_directory, path);
    // The interpreter of a broken environment is a dangling link.
    let named_interpreter = path.file_name().is_some_and(|name| {
        name.to_str().is_some_and(is_interpreter_name)
            && vfs.symlink_metadata(&path).is_ok_and(|found| found.kind != FileKind::Directory)
    });
    if named_interpreter && let Some(environment) = Environment::of_interpreter(vfs, &path, home) {
        return Ok(Target::Environment(environment));
    }
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => Error::Absent { path: path.clone() },
        _ => Error::Unreadable { path: path.clone(), source },
    };
    match vfs.metadata(&path).map_err(unreadable)?.kind {
        FileKind::Directory => {
            vfs.read_dir(&path).map_err(unreadable)?;
            Ok(directory(vfs, path, home))
        }
        FileKind::File => {
            vfs.open(&path).map_err(unreadable)?;
            Ok(if is_wheel(&path) { Target::Wheel(path) } else { Target::File(path) })
        }
        FileKind::Symlink | FileKind::Other => Err(Error::Unsuitable { path }),
    }
}

/// The distribution of that name which is installed in an environment.
#[must_use]
pub fn distribution(vfs: &dyn Vfs, environment: &Environment, name: &Path) -> Option<Target> {
    let name = name.to_str().filter(|name| !name.contains('/'))?;
    let wanted = normalized(name);
    let all: Vec<Distribution> = environment
        .site_packages
        .iter()
        .flat_map(|site| distributions(vfs, &site.path).0)
        .collect();
    let by_name = all.iter().find(|found| found.normalized == wanted);
    // People know many distributions by what they import: `cv2` of opencv-python.
    let found = by_name.or_else(|| all.iter().find(|found| installs_module(vfs, found, name)))?;
    let files = found.listed_files(vfs).unwrap_or_default();
    let normalized = found.normalized.clone();
    Some(Target::Distribution { environment: environment.clone(), normalized, files })
}

/// Does a distribution install a module of that name at the top level?
fn installs_module(vfs: &dyn Vfs, distribution: &Distribution, name: &str) -> bool {
    let files = distribution.listed_files(vfs).unwrap_or_default();
    files.iter().any(|file| {
        let first = file.strip_prefix(&distribution.site).ok().and_then(|file| file.iter().next());
        let first = first.and_then(|first| first.to_str()).unwrap_or_default();
        first == name || first.split_once('.').is_some_and(|(stem, _)| stem == name)
    })
}

/// The names of distributions in an environment that are spelled almost like `name`, the nearest first.
#[must_use]
pub fn near_names(vfs: &dyn Vfs, environment: &Environment, name: &str) -> Vec<String> {
    let wanted = normalized(name);
    let installed = environment.site_packages.iter().flat_map(|site| {
        distributions(vfs, &site.path).0.into_iter().map(|found| found.normalized)
    });
    nearest(&wanted, installed.collect())
}

/// Those of some names that are spelled almost like `wanted`, the nearest first, each once.
#[must_use]
pub fn nearest(wanted: &str, names: Vec<String>) -> Vec<String> {
    const MAX_NAMES: usize = 3;
    let mut near: Vec<(f64, String)> = names
        .into_iter()
        .map(|name| (strsim::normalized_damerau_levenshtein(wanted, &name), name))
        .filter(|(likeness, _)| *likeness >= 0.6)
        .collect();
    near.sort_by(|(a, one), (b, other)| b.total_cmp(a).then_with(|| one.cmp(other)));
    near.dedup_by(|(_, one), (_, other)| one == other);
    near.into_iter().take(MAX_NAMES).map(|(_, name)| name).collect()
}

/// Does a file have the name of a wheel?
#[must_use]
pub fn is_wheel(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("whl"))
}

fn directory(vfs: &dyn Vfs, path: PathBuf, home: Option<&Path>) -> Target {
    if let Some(environment) = Environment::at_prefix(vfs, &path, home) {
        return Target::Environment(environment);
    }
    if path.ends_with("site-packages") || path.ends_with("dist-packages") {
        // PREFIX/lib/pythonX.Y/site-packages, and /usr/local/lib/… for the prefix /usr.
        let above = path.ancestors().skip(2).filter_map(|above| {
            // A user site is not below a prefix of its own: it belongs to the system's Python.
            Environment::at_prefix(vfs, above, home)
        });
        let environment = above.into_iter().find(|found| found.imports_from(vfs, &path));
        return Target::SitePackages { path, environment };
    }
    Target::Directory(path)
}

/// A path of the command line from the root. `..` is resolved through links as the system does it.
#[must_use]
pub fn absolute(vfs: &dyn Vfs, here: &Path, path: &Path) -> PathBuf {
    let joined = here.join(path);
    if joined.components().any(|part| part == Component::ParentDir)
        && let (Some(above), Some(name)) = (joined.parent(), joined.file_name())
        && let Ok(above) = vfs.canonicalize(above)
    {
        return above.join(name);
    }
    if joined.ends_with("..") {
        return vfs.canonicalize(&joined).unwrap_or(joined);
    }
    // Removes `.` and doubled slashes.
    joined.components().collect()
}
