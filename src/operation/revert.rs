//! Restores old bytes. A revert is an operation like any other, and can itself be reverted.

use super::apply::execute;
use super::changes::change_since;
use super::drift::is_uninstalled;
use super::error::{Change, Error, PathError};
use super::file_source::{FileSource, is_same_after, open_linked, open_place, through};
use super::history::{Entry, History};
use super::intent::{Intent, Way};
use super::journal::{self, About, Kind, Link, MAX_CHANGES, Step};
use super::old_bytes;
use super::permitted::{self, Listed, Names};
use super::record_rows::Rows;
use super::recover::LeftAlone;
use super::store::{Store, canonical};
use super::tree::{FileId, Place, Tree, is_gone};
use super::unpermitted::Unpermitted;
use super::{Operation, Options};
use crate::edit::EditSet;
use crate::plan::field::FieldChange;
use crate::plan::{self, Method, RelativePath};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// What to revert.
///
/// The RECORD of a distribution follows automatically. It is restored if none of its files stays edited;
/// otherwise the rows of the restored files are updated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every operation that is in effect. Each file becomes what it was before the first one.
    All,
    /// One operation. If it is a revert, the operations that it reverted are reinstated.
    Operation(String),
    /// Every operation in effect for these files, or for files below these directories. The paths are
    /// absolute, or relative to the root of the target.
    Paths(Vec<PathBuf>),
}

/// What a revert did, or would do.
#[derive(Debug, Clone, PartialEq)]
pub struct Reverted {
    /// The operation; `None` if no file has to be restored.
    pub operation: Option<Operation>,
    /// Files that another program or a later operation has changed since. They are not restored.
    pub refused: Vec<LeftAlone>,
    /// Files that already have their original content, for example because they were reinstalled.
    pub already: Vec<RelativePath>,
    /// Files that were uninstalled since, together with the RECORD that listed them.
    pub uninstalled: Vec<RelativePath>,
    /// Files that another program changed between two operations, each with the ID of the oldest operation that
    /// could be undone. They get the bytes that they had before it, which are not those from before the first.
    pub changed_between: Vec<(RelativePath, String)>,
}

/// Reverts `selection`, across any number of operations: the exact old bytes and their times are restored.
/// Mode and owner stay as they are, because no operation changes them. A link that was replaced by a private
/// copy becomes the same link again, if its target still has the same bytes; otherwise the copy gets its old
/// bytes. A file that was shared with a cache by hard links stays private.
///
/// A file is truncated in place only if no other process has it open. Otherwise a clone is written and
/// renamed, so that a process that has mapped the file loses no page.
///
/// # Errors
/// [`Error::NoOperation`] for an unknown ID; otherwise as for [`super::apply()`]. A file that something else
/// has changed is not an error, but listed as refused, and not written.
pub fn revert(
    root: &Path,
    store: &Store,
    selection: &Selection,
    options: &Options<'_>,
) -> Result<Reverted, Error> {
    let root = canonical(root)?;
    let base = store.base(&root).to_path_buf();
    let selection = match selection {
        Selection::Paths(paths) => Selection::Paths(inside(&root, &base, paths)?),
        other => other.clone(),
    };
    let mut found = Findings::default();
    let operation = store.as_owner(|| {
        execute(
            &base,
            store,
            Kind::Revert,
            options,
            &mut || {
                found = Findings::default();
                found.look(&base, store, &selection)?;
                Ok(std::mem::take(&mut found.intents))
            },
            &|steps, previous| {
                let what: Vec<_> = steps
                    .iter()
                    .map(|step| (&step.path, &step.reverts, &step.new.lock.digest))
                    .collect();
                plan::digest_of(&what, previous)
            },
        )
    })?;
    let Findings { refused, already, uninstalled, changed_between, .. } = found;
    Ok(Reverted { operation, refused, already, uninstalled, changed_between })
}

