//! What `fix` and `apply` say of a plan: what it changes, and what comes of it.

use super::args::{Format, Writing};
use super::error::CommandError;
use super::progress::Progress;
use super::session::{Chosen, Session, quoted, status_of};
use super::settings;
use crate::edit::EditSet;
use crate::operation;
use crate::plan::{Kind, Plan};
use crate::repair::finding::{Cause, Finding, Severity};
use crate::repair::target::{World, shown};
use crate::report::changes;
use crate::report::findings::{self, Detail};
use crate::report::json::{self, FindingReport};
use crate::report::style::{COMMAND, DIM, GOOD, counted, paint};
use crate::vfs::Vfs as _;
use std::ffi::OsStr;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

/// How a plan is carried out, and told of.
pub struct Carrying<'a> {
    /// What the operation is called in the log.
    pub kind: operation::Kind,
    /// Is nothing to be written?
    pub dry_run: bool,
    /// Are search paths shown before and after?
    pub diff: bool,
    /// Does a warning that remains give status 1?
    pub strict: bool,
    /// How files are written.
    pub writing: &'a Writing,
    /// The file that the plan is to be written to.
    pub file: Option<&'a Path>,
    /// Variables of the loader that what is repaired needs no more.
    pub unneeded: &'a [&'static str],
}

/// A plan that was carried out, or would be.
pub struct Carried {
    /// The plan, with the operation that it became.
    pub plan: Plan,
    /// What it changes, for people.
    changes: Vec<u8>,
}

/// Carries out a plan on a target. `remaining` is what the plan does not cure.
///
/// # Errors
/// Where the target cannot be written, or the file of the plan cannot be.
pub fn carry_out(
    session: &mut Session,
    world: &World,
    mut plan: Plan,
    remaining: &[Finding],
    how: &Carrying<'_>,
) -> Result<Carried, CommandError> {
    let store = session.store(&world.root)?;
    let below_root = remaining.iter().map(|finding| FindingReport::below(&world.root, finding));
    plan.unfixable = below_root.map(serde_json::to_value).collect::<Result<_, _>>()?;
    // The bytes before are shown as they were: they are read before anything is written.
    let changes = changes(session, world, &plan, how.diff)?;
    let Writing { write, no_sync } = *how.writing;
    let writing = session.writing(!no_sync, write.into(), how.dry_run);
    let progress = Progress::new("writing");
    // With nothing to do not even the store's lock is touched, so that a read-only file system will
    // do.
    let applied = if plan.steps.is_empty() {
        None
    } else {
        operation::apply(&session.on_disk(&world.root), &store, &plan, how.kind, &writing)?
    };
    drop(progress);
    plan.dry_run = how.dry_run;
    plan.operation = applied.filter(|_| !how.dry_run).map(|operation| operation.id);

    if let Some(file) = how.file {
        let mut text = Vec::new();
        json::write(&mut text, &plan)?;
        fs::write(file, text).map_err(|error| {
            CommandError::new(format!("cannot write the plan {}: {error}", shown(file)))
        })?;
    }
    Ok(Carried { plan, changes })
}

/// Reports what came of a plan on the target `chosen`, which is `world`. The exit status.
///
/// # Errors
/// Where the output cannot be written.
pub fn report(
    session: &mut Session,
    chosen: &Chosen,
    world: &World,
    carried: &Carried,
    remaining: &[Finding],
    how: &Carrying<'_>,
) -> Result<u8, CommandError> {
    if session.format == Format::Json {
        json::write(&mut *session.out, &carried.plan)?;
    } else {
        session.write_heading(chosen, world)?;
        findings::write(&mut *session.out, world, remaining, session.detail)?;
        write(session, chosen, carried, remaining, how)?;
    }
    Ok(status_of(remaining.iter().map(Finding::severity), how.strict))
}

/// Says for people what a plan changes, what came of it, and what to do next.
///
/// # Errors
/// Where the output cannot be written.
pub fn write(
    session: &mut Session,
    chosen: &Chosen,
    carried: &Carried,
    remaining: &[Finding],
    how: &Carrying<'_>,
) -> io::Result<()> {
    session.out.write_all(&carried.changes)?;
    Outcome { chosen, plan: &carried.plan, remaining, how }.write(session)
}

/// What a plan changes, as it is to be shown: a line for each file, or with `diff` the search paths
/// before and after.
fn changes(
    session: &Session,
    world: &World,
    plan: &Plan,
    diff: bool,
) -> Result<Vec<u8>, CommandError> {
    let mut shown = Vec::new();
    if session.format == Format::Json || session.detail == Detail::Quiet {
        return Ok(shown);
    }
    if !diff {
        changes::write_summary(&mut shown, world, plan, session.detail)?;
        return Ok(shown);
    }
    for step in &plan.steps {
        changes::write_diff(&mut shown, step)?;
        if session.detail == Detail::Verbose {
            let source = session.vfs.open(&world.root.join(&step.path))?;
            changes::write_bytes(&mut shown, source.as_ref(), &step.edits)?;
        }
    }
    Ok(shown)
}

/// What came of a plan.
struct Outcome<'a> {
    chosen: &'a Chosen,
    /// What was done, or would be.
    plan: &'a Plan,
    /// What remains.
    remaining: &'a [Finding],
    /// How it was carried out.
    how: &'a Carrying<'a>,
}

impl Outcome<'_> {
    /// Says what came of it, and what to do next.
    fn write(&self, session: &mut Session) -> io::Result<()> {
        let detail = session.detail;
        let out = &mut *session.out;
        let Self { plan, remaining, .. } = self;
        let objects = plan.steps.iter().filter(|step| step.kind != Kind::Record).count();
        let errors = count(remaining, Severity::Error);
        let warnings = count(remaining, Severity::Warning);
        let rest = format!("{}, {} remain", counted(errors, "error"), counted(warnings, "warning"));
        if plan.steps.is_empty() {
            if errors + warnings > 0 {
                return writeln!(out, "nothing is repaired; {rest}");
            }
            if detail > Detail::Quiet {
                writeln!(out, "{}  nothing to do", paint(GOOD, "ok"))?;
            }
            return Ok(());
        }
        let changed: u64 = plan.steps.iter().map(|step| step.edits.bytes_changed()).sum();
        let appended: u64 =
            plan.steps.iter().map(|step| EditSet::bytes_appended(&step.edits)).sum();
        let verb = if plan.dry_run { "would be repaired" } else { "repaired" };
        let files = counted(objects, "file");
        let bytes = paint(DIM, format!("({changed} bytes replaced, {appended} appended)"));
        writeln!(out, "{}", paint(GOOD, format!("{files} {verb}, {rest}")) + " " + &bytes)?;
        if plan.dry_run {
            return writeln!(out, "{}", paint(COMMAND, format!("→ {}", self.in_earnest())));
        }
        if detail == Detail::Quiet {
            return Ok(());
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
        let operation = plan.operation.as_deref().unwrap_or_default();
        let (check, undo) = (self.chosen.command("verify"), self.chosen.command("revert"));
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
