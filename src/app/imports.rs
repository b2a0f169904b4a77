//! Imports of all native modules of an environment, each package in its own process: the interface through
//! which a use-case requests them, and their results.

use super::Error;
use super::runs::Child;
use super::trace::Heard;
use crate::trace::replay::Answer;
use crate::world::native_modules::NativePackage;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The result of importing a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was imported.
    Imported,
    /// It raised an exception.
    Raised {
        /// The exception's class.
        class: String,
        /// The message of the exception.
        words: String,
        /// The shared object that could not be loaded, if the exception names one.
        object: Option<PathBuf>,
    },
    /// It terminated the interpreter.
    Ended(Child),
    /// The loader terminated the interpreter.
    EndedByLoader {
        /// The message of the loader, without the name of the program.
        said: String,
    },
    /// It timed out.
    TimedOut,
    /// It was not attempted.
    NotReached,
}

/// The status with which glibc's loader ends a process (`_exit (127)` in elf/dl-minimal.c and dl-catch.c).
const BY_LOADER: i32 = 127;

/// How the messages begin with which it does (elf/dl-catch.c, elf/dl-reloc.c, assert/assert.c of the loader).
const OF_LOADER: [&str; 4] = [
    "symbol lookup error: ",
    "relocation error: ",
    "error while loading shared libraries: ",
    "Inconsistency detected by ld.so: ",
];

/// The name of a result in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeName {
    /// It was imported.
    Imported,
    /// It raised an exception.
    Raised,
    /// It terminated the interpreter.
    Ended,
    /// It timed out.
    TimedOut,
    /// It was not attempted.
    NotReached,
}

impl Outcome {
    /// The end of an interpreter that printed these lines.
    #[must_use]
    pub fn ended(child: Child, lines: &[String]) -> Self {
        let said = |line: &String| {
            let starts = OF_LOADER.iter().filter_map(|words| line.find(words));
            starts.min().and_then(|at| line.get(at..)).map(str::to_owned)
        };
        let said = lines.iter().rev().find_map(said);
        match said.filter(|_| child.status == Some(BY_LOADER)) {
            Some(said) => Self::EndedByLoader { said },
            None => Self::Ended(child),
        }
    }

    /// Did it terminate the interpreter?
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self, Self::Ended(_) | Self::EndedByLoader { .. })
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> OutcomeName {
        match self {
            Self::Imported => OutcomeName::Imported,
            Self::Raised { .. } => OutcomeName::Raised,
            Self::Ended(_) | Self::EndedByLoader { .. } => OutcomeName::Ended,
            Self::TimedOut => OutcomeName::TimedOut,
            Self::NotReached => OutcomeName::NotReached,
        }
    }
}

/// A module to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name. A package is listed before its modules.
    pub module: String,
    /// The result.
    pub outcome: Outcome,
}

/// The results of the processes of one package.
#[derive(Debug)]
pub struct Imports {
    /// The package.
    pub package: NativePackage,
    /// Its modules in the order in which they were imported.
    pub modules: Vec<Import>,
    /// The requests to the loader.
    pub answers: Vec<Answer>,
    /// Other observations in the trace.
    pub heard: Heard,
    /// The last lines on standard error.
    pub words: Vec<String>,
}

/// Imports modules with the interpreter of an environment.
pub trait Importer {
    /// Imports the modules of packages. If the process is root's, it uses the permissions of the owner of
    /// `owned`.
    ///
    /// # Errors
    /// If the interpreter cannot be started, or a trace cannot be read.
    fn import(
        &self,
        interpreter: &Path,
        owned: &Path,
        packages: &[NativePackage],
    ) -> Result<Vec<Imports>, Error>;

    /// Was tfpatch interrupted? Then nothing more is run or repaired.
    fn is_told_to_end(&self) -> bool;
}
