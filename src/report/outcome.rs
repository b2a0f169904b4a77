//! The result of a plan, for people: its changes, and the next steps.

use super::changes;
use super::doctor;
use super::findings::{self, Detail};
use super::linked;
use super::style::{COMMAND, DIM, GOOD, WARNING, counted, edited, paint};
use crate::app::carry_out::{Carried, Written};
use crate::app::fix::{Fixed, Repaired};
use crate::app::rpath::Edited;
use crate::app::{App, Chosen};
use crate::bytes::{shell_word, shown};
use crate::command_line::CommandLine;
use crate::edit::EditSet;
use crate::findings::finding::{Cause, Severity};
use crate::python::interpreter::is_interpreter_name;
use crate::world::World;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;

/// The level of detail of a report about a plan, and its context.
#[derive(Debug, Clone, Copy)]
pub struct Telling<'a> {
    /// The level of detail.
    pub detail: Detail,
    /// Show search paths before and after, instead of a line for each file?
    pub diff: bool,
    /// Is the output a terminal?
    pub is_terminal: bool,
    /// The command that carries out a dry run.
    pub in_earnest: &'a CommandLine,
}

/// Writes the report about a repair.
///
/// # Errors
/// If the output cannot be written.
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

/// Writes the changes of a plan, its result, and the next steps.
///
/// # Errors
/// If the output cannot be written.
pub fn write_done(
    out: &mut dyn Write,
    chosen: &Chosen,
    world: &World,
    repaired: &Repaired,
    telling: Telling<'_>,
) -> io::Result<()> {
    write_changes(out, world, &repaired.carried, telling)?;
    if telling.detail != Detail::Quiet {
        let verb = if repaired.carried.plan.dry_run { "would keep" } else { "keeps" };
        for record in &repaired.records_left {
            let record = world.shown(record);
            writeln!(out, "  {record} {verb} the old hashes, because it is outside the target")?;
        }
    }
    Outcome { chosen, repaired, telling, links: linked::reservation(world) }.write(out)
}

/// The changes of a plan: a line for each file, or with `diff` the search paths before and after.
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
    changes::write_removed(out, &carried.plan)
}

/// Writes the result of a direct edit.
///
/// # Errors
/// If the output cannot be written.
pub fn write_edited(out: &mut dyn Write, chosen: &Chosen, edited: &Edited) -> io::Result<()> {
    let Edited { named, carried, drops_signer } = edited;
    let Carried { plan, written, follows_others, .. } = carried;
    if let (Written::To(output), []) = (written, plan.steps.as_slice()) {
        let output = shell_word(output.as_os_str().as_bytes());
        return writeln!(out, "{}: nothing to change; {output} is identical to it", shown(named));
    }
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
        None if let Written::To(output) = written => {
            let output = shell_word(output.as_os_str().as_bytes());
            writeln!(out, "{} edited, written to {output}", shown(named))?;
        }
        None => writeln!(out, "{} would be edited", shown(named))?,
        Some(operation) => {
            // In a command, the name of an interpreter would mean its whole environment and all operations on
            // it.
            let named_python = named.file_name().and_then(OsStr::to_str);
            let is_python = named_python.is_some_and(is_interpreter_name);
            let undo = undo(chosen, operation, *follows_others || is_python);
            writeln!(out, "{} edited   undo: {undo}   operation {operation}", shown(named))?;
        }
    }
    if *drops_signer {
        let note = "an ad-hoc signature replaces that of its signer: programs that load only libraries of their own \
                    team (library validation) reject it";
        writeln!(out, "{note}")?;
    }
    Ok(())
}

/// The command that undoes an operation. It names the operation only if a revert of the target would undo
/// others, too.
fn undo(chosen: &Chosen, operation: &str, is_one_of_several: bool) -> String {
    let revert = CommandLine::new(["revert"]);
    let revert = match is_one_of_several {
        true => revert.option("--operation", operation),
        false => revert,
    };
    paint(COMMAND, chosen.command(revert))
}

/// The result of a plan.
struct Outcome<'a> {
    chosen: &'a Chosen,
    /// The changes, and what remains.
    repaired: &'a Repaired,
    telling: Telling<'a>,
    /// Directories that were not examined.
    links: Option<String>,
}

