//! What ends a use-case early, with the cure.

use crate::bytes::printable;
use crate::operation;
use crate::python::{discovery, target};
use schemars::JsonSchema;
use serde::Serialize;
use std::fmt;
use std::io;
use std::sync::Arc;

/// Of what kind an error is. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The words of the command line are not understood.
    Usage,
    /// What was named is not there, is something else, or nothing was found to look at.
    Target,
    /// An operation cannot be carried out, taken back or recovered.
    Operation,
    /// The operating system refused.
    Io,
    /// Anything else.
    Other,
}

/// What was asked for could not be done.
#[derive(Debug, Clone)]
pub struct Error {
    /// What went wrong, with the file and the operation.
    source: Arc<dyn std::error::Error + Send + Sync>,
    /// What it consists of, a line each.
    details: Vec<String>,
    /// What may help, a sentence each.
    hints: Vec<String>,
}

impl Error {
    /// An error with what caused it.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: Arc::from(source.into()), details: Vec::new(), hints: Vec::new() }
    }

    /// Adds a line of what it consists of.
    #[must_use]
    pub fn detail(mut self, detail: String) -> Self {
        self.details.push(detail);
        self
    }

    /// Adds a sentence that may help.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Of what kind it is.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        let source = &self.source;
        if source.is::<target::Error>() || source.is::<discovery::Error>() {
            ErrorKind::Target
        } else if source.is::<operation::Error>() {
            ErrorKind::Operation
        } else if source.is::<io::Error>() {
            ErrorKind::Io
        } else {
            ErrorKind::Other
        }
    }

    /// What went wrong, and what it consists of: a line each.
    #[must_use]
    pub fn message(&self) -> String {
        let without_hints = Self { hints: Vec::new(), ..self.clone() };
        without_hints.to_string()
    }

    /// What may help, a sentence each.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// Can it be that another tfpatch, at work meanwhile, is all that was in the way? Not where we
    /// waited for it in vain.
    #[must_use]
    pub fn may_be_outdated(&self) -> bool {
        let error = self.source.downcast_ref::<operation::Error>();
        !matches!(error, Some(operation::Error::Locked { .. }))
    }

    /// Did somebody else change a file between the plan and the operation?
    #[must_use]
    pub fn is_overtaken(&self) -> bool {
        let error = self.source.downcast_ref::<operation::Error>();
        error.is_some_and(operation::Error::is_overtaken)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Self::new(source)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words = self.source.to_string();
        to.write_str(&printable(words.as_bytes()))?;
        let mut cause = self.source.source();
        while let Some(error) = cause {
            // Errors that already quote their cause are not made to say it twice.
            let next = error.to_string();
            if !words.contains(&next) {
                write!(to, ": {}", printable(next.as_bytes()))?;
            }
            words = next;
            cause = error.source();
        }
        let mut details = self.details.iter();
        details.try_for_each(|detail| write!(to, "\n  {}", printable(detail.as_bytes())))?;
        let mut hints = self.hints.iter();
        hints.try_for_each(|hint| write!(to, "\n  hint: {}", printable(hint.as_bytes())))
    }
}
