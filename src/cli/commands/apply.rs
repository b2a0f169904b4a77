//! `tfpatch apply`: carries out a plan that was written down.

use crate::app::Error;
use crate::app::apply;
use crate::app::carry_out::Carrying;
use crate::bytes::shown;
use crate::cli::args::{Apply, Format};
use crate::cli::session::{Session, status_of};
use crate::cli::settings;
use crate::findings::finding::Finding;
use crate::operation::Kind;
use crate::plan::Plan;
use crate::report::outcome::{self, Telling};
use crate::report::{changes, json};
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
    let how = apply::Apply {
        plan: read(&options.plan)?,
        file: options.plan.clone(),
        settings: session.loader_settings(&options.simulation)?,
        allow_absolute: options.allow_absolute,
        carrying: Carrying {
            kind: Kind::Apply,
            dry_run: options.dry_run,
            write: options.writing.write.into(),
            sync: !options.writing.no_sync,
            repaired: None,
            old_bytes: session.shows_bytes(options.diff).then_some(changes::SHOWN),
        },
    };
    let named: Vec<_> = options.target.iter().cloned().collect();
    let mut status = 0;
    for chosen in session.app.targets(&named)? {
        let mut fixed = session.app.apply(&chosen, &how)?;
        let repaired = &mut fixed.repaired;
        if session.format == Format::Json {
            let plan = &mut repaired.carried.plan;
            outcome::add_unfixable(plan, &fixed.world.root, &repaired.remaining)?;
            json::write(&mut *session.out, plan)?;
        } else {
            let Session { app, out, detail, .. } = session;
            let in_earnest = &settings::in_earnest();
            let telling = Telling { detail: *detail, diff: options.diff, in_earnest };
            outcome::write(&mut *out, app, &chosen, &fixed, telling)?;
        }
        let remaining = fixed.repaired.remaining.iter();
        status = status.max(status_of(remaining.map(Finding::severity), options.strict));
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
