//! What an undo record may change in a file: the search path, and what the record declares in addition, among
//! the things that an edit can change. It does not matter who wrote the record.

use super::journal::About;
use super::tree::Tree;
use super::unpermitted::Unpermitted;
use crate::bytes::{Piecewise, Source};
use crate::edit::{EditSet, Pair, Patched};
use crate::elf::edit::counterpart::Beside;
use crate::object;
use crate::plan::field::{Field, FieldChange};
use crate::plan::{Kind, RelativePath};
use crate::python::wheel::{self, Wheel};
use crate::python::{join_within, record};
use crate::vfs::Vfs as _;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The names of a file in the target.
pub(super) struct Names<'a> {
    path: &'a Path,
    aliases: &'a [RelativePath],
}

impl<'a> Names<'a> {
    pub(super) fn new(path: &'a RelativePath, aliases: &'a [RelativePath]) -> Self {
        Self { path: path.as_path(), aliases }
    }

    /// The file names without directories.
    fn of_files(&self) -> Vec<&'a OsStr> {
        let aliases = self.aliases.iter().map(RelativePath::as_path);
        std::iter::once(self.path).chain(aliases).filter_map(Path::file_name).collect()
    }
}

/// The files of a record. Their rows in a RECORD may change.
pub(super) struct Listed<'t> {
    names: BTreeSet<PathBuf>,
    /// The tree in which links on the path of a row are followed.
    tree: Option<&'t Tree>,
}

impl<'t> Listed<'t> {
    pub(super) fn of<'a>(tree: &'t Tree, names: impl Iterator<Item = &'a RelativePath>) -> Self {
        let names = names.map(|name| name.as_path().to_path_buf()).collect();
        Self { names, tree: Some(tree) }
    }

    /// Is the file that a row of a RECORD names one of them? The path in the row may contain links to
    /// directories.
    fn holds(&self, file: &Path) -> bool {
        self.names.contains(file) || self.real(file).is_some_and(|real| self.names.contains(&real))
    }

    fn real(&self, file: &Path) -> Option<PathBuf> {
        let tree = self.tree?;
        let place = tree.find(&RelativePath::new(file).ok()?).ok()??;
        let below = place.name.path().strip_prefix(tree.root().path()).ok()?;
        Some(below.to_path_buf())
    }
}

/// Do these edits, applied in order, change only what is allowed for a file with these names and of the
/// declared kind?
///
/// # Errors
/// The change that is not allowed.
pub(super) fn check(
    about: &About,
    names: &Names<'_>,
    source: &dyn Source,
    edits: &[&EditSet],
    listed: &Listed<'_>,
) -> Result<(), Unpermitted> {
    if edits.is_empty() {
        return Ok(());
    }
    // The edit is computed again, which reads the same tables several times.
    check_piecewise(about, names, &Piecewise::new(source), edits, listed)
}

/// The same for a file whose small parts can be read several times.
pub(super) fn check_piecewise(
    about: &About,
    names: &Names<'_>,
    source: &Piecewise<'_>,
    edits: &[&EditSet],
    listed: &Listed<'_>,
) -> Result<(), Unpermitted> {
    let Some((first, rest)) = edits.split_first() else { return Ok(()) };
    let source: &dyn Source = source;
    let then = Patched::new(source, first);
    match about.kind {
        Kind::Elf | Kind::Macho => {
            let pair = Pair::of_edits(source, &then, first).ok_or(Unpermitted::Moves)?;
            if !object::is_own_edit(pair, &names.of_files(), beside(&about.fields)) {
                return Err(Unpermitted::NotOwn);
            }
        }
        Kind::Record => check_record(names.path, source, &then, listed)?,
        Kind::Wheel => check_archive(names.path, source, &then)?,
    }
    check(about, names, &then, rest, listed)
}

/// The changes of an object that a record declares in addition to the search path. Nothing else may change,
/// so that `log` shows everything that a revert does.
fn beside(fields: &[FieldChange]) -> Beside {
    let is_stack = |change: &FieldChange| change.field == Field::ExecutableStack;
    Beside { stack: fields.iter().any(is_stack), names: !fields.iter().all(is_stack) }
}

