//! What a repair would do, so that a diagnosis promises nothing else.

use super::doctor::{Diagnosed, Doctor};
use super::view::View;
use super::{App, Chosen, Error, Work};
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::finding::Severity;
use crate::findings::refusal::Protected;
use crate::operation;
use crate::plan::RelativePath;
use crate::repair::planner;
use crate::repair::proposal::Proposal;
use crate::world::World;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// What a repair is planned for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A report of what an operation would do.
    Report,
    /// An operation.
    Operation,
}

impl App {
    /// Plans the repair of what a diagnosis calls fixable, counts its files, and marks the findings that it
    /// would refuse. `allow_absolute` is that of the command that would be run.
    ///
    /// # Errors
    /// If the target cannot be read.
    pub fn promise(
        &self,
        chosen: &Chosen,
        how: &Doctor,
        allow_absolute: bool,
        diagnosed: &mut Diagnosed,
    ) -> Result<(), Error> {
        diagnosed.leads_out |= allow_absolute;
        if diagnosed.fixable().next().is_none() {
            return Ok(());
        }
        let work = self.begin(Work::Planning);
        let read = diagnosed.read.take().unwrap_or_else(|| self.vfs.remembering());
        let view = self.view(&read, chosen)?;
        let question = self.question(&view, &how.question)?;
        let allow_absolute = diagnosed.leads_out;
        let mut how = planner::Options { question, allow_absolute, ..Default::default() };
        let Diagnosed { world, diagnosis, files, .. } = diagnosed;
        let proposal = self.propose(&view, world, diagnosis, &mut how, Purpose::Report);
        drop(work);
        *files = proposal.rewrites.len();
        let remaining = proposal.remaining.iter().filter(|finding| !finding.fixable);
        let remaining: HashMap<_, _> =
            remaining.map(|finding| (finding.question(), finding)).collect();
        for finding in &mut diagnosis.findings {
            if !finding.fixable || finding.severity() == Severity::Info {
                continue;
            }
            let left = remaining.get(&finding.question()).copied();
            if let Some(left) = left {
                finding.fixable = false;
                finding.refusal.clone_from(&left.refusal);
            }
        }
        drop(view);
        diagnosed.read = Some(read);
        Ok(())
    }

    /// Plans a repair without the files that may not be edited. If another user could edit all of them, they
    /// stay in the plan of an operation, which is refused: this user cannot repair the target.
    pub(super) fn propose(
        &self,
        view: &View<'_>,
        world: &World,
        diagnosis: &Diagnosis,
        how: &mut planner::Options,
        purpose: Purpose,
    ) -> Proposal {
        loop {
            let proposal = planner::propose(view.vfs(), world, diagnosis, how);
            let protected = self.protected(view, world, &proposal);
            let is_of_others = purpose == Purpose::Operation
                && how.protected.is_empty()
                && protected.len() == proposal.rewrites.len()
                && protected.values().all(Protected::depends_on_user);
            if protected.is_empty() || is_of_others {
                return proposal;
            }
            how.protected.extend(protected);
        }
    }

    /// The files of a plan that may not be edited.
    fn protected(
        &self,
        view: &View<'_>,
        world: &World,
        proposal: &Proposal,
    ) -> BTreeMap<PathBuf, Protected> {
        let Some(store) = self.store(&world.root).ok().filter(|_| view.wheel().is_none()) else {
            return BTreeMap::new();
        };
        let files = proposal.rewrites.keys();
        let files =
            files.filter_map(|file| RelativePath::new(file.strip_prefix(&world.root).ok()?).ok());
        let files: Vec<RelativePath> = files.collect();
        let refused = operation::protected(&self.on_disk(&world.root), &store, &files);
        let refused = refused
            .into_iter()
            .filter_map(|(file, refusal)| Some((world.root.join(&file), protected(refusal)?)));
        refused.collect()
    }
}

/// A refusal that is about one file of a plan, and does not stop the repair of others.
fn protected(refusal: operation::Refusal) -> Option<Protected> {
    Some(match refusal {
        operation::Refusal::SetUserId => Protected::SetUserId,
        operation::Refusal::Verity => Protected::Verity,
        operation::Refusal::Immutable => Protected::Immutable,
        operation::Refusal::NotOwner { owner } => Protected::NotOwner(owner),
        operation::Refusal::OtherOwner { owner, user } => Protected::OtherOwner { owner, user },
        operation::Refusal::OtherGroup { group } => Protected::OtherGroup(group),
        operation::Refusal::Attribute { attribute } => Protected::Attribute(attribute),
        _ => return None,
    })
}
