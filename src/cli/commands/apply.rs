//! `tfpatch apply`: carries out a plan that was written down.

use crate::app::Error;
use crate::app::apply;
use crate::bytes::shown;
use crate::cli::args::Apply;
use crate::cli::repairs::{carrying, report};
use crate::cli::session::Session;
use crate::cli::settings;
use crate::operation::Kind;
use crate::plan::Plan;
use crate::report::outcome;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No plan is longer: that of a signature made anew for a library of a gigabyte has some 12 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Carries out a plan on a target.
///
/// # Errors
/// Where the plan or the target cannot be read, the plan does not fit, or a file cannot be written.
pub fn run(session: &mut Session, options: &Apply) -> Result<u8, Error> {
    let Apply { dry_run, diff, strict, writing, .. } = options;
    let how = apply::Apply {
        plan: read(&options.plan)?,
        file: options.plan.clone(),
        settings: session.loader_settings(&options.simulation)?,
        allow_absolute: options.allow_absolute,
        carrying: carrying(session, Kind::Apply, *dry_run, *diff, writing),
    };
    let named: Vec<_> = options.target.iter().cloned().collect();
    let mut status = 0;
    for chosen in session.app.targets(&named)? {
        let mut fixed = session.app.apply(&chosen, &how)?;
        let repaired = &mut fixed.repaired;
        let plan = &mut repaired.carried.plan;
        outcome::add_unfixable(plan, &fixed.world.root, &repaired.remaining)?;
        let in_earnest = settings::in_earnest();
        let remaining = report(session, &chosen, &fixed, *diff, &in_earnest, *strict)?;
        status = status.max(remaining);
    }
    Ok(status)
}

/// Reads a plan.
fn read(path: &Path) -> Result<Plan, Error> {
    let failed =
        |error: io::Error| Error::new(format!("cannot read the plan {}: {error}", shown(path)));
    let mut text = Vec::new();
    if path.as_os_str() == "-" {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    } else {
        let file = File::open(settings::working_directory()?.join(path)).map_err(failed)?;
        file.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    }
    if text.len() as u64 > MAX_BYTES {
        let why = format!("{} is no plan: it has more than {MAX_BYTES} bytes", shown(path));
        return Err(Error::new(why));
    }
    Plan::parse(&text).map_err(|error| Error::new(format!("{} is no plan: {error}", shown(path))))
}
