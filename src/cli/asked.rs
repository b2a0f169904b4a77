//! Converts the options of editing commands to requests for the use-cases.

use super::args::{
    Apply, Direct, DirectOptions, Doctor, Fix, Format, Needed, Record, Repair, Rpath, RpathOptions,
    Trace, Writing,
};
use super::error::Error;
use super::plan_file;
use super::session::Session;
use crate::app::carry_out::Carrying;
use crate::app::fix::Planning;
use crate::app::{apply, doctor, fix, rpath};
use crate::elf::edit as elf;
use crate::operation::Kind;
use crate::repair::rewrite::Change;
use crate::repair::rewrite::shrink::Shrink;
use crate::report::changes;
use crate::report::findings::Detail;
use crate::world::Question;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// How to carry out a plan, according to the options; with `diff`, the replaced bytes are kept.
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

/// The request of `doctor`.
///
/// # Errors
/// If the value of an option is invalid.
pub fn doctor(session: &Session, options: &Doctor) -> Result<doctor::Doctor, Error> {
    Ok(doctor::Doctor {
        settings: session.loader_settings(&options.simulation)?,
        question: Question {
            search: options.search.clone(),
            surroundings: session.surroundings(&options.simulation)?,
            tidy: false,
            deep: options.deep,
            symbols: false,
        },
    })
}

/// The request of `fix`.
///
/// # Errors
/// If the value of an option is invalid.
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
            symbols: false,
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

/// The repair of `trace`, which is that of a `fix` without options. `None` if it only traces.
#[must_use]
pub fn fix_of_trace(session: &Session, options: &Trace) -> Option<(Planning, Carrying)> {
    let plain = Fix::default();
    let carrying = carrying(session, Kind::Fix, options.dry_run, false, &plain.writing);
    let planning = planning(&plain.repair);
    let planning = Planning { allow_absolute: options.allow_absolute, ..planning };
    options.fix.then_some((planning, carrying))
}

/// The request of `apply`.
///
/// # Errors
/// If the plan cannot be read, or the value of an option is invalid.
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

/// The files that `rpath` edits, and the requested change. `None` if it only prints.
#[must_use]
pub fn edit<'o>(session: &Session, command: &'o Rpath) -> Option<(&'o [PathBuf], rpath::Edit)> {
    let (files, change, options) = match command {
        Rpath::Print(_) => return None,
        Rpath::Set(edit) => (&edit.files, Change::Set(all(&edit.entries)), &edit.options),
        Rpath::Add(add) => {
            let entries = all(&add.edit.entries);
            let change = if add.first { Change::Prepend(entries) } else { Change::Append(entries) };
            (&add.edit.files, change, &add.edit.options)
        }
        Rpath::Remove(edit) => (&edit.files, Change::Remove(all(&edit.entries)), &edit.options),
        Rpath::Dedupe(tidy) => (&tidy.files, Change::Dedupe(Vec::new()), &tidy.options),
        Rpath::Prune(tidy) => (&tidy.files, Change::Prune, &tidy.options),
        Rpath::Replace(replace) => {
            let change = Change::Replace { old: one(&replace.old), new: vec![one(&replace.new)] };
            (&replace.files, change, &replace.options)
        }
        Rpath::Shrink(shrink) => {
            let how = Shrink { prefixes: all(&shrink.prefixes) };
            (&shrink.tidy.files, Change::Shrink(how), &shrink.tidy.options)
        }
    };
    let RpathOptions { rpath_kind, arch, drop_signer, direct } = options;
    let plain = direct_edit(session, change, direct, Kind::Rpath);
    let asked = rpath::Edit {
        kind: (*rpath_kind).into(),
        arch: arch.clone(),
        may_drop_signer: *drop_signer,
        ..plain
    };
    Some((files, asked))
}

/// The files that `needed` edits, and the requested change. `None` if it only prints.
#[must_use]
pub fn needed<'o>(session: &Session, command: &'o Needed) -> Option<(&'o [PathBuf], rpath::Edit)> {
    let (change, direct) = match command {
        Needed::Print(_) => return None,
        Needed::Add(add) => {
            (elf::Change::AddNeeded { name: one(&add.name), first: add.first }, &add.direct)
        }
        Needed::Remove(remove) => (elf::Change::RemoveNeeded(one(&remove.name)), &remove.direct),
        Needed::Replace(replace) => {
            let (old, new) = (one(&replace.old), one(&replace.new));
            (elf::Change::ReplaceNeeded { old, new }, &replace.direct)
        }
    };
    Some(field_edit(session, change, direct))
}

/// The files in which `soname` or `interpreter` sets a field, and the requested change.
#[must_use]
pub fn field_edit<'o>(
    session: &Session,
    change: elf::Change,
    direct: &'o Direct,
) -> (&'o [PathBuf], rpath::Edit) {
    let change = Change::Fields(vec![change]);
    (&direct.files, direct_edit(session, change, &direct.options, Kind::Edit))
}

fn direct_edit(
    session: &Session,
    change: Change,
    options: &DirectOptions,
    kind: Kind,
) -> rpath::Edit {
    let DirectOptions { record, dry_run, output, writing } = options;
    let carrying = carrying(session, kind, *dry_run, false, writing);
    rpath::Edit {
        change,
        kind: None,
        arch: None,
        may_drop_signer: false,
        update_records: *record == Record::Update && output.is_none(),
        carrying: Carrying { repaired: output.clone(), ..carrying },
    }
}

fn one(word: &OsString) -> Vec<u8> {
    word.clone().into_vec()
}

fn all(words: &[OsString]) -> Vec<Vec<u8>> {
    words.iter().map(one).collect()
}
