//! Variables of a process that lead elsewhere than the target does, or nowhere.

use crate::bytes::{printable, shown};
use crate::python::interpreter::Version;
use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;

/// What a variable does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Variable {
    /// `LD_PRELOAD` names a library that the loader passes over, with a message at each start.
    NotPreloaded {
        /// The library, as it is named.
        library: Vec<u8>,
        /// What the loader says of a file of that name; `None` where it finds none that fits.
        said: Option<String>,
    },
    /// `PYTHONHOME` names a directory without a standard library.
    HomeWithoutLibrary {
        /// The directory.
        home: PathBuf,
        /// The version of the interpreter.
        version: Version,
    },
    /// `PYTHONHOME` names another installation than the one that was looked at.
    HomeElsewhere {
        /// The directory.
        home: PathBuf,
    },
    /// `PYTHONPATH` names a directory whose packages come before those of the environment.
    PackagesBefore {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with them.
        packages: Before,
    },
}

/// What is wrong with packages that come before those of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Before {
    /// They are for a Python that the environment has not.
    OfAnotherPython {
        /// The first of them.
        first: String,
        /// Major and minor number of the Python.
        python: (u8, u8),
        /// How many there are.
        packages: usize,
    },
    /// They are of other releases than those of the environment.
    OfAnotherRelease {
        /// The first of them.
        first: Shadowing,
        /// How many there are.
        packages: usize,
    },
    /// A package is not compiled there.
    NotCompiled {
        /// The package.
        package: OsString,
        /// The extension modules that it has in the environment.
        modules: usize,
    },
}

/// A distribution that is imported in the stead of another release of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shadowing {
    /// The distribution.
    pub name: String,
    /// The version that is imported.
    pub version: String,
    /// The version that is not.
    pub other: String,
}

/// The variables that something is owed to, by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Blame {
    /// The variables.
    pub variables: Vec<&'static str>,
    /// Would one of them do, and nothing tells which?
    pub is_any: bool,
}

/// What variables name for the loader and is not there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Absent {
    /// The directories that `LD_LIBRARY_PATH` names.
    pub library_path: Vec<Vec<u8>>,
    /// The directory that `CUDA_HOME` names.
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
