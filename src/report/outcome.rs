//! What became of a plan, for people: what it changes, and what to do next.

use super::changes;
use super::doctor;
use super::findings::Detail;
use super::linked;
use super::style::{COMMAND, DIM, GOOD, WARNING, counted, paint};
use crate::app::carry_out::{Carried, Written};
use crate::app::fix::{Fixed, Repaired};
use crate::app::rpath::Edited;
use crate::app::{App, Chosen};
use crate::bytes::{shell_word, shown};
use crate::command_line::CommandLine;
use crate::edit::EditSet;
use crate::findings::finding::{Cause, Finding, Severity};
use crate::plan::Kind;
use crate::python::interpreter::is_interpreter_name;
use crate::world::World;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;

/// How much is said of a plan, and what it depends on beside the plan.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// How much is said.
    pub detail: Detail,
    /// Are search paths shown before and after, instead of a line for each file?
    pub diff: bool,
    /// The command that does in earnest what was a trial.
    pub in_earnest: &'a CommandLine,
}

/// Writes all that people are told of a repair.
///
/// # Errors
/// Where the output cannot be written.
pub fn write(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    fixed: &Fixed,
    telling: Telling<'_>,
) -> io::Result<()> {
    let Fixed { world, repaired } = fixed;
    doctor::write_findings(out, app, chosen, (world, &repaired.remaining), telling.detail)?;
    write_done(out, chosen, world, repaired, telling)
}

/// Says what a plan changes, what came of it, and what to do next.
///
/// # Errors
/// Where the output cannot be written.
pub fn write_done(
    out: &mut dyn Write,
    chosen: &Chosen,
    world: &World,
    repaired: &Repaired,
    telling: Telling<'_>,
) -> io::Result<()> {
    write_changes(out, world, &repaired.carried, telling)?;
    Outcome { chosen, repaired, telling, links: linked::reservation(world) }.write(out)
}

/// What a plan changes: a line for each file, or with `diff` the search paths before and after.
fn write_changes(
    out: &mut dyn Write,
    world: &World,
    carried: &Carried,
    telling: Telling<'_>,
) -> io::Result<()> {
    if telling.detail == Detail::Quiet {
        return Ok(());
    }
    if !telling.diff {
        return changes::write_summary(out, world, &carried.plan, telling.detail);
    }
    let mut old_bytes = carried.old_bytes.iter();
    for step in &carried.plan.steps {
        changes::write_diff(out, step)?;
        if let Some(old) = old_bytes.next() {
            changes::write_bytes(out, old, &step.edits)?;
        }
    }
    Ok(())
}

/// Says what became of a direct edit.
///
/// # Errors
/// Where the output cannot be written.
pub fn write_edited(out: &mut dyn Write, chosen: &Chosen, edited: &Edited) -> io::Result<()> {
    let Edited { named, carried: Carried { plan, .. }, drops_signer } = edited;
    if plan.steps.is_empty() {
        return writeln!(out, "{}: nothing to change", shown(named));
    }
    for step in &plan.steps {
        changes::write_diff(out, step)?;
    }
    for warning in plan.steps.iter().filter_map(changes::warning) {
        writeln!(out, "{}: {warning}", paint(WARNING, "warning"))?;
    }
    match &plan.operation {
        None => writeln!(out, "{} would be edited", shown(named))?,
        Some(operation) => {
            // The name of an interpreter means its environment there, and all that was done to it.
            let named_python = named.file_name().and_then(OsStr::to_str);
            let revert = CommandLine::new(["revert"]);
            let undo = match named_python.is_some_and(is_interpreter_name) {
                true => chosen.command(revert.option("--operation", operation)),
                false => chosen.command(revert),
            };
            let undo = paint(COMMAND, undo);
            writeln!(out, "{} edited   undo: {undo}   operation {operation}", shown(named))?;
        }
    }
    if *drops_signer {
        let note = "its signer's signature is an ad-hoc one now: programs that only load \
                    libraries of their own team (library validation) refuse it";
        writeln!(out, "{note}")?;
    }
    Ok(())
}

