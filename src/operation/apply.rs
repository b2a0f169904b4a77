//! Carries out a plan: all of it, or nothing.

use super::disk::Disk;
use super::error::{Error, PathError};
use super::file::Identity;
use super::journal::{About, Kind, Record, Step, temporary};
use super::lock::Guard;
use super::preflight::{Intent, Prepared, Way, check_together, prepare};
use super::store::{Store, canonical};
use super::write::{self, Target};
use super::{Operation, Options, Write, recover};
use crate::plan::{self, Plan};
use std::path::{Path, PathBuf};

/// Carries out `plan` on the tree at `root`, and records how to take it back in `store`. `kind` is
/// [`Kind::Fix`], [`Kind::Apply`] or [`Kind::Rpath`]. None where the plan has nothing to do: nothing is written
/// then. With [`Options::dry_run`] nothing is written either, and the operation is the one that
/// would be.
///
/// # Errors
/// Where any file is not the one that the plan was made for, or could not be written: nothing was
/// written then. [`Error::Stopped`] where a write failed; what was done is rolled back.
pub fn apply(
    root: &Path,
    store: &Store,
    plan: &Plan,
    kind: Kind,
    options: &Options<'_>,
) -> Result<Option<Operation>, Error> {
    let root = canonical(root)?;
    if plan.schema != plan::SCHEMA {
        let why = "the plan is of another version of tfpatch";
        return Err(Error::Inconsistent { path: root, why });
    }
    let id = |previous: Option<&str>| plan.id(previous);
    execute(
        &root,
        store,
        kind,
        options,
        &mut || {
            let steps = plan.steps.iter().filter(|step| !step.edits.is_empty());
            let intents = steps.map(|step| Intent {
                path: step.path.clone(),
                aliases: step.aliases.clone(),
                about: About {
                    kind: step.kind,
                    before: step.before.clone(),
                    after: step.after.clone(),
                    method: step.method.clone(),
                    reason: step.reason.clone(),
                },
                old: step.lock.clone(),
                new: step.left.clone(),
                way: Way::Edits(step.edits.clone()),
                replace: step.replace,
                unopened: step.unopened,
                link: None,
                times: None,
                reverts: Vec::new(),
            });
            Ok(intents.collect())
        },
        &|_, previous| id(previous),
    )
}

/// Carries out what `intents` says. It is asked again once the store is locked, for another
/// tfpatch may have been at work before. `id` names the operation by its steps and the operation
/// before.
pub(super) fn execute(
    root: &Path,
    store: &Store,
    kind: Kind,
    options: &Options<'_>,
    intents: &mut dyn FnMut() -> Result<Vec<Intent>, Error>,
    id: &dyn Fn(&[Step], Option<&str>) -> String,
) -> Result<Option<Operation>, Error> {
    let base = store.base(root);
    let mut look = |guard: Option<&Guard>| -> Result<Option<(Record, Vec<Ready>)>, Error> {
        store.look_for_pending(guard)?;
        let prepared = intents()?
            .into_iter()
            .map(|intent| prepare(root, base, intent, options.write))
            .collect::<Result<Vec<_>, _>>()?;
        if prepared.is_empty() {
            return Ok(None);
        }
        check_together(&prepared, store.directory())?;
        let (steps, ready): (Vec<_>, Vec<_>) = prepared.into_iter().map(split).unzip();
        let id = id(&steps, store.last()?.as_deref());
        Ok(Some((Record::new(kind, options.time, store.recorded(base), steps, id), ready)))
    };
    // A store is not created for an operation that will be refused.
    if options.dry_run || !store.is_created() {
        let would = look(None)?;
        if options.dry_run || would.is_none() {
            return Ok(would.map(|(record, _)| Operation::of(&record)));
        }
    }
    let disk = store.disk.syncing(options.sync);
    let guard = store.claim(&disk, options.wait, options.waiting)?;
    let Some((record, ready)) = look(Some(&guard))? else { return Ok(None) };
    if let Err(error) = store.begin(&disk, &record) {
        // No file of the target was touched; a record that got its name tells of nothing.
        let _ = store.discard(&disk);
        return Err(error);
    }
    let done = carry_out(&disk, &record, &ready, options.write).and_then(|()| store.finish(&disk));
    match done {
        Ok(()) => {
            // Giving the lock back writes to its file.
            drop(guard);
            store.date(&disk, record.time);
            Ok(Some(Operation::of(&record)))
        }
        Err(cause) => Err(Error::Stopped {
            rest: put_back(&disk, base, store, &record).err().map(Box::new),
            id: record.id,
            cause: Box::new(cause),
        }),
    }
}

/// What is known of a step's file beside its record.
struct Ready {
    names: Vec<PathBuf>,
    identity: Identity,
    in_place: bool,
}

fn split(prepared: Prepared) -> (Step, Ready) {
    let Prepared { step, names, identity, in_place, .. } = prepared;
    (step, Ready { names, identity, in_place })
}

fn carry_out(disk: &Disk, record: &Record, ready: &[Ready], mode: Write) -> Result<(), Error> {
    let mut directories = write::Directories::new();
    for (index, (step, ready)) in record.steps.iter().zip(ready).enumerate() {
        let Some(path) = ready.names.first() else { continue };
        let stat =
            std::fs::metadata(path).map_err(|source| PathError::new("find", path, source))?;
        if Identity::of(&stat) != ready.identity {
            let why = "was written by somebody else just now; try again".to_owned();
            return Err(Error::Refused { path: path.clone(), why });
        }
        let positions = ready.names.iter().enumerate();
        let target = Target {
            names: ready.names.iter().map(PathBuf::as_path).collect(),
            temporary: positions
                .map(|(position, name)| temporary(&record.id, index, position, name))
                .collect(),
            directories: &step.directories,
            edits: step.changes.iter().map(|change| &change.edits).collect(),
            metadata: &step.new.metadata,
            link: step.new.link.as_ref(),
            unopened: step.unopened,
        };
        let strict = mode == Write::InPlace;
        write::write(disk, &target, ready.in_place, strict, &mut directories)?;
    }
    Ok(write::settle(disk, &directories)?)
}

fn put_back(disk: &Disk, base: &Path, store: &Store, record: &Record) -> Result<(), Error> {
    let left_alone = recover::roll_back(disk, base, record)?;
    match left_alone.into_iter().next() {
        None => store.discard(disk),
        Some(first) => {
            store.abandon(disk)?;
            Err(Error::Changed { path: base.join(&first.path), change: first.change })
        }
    }
}
