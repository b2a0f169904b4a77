//! `tfpatch shims`: creates a directory for `PATH` with the names of other programs.

use crate::bytes::shell_word;
use crate::cli::args::Shims;
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::operation;
use crate::report::words::Words;
use std::io::Write as _;
use std::os::unix::ffi::OsStrExt as _;

/// The program names under which tfpatch accepts other options.
const NAMES: [&str; 2] = ["patchelf", "install_name_tool"];

/// Creates the links, and prints the command for a shell.
///
/// # Errors
/// If something else has one of the names, or a link cannot be created.
pub fn run(session: &mut Session, options: &Shims) -> Result<u8, Error> {
    let ambient = session.app.ambient()?;
    let directory = ambient.working_directory.join(&options.directory);
    let unknown =
        || Words::new("cannot find the program of tfpatch, to which the links have to lead");
    let own = ambient.own_executable.clone().ok_or_else(unknown)?;
    operation::make_directory(&directory).map_err(operation::Error::from)?;
    for name in NAMES {
        let link = directory.join(name);
        operation::make_link(&own, &link).map_err(operation::Error::from)?;
    }
    let directory = shell_word(directory.as_os_str().as_bytes());
    writeln!(session.out, "export PATH={directory}:\"$PATH\"")?;
    Ok(0)
}
