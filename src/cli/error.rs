//! Errors that end a command, and how they are reported.

use super::{terminal, usage};
use crate::app::error::NotRun;
use crate::app::{self, ErrorKind as Kind};
use crate::bytes::{is_inert, printable};
use crate::operation;
use crate::report::error::ErrorReport;
use crate::report::inert::{self, Form, Inert};
use crate::report::json;
use crate::report::layout::Layout;
use crate::report::style::{COMMAND, ERROR, paint};
use crate::report::words::Words;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Exit status 2: invalid usage, a target that cannot be read or contains nothing to check, an I/O error.
pub const TROUBLE: u8 = 2;

/// The exit statuses for a missing command, and for one that cannot be run, as in POSIX for shells and `env`.
const NO_COMMAND: u8 = 127;
const NO_PROGRAM: u8 = 126;

/// An error that ends a command.
#[derive(Debug)]
pub enum Error {
    /// A use-case could not be carried out.
    App(app::Error),
    /// A command to be traced could not be run.
    Untraced(app::Error),
    /// The command line requests something impossible, or a file in it cannot be read or written.
    Said(Words),
}

impl Error {
    /// The text of the error.
    fn words(&self) -> Words {
        match self {
            Self::App(error) | Self::Untraced(error) => Words::of(error),
            Self::Said(words) => words.clone(),
        }
    }

    /// The exit status: for a command to be traced, as in env(1).
    #[must_use]
    pub fn status(&self) -> u8 {
        match self {
            Self::Untraced(app::Error::NotRun(NotRun::NotStarted { source, .. })) => {
                match source.kind() {
                    io::ErrorKind::NotFound => NO_COMMAND,
                    _ => NO_PROGRAM,
                }
            }
            _ => TROUBLE,
        }
    }

    /// The text in one line, without hints.
    #[must_use]
    pub fn line(&self) -> String {
        self.words().to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// The error for programs.
    #[must_use]
    pub fn report(&self) -> ErrorReport {
        let kind = match self {
            Self::App(error) | Self::Untraced(error) => error.kind(),
            Self::Said(_) => Kind::Other,
        };
        ErrorReport::new(kind, &self.words())
    }
}

impl From<app::Error> for Error {
    fn from(error: app::Error) -> Self {
        Self::App(error)
    }
}

impl From<operation::Error> for Error {
    fn from(error: operation::Error) -> Self {
        Self::App(error.into())
    }
}

impl From<Words> for Error {
    fn from(words: Words) -> Self {
        Self::Said(words)
    }
}

impl<E: std::error::Error + Send + Sync + 'static> From<E> for Error {
    fn from(source: E) -> Self {
        Self::App(source.into())
    }
}

/// Writes an error to standard error. If that fails, only the exit status reports it.
pub fn complain(error: &Error) {
    let mut out = Layout::new(inert::stderr(), terminal::width_of(&io::stderr(), || None));
    let _ = writeln!(out, "{}", in_style(&format!("error: {}", error.words())))
        .and_then(|()| out.flush());
}

/// An error with its hints, in the common style of all errors.
fn in_style(text: &str) -> String {
    let text = match text.strip_prefix("error: ") {
        Some(rest) => format!("{} {rest}", paint(ERROR, "error:")),
        None => text.to_owned(),
    };
    text.replace("\n  hint: ", &format!("\n  {} ", paint(COMMAND, "hint:")))
}

/// The text of an error about arguments: that of clap, in the style of tfpatch.
#[must_use]
pub fn usage_text(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text =
        text.trim_end().replace("\n\n  tip: ", "\n  hint: ").replace("\n  tip: ", "\n  hint: ");
    let Some(hint) = usage::suggestion(error) else { return text };
    let (what, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    // A known suggestion is better than a word with similar spelling.
    let what = what.lines().next().unwrap_or_default();
    format!("{what}\n  hint: {hint}\n\n{rest}")
}

/// Writes an error to standard output as JSON, if JSON was requested. If that fails, only the exit status
/// reports it.
pub fn report(error: &ErrorReport) {
    let mut out = Inert::new(io::stdout(), Form::Json);
    let _ = json::write(&mut out, error).and_then(|()| out.flush());
}

/// Reports an error about the arguments, or prints the requested help; returns the exit status.
#[must_use]
pub fn refuse(error: clap::Error, asks_for_json: bool) -> ExitCode {
    let mut error = inert(error);
    // The only suggestion of clap would be to put a misspelt option after `--`, where it would become a
    // command.
    let is_option = matches!(error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(word)) if word.starts_with('-'));
    if is_option {
        error.remove(ContextKind::Suggested);
    }
    let status = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(TROUBLE));
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !error.use_stderr() {
        // If this fails, only the exit status reports the error.
        let _ = error.print();
        return status;
    }
    let text = usage_text(&error);
    if asks_for_json {
        report(&ErrorReport::of_usage(text.clone()));
    }
    let mut out = Layout::new(inert::stderr(), terminal::width_of(&io::stderr(), || None));
    // If even this fails, only the exit status reports the error.
    let _ = writeln!(out, "{}", in_style(&text)).and_then(|()| out.flush());
    status
}

/// An error about arguments, which it quotes: each in one line, as inert text.
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
        // The escapes in these cannot be distinguished from the styles of clap.
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
