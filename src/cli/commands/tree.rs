//! `tfpatch tree`: dependencies as the loader would resolve them.

use crate::app;
use crate::cli::args::{Format, Tree};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::report::json::{self, TreeReport};
use crate::report::tree::{Manner, Shown};
use crate::report::{dot, tree};
use std::cell::RefCell;
use std::io::Write as _;
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
    let closures = match session.format {
        Format::Human | Format::Markdown => return write(session, options.flat, &how),
        _ => session.app.tree(&how, |closure| closure)?,
    };
    if session.format == Format::Json {
        json::write(&mut *session.out, &TreeReport::of(&closures))?;
    } else {
        let homes = session.app.homes(&closures);
        dot::write(&mut *session.out, &closures, &homes, session.detail)?;
    }
    let all_load = closures.iter().all(|closure| closure.loads);
    // The program ends: to free each part of what was found takes a tenth of its time.
    std::mem::forget(closures);
    Ok(u8::from(!all_load))
}

/// Writes the trees for people. Nothing is written if a file cannot be resolved.
fn write(session: &mut Session, flat: bool, how: &app::tree::Tree) -> Result<u8, Error> {
    let Session { app, out, detail, is_styled, .. } = session;
    let place = |path: &Path| app.relative(path);
    let manner = Manner { flat, detail: *detail, is_styled: *is_styled, shown: Shown::new(&place) };
    let texts = app.tree(how, |closure| {
        TEXT.with_borrow_mut(|text| {
            text.clear();
            let written = tree::write(text, &closure, &manner);
            written.map(|()| (closure.loads, Box::from(text.as_slice())))
        })
    })?;
    let mut all_load = true;
    for text in texts {
        let (loads, text): (bool, Box<[u8]>) = text?;
        all_load &= loads;
        out.write_all(&text)?;
    }
    Ok(u8::from(!all_load))
}

thread_local! {
    /// The text of one tree, in memory that the next one uses again.
    static TEXT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}
