//! An object needs a library, by `DT_NEEDED` or `LC_LOAD_DYLIB`.

use super::variable::{Absent, Blame};
use crate::bytes::{printable, shown};
use crate::world::Place;
use std::fmt::Display;
use std::path::PathBuf;

/// An object that needs a library, and what is known of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The object.
    pub object: Place,
    /// The library, as the object names it.
    pub library: Vec<u8>,
    /// The interpreter that cannot start without it.
    pub interpreter: Option<Place>,
    /// What is known of the library.
    pub supply: Supply,
    /// The code that asks for the object, where it does not fail by that when it is imported.
    pub guard: Option<Guard>,
}

/// A line of Python code that goes on without what it imports, or comes to it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The file.
    pub file: Place,
    /// The line, from 1.
    pub line: u32,
    /// Does it stand in a function, which somebody has to call?
    pub is_called: bool,
}

impl Need {
    /// A need of an object that keeps no interpreter from starting.
    #[must_use]
    pub fn new(object: Place, library: &[u8], supply: Supply) -> Self {
        Self { object, library: library.to_vec(), interpreter: None, supply, guard: None }
    }
}

/// What is known of a library that is needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// One copy fits, and no search path leads to it.
    OutOfReach {
        /// Where it lies.
        directory: Place,
        /// Does anything that is installed ask for it?
        is_required: bool,
    },
    /// One copy fits, and the name says where to look, so that no search path counts.
    NotWhereItIsNamed {
        /// Where it lies.
        directory: Place,
    },
    /// Several copies fit, and no search path leads to any.
    SeveralOutOfReach {
        /// How many.
        copies: usize,
    },
    /// Several copies fit, and none is preferred.
    Ambiguous {
        /// How many.
        copies: usize,
    },
    /// It is found since something else loads it before.
    LoadedBefore {
        /// Do metadata prove it, or does it only seem so?
        is_proved: bool,
    },
    /// It comes with the graphics driver.
    OfTheDriver,
    /// It is found only because of variables.
    ThroughVariables {
        /// The variables.
        variables: Blame,
        /// Where it lies; `None` outside of the target.
        directory: Option<Place>,
    },
    /// Variables lead to another copy than that of the target.
    Shadowed {
        /// The copy that is loaded.
        loaded: Place,
        /// That of the target.
        own: Place,
        /// The variables.
        variables: Blame,
        /// Symbols that the object binds, and that the copy that is loaded lacks.
        lost: Vec<Vec<u8>>,
        /// Libraries that the copy that is loaded needs and that are not found.
        lacks: Vec<Vec<u8>>,
    },
    /// It is not there under that name.
    Lacking(Lacking),
    /// A program was seen asking for it and not getting it.
    AskedInVain(Copies),
    /// A program was seen needing it, and the environment has none.
    NotInEnvironment,
}

/// What there is of a library that is not there under the name that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacking {
    /// The link that has its name has become a text with what the link named.
    FlattenedLink {
        /// The text.
        file: Place,
        /// What it names.
        named: PathBuf,
    },
    /// A file has its name, and the loader ends its search at it.
    Refused {
        /// The file.
        file: Place,
        /// What the loader says.
        said: String,
    },
    /// A file has its name, and was built for another architecture than what asks for it.
    ForElsewhere {
        /// The file.
        file: Place,
    },
    /// A file has its soname, and the link with the name is gone.
    LinkGone {
        /// The file.
        file: Place,
    },
    /// A file lies where `ldconfig` looks, and `ld.so.cache` does not have it.
    NotInCache {
        /// The file.
        file: Place,
    },
    /// The name has no version, and that of the file has one.
    OnlyVersioned {
        /// The file.
        file: Place,
    },
    /// It is nowhere.
    Nowhere {
        /// Variables that name what is not there.
        absent: Absent,
    },
    /// Another version of it is there.
    OtherVersion {
        /// Is it one of the target, and not of the system?
        is_own: bool,
        /// The name of its file.
        name: Vec<u8>,
        /// Where it lies.
        directory: Place,
        /// Variables that name what is not there.
        absent: Absent,
    },
}

/// The copies of a library that a program asked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copies {
    /// One copy in the environment fits.
    One {
        /// Where it lies.
        directory: Place,
    },
    /// Several copies in the environment fit.
    Several {
        /// How many.
        copies: usize,
    },
    /// It comes with the driver.
    OfTheDriver,
}

impl Need {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        to(&self.object);
        to(&printable(&self.library));
        self.interpreter.iter().for_each(|interpreter| to(interpreter));
        self.guard.iter().for_each(|guard| to(&guard.file));
        match &self.supply {
            Supply::OutOfReach { directory, .. }
            | Supply::NotWhereItIsNamed { directory }
            | Supply::ThroughVariables { directory: Some(directory), .. }
            | Supply::AskedInVain(Copies::One { directory }) => to(directory),
            Supply::Shadowed { loaded, own, lost, lacks, .. } => {
                to(loaded);
                to(own);
                lost.iter().chain(lacks).for_each(|symbol| to(&printable(symbol)));
            }
            Supply::Lacking(lacking) => lacking.each_name(to),
            Supply::SeveralOutOfReach { .. }
            | Supply::Ambiguous { .. }
            | Supply::LoadedBefore { .. }
            | Supply::OfTheDriver
            | Supply::ThroughVariables { directory: None, .. }
            | Supply::AskedInVain(Copies::Several { .. } | Copies::OfTheDriver)
            | Supply::NotInEnvironment => {}
        }
    }
}

impl Lacking {
    fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::FlattenedLink { file, named } => {
                to(file);
                to(&shown(named));
            }
            Self::Refused { file, .. }
            | Self::ForElsewhere { file }
            | Self::LinkGone { file }
            | Self::NotInCache { file }
            | Self::OnlyVersioned { file } => to(file),
            Self::Nowhere { absent } => absent.each_name(to),
            Self::OtherVersion { name, directory, absent, .. } => {
                to(&printable(name));
                to(directory);
                absent.each_name(to);
            }
        }
    }
}
