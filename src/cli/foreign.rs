//! What the command lines of other programs share: their output, and edits without a backup.

use super::args::{Color, Common, Format};
use super::error::Error;
use super::session::Session;
use super::settings;
use crate::app::carry_out::Carrying;
use crate::app::rpath::{Edit, Edited};
use crate::operation::{self, Kind, Write as Writing};
use crate::repair::rewrite::Change;
use crate::report::words::Words;
use std::io::Write as _;
use std::path::Path;

/// Writes a text to standard error. If that fails, only the exit status reports the error.
pub fn say(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Writes a line to standard output. A closed pipe is not an error.
///
/// # Errors
/// The message of the operating system.
pub fn print(line: &[u8]) -> Result<(), String> {
    let mut out = std::io::stdout().lock();
    let written =
        out.write_all(line).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.to_string()),
        _ => Ok(()),
    }
}

/// The error for an option of tfpatch in front of the name of another program, which has its own options.
#[must_use]
pub fn misplaced(command: &str) -> Error {
    let said =
        format!("`tfpatch {command}` has the options of that program, and none before its name");
    Error::Said(Words::new(said).hint(format!("run `tfpatch {command}` alone to list them")))
}

/// Edits a file in place. A signer's signature of a Mach-O file is replaced with an ad-hoc one.
///
/// # Errors
/// If the file cannot be read, is not safely edited, or cannot be written. It is unchanged then.
pub fn edit(file: &Path, change: Change) -> Result<Option<Edited>, Error> {
    // The backup is kept in a temporary directory while the file is written.
    let scratch = operation::Scratch::directory()?;
    let kept = settings::foreign_store();
    if let Some(store) = &kept {
        operation::make_directory(store).map_err(operation::Error::from)?;
    }
    let common = Common {
        format: Format::Human,
        json: false,
        full_paths: false,
        color: Color::Never,
        quiet: false,
        verbose: false,
        jobs: None,
        root: None,
        store: Some(kept.unwrap_or_else(|| scratch.path().to_owned())),
        trust_store: None,
    };
    let session = Session::new(&common, false)?;
    let how = Edit {
        change,
        kind: None,
        arch: None,
        may_drop_signer: true,
        update_records: false,
        carrying: Carrying {
            kind: Kind::Edit,
            dry_run: false,
            // A renamed copy is either the old or the new file, and needs no backup.
            write: Writing::Replace,
            sync: true,
            repaired: None,
            old_bytes: None,
        },
    };
    let mut edited = None;
    for chosen in session.app.files(&[file.to_owned()])? {
        edited = Some(session.app.edit(&chosen, &how)?);
    }
    Ok(edited)
}
