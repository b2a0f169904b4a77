//! Completes or rolls back an interrupted operation, according to the content of the files.

use super::Options;
use super::changes::{change, outside};
use super::disk::Disk;
use super::error::{Change, Error, PathError};
use super::file_source::{FileSource, is_same_after, open_linked, open_place, through};
use super::half_done::{copies_are_complete, is_on_the_way, way_back};
use super::journal::{self, Direction, Record, Step, temporary};
use super::metadata::Metadata;
use super::permitted::{self, Listed, Names};
use super::store::{Store, canonical};
use super::tree::{FileId, Name, Place, Stat, Tree};
use super::unpermitted::Unpermitted;
use super::write::{self, Directories, Target, fits_in_place};
use crate::bytes::Source;
use crate::edit::EditSet;
use crate::plan::{Kind, RelativePath};
use std::path::Path;
use std::sync::Arc;

/// What became of an interrupted operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recovered {
    /// The operation's ID.
    pub operation: String,
    /// Were all steps done already, so that the operation counts as completed? Otherwise every file is as it
    /// was before the operation.
    pub finished: bool,
    /// Files that something else has changed since. They are not restored.
    pub left_alone: Vec<LeftAlone>,
}

/// A file that differs from its recorded state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// The file.
    pub path: RelativePath,
    /// How it differs.
    pub change: Change,
}

/// What is at a name.
enum Found {
    Old,
    New,
    /// A partial edit in place; these edits restore the old file.
    Between(EditSet),
    Foreign(Change),
}

/// Brings the target into a known state after an interruption: every file is the old one or, if all were
/// done, the new one. Does nothing if there was no interruption.
///
/// # Errors
/// If the store cannot be locked or read, or a file cannot be written. Recovery can then be repeated.
pub fn recover(
    root: &Path,
    store: &Store,
    options: &Options<'_>,
) -> Result<Option<Recovered>, Error> {
    if store.is_absent() {
        return Ok(None);
    }
    let root = canonical(root)?;
    store.as_owner(|| recover_in(&root, store, options))
}

fn recover_in(
    root: &Path,
    store: &Store,
    options: &Options<'_>,
) -> Result<Option<Recovered>, Error> {
    let Some(home) = store.home()? else { return Ok(None) };
    if home.pending()?.is_none() {
        return Ok(None);
    }
    let disk = store.disk.syncing(options.sync);
    let _guard = home.lock(&disk, store.directory(), options.wait, options.waiting)?;
    // The process that held the lock may have completed it.
    let Some((_, record)) = home.pending()? else { return Ok(None) };
    let base = store.base(root);
    store.require_concern(&record, base)?;
    let tree = store.tree(base)?;
    let (finished, left_alone) = store.on_files_of(base, || settle(&disk, &tree, &record))?;
    if finished {
        home.finish(&disk)?;
    } else if left_alone.is_empty() {
        home.discard(&disk)?;
    } else {
        home.abandon(&disk)?;
    }
    Ok(Some(Recovered { operation: record.id, finished, left_alone }))
}

/// Completes an operation all of whose steps are done, and rolls back any other one. Returns whether it was
/// completed, and the files that were skipped.
fn settle(disk: &Disk, tree: &Tree, record: &Record) -> Result<(bool, Vec<LeftAlone>), Error> {
    if !is_complete(tree, record)? {
        return Ok((false, roll_back(disk, tree, record, Running::No)?));
    }
    let mut directories = Directories::new();
    for (index, step) in record.steps.iter().enumerate() {
        complete(disk, tree, &record.id, index, step, &mut directories)?;
    }
    write::settle(disk, &directories)?;
    Ok((true, Vec::new()))
}

