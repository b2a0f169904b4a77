//! The file that each name resolved to: what a repair must not change by accident.

mod numbered;

use self::numbered::Numbered;
use crate::loader::Dependency;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// A question: the object that a program loads, the object of its closure that needs something, and
/// the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The object that a program loads.
    pub root: PathBuf,
    /// The object that needs it.
    pub asking: PathBuf,
    /// The name in its `DT_NEEDED`.
    pub library: Vec<u8>,
}

/// A question that was answered with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found<'b> {
    /// The object that a program loads.
    pub root: &'b Path,
    /// The object that needs it.
    pub asking: &'b Path,
    /// The name in its `DT_NEEDED`.
    pub library: &'b [u8],
    /// The file.
    pub file: &'b Path,
}

/// The answers of the loader to every question of a diagnosis.
///
/// All objects that a program loads need the same libraries again, so there are hundreds of
/// questions for each object: paths and names are kept once, and a question is three numbers.
#[derive(Debug, Clone, Default)]
pub struct Bindings {
    /// Compared byte for byte: each comes from one walk or one look-up, and is always spelled the
    /// same.
    paths: Numbered<OsString>,
    libraries: Numbered<Vec<u8>>,
    answers: BTreeMap<Key, Option<u32>>,
}

/// The numbers of the root, of the object that needs the library, and of the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    root: u32,
    asking: u32,
    library: u32,
}

/// A name that resolves to another file than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The question.
    pub question: Question,
    /// The file before.
    pub before: PathBuf,
    /// The file now; `None` if nothing is found any more.
    pub after: Option<PathBuf>,
}

