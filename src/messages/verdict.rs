//! What is found for a message in an environment, as data.

use super::{Kind, Message};
use crate::command_line::CommandLine;
use crate::findings::cure::Cure;
use crate::findings::evidence::Release;
use crate::findings::finding::{Cause, Finding};
use crate::python::installs::Installs;
use crate::world::Place;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::PathBuf;

/// The result of the check. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The problem still exists, with this reason.
    Found,
    /// Nothing matches the message.
    NothingFound,
    /// The paths in the message do not exist on this machine.
    NotHere,
    /// There is no environment to check.
    NoEnvironment,
    /// The problem no longer exists.
    Resolves,
    /// The message is harmless.
    Harmless,
}

/// What was found for a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Case {
    /// Only the message is known.
    WordsAlone,
    /// Only the message is known, because the paths in it do not exist on this machine.
    PathsElsewhere,
    /// Only the message is known, because there is no environment to check.
    NoEnvironment,
    /// The diagnosis finds nothing that matches the message.
    NothingFits,
    /// The first finding explains it.
    Finding {
        /// Is a missing library reported that would lack symbols if it were found?
        lacks_symbols: bool,
        /// The number of further findings that match the message.
        others: usize,
    },
    /// The module is in the environment, so another interpreter ran.
    ModuleIsHere {
        /// The module.
        module: Vec<u8>,
        /// Its path.
        path: PathBuf,
    },
    /// The module is for another Python or another system.
    ModuleForAnother {
        /// Its path.
        path: PathBuf,
    },
    /// The package exists, but does not contain the module.
    ModuleNotInPackage {
        /// The module.
        module: Vec<u8>,
        /// The path of the package.
        package: PathBuf,
    },
    /// The package exists, but the `RECORD` of this release of it does not list the module.
    ModuleNotInRelease {
        /// The module.
        module: Vec<u8>,
        /// The release.
        release: Release,
    },
    /// A file of the program is imported instead of the package.
    Shadowed {
        /// The module.
        module: Vec<u8>,
        /// The file or directory.
        by: PathBuf,
        /// What the environment has of the module.
        own: PathBuf,
    },
    /// Nothing in the environment provides the module.
    NoModule {
        /// The module.
        module: Vec<u8>,
    },
    /// The library is found.
    LibraryIsFound {
        /// The library.
        library: Vec<u8>,
        /// The file.
        file: Place,
    },
    /// The library exists, and nothing is known that prevents it from being opened.
    LibraryIsHere {
        /// The library.
        library: Vec<u8>,
        /// The file.
        file: Place,
    },
    /// The library is opened by its bare name, so search paths of the environment are not used.
    OpenedByName {
        /// The library.
        library: Vec<u8>,
        /// The Python file that opens it and the line, if known.
        code: Option<(Place, u32)>,
        /// The file, if it is in the environment.
        file: Option<Place>,
    },
    /// The path is relative to the working directory of the program, and did not exist.
    OpenedByRelativePath {
        /// The path in the message.
        path: Vec<u8>,
        /// The file that may be meant.
        file: Place,
    },
    /// The object exists, and nothing is wrong with it.
    NothingIsWrong {
        /// The object.
        object: Place,
    },
}

/// The fix for a message that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remedy {
    /// The fix for the message alone.
    OfWords,
    /// The fix for the first finding.
    OfFinding,
    /// A command of tfpatch.
    Command(CommandLine),
    /// Open a library by its path.
    OpenByPath(PathBuf),
    /// Open a file by its absolute path, or start the program in the directory that the path is relative to.
    OpenFromRoot {
        /// The file.
        file: PathBuf,
        /// That directory.
        from: PathBuf,
    },
    /// Reinstall the distribution.
    Reinstall,
    /// Install another release of the distribution.
    OtherRelease,
    /// Rename a file of the program.
    Rename(PathBuf),
    /// Restart a program that still reports the message.
    Restart,
    /// The same; on another machine, the fix for the message alone.
    RestartOrOfWords,
    /// Prevent a program that still reports it from loading another copy; otherwise the fix for the message
    /// alone.
    OtherCopy,
}

/// The result of checking a message.
#[derive(Debug, Clone)]
pub struct Verdict {
    /// The outcome.
    pub outcome: Outcome,
    /// The cause in the environment, or the most likely one according to the message; `None` if nothing is
    /// wrong.
    pub cause: Option<Cause>,
    /// What was found.
    pub case: Case,
    /// The fix.
    pub remedy: Remedy,
    /// Can `tfpatch fix` fix it?
    pub fixable: bool,
    /// The matching findings, the best match first.
    pub findings: Vec<Finding>,
    /// The tool that installs packages into the checked environment, if the message is about it.
    pub installs: Installs,
}

impl Verdict {
    /// The verdict from the message alone.
    #[must_use]
    pub fn by_words(message: &Message, outcome: Outcome) -> Self {
        let case = match outcome {
            Outcome::NotHere => Case::PathsElsewhere,
            Outcome::NoEnvironment => Case::NoEnvironment,
            _ => Case::WordsAlone,
        };
        Self {
            outcome,
            cause: message.cause(),
            case,
            remedy: Remedy::OfWords,
            fixable: false,
            findings: Vec::new(),
            installs: Installs::default(),
        }
    }

    pub(super) fn found(message: &Message, findings: Vec<Finding>) -> Option<Self> {
        let first = findings.first()?;
        let lacks = matches!(first.cause, Cause::VersionMismatch | Cause::MissingSymbol);
        let case = Case::Finding {
            lacks_symbols: lacks && message.kind == Kind::LibraryNotFound,
            others: findings.len() - 1,
        };
        Some(Self {
            outcome: Outcome::Found,
            cause: Some(first.cause),
            case,
            remedy: match message.saying {
                // The row knows the message better than a finding that is only similar.
                Some(_) if !first.fixable => Remedy::OfWords,
                // The user who runs the program has to read the file, rather than the one who runs tfpatch.
                None if first.cure == Cure::RunAsReader => Remedy::OfWords,
                _ => Remedy::OfFinding,
            },
            fixable: first.fixable,
            installs: first.installs.clone(),
            findings,
        })
    }

    /// Adds the fix for another machine, if no path in the message shows which machine it is from.
    pub(super) fn or_elsewhere(self, message: &Message) -> Self {
        match message.object.is_none() && message.near.is_none() {
            true => Self { remedy: Remedy::RestartOrOfWords, ..self },
            false => self,
        }
    }

    /// Explains that another copy is loaded, because the program fails although the files are fine.
    pub(super) fn of_another_copy(self) -> Self {
        Self { remedy: Remedy::OtherCopy, ..self }
    }

    pub(super) fn resolved(case: Case) -> Self {
        Self {
            outcome: Outcome::Resolves,
            cause: None,
            case,
            remedy: Remedy::Restart,
            fixable: false,
            findings: Vec::new(),
            installs: Installs::default(),
        }
    }
}
