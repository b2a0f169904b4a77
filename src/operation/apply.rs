//! Carries out a plan completely, or not at all.

use super::changes::change;
use super::disk::Disk;
use super::error::{Contradiction, Error};
use super::file_source::Identity;
use super::free_space::FreeSpace;
use super::home::Home;
use super::intent::{Intent, Way};
use super::journal::{About, Direction, Kind, Record, Step, digests_in_rows, temporary};
use super::lock::Guard;
use super::permitted::Listed;
use super::preflight::{self, Bench, Judged, Prepared, check_together, prepare};
use super::recover::{self, LeftAlone, Running};
use super::refusal::Refusal;
use super::store::{Claimed, Store, canonical};
use super::tree::{Place, Tree};
use super::write::{self, Target};
use super::{Operation, Options, Write};
use crate::plan::{self, Plan, RelativePath};
use std::path::Path;

/// Carries out `plan` on the tree at `root`, and records in `store` how to undo it. `kind` is [`Kind::Fix`],
/// [`Kind::Apply`], [`Kind::Rpath`] or [`Kind::Edit`]. Returns `None`, and writes nothing, if the plan has
/// nothing to do. With [`Options::dry_run`] nothing is written either, and the returned operation is the one
/// that would be carried out.
///
/// # Errors
/// If a file differs from the one that the plan was made for, or cannot be written; nothing was written then.
/// [`Error::Stopped`] if a write failed; what had been done was rolled back.
pub fn apply(
    root: &Path,
    store: &Store,
    plan: &Plan,
    kind: Kind,
    options: &Options<'_>,
) -> Result<Option<Operation>, Error> {
    let root = canonical(root)?;
    if plan.schema != plan::SCHEMA {
        let why = Contradiction::OtherVersion;
        return Err(Error::Inconsistent { path: root, why });
    }
    store.as_owner(|| {
        execute(&root, store, kind, options, &mut || Ok(intents_of(plan)), &|_, previous| {
            plan.id(previous)
        })
    })
}

/// The files among these, with paths relative to the tree at `root`, that no operation may edit whatever it
/// changes in them, with the reasons. Reads only; a file that cannot be examined is left to the operation.
#[must_use]
pub fn protected(
    root: &Path,
    store: &Store,
    files: &[RelativePath],
) -> Vec<(RelativePath, Refusal)> {
    let examine = || {
        let root = canonical(root)?;
        let tree = store.tree(&root)?;
        store.on_files_of(&root, || {
            let refused = |file: &RelativePath| {
                preflight::protection(&tree, file).map(|refusal| (file.clone(), refusal))
            };
            Ok(files.iter().filter_map(refused).collect())
        })
    };
    store.as_owner(examine).unwrap_or_default()
}

fn intents_of(plan: &Plan) -> Vec<Intent> {
    let steps = plan.steps.iter().filter(|step| !step.edits.is_empty());
    let intents = steps.map(|step| Intent {
        path: step.path.clone(),
        aliases: step.aliases.clone(),
        about: About {
            kind: step.kind,
            before: step.before.clone(),
            after: step.after.clone(),
            fields: step.fields.clone(),
            method: step.method.clone(),
            reason: step.reason.clone(),
        },
        old: step.lock.clone(),
        new: step.left.clone(),
        way: Way::Edits(step.edits.clone()),
        replace: step.replace,
        unopened: step.unopened,
        seen: step.seen.clone(),
        link: None,
        times: None,
        reverts: Vec::new(),
    });
    intents.collect()
}

