//! What is diagnosed: the tree, its inventory, and the programs that load its objects.

use super::finding::{Cause, Finding};
use super::inventory::{self, Inventory, Object, Role};
use super::tensorflow;
use crate::loader::{Loader, Resolution, Settings, System, Target as Machine};
use crate::python::distribution;
use crate::python::environment::Environment;
use crate::python::record::Owners;
use crate::vfs::Vfs;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A target with all that was read of it.
#[derive(Debug)]
pub struct World {
    /// The directory that paths are shown relative to, and below which everything is written.
    pub root: PathBuf,
    /// The Python environment, where the target is one.
    pub environment: Option<Environment>,
    /// Its objects and distributions.
    pub inventory: Inventory,
    /// Objects that were named outright: also what is only worth knowing is repaired there.
    pub named: Vec<PathBuf>,
    /// Directories of `--search`, in order.
    pub search: Vec<PathBuf>,
    /// The loader's environment.
    pub settings: Settings,
}

impl World {
    /// Reads an environment: everything below its prefix, or, for the interpreter of a system, the
    /// directories that it imports from.
    #[must_use]
    pub fn of_environment(vfs: &dyn Vfs, environment: Environment, settings: Settings) -> Self {
        let roots = environment.roots();
        let root = environment.prefix.clone();
        let mut inventory = Inventory::of(vfs, &roots);
        for site in &environment.site_packages {
            let (distributions, problems) = distribution::distributions(vfs, site);
            inventory.distributions.extend(distributions);
            inventory.add_problems(problems);
        }
        let environment = Some(environment);
        let mut world =
            Self { root, environment, inventory, named: Vec::new(), search: Vec::new(), settings };
        world.find_owners(vfs);
        world
    }

    /// Does an interpreter import what lies here?
    #[must_use]
    pub fn has_interpreter(&self) -> bool {
        self.environment.as_ref().is_some_and(|environment| !environment.interpreters.is_empty())
    }

    /// A path as it is shown: relative to the root, or to `site-packages` where it lies there.
    #[must_use]
    pub fn shown(&self, path: &Path) -> String {
        let sites = self.environment.iter().flat_map(|environment| &environment.site_packages);
        let relative = sites
            .filter_map(|site| path.strip_prefix(site).ok())
            .next()
            .or_else(|| path.strip_prefix(&self.root).ok());
        match relative {
            Some(relative) if relative.as_os_str().is_empty() => ".".to_owned(),
            Some(relative) => relative.display().to_string(),
            None => path.display().to_string(),
        }
    }

    /// Was the object named on the command line?
    #[must_use]
    pub fn is_named(&self, object: &Path) -> bool {
        self.named.iter().any(|named| named == object)
    }

    /// Does a path lie below the directories of the target, links resolved?
    #[must_use]
    pub fn contains(&self, vfs: &dyn Vfs, path: &Path) -> bool {
        let Ok(real) = vfs.canonicalize(path) else { return false };
        self.inventory
            .roots
            .iter()
            .filter_map(|root| vfs.canonicalize(root).ok())
            .any(|root| real.starts_with(root))
    }

    /// May an object be edited? Only what the walk of the target found is ever written.
    #[must_use]
    pub fn may_edit(&self, object: &Path) -> bool {
        self.inventory.at(object).is_some()
    }

    /// All names in the target of the file that an object is.
    #[must_use]
    pub fn names_of(&self, object: &Path) -> Vec<PathBuf> {
        let Some(id) = self.inventory.at(object).map(|object| object.id) else {
            return vec![object.to_owned()];
        };
        let same = self.inventory.objects.iter().filter(|other| other.id == id);
        same.map(|other| other.path.clone()).collect()
    }

    /// The cause that is known of a library by its name alone.
    #[must_use]
    pub fn known_cause(&self, library: &[u8]) -> Option<Cause> {
        tensorflow::is_driver_library(library).then_some(Cause::DriverMissing)
    }

    /// Interpreters that the environment names and that are gone.
    pub fn interpreter_findings(&self) -> impl Iterator<Item = Finding> {
        let environment = self.environment.iter();
        environment.flat_map(|environment| &environment.broken).map(|broken| Finding {
            cause: Cause::WrongInterpreter,
            object: broken.path.clone(),
            library: None,
            fixable: false,
            message: format!("{} {}", self.shown(&broken.path), broken.why),
            cure: "make the environment anew, and install into it again".to_owned(),
            lies_in: Vec::new(),
            tried: Vec::new(),
        })
    }

