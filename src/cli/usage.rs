//! Adapts clap: which options the help of a command shows, and suggestions for unknown words.

use super::args::Arguments;
use crate::bytes::printable;
use crate::report::layout::DEFAULT_WIDTH;
use crate::report::words::Words;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Command, CommandFactory as _};

/// The maximum width of the help; longer lines are hard to read.
const MAX_WIDTH: usize = 100;

/// The options of every command, by their names in clap and as listed in the help of a command.
const COMMON: &[(&str, &str)] = &[
    ("format", "--format FORMAT"),
    ("json", ""),
    ("full_paths", "--full-paths"),
    ("color", "--color WHEN"),
    ("quiet", "-q"),
    ("verbose", "-v"),
    ("jobs", "--jobs N"),
    ("root", "--root ROOTFS"),
    ("store", "--store DIR"),
    ("trust_store", "--trust-store DIR"),
];

/// Words that users type, and their meaning.
const SUGGESTIONS: &[(&str, &str)] = &[
    ("check", "`tfpatch doctor` finds problems; `tfpatch verify` checks patched files"),
    ("diagnose", "`tfpatch doctor` finds problems"),
    ("scan", "`tfpatch doctor` finds problems"),
    ("repair", "`tfpatch fix` repairs search paths"),
    ("patch", "`tfpatch fix` repairs search paths"),
    ("restore", "`tfpatch revert` undoes changes"),
    ("rollback", "`tfpatch revert` undoes changes"),
    ("history", "`tfpatch log` lists the operations"),
    ("status", "`tfpatch verify` checks patched files; `tfpatch log` lists the operations"),
    ("ldd", "`tfpatch tree FILE` shows the dependencies of a file"),
    ("run", "`tfpatch trace COMMAND` runs a command"),
];

/// The command line, with help that fits a terminal of this width.
#[must_use]
pub fn command(terminal: Option<usize>) -> Command {
    let width = terminal.unwrap_or(DEFAULT_WIDTH).min(MAX_WIDTH);
    let mut command = Arguments::command().term_width(width);
    // This sets the full name of every command, and passes the common options down.
    command.build();
    command.mut_subcommands(with_own_options)
}

/// A command whose help shows its own options, and lists the relevant common ones in one paragraph.
fn with_own_options(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let command = command
        .mut_args(|arg| {
            let is_common = COMMON.iter().any(|(id, _)| *id == arg.get_id().as_str());
            if is_common { arg.hide(true) } else { arg }
        })
        .mut_subcommands(with_own_options);
    let listed: Vec<&str> = COMMON
        .iter()
        .filter(|(id, shown)| !shown.is_empty() && has_meaning(id, &name))
        .map(|(_, shown)| *shown)
        .collect();
    if listed.is_empty() {
        return command;
    }
    let common = format!("Common options: {} (see `tfpatch --help`)", listed.join(", "));
    let long = match command.get_after_long_help() {
        Some(own) => format!("{own}\n\n{common}"),
        None => common.clone(),
    };
    command.after_help(common).after_long_help(long)
}

/// Does a common option affect a command?
fn has_meaning(option: &str, command: &str) -> bool {
    match command {
        "completions" | "man" | "help" => false,
        "doctor" | "explain" => !matches!(option, "store" | "trust_store"),
        "show" | "tree" => matches!(option, "format" | "color" | "quiet" | "verbose" | "root"),
        "print" => matches!(option, "color" | "root"),
        "trace" => !matches!(option, "root" | "full_paths"),
        _ => option != "full_paths",
    }
}

/// The suggestion for a word that is neither a command nor an option.
#[must_use]
pub fn suggestion(error: &clap::Error) -> Option<String> {
    let word = |kind| match error.get(kind) {
        Some(ContextValue::String(word)) => Some(word.as_str()),
        _ => None,
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let word = word(ContextKind::InvalidSubcommand)?;
            let known = SUGGESTIONS.iter().find(|(typed, _)| *typed == word);
            let is_target = || word.contains(['/', '.']);
            let doctor = || format!("`tfpatch doctor {}` checks it", printable(word.as_bytes()));
            known.map(|(_, hint)| (*hint).to_owned()).or_else(|| is_target().then(doctor))
        }
        ErrorKind::UnknownArgument => match word(ContextKind::InvalidArg)? {
            "--fix" => Some("`tfpatch fix` repairs search paths".to_owned()),
            "--undo" | "--revert" => Some("`tfpatch revert` undoes changes".to_owned()),
            // Options of Python, for a command that was meant to run.
            "-c" | "-m" if takes_command(error) => {
                Some("a command follows `--`, as in `-- python -c CODE`".to_owned())
            }
            _ => None,
        },
        _ => None,
    }
}

/// Does the command of an error run another one that follows `--`?
fn takes_command(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::Usage),
        Some(ContextValue::StyledStr(usage)) if usage.to_string().contains("-- <COMMAND>"))
}

/// The text for an unknown command.
#[must_use]
pub fn unknown(asked: &[String], above: &Command) -> Words {
    let names: Vec<_> = above.get_subcommands().map(Command::get_name).collect();
    let what = Words::new(format!("unknown command: {}", asked.join(" ")));
    if names.is_empty() { what } else { what.hint(format!("one of {}", names.join(", "))) }
}