/// Carries out the steps that `intents` returns. It is called again once the store is locked, because another
/// tfpatch may have changed files in the meantime. `id` computes the operation's ID from its steps and the
/// previous operation.
pub(super) fn execute(
    root: &Path,
    store: &Store,
    kind: Kind,
    options: &Options<'_>,
    intents: &mut dyn FnMut() -> Result<Vec<Intent>, Error>,
    id: &dyn Fn(&[Step], Option<&str>) -> String,
) -> Result<Option<Operation>, Error> {
    let mut look = |guard: Option<&Guard>| -> Result<Option<Looked>, Error> {
        store.look_for_pending(guard)?;
        let intents = intents()?;
        if intents.is_empty() {
            return Ok(None);
        }
        look_at(root, store, kind, options, intents, id).map(Some)
    };
    // Do not create a store for an operation that will be refused.
    let mut first = None;
    if options.dry_run || !store.is_created() {
        first = look(None)?;
        if options.dry_run || first.is_none() {
            return Ok(first.map(|looked| Operation::of(&looked.record)));
        }
    }
    let disk = store.disk.syncing(options.sync);
    let is_private = first.as_ref().is_some_and(|would| would.is_private);
    let Claimed { home, guard, is_new } =
        store.claim(&disk, is_private, options.wait, options.waiting)?;
    // If there was no store until now, no other tfpatch has changed anything. Each file is compared again
    // before its first byte changes.
    let looked = match first.filter(|_| is_new) {
        None => look(Some(&guard))?,
        first => first,
    };
    let Some(Looked { record, judged, is_private, names }) = looked else { return Ok(None) };
    // Another tfpatch may have created a store closer to the files before this one could be seen.
    store.require_own(root, &names)?;
    // If it fails, no file of the target was touched, so a record that was already renamed describes nothing.
    home.begin(&disk, &record, is_private).inspect_err(|_| _ = home.discard(&disk))?;
    let tree = store.tree(root)?;
    let done = store
        .on_files_of(root, || carry_out(&disk, &tree, &record, &judged, options.write))
        .and_then(|()| home.finish(&disk));
    match done {
        Ok(()) => {
            // Releasing the lock writes to its file.
            drop(guard);
            home.date(&disk, record.time);
            if is_new {
                store.note_first(&record.id);
            }
            Ok(Some(Operation::of(&record)))
        }
        Err(cause) => {
            let rest = put_back(&disk, store, store.base(root), &home, &record, &cause).err();
            Err(stopped(record.id, cause, rest))
        }
    }
}

/// The error for an operation that failed because of `cause`; `rest` is the error of the rollback, if that
/// failed too.
fn stopped(id: String, cause: Error, rest: Option<Error>) -> Error {
    Error::Stopped { rest: rest.map(Box::new), id, cause: Box::new(cause) }
}

/// What an operation would do, and the state of the files that the decision is based on.
struct Looked {
    record: Record,
    judged: Vec<Judged>,
    /// Is any of the files not readable by everybody?
    is_private: bool,
    /// All names of the files, if the store has to be the closest one to them.
    names: Vec<RelativePath>,
}

/// Examines all files that the intents change.
fn look_at(
    root: &Path,
    store: &Store,
    kind: Kind,
    options: &Options<'_>,
    intents: Vec<Intent>,
    id: &dyn Fn(&[Step], Option<&str>) -> String,
) -> Result<Looked, Error> {
    let (tree, base) = (store.tree(root)?, store.base(root));
    let names = match kind {
        Kind::Revert => Vec::new(),
        _ => intents.iter().flat_map(Intent::names).cloned().collect(),
    };
    store.require_own(root, &names)?;
    // The rows that an operation computes describe the files after the operation.
    let computed = intents.iter().filter(|intent| {
        intent.about.kind == plan::Kind::Record && matches!(intent.way, Way::Edits(_))
    });
    let digests = computed
        .flat_map(|intent| digests_in_rows(intent.path.as_path(), &intent.about.after))
        .collect();
    let listed = Listed::of(&tree, intents.iter().flat_map(Intent::names));
    let mode = options.write;
    let bench = Bench { tree: &tree, base, mode, digests: &digests, listed: &listed };
    let mut space = FreeSpace::default();
    let prepared = store.on_files_of(root, || {
        intents.into_iter().map(|intent| prepare(&bench, intent, &mut space)).collect()
    });
    let prepared: Vec<Prepared> = prepared?;
    check_together(&prepared, &space, (&tree, store.directory()))?;
    let is_private = prepared.iter().any(|prepared| !prepared.is_public);
    let (steps, judged): (Vec<_>, Vec<_>) = prepared.into_iter().map(split).unzip();
    let id = id(&steps, store.last_id()?.as_deref());
    let record = Record::new(kind, options.time, store.recorded(base), steps, id);
    Ok(Looked { record, judged, is_private, names })
}

