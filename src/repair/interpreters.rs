//! Is the environment that was looked at the one that runs, and does it stand where it was made?
//!
//! The rules are those of CPython's `Modules/getpath.py` and `Lib/site.py`, and of the scripts that
//! venv, virtualenv, uv and pip write.

use super::diagnose::fault;
use super::finding::{Cause, Finding};
use super::target::{World, shown};
use crate::python::discovery;
use crate::python::distribution::Distribution;
use crate::python::environment::{Environment, Kind, Scope, same_file};
use crate::python::interpreter::{Interpreter, Program};
use crate::python::venv::{self, PyvenvCfg, Script};
use crate::vfs::Vfs;
use std::path::Path;

const ANEW: &str = "make the environment anew, and install into it again";

/// What is wrong with the interpreters of the target, and with the environment around them.
#[must_use]
pub fn findings(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let Some(environment) = &world.environment else { return Vec::new() };
    let own = Own { vfs, world, environment };
    let mut found = own.broken();
    if found.is_empty() {
        found.extend(own.home_gone());
        found.extend(own.moved());
    }
    found.extend(own.inactive());
    found.extend(own.behind_the_user_site());
    found
}

struct Own<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    environment: &'a Environment,
}

impl Own<'_> {
    /// Interpreters that the environment names and that are gone, may not be read, or have become
    /// those of another version.
    fn broken(&self) -> Vec<Finding> {
        if let Some(finding) = self.another_version() {
            return vec![finding];
        }
        let interpreters = self.environment.interpreters.iter();
        interpreters.filter_map(|interpreter| self.gone(interpreter)).collect()
    }

    fn gone(&self, interpreter: &Interpreter) -> Option<Finding> {
        let (cause, wanted, what, cure) = match &interpreter.program {
            Program::Missing { wanted } => (Cause::WrongInterpreter, wanted, "is gone", ANEW),
            Program::Closed { wanted } => {
                let cure = "run tfpatch as a user who may read it";
                (Cause::Unreadable, wanted, "may not be read", cure)
            }
            Program::Found(_) | Program::Other(_) => return None,
        };
        let path = self.world.shown(&interpreter.path);
        let message = format!("{path} leads to {}, which {what}", shown(wanted));
        Some(fault(cause, &interpreter.path, message, cure))
    }

    /// The interpreter behind `bin/python`, where it is none of the version that the packages of a
    /// virtual environment are for: the base was upgraded in its place.
    fn another_version(&self) -> Option<Finding> {
        let prefix = &self.environment.prefix;
        let made_for = PyvenvCfg::of(self.vfs, prefix)?.version?;
        let runs = venv::version_that_runs(self.vfs, prefix)?;
        if (runs.major, runs.minor) == (made_for.major, made_for.minor) {
            return None;
        }
        let message = format!(
            "bin/python has become Python {runs}, and the environment was made for {made_for}: \
             nothing in lib/python{made_for} is imported"
        );
        Some(fault(Cause::WrongInterpreter, &prefix.join("bin/python"), message, ANEW))
    }

    /// The directory of the base interpreter, where it is gone: the interpreter finds its library by
    /// luck, if at all.
    fn home_gone(&self) -> Option<Finding> {
        let prefix = &self.environment.prefix;
        let home = PyvenvCfg::of(self.vfs, prefix)?.home?;
        if venv::holds_interpreter(self.vfs, &home) {
            return None;
        }
        let message = format!(
            "pyvenv.cfg says that the base interpreter lies in {}, and none does",
            shown(&home)
        );
        Some(fault(Cause::WrongInterpreter, &prefix.join("pyvenv.cfg"), message, ANEW))
    }

    /// A virtual environment that was moved or copied to where it is: its programs and `activate`
    /// name the place where it was made.
    fn moved(&self) -> Option<Finding> {
        let (vfs, prefix) = (self.vfs, &self.environment.prefix);
        if self.environment.kind != Kind::Venv {
            return None;
        }
        let bin = prefix.join("bin");
        let scripts: Vec<Script> = venv::scripts(vfs, prefix)
            .into_iter()
            .filter(|script| {
                let directory = script.interpreter.parent().unwrap_or(&script.interpreter);
                !same_file(vfs, directory, &bin)
            })
            // A script for the system's interpreter is none that an installer wrote for this one.
            .filter(|script| {
                vfs.metadata(&script.interpreter).is_err()
                    || script.prefix().is_some_and(|other| venv::is_venv(vfs, other))
            })
            .collect();
        let activated = venv::activated_prefix(vfs, prefix)
            .filter(|activated| !same_file(vfs, activated, prefix));
        let from = activated.clone().or_else(|| Some(scripts.first()?.prefix()?.to_owned()))?;
        let what = if venv::is_venv(vfs, &from) { "is a copy of" } else { "was moved from" };
        let mut consequences = Vec::new();
        if let Some(first) = scripts.first() {
            let programs = match scripts.len() {
                1 => "1 program".to_owned(),
                many => format!("{many} programs"),
            };
            let interpreter = shown(&first.interpreter);
            consequences.push(format!("{programs} in bin would be run by {interpreter}"));
        }
        if activated.is_some() {
            consequences.push(format!("bin/activate makes {} the active one", shown(&from)));
        }
        let message =
            format!("the environment {what} {}: {}", shown(&from), consequences.join(", and "));
        let cure = "make it anew in its place; until then call bin/python -m PROGRAM";
        Some(fault(Cause::WrongInterpreter, &bin, message, cure))
    }

    /// The environment that `VIRTUAL_ENV` names, where another's python comes first on `PATH`.
    fn inactive(&self) -> Option<Finding> {
        let (vfs, surroundings) = (self.vfs, &self.world.surroundings);
        let prefix = &self.environment.prefix;
        let active = surroundings.virtual_env.as_ref()?;
        if !same_file(vfs, active, prefix) {
            return None;
        }
        let found = discovery::on_path(vfs, surroundings).ok()?;
        let is_certain = found.passed_over.iter().all(discovery::PassedOver::is_of_a_tool);
        if !is_certain || same_file(vfs, &found.environment.prefix, prefix) {
            return None;
        }
        let runs = found.environment.interpreters.first().map(|interpreter| &interpreter.path);
        let message = format!(
            "VIRTUAL_ENV names {}, and the python3 on PATH is {}",
            shown(active),
            shown(runs.unwrap_or(&found.environment.prefix))
        );
        let cure = format!("source {}/bin/activate, or call its bin/python", shown(prefix));
        Some(fault(Cause::WrongInterpreter, prefix, message, &cure))
    }

    /// Distributions of a conda environment in whose stead those of the user site are imported,
    /// which stands before the environment's own directory.
    fn behind_the_user_site(&self) -> Option<Finding> {
        if self.environment.kind != Kind::Conda {
            return None;
        }
        let sites = |scope: Scope| {
            let all = self.environment.site_packages.iter();
            all.filter(move |site| site.scope == scope).map(|site| site.path.as_path())
        };
        let user = sites(Scope::User).next()?;
        let own: Vec<&Path> = sites(Scope::Own).collect();
        let distributions = &self.world.inventory.distributions;
        let users = distributions.iter().filter(|it| it.site == user);
        let owns = distributions.iter().filter(|it| own.contains(&it.site.as_path()));
        let shadowed = shadowed(users, &owns.collect::<Vec<_>>());
        let first = shadowed.first()?;
        let message = format!(
            "{first} of this environment, since the user site {} comes first{}",
            shown(user),
            others(shadowed.len())
        );
        let cure = "set PYTHONNOUSERSITE=1, or uninstall it there";
        Some(fault(Cause::WrongInterpreter, user, message, cure))
    }
}

/// The distributions that come `first` and have the name, but not the version, of one of `second`:
/// the beginning of a sentence for each.
pub(super) fn shadowed<'a>(
    first: impl Iterator<Item = &'a Distribution>,
    second: &[&Distribution],
) -> Vec<String> {
    first
        .filter_map(|one| {
            let other = second
                .iter()
                .find(|it| it.normalized == one.normalized && it.version != one.version)?;
            let (name, version) = (&one.name, &one.version);
            Some(format!("{name} {version} is imported, and not the {}", other.version))
        })
        .collect()
}

/// How many more there are than the one that was named.
pub(super) fn others(count: usize) -> String {
    match count.saturating_sub(1) {
        0 => String::new(),
        1 => "; so is 1 other package".to_owned(),
        more => format!("; so are {more} other packages"),
    }
}
