//! Variables of a process that point elsewhere than to the target, or to something that does not exist.

use crate::bytes::{printable, shown};
use crate::python::interpreter::Version;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;

/// The effect of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `LD_PRELOAD` names a library that the loader ignores, with a message at each start.
    NotPreloaded {
        /// The library, as it is named.
        library: Vec<u8>,
        /// The loader's message about a file with that name; `None` if no file fits.
        said: Option<String>,
    },
    /// `PYTHONHOME` names a directory without a standard library.
    HomeWithoutLibrary {
        /// The directory.
        home: PathBuf,
        /// The version of the interpreter.
        version: Version,
    },
    /// `PYTHONHOME` names another installation than the examined one.
    HomeElsewhere {
        /// The directory.
        home: PathBuf,
    },
    /// `PYTHONPATH` names a directory whose packages come before those of the environment.
    PackagesBefore {
        /// The directory.
        directory: PathBuf,
        /// The problem with them.
        packages: Before,
    },
}

/// The problem with packages that come before those of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// They are for a Python that the environment does not have.
    OfAnotherPython {
        /// The first of them.
        first: String,
        /// The version of that Python, major and minor number.
        python: (u8, u8),
        /// Their number.
        packages: usize,
    },
    /// Their releases differ from those of the environment.
    OfAnotherRelease {
        /// The first of them.
        first: Shadowing,
        /// Their number.
        packages: usize,
    },
    /// A package has no compiled modules there.
    NotCompiled {
        /// The package.
        package: OsString,
        /// The number of extension modules that it has in the environment.
        modules: usize,
    },
}

/// A distribution that is imported instead of another release of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowing {
    /// The distribution.
    pub name: String,
    /// The version that is imported.
    pub version: String,
    /// The version that is not imported.
    pub other: String,
}

/// The names of the responsible variables.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Blame {
    /// The variables.
    pub variables: Vec<&'static str>,
    /// Is any one of them enough, so that it is not known which one is responsible?
    pub is_any: bool,
}

/// Directories in variables of the loader that do not exist.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Absent {
    /// The directories in `LD_LIBRARY_PATH`.
    pub library_path: Vec<Vec<u8>>,
    /// The directory in `CUDA_HOME`.
    pub cuda_home: Option<PathBuf>,
}

impl Absent {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        self.library_path.iter().for_each(|name| to(&printable(name)));
        self.cuda_home.iter().for_each(|home| to(&shown(home)));
    }
}

impl Variable {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::NotPreloaded { library, .. } => to(&printable(library)),
            Self::HomeWithoutLibrary { home, .. } | Self::HomeElsewhere { home } => {
                to(&shown(home));
            }
            Self::PackagesBefore { directory, packages } => {
                to(&shown(directory));
                match packages {
                    Before::OfAnotherPython { first, .. } => to(first),
                    Before::OfAnotherRelease { first, .. } => to(&first.name),
                    Before::NotCompiled { package, .. } => to(&package.to_string_lossy()),
                }
            }
        }
    }
}
