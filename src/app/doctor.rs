//! Finds out what would not load in a target, and why.

use super::{App, Chosen, Error, Work};
use crate::diagnosis::diagnose::{Diagnosis, diagnose_asked};
use crate::findings::finding::{Finding, Severity};
use crate::loader::Settings;
use crate::vfs::{OsVfs, Vfs};
use crate::world::{Question, World};
use std::collections::BTreeSet;

/// What to diagnose.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The environment of the loader.
    pub settings: Settings,
    /// The question about the target; the directories of `--search` are as typed.
    pub question: Question,
}

/// A diagnosed target.
#[derive(Debug)]
pub struct Diagnosed {
    /// The objects of the target.
    pub world: World,
    /// The diagnosis.
    pub diagnosis: Diagnosis,
    /// Does a repair need entries for directories outside the target?
    pub leads_out: bool,
    /// The number of files that a repair would edit.
    pub files: usize,
    /// What was read of the files, for a plan. It is only freed with the result.
    pub(super) read: Option<OsVfs>,
}

impl Diagnosed {
    /// Diagnoses what was read.
    pub(super) fn of(vfs: &dyn Vfs, world: World, question: &Question) -> Self {
        let diagnosis = diagnose_asked(vfs, &world, question);
        let leads_out = fixable(&diagnosis)
            .filter_map(|finding| finding.lies_in.first())
            .any(|directory| !world.contains(vfs, directory));
        let files: BTreeSet<_> = fixable(&diagnosis).map(|finding| &finding.object).collect();
        let files = files.len();
        Self { world, diagnosis, leads_out, files, read: None }
    }

    /// The findings that a repair would fix, except those of severity `info`.
    pub fn fixable(&self) -> impl Iterator<Item = &Finding> {
        fixable(&self.diagnosis)
    }
}

impl App {
    /// Diagnoses a target.
    ///
    /// # Errors
    /// If it cannot be read, or holds nothing that can be judged.
    pub fn diagnose(&self, chosen: &Chosen, how: &Doctor) -> Result<Diagnosed, Error> {
        self.require_interpreter(chosen)?;
        let work = self.begin(Work::Reading);
        let files = self.vfs.remembering();
        let view = self.view(&files, chosen)?;
        let python_path = &how.question.surroundings.python_path;
        let world = self.world_importing(&view, chosen, how.settings.clone(), python_path);
        self.require_object(chosen, &world)?;
        let question = self.question(&view, &how.question)?;
        // A diagnosis does not depend on whether the store is readable.
        if let Ok(place) = self.place(chosen) {
            let _ = self.note_interruption(&place.store);
        }
        let diagnosed = Diagnosed::of(view.vfs(), world, &question);
        view.require_sound()?;
        self.require_something(chosen, &diagnosed.world, &diagnosed.diagnosis.findings)?;
        drop(work);
        drop(view);
        Ok(Diagnosed { read: Some(files), ..diagnosed })
    }
}

fn fixable(diagnosis: &Diagnosis) -> impl Iterator<Item = &Finding> {
    let findings = diagnosis.findings.iter();
    findings.filter(|finding| finding.fixable && finding.severity() != Severity::Info)
}
