//! What ends a use-case early, as data. The words are the report's.

use crate::operation;
use crate::python::{discovery, target};
use crate::repair::foreign_plan::Misfit;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Of what kind an error is. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The words of the command line are not understood.
    Usage,
    /// What was named is not there, is something else, or nothing was found to look at.
    Target,
    /// An operation cannot be carried out, undone or recovered.
    Operation,
    /// The operating system refused.
    Io,
    /// Anything else.
    Other,
}

/// The request could not be carried out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// Something below went wrong, which has words of its own.
    Below(Arc<dyn std::error::Error + Send + Sync>),
    /// An operation did not take place.
    Operation(Arc<operation::Error>),
    /// Something is wrong with a file, or with what is in it.
    In {
        /// The file, as it was named.
        file: PathBuf,
        /// What is wrong.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The working directory is gone.
    NoWorkingDirectory(Arc<io::Error>),
    /// Nothing is found by itself in the root of another system.
    RootWithoutTarget,
    /// Nothing is where a target was named, and no package is called so.
    NoTarget {
        /// The target, as it was named.
        named: PathBuf,
        /// Installed packages that are spelled almost so.
        near: Vec<String>,
        /// Does it look like the ID of an operation?
        is_operation: bool,
    },
    /// What was named is not a file, and an object is needed.
    NoFile(PathBuf),
    /// What was named cannot be read.
    Unreadable {
        /// The file, as it was named.
        file: PathBuf,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// What was named is a file, and no shared object.
    NoObject {
        /// The file, as it was named.
        file: PathBuf,
        /// Has it no bytes at all?
        is_empty: bool,
    },
    /// A file was written while it was looked at.
    Changes(PathBuf),
    /// An edit of single objects was requested of something else.
    NotOneObject(PathBuf),
    /// A wheel was named, where an object in it is needed.
    WholeWheel(PathBuf),
    /// The loader would not take the file.
    NotTaken {
        /// The file, as it was named.
        file: PathBuf,
        /// The loader's words, where it has some.
        words: Option<String>,
    },
    /// A directory of `--search` is none.
    NoSearchDirectory {
        /// As it was named.
        directory: PathBuf,
        /// Was it looked for in a wheel?
        in_wheel: bool,
    },
    /// `--output` names the wheel that is repaired.
    OutputIsTheWheel(PathBuf),
    /// `--output` names one file for several wheels.
    OutputOfSeveral(PathBuf),
    /// `--output` was given for a target that is not a wheel.
    OutputOfNoWheel(PathBuf),
    /// A command was not run.
    NotRun(NotRun),
    /// The disk failed while a target was looked at.
    DiskFailed {
        /// What was read.
        path: PathBuf,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// A target holds nothing that could be judged.
    NothingToJudge {
        /// The target, as it is shown.
        target: PathBuf,
        /// What may have been meant.
        instead: Instead,
    },
    /// A plan does not fit a target.
    PlanDoesNotFit {
        /// The file that it was read from.
        plan: PathBuf,
        /// The target.
        target: PathBuf,
        /// Everything in which it does not fit.
        misfits: Vec<Misfit>,
    },
}

/// Why a command was not run, or why its run shows nothing.
#[derive(Debug, Clone)]
pub enum NotRun {
    /// It cannot be started.
    NotStarted {
        /// Its first word.
        program: OsString,
        /// The system's reason.
        source: Arc<io::Error>,
    },
    /// It was to run in a wheel.
    InWheel(PathBuf),
    /// It was to run in the root of another system.
    Elsewhere,
    /// No interpreter of the target is known that could import anything.
    NoInterpreter,
    /// It ran an environment that belongs to another user than the one that it was run as.
    OtherOwner(PathBuf),
}

/// What may have been meant instead of a target that holds nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// An environment in it.
    Environment(PathBuf),
    /// A directory that a link of it leads to.
    Linked(PathBuf),
    /// Nothing is known.
    Unknown,
}

impl Error {
    /// An error about a file, as it was named.
    pub fn about(file: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::In { file: file.to_owned(), source: Arc::new(source) }
    }

    /// Of what kind it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Below(source) | Self::In { source, .. } => kind_of(source.as_ref()),
            Self::NoWorkingDirectory(_) | Self::DiskFailed { .. } => ErrorKind::Io,
            Self::OutputIsTheWheel(_) | Self::OutputOfSeveral(_) | Self::OutputOfNoWheel(_) => {
                ErrorKind::Usage
            }
            Self::RootWithoutTarget
            | Self::NoTarget { .. }
            | Self::NoFile(_)
            | Self::Unreadable { .. }
            | Self::NoObject { .. }
            | Self::Changes(_)
            | Self::NotOneObject(_)
            | Self::WholeWheel(_)
            | Self::NotTaken { .. }
            | Self::NoSearchDirectory { .. }
            | Self::NothingToJudge { .. } => ErrorKind::Target,
            Self::NotRun(NotRun::NotStarted { .. }) => ErrorKind::Other,
            Self::NotRun(_) => ErrorKind::Target,
            Self::Operation(_) | Self::PlanDoesNotFit { .. } => ErrorKind::Operation,
        }
    }

    /// Can it be that another tfpatch, at work meanwhile, is all that was in the way? Not where we
    /// waited for it, and it did not finish.
    #[must_use]
    pub fn may_be_outdated(&self) -> bool {
        !matches!(self.of_operation(), Some(operation::Error::Locked { .. }))
    }

    /// Did somebody else change a file between the plan and the operation?
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        self.of_operation().is_some_and(operation::Error::is_overtaken)
    }

    fn of_operation(&self) -> Option<&operation::Error> {
        match self {
            Self::Operation(error) => Some(error),
            _ => None,
        }
    }
}

impl From<operation::Error> for Error {
    fn from(error: operation::Error) -> Self {
        Self::Operation(Arc::new(error))
    }
}

impl From<NotRun> for Error {
    fn from(why: NotRun) -> Self {
        Self::NotRun(why)
    }
}

fn kind_of(source: &(dyn std::error::Error + Send + Sync + 'static)) -> ErrorKind {
    if source.is::<target::Error>() || source.is::<discovery::Error>() {
        ErrorKind::Target
    } else if source.is::<io::Error>() {
        ErrorKind::Io
    } else {
        ErrorKind::Other
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Self::Below(Arc::new(source))
    }
}
