//! `tfpatch fix`: diagnose, plan, prove, and carry the plan out with a backup.

use super::wheel::{self, Written};
use crate::cli::args::{Fix, Format, Record, Repair};
use crate::cli::error::CommandError;
use crate::cli::progress::Progress;
use crate::cli::session::{Chosen, Session, quoted, status_of};
use crate::cli::settings;
use crate::cli::view::View;
use crate::edit::EditSet;
use crate::operation::{self, Kind};
use crate::plan::{Kind as FileKind, Plan};
use crate::repair::diagnose::diagnose;
use crate::repair::finding::{Cause, Finding, Severity};
use crate::repair::planner::{self, Proposal};
use crate::repair::steps;
use crate::repair::target::World;
use crate::report::changes;
use crate::report::findings::{self, Detail};
use crate::report::json::{self, FindingReport};
use crate::report::style::{COMMAND, DIM, GOOD, counted, paint};
use std::io::{self, Write};

/// Repairs each target.
///
/// # Errors
/// Where a target cannot be read or written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Fix) -> Result<u8, CommandError> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut status = 0;
    if session.format == Format::Json && options.targets.targets.len() > 1 {
        return Err(CommandError::new("--format json prints one plan: name one target"));
    }
    let targets = session.targets(&options.targets.targets)?;
    wheel::check_output(session, options, &targets)?;
    let files = session.vfs.clone();
    for chosen in targets {
        let fixed = session.until_settled(chosen.root(), options.dry_run, |session| {
            let view = session.view(&files, &chosen)?;
            let mut world = session.world(&view, &chosen, settings.clone());
            session.require_object(&chosen, &world)?;
            world.search = session.search(&view, &options.repair.search)?;
            fix(session, options, &chosen, &view, &world)
        })?;
        status = status.max(fixed);
    }
    Ok(status)
}

fn fix(
    session: &mut Session,
    options: &Fix,
    chosen: &Chosen,
    view: &View<'_>,
    world: &World,
) -> Result<u8, CommandError> {
    let progress = Progress::new("planning");
    let diagnosis = diagnose(view.vfs(), world);
    let proposal = planner::propose(view.vfs(), world, &diagnosis, &planner_options(options));
    let update_records = options.repair.record == Record::Update;
    let planned = steps::plan(view.vfs(), world, &proposal, update_records);
    // A damaged member is the reason for whatever else went wrong.
    view.require_sound()?;
    let mut plan = planned?;
    drop(progress);
    plan.unfixable = proposal
        .remaining
        .iter()
        .map(|finding| serde_json::to_value(FindingReport::of(finding)))
        .collect::<Result<_, _>>()?;
    // The bytes before are shown as they were: they are read before anything is written.
    let shown = shown_changes(session, options, view, world, &plan)?;
    let progress = Progress::new("writing");
    let written = match view.wheel() {
        Some(wheel) => wheel::carry_out(session, options, chosen, wheel, &plan)?,
        None => carry_out(session, options, world, &plan)?,
    };
    drop(progress);
    plan.dry_run = options.dry_run;
    if let Written::InPlace(operation) = &written {
        plan.operation = Some(operation.clone());
    }

    if session.format == Format::Json {
        json::write(&mut *session.out, &plan)?;
    } else {
        session.write_heading(chosen, world)?;
        findings::write(&mut *session.out, world, &proposal.remaining, session.detail)?;
        session.out.write_all(&shown)?;
        write_conclusion(session, options, chosen, &proposal, &plan, &written)?;
    }
    Ok(status_of(proposal.remaining.iter().map(Finding::severity), options.strict))
}

/// Carries out a plan on the files of this machine.
fn carry_out(
    session: &Session,
    options: &Fix,
    world: &World,
    plan: &Plan,
) -> Result<Written, CommandError> {
    let store = session.store(&world.root)?;
    let writing =
        session.writing(!options.writing.no_sync, options.writing.write.into(), options.dry_run);
    // With nothing to do not even the store's lock is touched, so that a read-only file system will
    // do.
    if plan.steps.is_empty() {
        return Ok(Written::Not);
    }
    let root = session.on_disk(&world.root);
    let applied = operation::apply(&root, &store, plan, Kind::Fix, &writing)?;
    let done = applied.filter(|_| !options.dry_run);
    Ok(done.map_or(Written::Not, |operation| Written::InPlace(operation.id)))
}

