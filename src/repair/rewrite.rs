//! A new search path for one object: the least change that fits.

use super::spelling::directory_of;
use crate::bytes;
use crate::elf::Image;
use crate::elf::rpath::{self, Failure, Method, Patch, Request, RpathKind, SearchPath};
use crate::vfs::{FileKind, Vfs};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// The new search path of an object, and the edits that bring it about.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The object.
    pub object: PathBuf,
    /// The search path before; `None` where it has no tag.
    pub before: Option<SearchPath>,
    /// The entries after.
    pub after: Vec<Vec<u8>>,
    /// The edits.
    pub patch: Patch,
    /// The GNU build ID of the object.
    pub build_id: Option<Vec<u8>>,
}

/// Why an object is not rewritten.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The object cannot be read.
    #[error("{}: {source}", path.display())]
    Io {
        /// The object.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The object is malformed, or editing it would be a risk.
    #[error("{}: {source}", path.display())]
    Failed {
        /// The object.
        path: PathBuf,
        /// Where and why.
        source: Failure,
    },
}

/// What is wanted of an object's search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Entries to append where they are not there yet.
    Append(Vec<Vec<u8>>),
    /// The same; old entries that are dead or stand there twice go if that makes the edit fit.
    Fit(Vec<Vec<u8>>),
    /// Entries to put first.
    Prepend(Vec<Vec<u8>>),
    /// These entries alone.
    Set(Vec<Vec<u8>>),
    /// Entries to take away.
    Remove(Vec<Vec<u8>>),
    /// Entries to append, and no entry twice, and none that leads nowhere.
    Tidy(Vec<Vec<u8>>),
    /// No entry twice.
    Dedupe,
    /// No entry that leads nowhere.
    Prune,
}

/// The new search path of an object and the edits for it.
///
/// `names` are all names under which the object may be opened; an entry is dead only where it leads
/// nowhere from each of them.
///
/// # Errors
/// Where the object cannot be read, is malformed, or is not safely edited.
pub fn rewrite(
    vfs: &dyn Vfs,
    object: &Path,
    names: &[PathBuf],
    change: &Change,
    kind: Option<RpathKind>,
) -> Result<Rewrite, Error> {
    let failed = |source: Failure| Error::Failed { path: object.to_owned(), source };
    let malformed = |error: bytes::Error| failed(error.into());
    let source =
        vfs.open(object).map_err(|source| Error::Io { path: object.to_owned(), source })?;
    let image = Image::parse(source.as_ref()).map_err(malformed)?;
    let before = rpath::current(&image).map_err(malformed)?;
    let entries = before.as_ref().map_or(&[][..], |path| &path.entries);
    let directories: Vec<&Path> = names.iter().filter_map(|name| name.parent()).collect();
    let is_live = |entry: &[u8]| leads_somewhere(vfs, entry, &directories);

    let wanted = changed(entries, change, is_live);
    let edit = |entries: &[Vec<u8>]| {
        rpath::edit(&image, &Request { entries: entries.to_vec(), kind }).map_err(failed)
    };
    let (mut after, mut patch) = (wanted, None);
    if let Change::Fit(new) = change
        && !fits(&edit(&after))
    {
        let unique = without_duplicates(&after);
        let stays = |entry: &&Vec<u8>| new.contains(entry) || is_live(entry);
        let live = unique.iter().filter(stays).cloned().collect();
        for shorter in [unique, live] {
            let shortened = edit(&shorter);
            if fits(&shortened) {
                (after, patch) = (shorter, Some(shortened?));
                break;
            }
        }
    }
    let patch = match patch {
        Some(patch) => patch,
        None => edit(&after)?,
    };
    Ok(Rewrite { object: object.to_owned(), after, before, patch, build_id: image.build_id() })
}

/// Does the edit leave the file's length as it is?
fn fits(patch: &Result<Patch, Error>) -> bool {
    patch.as_ref().is_ok_and(|patch| {
        matches!(patch.method, Method::Unchanged | Method::Slot | Method::Repoint)
    })
}

fn changed(entries: &[Vec<u8>], change: &Change, is_live: impl Fn(&[u8]) -> bool) -> Vec<Vec<u8>> {
    let absent = |new: &[Vec<u8>]| -> Vec<Vec<u8>> {
        without_duplicates(new).into_iter().filter(|entry| !entries.contains(entry)).collect()
    };
    match change {
        Change::Append(new) | Change::Fit(new) => [entries, &absent(new)].concat(),
        Change::Prepend(new) => {
            let kept: Vec<_> =
                entries.iter().filter(|entry| !new.contains(entry)).cloned().collect();
            [without_duplicates(new), kept].concat()
        }
        Change::Set(new) => new.clone(),
        Change::Remove(old) => {
            entries.iter().filter(|entry| !old.contains(entry)).cloned().collect()
        }
        Change::Tidy(new) => without_duplicates(&[entries, new].concat())
            .into_iter()
            .filter(|entry| is_live(entry))
            .collect(),
        Change::Dedupe => without_duplicates(entries),
        Change::Prune => entries.iter().filter(|entry| is_live(entry)).cloned().collect(),
    }
}

/// The first of each entry.
fn without_duplicates(entries: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seen = HashSet::new();
    entries.iter().filter(|entry| seen.insert(entry.as_slice())).cloned().collect()
}

/// Does an entry lead to a directory from any of the object's names? What depends on the machine
/// (`$LIB`, `$PLATFORM`) or on the working directory is taken to be alive.
#[must_use]
pub fn leads_somewhere(vfs: &dyn Vfs, entry: &[u8], directories: &[&Path]) -> bool {
    directories.iter().any(|directory| {
        directory_of(entry, directory).is_none_or(|directory| {
            vfs.metadata(&directory).is_ok_and(|metadata| metadata.kind == FileKind::Directory)
        })
    })
}
