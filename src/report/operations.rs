//! Reports of what was done, and of what became of it since, for programs.

use crate::operation::{FileDiff, FileState, Operation, Reverted};
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
    targets: Vec<Reverted>,
}

impl RevertReport {
    /// What was put back in each target, or would be.
    #[must_use]
    pub fn new(dry_run: bool, targets: Vec<Reverted>) -> Self {
        Self { schema: "tfpatch/revert/v1", dry_run, targets }
    }
}

/// `tfpatch/verify/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifyReport {
    schema: &'static str,
    files: Vec<VerifiedFile>,
    findings: Vec<FindingReport>,
    /// Linked directories with objects that lie outside of the targets, and were not looked into.
    pub not_followed: Vec<LinkReport>,
}

/// A file that operations have changed, as it is now.
#[derive(Debug, Serialize, JsonSchema)]
pub struct VerifiedFile {
    /// What became of it.
    #[serde(flatten)]
    pub file: FileState,
    /// The distribution, with its version, that has installed the file as it is now: an installer
    /// was at work since.
    pub installed_by: Option<String>,
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
