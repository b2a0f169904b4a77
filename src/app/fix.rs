//! Fix: diagnose, plan, prove, and carry the plan out with a backup.

use super::carry_out::{Carried, Carrying, Subject};
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
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What is to be repaired, and how.
#[derive(Debug, Clone)]
pub struct Fix {
    /// The loader's environment.
    pub settings: Settings,
    /// What is asked of the target; the directories of the search as they were named.
    pub question: Question,
    /// How it is planned.
    pub planning: Planning,
    /// How the plan is carried out.
    pub carrying: Carrying,
}

/// How a repair is planned.
#[derive(Debug, Clone, Copy)]
pub struct Planning {
    /// May entries lead out of the target?
    pub allow_absolute: bool,
    /// The tag that search paths are to have, where it is not the one that they have.
    pub kind: Option<RpathKind>,
    /// Are the rows of RECORD brought up to date?
    pub update_records: bool,
    /// Is every executable stack given up, whatever its object needs?
    pub gives_up_stacks: bool,
}

/// Adds to a diagnosis what was seen besides, and tells the scope of that.
pub(super) type Beside<'b> =
    dyn FnMut(&dyn Vfs, &World, &Question, &mut Diagnosis) -> Option<Scope> + 'b;

/// A target that was repaired, or would be.
#[derive(Debug)]
pub struct Fixed {
    /// What was read of it.
    pub world: World,
    /// What was done.
    pub repaired: Repaired,
}

/// A repair that was carried out, or would be.
#[derive(Debug)]
pub struct Repaired {
    /// The plan, and what became of it.
    pub carried: Carried,
    /// What it does not cure.
    pub remaining: Vec<Finding>,
    /// Variables of the loader that what is repaired needs no more.
    pub unneeded: Vec<&'static str>,
    /// RECORDs outside of the target, which keep the hashes of edited files as they were.
    pub records_left: BTreeSet<PathBuf>,
}

impl App {
    /// Repairs a target.
    ///
    /// # Errors
    /// Where it cannot be read or written, or holds nothing that can be judged.
    pub fn fix(&self, chosen: &Chosen, how: &Fix) -> Result<Fixed, Error> {
        self.fix_beside(chosen, how, &mut |_, _, _, _| None)
    }

    /// Repairs a target, and what `beside` adds to its diagnosis: the scope of that is returned.
    ///
    /// # Errors
    /// As [`App::fix`].
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

    /// Plans the repair of what a diagnosis found, or of `scope` alone, proves it, and carries it out.
    ///
    /// # Errors
    /// Where the target cannot be read or written.
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
        let how = planner::Options { question, allow_absolute, kind, gives_up_stacks, scope };
        let proposal = planner::propose(view.vfs(), world, diagnosis, &how);
        let planned = plan_builder::plan(view.vfs(), world, &proposal, update_records);
        // A damaged member is the reason for whatever else went wrong.
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
