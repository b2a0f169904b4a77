//! `tfpatch tree`: dependencies as the loader would resolve them.

use crate::app;
use crate::cli::args::{Format, Tree};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::report::json::{self, TreeReport};
use crate::report::tree::Manner;
use crate::report::{dot, tree};
use std::path::Path;

/// Resolves each file.
///
/// # Errors
/// If one cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Tree) -> Result<u8, Error> {
    let how = app::tree::Tree {
        files: options.files.clone(),
        main: options.main.clone(),
        settings: session.loader_settings(&options.simulation)?,
    };
    let closures = session.app.tree(&how)?;
    match session.format {
        Format::Json => json::write(&mut *session.out, &TreeReport::of(&closures))?,
        Format::Dot => {
            let homes = session.app.homes(&closures);
            dot::write(&mut *session.out, &closures, &homes, session.detail)?;
        }
        Format::Human | Format::Markdown => {
            let Session { app, out, detail, .. } = session;
            let place = |path: &Path| app.relative(path);
            let manner = Manner { flat: options.flat, detail: *detail, place: &place };
            tree::write(out, &closures, manner)?;
        }
    }
    let all_load = closures.iter().all(|closure| closure.loads);
    // The program ends: to free each part of what was found takes a tenth of its time.
    std::mem::forget(closures);
    Ok(u8::from(!all_load))
}