/// Restores every file of the record, the last one first. Can be called again if it failed.
///
/// Only an operation that is `running` undoes its own edits in place: the traces of an interrupted rollback
/// in place cannot be distinguished from a forgery.
pub(super) fn roll_back(
    disk: &Disk,
    tree: &Tree,
    record: &Record,
    running: Running,
) -> Result<Vec<LeftAlone>, Error> {
    let (mut left_alone, mut directories) = (Vec::new(), Directories::new());
    let is_record = |(_, step): &(usize, &Step)| step.about.kind == Kind::Record;
    let (records, objects): (Vec<_>, Vec<_>) =
        record.steps.iter().enumerate().rev().partition(is_record);
    let mut roll_back = |steps: Vec<(usize, &Step)>, listed: &Listed<'_>| {
        let mut left_alone = Vec::new();
        for (index, step) in steps {
            let whose = (record.id.as_str(), index, running);
            left_alone.extend(roll_back_step(disk, tree, whose, step, listed, &mut directories)?);
        }
        Ok::<_, Error>(left_alone)
    };
    left_alone.extend(roll_back(objects, &Listed::of(tree, std::iter::empty()))?);
    // Only rows of files that have their old bytes may change.
    let is_old =
        |name: &&RelativePath| !left_alone.iter().any(|left: &LeftAlone| left.path == **name);
    let listed = Listed::of(tree, record.steps.iter().flat_map(Step::names).filter(is_old));
    let of_records = roll_back(records, &listed)?;
    left_alone.extend(of_records);
    write::settle(disk, &directories)?;
    Ok(left_alone)
}

fn is_complete(tree: &Tree, record: &Record) -> Result<bool, Error> {
    for step in &record.steps {
        for name in step.names() {
            match tree.find(name)? {
                Some(place) if matches!(look(step, &place)?, Found::New) => {}
                _ => return Ok(false),
            }
        }
    }
    Ok(true)
}

/// Completes a step whose files are new: its times may not be restored yet, and temporary files may be left.
fn complete(
    disk: &Disk,
    tree: &Tree,
    id: &str,
    index: usize,
    step: &Step,
    directories: &mut Directories,
) -> Result<(), Error> {
    let places = step.names().map(|name| tree.name(name)).collect::<Result<Vec<_>, _>>()?;
    for (position, place) in places.iter().enumerate() {
        clear(disk, step, (id, index, position), place)?;
    }
    if step.new.link.is_none()
        && let Some(place) = places.first()
    {
        restore_times(disk, &place.name, &step.new, places.len())?;
    }
    let parents = places.iter().map(|place| Arc::clone(place.name.directory()));
    write::note(directories, parents.zip(step.directories.iter().copied()));
    Ok(())
}

/// Removes what an interruption left under the temporary names: a new file, complete or not, or the file that
/// it was exchanged with. If that file does not belong to the operation, somebody created it at that moment,
/// and it gets its name back.
fn clear(
    disk: &Disk,
    step: &Step,
    (id, index, position): (&str, usize, usize),
    place: &Place,
) -> Result<(), Error> {
    for way in [Direction::Forth, Direction::Back] {
        let temporary = temporary(id, (index, position), way, &place.name);
        let failed = |source| PathError::new("find", temporary.path(), source);
        if !temporary.is_there().map_err(failed)? {
            continue;
        }
        // An operation neither writes nor replaces files of other kinds.
        let stat = temporary.stat().map_err(failed)?;
        if !(stat.is_file() || stat.is_link()) || stat.mode & 0o6000 != 0 {
            continue;
        }
        // The name holds what was written under the temporary name only after the exchange.
        let is_exchanged = match (way, look(step, place)?) {
            (Direction::Forth, Found::New) | (Direction::Back, Found::Old) => true,
            (Direction::Forth | Direction::Back, _) => false,
        };
        let is_ours = |found| matches!(found, Found::Old | Found::New);
        if is_exchanged && !is_ours(look(step, &place.beside(&temporary))?) {
            disk.rename(&temporary, &place.name)?;
        } else {
            disk.remove(&temporary)?;
        }
    }
    Ok(())
}

