//! Symbols and symbol versions that a library lacks.

use super::Release;
use super::variable::Blame;
use crate::bytes::printable;
use crate::loader::GlibcVersion;
use crate::python::distribution::Distribution;
use crate::world::Place;
use std::fmt::Display;

/// What a library lacks. The symbols are in the finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbols {
    /// A library lacks versions that an object needs.
    NoVersion {
        /// The object.
        object: Place,
        /// The newest missing version.
        newest: Vec<u8>,
        /// The number of older versions that are missing too.
        older: usize,
        /// The library.
        library: Place,
        /// What is known about a newer copy.
        newer: Newer,
    },
    /// Nothing that an object loads has the symbols that it binds.
    Unbound {
        /// The object.
        object: Place,
        /// The library of another distribution that should have them.
        host: Place,
        /// The distributions of both, where both have one.
        between: Option<Between>,
        /// The number of other objects of the distribution with the same problem.
        others: usize,
    },
    /// Nothing that an object loads has the symbols that it binds, nor anything else in the target.
    Nowhere {
        /// The object.
        object: Place,
    },
    /// The library to which an object binds symbols lacks them.
    NotInLibrary {
        /// The object.
        object: Place,
        /// The library.
        library: Place,
        /// The distributions of both, where both have one.
        between: Option<Between>,
    },
    /// The loader was observed to terminate a program because of a symbol or a version of an object.
    EndedProgram {
        /// The object.
        object: Place,
        /// The message of the loader.
        said: Vec<u8>,
    },
}

/// Two distributions, one of which is built against the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// The one that binds symbols.
    pub plugin: Release,
    /// The one that should have them.
    pub host: Release,
}

impl Between {
    /// For these two.
    #[must_use]
    pub fn of(plugin: &Distribution, host: &Distribution) -> Self {
        Self { plugin: Release::of(plugin), host: Release::of(host) }
    }
}

/// What is known about a newer copy of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newer {
    /// Without these variables, a newer copy would be found.
    WithoutVariables(Blame),
    /// The library is part of glibc; this version is installed, if known.
    OnlyWithGlibc(Option<GlibcVersion>),
    /// There is a newer copy in this directory.
    In(Place),
    /// None is known.
    Unknown,
}

impl Symbols {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        let between = match self {
            Self::NoVersion { object, newest, library, newer, .. } => {
                to(object);
                to(library);
                to(&printable(newest));
                if let Newer::In(directory) = newer {
                    to(directory);
                }
                &None
            }
            Self::Unbound { object, host: library, between, .. }
            | Self::NotInLibrary { object, library, between } => {
                to(object);
                to(library);
                between
            }
            Self::Nowhere { object } => {
                to(object);
                &None
            }
            Self::EndedProgram { object, said } => {
                to(object);
                to(&printable(said));
                &None
            }
        };
        if let Some(Between { plugin, host }) = between {
            to(plugin);
            to(host);
        }
    }
}
