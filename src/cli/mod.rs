//! The command line: parses arguments, calls use-cases, and reports results.

pub mod args;
pub mod asked;
pub mod bare_lines;
pub mod child;
pub mod commands;
pub mod direct_args;
pub mod edit_args;
pub mod error;
pub mod foreign;
pub mod host;
pub mod install_name_tool;
pub mod message_text;
pub mod notes;
pub mod patchelf;
pub mod plan_file;
pub mod probe;
pub mod progress;
pub mod proof;
mod quick;
pub mod repairs;
pub mod run_args;
pub mod session;
pub mod settings;
mod simulation;
mod terminal;
pub mod traced;
pub mod usage;
pub mod words_of_run;
mod writes;

use self::args::{Arguments, Command, Format};
use self::error::Error;
use self::session::Session;
use crate::operation;
use crate::report::markdown::Fenced;
use crate::report::words::Words;
use clap::{CommandFactory as _, FromArgMatches as _};
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::ExitCode;

/// Runs the command line of another program, after the name that it was called by.
type Main = fn(&OsStr, &[OsString]) -> ExitCode;

/// The programs whose command lines tfpatch takes, with the commands that stand for them.
const OTHERS: &[(&str, &str, Main)] = &[
    ("patchelf", "patchelf", patchelf::main),
    ("install_name_tool", "install-name-tool", install_name_tool::main),
];

/// Parses the arguments of this process, runs a command, and reports the result.
#[must_use]
pub fn main() -> ExitCode {
    if let Some((main, called, words)) = settings::other_program(OTHERS) {
        return main(&called, &words);
    }
    // Only help and errors need the texts of all commands, so most runs do not build them.
    let parsed = parsed().or_else(|_| {
        let matches = usage::command(settings::width()).try_get_matches();
        matches.and_then(|matches| Arguments::from_arg_matches(&matches))
    });
    let mut arguments = match parsed {
        Ok(arguments) => arguments,
        Err(error) => return error::refuse(error, settings::asks_for_json()),
    };
    if arguments.common.json {
        arguments.common.format = Format::Json;
    }
    let is_json = arguments.common.format == Format::Json;
    match run(&arguments) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            if is_json {
                error::report(&error.report());
            }
            error::complain(&error);
            ExitCode::from(error.status())
        }
    }
}

/// The arguments of this process.
fn parsed() -> Result<Arguments, clap::Error> {
    let mut command = quick::command(settings::words().skip(1)).unwrap_or_else(Arguments::command);
    let matches = command.try_get_matches_from_mut(settings::words());
    // The process keeps the descriptions of all options: to free each of them would be work for nothing.
    std::mem::forget(command);
    Arguments::from_arg_matches_mut(&mut matches?)
}

fn run(arguments: &Arguments) -> Result<u8, Error> {
    if arguments.common.format == Format::Dot && !matches!(arguments.command, Command::Tree(_)) {
        let why = "--format dot works with `tree` only";
        let example = "tfpatch tree --format dot FILE… | dot -Tsvg";
        return Err(Words::new(why).hint(example).into());
    }
    // Text for copying is not changed.
    let is_fitted = !matches!(
        arguments.command,
        Command::Show(_)
            | Command::Rpath(_)
            | Command::Needed(_)
            | Command::Soname(_)
            | Command::Interpreter(_)
            | Command::Shims(_)
    );
    let mut session = Session::new(&arguments.common, is_fitted)?;
    // A report without a Markdown form is quoted as it is for people.
    let has_form = match &arguments.command {
        Command::Doctor(options) => !options.proof.is_given() && !options.proof.probe,
        command => matches!(command, Command::Explain(_)),
    };
    let is_quoted = session.format == Format::Markdown && !has_form;
    if is_quoted {
        session.format = Format::Human;
        let out = std::mem::replace(&mut session.out, Box::new(io::sink()));
        session.out = Box::new(Fenced::new(out));
    }
    if let Some(store) = arguments.common.store.as_deref().filter(|_| arguments.command.writes()) {
        operation::make_directory(store).map_err(operation::Error::from)?;
    }
    let status = carry_out(&mut session, &arguments.command);
    // Write what was reported before something failed.
    let written = session.out.flush();
    let status = status?;
    written?;
    Ok(status)
}

/// Runs a command; returns the exit status.
fn carry_out(session: &mut Session, command: &Command) -> Result<u8, Error> {
    match command {
        Command::Doctor(options) if options.proof.probe => {
            commands::probe::doctor(session, options)
        }
        Command::Fix(options) if options.proof.probe => commands::probe::fix(session, options),
        Command::Verify(options) if options.proof.probe => {
            commands::probe::verify(session, options)
        }
        Command::Doctor(options) if options.proof.is_given() => {
            commands::prove::doctor(session, options)
        }
        Command::Fix(options) if options.proof.is_given() => commands::prove::fix(session, options),
        Command::Verify(options) if options.proof.is_given() => {
            commands::prove::verify(session, options)
        }
        Command::Doctor(options) => commands::doctor::run(session, options),
        Command::Fix(options) => commands::fix::run(session, options),
        Command::Apply(options) => commands::apply::run(session, options),
        Command::Revert(options) => commands::revert::run(session, options),
        Command::Log(options) => commands::log::run(session, options),
        Command::Diff(options) => commands::diff::run(session, options),
        Command::Verify(options) => commands::verify::run(session, options),
        Command::Show(options) => commands::show::run(session, options),
        Command::Tree(options) => commands::tree::run(session, options),
        Command::Trace(options) => commands::trace::run(session, options),
        Command::Explain(options) => commands::explain::run(session, options),
        Command::Rpath(options) => commands::rpath::run(session, options),
        Command::Needed(options) => commands::fields::needed(session, options),
        Command::Soname(options) => commands::fields::soname(session, options),
        Command::Interpreter(options) => commands::fields::interpreter(session, options),
        Command::Completions(options) => commands::completions::run(session, options),
        Command::Man(options) => commands::man::run(session, options),
        Command::Help(options) => commands::help::run(options),
        Command::Shims(options) => commands::shims::run(session, options),
        // The options of other programs are read before those of all commands, unless one stands before them.
        Command::Patchelf(_) => Err(foreign::misplaced("patchelf")),
        Command::InstallNameTool(_) => Err(foreign::misplaced("install-name-tool")),
    }
}
