//! `tfpatch fix`: diagnose, plan, prove, and carry the plan out with a backup.

use crate::app::carry_out::Carrying;
use crate::app::fix::{self, Planning};
use crate::app::targets::quoted;
use crate::app::{Chosen, Error};
use crate::bytes::shown;
use crate::cli::args::{Fix, Format, Record, Repair};
use crate::cli::session::{Session, status_of};
use crate::cli::settings;
use crate::findings::finding::Finding;
use crate::operation::Kind;
use crate::report::outcome::{self, Telling};
use crate::report::{changes, json};
use std::fs;
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
    let how = fix::Fix {
        settings: loader_settings,
        surroundings: session.surroundings(&options.simulation)?,
        search: options.repair.search.clone(),
        planning: planning(options),
        carrying: Carrying {
            kind: Kind::Fix,
            dry_run: options.dry_run,
            write: options.writing.write.into(),
            sync: !options.writing.no_sync,
            repaired: options.repaired.clone(),
            old_bytes: session.shows_bytes(options.diff).then_some(changes::SHOWN),
        },
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
    Planning {
        tidy: options.tidy,
        allow_absolute,
        kind: rpath_kind.into(),
        update_records: record == Record::Update,
    }
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
        fs::write(file, text).map_err(|error| {
            Error::new(format!("cannot write the plan {}: {error}", shown(file)))
        })?;
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, plan)?;
    } else {
        let in_earnest = in_earnest(chosen, file);
        let Session { app, out, detail, .. } = session;
        let telling = Telling { detail: *detail, diff: options.diff, in_earnest: &in_earnest };
        outcome::write(&mut *out, app, chosen, &fixed, telling)?;
    }
    let remaining = fixed.repaired.remaining.iter();
    Ok(status_of(remaining.map(Finding::severity), options.strict))
}

/// The command that does what was tried: it applies the plan that was written, or it is the command as
/// it was typed, but for the options that make it a trial.
fn in_earnest(chosen: &Chosen, file: Option<&Path>) -> String {
    match file {
        Some(file) => chosen.command(&format!("apply {}", quoted(file.as_os_str()))),
        None => settings::in_earnest(),
    }
}
