//! What an undo record may change of a file: only what an edit of search paths changes. It does not
//! matter who wrote the record.

use super::file_source::{FileSource, through};
use super::journal::{About, Change};
use crate::bytes::{Source, printable};
use crate::edit::{EditSet, Patched};
use crate::object;
use crate::plan::{Kind, RelativePath};
use crate::python::{join_within, record};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The files that a record is about, whose rows in a RECORD may change.
pub(super) struct Listed(BTreeSet<PathBuf>);

impl Listed {
    pub(super) fn of<'a>(names: impl Iterator<Item = &'a RelativePath>) -> Self {
        Self(names.map(|name| name.as_path().to_path_buf()).collect())
    }
}

/// Do these edits, one after the other, change no more of the file at `path` than is allowed for what it
/// is said to be?
///
/// # Errors
/// With what would change besides.
pub(super) fn check(
    about: &About,
    path: &Path,
    source: &FileSource,
    edits: &[&EditSet],
    listed: &Listed,
) -> Result<(), String> {
    let Some((first, rest)) = edits.split_first() else { return Ok(()) };
    let mut all = vec![*first];
    check_one(about.kind, path, source, (first, None), listed)?;
    for edits in rest {
        through(source, &all, &mut |now| check_one(about.kind, path, now, (edits, None), listed))?;
        all.push(edits);
    }
    Ok(())
}

/// Could these edits of the file at `path` be taken back under the same conditions?
///
/// # Errors
/// With what would be in the way.
pub(super) fn check_undo(
    about: &About,
    path: &Path,
    source: &FileSource,
    changes: &[Change],
    listed: &Listed,
) -> Result<(), String> {
    let mut all: Vec<&EditSet> = Vec::new();
    for change in changes {
        all.push(&change.edits);
        let forth = Some(&change.edits);
        through(source, &all, &mut |new| {
            check_one(about.kind, path, new, (&change.undo, forth), listed)
        })?;
    }
    Ok(())
}

fn check_one(
    kind: Kind,
    path: &Path,
    now: &dyn Source,
    (edits, forth): (&EditSet, Option<&EditSet>),
    listed: &Listed,
) -> Result<(), String> {
    match kind {
        Kind::Elf | Kind::Macho => {
            object::check_counterpart(now, edits, forth).map_err(str::to_owned)
        }
        Kind::Record => check_rows(path, now, edits, listed),
        Kind::Wheel => check_archive(path, now, edits),
    }
}

/// Of a RECORD the hashes and sizes of the files that the record is about.
fn check_rows(
    path: &Path,
    now: &dyn Source,
    edits: &EditSet,
    listed: &Listed,
) -> Result<(), String> {
    let said = |what: &str| what.to_owned();
    if path.file_name() != Some(OsStr::new("RECORD")) {
        return Err(said("a file that is not a RECORD"));
    }
    let patched = Patched::new(now, edits);
    let text =
        |source: &dyn Source| source.read(0, source.len(), "RECORD").map(|text| text.into_owned());
    let (Ok(before), Ok(after)) = (text(now), text(&patched)) else {
        return Err(said("a RECORD that cannot be read"));
    };
    let site = path.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    let mut rows = record::rows(&before);
    let mut others = record::rows(&after);
    loop {
        let (one, other) = match (rows.next(), others.next()) {
            (None, None) => return Ok(()),
            (Some(Ok(one)), Some(Ok(other))) => (one, other),
            _ => return Err(said("other rows of a RECORD, or their number")),
        };
        if one.raw == other.raw {
            continue;
        }
        let file = join_within(site, Path::new(OsStr::from_bytes(&one.path)));
        if one.path != other.path || !file.is_some_and(|file| listed.0.contains(&file)) {
            let name = printable(&one.path);
            return Err(format!("the row of {name} in a RECORD"));
        }
    }
}

/// The four bytes with which a member of an archive begins, or the directory of an empty one.
const ARCHIVE: [&[u8]; 2] = [b"PK\x03\x04", b"PK\x05\x06"];

/// Of a wheel its members: it stays an archive.
fn check_archive(path: &Path, now: &dyn Source, edits: &EditSet) -> Result<(), String> {
    let patched = Patched::new(now, edits);
    let is_archive = |source: &dyn Source| {
        source.get(0..4).is_some_and(|start| ARCHIVE.contains(&start.as_ref()))
    };
    if path.extension() == Some(OsStr::new("whl")) && is_archive(now) && is_archive(&patched) {
        return Ok(());
    }
    Err("a file that is not a wheel".to_owned())
}
