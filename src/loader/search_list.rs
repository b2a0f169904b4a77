//! Lists of directories, as `fillin_rpath` of elf/dl-load.c makes them, and how they are searched.

use super::files::Files;
use super::tokens::{self, Tokens};
use crate::hashing::QuickSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// One directory to search, with a slash at its end.
#[derive(Debug)]
pub(super) struct Dir {
    /// As the list has it; empty for the working directory.
    pub(super) given: Vec<u8>,
    pub(super) absolute: Vec<u8>,
    /// The number of its entry in the list: an entry and its subdirectories share it.
    pub(super) entry: usize,
}

/// A list of directories, whichever tags and variables have it.
#[derive(Debug)]
pub(super) struct SearchList {
    pub(super) dirs: Vec<Dir>,
}

/// What lists are created from.
pub(super) struct Surroundings<'a> {
    pub(super) files: &'a Files<'a>,
    pub(super) working_directory: &'a Path,
    /// The subdirectories of every directory to search before it, in order.
    pub(super) subdirectories: &'a [String],
}

impl SearchList {
    /// The directories of `path`, between `separators`: tokens expanded, slashes at the end reduced
    /// to one, duplicate entries dropped. An empty entry is the working directory.
    pub(super) fn of_path(
        path: &[u8],
        separators: &[u8],
        tokens: &Tokens<'_>,
        surroundings: &Surroundings<'_>,
    ) -> Self {
        let entries = path.split(|byte| separators.contains(byte)).filter_map(|entry| {
            if entry.is_empty() {
                return Some(Vec::new());
            }
            let mut dir = tokens::expand(entry, tokens).filter(|dir| !dir.is_empty())?;
            while dir.ends_with(b"/") {
                dir.pop();
            }
            dir.push(b'/');
            Some(dir)
        });
        Self::new(entries, surroundings)
    }

    /// The directories given, each with a slash at its end or empty.
    pub(super) fn new(
        entries: impl Iterator<Item = Vec<u8>>,
        surroundings: &Surroundings<'_>,
    ) -> Self {
        let mut known = QuickSet::default();
        let mut dirs = Vec::new();
        for (number, entry) in entries.filter(|entry| known.insert(entry.clone())).enumerate() {
            let directory = surroundings.absolute(&entry);
            let held = surroundings.files.may_hold_each(&directory, surroundings.subdirectories);
            for subdirectory in held {
                if !surroundings.files.is_directory(&directory.join(subdirectory)) {
                    continue;
                }
                let given = [&entry, subdirectory.as_bytes(), b"/"].concat();
                let absolute = surroundings.absolute_bytes(&given);
                dirs.push(Dir { absolute, given, entry: number });
            }
            dirs.push(Dir {
                absolute: surroundings.absolute_bytes(&entry),
                given: entry,
                entry: number,
            });
        }
        Self { dirs }
    }

    /// The entries of a list unchanged, each a directory of its own.
    pub(super) fn of_entries<'e>(
        entries: impl Iterator<Item = &'e [u8]>,
        working_directory: &Path,
    ) -> Self {
        let dirs = entries.enumerate().map(|(entry, directory)| {
            let given = [directory, b"/"].concat();
            Dir { absolute: absolute_bytes(working_directory, &given), given, entry }
        });
        Self { dirs: dirs.collect() }
    }
}

impl Surroundings<'_> {
    /// A path relative to the working directory.
    pub(super) fn absolute(&self, path: &[u8]) -> PathBuf {
        if path.starts_with(b"/") {
            return PathBuf::from(OsStr::from_bytes(path));
        }
        self.working_directory.join(OsStr::from_bytes(path))
    }

    fn absolute_bytes(&self, directory: &[u8]) -> Vec<u8> {
        absolute_bytes(self.working_directory, directory)
    }
}

/// A directory with a slash at its end, or empty, relative to the working directory.
fn absolute_bytes(working_directory: &Path, directory: &[u8]) -> Vec<u8> {
    if directory.starts_with(b"/") && directory.ends_with(b"/") {
        return directory.to_vec();
    }
    let absolute = working_directory.join(OsStr::from_bytes(directory));
    let mut bytes = absolute.into_os_string().into_encoded_bytes();
    if !bytes.ends_with(b"/") {
        bytes.push(b'/');
    }
    bytes
}