fn planner_options(options: &Fix) -> planner::Options {
    let Repair { allow_absolute, rpath_kind, .. } = options.repair;
    planner::Options { tidy: options.tidy, allow_absolute, kind: rpath_kind.into() }
}

fn shown_changes(
    session: &Session,
    options: &Fix,
    view: &View<'_>,
    world: &World,
    plan: &Plan,
) -> Result<Vec<u8>, CommandError> {
    let mut shown = Vec::new();
    if session.format == Format::Json || session.detail == Detail::Quiet {
        return Ok(shown);
    }
    if !options.diff {
        changes::write_summary(&mut shown, world, plan, session.detail)?;
        return Ok(shown);
    }
    for step in &plan.steps {
        changes::write_diff(&mut shown, step)?;
        if session.detail == Detail::Verbose {
            let source = view.vfs().open(&world.root.join(&step.path))?;
            changes::write_bytes(&mut shown, source.as_ref(), &step.edits)?;
        }
    }
    Ok(shown)
}

fn write_conclusion(
    session: &mut Session,
    options: &Fix,
    chosen: &Chosen,
    proposal: &Proposal,
    plan: &Plan,
    written: &Written,
) -> io::Result<()> {
    let detail = session.detail;
    let out = &mut *session.out;
    let objects = plan.steps.iter().filter(|step| step.kind != FileKind::Record).count();
    let errors = count(&proposal.remaining, Severity::Error);
    let warnings = count(&proposal.remaining, Severity::Warning);
    let remaining =
        format!("{}, {} remain", counted(errors, "error"), counted(warnings, "warning"));
    if let (0, Written::To(output)) = (objects, written) {
        let output = quoted(output.as_os_str());
        return writeln!(out, "nothing is repaired, {remaining}; {output} is the same wheel");
    }
    if objects == 0 {
        if errors + warnings > 0 {
            return writeln!(out, "nothing is repaired; {remaining}");
        }
        if detail > Detail::Quiet {
            writeln!(out, "{}  nothing to do", paint(GOOD, "ok"))?;
        }
        return Ok(());
    }
    let changed: u64 = plan.steps.iter().map(|step| step.edits.bytes_changed()).sum();
    let appended: u64 = plan.steps.iter().map(|step| EditSet::bytes_appended(&step.edits)).sum();
    let verb = if options.dry_run { "would be repaired" } else { "repaired" };
    let files = counted(objects, if chosen.is_wheel() { "member" } else { "file" });
    let bytes = paint(DIM, format!("({changed} bytes replaced, {appended} appended)"));
    writeln!(out, "{}", paint(GOOD, format!("{files} {verb}, {remaining}")) + " " + &bytes)?;
    if options.dry_run {
        return writeln!(out, "{}", paint(COMMAND, format!("→ {}", in_earnest())));
    }
    if detail == Detail::Quiet {
        return Ok(());
    }
    if let Written::To(output) = written {
        return writeln!(out, "written to {}", quoted(output.as_os_str()));
    }
    if chosen.is_wheel() {
        return write_next(out, chosen, "doctor", plan);
    }
    writeln!(out, "Restart Python processes and notebook kernels that run already.")?;
    if proposal.remaining.iter().any(|finding| finding.cause == Cause::DriverMissing) {
        writeln!(out, "The GPU stays hidden until NVIDIA's driver is there.")?;
    }
    writeln!(out, "An upgrade by pip or uv replaces edited files: run tfpatch fix again then.")?;
    write_next(out, chosen, "verify", plan)
}

/// Writes how the repair is checked, and how it is taken back.
fn write_next(out: &mut dyn Write, chosen: &Chosen, check: &str, plan: &Plan) -> io::Result<()> {
    let operation = plan.operation.as_deref().unwrap_or_default();
    let (check, undo) = (chosen.command(check), chosen.command("revert"));
    let (check, undo) = (paint(COMMAND, check), paint(COMMAND, undo));
    writeln!(out, "check: {check}   undo: {undo}   operation {operation}")
}

/// The command as it was typed, but for the options that make it a trial.
fn in_earnest() -> String {
    let words =
        settings::words().into_iter().filter(|word| word != "--dry-run" && word != "--diff");
    words.fold("tfpatch".to_owned(), |command, word| format!("{command} {}", quoted(&word)))
}

fn count(findings: &[Finding], severity: Severity) -> usize {
    findings.iter().filter(|finding| finding.severity() == severity).count()
}
