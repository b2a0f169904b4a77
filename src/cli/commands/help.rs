//! `tfpatch help`: the help of a command.

use crate::cli::args::Help;
use crate::cli::error::Error;
use crate::cli::settings;
use crate::cli::usage::{self, unknown};
use std::io;

/// Prints the help of tfpatch, or of one of its commands.
///
/// # Errors
/// If there is no such command, or the output cannot be written.
pub fn run(options: &Help) -> Result<u8, Error> {
    let root = usage::command(settings::width());
    let mut found = &root;
    for name in &options.command {
        found = found.find_subcommand(name).ok_or_else(|| unknown(&options.command, found))?;
    }
    match found.clone().print_long_help() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(0),
    }
}
