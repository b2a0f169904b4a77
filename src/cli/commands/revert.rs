//! `tfpatch revert`: puts the exact old bytes back.

use crate::app::Error;
use crate::app::settle::again;
use crate::cli::args::{Format, Revert, Writing};
use crate::cli::session::Session;
use crate::operation::{self, Change, LeftAlone, Reverted, Selection};
use crate::python::installer;
use crate::report::json;
use crate::report::operations::RevertReport;
use crate::report::style::{DIM, ERROR, GOOD, counted, paint};
use crate::vfs::OsVfs;
use std::io;
use std::path::Path;

/// Reverts each target.
///
/// # Errors
/// Where a store cannot be read or a file cannot be written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Revert) -> Result<u8, Error> {
    let mut targets = Vec::new();
    let mut notes = Vec::new();
    for chosen in session.app.targets(&options.targets.targets)? {
        let place = session.app.place(&chosen)?;
        if !options.dry_run {
            session.app.recover(&place.root, &place.store)?;
        }
        let selection = match &options.operation {
            Some(id) => Selection::Operation(id.clone()),
            None => session.app.selection(&chosen, &place),
        };
        let Writing { write, no_sync } = options.writing;
        let writing = session.app.writing(!no_sync, write.into(), options.dry_run);
        let revert = || Ok(operation::revert(&place.root, &place.store, &selection, &writing)?);
        let reverted = again(revert, |error| Ok(error.is_overtaken()))?;
        notes.push(notes_on(&place.root, &reverted));
        targets.push(reverted);
    }
    let status = u8::from(targets.iter().any(|reverted| !reverted.refused.is_empty()));
    if session.format == Format::Json {
        let report = RevertReport::new(options.dry_run, targets);
        json::write(&mut *session.out, &report)?;
        return Ok(status);
    }
    for (reverted, notes) in targets.iter().zip(&notes) {
        write_reverted(&mut *session.out, reverted, notes, options.dry_run)?;
    }
    Ok(status)
}

/// For each file that is left alone, what is known of who changed it.
fn notes_on(root: &Path, reverted: &Reverted) -> Vec<String> {
    let note = |left: &LeftAlone| match left.change {
        Change::Later { .. } => String::new(),
        _ => match installer::of(&OsVfs::new(), &root.join(&left.path)) {
            Some(distribution) => {
                format!("\n  {distribution} installed it anew; there is nothing to put back")
            }
            None => "\n  `tfpatch diff` shows what would have been put back".to_owned(),
        },
    };
    reverted.refused.iter().map(note).collect()
}

fn write_reverted(
    out: &mut dyn io::Write,
    reverted: &Reverted,
    notes: &[String],
    dry_run: bool,
) -> io::Result<()> {
    match &reverted.operation {
        None => writeln!(out, "nothing to put back")?,
        Some(operation) => {
            let (rows, files): (Vec<_>, Vec<_>) =
                operation.steps.iter().partition(|step| step.method == "rows");
            let files = counted(files.len(), "file");
            if dry_run {
                writeln!(out, "{}", paint(GOOD, format!("{files} would be put back")))?;
            } else {
                let id = paint(DIM, format!("(operation {})", operation.id));
                writeln!(out, "{} {id}", paint(GOOD, format!("{files} put back")))?;
            }
            let verb = if dry_run { "would be" } else { "are" };
            for step in rows {
                writeln!(
                    out,
                    "  {}: the rows of these files {verb} brought up to date",
                    step.path
                )?;
            }
        }
    }
    for path in &reverted.already {
        writeln!(out, "  {path} has its old bytes already")?;
    }
    for path in &reverted.uninstalled {
        writeln!(out, "  {path} was uninstalled; there is nothing to put back")?;
    }
    for (left, note) in reverted.refused.iter().zip(notes) {
        let refused = paint(ERROR, "left alone");
        let who = match left.change {
            Change::Later { .. } => "",
            _ => "something else changed it since, ",
        };
        writeln!(out, "{refused}  {}: {who}{}{note}", left.path, left.change)?;
    }
    Ok(())
}
