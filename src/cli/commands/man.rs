//! `tfpatch man`: the manual pages.

use crate::cli::args::{Arguments, Man};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::cli::usage::unknown;
use clap::CommandFactory as _;
use std::io::Write as _;

/// Writes the manual page of tfpatch, or of one of its commands.
///
/// # Errors
/// If there is no such command, or the output cannot be written.
pub fn run(session: &mut Session, options: &Man) -> Result<u8, Error> {
    let mut root = Arguments::command();
    // This sets the full name of every command, and passes the common options down.
    root.build();
    let mut command = &root;
    for name in &options.command {
        command =
            command.find_subcommand(name).ok_or_else(|| unknown(&options.command, command))?;
    }
    let mut page = Vec::new();
    // Options that the short help omits would have no description in the page.
    let command = command.clone().mut_args(|argument| argument.hide_short_help(false));
    clap_mangen::Man::new(command).render(&mut page)?;
    let mut out = session.raw()?;
    out.write_all(&page)?;
    out.flush()?;
    Ok(0)
}
