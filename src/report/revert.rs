//! What was put back, for people.

use super::style::{DIM, ERROR, GOOD, counted, paint};
use super::words::operations as words;
use crate::app::revert::PutBack;
use crate::operation::{Change, LeftAlone};
use crate::plan::Method;
use std::io::{self, Write};

/// Writes what was put back, or would be, and what was left alone.
///
/// # Errors
/// Where the output cannot be written.
pub fn write(out: &mut dyn Write, put_back: &PutBack, dry_run: bool) -> io::Result<()> {
    let PutBack { reverted, installed_by } = put_back;
    match &reverted.operation {
        None => writeln!(out, "nothing to put back")?,
        Some(operation) => {
            let (rows, files): (Vec<_>, Vec<_>) =
                operation.steps.iter().partition(|step| step.method == Method::Rows);
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
    for (left, installed_by) in reverted.refused.iter().zip(installed_by) {
        let note = note(left, installed_by.as_deref());
        let refused = paint(ERROR, "left alone");
        let who = match left.change {
            Change::Later { .. } => "",
            _ => "something else changed it since, ",
        };
        let change = words::change(&left.change);
        writeln!(out, "{refused}  {}: {who}{change}{note}", left.path)?;
    }
    Ok(())
}

/// What is known of who changed a file that is left alone.
fn note(left: &LeftAlone, installed_by: Option<&str>) -> String {
    match (&left.change, installed_by) {
        (Change::Later { .. }, _) => String::new(),
        (_, Some(distribution)) => {
            format!("\n  {distribution} installed it anew; there is nothing to put back")
        }
        (_, None) => "\n  `tfpatch diff` shows what would have been put back".to_owned(),
    }
}
