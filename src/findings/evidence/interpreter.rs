//! Environments that are not as they run, and interpreters that cannot start.

use super::variable::Shadowing;
use crate::bytes::{self, shown};
use crate::python::interpreter::Version;
use crate::world::Place;
use std::fmt::Display;
use std::path::PathBuf;

/// What is wrong with an environment or its interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interpreter {
    /// It is missing.
    Missing {
        /// Its path.
        interpreter: Place,
        /// Its version.
        version: Version,
    },
    /// It may not be read.
    Closed {
        /// Its path.
        interpreter: Place,
        /// The file that its links lead to.
        program: PathBuf,
    },
    /// The system cannot start it.
    NeverStarts {
        /// Its path.
        interpreter: Place,
        /// Why not.
        why: NoStart,
    },
    /// `bin/python` has become another version than the environment was made for.
    OtherVersion {
        /// What it has become.
        runs: Version,
        /// What the environment was made for.
        made_for: Version,
    },
    /// No base interpreter lies where `pyvenv.cfg` says.
    HomeGone {
        /// The directory that it names.
        home: PathBuf,
        /// Is a standard library found for the interpreter all the same?
        has_library: bool,
    },
    /// The environment was made in another place.
    Moved {
        /// The place.
        from: PathBuf,
        /// Is an environment still there, so that this one is a copy?
        is_copy: bool,
        /// Programs in `bin` that name the place: how many, and the interpreter of the first.
        programs: Option<(usize, PathBuf)>,
        /// Does `bin/activate` name it?
        is_activated: bool,
    },
    /// Another environment's python comes first on `PATH` than the one that `VIRTUAL_ENV` names.
    Inactive {
        /// What `VIRTUAL_ENV` names.
        active: PathBuf,
        /// The `python3` on `PATH`.
        python: PathBuf,
    },
    /// Distributions of the user site are imported in the stead of those of the environment.
    BehindUserSite {
        /// The first of them.
        first: Shadowing,
        /// How many there are.
        packages: usize,
        /// The user site.
        site: PathBuf,
    },
}

/// Why the system cannot start a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoStart {
    /// Its links lead to a file that is not there.
    DanglingLink(PathBuf),
    /// It is not a file.
    NotAFile,
    /// It is an empty file.
    Empty,
    /// It is neither an object nor a script.
    NotAProgram,
    /// It is a script for an interpreter that is not there.
    ScriptOf(PathBuf),
    /// It is a malformed object.
    Damaged(bytes::Error),
    /// Its mode does not let it be executed.
    NotExecutable,
    /// Its dynamic loader, `PT_INTERP`, is not there.
    NoLoader(PathBuf),
}

impl Interpreter {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::Missing { interpreter, .. } => to(interpreter),
            Self::Closed { interpreter, program } => {
                to(interpreter);
                to(&shown(program));
            }
            Self::NeverStarts { interpreter, why } => {
                to(interpreter);
                if let NoStart::DanglingLink(path)
                | NoStart::ScriptOf(path)
                | NoStart::NoLoader(path) = why
                {
                    to(&shown(path));
                }
            }
            Self::OtherVersion { .. } => to(&"bin/python"),
            Self::HomeGone { home, .. } => to(&shown(home)),
            Self::Moved { from, .. } => to(&shown(from)),
            Self::Inactive { active, python } => {
                to(&shown(active));
                to(&shown(python));
            }
            Self::BehindUserSite { first, site, .. } => {
                to(&first.name);
                to(&shown(site));
            }
        }
    }
}
