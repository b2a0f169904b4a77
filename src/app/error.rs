//! The errors of use-cases, as data. Their texts are in the report.

use crate::command_line::CommandLine;
use crate::operation;
use crate::python::{discovery, target};
use crate::repair::foreign_plan::Misfit;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kind of an error. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The command line is invalid.
    Usage,
    /// The target does not exist, has the wrong kind, or contains nothing to check.
    Target,
    /// An operation cannot be carried out, undone or recovered.
    Operation,
    /// The operating system reported an error.
    Io,
    /// Anything else.
    Other,
}

/// The request could not be carried out.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Error {
    /// An error of the library, which has its own text.
    Below(Arc<dyn std::error::Error + Send + Sync>),
    /// An operation did not take place.
    Operation(Arc<operation::Error>),
    /// An error about a file or its content.
    In {
        /// The file, as the user named it.
        file: PathBuf,
        /// The error.
        source: Arc<dyn std::error::Error + Send + Sync>,
    },
    /// The working directory does not exist.
    NoWorkingDirectory(Arc<io::Error>),
    /// No target is detected in the root of another system.
    RootWithoutTarget,
    /// The target does not exist, and is not the name of an installed package.
    NoTarget {
        /// The target, as the user named it.
        named: PathBuf,
        /// Installed packages with similar names.
        near: Vec<String>,
        /// Does it look like the ID of an operation?
        is_operation: bool,
    },
    /// An object is needed, but this is not a file.
    NoFile(PathBuf),
    /// The named file cannot be read.
    Unreadable {
        /// The file, as the user named it.
        file: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// The named file is not a shared object.
    NoObject {
        /// The file, as the user named it.
        file: PathBuf,
        /// Has it no bytes at all?
        is_empty: bool,
    },
    /// A file was changed while it was examined.
    Changes(PathBuf),
    /// An edit of single objects was requested for something else.
    NotOneObject(PathBuf),
    /// An object is needed, but this is a wheel.
    WholeWheel(PathBuf),
    /// The loader would not accept the file.
    NotTaken {
        /// The file, as the user named it.
        file: PathBuf,
        /// The message of the loader, if it has one.
        words: Option<String>,
    },
    /// A directory of `--search` is not a directory.
    NoSearchDirectory {
        /// The directory, as the user named it.
        directory: PathBuf,
        /// Was it searched for in a wheel?
        in_wheel: bool,
    },
    /// `--output` names the wheel that is repaired.
    OutputIsTheWheel(PathBuf),
    /// `--output` names one file for several wheels.
    OutputOfSeveral(PathBuf),
    /// `--output` names a directory that does not exist, or no wheel.
    NoOutput {
        /// The path, as the user named it.
        output: PathBuf,
        /// Is it for a wheel, whose name must end with `.whl`?
        is_for_wheel: bool,
    },
    /// `--output` was given for a target that is not a wheel.
    OutputOfNoWheel(PathBuf),
    /// There is no such operation.
    NoOperation {
        /// The error of the operation.
        source: Arc<operation::Error>,
        /// The command that lists the operations.
        log: CommandLine,
    },
    /// A command was not run.
    NotRun(NotRun),
    /// The disk failed while a target was examined.
    DiskFailed {
        /// What was read.
        path: PathBuf,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// A target contains nothing to check.
    NothingToJudge {
        /// The target, as shown to the user.
        target: PathBuf,
        /// What the user may have meant.
        instead: Instead,
    },
    /// A plan does not fit a target.
    PlanDoesNotFit {
        /// The file that it was read from.
        plan: PathBuf,
        /// The target.
        target: PathBuf,
        /// All differences.
        misfits: Vec<Misfit>,
    },
}

/// The reason why a command was not run, or why its run proves nothing.
#[derive(Debug, Clone)]
pub enum NotRun {
    /// It cannot be started.
    NotStarted {
        /// Its first word.
        program: OsString,
        /// The error of the operating system.
        source: Arc<io::Error>,
    },
    /// It was to run in a wheel.
    InWheel(PathBuf),
    /// It was to run in the root of another system.
    Elsewhere,
    /// The target has no known interpreter.
    NoInterpreter,
    /// It ran an environment that belongs to another user than the command was run as.
    OtherOwner(PathBuf),
}

/// What the user may have meant instead of a target that contains nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Instead {
    /// An environment in it.
    Environment(PathBuf),
    /// The target of one of its links, a directory.
    Linked(PathBuf),
    /// Unknown.
    Unknown,
}

impl Error {
    /// An error about a file, as it was named.
    pub fn about(file: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self::In { file: file.to_owned(), source: Arc::new(source) }
    }

    /// The kind of the error.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Below(source) | Self::In { source, .. } => kind_of(source.as_ref()),
            Self::NoWorkingDirectory(_) | Self::DiskFailed { .. } => ErrorKind::Io,
            Self::OutputIsTheWheel(_)
            | Self::OutputOfSeveral(_)
            | Self::NoOutput { .. }
            | Self::OutputOfNoWheel(_) => ErrorKind::Usage,
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
            Self::Operation(_) | Self::NoOperation { .. } | Self::PlanDoesNotFit { .. } => {
                ErrorKind::Operation
            }
        }
    }

    /// Can this error be caused by another tfpatch that is running, so that a retry may succeed? Not if
    /// tfpatch has already waited for it, and it was not released.
    #[must_use]
    pub fn may_be_outdated(&self) -> bool {
        !matches!(self.of_operation(), Some(operation::Error::Locked { .. }))
    }

    /// Did another program change a file between the plan and the operation?
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
