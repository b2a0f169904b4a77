//! The places that a search examined, stored compactly: one search of an rpath of 700 entries is
//! shared by every object with that rpath in the same directory that needs the same name.

use super::files::{Candidate, Fatal};
use super::search_list::SearchList;
use super::{Rule, SearchStep, StepOutcome};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The search of one list of directories for one name.
#[derive(Debug)]
pub(super) struct Leg {
    pub(super) list: Arc<SearchList>,
    pub(super) name: Vec<u8>,
    /// How many of its directories were searched.
    pub(super) tried: usize,
    /// The results of those where something was found; ascending.
    pub(super) notable: Vec<(usize, StepOutcome)>,
    pub(super) end: LegEnd,
}

/// Why a list was searched.
#[derive(Debug, Clone)]
pub(super) struct Whose {
    pub(super) rule: Rule,
    /// The object whose tag the list is.
    pub(super) via: Option<Arc<Path>>,
}

/// How the search of one list ended.
#[derive(Debug)]
pub(super) enum LegEnd {
    /// Nothing here: the next list.
    Exhausted,
    /// The library, and its path as the loader builds it: relative if the directory is.
    Found(Arc<Candidate>, Arc<[u8]>),
    /// The loader gives up.
    Fatal(Fatal),
}

impl Leg {
    fn steps<'l>(&'l self, whose: &'l Whose) -> impl Iterator<Item = SearchStep> + 'l {
        let mut notable = self.notable.iter().peekable();
        self.list.dirs.iter().take(self.tried).enumerate().map(move |(index, dir)| {
            let outcome = notable.next_if(|(at, _)| *at == index);
            let mut path = dir.absolute.clone();
            path.extend_from_slice(&self.name);
            SearchStep {
                path: PathBuf::from(OsString::from_vec(path)),
                rule: whose.rule,
                via: whose.via.as_deref().map(Path::to_owned),
                outcome: outcome.map_or(StepOutcome::Absent, |(_, outcome)| *outcome),
            }
        })
    }
}

/// Every place that was searched for one name, in order.
///
/// Subdirectories of `glibc-hwcaps` are among them only where they exist.
#[derive(Debug, Clone, Default)]
pub struct Trail(Parts);

/// Most searches end in the first place, and there are hundreds of thousands.
#[derive(Debug, Clone, Default)]
enum Parts {
    #[default]
    None,
    One(Part),
    Many(Vec<Part>),
}

#[derive(Debug, Clone)]
enum Part {
    Leg(Arc<Leg>, Whose),
    Step(Arc<SearchStep>),
}

impl Trail {
    /// The places, in order.
    pub fn steps(&self) -> impl Iterator<Item = SearchStep> {
        self.parts().iter().flat_map(|part| {
            let (leg, step) = match part {
                Part::Leg(leg, whose) => (Some(leg.steps(whose)), None),
                Part::Step(step) => (None, Some(SearchStep::clone(step))),
            };
            leg.into_iter().flatten().chain(step)
        })
    }

    /// Was nothing searched?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts().is_empty()
    }

    pub(super) fn push_leg(&mut self, leg: Arc<Leg>, whose: Whose) {
        self.push(Part::Leg(leg, whose));
    }

    pub(super) fn push_step(&mut self, step: impl Into<Arc<SearchStep>>) {
        self.push(Part::Step(step.into()));
    }

    fn parts(&self) -> &[Part] {
        match &self.0 {
            Parts::None => &[],
            Parts::One(part) => std::slice::from_ref(part),
            Parts::Many(parts) => parts,
        }
    }

    fn push(&mut self, part: Part) {
        self.0 = match std::mem::take(&mut self.0) {
            Parts::None => Parts::One(part),
            Parts::One(first) => Parts::Many(vec![first, part]),
            Parts::Many(mut parts) => {
                parts.push(part);
                Parts::Many(parts)
            }
        };
    }
}
