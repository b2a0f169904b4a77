//! Lists of directories, as `fillin_rpath` of elf/dl-load.c makes them, and how they are searched.

use super::Rule;
use super::StepOutcome;
use super::files::{Candidate, Files, Probe};
use super::tokens::{self, Tokens};
use super::trail::{Leg, LegEnd};
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

/// One directory to look into, with a slash at its end.
#[derive(Debug)]
pub(super) struct Dir {
    /// As the list has it; empty for the working directory.
    pub(super) given: Vec<u8>,
    pub(super) absolute: Vec<u8>,
    /// The number of its entry in the list: an entry and its subdirectories share it.
    entry: usize,
}

/// A list of directories.
#[derive(Debug)]
pub(super) struct SearchList {
    pub(super) rule: Rule,
    /// The object whose tag it is.
    pub(super) via: Option<PathBuf>,
    pub(super) dirs: Vec<Dir>,
}

/// A list of directories, with the searches that were made in it. Each of those holds the list,
/// which therefore does not hold them: neither would ever be freed.
#[derive(Debug)]
pub(super) struct Searches {
    pub(super) list: Arc<SearchList>,
    legs: RwLock<HashMap<Vec<u8>, Arc<Leg>>>,
}

/// What lists are made with.
pub(super) struct Surroundings<'a> {
    pub(super) files: &'a Files<'a>,
    pub(super) working_directory: &'a Path,
    /// The subdirectories of every directory to look into before it, in order.
    pub(super) subdirectories: &'a [String],
}

impl SearchList {
    /// The directories of `path`, between `separators`: tokens expanded, slashes at the end made
    /// one, entries that come twice dropped. An empty entry is the working directory.
    pub(super) fn of_path(
        path: &[u8],
        separators: &[u8],
        tokens: &Tokens<'_>,
        rule: Rule,
        via: Option<PathBuf>,
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
        Self::new(entries, rule, via, surroundings)
    }

    /// The directories given, each with a slash at its end or empty.
    pub(super) fn new(
        entries: impl Iterator<Item = Vec<u8>>,
        rule: Rule,
        via: Option<PathBuf>,
        surroundings: &Surroundings<'_>,
    ) -> Self {
        let mut known = HashSet::new();
        let mut dirs = Vec::new();
        for (number, entry) in entries.filter(|entry| known.insert(entry.clone())).enumerate() {
            let directory = surroundings.absolute(&entry);
            for subdirectory in surroundings.subdirectories {
                let first = subdirectory.split('/').next().unwrap_or_default();
                if !surroundings.files.may_hold(&directory, first.as_bytes())
                    || !surroundings.files.is_directory(&directory.join(subdirectory))
                {
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
        Self { rule, via, dirs }
    }

    /// The entries of a list as they stand there, each a directory of its own.
    pub(super) fn of_entries<'e>(
        entries: impl Iterator<Item = &'e [u8]>,
        rule: Rule,
        via: Option<PathBuf>,
        working_directory: &Path,
    ) -> Self {
        let dirs = entries.enumerate().map(|(entry, directory)| {
            let given = [directory, b"/"].concat();
            Dir { absolute: absolute_bytes(working_directory, &given), given, entry }
        });
        Self { rule, via, dirs: dirs.collect() }
    }
}

impl Searches {
    pub(super) fn new(list: SearchList) -> Self {
        Self { list: Arc::new(list), legs: RwLock::default() }
    }

    /// Looks for a name without a slash (`open_path`).
    pub(super) fn search(&self, files: &Files<'_>, name: &[u8]) -> Arc<Leg> {
        self.remembered(name, || self.walk(files, name, |_| true))
    }

    /// What came of looking for a name, as `walk` finds it out the first time.
    pub(super) fn remembered(&self, name: &[u8], walk: impl FnOnce() -> Leg) -> Arc<Leg> {
        let known = self.legs.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.unwrap_or_else(|| {
            let leg = Arc::new(walk());
            let mut legs = self.legs.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(legs.entry(name.to_vec()).or_insert(leg))
        })
    }

    /// The same where only some files will do; the others count as absent.
    pub(super) fn walk(
        &self,
        files: &Files<'_>,
        name: &[u8],
        will_do: impl Fn(&Candidate) -> bool,
    ) -> Leg {
        let mut notable = Vec::new();
        let mut tried = 0;
        let mut end = LegEnd::Exhausted;
        for (index, dir) in self.list.dirs.iter().enumerate() {
            tried = index + 1;
            let directory = Path::new(OsStr::from_bytes(&dir.absolute));
            // The error of an entry is that of the last place looked at for it.
            let last = self.list.dirs.get(tried).is_none_or(|next| next.entry != dir.entry);
            // A relative directory is never known to be none: there what opens with another error
            // than an absent file's counts.
            let is_known = dir.given.starts_with(b"/") || files.is_directory(directory);
            if is_known && !files.may_hold(directory, name) {
                continue;
            }
            let path = [dir.absolute.as_slice(), name].concat();
            match files.probe(Path::new(OsStr::from_bytes(&path))) {
                Probe::Found(candidate) if will_do(&candidate) => {
                    notable.push((index, StepOutcome::Found));
                    end = LegEnd::Found(candidate);
                    break;
                }
                Probe::Found(_) => {}
                Probe::Fatal(fatal) => {
                    notable.push((index, StepOutcome::NotALibrary));
                    end = LegEnd::Fatal(fatal);
                    break;
                }
                Probe::Passed { outcome, next_directory } => {
                    if outcome != StepOutcome::Absent {
                        notable.push((index, outcome));
                    }
                    if last && !next_directory {
                        break;
                    }
                }
            }
        }
        Leg { list: Arc::clone(&self.list), name: name.to_vec(), tried, notable, end }
    }
}

impl Surroundings<'_> {
    /// A path as it is from the working directory.
    pub(super) fn absolute(&self, path: &[u8]) -> PathBuf {
        self.working_directory.join(OsStr::from_bytes(path))
    }

    fn absolute_bytes(&self, directory: &[u8]) -> Vec<u8> {
        absolute_bytes(self.working_directory, directory)
    }
}

/// A directory with a slash at its end, or empty, as it is from the working directory.
fn absolute_bytes(working_directory: &Path, directory: &[u8]) -> Vec<u8> {
    let absolute = working_directory.join(OsStr::from_bytes(directory));
    let mut bytes = absolute.into_os_string().into_encoded_bytes();
    if !bytes.ends_with(b"/") {
        bytes.push(b'/');
    }
    bytes
}
