//! Entries of search paths and names on standard output, without decoration, for other programs.

use super::error::Error;
use super::session::Session;
use crate::bytes::printable;
use crate::report::search_paths::{self, Naming};
use std::io::Write as _;
use std::path::PathBuf;

/// What to print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bare {
    /// The entries of search paths.
    SearchPath,
    /// The names of needed libraries.
    Needed,
    /// The sonames of libraries.
    Soname,
    /// The interpreters of programs.
    Interpreter,
}

/// Writes one line for each entry or name. With `null`, each ends with a NUL instead, and nothing is escaped.
///
/// # Errors
/// If a file cannot be read, or the output cannot be written.
pub fn write(
    session: &mut Session,
    files: &[PathBuf],
    null: bool,
    what: Bare,
) -> Result<u8, Error> {
    let mut raw = if null || session.is_raw { Some(session.raw()?) } else { None };
    let naming = match files {
        [_] => Naming::No,
        _ if null => Naming::Bytes,
        _ => Naming::Shown,
    };
    for file in files {
        let paths = match what {
            Bare::SearchPath => session.app.search_paths(file)?,
            Bare::Needed => session.app.names(file, |slice| slice.needed)?,
            Bare::Soname => session.app.names(file, |slice| slice.soname.into_iter().collect())?,
            Bare::Interpreter => {
                session.app.names(file, |slice| slice.interpreter.into_iter().collect())?
            }
        };
        for mut line in search_paths::lines(file, paths, naming) {
            match &mut raw {
                Some(out) => {
                    line.push(if null { 0 } else { b'\n' });
                    out.write_all(&line)?;
                }
                None => writeln!(session.out, "{}", printable(&line))?,
            }
        }
    }
    if let Some(mut out) = raw {
        out.flush()?;
    }
    Ok(0)
}
