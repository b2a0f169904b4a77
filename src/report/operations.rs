//! Reports about operations and the current state of their files, for programs.

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
    /// The operations, newest first.
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
    /// The changes of each file.
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
    /// The restored files of each target, or those that would be restored.
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
    /// The operation; `null` if no file has to be restored.
    operation: Option<Operation>,
    /// Files that another program or a later operation has changed since. They are not restored.
    refused: Vec<LeftAloneReport>,
    /// Files that already have their original content, for example because they were reinstalled.
    already: Vec<RelativePath>,
    /// Files that were uninstalled since, together with the RECORD that listed them.
    uninstalled: Vec<RelativePath>,
    /// Files that another program changed between two operations. They get the bytes from before the operation, and
    /// older ones cannot be undone.
    changed_between: Vec<ChangedBetween>,
}

/// A file that another program changed between two operations.
#[derive(Debug, Serialize, JsonSchema)]
struct ChangedBetween {
    /// The file.
    #[serde(flatten)]
    path: RelativePath,
    /// The ID of the oldest operation that can be undone.
    operation: String,
}

impl PutBackReport {
    /// The result of a revert in one target.
    #[must_use]
    pub fn of(reverted: &Reverted) -> Self {
        let Reverted { operation, refused, already, uninstalled, changed_between } = reverted;
        let changed_between = changed_between.iter().map(|(path, operation)| ChangedBetween {
            path: path.clone(),
            operation: operation.clone(),
        });
        Self {
            operation: operation.clone(),
            refused: refused.iter().map(LeftAloneReport::of).collect(),
            already: already.clone(),
            uninstalled: uninstalled.clone(),
            changed_between: changed_between.collect(),
        }
    }
}

/// A file that differs from its recorded state.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "LeftAlone")]
struct LeftAloneReport {
    /// The file.
    #[serde(flatten)]
    path: RelativePath,
    /// The difference.
    #[serde(flatten)]
    change: ChangeReport,
}

impl LeftAloneReport {
    fn of(left: &LeftAlone) -> Self {
        Self { path: left.path.clone(), change: ChangeReport::of(&left.change) }
    }
}

/// How a file differs from its recorded state.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "change")]
#[schemars(rename = "Change")]
enum ChangeReport {
    /// It does not exist.
    Gone,
    /// It is not a regular file, or a different link than recorded.
    OtherKind,
    /// Its length differs.
    Size {
        /// The recorded length in bytes.
        expected: u64,
        /// The current length in bytes.
        found: u64,
    },
    /// Its bytes differ in the recorded ranges.
    Digest {
        /// The offset of the first byte that differs from what was written; `null` if everything that was
        /// written is still there, and something around it differs.
        #[serde(skip_serializing_if = "Option::is_none")]
        at: Option<u64>,
        /// The recorded digest.
        expected: String,
        /// The current digest; "unreadable" if the bytes cannot be read.
        found: String,
    },
    /// Its bytes differ outside the edits, so that the old content cannot be restored completely.
    Outside {
        /// The recorded digest of the whole file.
        expected: String,
        /// The current digest; "unreadable" if the bytes cannot be read.
        found: String,
    },
    /// An undo record would change more of it than an edit can.
    Forbidden {
        /// What the record would change.
        why: String,
    },
    /// These operations changed it after the one that is to be reverted.
    Later {
        /// Their IDs, newest first.
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
    /// Linked directories with objects outside the targets, which were not examined.
    pub not_followed: Vec<LinkReport>,
}

/// The current state of a file that operations have changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifiedFile {
    /// Relative to the store's directory.
    #[serde(flatten)]
    path: RelativePath,
    /// What kind of file it is.
    kind: Kind,
    /// Its current state.
    #[serde(flatten)]
    state: StateReport,
    /// The distribution, with its version, that installed the current file. An installer has replaced the
    /// file since.
    installed_by: Option<String>,
}

impl VerifiedFile {
    /// For a file that was examined.
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

/// The state of a file compared with the recorded ones.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "state")]
enum StateReport {
    /// Its content is that of the last operation.
    AsLeft,
    /// Its content is that before the first operation: the file was reverted or reinstalled.
    Reverted,
    /// It has another content.
    Changed(ChangeReport),
    /// It does not exist.
    Gone,
    /// It does not exist, and neither does the RECORD that listed it: its distribution was uninstalled, or
    /// another version of it was installed. The file is not expected to exist.
    Uninstalled,
}

impl VerifyReport {
    /// A report without files.
    #[must_use]
    pub fn new() -> Self {
        Self {
            schema: "tfpatch/verify/v1",
            files: Vec::new(),
            findings: Vec::new(),
            not_followed: Vec::new(),
        }
    }

    /// Adds the files of one target.
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
