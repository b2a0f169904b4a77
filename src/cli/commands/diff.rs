//! `tfpatch diff`: shows what operations changed.

use crate::cli::args::{Format, Targets};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::report::operations::DiffReport;
use crate::report::{changes, json};
use std::io::Write as _;

/// Shows the changes of each file by operations that are in effect.
///
/// # Errors
/// If a target or its store cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Targets) -> Result<u8, Error> {
    let mut files = Vec::new();
    for chosen in session.app.targets(&options.targets)? {
        files.extend(session.app.diff(&chosen)?);
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &DiffReport::new(files))?;
        return Ok(0);
    }
    if files.is_empty() {
        writeln!(session.out, "no changes")?;
    }
    for file in &files {
        changes::write_entries(&mut *session.out, &file.path, &file.before, &file.after)?;
        changes::write_fields(&mut *session.out, &file.fields)?;
    }
    Ok(0)
}