impl Outcome<'_> {
    /// Writes the result, and the next steps.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let Repaired { carried: Carried { plan, written, .. }, remaining, .. } = self.repaired;
        let groups = findings::groups(remaining);
        let count = |severity| findings::count(&groups, severity);
        let (errors, warnings) = (count(Severity::Error), count(Severity::Warning));
        let rest = remaining_in_words(errors, warnings);
        if plan.steps.is_empty() {
            return self.write_nothing(out, errors + warnings == 0, &rest);
        }
        let verb = if plan.dry_run { "would be repaired" } else { "repaired" };
        let noun = if self.chosen.is_wheel() { "member" } else { "file" };
        let files = edited(plan.steps.iter().map(|step| step.kind), noun);
        let links = self.links.as_ref().map(|links| format!("; {links}")).unwrap_or_default();
        write!(out, "{}", paint(GOOD, format!("{files} {verb}; {rest}{links}")))?;
        if self.telling.detail == Detail::Verbose {
            let changed: u64 = plan.steps.iter().map(|step| step.edits.bytes_changed()).sum();
            let appended: u64 =
                plan.steps.iter().map(|step| EditSet::bytes_appended(&step.edits)).sum();
            let bytes = format!("({changed} bytes replaced, {appended} appended)");
            write!(out, " {}", paint(DIM, bytes))?;
        }
        writeln!(out)?;
        if plan.dry_run {
            return writeln!(out, "{}", paint(COMMAND, format!("→ {}", self.telling.in_earnest)));
        }
        if self.telling.detail == Detail::Quiet {
            return Ok(());
        }
        if let Written::To(output) = written {
            return writeln!(out, "written to {}", shell_word(output.as_os_str().as_bytes()));
        }
        if self.chosen.is_wheel() {
            return self.write_next(out, "doctor");
        }
        self.write_hints(out)?;
        self.write_next(out, "verify")
    }

    /// Writes that there is nothing to repair.
    fn write_nothing(&self, out: &mut dyn Write, is_well: bool, rest: &str) -> io::Result<()> {
        if let Written::To(output) = &self.repaired.carried.written {
            let output = shell_word(output.as_os_str().as_bytes());
            return writeln!(out, "nothing to repair; {rest}; {output} is identical to the wheel");
        }
        if !is_well {
            return writeln!(out, "nothing to repair; {rest}");
        }
        if self.telling.detail == Detail::Quiet {
            return Ok(());
        }
        let links = self.links.as_ref().map(|links| format!("; {links}")).unwrap_or_default();
        writeln!(out, "{}  nothing to do{links}", paint(GOOD, "ok"))
    }

    /// Writes notes after a repair. Manual steps are written only to a terminal, because nobody can perform
    /// them in the build of an image.
    fn write_hints(&self, out: &mut dyn Write) -> io::Result<()> {
        let Repaired { remaining, unneeded, .. } = self.repaired;
        if self.telling.is_terminal {
            writeln!(out, "Restart running Python processes and notebook kernels.")?;
        }
        if remaining.iter().any(|finding| finding.cause == Cause::DriverMissing) {
            writeln!(out, "The GPU cannot be used until the NVIDIA driver is available.")?;
        }
        if !unneeded.is_empty() {
            let variables = unneeded.join(" and ");
            let verb = if unneeded.len() == 1 { "is" } else { "are" };
            writeln!(out, "{variables} {verb} no longer needed for these libraries.")?;
        }
        if self.telling.is_terminal {
            let again =
                "pip and uv replace edited files on an upgrade; run `tfpatch fix` again after one.";
            writeln!(out, "{again}")?;
        }
        Ok(())
    }

    /// Writes the commands that check and undo the repair.
    fn write_next(&self, out: &mut dyn Write, check: &str) -> io::Result<()> {
        let Carried { plan, follows_others, .. } = &self.repaired.carried;
        let operation = plan.operation.as_deref().unwrap_or_default();
        let check = paint(COMMAND, self.chosen.command(CommandLine::new([check])));
        let undo = undo(self.chosen, operation, *follows_others);
        writeln!(out, "check: {check}   undo: {undo}   operation {operation}")
    }
}

/// The numbers of errors and warnings that remain after a repair.
fn remaining_in_words(errors: usize, warnings: usize) -> String {
    let (error, warning) = (counted(errors, "error"), counted(warnings, "warning"));
    let verb = if errors + warnings == 1 { "remains" } else { "remain" };
    match (errors, warnings) {
        (0, 0) => "no errors or warnings remain".to_owned(),
        (_, 0) => format!("{error} {verb}"),
        (0, _) => format!("{warning} {verb}"),
        _ => format!("{error} and {warning} remain"),
    }
}
