//! Applies a plan that was made elsewhere.

use super::carry_out::{Carrying, Subject};
use super::fix::{Fixed, Repaired};
use super::{App, Chosen, Error, Work};
use crate::loader::Settings;
use crate::plan::Plan;
use crate::repair::foreign_plan::{Received, receive};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A plan and how to carry it out.
#[derive(Debug)]
pub struct Apply {
    /// The plan.
    pub plan: Plan,
    /// The file that it was read from.
    pub file: PathBuf,
    /// The loader's environment.
    pub settings: Settings,
    /// May new entries be for directories outside the target?
    pub allow_absolute: bool,
    /// How it is carried out.
    pub carrying: Carrying,
}

impl App {
    /// Carries out a plan on a target.
    ///
    /// # Errors
    /// If the target cannot be read, the plan does not fit, or a file cannot be written.
    pub fn apply(&self, chosen: &Chosen, how: &Apply) -> Result<Fixed, Error> {
        self.until_settled(chosen.root(), how.carrying.dry_run, || {
            let view = self.view(&self.vfs, chosen)?;
            let world = self.world(&view, chosen, how.settings.clone());
            self.require_object(chosen, &world)?;
            let work = self.begin(Work::Comparing);
            let received = receive(view.vfs(), &world, &how.plan, how.allow_absolute);
            view.require_sound()?;
            drop(work);
            let Received { plan, remaining } =
                received.map_err(|misfits| Error::PlanDoesNotFit {
                    plan: how.file.clone(),
                    target: chosen.path().to_owned(),
                    misfits,
                })?;
            let subject = Subject { chosen, view: &view, world: &world };
            let carried = self.carry_out(subject, plan, &how.carrying)?;
            let repaired = Repaired {
                carried,
                remaining,
                unneeded: Vec::new(),
                records_left: BTreeSet::new(),
            };
            Ok(Fixed { world, repaired })
        })
    }
}
