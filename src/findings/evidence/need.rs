//! An object needs a library, by `DT_NEEDED` or `LC_LOAD_DYLIB`.

use super::variable::{Absent, Blame};
use crate::bytes::{printable, shown};
use crate::world::Place;
use std::fmt::Display;
use std::path::PathBuf;

/// An object that needs a library, and the state of the library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// The object.
    pub object: Place,
    /// The library, as named by the object.
    pub library: Vec<u8>,
    /// The interpreter or other program that cannot start without the library, if it is for one.
    pub program: Option<Place>,
    /// The state of the library.
    pub supply: Supply,
    /// The code that imports the object, if its import may fail without consequences.
    pub guard: Option<Guard>,
}

/// Python code that continues without what it imports, or imports it later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guard {
    /// The file.
    pub file: Place,
    /// The line, from 1.
    pub line: u32,
    /// Is it in a function, which may never be called?
    pub is_called: bool,
}

impl Need {
    /// A need of an object that is not required to start a program.
    #[must_use]
    pub fn new(object: Place, library: &[u8], supply: Supply) -> Self {
        Self { object, library: library.to_vec(), program: None, supply, guard: None }
    }
}

/// The state of a needed library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Supply {
    /// One copy fits, but its directory is not searched.
    OutOfReach {
        /// Its directory.
        directory: Place,
        /// Does an installed package require it?
        is_required: bool,
    },
    /// One copy fits, but the needed name is a path, so search paths are not used.
    NotWhereItIsNamed {
        /// Its directory.
        directory: Place,
    },
    /// Several copies fit, but none is in a searched directory.
    SeveralOutOfReach {
        /// The number of copies.
        copies: usize,
    },
    /// Several copies fit, and none is preferred.
    Ambiguous {
        /// The number of copies.
        copies: usize,
    },
    /// It is found only because something else loads it first.
    LoadedBefore {
        /// Do metadata prove this?
        is_proved: bool,
    },
    /// It is part of the graphics driver.
    OfTheDriver,
    /// It is found only because of variables.
    ThroughVariables {
        /// The variables.
        variables: Blame,
        /// Its directory; `None` if it is outside the target.
        directory: Option<Place>,
    },
    /// Variables make the loader find another copy than that of the target.
    Shadowed {
        /// The copy that is loaded.
        loaded: Place,
        /// The copy of the target.
        own: Place,
        /// The variables.
        variables: Blame,
        /// Symbols that the object binds, and that the loaded copy lacks.
        lost: Vec<Vec<u8>>,
        /// Libraries that the copy that is loaded needs and that are not found.
        lacks: Vec<Vec<u8>>,
    },
    /// There is no library with that name.
    Lacking(Lacking),
    /// A program was observed to request it without success.
    AskedInVain(Copies),
    /// A program was observed to need it, and the environment does not contain it.
    NotInEnvironment,
}

/// Files that are related to a library whose name does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lacking {
    /// A symlink with its name was replaced by a text file with the target.
    FlattenedLink {
        /// The text file.
        file: Place,
        /// The target of the symlink.
        named: PathBuf,
    },
    /// A file with its name makes the loader stop searching.
    Refused {
        /// The file.
        file: Place,
        /// The message of the loader.
        said: String,
    },
    /// A file with its name, or a searched directory, is not readable for this user.
    Forbidden {
        /// The file or directory.
        file: Place,
    },
    /// A file with its name is built for another architecture than the object that needs it.
    ForElsewhere {
        /// The file.
        file: Place,
    },
    /// A file has its soname, and the symlink with the name is missing.
    LinkGone {
        /// The file.
        file: Place,
    },
    /// A file is in a default directory, which is not searched for an object that was linked with
    /// `-z nodefaultlib`.
    NoDefaults {
        /// The file.
        file: Place,
    },
    /// A file is in a directory that `ldconfig` searches, but `ld.so.cache` does not list it.
    NotInCache {
        /// The file.
        file: Place,
    },
    /// The needed name has no version, but that of the file has one.
    OnlyVersioned {
        /// The file.
        file: Place,
    },
    /// It is not found on this system.
    Nowhere {
        /// Variables that name missing directories.
        absent: Absent,
    },
    /// Another version of it exists.
    OtherVersion {
        /// Is it part of the target, rather than of the system?
        is_own: bool,
        /// The name of the file.
        name: Vec<u8>,
        /// Its directory.
        directory: Place,
        /// Variables that name missing directories.
        absent: Absent,
    },
}

/// The copies of a library that a program requested without success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Copies {
    /// One copy in the environment fits.
    One {
        /// Its directory.
        directory: Place,
    },
    /// Several copies in the environment fit.
    Several {
        /// The number of copies.
        copies: usize,
    },
    /// It is part of the driver.
    OfTheDriver,
}

impl Need {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        to(&self.object);
        to(&printable(&self.library));
        self.program.iter().for_each(|program| to(program));
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
            | Self::Forbidden { file }
            | Self::NoDefaults { file }
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
