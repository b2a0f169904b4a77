//! Are the files still as the operations left them? By content alone: owner, times and inode may
//! differ after a copy.

use super::error::{Change, Error, PathError};
use super::file::{FileSource, change_since};
use super::history::{Entry, History};
use super::preflight::within;
use super::store::{Store, canonical};
use crate::plan::{Kind, RelativePath};
use std::path::Path;

/// A file that operations have changed, as it is now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FileState {
    /// Relative to the store's directory.
    #[serde(flatten)]
    pub path: RelativePath,
    /// What it is now.
    #[serde(flatten)]
    pub state: State,
}

/// What a file is, compared with what was recorded of it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum State {
    /// As the last operation left it.
    AsLeft,
    /// As it was before the first operation: reverted, or installed anew.
    Reverted,
    /// Something else.
    Changed(Change),
    /// Not there.
    Gone,
}

/// The state of every file that an operation of `store` has changed, by path. Reads only.
///
/// # Errors
/// Where the store or a file cannot be read.
pub fn drift(root: &Path, store: &Store) -> Result<Vec<FileState>, Error> {
    let root = canonical(root)?;
    let base = store.base(&root);
    let history = History::of(store.records_of(base)?);
    let states = history.names().map(|(name, entries)| {
        Ok(FileState { path: name.clone(), state: state_of(base, name, &entries)? })
    });
    states.collect()
}

fn state_of(base: &Path, name: &RelativePath, entries: &[Entry<'_>]) -> Result<State, Error> {
    let gone = |error: &PathError| error.source.kind() == std::io::ErrorKind::NotFound;
    let source = match within(base, name).map(|path| FileSource::open(&path)) {
        Err(Error::Path(error)) if gone(&error) => return Ok(State::Gone),
        Err(error) => return Err(error),
        Ok(Err(error)) if gone(&error) => return Ok(State::Gone),
        Ok(result) => result?,
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

/// What the operations that are in effect have changed of a file.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FileDiff {
    /// Relative to the store's directory.
    #[serde(flatten)]
    pub path: RelativePath,
    /// What kind of file it is.
    pub kind: Kind,
    /// The operations, the oldest first.
    pub operations: Vec<String>,
    /// The entries or rows before the first of them.
    pub before: Vec<String>,
    /// The entries or rows after the last of them.
    pub after: Vec<String>,
}

/// What the operations of `store` that nobody has reverted have changed, by path. Reads the store
/// only: [`drift`] tells whether the files still are so.
///
/// # Errors
/// Where the store cannot be read.
pub fn diff(root: &Path, store: &Store) -> Result<Vec<FileDiff>, Error> {
    let root = canonical(root)?;
    let history = History::of(store.records_of(store.base(&root))?);
    let diffs = history.names().filter_map(|(name, entries)| {
        let counting: Vec<_> = entries.iter().filter(|entry| entry.counts()).collect();
        let (first, last) = (counting.first()?, counting.last()?);
        Some(FileDiff {
            path: name.clone(),
            kind: last.step.about.kind,
            operations: counting.iter().map(|entry| entry.id.to_owned()).collect(),
            before: first.step.about.before.clone(),
            after: last.step.about.after.clone(),
        })
    });
    Ok(diffs.collect())
}