/// What came of a plan.
struct Outcome<'a> {
    chosen: &'a Chosen,
    /// What was done, or would be, and what remains.
    repaired: &'a Repaired,
    telling: Telling<'a>,
    /// What was not looked at.
    links: Option<String>,
}

impl Outcome<'_> {
    /// Says what came of it, and what to do next.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (detail, chosen) = (self.telling.detail, self.chosen);
        let Repaired { carried: Carried { plan, written, .. }, remaining, unneeded } =
            self.repaired;
        let objects = plan.steps.iter().filter(|step| step.kind != Kind::Record).count();
        let errors = count(remaining, Severity::Error);
        let warnings = count(remaining, Severity::Warning);
        let rest = format!("{}, {} remain", counted(errors, "error"), counted(warnings, "warning"));
        if let (true, Written::To(output)) = (plan.steps.is_empty(), written) {
            let output = shell_word(output.as_os_str().as_bytes());
            return writeln!(out, "nothing is repaired, {rest}; {output} is the same wheel");
        }
        if plan.steps.is_empty() {
            if errors + warnings > 0 {
                return writeln!(out, "nothing is repaired; {rest}");
            }
            if detail > Detail::Quiet {
                let links = self.links.as_ref().map(|links| format!("; {links}"));
                let links = links.unwrap_or_default();
                writeln!(out, "{}  nothing to do{links}", paint(GOOD, "ok"))?;
            }
            return Ok(());
        }
        let changed: u64 = plan.steps.iter().map(|step| step.edits.bytes_changed()).sum();
        let appended: u64 =
            plan.steps.iter().map(|step| EditSet::bytes_appended(&step.edits)).sum();
        let verb = if plan.dry_run { "would be repaired" } else { "repaired" };
        let files = counted(objects, if chosen.is_wheel() { "member" } else { "file" });
        let rest = match &self.links {
            Some(links) => format!("{rest}; {links}"),
            None => rest,
        };
        let bytes = paint(DIM, format!("({changed} bytes replaced, {appended} appended)"));
        writeln!(out, "{}", paint(GOOD, format!("{files} {verb}, {rest}")) + " " + &bytes)?;
        if plan.dry_run {
            return writeln!(out, "{}", paint(COMMAND, format!("→ {}", self.telling.in_earnest)));
        }
        if detail == Detail::Quiet {
            return Ok(());
        }
        if let Written::To(output) = written {
            return writeln!(out, "written to {}", shell_word(output.as_os_str().as_bytes()));
        }
        if chosen.is_wheel() {
            return self.write_next(out, "doctor");
        }
        writeln!(out, "Restart Python processes and notebook kernels that run already.")?;
        if remaining.iter().any(|finding| finding.cause == Cause::DriverMissing) {
            writeln!(out, "The GPU stays hidden until NVIDIA's driver is there.")?;
        }
        if !unneeded.is_empty() {
            let variables = unneeded.join(" and ");
            writeln!(out, "What was repaired needs {variables} no more.")?;
        }
        writeln!(
            out,
            "An upgrade by pip or uv replaces edited files: run tfpatch fix again then."
        )?;
        self.write_next(out, "verify")
    }

    /// Writes how the repair is checked, and how it is taken back.
    fn write_next(&self, out: &mut dyn Write, check: &str) -> io::Result<()> {
        let operation = self.repaired.carried.plan.operation.as_deref().unwrap_or_default();
        let [check, undo] =
            [check, "revert"].map(|word| self.chosen.command(CommandLine::new([word])));
        let (check, undo) = (paint(COMMAND, check), paint(COMMAND, undo));
        writeln!(out, "check: {check}   undo: {undo}   operation {operation}")
    }
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity() == severity).count()
}