/// A name at which there is another file than the old one.
struct Other {
    position: usize,
    place: Place,
    id: FileId,
}

/// Is the operation that is rolled back still running, so that it wrote the record itself?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Running {
    Yes,
    No,
}

/// What is at the names of a step.
#[derive(Default)]
struct Standing {
    /// The names that exist.
    places: Vec<Place>,
    /// The names of the old file.
    old: Vec<Place>,
    /// The names of other files.
    other: Vec<Other>,
    /// The edits that restore a partially edited file.
    back: Option<EditSet>,
    left_alone: Vec<LeftAlone>,
}

impl Standing {
    /// Examines each name, and removes the temporary files that an interruption left beside it.
    fn of(
        disk: &Disk,
        tree: &Tree,
        (id, index): (&str, usize),
        step: &Step,
    ) -> Result<Self, Error> {
        let mut all = Self::default();
        for (position, name) in step.names().enumerate() {
            // The directory was removed with the file.
            let Some(place) = tree.find(name)? else {
                all.leave(name, Change::Gone);
                continue;
            };
            clear(disk, step, (id, index, position), &place)?;
            let found = look(step, &place)?;
            all.places.push(place.clone());
            match found {
                Found::Old => all.old.push(place),
                Found::Foreign(change) => all.leave(name, change),
                Found::New | Found::Between(_) => {
                    let failed = |source| PathError::new("find", place.name.path(), source);
                    let id = place.name.stat().map_err(failed)?.id();
                    if let Found::Between(edits) = found {
                        all.back = Some(edits);
                    }
                    all.other.push(Other { position, place, id });
                }
            }
        }
        Ok(all)
    }

    fn leave(&mut self, name: &RelativePath, change: Change) {
        self.left_alone.push(LeftAlone { path: name.clone(), change });
    }
}

fn roll_back_step(
    disk: &Disk,
    tree: &Tree,
    (id, index, running): (&str, usize, Running),
    step: &Step,
    listed: &Listed<'_>,
    directories: &mut Directories,
) -> Result<Vec<LeftAlone>, Error> {
    let mut all = Standing::of(disk, tree, (id, index), step)?;
    if all.other.is_empty() {
        if let (Some(original), None) = (all.old.first(), &step.old.link) {
            restore_times(disk, &original.name, &step.old, all.places.len())?;
        }
    } else if let Some((which, change)) =
        put_old_file_back(disk, (id, index, running), step, &all, listed, directories)?
    {
        for (position, name) in step.names().enumerate() {
            let mut refused = all.other.iter().map(|other| other.position);
            if which.is_none_or(|which| which == position) && refused.any(|one| one == position) {
                all.left_alone.push(LeftAlone { path: name.clone(), change: change.clone() });
            }
        }
        return Ok(all.left_alone);
    }
    // Temporary files may have changed the times of the directories.
    if all.places.len() == step.directories.len() {
        let parents = all.places.iter().map(|place| Arc::clone(place.name.directory()));
        write::note(directories, parents.zip(step.directories.iter().copied()));
    }
    Ok(all.left_alone)
}

