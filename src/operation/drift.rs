//! Checks whether files are still in the state that operations left. Only the content is compared, because
//! owner, times and inode may differ after a copy.

use super::changes::change_since;
use super::error::{Change, Error, PathError};
use super::file_source::open_place;
use super::history::{Entry, History};
use super::store::{Store, canonical};
use super::tree::Tree;
use crate::plan::field::FieldChange;
use crate::plan::{Kind, RelativePath};
use crate::python::{join_within, record};
use schemars::JsonSchema;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The current state of a file that operations have changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileState {
    /// Relative to the store's directory.
    pub path: RelativePath,
    /// What kind of file it is.
    pub kind: Kind,
    /// Its current state.
    pub state: State,
}

/// The state of a file compared with the recorded ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// Its content is that of the last operation.
    AsLeft,
    /// Its content is that before the first operation: the file was reverted or reinstalled.
    Reverted,
    /// It has another content.
    Changed(Change),
    /// It does not exist.
    Gone,
    /// It does not exist, and neither does the RECORD that listed it: its distribution was uninstalled, or
    /// another version of it was installed. The file is not expected to exist.
    Uninstalled,
}

/// The state of every file that an operation of `store` has changed, by path. Does not write anything.
///
/// # Errors
/// If the store or a file cannot be read.
pub fn drift(root: &Path, store: &Store) -> Result<Vec<FileState>, Error> {
    let root = canonical(root)?;
    let base = store.base(&root);
    store.as_reader(|| {
        let history = History::of(store.records_of(base)?);
        let tree = store.tree(base)?;
        let states = history.names().filter_map(|(name, entries)| {
            let kind = entries.last()?.step.about.kind;
            let state = match state_of(&tree, name, &entries) {
                Ok(State::Gone) if is_uninstalled(&tree, &history, name) => State::Uninstalled,
                Ok(state) => state,
                Err(error) => return Some(Err(error)),
            };
            Some(Ok(FileState { path: name.clone(), kind, state }))
        });
        states.collect()
    })
}

/// Was a file uninstalled, so that it is not expected to exist? That is the case if the file is gone, and so
/// is every RECORD that listed it when it was edited. A RECORD is uninstalled if it is gone itself.
pub(super) fn is_uninstalled(tree: &Tree, history: &History, name: &RelativePath) -> bool {
    let is_gone = |name: &RelativePath| match tree.name(name) {
        Ok(place) => {
            place.name.stat().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound)
        }
        Err(Error::Path(error)) => error.source.kind() == std::io::ErrorKind::NotFound,
        Err(_) => false,
    };
    let mut listing = history.names().filter(|(record, entries)| {
        let rows = entries.iter().filter(|entry| entry.step.about.kind == Kind::Record);
        let mut rows = rows.flat_map(|entry| &entry.step.about.before);
        *record == name && entries.iter().any(|entry| entry.step.about.kind == Kind::Record)
            || rows.any(|row| lists(record, row, name))
    });
    let Some((first, _)) = listing.next() else { return false };
    is_gone(name) && is_gone(first) && listing.all(|(record, _)| is_gone(record))
}

/// Does a row of a RECORD match the file?
fn lists(record: &RelativePath, row: &str, name: &RelativePath) -> bool {
    let site = record.as_path().parent().and_then(Path::parent);
    let Some(Ok(row)) = record::rows(row.as_bytes()).next() else { return false };
    let Some(site) = site else { return false };
    let file = join_within(site, Path::new(OsStr::from_bytes(&row.path)));
    file.is_some_and(|file| file == name.as_path())
}

fn state_of(tree: &Tree, name: &RelativePath, entries: &[Entry<'_>]) -> Result<State, Error> {
    let gone = |error: &PathError| error.source.kind() == std::io::ErrorKind::NotFound;
    let opened = tree.name(name).and_then(|place| {
        let failed = |source| PathError::new("read the link", place.name.path(), source);
        open_place(&place.with_link().map_err(failed)?)
    });
    let source = match opened {
        Err(Error::Path(error)) if gone(&error) => return Ok(State::Gone),
        result => result?.0,
    };
    let Some(last) = entries.last() else { return Ok(State::AsLeft) };
    let original = |entry: &Entry<'_>| entry.step.old.lock.matches(&source);
    let reverted = entries.iter().all(|entry| !entry.counts());
    Ok(match change_since(last.step, &source) {
        None if reverted => State::Reverted,
        None => State::AsLeft,
        Some(_) if entries.iter().filter(|entry| entry.counts()).any(original) => State::Reverted,
        Some(change) => State::Changed(change),
    })
}

/// What the operations that are in effect have changed in a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, JsonSchema)]
pub struct FileDiff {
    /// Relative to the store's directory.
    #[serde(flatten)]
    pub path: RelativePath,
    /// What kind of file it is.
    pub kind: Kind,
    /// The operations, oldest first.
    pub operations: Vec<String>,
    /// The entries or rows before the first operation.
    pub before: Vec<String>,
    /// The entries or rows after the last operation.
    pub after: Vec<String>,
    /// The changes of the object in addition to its search path.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<FieldChange>,
}

/// The changes by operations of `store` that have not been reverted, by path, except for files that were
/// uninstalled. [`drift`] reports whether the files still have these changes.
///
/// # Errors
/// If the store cannot be read.
pub fn diff(root: &Path, store: &Store) -> Result<Vec<FileDiff>, Error> {
    let root = canonical(root)?;
    let base = store.base(&root);
    store.as_reader(|| {
        let history = History::of(store.records_of(base)?);
        let tree = store.tree(base)?;
        Ok(diffs(&tree, &history))
    })
}

fn diffs(tree: &Tree, history: &History) -> Vec<FileDiff> {
    let diffs = history.names().filter_map(|(name, entries)| {
        if is_uninstalled(tree, history, name) {
            return None;
        }
        let counting: Vec<_> = entries.iter().filter(|entry| entry.counts()).collect();
        let (first, last) = (counting.first()?, counting.last()?);
        Some(FileDiff {
            path: name.clone(),
            kind: last.step.about.kind,
            operations: counting.iter().map(|entry| entry.id.to_owned()).collect(),
            before: first.step.about.before.clone(),
            after: last.step.about.after.clone(),
            fields: FieldChange::joined(
                counting.iter().map(|entry| entry.step.about.fields.as_slice()),
            ),
        })
    });
    diffs.collect()
}
