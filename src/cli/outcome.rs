//! What `fix` and `apply` say of a plan: what it changes, and what comes of it.

use super::args::{Format, Writing};
use super::carrying::{Carrying, Subject, Written};
use super::error::CommandError;
use super::progress::Progress;
use super::session::{Chosen, Session, quoted, status_of};
use super::settings;
use super::wheel;
use crate::bytes::shown;
use crate::edit::EditSet;
use crate::findings::finding::{Cause, Finding, Severity};
use crate::operation;
use crate::plan::{Kind, Plan};
use crate::report::changes;
use crate::report::findings::{self, Detail};
use crate::report::json::{self, FindingReport};
use crate::report::linked;
use crate::report::style::{COMMAND, DIM, GOOD, counted, paint};
use crate::world::World;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};

/// A plan that was carried out, or would be.
pub struct Carried {
    /// The plan, with the operation that it became.
    pub plan: Plan,
    written: Written,
    /// What it changes, for people.
    changes: Vec<u8>,
}

/// Carries out a plan on a target. `remaining` is what the plan does not cure.
///
/// # Errors
/// Where the target cannot be written, or the file of the plan cannot be.
pub fn carry_out(
    session: &mut Session,
    subject: &Subject<'_>,
    mut plan: Plan,
    remaining: &[Finding],
    how: &Carrying<'_>,
) -> Result<Carried, CommandError> {
    let Subject { chosen, view, world } = *subject;
    let below_root = remaining.iter().map(|finding| FindingReport::below(&world.root, finding));
    plan.unfixable = below_root.map(serde_json::to_value).collect::<Result<_, _>>()?;
    // The bytes before are shown as they were: they are read before anything is written.
    let changes = changes(session, subject, &plan, how.diff)?;
    let progress = Progress::new("writing");
    let written = match view.wheel() {
        Some(wheel) => wheel::carry_out(session, how, chosen, wheel, &plan)?,
        None => on_files(session, world, &plan, how)?,
    };
    drop(progress);
    plan.dry_run = how.dry_run;
    if let Written::InPlace(operation) = &written {
        plan.operation = Some(operation.clone());
    }

    if let Some(file) = how.file {
        let mut text = Vec::new();
        json::write(&mut text, &plan)?;
        fs::write(file, text).map_err(|error| {
            CommandError::new(format!("cannot write the plan {}: {error}", shown(file)))
        })?;
    }
    Ok(Carried { plan, written, changes })
}

/// Carries out a plan on the files of this machine.
fn on_files(
    session: &Session,
    world: &World,
    plan: &Plan,
    how: &Carrying<'_>,
) -> Result<Written, CommandError> {
    let store = session.store(&world.root)?;
    let Writing { write, no_sync } = *how.writing;
    let writing = session.writing(!no_sync, write.into(), how.dry_run);
    // With nothing to do not even the store's lock is touched, so that a read-only file system will
    // do.
    if plan.steps.is_empty() {
        return Ok(Written::Not);
    }
    let root = session.on_disk(&world.root);
    let applied = operation::apply(&root, &store, plan, how.kind, &writing)?;
    let done = applied.filter(|_| !how.dry_run);
    Ok(done.map_or(Written::Not, |operation| Written::InPlace(operation.id)))
}

/// Reports what came of a plan. The exit status.
///
/// # Errors
/// Where the output cannot be written.
pub fn report(
    session: &mut Session,
    subject: &Subject<'_>,
    carried: &Carried,
    remaining: &[Finding],
    how: &Carrying<'_>,
) -> Result<u8, CommandError> {
    if session.format == Format::Json {
        json::write(&mut *session.out, &carried.plan)?;
    } else {
        session.write_heading(subject.chosen, subject.world)?;
        findings::write(&mut *session.out, subject.world, remaining, session.detail)?;
        session.write_not_followed(subject.chosen, subject.world)?;
        write(session, subject, carried, remaining, how)?;
    }
    Ok(status_of(remaining.iter().map(Finding::severity), how.strict))
}

