//! The state of patched files, for people.

use super::findings::{self, Detail};
use super::heading;
use super::linked;
use super::style::{COMMAND, DIM, ERROR, GOOD, counted, paint};
use super::words::operations as words;
use crate::app::Chosen;
use crate::app::verify::{Files, Verified};
use crate::command_line::CommandLine;
use crate::findings::finding::Severity;
use crate::operation::State;
use std::io::{self, Write};

/// Writes the changed files, the remaining errors, and the next steps. If a command is run, its result is
/// written elsewhere, and replaces the conclusion from the files.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    chosen: &Chosen,
    verified: &Verified,
    detail: Detail,
    is_run: bool,
) -> io::Result<()> {
    let Verified { world, diagnosis, errors, files, .. } = verified;
    write_files(out, files, detail)?;
    let reservation = linked::reservation(world);
    let resolves = match (errors.is_empty(), diagnosis.unasked.is_empty(), &reservation) {
        (true, true, None) => "all dependencies resolve".to_owned(),
        (true, true, Some(_)) => "all checked dependencies resolve".to_owned(),
        (true, false, _) => "imports resolve".to_owned(),
        (false, ..) => match findings::count(&findings::groups(errors), Severity::Error) {
            1 => "1 error remains".to_owned(),
            errors => format!("{errors} errors remain"),
        },
    };
    let links = reservation.map(|links| format!("; {links}")).unwrap_or_default();
    findings::write(out, world, errors, detail)?;
    heading::write_not_followed(out, chosen, world, detail)?;
    let left = files.left();
    let patched = match (left, files.changed()) {
        (0, 0) => "no patched files".to_owned(),
        (left, 0) => format!("{} unchanged", counted(left, "patched file")),
        (left, changed) => format!("{} unchanged, {changed} not", counted(left, "patched file")),
    };
    let (line, is_well) = match is_run {
        true => (patched, !files.is_drift()),
        false => (format!("{patched}; {resolves}{links}"), verified.is_well()),
    };
    if !is_well || detail > Detail::Quiet {
        writeln!(out, "{}", paint(if is_well { GOOD } else { ERROR }, line))?;
    }
    if files.needs_repair && files.are_installed_anew() {
        writeln!(
            out,
            "{}",
            paint(COMMAND, format!("→ {}", chosen.command(CommandLine::new(["fix"]))))
        )?;
    }
    Ok(())
}

fn write_files(out: &mut dyn Write, files: &Files, detail: Detail) -> io::Result<()> {
    for seen in files.others() {
        let (file, by) = (&seen.file, seen.installed_by.as_ref().map(|by| format!(" with {by}")));
        let what = match (&file.state, &by) {
            (State::Reverted, by) => {
                let by = by.as_deref().unwrap_or_default();
                format!("was reinstalled{by} and has its original content again")
            }
            (State::Changed(_), Some(by)) => format!("was reinstalled{by}"),
            (State::Changed(change), None) => {
                format!("was changed after the repair: {}", words::change(change))
            }
            _ => "is missing".to_owned(),
        };
        if by.is_none() || files.needs_repair {
            writeln!(out, "{}  {} {what}", paint(ERROR, "drift"), file.path)?;
        } else if detail > Detail::Quiet {
            let note = paint(DIM, "note");
            writeln!(out, "{note}  {} {what}; it needs no repair", file.path)?;
        }
    }
    if detail > Detail::Quiet {
        for seen in files.uninstalled() {
            writeln!(out, "{}  {} was uninstalled", paint(DIM, "note"), seen.file.path)?;
        }
    }
    Ok(())
}
