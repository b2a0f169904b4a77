//! `tfpatch revert`: puts the exact old bytes back.

use crate::cli::args::{Format, Revert};
use crate::cli::error::CommandError;
use crate::cli::session::Session;
use crate::operation::{self, Reverted, Selection, Write};
use crate::report::json;
use crate::report::style::{DIM, ERROR, GOOD, paint};
use serde::Serialize;
use std::io;

#[derive(Serialize)]
struct RevertReport {
    schema: &'static str,
    dry_run: bool,
    targets: Vec<Reverted>,
}

/// Reverts each target.
///
/// # Errors
/// Where a store cannot be read or a file cannot be written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Revert) -> Result<u8, CommandError> {
    let mut targets = Vec::new();
    for chosen in session.targets(&options.targets.targets)? {
        let store = session.store(chosen.root())?;
        if !options.dry_run {
            session.recover(chosen.root(), &store)?;
        }
        let selection = match &options.operation {
            Some(id) => Selection::Operation(id.clone()),
            None => session.selection(&chosen, &store),
        };
        let writing = session.writing(!options.no_sync, Write::Auto, options.dry_run);
        targets.push(operation::revert(
            &session.on_disk(chosen.root()),
            &store,
            &selection,
            &writing,
        )?);
    }
    let status = u8::from(targets.iter().any(|reverted| !reverted.refused.is_empty()));
    if session.format == Format::Json {
        let report =
            RevertReport { schema: "tfpatch/revert/v1", dry_run: options.dry_run, targets };
        json::write(&mut *session.out, &report)?;
        return Ok(status);
    }
    for reverted in &targets {
        write_reverted(&mut *session.out, reverted, options.dry_run)?;
    }
    Ok(status)
}

fn write_reverted(out: &mut dyn io::Write, reverted: &Reverted, dry_run: bool) -> io::Result<()> {
    match &reverted.operation {
        None => writeln!(out, "nothing to put back")?,
        Some(operation) => {
            let files = operation.steps.len();
            let noun = if files == 1 { "file" } else { "files" };
            let verb = if dry_run { "would be put back" } else { "put back as they were" };
            let id = if dry_run { String::new() } else { format!("operation {}", operation.id) };
            writeln!(out, "{} {}", paint(GOOD, format!("{files} {noun} {verb}")), paint(DIM, id))?;
        }
    }
    for path in &reverted.already {
        writeln!(out, "  {path} has its old bytes already")?;
    }
    for left in &reverted.refused {
        let refused = paint(ERROR, "left alone");
        writeln!(
            out,
            "{refused}  {}: something else changed it since, {}",
            left.path, left.change
        )?;
    }
    Ok(())
}
