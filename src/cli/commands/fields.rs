//! `tfpatch needed`, `soname` and `interpreter`: direct edits of names, with the same backup and revert as a fix.

use crate::cli::args::{Format, Interpreter, NameSet, Needed, RpathPrint, Soname};
use crate::cli::asked;
use crate::cli::bare_lines::{self, Bare};
use crate::cli::commands::{rpath, show};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::elf::edit::Change;
use std::os::unix::ffi::OsStrExt as _;

/// Prints or edits the names of needed libraries.
///
/// # Errors
/// If an object cannot be read, is not safely edited, or cannot be written.
pub fn needed(session: &mut Session, command: &Needed) -> Result<u8, Error> {
    if let Needed::Print(options) = command {
        return print(session, options, Bare::Needed);
    }
    let Some((files, how)) = asked::needed(session, command) else { return Ok(0) };
    rpath::edit(session, files, &how)
}

/// Prints or sets the names of libraries.
///
/// # Errors
/// As for [`needed`].
pub fn soname(session: &mut Session, command: &Soname) -> Result<u8, Error> {
    let set = match command {
        Soname::Print(options) => return print(session, options, Bare::Soname),
        Soname::Set(set) => set,
    };
    edit(session, set, Change::Soname)
}

/// Prints or sets the loaders of programs.
///
/// # Errors
/// As for [`needed`].
pub fn interpreter(session: &mut Session, command: &Interpreter) -> Result<u8, Error> {
    let set = match command {
        Interpreter::Print(options) => return print(session, options, Bare::Interpreter),
        Interpreter::Set(set) => set,
    };
    edit(session, set, Change::Interpreter)
}

fn edit(session: &mut Session, set: &NameSet, change: fn(Vec<u8>) -> Change) -> Result<u8, Error> {
    let change = change(set.name.as_bytes().to_vec());
    let (files, how) = asked::field_edit(session, change, &set.direct);
    rpath::edit(session, files, &how)
}

fn print(session: &mut Session, options: &RpathPrint, what: Bare) -> Result<u8, Error> {
    match session.format {
        Format::Json => show::run(session, &options.show),
        _ => bare_lines::write(session, &options.show.files, options.null, what),
    }
}
