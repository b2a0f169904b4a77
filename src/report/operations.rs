//! Reports of what was done, and of what became of it since, for programs.

use super::words::operations as words;
use crate::app::verify::FileSeen;
use crate::operation::{Change, FileDiff, LeftAlone, Operation, Reverted, State};
use crate::plan::{Kind, RelativePath};
use crate::report::json::FindingReport;
use crate::report::linked::LinkReport;
use schemars::JsonSchema;
use serde::Serialize;

/// `tfpatch/log/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct LogReport {
    schema: &'static str,
    operations: Vec<Operation>,
}

impl LogReport {
    /// The operations, the newest first.
    #[must_use]
    pub fn new(operations: Vec<Operation>) -> Self {
        Self { schema: "tfpatch/log/v1", operations }
    }
}

/// `tfpatch/diff/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct DiffReport {
    schema: &'static str,
    files: Vec<FileDiff>,
}

impl DiffReport {
    /// What was changed of each file.
    #[must_use]
    pub fn new(files: Vec<FileDiff>) -> Self {
        Self { schema: "tfpatch/diff/v1", files }
    }
}

/// `tfpatch/revert/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct RevertReport {
    schema: &'static str,
    dry_run: bool,
    targets: Vec<PutBackReport>,
}

impl RevertReport {
    /// What was restored in each target, or would be.
    #[must_use]
    pub fn new<'a>(dry_run: bool, targets: impl Iterator<Item = &'a Reverted>) -> Self {
        let targets = targets.map(PutBackReport::of).collect();
        Self { schema: "tfpatch/revert/v1", dry_run, targets }
    }
}

/// What a revert did, or would do.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Reverted")]
pub struct PutBackReport {
    /// The operation; none if no file is to be restored.
    operation: Option<Operation>,
    /// Files that another program, or a later operation, has changed since, which are left as they
    /// are.
    refused: Vec<LeftAloneReport>,
    /// Files that already have their original content, for instance because they were reinstalled.
    already: Vec<RelativePath>,
    /// Files that were uninstalled since, with the RECORD that listed them.
    uninstalled: Vec<RelativePath>,
}

impl PutBackReport {
    /// Of what a revert did in one target.
    #[must_use]
    pub fn of(reverted: &Reverted) -> Self {
        let Reverted { operation, refused, already, uninstalled } = reverted;
        Self {
            operation: operation.clone(),
            refused: refused.iter().map(LeftAloneReport::of).collect(),
            already: already.clone(),
            uninstalled: uninstalled.clone(),
        }
    }
}

/// A file that is not the one that was recorded.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LeftAlone")]
struct LeftAloneReport {
    /// The file.
    #[serde(flatten)]
    path: RelativePath,
    /// How it differs.
    #[serde(flatten)]
    change: ChangeReport,
}

impl LeftAloneReport {
    fn of(left: &LeftAlone) -> Self {
        Self { path: left.path.clone(), change: ChangeReport::of(&left.change) }
    }
}

/// How a file differs from what was recorded of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
#[schemars(rename = "Change")]
enum ChangeReport {
    /// It is not there.
    Gone,
    /// It is not a regular file, or is a different link than was recorded.
    OtherKind,
    /// It has another length.
    Size {
        /// The recorded length in bytes.
        expected: u64,
        /// The length it has.
        found: u64,
    },
    /// Its bytes differ in the recorded ranges.
    Digest {
        /// Offset of the first byte that is not the one that was written there; none where all that
        /// was written is there, and something around it differs.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
        /// The recorded digest.
        expected: String,
        /// The digest it has; "unreadable" where the bytes cannot be read.
        found: String,
    },
    /// Its bytes differ outside the edits, so that the old ones cannot be given back whole.
    Outside {
        /// The recorded digest of the whole file.
        expected: String,
        /// The digest it has; "unreadable" where the bytes cannot be read.
        found: String,
    },
    /// An undo record would change more of it than an edit does.
    Forbidden {
        /// What would change.
        why: String,
    },
    /// These operations changed it after the one that is to be reverted.
    Later {
        /// Their IDs, the newest first.
        operations: Vec<String>,
    },
}

impl ChangeReport {
    fn of(change: &Change) -> Self {
        match change.clone() {
            Change::Gone => Self::Gone,
            Change::OtherKind => Self::OtherKind,
            Change::Size { expected, found } => Self::Size { expected, found },
            Change::Digest { at, expected, found } => Self::Digest { at, expected, found },
            Change::Outside { expected, found } => Self::Outside { expected, found },
            Change::Forbidden { what } => Self::Forbidden { why: words::unpermitted(&what) },
            Change::Later { operations } => Self::Later { operations },
        }
    }
}

/// `tfpatch/verify/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifyReport {
    schema: &'static str,
    files: Vec<VerifiedFile>,
    findings: Vec<FindingReport>,
    /// Linked directories with objects that are outside the targets, and were not looked into.
    pub not_followed: Vec<LinkReport>,
}

/// A file that operations have changed, as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifiedFile {
    /// Relative to the store's directory.
    #[serde(flatten)]
    path: RelativePath,
    /// What kind of file it is.
    kind: Kind,
    /// What it is now.
    #[serde(flatten)]
    state: StateReport,
    /// The distribution, with its version, that has installed the file as it is now: an installer
    /// was at work since.
    installed_by: Option<String>,
}

impl VerifiedFile {
    /// Of a file that was looked at.
    #[must_use]
    pub fn of(seen: &FileSeen) -> Self {
        let state = match &seen.file.state {
            State::AsLeft => StateReport::AsLeft,
            State::Reverted => StateReport::Reverted,
            State::Changed(change) => StateReport::Changed(ChangeReport::of(change)),
            State::Gone => StateReport::Gone,
            State::Uninstalled => StateReport::Uninstalled,
        };
        let installed_by = seen.installed_by.clone();
        Self { path: seen.file.path.clone(), kind: seen.file.kind, state, installed_by }
    }
}

/// What a file is, compared with what was recorded of it.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
enum StateReport {
    /// As the last operation left it.
    AsLeft,
    /// As it was before the first operation: reverted, or reinstalled.
    Reverted,
    /// Something else.
    Changed(ChangeReport),
    /// Not there.
    Gone,
    /// Not there, and neither is the RECORD that listed it: its distribution was uninstalled, or
    /// another version of it was installed. Nothing is expected of the file any more.
    Uninstalled,
}

impl VerifyReport {
    /// A report of no file yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            schema: "tfpatch/verify/v1",
            files: Vec::new(),
            findings: Vec::new(),
            not_followed: Vec::new(),
        }
    }

    /// Adds what was found in one target.
    pub fn add(&mut self, files: Vec<VerifiedFile>, findings: Vec<FindingReport>) {
        self.files.extend(files);
        self.findings.extend(findings);
    }
}

impl Default for VerifyReport {
    fn default() -> Self {
        Self::new()
    }
}
