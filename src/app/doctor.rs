//! Finds out what would not load in a target, and why.

use super::{App, Chosen, Error, Work};
use crate::diagnosis::diagnose::{Diagnosis, diagnose_asked};
use crate::findings::finding::{Finding, Severity};
use crate::loader::Settings;
use crate::vfs::OsVfs;
use crate::world::{Question, World};

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
    /// What was read of the files, which is only freed with the result.
    _files: OsVfs,
}

impl Diagnosed {
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
        let diagnosis = diagnose_asked(view.vfs(), &world, &question);
        view.require_sound()?;
        self.require_something(chosen, &world, &diagnosis.findings)?;
        drop(work);
        let leads_out = fixable(&diagnosis)
            .filter_map(|finding| finding.lies_in.first())
            .any(|directory| !world.contains(view.vfs(), directory));
        drop(view);
        Ok(Diagnosed { world, diagnosis, leads_out, _files: files })
    }
}

fn fixable(diagnosis: &Diagnosis) -> impl Iterator<Item = &Finding> {
    let findings = diagnosis.findings.iter();
    findings.filter(|finding| finding.fixable && finding.severity() != Severity::Info)
}