/// Restores the old file at the names that do not contain it. Returns what was skipped, and why: the index of
/// a name, or `None` for all of them.
fn put_old_file_back(
    disk: &Disk,
    (id, index, running): (&str, usize, Running),
    step: &Step,
    all: &Standing,
    listed: &Listed<'_>,
    directories: &mut Directories,
) -> Result<Option<(Option<usize>, Change)>, Error> {
    let Standing { old, other, back, .. } = all;
    let Some(first) = other.first() else { return Ok(None) };
    let changes = step.back();
    let edits: Vec<&EditSet> = match back {
        Some(edits) => vec![edits],
        None => changes.iter().map(|change| &change.edits).collect(),
    };
    let is_link = step.old.link.is_some() || step.new.link.is_some();
    let in_place = running == Running::Yes
        && (back.is_some() || goes_back_in_place(step, &changes))
        && is_alone(&first.place.name, other.len())
        && old.is_empty()
        && !is_link
        && !step.replace;
    let (source, in_place) = write::open(disk, &with_link(&first.place)?, in_place, false)?;
    if let Some(change) = forbids(step, first, &source, (&edits, back.is_some()), listed)? {
        return Ok(Some((None, change)));
    }
    let times = step.old.metadata.times;
    let metadata = Metadata { times, ..Metadata::of_source(&source)? };
    let temporary = other.iter().map(|Other { position, place, .. }| {
        temporary(id, (index, *position), Direction::Back, &place.name)
    });
    let target = Target {
        names: other.iter().map(|other| other.place.name.clone()).collect(),
        judged: other.iter().map(|other| other.id).collect(),
        temporary: temporary.collect(),
        source: &source,
        directories: &[],
        edits,
        metadata: &metadata,
        link: step.old.link.as_ref(),
        unopened: step.unopened,
    };
    match old.first() {
        Some(original) if step.old.link.is_none() => {
            if let Some(stranger) = no_name_of(original, other, &target.edits)? {
                let change = Change::Forbidden { what: Unpermitted::OtherFile };
                return Ok(Some((Some(stranger), change)));
            }
            write::relink(disk, &target, &original.name)?;
        }
        _ => write::write(disk, &target, in_place, false, directories)?,
    }
    Ok(None)
}

/// The index of a name whose file would differ from `original` after `edits`, in its bytes or its permissions;
/// `None` if there is none. Only then may each name become another name of `original`.
fn no_name_of(
    original: &Place,
    others: &[Other],
    edits: &[&EditSet],
) -> Result<Option<usize>, Error> {
    let rights = |stat: &Stat| (stat.mode, stat.uid, stat.gid);
    let original = FileSource::open(&original.name)?;
    let wanted = original.stat()?;
    for other in others {
        let source = FileSource::open(&other.place.name)?;
        let is_same =
            rights(&source.stat()?) == rights(&wanted) && is_same_after(&source, edits, &original);
        source.require_read()?;
        original.require_read()?;
        if !is_same {
            return Ok(Some(other.position));
        }
    }
    Ok(None)
}

/// Why it is not proved that the file at a name is a state of this operation, and that the old file would be
/// written; `None` if it is proved.
///
/// # Errors
/// If a file cannot be read, because then nothing is known.
fn forbids(
    step: &Step,
    other: &Other,
    source: &FileSource,
    (edits, is_half_done): (&[&EditSet], bool),
    listed: &Listed<'_>,
) -> Result<Option<Change>, Error> {
    if source.stat()?.mode & 0o6000 != 0 {
        return Ok(Some(Change::Forbidden { what: Unpermitted::SetUserId }));
    }
    let names = Names::new(&step.path, &step.aliases);
    let check = |from: &dyn Source, edits: &[&EditSet]| {
        permitted::check(&step.about, &names, from, edits, listed)
    };
    // No edit produces a partially edited file. The files before and after the edit are checked instead.
    let checked = if is_half_done {
        let forth: Vec<_> = step.changes.iter().map(|change| &change.edits).collect();
        through(source, edits, &mut |old| check(old, &forth))
    } else {
        check(source, edits)
    };
    let found = match checked {
        Err(what) => Some(Change::Forbidden { what }),
        Ok(()) => through(source, edits, &mut |old| change(&step.old.lock, old)),
    };
    if let (Some(link), None) = (&step.old.link, &found) {
        // Nothing is written through a link, but it must still refer to the same file.
        let Some(old) = open_linked(&other.place, &link.target)? else {
            return Ok(Some(Change::Gone));
        };
        let is_same = is_same_after(source, edits, &old);
        old.require_read()?;
        source.require_read()?;
        return Ok((!is_same).then_some(Change::OtherKind));
    }
    source.require_read()?;
    Ok(found)
}

