//! The state of patched files, for people.

use super::findings::{self, Detail};
use super::heading;
use super::linked;
use super::style::{COMMAND, DIM, ERROR, GOOD, counted, paint};
use super::words::operations as words;
use crate::app::Chosen;
use crate::app::verify::{FileSeen, Files, Verified};
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
    let patched = patched(files);
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

/// How many patched files are in which state.
fn patched(files: &Files) -> String {
    let count = |is_meant: &dyn Fn(&FileSeen) -> bool| {
        files.changed().filter(|seen| is_meant(seen)).count()
    };
    let is_changed = |seen: &FileSeen| matches!(seen.file.state, State::Changed(_));
    let restored = count(&|seen| seen.file.state == State::Reverted);
    let reinstalled = count(&|seen| is_changed(seen) && seen.installed_by.is_some());
    let changed = count(&|seen| is_changed(seen) && seen.installed_by.is_none());
    let missing = count(&|seen| seen.file.state == State::Gone);
    let states = [
        (files.left(), "unchanged", "unchanged"),
        (restored, "has its original content again", "have their original content again"),
        (reinstalled, "was reinstalled", "were reinstalled"),
        (changed, "was changed", "were changed"),
        (missing, "is missing", "are missing"),
    ];
    let present = states.into_iter().filter(|(number, ..)| *number > 0);
    let clauses = present.enumerate().map(|(index, (number, one, several))| {
        let what = if number == 1 { one } else { several };
        let files = if index == 0 { counted(number, "patched file") } else { number.to_string() };
        format!("{files} {what}")
    });
    let clauses: Vec<String> = clauses.collect();
    if clauses.is_empty() { "no patched files".to_owned() } else { clauses.join(", ") }
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
