//! `tfpatch fix`: diagnose, plan, prove, and carry the plan out with a backup.

use crate::app::carry_out::Carrying;
use crate::app::fix::{self, Planning};
use crate::app::targets::quoted;
use crate::app::{Chosen, Error};
use crate::bytes::shown;
use crate::cli::args::{Fix, Format, Record, Repair};
use crate::cli::repairs::{self, carrying};
use crate::cli::session::Session;
use crate::cli::settings;
use crate::operation::{Kind, write_text};
use crate::report::{json, outcome};
use crate::world::Question;

use std::path::Path;

/// The name of a file that means standard output.
const TO_STANDARD_OUTPUT: &str = "-";

/// Repairs each target.
///
/// # Errors
/// Where a target cannot be read or written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Fix) -> Result<u8, Error> {
    let loader_settings = session.loader_settings(&options.simulation)?;
    if options.plan.as_deref().is_some_and(|file| file.as_os_str() == TO_STANDARD_OUTPUT) {
        session.format = Format::Json;
    }
    let is_one_plan = session.format == Format::Json || options.plan.is_some();
    if is_one_plan && options.targets.targets.len() > 1 {
        return Err(Error::new("--format json and -o write one plan: name one target"));
    }
    let Fix { dry_run, diff, writing, .. } = options;
    let carrying = carrying(session, Kind::Fix, *dry_run, *diff, writing);
    let how = fix::Fix {
        settings: loader_settings,
        question: Question {
            search: options.repair.search.clone(),
            surroundings: session.surroundings(&options.simulation)?,
            tidy: options.tidy,
            deep: false,
        },
        planning: planning(options),
        carrying: Carrying { repaired: options.repaired.clone(), ..carrying },
    };
    let targets = session.app.targets(&options.targets.targets)?;
    session.app.check_output(options.repaired.as_deref(), &targets)?;
    let mut status = 0;
    for chosen in targets {
        let fixed = session.app.fix(&chosen, &how)?;
        status = status.max(report(session, options, &chosen, fixed)?);
    }
    Ok(status)
}

/// How a repair is planned that was asked for with these options.
pub(super) fn planning(options: &Fix) -> Planning {
    let Repair { allow_absolute, rpath_kind, record, .. } = options.repair;
    Planning { allow_absolute, kind: rpath_kind.into(), update_records: record == Record::Update }
}

fn report(
    session: &mut Session,
    options: &Fix,
    chosen: &Chosen,
    mut fixed: fix::Fixed,
) -> Result<u8, Error> {
    let repaired = &mut fixed.repaired;
    let plan = &mut repaired.carried.plan;
    outcome::add_unfixable(plan, &fixed.world.root, &repaired.remaining)?;
    let file = options.plan.as_deref().filter(|file| file.as_os_str() != TO_STANDARD_OUTPUT);
    if let Some(file) = file {
        let mut text = Vec::new();
        json::write(&mut text, plan)?;
        write_text(file, &text).map_err(|error| {
            Error::new(format!("cannot write the plan {}: {error}", shown(file)))
        })?;
    }
    let in_earnest = in_earnest(chosen, file);
    repairs::report(session, chosen, &fixed, options.diff, &in_earnest, options.strict)
}

/// The command that does what was tried: it applies the plan that was written, or it is the command as
/// it was typed, but for the options that make it a trial.
fn in_earnest(chosen: &Chosen, file: Option<&Path>) -> String {
    match file {
        Some(file) => chosen.command(&format!("apply {}", quoted(file.as_os_str()))),
        None => settings::in_earnest(),
    }
}
