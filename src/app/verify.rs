//! Verifies that patched files are unchanged, and that all dependencies still resolve.

use super::stores::StoreOfTarget;
use super::view::View;
use super::{App, Chosen, Error};
use crate::diagnosis::diagnose::{Diagnosis, diagnose, lacked_alone};
use crate::findings::finding::{Finding, Severity};
use crate::loader::Settings;
use crate::operation::{self, FileState, Kind as Made, Operation, State};
use crate::plan::{Kind, RelativePath};
use crate::python::installer;
use crate::vfs::OsVfs;
use crate::world::{Question, World};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The current state of a target.
#[derive(Debug)]
pub struct Verified {
    /// The objects of the target.
    pub world: World,
    /// The diagnosis.
    pub diagnosis: Diagnosis,
    /// The errors in it.
    pub errors: Vec<Finding>,
    /// Its patched files.
    pub files: Files,
    /// Is there an interrupted operation, which is left alone?
    pub is_interrupted: bool,
}

/// The current state of the patched files of a target.
#[derive(Debug)]
pub struct Files {
    /// They.
    pub all: Vec<FileSeen>,
    /// Is there anything that `fix` would do?
    pub needs_repair: bool,
}

/// The current state of a patched file.
#[derive(Debug)]
pub struct FileSeen {
    /// Its state compared with the records.
    pub file: FileState,
    /// The distribution, with its version, that installed the current file.
    pub installed_by: Option<String>,
    /// Is it changed, but neither reverted nor uninstalled?
    is_other: bool,
}

impl App {
    /// Compares a target with the records of its operations, and diagnoses it.
    ///
    /// # Errors
    /// If it or its store cannot be read, or it holds nothing that can be judged.
    pub fn verify(&self, chosen: &Chosen, settings: &Settings) -> Result<Verified, Error> {
        self.require_interpreter(chosen)?;
        let place = self.place(chosen)?;
        let is_interrupted = self.note_interruption(&place.store)?;
        let mut files = operation::drift(&place.root, &place.store)?;
        files.retain(|file| self.means(chosen, &place, &file.path));
        let view = self.view(&self.vfs, chosen)?;
        let world = self.world(&view, chosen, settings.clone());
        // Patched files that no longer exist were searched for, too.
        let is_first = files.is_empty();
        if is_first {
            self.require_object(chosen, &world)?;
        }
        let mut diagnosis = diagnose(view.vfs(), &world);
        let lacked = self.lacked(&place, &view, &world, &files, &diagnosis.findings)?;
        diagnosis.supersede(lacked);
        view.require_sound()?;
        if is_first {
            self.require_something(chosen, &world, &diagnosis.findings)?;
        }
        let errors = errors(&diagnosis);
        let is_to_do = |finding: &Finding| finding.fixable && finding.severity() != Severity::Info;
        let needs_repair = !errors.is_empty() || diagnosis.findings.iter().any(is_to_do);
        let files = Files { all: seen(&place, files)?, needs_repair };
        Ok(Verified { world, diagnosis, errors, files, is_interrupted })
    }

    /// The findings about unchanged objects that an earlier plan made load. They must be checked in the same
    /// way as when they were reported as repaired.
    fn lacked(
        &self,
        place: &StoreOfTarget,
        view: &View<'_>,
        world: &World,
        files: &[FileState],
        known: &[Finding],
    ) -> Result<Vec<Finding>, Error> {
        let operations = operation::log(&place.store)?;
        let planned = |operation: &&Operation| matches!(operation.kind, Made::Fix | Made::Apply);
        let steps = operations.iter().filter(planned).flat_map(|made| &made.steps);
        let repaired: HashSet<&RelativePath> = steps.map(|step| &step.path).collect();
        let left = files.iter().filter(|file| file.state == State::AsLeft);
        let inside = |file: &FileState| {
            let path = place.root.join(&file.path);
            let path = match self.vfs.root().and_then(|root| path.strip_prefix(root).ok()) {
                Some(inside) => Path::new("/").join(inside),
                None => path,
            };
            world.below_root(view.vfs(), &path)
        };
        let objects: Vec<PathBuf> =
            left.filter(|file| repaired.contains(&file.path)).map(inside).collect();
        Ok(lacked_alone(view.vfs(), world, &Question::default(), &objects, known))
    }
}

/// The errors of a diagnosis.
pub(super) fn errors(diagnosis: &Diagnosis) -> Vec<Finding> {
    let is_error = |finding: &&Finding| finding.severity() == Severity::Error;
    diagnosis.findings.iter().filter(is_error).cloned().collect()
}

/// The state of files, and the installers that changed them.
fn seen(place: &StoreOfTarget, files: Vec<FileState>) -> Result<Vec<FileSeen>, Error> {
    // A file is not checked if all its edits were undone. If a file has its old bytes again without a revert,
    // it was reinstalled.
    let edited = operation::diff(&place.root, &place.store)?;
    let seen = files.into_iter().map(|file| {
        let is_other = match file.state {
            State::Changed(_) | State::Gone | State::Reverted => {
                edited.iter().any(|edit| edit.path == file.path)
            }
            State::AsLeft | State::Uninstalled => false,
        };
        let installed_by = (is_other && file.kind != Kind::Record)
            .then(|| installer::of(&OsVfs::new(), &place.root.join(&file.path)))
            .flatten();
        FileSeen { file, installed_by, is_other }
    });
    Ok(seen.collect())
}

impl FileSeen {
    fn is_record(&self) -> bool {
        self.file.kind == Kind::Record
    }

    fn is(&self, state: &State) -> bool {
        self.file.state == *state
    }
}

impl Verified {
    /// Are all patched files unchanged, and does everything load?
    #[must_use]
    pub fn is_well(&self) -> bool {
        !self.files.is_drift() && self.errors.is_empty()
    }
}

impl Files {
    /// Did an installer replace all changed objects?
    #[must_use]
    pub fn are_installed_anew(&self) -> bool {
        let mut objects = self.all.iter().filter(|seen| seen.is_other && !seen.is_record());
        objects.next().is_some_and(|first| first.installed_by.is_some())
            && objects.all(|seen| seen.installed_by.is_some())
    }

    /// The files that are reported. Rows of RECORDs that an installer wrote are not.
    pub fn others(&self) -> impl Iterator<Item = &FileSeen> {
        let are_anew = self.are_installed_anew();
        self.all.iter().filter(move |seen| seen.is_other && !(are_anew && seen.is_record()))
    }

    /// A reinstalled file counts as drift only while it needs the repair that was lost.
    #[must_use]
    pub fn is_drift(&self) -> bool {
        self.others().any(|seen| seen.installed_by.is_none() || self.needs_repair)
    }

    /// The number of unchanged objects. RECORD rows follow the files that they list, and are not counted
    /// separately.
    #[must_use]
    pub fn left(&self) -> usize {
        self.objects(&State::AsLeft).count()
    }

    /// The changed objects; if there are none, the changed RECORDs.
    pub fn changed(&self) -> impl Iterator<Item = &FileSeen> {
        let is_of_records = self.others().all(FileSeen::is_record);
        self.others().filter(move |seen| is_of_records || !seen.is_record())
    }

    /// The objects that were uninstalled.
    pub fn uninstalled(&self) -> impl Iterator<Item = &FileSeen> {
        self.objects(&State::Uninstalled)
    }

    fn objects<'a>(&'a self, state: &'a State) -> impl Iterator<Item = &'a FileSeen> {
        self.all.iter().filter(move |seen| seen.is(state) && !seen.is_record())
    }
}
