//! `tfpatch rpath`: direct edits of search paths, with the same backup and revert as a fix.

use crate::cli::args::{Format, Rpath, RpathPrint};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::cli::{asked, bare_lines, commands};
use crate::report::json::{self, PlanReport};
use crate::report::words::Words;
use crate::report::{outcome, search_paths};

/// Prints or edits search paths.
///
/// # Errors
/// Where an object cannot be read, is not safely edited, or cannot be written.
pub fn run(session: &mut Session, command: &Rpath) -> Result<u8, Error> {
    if let Rpath::Print(RpathPrint { show, null }) = command {
        return match session.format {
            Format::Json => commands::show::run(session, show),
            _ => bare_lines::write(session, &show.files, *null),
        };
    }
    let Some((files, how)) = asked::edit(session, command) else { return Ok(0) };
    if session.format == Format::Json && files.len() > 1 {
        return Err(Words::new("--format json writes a single plan; name one FILE").into());
    }
    for chosen in session.app.files(files)? {
        let edited = session.app.edit(&chosen, &how)?;
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