    fn find_owners(&mut self, vfs: &dyn Vfs) {
        let owners = Owners::new(vfs, &self.inventory.distributions);
        for object in &mut self.inventory.objects {
            object.distribution = owners.distribution_of(&object.path);
        }
    }
}

/// A program that loads objects of the target: an interpreter with its loader, or, in a tree
/// without one, the loader alone.
pub struct Program<'a> {
    /// The loader of its system.
    pub loader: Loader<'a>,
    /// What is loaded when the program has started; `None` without a program.
    pub main: Option<Resolution>,
    /// What it can load.
    machine: Machine,
    /// The version of Python, as it stands in the names of directories and extension modules.
    version: Option<(u8, u8)>,
}

impl<'a> Program<'a> {
    /// The programs of a target: its interpreters, else one loader for each machine that its
    /// objects are for.
    #[must_use]
    pub fn all(vfs: &'a dyn Vfs, world: &World) -> Vec<Self> {
        let mut programs: Vec<Self> = Vec::new();
        for interpreter in world.environment.iter().flat_map(|found| &found.interpreters) {
            let Some(summary) = inventory::summary_of(vfs, &interpreter.program) else {
                continue;
            };
            let system = System::read(vfs, &summary);
            let machine = system.target;
            let loader = Loader::new(vfs, system, world.settings.clone());
            let main = Some(loader.program(&interpreter.program));
            programs.push(Self { loader, main, machine, version: Some(interpreter.version) });
        }
        if programs.is_empty() {
            for object in &world.inventory.objects {
                let machine = Machine::of(&object.summary);
                if programs.iter().all(|program| program.machine != machine) {
                    let system = System::read(vfs, &object.summary);
                    let loader = Loader::new(vfs, system, world.settings.clone());
                    programs.push(Self { loader, main: None, machine, version: None });
                }
            }
        }
        programs
    }

    /// What the loader does when the program loads an object of the target: a program is started,
    /// everything else is opened by its path, as an import does.
    #[must_use]
    pub fn load(&self, object: &Object) -> Resolution {
        match (object.role, &self.main) {
            (Role::Executable, _) | (_, None) => self.loader.program(&object.path),
            (_, Some(main)) => self.loader.dlopen(&[main], &object.path),
        }
    }

    /// The files behind the paths by which objects were found.
    #[must_use]
    pub fn files<'b>(&'b self, resolution: &'b Resolution) -> HashMap<&'b Path, &'b Path> {
        let main = self.main.iter().flat_map(|main| &main.objects);
        let objects = main.chain(&resolution.objects);
        objects.map(|object| (object.path.as_path(), object.real.as_path())).collect()
    }

    /// Can the program load an object at all: is it for its machine?
    #[must_use]
    pub fn fits(&self, object: &Object) -> bool {
        Machine::of(&object.summary) == self.machine
    }

    /// Would the program load the object: is it for its machine, and, where the object's path names
    /// a version of Python, for this one?
    #[must_use]
    pub fn runs(&self, object: &Object) -> bool {
        self.fits(object)
            && self.version.is_none_or(|version| {
                version_in(&object.path).is_none_or(|named| named == version)
            })
    }
}

/// The version of Python that a path names: `pythonX.Y` as a directory of it, or `cpython-XY` in the
/// name of an extension module (PEP 3149).
fn version_in(path: &Path) -> Option<(u8, u8)> {
    let name = path.file_name()?.to_string_lossy();
    if let Some((_, tag)) = name.split_once(".cpython-") {
        let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
        let (major, minor) = digits.split_at_checked(1)?;
        return Some((major.parse().ok()?, minor.parse().ok()?));
    }
    path.iter().find_map(|part| {
        let (major, minor) = part.to_str()?.strip_prefix("python")?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_may_name_a_version_of_python() {
        let version = |path: &str| version_in(Path::new(path));
        assert_eq!(version("/e/x.cpython-311-x86_64-linux-gnu.so"), Some((3, 11)));
        assert_eq!(version("/e/lib/python3.9/site-packages/x.abi3.so"), Some((3, 9)));
        assert_eq!(version("/usr/lib/python3/dist-packages/x.so"), None);
        assert_eq!(version("/e/x.cpython-311d-x86_64-linux-gnu.so"), Some((3, 11)));
    }
}
