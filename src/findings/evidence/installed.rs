//! What installers left: distributions that do not fit, or are there twice or in part.

use super::Release;
use crate::bytes::printable;
use crate::python::interpreter::Version;
use crate::python::tags::{System, Tag};
use crate::world::Place;
use std::fmt::Display;

/// What is wrong with what is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// Files of a distribution have another content than they were installed with.
    Changed {
        /// The distribution.
        release: Release,
        /// How many files.
        changed: usize,
        /// How many files its `RECORD` lists.
        listed: usize,
        /// The first of the files.
        first: Place,
    },
    /// Files of a distribution are gone, or have another length.
    InPart {
        /// The distribution.
        release: Release,
        /// How many files its `RECORD` lists.
        listed: usize,
        /// How many are gone.
        gone: usize,
        /// How many have another length.
        of_another_size: usize,
        /// The files that matter most, of which not all are named.
        first: Vec<Place>,
    },
    /// Something is there twice.
    Twice(Twice),
    /// A distribution was built for elsewhere.
    BuiltForElsewhere {
        /// The distribution.
        release: Release,
        /// For what.
        built_for: BuiltFor,
    },
    /// Modules that no distribution owns were built for elsewhere.
    ModulesForElsewhere {
        /// The package, or the directory of packages.
        package: Place,
        /// For what.
        built_for: BuiltFor,
        /// The first of the modules.
        first: Place,
    },
    /// A distribution requires another version of what it is imported with.
    Requirement {
        /// The distribution that requires it.
        release: Release,
        /// What is there.
        there: Release,
        /// The name of what is required.
        name: String,
        /// The versions that are required, as written.
        specifier: String,
        /// What fails, to follow "and" in a sentence, as the table of what is known says.
        fails: &'static str,
    },
    /// A distribution was built for NumPy 1, and another major version is there.
    NewerNumpy {
        /// The distribution.
        release: Release,
        /// The NumPy that is there.
        numpy: Release,
    },
    /// What a distribution requires is not installed, and its code imports it.
    NotThere {
        /// The distribution that requires it.
        release: Release,
        /// The name of what is required.
        name: String,
        /// The module that is imported.
        module: String,
        /// The file that imports it.
        file: Place,
        /// The line of Python code, from 1; `None` where native code names the module.
        line: Option<u32>,
    },
    /// XLA does not find libdevice.
    NoLibdevice {
        /// The TensorFlow.
        release: Release,
        /// Where it lies and is not looked for.
        elsewhere: Option<Place>,
    },
}

/// What is there twice where one is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Twice {
    /// Two distributions install the same files with other contents.
    OverOneAnother {
        /// The one.
        first: Release,
        /// The other.
        second: Release,
        /// How many objects both install.
        objects: usize,
        /// One of the objects.
        object: Place,
        /// The one whose files are there, if that can be told.
        there: Option<Release>,
    },
    /// A distribution is installed several times in one directory.
    SeveralTimes {
        /// The distribution.
        name: String,
        /// How many times.
        times: usize,
        /// Its versions, each once.
        versions: Vec<String>,
    },
    /// An upgrade that pip did not end has left files.
    Leftovers {
        /// The first of their names.
        names: Vec<Vec<u8>>,
        /// How many there are.
        all: usize,
        /// The directory in which they lie.
        site: Place,
    },
    /// Libraries for one CUDA lie beside those for another, and nothing asks for them.
    OtherCuda {
        /// Their major version of CUDA.
        cuda: String,
        /// That of the others.
        beside: String,
        /// Their distributions.
        distributions: Vec<String>,
    },
    /// A process may load two OpenMP runtimes of one family.
    TwoOpenMp {
        /// The one, and the object that loads it.
        first: (Place, Place),
        /// The other, and the object that loads it.
        second: (Place, Place),
    },
    /// An object loads two libraries of linear algebra with the same symbols.
    TwoBlas {
        /// The object.
        object: Place,
        /// The one library.
        first: Place,
        /// The other.
        second: Place,
        /// How many more objects load both.
        others: usize,
    },
}

/// For what something was built that cannot run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuiltFor {
    /// Another system, by a wheel's tag.
    System {
        /// The system.
        system: System,
        /// The tag.
        tag: Tag,
        /// The systems of the interpreters here.
        here: Vec<System>,
    },
    /// macOS, by the format of its objects.
    MacOs {
        /// The system of the first interpreter here.
        here: Option<System>,
    },
    /// Another Python.
    Python {
        /// The versions that the names of the modules say, major and minor number.
        versions: Vec<(u8, u8)>,
        /// The first tag, where metadata have one.
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
            | Self::NewerNumpy { release, numpy: there } => {
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
