//! What ends a command early, with the cure.

use crate::bytes::{is_inert, printable};
use crate::operation;
use crate::report::inert;
use clap::error::{ContextKind, ContextValue};
use std::fmt;
use std::io::Write as _;
use std::process::ExitCode;

/// Exit status 2: bad usage, a target that cannot be read or holds nothing to judge, an I/O error.
pub const TROUBLE: u8 = 2;

/// A command that could not be carried out.
#[derive(Debug)]
pub struct CommandError {
    /// What went wrong, with the file and the operation.
    source: Box<dyn std::error::Error + Send + Sync>,
    /// What it consists of, a line each.
    details: Vec<String>,
    /// What may help, a sentence each.
    hints: Vec<String>,
}

impl CommandError {
    /// An error with what caused it.
    pub fn new(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self { source: source.into(), details: Vec::new(), hints: Vec::new() }
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

    /// Says it on standard error. Where even that cannot be written, the exit status has to do.
    pub fn complain(&self) {
        let mut out = inert::stderr();
        let _ = writeln!(out, "tfpatch: error: {self}").and_then(|()| out.flush());
    }

    /// The exit status.
    #[must_use]
    pub fn exit_code(&self) -> ExitCode {
        ExitCode::from(TROUBLE)
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

impl<E: std::error::Error + Send + Sync + 'static> From<E> for CommandError {
    fn from(source: E) -> Self {
        Self::new(source)
    }
}

impl fmt::Display for CommandError {
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

/// An error about the words of the command line, which it repeats: each in one line, and as inert text.
#[must_use]
pub fn inert(mut error: clap::Error) -> clap::Error {
    let escaped = |text: &String| printable(text.as_bytes());
    let is_odd = |text: &String| !text.chars().all(is_inert);
    let is_harmless = error.context().all(|(_, value)| match value {
        ContextValue::String(text) => !is_odd(text),
        ContextValue::Strings(texts) => !texts.iter().any(is_odd),
        _ => true,
    });
    if is_harmless {
        return error;
    }
    let escape = |(kind, value): (ContextKind, &ContextValue)| match value {
        ContextValue::String(text) => Some((kind, ContextValue::String(escaped(text)))),
        ContextValue::Strings(texts) => {
            Some((kind, ContextValue::Strings(texts.iter().map(escaped).collect())))
        }
        // Which of the escapes in these is a style of clap's cannot be told.
        ContextValue::StyledStrs(texts) => {
            let plain = texts.iter().map(|text| escaped(&text.to_string()).into()).collect();
            Some((kind, ContextValue::StyledStrs(plain)))
        }
        _ => None,
    };
    let changed: Vec<_> = error.context().filter_map(escape).collect();
    for (kind, value) in changed {
        error.insert(kind, value);
    }
    error
}
