//! Doctor: what would not load in a target, and why.

use super::{App, Chosen, Error, Work};
use crate::diagnosis::diagnose::{Diagnosis, diagnose_asked};
use crate::findings::finding::{Finding, Severity};
use crate::loader::Settings;
use crate::world::{Question, World};

/// What is asked of a target.
#[derive(Debug, Clone)]
pub struct Doctor {
    /// The loader's environment.
    pub settings: Settings,
    /// What is asked of the target; the directories of the search as they were named.
    pub question: Question,
}

/// A target that was diagnosed.
#[derive(Debug)]
pub struct Diagnosed {
    /// What was read of it.
    pub world: World,
    /// What is the matter with it.
    pub diagnosis: Diagnosis,
    /// Does a repair need entries that lead out of it?
    pub leads_out: bool,
}

impl Diagnosed {
    /// What a repair would cure that is more than worth knowing.
    pub fn fixable(&self) -> impl Iterator<Item = &Finding> {
        fixable(&self.diagnosis)
    }
}

impl App {
    /// Diagnoses a target.
    ///
    /// # Errors
    /// Where it cannot be read, or holds nothing that can be judged.
    pub fn diagnose(&self, chosen: &Chosen, how: &Doctor) -> Result<Diagnosed, Error> {
        self.require_interpreter(chosen)?;
        let work = self.begin(Work::Reading);
        let files = self.vfs.remembering();
        let view = self.view(&files, chosen)?;
        let python_path = &how.question.surroundings.python_path;
        let world = self.world_importing(&view, chosen, how.settings.clone(), python_path);
        self.require_object(chosen, &world)?;
        let question = self.question(&view, &how.question)?;
        // Whether a store can be read is not a question of a diagnosis.
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
        Ok(Diagnosed { world, diagnosis, leads_out })
    }
}

fn fixable(diagnosis: &Diagnosis) -> impl Iterator<Item = &Finding> {
    let findings = diagnosis.findings.iter();
    findings.filter(|finding| finding.fixable && finding.severity() != Severity::Info)
}
