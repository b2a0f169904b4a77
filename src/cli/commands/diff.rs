//! `tfpatch diff`: what the operations changed.

use crate::app::Error;
use crate::cli::args::{Format, Targets};
use crate::cli::session::Session;
use crate::operation;
use crate::report::operations::DiffReport;
use crate::report::{changes, json};
use std::io::Write as _;

/// Shows what the operations that are in effect changed of each file.
///
/// # Errors
/// Where a target or its store cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Targets) -> Result<u8, Error> {
    let mut files = Vec::new();
    for chosen in session.app.targets(&options.targets)? {
        let place = session.app.place(&chosen)?;
        session.app.note_interruption(&place.store)?;
        let all = operation::diff(&place.root, &place.store)?;
        files.extend(all.into_iter().filter(|file| session.app.means(&chosen, &place, &file.path)));
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &DiffReport::new(files))?;
        return Ok(0);
    }
    if files.is_empty() {
        writeln!(session.out, "nothing is changed")?;
    }
    for file in &files {
        changes::write_entries(&mut *session.out, &file.path, &file.before, &file.after)?;
    }
    Ok(0)
}