/// Says for people what a plan changes, what came of it, and what to do next.
///
/// # Errors
/// Where the output cannot be written.
pub fn write(
    session: &mut Session,
    subject: &Subject<'_>,
    carried: &Carried,
    remaining: &[Finding],
    how: &Carrying<'_>,
) -> io::Result<()> {
    session.out.write_all(&carried.changes)?;
    let links = linked::reservation(subject.world);
    Outcome { chosen: subject.chosen, carried, remaining, how, links }.write(session)
}

/// What a plan changes, as it is to be shown: a line for each file, or with `diff` the search paths
/// before and after.
fn changes(
    session: &Session,
    subject: &Subject<'_>,
    plan: &Plan,
    diff: bool,
) -> Result<Vec<u8>, CommandError> {
    let mut shown = Vec::new();
    if session.format == Format::Json || session.detail == Detail::Quiet {
        return Ok(shown);
    }
    if !diff {
        changes::write_summary(&mut shown, subject.world, plan, session.detail)?;
        return Ok(shown);
    }
    for step in &plan.steps {
        changes::write_diff(&mut shown, step)?;
        if session.detail == Detail::Verbose {
            let source = subject.view.vfs().open(&subject.world.root.join(&step.path))?;
            changes::write_bytes(&mut shown, source.as_ref(), &step.edits)?;
        }
    }
    Ok(shown)
}

/// What came of a plan.
struct Outcome<'a> {
    chosen: &'a Chosen,
    /// What was done, or would be.
    carried: &'a Carried,
    /// What remains.
    remaining: &'a [Finding],
    /// How it was carried out.
    how: &'a Carrying<'a>,
    /// What was not looked at.
    links: Option<String>,
}

impl Outcome<'_> {
    /// Says what came of it, and what to do next.
    fn write(&self, session: &mut Session) -> io::Result<()> {
        let detail = session.detail;
        let out = &mut *session.out;
        let Self { chosen, carried: Carried { plan, written, .. }, remaining, .. } = self;
        let objects = plan.steps.iter().filter(|step| step.kind != Kind::Record).count();
        let errors = count(remaining, Severity::Error);
        let warnings = count(remaining, Severity::Warning);
        let rest = format!("{}, {} remain", counted(errors, "error"), counted(warnings, "warning"));
        if let (true, Written::To(output)) = (plan.steps.is_empty(), written) {
            let output = quoted(output.as_os_str());
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
            return writeln!(out, "{}", paint(COMMAND, format!("→ {}", self.in_earnest())));
        }
        if detail == Detail::Quiet {
            return Ok(());
        }
        if let Written::To(output) = written {
            return writeln!(out, "written to {}", quoted(output.as_os_str()));
        }
        if chosen.is_wheel() {
            return self.write_next(out, "doctor");
        }
        writeln!(out, "Restart Python processes and notebook kernels that run already.")?;
        if remaining.iter().any(|finding| finding.cause == Cause::DriverMissing) {
            writeln!(out, "The GPU stays hidden until NVIDIA's driver is there.")?;
        }
        if !self.how.unneeded.is_empty() {
            let variables = self.how.unneeded.join(" and ");
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
        let operation = self.carried.plan.operation.as_deref().unwrap_or_default();
        let (check, undo) = (self.chosen.command(check), self.chosen.command("revert"));
        let (check, undo) = (paint(COMMAND, check), paint(COMMAND, undo));
        writeln!(out, "check: {check}   undo: {undo}   operation {operation}")
    }

    /// The command that does what was tried: it applies the plan that was written, or it is the
    /// command as it was typed, but for the options that make it a trial.
    fn in_earnest(&self) -> String {
        if let Some(file) = self.how.file {
            return self.chosen.command(&format!("apply {}", quoted(file.as_os_str())));
        }
        let is_trial = |word: &OsStr| word == "--dry-run" || word == "--diff";
        let words = settings::words().into_iter().filter(|word| !is_trial(word));
        words.fold("tfpatch".to_owned(), |command, word| format!("{command} {}", quoted(&word)))
    }
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity() == severity).count()
}
