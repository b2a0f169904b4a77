//! Changes of the search path and the names of a Mach-O slice, as `install_name_tool` makes them.

use crate::bytes::printable;
use crate::elf;
use crate::macho::edit::{Refusal, SliceRequest};
use crate::macho::{Image, Names};
use crate::object::Failure;

/// One change of the load commands of a slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoadCommand {
    /// Set `LC_ID_DYLIB`. Slices without it keep having none.
    InstallName(Vec<u8>),
    /// Rename a library that the slice needs. Slices that do not need it stay the same.
    Needed {
        /// The old name.
        old: Vec<u8>,
        /// The new name.
        new: Vec<u8>,
    },
    /// Remove every `LC_RPATH`.
    DeleteAllRpaths,
    /// Remove an `LC_RPATH`, which has to exist.
    DeleteRpath(Vec<u8>),
    /// Replace an `LC_RPATH`, which has to exist; the new one must not.
    ReplaceRpath {
        /// The old path.
        old: Vec<u8>,
        /// The new path.
        new: Vec<u8>,
    },
    /// Append an `LC_RPATH`, which must not exist.
    AddRpath(Vec<u8>),
    /// Insert an `LC_RPATH` before the others; it must not exist.
    PrependRpath(Vec<u8>),
}

impl LoadCommand {
    /// The same change of an ELF object in Mach-O; `None` if there is no such change.
    pub(super) fn like(change: &elf::edit::Change) -> Option<Self> {
        match change {
            elf::edit::Change::Soname(name) => Some(Self::InstallName(name.clone())),
            elf::edit::Change::ReplaceNeeded { old, new } => {
                Some(Self::Needed { old: old.clone(), new: new.clone() })
            }
            _ => None,
        }
    }
}

/// The request that makes changes in a slice. All of them refer to the names that it has now, and paths are
/// removed first, then replaced, then added.
///
/// # Errors
/// If the slice is malformed, or a path is missing or present against the rules above.
pub(super) fn request(
    image: &Image<'_>,
    slice: usize,
    changes: &[LoadCommand],
) -> Result<SliceRequest, Failure> {
    let old = Names::of(image)?;
    let mut names = old.clone();
    // The last of several install names counts, and the first new name of a library.
    for change in changes {
        if let LoadCommand::InstallName(new) = change {
            names.install_name = names.install_name.map(|_| new.clone());
        }
    }
    for change in changes.iter().rev() {
        if let LoadCommand::Needed { old: from, new } = change {
            let both = old.needed.iter().zip(&mut names.needed);
            both.filter(|(old, _)| *old == from).for_each(|(_, now)| now.clone_from(new));
        }
    }
    let entries = search_path(image, changes)?;
    let names = (names != old).then_some(names);
    Ok(SliceRequest { slice, entries, names, may_drop_source_version: false })
}

fn search_path(image: &Image<'_>, changes: &[LoadCommand]) -> Result<Vec<Vec<u8>>, Failure> {
    let arch = image.slice().arch().name();
    let absent = |path: &[u8]| Refusal::NoSuchRpath { arch, path: printable(path) };
    let twice = |path: &[u8]| Refusal::DuplicateRpath { arch, path: printable(path) };
    let mut entries = image.rpaths()?;
    if changes.contains(&LoadCommand::DeleteAllRpaths) {
        entries.clear();
    }
    for change in changes {
        if let LoadCommand::DeleteRpath(path) = change {
            let at = entries.iter().position(|entry| entry == path);
            entries.remove(at.ok_or_else(|| absent(path))?);
        }
    }
    for change in changes {
        if let LoadCommand::ReplaceRpath { old, new } = change {
            if entries.contains(new) {
                return Err(twice(new).into());
            }
            let entry = entries.iter_mut().find(|entry| *entry == old);
            entry.ok_or_else(|| absent(old))?.clone_from(new);
        }
    }
    for change in changes {
        let (path, at) = match change {
            LoadCommand::AddRpath(path) => (path, entries.len()),
            LoadCommand::PrependRpath(path) => (path, 0),
            _ => continue,
        };
        if entries.contains(path) {
            return Err(twice(path).into());
        }
        entries.insert(at, path.clone());
    }
    Ok(entries)
}
