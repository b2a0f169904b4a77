//! What is asked of the use-cases that edit, by the options of their commands.

use super::args::{
    Apply, Doctor, Fix, Format, Record, Repair, Rpath, RpathOptions, Trace, Writing,
};
use super::error::Error;
use super::plan_file;
use super::session::Session;
use crate::app::carry_out::Carrying;
use crate::app::fix::Planning;
use crate::app::{apply, doctor, fix, rpath};
use crate::operation::Kind;
use crate::repair::rewrite::Change;
use crate::report::changes;
use crate::report::findings::Detail;
use crate::world::Question;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// How a plan is carried out, by the options; `diff` requests what changes.
fn carrying(
    session: &Session,
    kind: Kind,
    dry_run: bool,
    diff: bool,
    writing: &Writing,
) -> Carrying {
    let shows_bytes = diff && session.detail == Detail::Verbose && session.format != Format::Json;
    Carrying {
        kind,
        dry_run,
        write: writing.write.into(),
        sync: !writing.no_sync,
        repaired: None,
        old_bytes: shows_bytes.then_some(changes::SHOWN),
    }
}

/// What `doctor` requests.
///
/// # Errors
/// Where an option says what cannot be.
pub fn doctor(session: &Session, options: &Doctor) -> Result<doctor::Doctor, Error> {
    Ok(doctor::Doctor {
        settings: session.loader_settings(&options.simulation)?,
        question: Question {
            search: options.search.clone(),
            surroundings: session.surroundings(&options.simulation)?,
            tidy: false,
            deep: options.deep,
        },
    })
}

/// What `fix` requests.
///
/// # Errors
/// Where an option says what cannot be.
pub fn fix(session: &Session, options: &Fix) -> Result<fix::Fix, Error> {
    let Fix { dry_run, diff, writing, .. } = options;
    let carrying = carrying(session, Kind::Fix, *dry_run, *diff, writing);
    Ok(fix::Fix {
        settings: session.loader_settings(&options.simulation)?,
        question: Question {
            search: options.repair.search.clone(),
            surroundings: session.surroundings(&options.simulation)?,
            tidy: options.tidy,
            deep: false,
        },
        planning: planning(&options.repair),
        carrying: Carrying { repaired: options.repaired.clone(), ..carrying },
    })
}

fn planning(repair: &Repair) -> Planning {
    let Repair { allow_absolute, rpath_kind, record, exec_stack, .. } = *repair;
    Planning {
        allow_absolute,
        kind: rpath_kind.into(),
        update_records: record == Record::Update,
        gives_up_stacks: exec_stack,
    }
}

/// The repair that `trace` makes: that of a `fix` without options. `None` where it makes none.
#[must_use]
pub fn fix_of_trace(session: &Session, options: &Trace) -> Option<(Planning, Carrying)> {
    let plain = Fix::default();
    let carrying = carrying(session, Kind::Fix, options.dry_run, false, &plain.writing);
    let planning = planning(&plain.repair);
    let planning = Planning { allow_absolute: options.allow_absolute, ..planning };
    options.fix.then_some((planning, carrying))
}

/// What `apply` requests.
///
/// # Errors
/// Where the plan cannot be read, or an option says what cannot be.
pub fn apply(session: &Session, options: &Apply) -> Result<apply::Apply, Error> {
    let Apply { dry_run, diff, writing, .. } = options;
    Ok(apply::Apply {
        plan: plan_file::read(&options.plan)?,
        file: options.plan.clone(),
        settings: session.loader_settings(&options.simulation)?,
        allow_absolute: options.allow_absolute,
        carrying: carrying(session, Kind::Apply, *dry_run, *diff, writing),
    })
}

/// The files that `rpath` edits, and what it requests. `None` where it only prints.
#[must_use]
pub fn edit<'o>(session: &Session, command: &'o Rpath) -> Option<(&'o [PathBuf], rpath::Edit)> {
    let bytes = |entries: &[OsString]| -> Vec<Vec<u8>> {
        entries.iter().cloned().map(OsString::into_vec).collect()
    };
    let (files, change, options) = match command {
        Rpath::Print(_) => return None,
        Rpath::Set(edit) => (&edit.files, Change::Set(bytes(&edit.entries)), &edit.options),
        Rpath::Add(add) => {
            let entries = bytes(&add.edit.entries);
            let change = if add.first { Change::Prepend(entries) } else { Change::Append(entries) };
            (&add.edit.files, change, &add.edit.options)
        }
        Rpath::Remove(edit) => (&edit.files, Change::Remove(bytes(&edit.entries)), &edit.options),
        Rpath::Dedupe(tidy) => (&tidy.files, Change::Dedupe(Vec::new()), &tidy.options),
        Rpath::Prune(tidy) => (&tidy.files, Change::Prune, &tidy.options),
    };
    let RpathOptions { rpath_kind, arch, drop_signer, record, dry_run, writing, .. } = options;
    let asked = rpath::Edit {
        change,
        kind: (*rpath_kind).into(),
        arch: arch.clone(),
        may_drop_signer: *drop_signer,
        update_records: *record == Record::Update,
        carrying: carrying(session, Kind::Rpath, *dry_run, false, writing),
    };
    Some((files, asked))
}