fn split(prepared: Prepared) -> (Step, Judged) {
    (prepared.step, prepared.judged)
}

fn carry_out(
    disk: &Disk,
    tree: &Tree,
    record: &Record,
    judged: &[Judged],
    mode: Write,
) -> Result<(), Error> {
    let mut directories = write::Directories::new();
    for (index, (step, judged)) in record.steps.iter().zip(judged).enumerate() {
        let places = find_again(tree, judged)?;
        let Some(first) = places.first() else { continue };
        let overtaken = || Error::Overtaken { path: first.name.path().to_path_buf() };
        // The examined files are opened again, held open, and compared before their first byte changes.
        let strict = mode == Write::InPlace;
        let (source, in_place) = write::open(disk, first, judged.in_place, strict)?;
        let is_same = Identity::of(&source.stat()?) == judged.identity;
        if !is_same || change(&step.old.lock, &source).is_some() {
            return Err(overtaken());
        }
        let names = places.iter().map(|place| place.name.clone());
        let positions = places.iter().enumerate();
        let target = Target {
            names: names.collect(),
            judged: judged.names.clone(),
            temporary: positions
                .map(|(position, place)| {
                    temporary(&record.id, (index, position), Direction::Forth, &place.name)
                })
                .collect(),
            source: &source,
            directories: &step.directories,
            edits: step.changes.iter().map(|change| &change.edits).collect(),
            metadata: &judged.metadata,
            link: step.new.link.as_ref(),
            unopened: step.unopened,
        };
        write::write(disk, &target, in_place, strict, &mut directories)?;
    }
    Ok(write::settle(disk, &directories)?)
}

/// Walks the path to each name of a file again. The walk must meet the same directories and links.
fn find_again(tree: &Tree, judged: &Judged) -> Result<Vec<Place>, Error> {
    let names = judged.asked.iter().zip(&judged.ways).zip(&judged.names);
    names
        .map(|((asked, way), id)| {
            let path = || tree.root().path().join(asked);
            let place = tree.locate(asked).map_err(|_| Error::Overtaken { path: path() })?;
            let is_same = place.name.stat().is_ok_and(|stat| stat.id() == *id);
            if !is_same || place.seen() != way {
                return Err(Error::Overtaken { path: path() });
            }
            Ok(place)
        })
        .collect()
}

fn put_back(
    disk: &Disk,
    store: &Store,
    base: &Path,
    home: &Home,
    record: &Record,
    cause: &Error,
) -> Result<(), Error> {
    let tree = store.tree(base)?;
    let left_alone =
        store.on_files_of(base, || recover::roll_back(disk, &tree, record, Running::Yes))?;
    let path_of = |left: &LeftAlone| tree.root().path().join(&left.path);
    // If another program has just replaced the file, it contains nothing that has to be rolled back.
    let is_overtaken = |left: &LeftAlone| match cause {
        Error::Overtaken { path } => *path == path_of(left),
        _ => false,
    };
    match left_alone.into_iter().find(|left| !is_overtaken(left)) {
        None => home.discard(disk),
        // The file may be ours, at another place for a moment: its directory was moved, or exchanged for a
        // link. The record stays pending, and the next command looks for it again.
        Some(first) => Err(Error::Changed { path: path_of(&first), change: first.change }),
    }
}
