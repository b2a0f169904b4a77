//! Searches in lists of directories, each made once (`open_path` of elf/dl-load.c).

use super::StepOutcome;
use super::files::{Candidate, Files, Probe};
use super::search_list::SearchList;
use super::search_trace::{Leg, LegEnd};
use crate::hashing::QuickMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

/// A list of directories, with the searches that were made in it. Each search holds the list, so
/// the list does not hold them: otherwise neither would be freed.
#[derive(Debug)]
pub(super) struct Searches {
    pub(super) list: Arc<SearchList>,
    legs: RwLock<QuickMap<Vec<u8>, Arc<Leg>>>,
}

impl Searches {
    pub(super) fn new(list: SearchList) -> Self {
        Self { list: Arc::new(list), legs: RwLock::default() }
    }

    /// Looks for a name without a slash (`open_path`).
    pub(super) fn search(&self, files: &Files<'_>, name: &[u8]) -> Arc<Leg> {
        self.remembered(name, || self.walk(files, name, |_| true))
    }

    /// The result of looking for a name, as `walk` finds it the first time.
    pub(super) fn remembered(&self, name: &[u8], walk: impl FnOnce() -> Leg) -> Arc<Leg> {
        let known = self.legs.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        known.unwrap_or_else(|| {
            let leg = Arc::new(walk());
            let mut legs = self.legs.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(legs.entry(name.to_vec()).or_insert(leg))
        })
    }

    /// The same if only some files are accepted; the others count as absent.
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
            // The error of an entry is that of the last place searched for it.
            let last = self.list.dirs.get(tried).is_none_or(|next| next.entry != dir.entry);
            // A relative directory is never known to be missing: there an error other than that of
            // an absent file counts.
            let is_known = dir.given.starts_with(b"/") || files.is_directory(directory);
            if is_known && !files.may_hold(directory, name) {
                continue;
            }
            let path = [dir.absolute.as_slice(), name].concat();
            match files.probe(Path::new(OsStr::from_bytes(&path))) {
                Probe::Found(candidate) if will_do(&candidate) => {
                    notable.push((index, StepOutcome::Found));
                    end = LegEnd::Found(candidate, [dir.given.as_slice(), name].concat().into());
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
