//! `tfpatch completions`: a completion script for a shell.

use crate::cli::args::{Arguments, Completions};
use crate::cli::error::Error;
use crate::cli::session::Session;
use clap::CommandFactory as _;
use std::io::Write as _;

/// Writes the completion script of a shell.
///
/// # Errors
/// If the output cannot be written.
pub fn run(session: &mut Session, options: &Completions) -> Result<u8, Error> {
    // Write to memory first: clap_complete panics if its writer fails, for example on a closed pipe.
    let mut script = Vec::new();
    clap_complete::generate(options.shell, &mut Arguments::command(), "tfpatch", &mut script);
    let mut out = session.raw()?;
    out.write_all(&script)?;
    out.flush()?;
    Ok(0)
}
