//! `tfpatch fix`: diagnose, plan, prove, and carry the plan out with a backup.

use crate::cli::args::{Fix, Format, Record, Repair};
use crate::cli::error::CommandError;
use crate::cli::progress::Progress;
use crate::cli::session::{Chosen, Session, quoted, status_of};
use crate::cli::settings;
use crate::edit::EditSet;
use crate::operation::{self, Kind};
use crate::plan::{Kind as FileKind, Plan};
use crate::repair::diagnose::{Diagnosis, diagnose};
use crate::repair::finding::{Cause, Finding, Severity};
use crate::repair::planner::{self, Proposal};
use crate::repair::scope::Scope;
use crate::repair::steps;
use crate::repair::target::World;
use crate::report::changes;
use crate::report::findings::{self, Detail};
use crate::report::json::{self, FindingReport};
use crate::report::style::{COMMAND, DIM, GOOD, counted, paint};
use crate::vfs::Vfs as _;
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
    let search = session.search(&options.repair.search)?;
    for chosen in session.targets(&options.targets.targets)? {
        let fixed = session.until_settled(chosen.root(), options.dry_run, |session| {
            let progress = Progress::new("reading objects");
            let mut world = session.world(&chosen, settings.clone());
            session.require_object(&chosen, &world)?;
            world.search.clone_from(&search);
            let diagnosis = diagnose(&session.vfs, &world);
            drop(progress);
            let repaired = repair(session, options, &world, &diagnosis, None)?;
            if session.format == Format::Json {
                json::write(&mut *session.out, &repaired.plan)?;
            } else {
                session.write_heading(&chosen, &world)?;
                let remaining = &repaired.proposal.remaining;
                findings::write(&mut *session.out, &world, remaining, session.detail)?;
                write(session, options, &chosen, &repaired)?;
            }
            Ok(repaired.status(options.strict))
        })?;
        status = status.max(fixed);
    }
    Ok(status)
}

/// A repair that was carried out, or would be.
pub(super) struct Repaired {
    pub(super) proposal: Proposal,
    pub(super) plan: Plan,
    /// The changes, for people.
    shown: Vec<u8>,
}

impl Repaired {
    /// The exit status for what remains.
    pub(super) fn status(&self, strict: bool) -> u8 {
        status_of(self.proposal.remaining.iter().map(Finding::severity), strict)
    }
}

/// Plans the repair of what a diagnosis found, or of `scope` alone, proves it, and carries it out.
///
/// # Errors
/// Where the target cannot be read or written.
pub(super) fn repair(
    session: &mut Session,
    options: &Fix,
    world: &World,
    diagnosis: &Diagnosis,
    scope: Option<Scope>,
) -> Result<Repaired, CommandError> {
    let store = session.store(&world.root)?;
    let progress = Progress::new("planning");
    let Repair { allow_absolute, rpath_kind, .. } = options.repair;
    let how =
        planner::Options { tidy: options.tidy, allow_absolute, kind: rpath_kind.into(), scope };
    let proposal = planner::propose(&session.vfs, world, diagnosis, &how);
    let update_records = options.repair.record == Record::Update;
    let mut plan = steps::plan(&session.vfs, world, &proposal, update_records)?;
    drop(progress);
    plan.unfixable = proposal
        .remaining
        .iter()
        .map(|finding| serde_json::to_value(FindingReport::of(finding)))
        .collect::<Result<_, _>>()?;
    // The bytes before are shown as they were: they are read before anything is written.
    let shown = shown_changes(session, options, world, &plan)?;
    let writing =
        session.writing(!options.writing.no_sync, options.writing.write.into(), options.dry_run);
    let progress = Progress::new("writing");
    // With nothing to do not even the store's lock is touched, so that a read-only file system will
    // do.
    let applied = if plan.steps.is_empty() {
        None
    } else {
        operation::apply(&session.on_disk(&world.root), &store, &plan, Kind::Fix, &writing)?
    };
    drop(progress);
    plan.dry_run = options.dry_run;
    plan.operation = applied.filter(|_| !options.dry_run).map(|operation| operation.id);
    Ok(Repaired { proposal, plan, shown })
}

/// Says for people what was done and what remains to be done.
///
/// # Errors
/// Where the output cannot be written.
pub(super) fn write(
    session: &mut Session,
    options: &Fix,
    chosen: &Chosen,
    repaired: &Repaired,
) -> io::Result<()> {
    session.out.write_all(&repaired.shown)?;
    write_conclusion(session, options, chosen, &repaired.proposal, &repaired.plan)
}

fn shown_changes(
    session: &Session,
    options: &Fix,
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
            let source = session.vfs.open(&world.root.join(&step.path))?;
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
) -> io::Result<()> {
    let detail = session.detail;
    let out = &mut *session.out;
    let objects = plan.steps.iter().filter(|step| step.kind != FileKind::Record).count();
    let errors = count(&proposal.remaining, Severity::Error);
    let warnings = count(&proposal.remaining, Severity::Warning);
    let remaining =
        format!("{}, {} remain", counted(errors, "error"), counted(warnings, "warning"));
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
    let files = counted(objects, "file");
    let bytes = paint(DIM, format!("({changed} bytes replaced, {appended} appended)"));
    writeln!(out, "{}", paint(GOOD, format!("{files} {verb}, {remaining}")) + " " + &bytes)?;
    if options.dry_run {
        return writeln!(out, "{}", paint(COMMAND, format!("→ {}", in_earnest())));
    }
    if detail == Detail::Quiet {
        return Ok(());
    }
    writeln!(out, "Restart Python processes and notebook kernels that run already.")?;
    if proposal.remaining.iter().any(|finding| finding.cause == Cause::DriverMissing) {
        writeln!(out, "The GPU stays hidden until NVIDIA's driver is there.")?;
    }
    writeln!(out, "An upgrade by pip or uv replaces edited files: run tfpatch fix again then.")?;
    let operation = plan.operation.as_deref().unwrap_or_default();
    let (check, undo) = (chosen.command("verify"), chosen.command("revert"));
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
