//! Checks that a target contains something to check. Otherwise a command would report success for an empty
//! target.

use super::error::Instead;
use super::{App, Chosen, Error};
use crate::findings::finding::{Finding, Severity};
use crate::python::broken::Broken;
use crate::python::environment::Environment;
use crate::python::target::Target;
use crate::python::venv;
use crate::vfs::Vfs as _;
use crate::world::World;
use crate::world::linked_directories;
use std::path::{Path, PathBuf};

impl App {
    /// Checks that the environment of a target has an interpreter, if it should have one.
    ///
    /// # Errors
    /// If it is an environment of Windows, or its interpreter is missing.
    pub fn require_interpreter(&self, chosen: &Chosen) -> Result<(), Error> {
        let Some(environment) = environment_of(chosen) else { return Ok(()) };
        let prefix = self.shown(&environment.prefix);
        match Broken::of(&self.vfs, environment, &prefix) {
            Some(broken) => Err(broken.into()),
            None => Ok(()),
        }
    }

    /// Checks that the target contains something to check. A reported error is enough.
    ///
    /// # Errors
    /// If the target holds neither a shared object nor a program.
    pub fn require_something(
        &self,
        chosen: &Chosen,
        world: &World,
        findings: &[Finding],
    ) -> Result<(), Error> {
        // In an installation of Python, only the packages are examined.
        let interpreters = world.environment.iter().flat_map(|found| &found.interpreters);
        let has_interpreter = matches!(chosen.target, Target::Environment(_))
            && interpreters.into_iter().any(|interpreter| interpreter.main_program().is_some());
        let is_error = |finding: &Finding| finding.severity() == Severity::Error;
        if has_interpreter || world.meant() > 0 || findings.iter().any(is_error) {
            return Ok(());
        }
        let path = match (&chosen.target, &chosen.named) {
            (Target::Distribution { .. }, Some(named)) => named,
            _ => chosen.path(),
        };
        let linked = linked_directories::places(world.not_followed());
        let instead = match (self.environment_below(path), linked.first()) {
            (Some(prefix), _) => Instead::Environment(self.shown(&prefix)),
            (None, Some(directory)) => Instead::Linked(directory.to_path_buf()),
            (None, None) => Instead::Unknown,
        };
        Err(Error::NothingToJudge { target: self.shown(path), instead })
    }

    /// A path as shown to users. A path in the root of another system is not shortened.
    fn shown(&self, path: &Path) -> PathBuf {
        match self.vfs.root() {
            None => self.relative(path),
            Some(_) => path.to_owned(),
        }
    }

    /// A virtual environment inside a directory, which the walk through the directory skips.
    fn environment_below(&self, directory: &Path) -> Option<PathBuf> {
        let entries = self.vfs.read_dir(directory).ok()?;
        let mut paths = entries.into_iter().map(|entry| directory.join(entry.name));
        paths.find(|path| venv::is_venv(&self.vfs, path))
    }
}

/// The environment that imports the content of a target. A single file may belong to any environment.
fn environment_of(chosen: &Chosen) -> Option<&Environment> {
    match &chosen.target {
        Target::Environment(environment) | Target::Distribution { environment, .. } => {
            Some(environment)
        }
        Target::SitePackages { environment, .. } => {
            chosen.environment.as_ref().or(environment.as_ref())
        }
        Target::Directory(_) => chosen.environment.as_ref(),
        Target::File(_) | Target::Wheel(_) => None,
    }
}
