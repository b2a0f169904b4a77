//! The result of a diagnosis, for people.

use super::findings::{self, Detail};
use super::heading::{self, heading};
use super::linked;
use super::markdown::{self, Summary};
use super::style::{COMMAND, GOOD, counted, paint};
use crate::app::doctor::Diagnosed;
use crate::app::{App, Chosen};
use crate::bytes::printable;
use crate::command_line::CommandLine;
use crate::findings::finding::{Finding, Severity};
use crate::python::interpreter::Program;
use crate::world::World;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

/// The maximum number of names of libraries in a line.
const MAX_NAMES: usize = 4;

/// Writes the findings of a target, and the next steps. `search` are the directories of `--search`.
///
/// # Errors
/// If the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    diagnosed: &Diagnosed,
    search: &[PathBuf],
    detail: Detail,
) -> io::Result<()> {
    let diagnosis = &diagnosed.diagnosis;
    write_findings(out, app, chosen, (&diagnosed.world, &diagnosis.findings), detail)?;
    if diagnosed.fixable().next().is_some() {
        let files = counted(diagnosed.files, "file");
        let mut fix = CommandLine::new(["fix"]);
        for directory in search {
            fix = fix.option("--search", directory);
        }
        if diagnosed.leads_out {
            fix = fix.argument("--allow-absolute");
        }
        let command = paint(COMMAND, format!("→ {}", chosen.command(fix)));
        let undo = chosen.command(CommandLine::new(["revert"]));
        writeln!(out, "{command}      ({files}; undo: {undo})")?;
        return write_probe(out, chosen, diagnosed, detail);
    }
    let is_told = |finding: &Finding| finding.severity() != Severity::Info;
    if detail != Detail::Quiet && !diagnosis.findings.iter().any(is_told) {
        write_well(out, chosen, diagnosed, detail)?;
    }
    write_probe(out, chosen, diagnosed, detail)
}

/// Writes which command tests unproved findings, if there is one.
fn write_probe(
    out: &mut dyn Write,
    chosen: &Chosen,
    diagnosed: &Diagnosed,
    detail: Detail,
) -> io::Result<()> {
    let Diagnosed { world, diagnosis, .. } = diagnosed;
    let is_guessed = |finding: &Finding| {
        let object = world.inventory.at(&finding.object);
        finding.evidence.is_guessed() && object.is_some_and(|object| object.elf().is_some())
    };
    let environment = world.environment.as_ref().filter(|_| chosen.is_here());
    let mut interpreters = environment.iter().flat_map(|found| &found.interpreters);
    let runs = interpreters.any(|it| matches!(it.program, Program::Found(_)));
    if detail == Detail::Quiet || !runs || !diagnosis.findings.iter().any(is_guessed) {
        return Ok(());
    }
    let probe = chosen.command(CommandLine::new(["doctor", "--probe"]));
    writeln!(out, "to test which of these fail, by imports: {probe}")
}

/// Writes what was examined and what was found.
///
/// # Errors
/// If the output cannot be written.
pub(super) fn write_findings(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    (world, findings): (&World, &[Finding]),
    detail: Detail,
) -> io::Result<()> {
    let is_told = |finding: &Finding| finding.severity() != Severity::Info;
    // A problem is always reported with the target that it is in.
    let named = if findings.iter().any(is_told) { Detail::Normal } else { detail };
    heading::write(out, app, chosen, world, named)?;
    findings::write(out, world, findings, detail)?;
    heading::write_not_followed(out, chosen, world, detail)
}

/// Writes that everything is fine, and what was not checked.
fn write_well(
    out: &mut dyn Write,
    chosen: &Chosen,
    diagnosed: &Diagnosed,
    detail: Detail,
) -> io::Result<()> {
    let world = &diagnosed.world;
    let objects = world.meant();
    let ok = paint(GOOD, "ok");
    let reservation = linked::reservation(world);
    if objects == 0 {
        let links = reservation.map(|links| format!("; {links}")).unwrap_or_default();
        let rest = "no shared libraries or programs were found";
        return writeln!(out, "{ok}  the interpreter starts; {rest}{links}");
    }
    let objects = counted(objects, "object");
    let unasked = &diagnosed.diagnosis.unasked;
    if let (true, Some(links)) = (unasked.is_empty(), &reservation) {
        return writeln!(
            out,
            "{ok}  {objects} checked; all dependencies of these resolve; {links}"
        );
    }
    if unasked.is_empty() {
        return writeln!(out, "{ok}  {objects} checked; all dependencies resolve");
    }
    let unmet = counted(unasked.len(), "library");
    let what = if chosen.is_wheel() {
        let names: BTreeSet<&[u8]> = unasked.iter().map(|(_, name)| name.as_slice()).collect();
        let first = names.iter().take(MAX_NAMES).map(|name| printable(name));
        let first: Vec<String> = first.collect();
        let more = names.len().saturating_sub(MAX_NAMES);
        let more =
            if more > 0 { format!(" and {more} more (-v lists them)") } else { String::new() };
        format!(
            "all libraries in the wheel resolve; {}{more} must come from other packages or the system",
            first.join(", ")
        )
    } else {
        format!("imports resolve; plugins or programs lack {unmet}")
    };
    let links = reservation.map(|links| format!("; {links}")).unwrap_or_default();
    writeln!(out, "{ok}  {objects} checked; {what}{links}")?;
    if chosen.is_wheel() && detail == Detail::Verbose {
        for (object, library) in unasked {
            writeln!(out, "  {} needs {}", world.shown(object), printable(library))?;
        }
    }
    Ok(())
}

/// Writes the findings of a target for an issue.
///
/// # Errors
/// If the output cannot be written.
pub fn write_markdown(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    diagnosed: &Diagnosed,
) -> io::Result<()> {
    let Diagnosed { world, diagnosis, .. } = diagnosed;
    let (what, facts) = heading(app, chosen, world);
    let summary = Summary {
        heading: &format!("{what} {facts}"),
        objects: world.meant(),
        unresolved: diagnosis.unresolved,
        fix: &chosen.command(match diagnosed.leads_out {
            true => CommandLine::new(["fix"]).argument("--allow-absolute"),
            false => CommandLine::new(["fix"]),
        }),
    };
    markdown::write(out, world, &diagnosis.findings, &summary)
}
