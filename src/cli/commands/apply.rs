//! `tfpatch apply`: carries out a plan that was written down.

use crate::bytes::shown;
use crate::cli::args::Apply;
use crate::cli::carrying::{Carrying, Subject};
use crate::cli::error::CommandError;
use crate::cli::outcome;
use crate::cli::progress::Progress;
use crate::cli::session::Session;
use crate::cli::settings;
use crate::operation::Kind;
use crate::plan::Plan;
use crate::repair::foreign_plan::{Received, receive};
use crate::report::style::counted;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No plan is longer: that of a signature made anew for a library of a gigabyte has some 12 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Carries out a plan on a target.
///
/// # Errors
/// Where the plan or the target cannot be read, the plan does not fit, or a file cannot be written.
pub fn run(session: &mut Session, options: &Apply) -> Result<u8, CommandError> {
    let plan = read(&options.plan)?;
    let settings = session.loader_settings(&options.simulation)?;
    let named: Vec<_> = options.target.iter().cloned().collect();
    let mut status = 0;
    let files = session.vfs.clone();
    for chosen in session.targets(&named)? {
        let applied = session.until_settled(chosen.root(), options.dry_run, |session| {
            let view = session.view(&files, &chosen)?;
            let world = session.world(&view, &chosen, settings.clone());
            session.require_object(&chosen, &world)?;
            let subject = Subject { chosen: &chosen, view: &view, world: &world };
            apply(session, options, &subject, &plan)
        })?;
        status = status.max(applied);
    }
    Ok(status)
}

fn apply(
    session: &mut Session,
    options: &Apply,
    subject: &Subject<'_>,
    plan: &Plan,
) -> Result<u8, CommandError> {
    let progress = Progress::new("comparing");
    let received = receive(subject.view.vfs(), subject.world, plan, options.allow_absolute);
    subject.view.require_sound()?;
    drop(progress);
    let Received { plan, remaining } = received.map_err(|misfits| {
        let files = counted(misfits.len(), "obstacle");
        let what = format!(
            "the plan {} does not fit {}: {files}, nothing was written",
            shown(&options.plan),
            shown(subject.chosen.path())
        );
        let each = misfits.iter().map(|misfit| format!("{}: {}", misfit.file, misfit.why));
        each.fold(CommandError::new(what), CommandError::detail)
            .hint("`tfpatch fix` plans for this target as it is")
    })?;
    let Apply { dry_run, diff, strict, writing, .. } = options;
    let (dry_run, diff, strict, file) = (*dry_run, *diff, *strict, None);
    let how = Carrying {
        kind: Kind::Apply,
        dry_run,
        diff,
        strict,
        writing,
        file,
        repaired: None,
        unneeded: &[],
    };
    let carried = outcome::carry_out(session, subject, plan, &remaining, &how)?;
    outcome::report(session, subject, &carried, &remaining, &how)
}

/// Reads a plan.
fn read(path: &Path) -> Result<Plan, CommandError> {
    let failed = |error: io::Error| {
        CommandError::new(format!("cannot read the plan {}: {error}", shown(path)))
    };
    let mut text = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    } else {
        let file = File::open(settings::working_directory()?.join(path)).map_err(failed)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    }
    if text.len() as u64 > MAX_BYTES {
        let why = format!("{} is no plan: it has more than {MAX_BYTES} bytes", shown(path));
        return Err(CommandError::new(why));
    }
    Plan::parse(&text)
        .map_err(|error| CommandError::new(format!("{} is no plan: {error}", shown(path))))
}
