//! `tfpatch fix`: diagnose, plan, prove, and carry the plan out with a backup.

use crate::cli::args::{Fix, Format, Record, Repair};
use crate::cli::error::CommandError;
use crate::cli::outcome::{self, Carrying};
use crate::cli::progress::Progress;
use crate::cli::session::{Chosen, Session};
use crate::operation::Kind;
use crate::repair::diagnose::diagnose;
use crate::repair::finding::Cause;
use crate::repair::planner;
use crate::repair::steps;
use crate::repair::target::World;

/// The name of a file that means standard output.
const TO_STANDARD_OUTPUT: &str = "-";

/// Repairs each target.
///
/// # Errors
/// Where a target cannot be read or written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Fix) -> Result<u8, CommandError> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut status = 0;
    if options.output.as_deref().is_some_and(|file| file.as_os_str() == TO_STANDARD_OUTPUT) {
        session.format = Format::Json;
    }
    let is_one_plan = session.format == Format::Json || options.output.is_some();
    if is_one_plan && options.targets.targets.len() > 1 {
        return Err(CommandError::new("--format json and -o write one plan: name one target"));
    }
    let surroundings = session.surroundings(&options.simulation)?;
    let search = session.search(&options.repair.search)?;
    for chosen in session.targets(&options.targets.targets)? {
        let fixed = session.until_settled(chosen.root(), options.dry_run, |session| {
            let mut world = session.world(&chosen, settings.clone());
            session.require_object(&chosen, &world)?;
            world.search.clone_from(&search);
            world.surroundings.clone_from(&surroundings);
            fix(session, options, &chosen, &world)
        })?;
        status = status.max(fixed);
    }
    Ok(status)
}

fn fix(
    session: &mut Session,
    options: &Fix,
    chosen: &Chosen,
    world: &World,
) -> Result<u8, CommandError> {
    let progress = Progress::new("planning");
    let diagnosis = diagnose(&session.vfs, world);
    let proposal = planner::propose(&session.vfs, world, &diagnosis, &planner_options(options));
    let update_records = options.repair.record == Record::Update;
    let plan = steps::plan(&session.vfs, world, &proposal, update_records)?;
    drop(progress);
    let Fix { dry_run, diff, strict, writing, .. } = options;
    let owed = proposal.cured.iter().any(|finding| finding.cause == Cause::EnvOverride);
    let variables = world.settings.variables_beside(&world.settings.without_variables());
    let file = options.output.as_deref().filter(|file| file.as_os_str() != TO_STANDARD_OUTPUT);
    let how = Carrying {
        kind: Kind::Fix,
        dry_run: *dry_run,
        diff: *diff,
        strict: *strict,
        writing,
        file,
        unneeded: if owed { &variables } else { &[] },
    };
    outcome::carry_out(session, chosen, world, plan, &proposal.remaining, &how)
}

fn planner_options(options: &Fix) -> planner::Options {
    let Repair { allow_absolute, rpath_kind, .. } = options.repair;
    planner::Options { tidy: options.tidy, allow_absolute, kind: rpath_kind.into() }
}
