//! The command line: parse, ask for what is to be done, report.

pub mod args;
pub mod asked;
pub mod bare_lines;
pub mod child;
pub mod commands;
pub mod edit_args;
pub mod error;
pub mod host;
pub mod message_text;
pub mod notes;
pub mod plan_file;
pub mod probe;
pub mod progress;
pub mod proof;
pub mod repairs;
pub mod run_args;
pub mod session;
pub mod settings;
pub mod simulation;
pub mod traced;
pub mod words_of_run;

use self::args::{Arguments, Command, Format};
use self::error::Error;
use self::session::Session;
use crate::report::markdown::Fenced;
use crate::report::words::Words;
use clap::Parser as _;
use std::io;
use std::process::ExitCode;

/// Parses the arguments of this process, runs a command, and says what came of it.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => error::refuse(error, settings::asks_for_json()),
    };
    let is_json = arguments.common.format == Format::Json;
    match run(arguments) {
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

fn run(arguments: Arguments) -> Result<u8, Error> {
    if arguments.common.format == Format::Dot && !matches!(arguments.command, Command::Tree(_)) {
        let why = "--format dot: there is nothing to draw but what `tree` shows";
        let example = "tfpatch tree --format dot FILE… | dot -Tsvg";
        return Err(Words::new(why).hint(example).into());
    }
    let mut session = Session::new(&arguments.common)?;
    // A report that has no form of its own for an issue is quoted as people read it.
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
    let status = match arguments.command {
        Command::Doctor(options) if options.proof.probe => {
            commands::probe::doctor(&mut session, &options)
        }
        Command::Fix(options) if options.proof.probe => {
            commands::probe::fix(&mut session, &options)
        }
        Command::Verify(options) if options.proof.probe => {
            commands::probe::verify(&mut session, &options)
        }
        Command::Doctor(options) if options.proof.is_given() => {
            commands::prove::doctor(&mut session, &options)
        }
        Command::Fix(options) if options.proof.is_given() => {
            commands::prove::fix(&mut session, &options)
        }
        Command::Verify(options) if options.proof.is_given() => {
            commands::prove::verify(&mut session, &options)
        }
        Command::Doctor(options) => commands::doctor::run(&mut session, &options),
        Command::Fix(options) => commands::fix::run(&mut session, &options),
        Command::Apply(options) => commands::apply::run(&mut session, &options),
        Command::Revert(options) => commands::revert::run(&mut session, &options),
        Command::Log(options) => commands::log::run(&mut session, &options),
        Command::Diff(options) => commands::diff::run(&mut session, &options),
        Command::Verify(options) => commands::verify::run(&mut session, &options),
        Command::Show(options) => commands::show::run(&mut session, &options),
        Command::Tree(options) => commands::tree::run(&mut session, &options),
        Command::Trace(options) => commands::trace::run(&mut session, &options),
        Command::Explain(options) => commands::explain::run(&mut session, &options),
        Command::Rpath(options) => commands::rpath::run(&mut session, &options),
        Command::Completions(options) => commands::completions::run(&mut session, &options),
        Command::Man(options) => commands::man::run(&mut session, &options),
    };
    // What was found out before something failed is not lost with it.
    let written = session.out.flush();
    let status = status?;
    written?;
    Ok(status)
}
