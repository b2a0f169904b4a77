//! The programs that load the objects of a target: interpreters with their loaders, or loaders alone.

use super::World;
use super::inventory::{self, Object, Role};
use crate::elf::Summary;
use crate::loader::{Libc, Loader, Resolution, Settings, System, Target as Machine};
use crate::python::interpreter::{Version, version_in};
use crate::python::tags;
use crate::vfs::Vfs;

/// A program that loads objects of the target: an interpreter with its loader, or, in a tree
/// without one, the loader alone.
pub struct Program<'a> {
    /// The loader of its system.
    pub loader: Loader<'a>,
    /// What is loaded when the program has started; `None` without a program.
    pub main: Option<Resolution>,
    /// What it can load.
    machine: Machine,
    /// The C library that it was built for, or that its objects were built for, if known.
    built_for: Option<Libc>,
    /// Did the user choose it, whatever objects say?
    is_wished: bool,
    /// The version of Python, as in the names of directories and extension modules.
    version: Option<Version>,
}

impl<'a> Program<'a> {
    /// What it can load.
    #[must_use]
    pub fn machine(&self) -> Machine {
        self.machine
    }

    /// The programs of a target: its interpreters, else one loader for each machine and each C
    /// library that its objects are for. A program that names the loader of another C library than
    /// the interpreters is started by that one.
    #[must_use]
    pub fn all(vfs: &'a dyn Vfs, world: &World, settings: &Settings) -> Vec<Self> {
        let mut programs: Vec<Self> = Vec::new();
        for interpreter in world.environment.iter().flat_map(|found| &found.interpreters) {
            let Some(started) = interpreter.main_program() else { continue };
            let Some(summary) = inventory::summary_of(vfs, started) else { continue };
            let mut program = Self::without_main(vfs, &summary, settings, None);
            program.main = Some(program.loader.program(started));
            program.version = Some(interpreter.version);
            programs.push(program);
        }
        let (named, unnamed): (Vec<_>, Vec<_>) = world
            .inventory
            .objects
            .iter()
            .filter(|object| programs.is_empty() || object.role == Role::Executable)
            .filter_map(|object| Some((object, object.elf()?)))
            .partition(|(_, summary)| Libc::of(summary).is_some());
        // If some objects show what they are for, the same is assumed of the others.
        for (object, summary) in named.into_iter().chain(unnamed) {
            if !programs.iter().any(|program| program.fits(object)) {
                let distribution = world.inventory.distribution_of(object);
                let tags = distribution.map(|found| tags::tags(vfs, found)).unwrap_or_default();
                let is_for_musl = !tags.is_empty()
                    && tags.iter().all(|tag| tag.system() == Some(tags::System::Musl));
                let by_tag = is_for_musl.then_some(Libc::Musl);
                programs.push(Self::without_main(vfs, summary, settings, by_tag));
            }
        }
        programs
    }

    /// The loader that an object names; if it names none, that of `by_tag`, else that of the root.
    fn without_main(
        vfs: &'a dyn Vfs,
        object: &Summary,
        settings: &Settings,
        by_tag: Option<Libc>,
    ) -> Self {
        let built_for = settings.libc.or(Libc::of(object)).or(by_tag);
        let wish = settings.libc.or(by_tag.filter(|_| Libc::of(object).is_none()));
        let system = System::read_as(vfs, object, wish);
        let machine = system.target;
        let loader = Loader::new(vfs, system, settings.clone());
        Self {
            loader,
            main: None,
            machine,
            built_for,
            version: None,
            is_wished: settings.libc.is_some(),
        }
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

    /// Can the program load an object at all: is it for its machine? A program of the target is not
    /// loaded, but started by the loader that it names; and if there is no interpreter, nothing loads
    /// an object of another C library.
    #[must_use]
    pub fn fits(&self, object: &Object) -> bool {
        let Some(summary) = object.elf() else { return false };
        let is_loaded = self.main.is_some() && object.role != Role::Executable;
        let is_foreign = || {
            let both = self.built_for.zip(Libc::of(summary));
            both.is_some_and(|(own, other)| own != other)
        };
        Machine::of(summary) == self.machine && (is_loaded || self.is_wished || !is_foreign())
    }

    /// Is the program an interpreter, and an object for the same machine?
    #[must_use]
    pub fn is_interpreter_for(&self, object: &Object) -> bool {
        self.main.is_some() && object.elf().is_some_and(|it| Machine::of(it) == self.machine)
    }

    /// Would the program load the object: is it for its machine, and, where the object's path names
    /// a version of Python, for this one?
    #[must_use]
    pub fn runs(&self, object: &Object) -> bool {
        self.fits(object)
            && self.version.is_none_or(|version| {
                version_in(&object.path).is_none_or(|named| named == (version.major, version.minor))
            })
    }
}
