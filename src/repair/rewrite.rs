//! A new search path for one object: the smallest change that fits.

pub mod fields;
mod load_commands;
pub mod macho;
pub mod shrink;

pub use self::load_commands::LoadCommand;
use self::shrink::Shrink;
use crate::bytes::Source;
use crate::edit::{EditSet, Patched};
use crate::elf::Image;
use crate::elf::edit::{self, Request};
use crate::elf::search_path::{RpathKind, SearchPath, current};
use crate::object::{Failure, Format, Identity, Patch};
use crate::plan::field::FieldChange;
use crate::vfs::Vfs;
use crate::world::rpath_entry::{is_of_bazel, leads_somewhere};
use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

/// The new search path of an object, and the edits that produce it.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// The object.
    pub object: PathBuf,
    /// Its format.
    pub format: Format,
    /// Did it have a search path, even if empty?
    pub had_path: bool,
    /// The entries before; if the slices of a universal file differ, those of one after those of
    /// the other.
    pub before: Vec<Vec<u8>>,
    /// The entries after.
    pub after: Vec<Vec<u8>>,
    /// What changes besides.
    pub fields: Vec<FieldChange>,
    /// The edits.
    pub patch: Patch,
    /// What the linker stamped into the object.
    pub identity: Identity,
}

/// The reason why an object is not rewritten.
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

/// The requested change of an object's search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Entries to append if they are not present yet.
    Append(Vec<Vec<u8>>),
    /// The same; unused or duplicate old entries are removed if that makes the edit fit.
    Fit(Vec<Vec<u8>>),
    /// Entries to put first.
    Prepend(Vec<Vec<u8>>),
    /// Only these entries.
    Set(Vec<Vec<u8>>),
    /// Entries to remove.
    Remove(Vec<Vec<u8>>),
    /// Entries to append; duplicates and entries for missing directories are removed.
    Tidy(Vec<Vec<u8>>),
    /// Entries to append; duplicates are removed.
    Dedupe(Vec<Vec<u8>>),
    /// Entries for missing directories are removed.
    Prune,
    /// Another entry in the place of one.
    Replace {
        /// The entry that is there.
        old: Vec<u8>,
        /// The entries that take its place.
        new: Vec<Vec<u8>>,
    },
    /// Only entries by which a library is found.
    Shrink(Shrink),
    /// What is no search path. Mach-O files have some of these fields.
    Fields(Vec<edit::Change>),
    /// Mach-O: search paths and names.
    LoadCommands(Vec<LoadCommand>),
}

impl Change {
    /// The entries that an object gets.
    #[must_use]
    pub fn entries(&self) -> &[Vec<u8>] {
        match self {
            Self::Append(new) | Self::Fit(new) | Self::Prepend(new) | Self::Set(new) => new,
            Self::Tidy(new) | Self::Dedupe(new) | Self::Replace { new, .. } => new,
            Self::Remove(_) | Self::Prune | Self::Shrink(_) => &[],
            Self::Fields(_) | Self::LoadCommands(_) => &[],
        }
    }
}

impl Change {
    /// The change as ELF takes it, whose entries a colon ends.
    fn split(&self) -> Self {
        let each = |entries: &[Vec<u8>]| -> Vec<Vec<u8>> {
            let split = entries.iter().flat_map(|entry| entry.split(|&byte| byte == b':'));
            split.map(<[u8]>::to_vec).collect()
        };
        match self {
            Self::Append(new) => Self::Append(each(new)),
            Self::Prepend(new) => Self::Prepend(each(new)),
            Self::Set(new) => Self::Set(each(new)),
            Self::Remove(old) => Self::Remove(each(old)),
            Self::Replace { old, new } => Self::Replace { old: old.clone(), new: each(new) },
            other => other.clone(),
        }
    }
}

/// The requested change of an object's search path, and how to make it.
#[derive(Debug, Clone, Copy)]
pub struct Wish<'a> {
    /// The entries.
    pub change: &'a Change,
    /// ELF: the tag; `None` keeps the one that is there.
    pub kind: Option<RpathKind>,
    /// Mach-O: the only slice to edit, by its architecture.
    pub arch: Option<&'a str>,
    /// Mach-O: may a signer's signature become an ad-hoc one?
    pub may_drop_signer: bool,
    /// Mach-O: is an invalid signature to be replaced by an ad-hoc one?
    pub repairs_signature: bool,
    /// ELF: is an executable stack no longer to be requested?
    pub clears_stack: bool,
    /// May other distributions contain what an entry names, so that it is not unused although
    /// nothing exists there?
    pub keeps_dead: bool,
}

impl<'a> Wish<'a> {
    /// A change that keeps the tag of the object.
    #[must_use]
    pub fn new(change: &'a Change) -> Self {
        Self {
            change,
            kind: None,
            arch: None,
            may_drop_signer: false,
            repairs_signature: false,
            clears_stack: false,
            keeps_dead: false,
        }
    }

    /// Is an entry kept although it names a missing directory?
    fn keeps(&self, entry: &[u8]) -> bool {
        self.keeps_dead && !is_of_bazel(entry)
    }
}

