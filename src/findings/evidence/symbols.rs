//! Symbols and their versions that a library does not have.

use super::Release;
use super::variable::Blame;
use crate::bytes::printable;
use crate::loader::GlibcVersion;
use crate::python::distribution::Distribution;
use crate::world::Place;
use std::fmt::Display;

/// What a library lacks. Which symbols stands in the finding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Symbols {
    /// A library has not the versions that an object wants of it.
    NoVersion {
        /// The object.
        object: Place,
        /// The newest version that is lacking.
        newest: Vec<u8>,
        /// How many older ones are lacking too.
        older: usize,
        /// The library.
        library: Place,
        /// What else is known.
        newer: Newer,
    },
    /// Nothing that an object loads has symbols that it binds.
    Unbound {
        /// The object.
        object: Place,
        /// The library of another distribution that should have them.
        host: Place,
        /// The distributions of both, where both have one.
        between: Option<Between>,
        /// How many more objects of the distribution are concerned.
        others: usize,
    },
    /// The library to which an object binds symbols does not have them.
    NotInLibrary {
        /// The object.
        object: Place,
        /// The library.
        library: Place,
        /// The distributions of both, where both have one.
        between: Option<Between>,
    },
    /// The loader was seen ending a program for a symbol or a version of an object.
    EndedProgram {
        /// The object.
        object: Place,
        /// What the loader said.
        said: Vec<u8>,
    },
}

/// Two distributions of which one is built against the other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Between {
    /// The one that binds symbols.
    pub plugin: Release,
    /// The one that should have them.
    pub host: Release,
}

impl Between {
    /// Of these two.
    #[must_use]
    pub fn of(plugin: &Distribution, host: &Distribution) -> Self {
        Self { plugin: Release::of(plugin), host: Release::of(host) }
    }
}

/// What is known of a newer copy of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Newer {
    /// Without these variables one would be found.
    WithoutVariables(Blame),
    /// The library is part of glibc, of which that version is here, if it is known.
    OnlyWithGlibc(Option<GlibcVersion>),
    /// One lies in that directory.
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
