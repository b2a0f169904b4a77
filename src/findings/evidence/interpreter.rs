//! Broken environments, and interpreters that cannot start.

use super::variable::Shadowing;
use crate::bytes::{self, shown};
use crate::python::interpreter::Version;
use crate::world::Place;
use std::fmt::Display;
use std::path::PathBuf;

/// A problem with an environment or its interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Interpreter {
    /// It is missing.
    Missing {
        /// Its path.
        interpreter: Place,
        /// Its version.
        version: Version,
    },
    /// It is not readable.
    Closed {
        /// Its path.
        interpreter: Place,
        /// The file that its links refer to.
        program: PathBuf,
    },
    /// It cannot start.
    NeverStarts {
        /// Its path.
        interpreter: Place,
        /// The reason.
        why: NoStart,
    },
    /// `bin/python` is now another version than the environment was created for.
    OtherVersion {
        /// The current version.
        runs: Version,
        /// The version that the environment was created for.
        made_for: Version,
    },
    /// The directory in `pyvenv.cfg` contains no base interpreter.
    HomeGone {
        /// That directory.
        home: PathBuf,
        /// Is a standard library found for the interpreter nevertheless?
        has_library: bool,
    },
    /// A virtual environment has lost its `pyvenv.cfg`.
    NoConfiguration {
        /// The program that runs instead of the environment's interpreter.
        program: PathBuf,
        /// The directory of packages, which that program does not import from.
        site: Place,
    },
    /// The environment was created in another location.
    Moved {
        /// That location.
        from: PathBuf,
        /// Is there still an environment, so that this one is a copy?
        is_copy: bool,
        /// The number of programs in `bin` that name the old location, and the interpreter of the first.
        programs: Option<(usize, PathBuf)>,
        /// Does `bin/activate` name it?
        is_activated: bool,
    },
    /// The first python on `PATH` is not that of the environment in `VIRTUAL_ENV`.
    Inactive {
        /// The value of `VIRTUAL_ENV`.
        active: PathBuf,
        /// The `python3` on `PATH`.
        python: PathBuf,
    },
    /// Distributions in the user site shadow those of the environment.
    BehindUserSite {
        /// The first of them.
        first: Shadowing,
        /// Their number.
        packages: usize,
        /// The user site.
        site: PathBuf,
    },
}

/// The reason why a program cannot start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoStart {
    /// Its links lead to a missing file.
    DanglingLink(PathBuf),
    /// It is not a file.
    NotAFile,
    /// It is an empty file.
    Empty,
    /// It is neither an executable object nor a script.
    NotAProgram,
    /// It is a script for a missing interpreter.
    ScriptOf(PathBuf),
    /// It is a malformed object.
    Damaged(bytes::Error),
    /// It has no execute permission.
    NotExecutable,
    /// Its dynamic loader (`PT_INTERP`) is missing.
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
            Self::NoConfiguration { program, site } => {
                to(&shown(program));
                to(site);
            }
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
