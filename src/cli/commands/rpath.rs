//! `tfpatch rpath`: direct edits of search paths, with the same backup and revert as a fix.

use crate::app::rpath::Edit;
use crate::cli::args::{Format, Rpath, RpathPrint};
use crate::cli::bare_lines::Bare;
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::cli::{asked, bare_lines, commands};
use crate::report::json::{self, PlanReport};
use crate::report::words::Words;
use crate::report::{outcome, search_paths};
use std::path::PathBuf;

/// Prints or edits search paths.
///
/// # Errors
/// If an object cannot be read, cannot be edited safely, or cannot be written.
pub fn run(session: &mut Session, command: &Rpath) -> Result<u8, Error> {
    if let Rpath::Print(RpathPrint { show, null }) = command {
        return match session.format {
            Format::Json => commands::show::run(session, show),
            _ => bare_lines::write(session, &show.files, *null, Bare::SearchPath),
        };
    }
    let Some((files, how)) = asked::edit(session, command) else { return Ok(0) };
    edit(session, files, &how)
}

/// Edits the named files.
///
/// # Errors
/// As for [`run`].
pub fn edit(session: &mut Session, files: &[PathBuf], how: &Edit) -> Result<u8, Error> {
    if session.format == Format::Json && files.len() > 1 {
        return Err(Words::new("--format json writes a single plan; name one FILE").into());
    }
    let output = how.carrying.repaired.as_deref().filter(|_| files.len() > 1);
    if output.is_some_and(|output| !session.app.is_directory(output)) {
        return Err(Words::new("--output FILE takes a single edited file; name a directory").into());
    }
    for chosen in session.app.files(files)? {
        let edited = session.app.edit(&chosen, how)?;
        let plan = PlanReport::of(&edited.carried.plan, chosen.root(), &[]);
        match session.format {
            Format::Json => json::write(&mut *session.out, &plan)?,
            _ => {
                if !edited.carried.plan.steps.is_empty() {
                    search_paths::write_relative(&mut *session.out, how.change.entries())?;
                }
                outcome::write_edited(&mut *session.out, &chosen, &edited)?;
            }
        }
    }
    Ok(0)
}
