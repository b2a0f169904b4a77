//! The result of a revert, for people.

use super::style::{DIM, ERROR, GOOD, WARNING, edited, paint};
use super::words::operations as words;
use crate::app::Chosen;
use crate::app::revert::PutBack;
use crate::command_line::CommandLine;
use crate::operation::{Change, LeftAlone};
use std::io::{self, Write};

/// Writes the restored and the skipped files.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    chosen: &Chosen,
    put_back: &PutBack,
    dry_run: bool,
) -> io::Result<()> {
    let PutBack { reverted, installed_by } = put_back;
    match &reverted.operation {
        None => writeln!(out, "nothing to revert")?,
        Some(operation) => {
            let files = edited(operation.steps.iter().map(|step| step.kind), "file");
            if dry_run {
                writeln!(out, "{}", paint(GOOD, format!("{files} would be restored")))?;
            } else {
                let id = paint(DIM, format!("(operation {})", operation.id));
                writeln!(out, "{} {id}", paint(GOOD, format!("{files} restored")))?;
            }
        }
    }
    for path in &reverted.already {
        writeln!(out, "  {path} already has its original content")?;
    }
    for path in &reverted.uninstalled {
        writeln!(out, "  {path} was uninstalled; nothing to restore")?;
    }
    for (path, operation) in &reverted.changed_between {
        let was =
            "was changed by another program between two operations; it has the content from before";
        writeln!(out, "{}  {path} {was} operation {operation}", paint(WARNING, "note"))?;
    }
    for (left, installed_by) in reverted.refused.iter().zip(installed_by) {
        let note = note(chosen, left, installed_by.as_deref());
        let refused = paint(ERROR, "skipped");
        let who = match left.change {
            Change::Later { .. } => "",
            _ => "it was changed after the repair: ",
        };
        let change = words::change(&left.change);
        writeln!(out, "{refused}  {}: {who}{change}{note}", left.path)?;
    }
    Ok(())
}

/// What is known about the program that changed a skipped file.
fn note(chosen: &Chosen, left: &LeftAlone, installed_by: Option<&str>) -> String {
    match (&left.change, installed_by) {
        (Change::Later { .. }, _) => String::new(),
        (_, Some(distribution)) => {
            format!("\n  {distribution} reinstalled it; nothing to restore")
        }
        (_, None) => {
            let diff = chosen.command(CommandLine::new(["diff"]));
            format!("\n  `{diff}` shows what a revert would have restored")
        }
    }
}
