//! Which name led to which file: what a repair must not change by accident.

use crate::loader::Dependency;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

/// Who asked for what: the object that a program loads, the object of its closure that asks, and
/// the name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Question {
    /// The object that a program loads.
    pub root: PathBuf,
    /// The object that asks.
    pub asking: PathBuf,
    /// The name in its `DT_NEEDED`.
    pub library: Vec<u8>,
}

/// The answers of the loader to every question of a diagnosis.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bindings {
    answers: BTreeMap<Question, Option<PathBuf>>,
}

/// A name that leads elsewhere than before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// Who asked for what.
    pub question: Question,
    /// Where it led.
    pub before: PathBuf,
    /// Where it leads now; `None` where nothing is found any more.
    pub after: Option<PathBuf>,
}

impl Bindings {
    /// Notes the answer to one question: the file, links resolved.
    pub fn add(
        &mut self,
        root: &Path,
        asking: &Path,
        dependency: &Dependency,
        found: Option<&Path>,
    ) {
        let question = Question {
            root: root.to_owned(),
            asking: asking.to_owned(),
            library: dependency.name.clone(),
        };
        self.answers.insert(question, found.map(Path::to_owned));
    }

    /// The answer to a question; `None` where nothing was found, or it was not asked.
    #[must_use]
    pub fn answer(&self, question: &Question) -> Option<&PathBuf> {
        self.answers.get(question)?.as_ref()
    }

    /// Every question that was answered with a file, and the file.
    pub fn found(&self) -> impl Iterator<Item = (&Question, &Path)> {
        self.answers.iter().filter_map(|(question, found)| Some((question, found.as_deref()?)))
    }

    /// Takes in the answers to other questions.
    pub fn extend(&mut self, other: Self) {
        self.answers.extend(other.answers);
    }

    /// Where a library leads, whoever asks for it, by the last part of its name: each answer once,
    /// `None` where nothing is found.
    #[must_use]
    pub fn of_library(&self, leaf: &[u8]) -> BTreeSet<Option<&Path>> {
        let asked = self.answers.iter().filter(|(question, _)| {
            question.library.rsplit(|&byte| byte == b'/').next() == Some(leaf)
        });
        asked.map(|(_, found)| found.as_deref()).collect()
    }

    /// The libraries that are found by whatever asks for them, by the last parts of their names.
    #[must_use]
    pub fn always_found(&self) -> HashSet<&[u8]> {
        let (mut found, mut lacking) = (HashSet::new(), HashSet::new());
        for (question, answer) in &self.answers {
            let leaf = question.library.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
            let list = if answer.is_some() { &mut found } else { &mut lacking };
            list.insert(leaf);
        }
        found.difference(&lacking).copied().collect()
    }

    /// What led somewhere and now leads elsewhere. A question that is not asked any more, because
    /// the object that asked is not loaded, counts only where the object itself moved.
    #[must_use]
    pub fn moved(&self, after: &Self) -> Vec<Moved> {
        self.answers
            .iter()
            .filter_map(|(question, before)| {
                let (before, now) = (before.as_ref()?, after.answers.get(question)?);
                (now.as_ref() != Some(before)).then(|| Moved {
                    question: question.clone(),
                    before: before.clone(),
                    after: now.clone(),
                })
            })
            .collect()
    }
}
