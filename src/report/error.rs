//! What ends a command early, for programs.

use super::words::Words;
use crate::app::ErrorKind;
use schemars::JsonSchema;
use serde::Serialize;

/// `tfpatch/error/v1`: what standard output holds instead of a report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorReport {
    schema: &'static str,
    /// Of what kind it is.
    kind: ErrorKind,
    /// What went wrong, as it is said on standard error.
    message: String,
    /// What may help, a sentence each.
    hints: Vec<String>,
}

impl ErrorReport {
    /// An error of a kind, in words.
    #[must_use]
    pub fn new(kind: ErrorKind, words: &Words) -> Self {
        Self::of(kind, words.message(), words.hints().to_vec())
    }

    /// An error about the words of the command line.
    #[must_use]
    pub fn of_usage(message: String) -> Self {
        Self::of(ErrorKind::Usage, message, Vec::new())
    }

    fn of(kind: ErrorKind, message: String, hints: Vec<String>) -> Self {
        Self { schema: "tfpatch/error/v1", kind, message, hints }
    }
}
