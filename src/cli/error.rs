//! What ends a command early, as it is said.

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

/// Exit status 2: bad usage, a target that cannot be read or holds nothing to judge, an I/O error.
pub const TROUBLE: u8 = 2;

/// A command that is none, and a file that cannot be run, as POSIX has it for shells and for `env`.
const NO_COMMAND: u8 = 127;
const NO_PROGRAM: u8 = 126;

/// What ends a command early.
#[derive(Debug)]
pub enum Error {
    /// A use-case could not be carried out.
    App(app::Error),
    /// A command that was to be traced could not be run.
    Untraced(app::Error),
    /// What the command line requests is not possible, or something of it cannot be read or written.
    Said(Words),
}

impl Error {
    /// What is said of it.
    fn words(&self) -> Words {
        match self {
            Self::App(error) | Self::Untraced(error) => Words::of(error),
            Self::Said(words) => words.clone(),
        }
    }

    /// The exit status that tells of it: as env(1) has it for a command that was to be traced.
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

    /// What is said of it, in one line and without hints.
    #[must_use]
    pub fn line(&self) -> String {
        self.words().to_string().lines().next().unwrap_or_default().to_owned()
    }

    /// The same for programs.
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

/// Says an error on standard error. Where even that cannot be written, the exit status has to do.
pub fn complain(error: &Error) {
    let mut out = Layout::new(inert::stderr(), terminal::width_of(&io::stderr(), || None));
    let _ = writeln!(out, "{}", in_style(&format!("error: {}", error.words())))
        .and_then(|()| out.flush());
}

/// An error with its hints, in the style that both those of the command line and all others have.
fn in_style(text: &str) -> String {
    let text = match text.strip_prefix("error: ") {
        Some(rest) => format!("{} {rest}", paint(ERROR, "error:")),
        None => text.to_owned(),
    };
    text.replace("\n  hint: ", &format!("\n  {} ", paint(COMMAND, "hint:")))
}

/// The words for an error about the arguments: as clap has it, in our form.
#[must_use]
pub fn usage_text(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let text =
        text.trim_end().replace("\n\n  tip: ", "\n  hint: ").replace("\n  tip: ", "\n  hint: ");
    let Some(hint) = usage::suggestion(error) else { return text };
    let (what, rest) = text.split_once("\n\n").unwrap_or((&text, ""));
    // What we know is better than what is spelled alike.
    let what = what.lines().next().unwrap_or_default();
    format!("{what}\n  hint: {hint}\n\n{rest}")
}

/// Writes a report about an error to standard output, where a report in JSON was requested. Where it cannot
/// be written, the exit status has to do.
pub fn report(error: &ErrorReport) {
    let mut out = Inert::new(io::stdout(), Form::Json);
    let _ = json::write(&mut out, error).and_then(|()| out.flush());
}

/// Reports an error about the arguments, or the help that they ask for; the exit status.
#[must_use]
pub fn refuse(error: clap::Error, asks_for_json: bool) -> ExitCode {
    let mut error = inert(error);
    // What is misspelt here is not a command to be run, which is all that `--` would make of it.
    let is_option = matches!(error.get(ContextKind::InvalidArg),
        Some(ContextValue::String(word)) if word.starts_with('-'));
    if is_option {
        error.remove(ContextKind::Suggested);
    }
    let status = ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(TROUBLE));
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand || !error.use_stderr() {
        // Where it cannot be written, the exit status has to do.
        let _ = error.print();
        return status;
    }
    let text = usage_text(&error);
    if asks_for_json {
        report(&ErrorReport::of_usage(text.clone()));
    }
    let mut out = Layout::new(inert::stderr(), terminal::width_of(&io::stderr(), || None));
    // Where even that cannot be written, the exit status has to do.
    let _ = writeln!(out, "{}", in_style(&text)).and_then(|()| out.flush());
    status
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
