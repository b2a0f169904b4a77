//! Inconsistent installations: distributions that are incompatible, duplicate or incomplete.

use super::Release;
use crate::bytes::printable;
use crate::python::interpreter::Version;
use crate::python::tags::{System, Tag};
use crate::world::Place;
use std::fmt::Display;

/// A problem with installed distributions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// Files of a distribution were modified after the installation.
    Changed {
        /// The distribution.
        release: Release,
        /// The number of modified files.
        changed: usize,
        /// The number of files in its `RECORD`.
        listed: usize,
        /// The first of the files.
        first: Place,
    },
    /// Files of a distribution are missing, or have a different length.
    InPart {
        /// The distribution.
        release: Release,
        /// The number of files in its `RECORD`.
        listed: usize,
        /// The number of missing files.
        gone: usize,
        /// The number of files with a different length.
        of_another_size: usize,
        /// The most important files; not all are listed.
        first: Vec<Place>,
    },
    /// Something is installed twice.
    Twice(Twice),
    /// A distribution was built for another system or Python.
    BuiltForElsewhere {
        /// The distribution.
        release: Release,
        /// What it was built for.
        built_for: BuiltFor,
    },
    /// Modules without a distribution were built for another system or Python.
    ModulesForElsewhere {
        /// The package, or the directory that contains it.
        package: Place,
        /// What they were built for.
        built_for: BuiltFor,
        /// The first of the modules.
        first: Place,
    },
    /// A distribution requires another version of a package that it imports.
    Requirement {
        /// The distribution that requires it.
        release: Release,
        /// The installed package.
        there: Release,
        /// The name of the required package.
        name: String,
        /// The required versions, as written.
        specifier: String,
        /// What fails, as a clause after "and", from the table of known problems.
        fails: &'static str,
    },
    /// A distribution was built for NumPy 1, and another major version is installed.
    NewerNumpy {
        /// The distribution.
        release: Release,
        /// The installed NumPy.
        numpy: Release,
        /// The number of other distributions that were.
        others: usize,
    },
    /// A requirement of a distribution is not installed, but its code imports it.
    NotThere {
        /// The distribution that requires it.
        release: Release,
        /// The name of the requirement.
        name: String,
        /// The module that is imported.
        module: String,
        /// The file that imports it.
        file: Place,
        /// The line of Python code, from 1; `None` if native code names the module.
        line: Option<u32>,
    },
    /// XLA does not find libdevice.
    NoLibdevice {
        /// The TensorFlow.
        release: Release,
        /// Where it is, but is not searched.
        elsewhere: Option<Place>,
    },
}

/// Things that are installed twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Twice {
    /// Two distributions install the same files with different content.
    OverOneAnother {
        /// The first distribution.
        first: Release,
        /// The second distribution.
        second: Release,
        /// The number of objects that both install.
        objects: usize,
        /// One of the objects.
        object: Place,
        /// The distribution that the existing files are from, if known.
        there: Option<Release>,
    },
    /// A distribution is installed several times in one directory.
    SeveralTimes {
        /// The distribution.
        name: String,
        /// The number of installations.
        times: usize,
        /// Its versions, without repetitions.
        versions: Vec<String>,
    },
    /// An interrupted upgrade by pip left files behind.
    Leftovers {
        /// The first of their names.
        names: Vec<Vec<u8>>,
        /// Their number.
        all: usize,
        /// The directory that contains them.
        site: Place,
    },
    /// Libraries for one CUDA are installed beside those for another, and nothing requires them.
    OtherCuda {
        /// Their major version of CUDA.
        cuda: String,
        /// The major version of the others.
        beside: String,
        /// Their distributions.
        distributions: Vec<String>,
    },
    /// A process may load two OpenMP runtimes of one family.
    TwoOpenMp {
        /// The first runtime, and the object that loads it.
        first: (Place, Place),
        /// The second runtime, and the object that loads it.
        second: (Place, Place),
    },
    /// An object loads two BLAS libraries with the same symbols.
    TwoBlas {
        /// The object.
        object: Place,
        /// The first library.
        first: Place,
        /// The second library.
        second: Place,
        /// The number of other objects that load both.
        others: usize,
    },
}

/// What something was built for that cannot run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuiltFor {
    /// Another system, according to the tag of a wheel.
    System {
        /// The system.
        system: System,
        /// The tag.
        tag: Tag,
        /// The systems of the interpreters here.
        here: Vec<System>,
    },
    /// macOS, according to the format of its objects.
    MacOs {
        /// The system of the first interpreter here.
        here: Option<System>,
    },
    /// Another Python.
    Python {
        /// The versions according to the names of the modules, major and minor number.
        versions: Vec<(u8, u8)>,
        /// The first tag in the metadata, if any.
        tag: Option<Tag>,
        /// The interpreters here.
        here: Vec<Version>,
    },
}

impl Installed {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::Changed { release, first, .. } => {
                to(release);
                to(first);
            }
            Self::InPart { release, first, .. } => {
                to(release);
                first.iter().for_each(|file| to(file));
            }
            Self::Twice(twice) => twice.each_name(to),
            Self::BuiltForElsewhere { release, .. } => to(release),
            Self::ModulesForElsewhere { package, first, .. } => {
                to(package);
                to(first);
            }
            Self::Requirement { release, there, .. }
            | Self::NewerNumpy { release, numpy: there, .. } => {
                to(release);
                to(there);
            }
            Self::NotThere { release, file, .. } => {
                to(release);
                to(file);
            }
            Self::NoLibdevice { release, elsewhere } => {
                to(release);
                elsewhere.iter().for_each(|place| to(place));
            }
        }
    }
}

impl Twice {
    fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::OverOneAnother { first, second, object, .. } => {
                to(first);
                to(second);
                to(object);
            }
            Self::SeveralTimes { name, .. } => to(name),
            Self::Leftovers { names, site, .. } => {
                names.iter().for_each(|name| to(&printable(name)));
                to(site);
            }
            Self::OtherCuda { distributions, .. } => distributions.iter().for_each(|one| to(one)),
            Self::TwoOpenMp { first, second } => {
                for (library, object) in [first, second] {
                    to(library);
                    to(object);
                }
            }
            Self::TwoBlas { object, first, second, .. } => {
                to(object);
                to(first);
                to(second);
            }
        }
    }
}
