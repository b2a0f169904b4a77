//! The command line: parse, read the world, run, report.

pub mod args;
pub mod commands;
pub mod error;
pub mod progress;
pub mod session;
pub mod settings;
pub mod view;

use self::args::{Arguments, Command};
use self::error::CommandError;
use self::session::Session;
use std::io::Write as _;
use std::process::ExitCode;

/// Runs a command and says what came of it.
#[must_use]
pub fn main(arguments: Arguments) -> ExitCode {
    match run(arguments) {
        Ok(status) => ExitCode::from(status),
        Err(error) => {
            error.complain();
            error.exit_code()
        }
    }
}

fn run(arguments: Arguments) -> Result<u8, CommandError> {
    let mut session = Session::new(&arguments.common)?;
    let status = match arguments.command {
        Command::Doctor(options) => commands::doctor::run(&mut session, &options),
        Command::Fix(options) => commands::fix::run(&mut session, &options),
        Command::Revert(options) => commands::revert::run(&mut session, &options),
        Command::Log(options) => commands::log::run(&mut session, &options),
        Command::Diff(options) => commands::diff::run(&mut session, &options),
        Command::Verify(options) => commands::verify::run(&mut session, &options),
        Command::Show(options) => commands::show::run(&mut session, &options),
        Command::Tree(options) => commands::tree::run(&mut session, &options),
        Command::Trace(options) => commands::trace::run(&mut session, &options),
        Command::Rpath(options) => commands::rpath::run(&mut session, &options),
        Command::Completions(options) => commands::completions::run(&mut session, &options),
        Command::Man(options) => commands::man::run(&mut session, &options),
    }?;
    session.out.flush()?;
    Ok(status)
}
