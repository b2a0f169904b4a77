//! What ends a command early, for programs.

use super::words::Words;
use crate::app::ErrorKind;
use schemars::JsonSchema;
use serde::Serialize;

/// `tfpatch/error/v1`: what standard output holds in the stead of a report.
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
        let (message, hints) = (words.message(), words.hints().to_vec());
        Self { schema: "tfpatch/error/v1", kind, message, hints }
    }
}
