//! Repairs a target: diagnoses it, makes a plan, proves it, and carries it out with a backup.

use super::carry_out::{Carried, Carrying, Subject};
use super::promise::Purpose;
use super::{App, Chosen, Error, Work};
use crate::diagnosis::diagnose::{Diagnosis, diagnose_asked};
use crate::elf::search_path::RpathKind;
use crate::findings::finding::{Cause, Finding};
use crate::loader::Settings;
use crate::repair::plan_builder;
use crate::repair::planner;
use crate::repair::trace_scope::Scope;
use crate::vfs::Vfs;
use crate::world::{Question, World};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// What to repair, and how.
#[derive(Debug, Clone)]
pub struct Fix {
    /// The environment of the loader.
    pub settings: Settings,
    /// The question about the target; the directories of `--search` are as typed.
    pub question: Question,
    /// How to make the plan.
    pub planning: Planning,
    /// How to carry it out.
    pub carrying: Carrying,
}

/// How to make a plan.
#[derive(Debug, Clone, Copy)]
pub struct Planning {
    /// May new entries be for directories outside the target?
    pub allow_absolute: bool,
    /// The new tag of search paths, if it is to change.
    pub kind: Option<RpathKind>,
    /// Are rows of RECORDs updated?
    pub update_records: bool,
    /// Is the executable stack of every reported object cleared, even if its code may need it?
    pub gives_up_stacks: bool,
}

/// Adds further observations to a diagnosis, and returns their scope.
pub(super) type Beside<'b> =
    dyn FnMut(&dyn Vfs, &World, &Question, &mut Diagnosis) -> Option<Scope> + 'b;

/// A target that was repaired, or would be.
#[derive(Debug)]
pub struct Fixed {
    /// The objects of the target.
    pub world: World,
    /// The repair.
    pub repaired: Repaired,
}

/// A repair that was carried out, or would be.
#[derive(Debug)]
pub struct Repaired {
    /// The plan and its result.
    pub carried: Carried,
    /// The findings that remain.
    pub remaining: Vec<Finding>,
    /// Variables of the loader that the repaired files no longer need.
    pub unneeded: Vec<&'static str>,
    /// RECORDs outside the target, which keep the old hashes of edited files.
    pub records_left: BTreeSet<PathBuf>,
}

impl App {
    /// Repairs a target.
    ///
    /// # Errors
    /// If it cannot be read or written, or holds nothing that can be judged.
    pub fn fix(&self, chosen: &Chosen, how: &Fix) -> Result<Fixed, Error> {
        self.fix_beside(chosen, how, &mut |_, _, _, _| None)
    }

    /// Repairs a target, including what `beside` adds to its diagnosis, and returns the scope of that
    /// addition.
    ///
    /// # Errors
    /// As for [`App::fix`].
    pub(super) fn fix_beside(
        &self,
        chosen: &Chosen,
        how: &Fix,
        beside: &mut Beside<'_>,
    ) -> Result<Fixed, Error> {
        self.require_interpreter(chosen)?;
        self.until_settled(chosen.root(), how.carrying.dry_run, || {
            let work = self.begin(Work::Reading);
            let files = self.vfs.remembering();
            let view = self.view(&files, chosen)?;
            let python_path = &how.question.surroundings.python_path;
            let world = self.world_importing(&view, chosen, how.settings.clone(), python_path);
            self.require_object(chosen, &world)?;
            let question = self.question(&view, &how.question)?;
            let mut diagnosis = diagnose_asked(view.vfs(), &world, &question);
            view.require_sound()?;
            self.require_something(chosen, &world, &diagnosis.findings)?;
            let scope = beside(view.vfs(), &world, &question, &mut diagnosis);
            drop(work);
            let subject = Subject { chosen, view: &view, world: &world };
            let repaired =
                self.repair(subject, question, &diagnosis, how.planning, &how.carrying, scope)?;
            Ok(Fixed { world, repaired })
        })
    }

    /// Makes a plan for the findings, or only for those in `scope`, proves it, and carries it out.
    ///
    /// # Errors
    /// If the target cannot be read or written.
    pub fn repair(
        &self,
        subject: Subject<'_>,
        question: Question,
        diagnosis: &Diagnosis,
        planning: Planning,
        carrying: &Carrying,
        scope: Option<Scope>,
    ) -> Result<Repaired, Error> {
        let Subject { view, world, .. } = subject;
        let work = self.begin(Work::Planning);
        let Planning { allow_absolute, kind, update_records, gives_up_stacks } = planning;
        let protected = BTreeMap::new();
        let mut how =
            planner::Options { question, allow_absolute, kind, gives_up_stacks, scope, protected };
        let proposal = self.propose(view, world, diagnosis, &mut how, Purpose::Operation);
        let planned = plan_builder::plan(view.vfs(), world, &proposal, update_records);
        // If a member is damaged, that is the reason for all other errors.
        view.require_sound()?;
        self.require_read(subject.chosen)?;
        let plan = planned?;
        let records_left = match update_records {
            true => plan_builder::records_outside(view.vfs(), world, &plan),
            false => BTreeSet::new(),
        };
        drop(work);
        let unneeded = if proposal.cured.iter().any(|finding| finding.cause == Cause::EnvOverride) {
            world.settings.variables_beside(&world.settings.without_variables())
        } else {
            Vec::new()
        };
        let carried = self.carry_out(subject, plan, carrying)?;
        Ok(Repaired { carried, remaining: proposal.remaining, unneeded, records_left })
    }
}
