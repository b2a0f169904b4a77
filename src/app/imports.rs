//! Imports of the modules with native code of an environment, each package in a process of its own: how a
//! use-case requests them, and what it is told.

use super::Error;
use super::runs::Child;
use super::trace::Heard;
use crate::trace::replay::Answer;
use crate::world::native_modules::NativePackage;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::{Path, PathBuf};

/// What came of the import of a module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was imported.
    Imported,
    /// It raised an exception.
    Raised {
        /// The exception's class.
        class: String,
        /// The interpreter's words.
        words: String,
        /// The shared object that could not be loaded, where the exception names one.
        object: Option<PathBuf>,
    },
    /// It ended the interpreter.
    Ended(Child),
    /// The time was up.
    TimedOut,
    /// It was not come to.
    NotReached,
}

/// The name of an outcome, as JSON has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeName {
    /// It was imported.
    Imported,
    /// It raised an exception.
    Raised,
    /// It ended the interpreter.
    Ended,
    /// The time was up.
    TimedOut,
    /// It was not come to.
    NotReached,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> OutcomeName {
        match self {
            Self::Imported => OutcomeName::Imported,
            Self::Raised { .. } => OutcomeName::Raised,
            Self::Ended(_) => OutcomeName::Ended,
            Self::TimedOut => OutcomeName::TimedOut,
            Self::NotReached => OutcomeName::NotReached,
        }
    }
}

/// A module that was to be imported.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Import {
    /// Its name; a package's own stands before those of its modules.
    pub module: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What the processes of one package showed.
#[derive(Debug)]
pub struct Imports {
    /// The package.
    pub package: NativePackage,
    /// Its modules in the order in which they were imported.
    pub modules: Vec<Import>,
    /// What was asked of the loader.
    pub answers: Vec<Answer>,
    /// What was heard besides.
    pub heard: Heard,
    /// The last lines that were written to standard error.
    pub words: Vec<String>,
}

/// Who imports, by an environment's own interpreter.
pub trait Importer {
    /// Imports the modules of packages. With the rights of whom `owned` belongs to, where we are root and
    /// that is another.
    ///
    /// # Errors
    /// Where the interpreter cannot be started, or a trace cannot be read.
    fn import(
        &self,
        interpreter: &Path,
        owned: &Path,
        packages: &[NativePackage],
    ) -> Result<Vec<Imports>, Error>;

    /// Were we asked to end? Then nothing more is run or repaired.
    fn is_told_to_end(&self) -> bool;
}
