//! Rewrites a wheel: in place, with a backup, or to another file.

use super::carry_out::{Carrying, Written};
use super::{App, Chosen, Error};
use crate::edit::EditSet;
use crate::operation::{self, Scratch};
use crate::plan::{Kind as FileKind, Lock, Method, Plan, RelativePath, Step};
use crate::python::wheel::{Change, Wheel};
use crate::vfs::Vfs as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Does a path end with a slash, so that only a directory can be meant?
pub(super) fn names_directory(path: &Path) -> bool {
    path.as_os_str().as_bytes().ends_with(b"/")
}

impl App {
    /// The output file for a repaired wheel: the file of `--output`, or one in that directory; `None` to
    /// repair in place.
    ///
    /// # Errors
    /// If it is the wheel itself.
    fn output(&self, how: &Carrying, chosen: &Chosen) -> Result<Option<PathBuf>, Error> {
        let Some(output) = &how.repaired else { return Ok(None) };
        let path = self.ambient()?.working_directory.join(output);
        let is_directory = self.vfs.read_dir(&path).is_ok();
        let file = match chosen.path().file_name() {
            Some(name) if is_directory => path.join(name),
            _ => path,
        };
        let same = |path: &Path| self.vfs.metadata(path).ok().map(|found| found.id);
        if same(&file).is_some_and(|id| Some(id) == same(chosen.path())) {
            return Err(Error::OutputIsTheWheel(output.clone()));
        }
        Ok(Some(file))
    }

    /// Fails if `--output` names one file for several wheels, or neither a directory nor a wheel, or if a
    /// target is not a wheel.
    ///
    /// # Errors
    /// If it does.
    pub fn check_output(&self, output: Option<&Path>, targets: &[Chosen]) -> Result<(), Error> {
        let Some(output) = output else { return Ok(()) };
        if let Some(other) = targets.iter().find(|chosen| !chosen.is_wheel()) {
            return Err(Error::OutputOfNoWheel(other.path().to_owned()));
        }
        let path = self.ambient()?.working_directory.join(output);
        if targets.len() > 1 && self.vfs.read_dir(&path).is_err() {
            return Err(Error::OutputOfSeveral(output.to_owned()));
        }
        // Installers accept a wheel by its name alone.
        let is_named_like_one =
            path.extension().is_some_and(|it| it == "whl") && !names_directory(output);
        if !is_named_like_one && self.vfs.read_dir(&path).is_err() {
            return Err(Error::NoOutput { output: output.to_owned(), is_for_wheel: true });
        }
        Ok(())
    }

    /// Carries out a plan whose paths are members of the wheel.
    ///
    /// # Errors
    /// If a member is damaged, or the wheel cannot be written.
    pub(super) fn repack(
        &self,
        how: &Carrying,
        chosen: &Chosen,
        wheel: &Wheel<'_>,
        plan: &Plan,
    ) -> Result<Written, Error> {
        let failed = |error| Error::about(wheel.path(), error);
        let output = self.output(how, chosen)?;
        if !plan.steps.is_empty() {
            wheel.require_unsigned().map_err(failed)?;
        }
        let new = output.as_deref().unwrap_or(wheel.path());
        let parent = self.on_disk(new.parent().unwrap_or(new));
        if plan.steps.is_empty() && output.is_none() {
            return Ok(Written::Not);
        }
        operation::require_writable(&parent)?;
        if how.dry_run {
            return Ok(Written::Not);
        }
        let paths: Vec<PathBuf> =
            plan.steps.iter().map(|step| wheel.path().join(&step.path)).collect();
        let changes: Vec<Change<'_>> = paths
            .iter()
            .zip(&plan.steps)
            .map(|(path, step)| Change { path, edits: &step.edits })
            .collect();
        let mut scratch = Scratch::in_directory(&parent)?;
        let mut edits = match changes.as_slice() {
            [] => EditSet::none(self.vfs.open(wheel.path())?.len()),
            changes => wheel.repack(changes, &mut scratch).map_err(failed)?,
        };
        edits.keep_in(&scratch.into_source()?);
        let sync = how.sync;
        if let Some(output) = output {
            let name = output.file_name().unwrap_or_default();
            let old = self.on_disk(wheel.path());
            operation::write_elsewhere(&old, &edits, &parent.join(name), sync)?;
            return Ok(Written::To(output));
        }
        let step = self.repacked(wheel, plan, edits)?;
        let store = self.store(chosen.root())?;
        let writing = self.writing(sync, how.write, false);
        let applied =
            operation::apply(&parent, &store, &Plan::new(vec![step]), how.kind, &writing)?;
        Ok(applied.map_or(Written::Not, |operation| Written::InPlace(operation.id)))
    }

    /// The step that rewrites the wheel. Its lock covers the whole file, so that it fits no other wheel.
    fn repacked(&self, wheel: &Wheel<'_>, plan: &Plan, edits: EditSet) -> Result<Step, Error> {
        let source = self.vfs.open(wheel.path())?;
        let whole = 0..source.len();
        let (lock, left) = Lock::of_step(source.as_ref(), &edits, std::slice::from_ref(&whole))?;
        let entries = |entries: fn(&Step) -> &Vec<String>| -> Vec<String> {
            let lines = |step: &Step| -> Vec<String> {
                entries(step).iter().map(|entry| format!("{}: {entry}", step.path)).collect()
            };
            plan.steps.iter().flat_map(lines).collect()
        };
        let members = plan.steps.iter().filter(|step| step.kind != FileKind::Record).count();
        let name = wheel.path().file_name().unwrap_or_default();
        Ok(Step {
            path: RelativePath::new(Path::new(name))?,
            aliases: Vec::new(),
            kind: FileKind::Wheel,
            before: entries(|step| &step.before),
            after: entries(|step| &step.after),
            fields: Vec::new(),
            method: Method::Repacked,
            reason: format!("search paths of {members} members"),
            edits,
            lock,
            left,
            replace: true,
            unopened: false,
            seen: None,
        })
    }
}
