//! `tfpatch fix`: diagnose, plan, prove, and carry the plan out with a backup.

use crate::cli::args::{Fix, Format, Record, Repair};
use crate::cli::carrying::{Carrying, Subject};
use crate::cli::error::CommandError;
use crate::cli::outcome::{self, Carried};
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::wheel;
use crate::diagnosis::diagnose::{Diagnosis, diagnose};
use crate::findings::finding::Cause;
use crate::operation::Kind;
use crate::repair::plan_builder;
use crate::repair::planner;
use crate::repair::proposal::Proposal;
use crate::repair::trace_scope::Scope;
use std::io;

/// The name of a file that means standard output.
const TO_STANDARD_OUTPUT: &str = "-";

/// Repairs each target.
///
/// # Errors
/// Where a target cannot be read or written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Fix) -> Result<u8, CommandError> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut status = 0;
    if options.plan.as_deref().is_some_and(|file| file.as_os_str() == TO_STANDARD_OUTPUT) {
        session.format = Format::Json;
    }
    let is_one_plan = session.format == Format::Json || options.plan.is_some();
    if is_one_plan && options.targets.targets.len() > 1 {
        return Err(CommandError::new("--format json and -o write one plan: name one target"));
    }
    let surroundings = session.surroundings(&options.simulation)?;
    let targets = session.targets(&options.targets.targets)?;
    wheel::check_output(session, options, &targets)?;
    for chosen in targets {
        session.require_interpreter(&chosen)?;
        let fixed = session.until_settled(chosen.root(), options.dry_run, |session| {
            let progress = Progress::new("reading objects");
            let files = session.vfs.remembering();
            let view = session.view(&files, &chosen)?;
            let mut world = session.world(&view, &chosen, settings.clone());
            session.require_object(&chosen, &world)?;
            world.search = session.search(&view, &options.repair.search)?;
            world.surroundings.clone_from(&surroundings);
            world.tidy = options.tidy;
            let diagnosis = diagnose(view.vfs(), &world);
            view.require_sound()?;
            session.require_something(&chosen, &world, &diagnosis.findings)?;
            drop(progress);
            let subject = Subject { chosen: &chosen, view: &view, world: &world };
            let repaired = repair(session, options, &subject, &diagnosis, None)?;
            let Repaired { proposal, carried, unneeded } = &repaired;
            let how = carrying(options, unneeded);
            outcome::report(session, &subject, carried, &proposal.remaining, &how)
        })?;
        status = status.max(fixed);
    }
    Ok(status)
}

/// A repair that was carried out, or would be.
pub(super) struct Repaired {
    pub(super) proposal: Proposal,
    pub(super) carried: Carried,
    /// Variables of the loader that what is repaired needs no more.
    unneeded: Vec<&'static str>,
}

/// Plans the repair of what a diagnosis found, or of `scope` alone, proves it, and carries it out.
///
/// # Errors
/// Where the target cannot be read or written.
pub(super) fn repair(
    session: &mut Session,
    options: &Fix,
    subject: &Subject<'_>,
    diagnosis: &Diagnosis,
    scope: Option<Scope>,
) -> Result<Repaired, CommandError> {
    let Subject { view, world, .. } = subject;
    let progress = Progress::new("planning");
    let Repair { allow_absolute, rpath_kind, .. } = options.repair;
    let how =
        planner::Options { tidy: options.tidy, allow_absolute, kind: rpath_kind.into(), scope };
    let proposal = planner::propose(view.vfs(), world, diagnosis, &how);
    let update_records = options.repair.record == Record::Update;
    let planned = plan_builder::plan(view.vfs(), world, &proposal, update_records);
    // A damaged member is the reason for whatever else went wrong.
    view.require_sound()?;
    session.require_read(subject.chosen)?;
    let plan = planned?;
    drop(progress);
    let unneeded = if proposal.cured.iter().any(|finding| finding.cause == Cause::EnvOverride) {
        world.settings.variables_beside(&world.settings.without_variables())
    } else {
        Vec::new()
    };
    let how = carrying(options, &unneeded);
    let carried = outcome::carry_out(session, subject, plan, &proposal.remaining, &how)?;
    Ok(Repaired { proposal, carried, unneeded })
}

/// Says for people what was done and what remains to be done.
///
/// # Errors
/// Where the output cannot be written.
pub(super) fn write(
    session: &mut Session,
    options: &Fix,
    subject: &Subject<'_>,
    repaired: &Repaired,
) -> io::Result<()> {
    let Repaired { proposal, carried, unneeded } = repaired;
    let how = carrying(options, unneeded);
    outcome::write(session, subject, carried, &proposal.remaining, &how)
}

fn carrying<'a>(options: &'a Fix, unneeded: &'a [&'static str]) -> Carrying<'a> {
    let file = options.plan.as_deref().filter(|file| file.as_os_str() != TO_STANDARD_OUTPUT);
    Carrying {
        kind: Kind::Fix,
        dry_run: options.dry_run,
        diff: options.diff,
        strict: options.strict,
        writing: &options.writing,
        file,
        repaired: options.repaired.as_deref(),
        unneeded,
    }
}
