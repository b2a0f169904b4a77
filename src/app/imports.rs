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
    /// It timed out.
    TimedOut,
    /// It was not attempted.
    NotReached,
}

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