impl Bindings {
    /// Records the answers for what one object needs: the files, links resolved.
    pub fn add<'d>(
        &mut self,
        root: &Path,
        asking: &Path,
        answers: impl Iterator<Item = (&'d Dependency, Option<&'d Path>)>,
    ) {
        let (root, asking) =
            (self.paths.number(root.as_os_str()), self.paths.number(asking.as_os_str()));
        for (dependency, found) in answers {
            let library = self.libraries.number(&dependency.name);
            let found = found.map(|found| self.paths.number(found.as_os_str()));
            self.answers.insert(Key { root, asking, library }, found);
        }
    }

    /// The answer to a question; `None` if nothing was found, or it was not asked.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Option<&Path> {
        let key = Key {
            root: self.paths.known(question.root.as_os_str())?,
            asking: self.paths.known(question.asking.as_os_str())?,
            library: self.libraries.known(question.library.as_slice())?,
        };
        self.path((*self.answers.get(&key)?)?)
    }

    /// The questions that were answered with one of the files that are `wanted`, in order.
    #[must_use]
    pub fn found(&self, wanted: impl Fn(&Path) -> bool) -> Vec<Found<'_>> {
        let is_wanted: Vec<bool> =
            self.paths.all().iter().map(|path| wanted(Path::new(path))).collect();
        let is_wanted = |file: u32| is_wanted.get(file as usize) == Some(&true);
        let answered = self.answers.iter().filter_map(|(key, found)| Some((key, (*found)?)));
        let found = answered.filter(|(_, file)| is_wanted(*file)).filter_map(|(key, file)| {
            Some(Found {
                root: self.path(key.root)?,
                asking: self.path(key.asking)?,
                library: self.library(key.library)?,
                file: self.path(file)?,
            })
        });
        let mut found: Vec<_> = found.collect();
        found.sort_unstable();
        found
    }

    /// The files that an object gets for what it needs, whatever it is loaded with.
    #[must_use]
    pub fn files_of(&self, asking: &Path) -> BTreeSet<&Path> {
        let Some(asking) = self.paths.known(asking.as_os_str()) else { return BTreeSet::new() };
        let answers = self.answers.iter().filter(|(key, _)| key.asking == asking);
        answers.filter_map(|(_, found)| self.path((*found)?)).collect()
    }

    /// Is an object that needs something loaded with the object that a program loads?
    #[must_use]
    pub fn is_loaded_with(&self, root: &Path, asking: &Path) -> bool {
        let number = |path: &Path| self.paths.known(path.as_os_str());
        let Some((root, asking)) = number(root).zip(number(asking)) else { return false };
        let first = Key { root, asking, library: 0 };
        let next = self.answers.range(first..).next();
        next.is_some_and(|(key, _)| key.root == root && key.asking == asking)
    }

    /// Adds the answers to other questions.
    pub fn extend(&mut self, other: &Self) {
        for (key, found) in &other.answers {
            let (Some(root), Some(asking)) = (other.path(key.root), other.path(key.asking)) else {
                continue;
            };
            let Some(library) = other.library(key.library) else { continue };
            let key = Key {
                root: self.paths.number(root.as_os_str()),
                asking: self.paths.number(asking.as_os_str()),
                library: self.libraries.number(library),
            };
            let found = found.and_then(|found| other.path(found));
            let found = found.map(|found| self.paths.number(found.as_os_str()));
            self.answers.insert(key, found);
        }
    }

    /// The files that a library resolves to for all objects that need it, by the last part of its
    /// name: each answer once, `None` if nothing is found.
    #[must_use]
    pub fn of_library(&self, leaf: &[u8]) -> BTreeSet<Option<&Path>> {
        let asked = self.answers.iter().filter(|(key, _)| {
            self.library(key.library).is_some_and(|library| leaf_of(library) == leaf)
        });
        let answers: BTreeSet<Option<u32>> = asked.map(|(_, found)| *found).collect();
        answers.into_iter().map(|found| found.and_then(|found| self.path(found))).collect()
    }

    /// The libraries that are found by every object that needs them, by the last parts of their
    /// names.
    #[must_use]
    pub fn always_found(&self) -> HashSet<&[u8]> {
        let (mut found, mut lacking) = (BTreeSet::new(), BTreeSet::new());
        for (key, answer) in &self.answers {
            let list = if answer.is_some() { &mut found } else { &mut lacking };
            list.insert(key.library);
        }
        let leaves = |numbers: &BTreeSet<u32>| -> HashSet<&[u8]> {
            numbers.iter().filter_map(|&number| self.library(number)).map(leaf_of).collect()
        };
        leaves(&found).difference(&leaves(&lacking)).copied().collect()
    }

    /// Questions whose answer changed, in order. A question that no longer arises, because the object that
    /// needs the library is not loaded, counts only if the object itself moved.
    #[must_use]
    pub fn moved(&self, after: &Self) -> Vec<Moved> {
        let paths = self.paths.numbers_in(&after.paths);
        let libraries = self.libraries.numbers_in(&after.libraries);
        let number = |numbers: &[Option<u32>], of: u32| numbers.get(of as usize).copied().flatten();
        let moved = self.answers.iter().filter_map(|(key, before)| {
            let before = (*before)?;
            let asked = Key {
                root: number(&paths, key.root)?,
                asking: number(&paths, key.asking)?,
                library: number(&libraries, key.library)?,
            };
            let now = *after.answers.get(&asked)?;
            if now.is_some() && now == number(&paths, before) {
                return None;
            }
            let path = |number: u32| self.path(number).map(Path::to_owned);
            Some(Moved {
                question: Question {
                    root: path(key.root)?,
                    asking: path(key.asking)?,
                    library: self.library(key.library)?.to_vec(),
                },
                before: path(before)?,
                after: now.and_then(|now| after.path(now)).map(Path::to_owned),
            })
        });
        let mut moved: Vec<Moved> = moved.collect();
        moved.sort_by(|a, b| a.question.cmp(&b.question));
        moved
    }

    fn path(&self, number: u32) -> Option<&Path> {
        self.paths.get(number).map(Path::new)
    }

    fn library(&self, number: u32) -> Option<&[u8]> {
        self.libraries.get(number).map(Vec::as_slice)
    }
}

/// The last part of a name, which may be a path.
fn leaf_of(library: &[u8]) -> &[u8] {
    library.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
}