/// The new search path of an object and the edits for it.
///
/// `names` are all names under which the object may be opened; an entry is unused only if it names
/// a missing directory from each of them.
///
/// # Errors
/// If the object cannot be read, is malformed, or is not safely edited.
pub fn rewrite(
    vfs: &dyn Vfs,
    object: &Path,
    names: &[PathBuf],
    wish: Wish<'_>,
) -> Result<Rewrite, Error> {
    let failed = |source: Failure| Error::Failed { path: object.to_owned(), source };
    let source =
        vfs.open(object).map_err(|source| Error::Io { path: object.to_owned(), source })?;
    let view = View { vfs, object, names };
    match Format::of(source.as_ref()) {
        Some(Format::Macho) => macho::rewrite(&view, source.as_ref(), wish).map_err(failed),
        _ => rewrite_elf(&view, source.as_ref(), wish).map_err(failed),
    }
}

/// The rewrite that gives an object the search path that `edits` give it, as tfpatch itself writes it,
/// no matter which program made the edits. The edits are only used to read the object, and may be
/// anything.
///
/// # Errors
/// As for [`rewrite`], and where the object could not be read with the edits.
pub fn towards(
    vfs: &dyn Vfs,
    object: &Path,
    names: &[PathBuf],
    edits: &EditSet,
    may_drop_signer: bool,
) -> Result<Rewrite, Error> {
    let failed = |source: Failure| Error::Failed { path: object.to_owned(), source };
    let source =
        vfs.open(object).map_err(|source| Error::Io { path: object.to_owned(), source })?;
    let view = View { vfs, object, names };
    match Format::of(source.as_ref()) {
        Some(Format::Macho) => {
            macho::towards(&view, source.as_ref(), edits, may_drop_signer).map_err(failed)
        }
        _ => towards_elf(&view, source.as_ref(), edits).map_err(failed),
    }
}

/// The location of an object.
struct View<'a> {
    vfs: &'a dyn Vfs,
    object: &'a Path,
    names: &'a [PathBuf],
}

impl View<'_> {
    /// The directories in which it may be opened.
    fn directories(&self) -> Vec<&Path> {
        self.names.iter().filter_map(|name| name.parent()).collect()
    }
}

fn rewrite_elf(view: &View<'_>, source: &dyn Source, wish: Wish<'_>) -> Result<Rewrite, Failure> {
    let Wish { change, kind, .. } = wish;
    if matches!(change, Change::LoadCommands(_)) {
        return Err(Failure::NotMacho);
    }
    let change = &change.split();
    let image = Image::parse(source)?;
    let before = current(&image)?;
    if let Change::Fields(changes) = change {
        let patch = edit::edit(&image, &Request { changes: changes.clone() })?;
        let after = before.as_ref().map_or_else(Vec::new, |path| path.entries.clone());
        return Ok(elf_rewrite(view, &image, before, after, patch, true));
    }
    let entries = before.as_ref().map_or(&[][..], |path| &path.entries);
    let directories = view.directories();
    let is_live =
        |entry: &[u8]| wish.keeps(entry) || leads_somewhere(view.vfs, entry, &directories);

    let wanted = match change {
        Change::Shrink(how) => shrink::kept(view.vfs, &image, entries, &directories, how)?,
        change => changed(entries, change, is_live),
    };
    let edit = |entries: &[Vec<u8>]| {
        let mut request = Request::search_path(entries.to_vec(), kind);
        if wish.clears_stack {
            request.changes.push(edit::Change::ExecutableStack(false));
        }
        edit::edit(&image, &request)
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
    Ok(elf_rewrite(view, &image, before, after, patch, wish.clears_stack))
}

fn towards_elf(view: &View<'_>, source: &dyn Source, edits: &EditSet) -> Result<Rewrite, Failure> {
    let image = Image::parse(source)?;
    let before = current(&image)?;
    let patched = Patched::new(source, edits);
    let then = Image::parse(&patched)?;
    let request = Request::towards(&then)?;
    let patch = edit::edit(&image, &request)?;
    let after = current(&then)?.map_or_else(Vec::new, |path| path.entries);
    let has_fields = request.changes.len() > 1;
    Ok(elf_rewrite(view, &image, before, after, patch, has_fields))
}

fn elf_rewrite(
    view: &View<'_>,
    image: &Image<'_>,
    before: Option<SearchPath>,
    after: Vec<Vec<u8>>,
    patch: edit::Patch,
    has_fields: bool,
) -> Rewrite {
    // A search path alone, which most edits are of, changes no field.
    let fields = match has_fields {
        true => fields::of_edits(image, &patch.edits),
        false => Vec::new(),
    };
    Rewrite {
        object: view.object.to_owned(),
        format: Format::Elf,
        fields,
        had_path: before.is_some(),
        before: before.map_or_else(Vec::new, |path| path.entries),
        after,
        patch: patch.into(),
        identity: Identity::of_elf(image),
    }
}

/// Does the edit keep the file's length?
fn fits(patch: &Result<edit::Patch, edit::Failure>) -> bool {
    patch.as_ref().is_ok_and(|patch| patch.edits.bytes_appended() == 0)
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
        Change::Dedupe(new) => without_duplicates(&[entries, new].concat()),
        Change::Prune => entries.iter().filter(|entry| is_live(entry)).cloned().collect(),
        Change::Replace { old, new } => {
            let replaced = entries.iter().flat_map(|entry| match entry == old {
                true => new.clone(),
                false => vec![entry.clone()],
            });
            replaced.collect()
        }
        // These are computed elsewhere, or refused.
        Change::Shrink(_) | Change::Fields(_) | Change::LoadCommands(_) => entries.to_vec(),
    }
}

/// The first of each entry.
fn without_duplicates(entries: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seen = HashSet::new();
    entries.iter().filter(|entry| seen.insert(entry.as_slice())).cloned().collect()
}