/// The paths, relative to `base`. The last component is not resolved if it is a link.
fn inside(root: &Path, base: &Path, paths: &[PathBuf]) -> Result<Vec<PathBuf>, Error> {
    let relative = paths.iter().map(|path| {
        let path = root.join(path);
        let full = match (path.parent(), path.file_name()) {
            (Some(parent), Some(name)) => canonical(parent)?.join(name),
            _ => canonical(&path)?,
        };
        let outside = || Error::Outside { path: path.clone(), root: base.to_path_buf() };
        Ok(full.strip_prefix(base).map_err(|_| outside())?.to_path_buf())
    });
    relative.collect()
}

#[derive(Default)]
struct Findings {
    intents: Vec<Intent>,
    refused: Vec<LeftAlone>,
    already: Vec<RelativePath>,
    uninstalled: Vec<RelativePath>,
    changed_between: Vec<(RelativePath, String)>,
}

/// The names of one file, which the same operations have changed.
struct Unit<'a> {
    names: Vec<RelativePath>,
    place: Place,
    entries: Vec<Entry<'a>>,
    /// The operations in effect after the last selected one, newest first.
    later: Vec<String>,
    /// The last operation on the file.
    last: Option<&'a Step>,
}

/// The file that a name refers to, if any, and its changes.
type UnitKey = (Option<FileId>, Vec<(usize, usize)>);

impl Findings {
    fn look(&mut self, base: &Path, store: &Store, selection: &Selection) -> Result<(), Error> {
        let history = History::of(store.records_of(base)?);
        let tree = store.tree(base)?;
        if let Selection::Operation(id) = selection
            && !history.has(id)
        {
            let store = store.directory().to_path_buf();
            return Err(Error::NoOperation { store, id: id.clone() });
        }
        let mut units: BTreeMap<UnitKey, Unit<'_>> = BTreeMap::new();
        for (name, entries) in history.names() {
            let was_selected = |entry: &Entry<'_>| match selection {
                Selection::All => entry.counts(),
                Selection::Operation(id) => entry.in_effect && entry.id == id,
                Selection::Paths(paths) => {
                    let is_named = |name: &RelativePath| {
                        paths.iter().any(|path| name.as_path().starts_with(path))
                    };
                    // Names that refer to the same file still do so afterwards.
                    let mut others = entry.step.names().filter(|other| is_named(other));
                    entry.counts()
                        && (is_named(name) || others.any(|other| are_one_file(&tree, name, other)))
                }
            };
            if is_uninstalled(&tree, &history, name) {
                // The RECORD was not selected explicitly.
                let is_object = |entry: &Entry<'_>| entry.step.about.kind != plan::Kind::Record;
                if entries.iter().any(|entry| was_selected(entry) && is_object(entry)) {
                    self.uninstalled.push(name.clone());
                }
                continue;
            }
            self.add(&tree, name, entries, was_selected, &mut units)?;
        }
        let (records, objects): (Vec<_>, Vec<_>) =
            units.into_values().partition(|unit: &Unit<'_>| unit.is_record());
        let none = Listed::of(&tree, std::iter::empty());
        objects.into_iter().try_for_each(|unit| self.look_at(unit, &none))?;
        // Only the rows of files that are restored may change.
        let put_back: BTreeSet<_> = self.intents.iter().flat_map(Intent::names).collect();
        let is_old = |(name, entries): &(&RelativePath, Vec<Entry<'_>>)| {
            put_back.contains(name) || !entries.iter().any(Entry::counts)
        };
        let listed = Listed::of(&tree, history.names().filter(is_old).map(|(name, _)| name));
        records.into_iter().try_for_each(|unit| self.look_at(unit, &listed))?;
        self.follow_with_records(&tree, &history, &listed)?;
        // A RECORD is written again and needs space, which truncated files free first.
        let key = |intent: &Intent| (intent.about.kind == plan::Kind::Record, intent.path.clone());
        self.intents.sort_by_cached_key(key);
        Ok(())
    }

