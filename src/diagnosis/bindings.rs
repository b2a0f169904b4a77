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
    /// By the root and the object that needs something. An object needs a handful of libraries, which stay together.
    answers: BTreeMap<Key, Vec<Answer>>,
}

/// The numbers of the root and of the object that needs something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    root: u32,
    asking: u32,
}

/// The numbers of the name and of the file, if one is found.
type Answer = (u32, Option<u32>);

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
        let (root, asking) = (self.number(root), self.number(asking));
        let answers = answers.map(|(dependency, found)| {
            (dependency, found.map(|found| self.paths.number(found.as_os_str())))
        });
        let answers: Vec<_> = answers.collect();
        self.add_numbered((root, asking), answers.into_iter());
    }

    /// The number by which a path is known here.
    pub(super) fn number(&mut self, path: &Path) -> u32 {
        self.paths.number(path.as_os_str())
    }

    /// The same as [`Self::add`], given the numbers of all paths.
    pub(super) fn add_numbered<'d>(
        &mut self,
        (root, asking): (u32, u32),
        answers: impl Iterator<Item = (&'d Dependency, Option<u32>)>,
    ) {
        let mut numbered = Vec::with_capacity(answers.size_hint().0);
        for (dependency, found) in answers {
            numbered.push((self.libraries.number(&*dependency.name), found));
        }
        self.record(Key { root, asking }, numbered.into_iter());
    }

    fn record(&mut self, key: Key, answers: impl ExactSizeIterator<Item = Answer>) {
        if answers.len() == 0 {
            return;
        }
        let known = self.answers.entry(key).or_default();
        known.reserve_exact(answers.len());
        for (library, found) in answers {
            // A header may have a name twice.
            match known.iter_mut().find(|(known, _)| *known == library) {
                Some((_, answer)) => *answer = found,
                None => known.push((library, found)),
            }
        }
    }

    /// Every question and its answer.
    fn all(&self) -> impl Iterator<Item = (Key, Answer)> {
        self.answers.iter().flat_map(|(key, answers)| answers.iter().map(|answer| (*key, *answer)))
    }

    fn of(&self, key: Key, library: u32) -> Option<Option<u32>> {
        let answer = self.answers.get(&key)?.iter().find(|(known, _)| *known == library);
        answer.map(|(_, found)| *found)
    }

    /// The answer to a question; `None` if nothing was found, or it was not asked.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Option<&Path> {
        let key = Key {
            root: self.paths.known(question.root.as_os_str())?,
            asking: self.paths.known(question.asking.as_os_str())?,
        };
        let library = self.libraries.known(question.library.as_slice())?;
        self.path(self.of(key, library)??)
    }

    /// The questions that were answered with one of the files that are `wanted`, in order.
    #[must_use]
    pub fn found(&self, wanted: impl Fn(&Path) -> bool) -> Vec<Found<'_>> {
        let is_wanted: Vec<bool> =
            self.paths.all().iter().map(|path| wanted(Path::new(path))).collect();
        let is_wanted = |file: u32| is_wanted.get(file as usize) == Some(&true);
        let answered =
            self.all().filter_map(|(key, (library, found))| Some((key, library, found?)));
        let found = answered.filter(|(.., file)| is_wanted(*file));
        let found = found.filter_map(|(key, library, file)| {
            Some(Found {
                root: self.path(key.root)?,
                asking: self.path(key.asking)?,
                library: self.library(library)?,
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
        answers.flat_map(|(_, found)| found).filter_map(|(_, found)| self.path((*found)?)).collect()
    }

    /// Is an object that needs something loaded with the object that a program loads?
    #[must_use]
    pub fn is_loaded_with(&self, root: &Path, asking: &Path) -> bool {
        let number = |path: &Path| self.paths.known(path.as_os_str());
        let key = number(root).zip(number(asking)).map(|(root, asking)| Key { root, asking });
        key.is_some_and(|key| self.answers.contains_key(&key))
    }

    /// Adds the answers to other questions.
    pub fn extend(&mut self, other: &Self) {
        for (key, answers) in &other.answers {
            let (Some(root), Some(asking)) = (other.path(key.root), other.path(key.asking)) else {
                continue;
            };
            let key = Key { root: self.number(root), asking: self.number(asking) };
            let answers = answers.iter().filter_map(|(library, found)| {
                let library = self.libraries.number(other.library(*library)?);
                let found = found.and_then(|found| other.path(found));
                Some((library, found.map(|found| self.paths.number(found.as_os_str()))))
            });
            let answers: Vec<Answer> = answers.collect();
            self.record(key, answers.into_iter());
        }
    }

    /// The files that a library resolves to for all objects that need it, by the last part of its
    /// name: each answer once, `None` if nothing is found.
    #[must_use]
    pub fn of_library(&self, leaf: &[u8]) -> BTreeSet<Option<&Path>> {
        let asked = self.all().filter(|(_, (library, _))| {
            self.library(*library).is_some_and(|library| leaf_of(library) == leaf)
        });
        let answers: BTreeSet<Option<u32>> = asked.map(|(_, (_, found))| found).collect();
        answers.into_iter().map(|found| found.and_then(|found| self.path(found))).collect()
    }

    /// The libraries that are found by every object that needs them, by the last parts of their
    /// names.
    #[must_use]
    pub fn always_found(&self) -> HashSet<&[u8]> {
        let libraries = self.libraries.all().len();
        let (mut found, mut lacking) = (vec![false; libraries], vec![false; libraries]);
        for (_, (library, answer)) in self.all() {
            let list = if answer.is_some() { &mut found } else { &mut lacking };
            list.get_mut(library as usize).into_iter().for_each(|it| *it = true);
        }
        let leaves = |is_one: &[bool]| -> HashSet<&[u8]> {
            let numbers = (0_u32..).zip(is_one).filter(|(_, is_one)| **is_one);
            numbers.filter_map(|(number, _)| self.library(number)).map(leaf_of).collect()
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
        let moved = self.all().filter_map(|(key, (library, before))| {
            let before = before?;
            let asked =
                Key { root: number(&paths, key.root)?, asking: number(&paths, key.asking)? };
            let now = after.of(asked, number(&libraries, library)?)?;
            if now.is_some() && now == number(&paths, before) {
                return None;
            }
            let path = |number: u32| self.path(number).map(Path::to_owned);
            Some(Moved {
                question: Question {
                    root: path(key.root)?,
                    asking: path(key.asking)?,
                    library: self.library(library)?.to_vec(),
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
