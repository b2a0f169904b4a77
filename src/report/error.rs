//! Errors that end a command, for programs.

use super::words::Words;
use crate::app::ErrorKind;
use schemars::JsonSchema;
use serde::Serialize;

/// `tfpatch/error/v1`: the content of standard output instead of a report.
#[derive(Debug, Serialize, JsonSchema)]
pub struct ErrorReport {
    schema: &'static str,
    /// The kind of the error.
    kind: ErrorKind,
    /// The text on standard error.
    message: String,
    /// Hints, which are sentences.
    hints: Vec<String>,
}

impl ErrorReport {
    /// An error of a kind, with its text.
    #[must_use]
    pub fn new(kind: ErrorKind, words: &Words) -> Self {
        Self::of(kind, words.message(), words.hints().to_vec())
    }

    /// An error in the command line.
    #[must_use]
    pub fn of_usage(message: String) -> Self {
        Self::of(ErrorKind::Usage, message, Vec::new())
    }

    fn of(kind: ErrorKind, message: String, hints: Vec<String>) -> Self {
        Self { schema: "tfpatch/error/v1", kind, message, hints }
    }
}