    fn add<'a>(
        &mut self,
        tree: &Tree,
        name: &RelativePath,
        entries: Vec<Entry<'a>>,
        is_selected: impl Fn(&Entry<'_>) -> bool,
        units: &mut BTreeMap<UnitKey, Unit<'a>>,
    ) -> Result<(), Error> {
        let Some(newest) = entries.iter().rposition(&is_selected) else { return Ok(()) };
        let Some(place) = tree.find(name)? else {
            self.refused.push(LeftAlone { path: name.clone(), change: Change::Gone });
            return Ok(());
        };
        let after = entries.iter().skip(newest + 1).rev().filter(|entry| entry.in_effect);
        let later = after.map(|entry| entry.id.to_owned()).collect();
        let last = entries.last().map(|entry| entry.step);
        let entries: Vec<_> = entries.into_iter().filter(is_selected).collect();
        // Copying the tree may have turned one file with several names into several files.
        let file = match place.name.stat() {
            Err(error) if is_gone(&error) => None,
            result => {
                let failed = |source| PathError::new("find", place.name.path(), source);
                Some(result.map_err(failed)?.id())
            }
        };
        let key = (file, entries.iter().map(|entry| entry.position).collect());
        let names = Vec::new();
        let unit = units.entry(key).or_insert(Unit { names, place, entries, later, last });
        unit.names.push(name.clone());
        Ok(())
    }

    /// Restores each RECORD that is no longer needed, and updates the rows of the others.
    fn follow_with_records(
        &mut self,
        tree: &Tree,
        history: &History,
        allowed: &Listed<'_>,
    ) -> Result<(), Error> {
        let is_record = |kind: plan::Kind| kind == plan::Kind::Record;
        let (mut records, mut edited) = (Vec::new(), Vec::new());
        for (name, entries) in history.names() {
            let Some(last) = entries.iter().rfind(|entry| entry.counts()) else { continue };
            if self.intents.iter().any(|intent| intent.names().any(|one| one == name)) {
                continue;
            }
            let files = if is_record(last.step.about.kind) { &mut records } else { &mut edited };
            files.push((name, entries));
        }
        let objects = self.intents.iter().filter(|intent| !is_record(intent.about.kind));
        let put_back: Vec<RelativePath> = objects.flat_map(Intent::names).cloned().collect();
        for (name, entries) in records {
            let Some(rows) = Rows::read(tree, name)? else { continue };
            let listed = rows.of(tree, put_back.iter())?;
            if listed.is_empty() {
                continue;
            }
            let (refused, intents) = (self.refused.clone(), self.intents.len());
            self.refused.retain(|left| left.path != *name);
            if rows.of(tree, edited.iter().map(|(file, _)| *file))?.is_empty() {
                let mut unit = BTreeMap::new();
                self.add(tree, name, entries, |entry| entry.counts(), &mut unit)?;
                unit.into_values().try_for_each(|unit| self.look_at(unit, allowed))?;
            }
            if self.intents.len() == intents {
                match rows.refreshed(tree, &listed, &self.intents)? {
                    Some(intent) => {
                        self.refused.retain(|left| left.path != *name);
                        self.intents.push(intent);
                    }
                    None => self.refused = refused,
                }
            }
        }
        Ok(())
    }

    /// Examines a file that is to be restored: how to restore it, or why not.
    fn look_at(&mut self, unit: Unit<'_>, listed: &Listed<'_>) -> Result<(), Error> {
        match unit.verdict(listed)? {
            Verdict::Nothing => {}
            Verdict::Already => self.already.extend(unit.names),
            Verdict::PutBack(intent, changed_after) => {
                self.intents.push(*intent);
                let each = unit.names.into_iter();
                let changed = changed_after
                    .into_iter()
                    .flat_map(|id| each.clone().map(move |path| (path, id.clone())));
                self.changed_between.extend(changed);
            }
            Verdict::Refused(change) => {
                let each = unit.names.into_iter();
                self.refused.extend(each.map(|path| LeftAlone { path, change: change.clone() }));
            }
        }
        Ok(())
    }
}