fn with_link(place: &Place) -> Result<Place, PathError> {
    let failed = |source| PathError::new("read the link", place.name.path(), source);
    place.with_link().map_err(failed)
}

/// Can `changes` restore the old bytes in place? Not if the file would grow: [`way_back`] does not know the
/// states that an interruption leaves of that.
fn goes_back_in_place(step: &Step, changes: &[journal::Change]) -> bool {
    step.new.lock.size >= step.old.lock.size
        && fits_in_place(&step.changes)
        && fits_in_place(changes)
}

/// What is at a name of the step now. A file counts as new, or as partially edited, only if all its bytes are
/// those that the operation left, as far as the record has a digest of the whole file.
fn look(step: &Step, place: &Place) -> Result<Found, Error> {
    let failed = |source| PathError::new("find", place.name.path(), source);
    let stat = match place.name.stat() {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Found::Foreign(Change::Gone));
        }
        result => result.map_err(failed)?,
    };
    let place = with_link(place)?;
    let link = &place.link;
    let is = |state: &journal::State| state.link.as_ref().map(|link| &link.target) == link.as_ref();
    if (!is(&step.old) && !is(&step.new)) || !(stat.is_file() || stat.is_link()) {
        return Ok(Found::Foreign(Change::OtherKind));
    }
    if link.is_some() && is(&step.old) {
        return Ok(Found::Old);
    }
    let (source, _) = match open_place(&place) {
        Err(Error::Path(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {
            return Ok(Found::Foreign(Change::Gone));
        }
        result => result?,
    };
    let found = look_into(step, &source, is(&step.old), is(&step.new));
    // The content of an unreadable file is not known.
    source.require_read()?;
    Ok(found)
}

/// The same for the file to which the name refers. The flags say whether the name has the old kind, a file or
/// a link, and whether it has the new kind.
fn look_into(step: &Step, source: &FileSource, is_old_kind: bool, is_new_kind: bool) -> Found {
    let is_new = is_new_kind && step.new.lock.matches(source);
    if is_new && copies_are_complete(step, source) {
        return match outside(&step.new, source) {
            None => Found::New,
            Some(change) => Found::Foreign(change),
        };
    }
    let Some(change) = change(&step.old.lock, source).filter(|_| is_old_kind) else {
        return if is_old_kind { Found::Old } else { Found::Foreign(Change::OtherKind) };
    };
    // A file that is replaced is never edited partially.
    if !step.replace
        && let Some(edits) = way_back(step, source)
        && through(source, &[&edits], &mut |patched| step.old.lock.matches(patched))
        && is_on_the_way(step, source, &edits)
    {
        let again = step.changes.iter().map(|change| &change.edits);
        let all: Vec<&EditSet> = std::iter::once(&edits).chain(again).collect();
        return match through(source, &all, &mut |new| outside(&step.new, new)) {
            None => Found::Between(edits),
            Some(change) => Found::Foreign(change),
        };
    }
    Found::Foreign(change)
}

/// Restores the times of a file that has no other names: an edit in place may have been interrupted before its
/// last call. A file with other names was never written to.
fn restore_times(
    disk: &Disk,
    name: &Name,
    state: &journal::State,
    names: usize,
) -> Result<(), Error> {
    let source = FileSource::open(name)?;
    let wanted = state.metadata.times;
    if !is_alone(name, names) || source.stat()?.modified == wanted.modified {
        return Ok(());
    }
    match disk.set_times_at(name, wanted) {
        // Only the owner may do that.
        Err(error) if super::disk::is_not_permitted(&error) => Ok(()),
        result => Ok(result?),
    }
}

/// Is there a regular file at the name itself, with at most `names` names?
fn is_alone(name: &Name, names: usize) -> bool {
    name.stat().is_ok_and(|stat| stat.is_file() && stat.links <= names as u64)
}