/// In a RECORD, the hashes and sizes of the files of the record.
fn check_record(
    path: &Path,
    now: &dyn Source,
    then: &dyn Source,
    listed: &Listed<'_>,
) -> Result<(), Unpermitted> {
    if path.file_name() != Some(OsStr::new("RECORD")) {
        return Err(Unpermitted::NoRecord);
    }
    let site = path.parent().and_then(Path::parent).unwrap_or(Path::new(""));
    check_rows(site, now, then, listed)
}

/// The same, for rows that are relative to `site`.
fn check_rows(
    site: &Path,
    now: &dyn Source,
    then: &dyn Source,
    listed: &Listed<'_>,
) -> Result<(), Unpermitted> {
    let text = |source: &dyn Source| {
        let len = source.len();
        let is_short = len <= record::MAX_BYTES;
        let text = is_short.then(|| source.read(0, len, "RECORD").map(Cow::into_owned));
        text.ok_or(Unpermitted::LongRecord)?.map_err(|_| Unpermitted::UnreadRecord)
    };
    let (before, after) = (text(now)?, text(then)?);
    let mut rows = record::rows(&before);
    let mut others = record::rows(&after);
    // The ends of the previous rows in both texts.
    let mut ends = (0, 0);
    loop {
        let (one, other) = match (rows.next(), others.next()) {
            (None, None) if before.iter().skip(ends.0).eq(after.iter().skip(ends.1)) => {
                return Ok(());
            }
            (Some(Ok(one)), Some(Ok(other))) => (one, other),
            _ => return Err(Unpermitted::OtherRows),
        };
        let between = |text: &'_ [u8], end: usize, row: &record::Row<'_>| {
            text.get(end..usize::try_from(row.range.start).ok()?).map(<[u8]>::to_vec)
        };
        if between(&before, ends.0, &one) != between(&after, ends.1, &other) {
            return Err(Unpermitted::BetweenRows);
        }
        let end = |row: &record::Row<'_>| usize::try_from(row.range.end).unwrap_or(usize::MAX);
        ends = (end(&one), end(&other));
        if one.raw == other.raw {
            continue;
        }
        let file = join_within(site, Path::new(OsStr::from_bytes(&one.path)));
        if !one.differs_in_hash_and_size_alone(&other)
            || !file.is_some_and(|file| listed.holds(&file))
        {
            return Err(Unpermitted::Row { file: one.path.to_vec() });
        }
    }
}

/// In a wheel, the search paths of its members, and their rows in its RECORD.
fn check_archive(path: &Path, now: &dyn Source, then: &dyn Source) -> Result<(), Unpermitted> {
    if path.extension() != Some(OsStr::new("whl")) {
        return Err(Unpermitted::NoWheel);
    }
    let unread = |error: wheel::Error| Unpermitted::UnreadWheel { error };
    let top = Path::new("/");
    let one = Wheel::of(Box::new(now), top).map_err(unread)?;
    let other = Wheel::of(Box::new(then), top).map_err(unread)?;
    let changed = one.changed(&other).map_err(unread)?;
    let changed = changed.ok_or(Unpermitted::Members)?;
    // Rows use the names of members in the archive.
    let listed = changed.iter().map(|member| PathBuf::from(OsStr::from_bytes(&member.name)));
    let listed = Listed { names: listed.collect(), tree: None };
    for member in &changed {
        let name = || member.name.to_vec();
        let failed = |error: io::Error| Unpermitted::UnreadMember {
            member: name(),
            said: error.to_string(),
        };
        let before = one.open(&member.path).map_err(failed)?;
        let after = other.open(&member.path).map_err(failed)?;
        if !other.has_right_checksum(&member.path).map_err(failed)? {
            return Err(Unpermitted::Checksum { member: name() });
        }
        if member.is_record {
            check_rows(Path::new(""), &before, &after, &listed)?;
            continue;
        }
        let names: Vec<&OsStr> = member.path.file_name().into_iter().collect();
        if !object::is_own_edit(Pair::new(&before, &after), &names, Beside::default()) {
            return Err(Unpermitted::NotOwnIn { member: name() });
        }
    }
    Ok(())
}