/// The decision about a selected file.
enum Verdict {
    /// None of its operations were selected.
    Nothing,
    /// It already has its old bytes.
    Already,
    /// To be restored; the ID of the oldest operation that can be undone, if another program changed the file
    /// between it and an older one.
    PutBack(Box<Intent>, Option<String>),
    Refused(Change),
}

impl Unit<'_> {
    /// Is it the RECORD of a distribution?
    fn is_record(&self) -> bool {
        self.last.is_some_and(|last| last.about.kind == plan::Kind::Record)
    }

    fn verdict(&self, listed: &Listed<'_>) -> Result<Verdict, Error> {
        let (Some(newest), Some((first, aliases))) =
            (self.entries.last(), self.names.split_first())
        else {
            return Ok(Verdict::Nothing);
        };
        let (place, source) = match self.open()? {
            Ok(found) => found,
            Err(change) => return Ok(Verdict::Refused(change)),
        };
        if let Some(verdict) = self.difference(newest, &place, &source)? {
            return Ok(verdict);
        }
        let (mut changes, oldest) = self.way_back(newest, &source);
        if changes.len() > MAX_CHANGES {
            let what = Unpermitted::TooOften { limit: MAX_CHANGES };
            return Ok(Verdict::Refused(Change::Forbidden { what }));
        }
        old_bytes::resolve(&mut changes, &place.name)?;
        let old = &oldest.step.old;
        let edits: Vec<_> = changes.iter().map(|change| &change.edits).collect();
        let link = match &old.link {
            Some(link) if leads_to(&place, link, &source, &edits)? => Some(link.clone()),
            _ => None,
        };
        let names = Names::new(first, aliases);
        let declared = self.entries.iter().flat_map(|entry| &entry.step.about.fields);
        let about = About { fields: declared.cloned().collect(), ..newest.step.about.clone() };
        let checked = permitted::check(&about, &names, &source, &edits, listed);
        source.require_read()?;
        if let Err(what) = checked {
            return Ok(Verdict::Refused(Change::Forbidden { what }));
        }
        let reverts: Vec<_> = self.entries.iter().rev().map(|entry| entry.id.to_owned()).collect();
        let changed_after = self.changed_after(oldest, &source, &edits);
        let intent = Intent {
            path: first.clone(),
            aliases: aliases.to_vec(),
            about: About {
                kind: newest.step.about.kind,
                before: newest.step.about.after.clone(),
                after: oldest.step.about.before.clone(),
                fields: self.fields(),
                method: if link.is_some() { Method::Link } else { Method::OldBytes },
                reason: format!("reverts {}", reverts.join(", ")),
            },
            old: newest.step.new.lock.clone(),
            new: old.lock.clone(),
            way: Way::Changes(changes),
            replace: self.entries.iter().any(|entry| entry.step.replace),
            unopened: self.entries.iter().any(|entry| entry.step.unopened),
            seen: None,
            times: Some(old.metadata.times),
            link,
            reverts,
        };
        Ok(Verdict::PutBack(Box::new(intent), changed_after))
    }

    /// The file and its place, or the reason why there is none.
    fn open(&self) -> Result<Result<(Place, FileSource), Change>, Error> {
        let place = match self.place.with_link() {
            Err(error) if is_gone(&error) => self.place.clone(),
            result => {
                let path = self.place.name.path();
                result.map_err(|source| PathError::new("read the link", path, source))?
            }
        };
        match open_place(&place) {
            Err(Error::Path(error)) if error.source.kind() == std::io::ErrorKind::NotFound => {
                Ok(Err(Change::Gone))
            }
            Err(Error::Refused { .. }) => Ok(Err(Change::OtherKind)),
            result => Ok(Ok((place, result?.0))),
        }
    }

    /// The decision based on how the file differs from the result of the newest operation; `None` if it does
    /// not differ.
    fn difference(
        &self,
        newest: &Entry<'_>,
        place: &Place,
        source: &FileSource,
    ) -> Result<Option<Verdict>, Error> {
        let is_the_kind =
            |then: &Option<Link>| then.as_ref().map(|link| &link.target) == place.link.as_ref();
        let difference = if is_the_kind(&newest.step.new.link) {
            change_since(newest.step, source)
        } else {
            Some(Change::OtherKind)
        };
        // A temporary failure of the disk is an error, not a refusal.
        source.require_read()?;
        let Some(difference) = difference else { return Ok(None) };
        let is_as_left = self
            .last
            .is_some_and(|last| is_the_kind(&last.new.link) && last.new.lock.matches(source));
        if is_as_left && !self.later.is_empty() {
            let operations = self.later.clone();
            return Ok(Some(Verdict::Refused(Change::Later { operations })));
        }
        let is_old = |entry: &Entry<'_>| {
            is_the_kind(&entry.step.old.link) && entry.step.old.lock.matches(source)
        };
        let is_already = self.entries.iter().any(is_old);
        Ok(Some(if is_already { Verdict::Already } else { Verdict::Refused(difference) }))
    }

    /// The changes that are reverted in addition to search paths.
    fn fields(&self) -> Vec<FieldChange> {
        let steps = self.entries.iter().map(|entry| entry.step.about.fields.as_slice());
        FieldChange::turned(&FieldChange::joined(steps))
    }

    /// The ID of the oldest operation that can be undone, if another program changed the file between it and an
    /// older one, and `edits` do not restore the content from before that one.
    fn changed_after(
        &self,
        oldest: &Entry<'_>,
        source: &FileSource,
        edits: &[&EditSet],
    ) -> Option<String> {
        let first = self.entries.first().filter(|_| !self.is_record())?;
        let lock = &first.step.old.lock;
        let is_first = first.position == oldest.position
            || through(source, edits, &mut |restored| lock.matches(restored));
        (!is_first).then(|| oldest.id.to_owned())
    }

    /// The changes back to the state before the oldest operation of an unbroken chain, and that operation.
    fn way_back<'s>(
        &'s self,
        newest: &'s Entry<'_>,
        source: &FileSource,
    ) -> (Vec<journal::Change>, &'s Entry<'s>) {
        let mut changes = newest.step.back();
        let mut oldest = newest;
        for entry in self.entries.iter().rev().skip(1) {
            if changes.len() > MAX_CHANGES {
                break;
            }
            // If a file was reinstalled between two operations, the older one no longer matters.
            let edits: Vec<_> = changes.iter().map(|change| &change.edits).collect();
            let follows = entry.step.new.link == oldest.step.old.link
                && through(source, &edits, &mut |old| entry.step.new.lock.matches(old));
            if !follows {
                break;
            }
            changes.extend(entry.step.back());
            oldest = entry;
        }
        (changes, oldest)
    }
}

fn are_one_file(tree: &Tree, one: &RelativePath, other: &RelativePath) -> bool {
    let file = |name| Some(tree.name(name).ok()?.name.stat().ok()?.id());
    file(one).is_some_and(|id| file(other) == Some(id))
}

/// Would the link, if it were at `place`, refer to a file with exactly the bytes that `source` has after
/// `edits`?
fn leads_to(
    place: &Place,
    link: &Link,
    source: &FileSource,
    edits: &[&EditSet],
) -> Result<bool, Error> {
    let Some(linked) = open_linked(place, &link.target)? else { return Ok(false) };
    let is_same = is_same_after(source, edits, &linked);
    linked.require_read()?;
    source.require_read()?;
    Ok(is_same)
}
