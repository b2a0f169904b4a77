//! What dyld does with every Mach-O object that a program would load, and what is wrong there.

mod judge;

use self::judge::Judge;
use crate::diagnosis::bindings::Bindings;
use crate::findings::finding::Finding;
use crate::knowledge::tensorflow;
use crate::loader::dyld::{Dyld, LoadedImage, Opened, Process, System, Unbound};
use crate::loader::{FileId, Settings};
use crate::macho::{Arch, Container};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What was found about the Mach-O objects of a target.
#[derive(Debug, Default)]
pub struct Outcome {
    /// What is wrong, or worth knowing.
    pub findings: Vec<Finding>,
    /// Which name led where.
    pub bindings: Bindings,
    /// Dependencies for which dyld finds nothing: the object and the name.
    pub unresolved: BTreeSet<(PathBuf, Vec<u8>)>,
}

/// Diagnoses the Mach-O objects of a target under one environment.
#[must_use]
pub fn diagnose(vfs: &dyn Vfs, world: &World, settings: &Settings) -> Outcome {
    let Some(macos) = Macos::new(vfs, world, settings) else { return Outcome::default() };
    let loaded: Vec<Loaded<'_>> = macos
        .roots()
        .into_par_iter()
        .map(|root| Loaded { root, opened: macos.open(root) })
        .collect();
    Judge::new(&macos, &loaded).outcome()
}

/// A program of macOS that loads the objects of a target.
struct Macos<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    dyld: Dyld<'a>,
    /// What is loaded when the program has started; nothing where there is no program.
    process: Process,
    /// The objects by their files.
    by_file: HashMap<FileId, &'a Object>,
}

/// An object that a program loads directly, and the result.
struct Loaded<'a> {
    root: &'a Object,
    opened: Opened,
}

/// The Mach-O objects of a target, those first that were named on the command line.
fn objects(world: &World) -> impl Iterator<Item = &Object> {
    let all = || world.inventory.objects.iter().filter(|object| !object.slices().is_empty());
    let named = all().filter(|object| world.is_named(&object.path));
    named.chain(all().filter(|object| !world.is_named(&object.path)))
}

impl<'a> Macos<'a> {
    /// The program of a target: its interpreter, else one for the processor that most of its objects
    /// are for. `None` without any Mach-O object.
    fn new(vfs: &'a dyn Vfs, world: &'a World, settings: &Settings) -> Option<Self> {
        let interpreters = world.environment.iter().flat_map(|found| &found.interpreters);
        let started = interpreters
            .filter_map(|interpreter| interpreter.main_program())
            .find_map(|path| Some((path, archs_of(vfs, path)?)));
        // An interpreter of another system cannot load them.
        let mut interpreters = world.environment.iter().flat_map(|found| &found.interpreters);
        if started.is_none() && interpreters.any(|found| found.main_program().is_some()) {
            return None;
        }
        let arch = match &started {
            Some((_, archs)) => archs.iter().copied().min_by_key(|arch| arch.name() != "arm64"),
            None => most_common(world),
        }?;
        let system = System { version: settings.macos, arch };
        let dyld = Dyld::new(vfs, system, settings.dyld.clone());
        let process = started.map_or_else(Process::default, |(path, _)| {
            let real = vfs.canonicalize(path).unwrap_or_else(|_| path.to_owned());
            dyld.program(&real).process
        });
        let mut by_file = HashMap::new();
        for object in objects(world) {
            by_file.entry(object.id).or_insert(object);
        }
        Some(Self { vfs, world, dyld, process, by_file })
    }

    /// The objects that a program would load directly: extension modules, programs, and libraries
    /// that nothing in the tree depends on.
    fn roots(&self) -> Vec<&'a Object> {
        let objects = || objects(self.world);
        let needed: HashSet<&[u8]> = objects()
            .flat_map(|object| object.slices().iter().map(move |slice| (object, slice)))
            .flat_map(|(object, slice)| {
                let others = slice.needed.iter().map(|needed| leaf(&needed.name));
                others.filter(move |name| *name != object.name())
            })
            .collect();
        let mut seen = HashSet::new();
        objects()
            .filter(|object| match object.role {
                Role::ExtensionModule | Role::Executable => true,
                Role::Library => {
                    let installed =
                        object.slices().iter().filter_map(|s| s.install_name.as_deref());
                    !needed.contains(object.name())
                        && !installed.map(leaf).any(|name| needed.contains(name))
                }
            })
            // All names of one file are one image to dyld. A name that was selected is the first.
            .filter(|object| seen.insert(object.id))
            .collect()
    }

    /// What dyld does when the program opens an object, or starts it.
    fn open(&self, object: &Object) -> Opened {
        match object.role {
            Role::Executable => self.dyld.program(&object.path),
            _ => self.open_in(&self.process, &object.path),
        }
    }

    fn open_in(&self, process: &Process, path: &Path) -> Opened {
        self.dyld.dlopen(process, None, path.as_os_str().as_bytes())
    }

    /// What the target calls an image: as the walk found it, or, outside the target, by its real
    /// path.
    fn name_of(&self, image: &LoadedImage) -> PathBuf {
        match self.by_file.get(&image.id) {
            Some(object) => object.path.clone(),
            None => image.path.clone(),
        }
    }

    /// The process in which an object is opened when the program is used as it is meant to be: what
    /// the object's distribution requires is imported before. For a library that nothing depends on
    /// the own distribution is; for a plugin of TensorFlow, TensorFlow.
    fn before(&self, root: &Object) -> Option<Process> {
        let first = self.loaded_before(root);
        (!first.is_empty()).then(|| {
            first.iter().fold(self.process.clone(), |process, object| {
                let opened = self.open_in(&process, &object.path);
                // A module that does not load leaves nothing behind.
                if opened.is_complete() { opened.process } else { process }
            })
        })
    }

    fn loaded_before(&self, root: &Object) -> Vec<&'a Object> {
        let inventory = &self.world.inventory;
        let own = inventory.distribution_of(root);
        let is_before = |object: &Object| {
            let Some(other) = inventory.distribution_of(object) else { return false };
            own.is_some_and(|own| match own.normalized == other.normalized {
                true => root.role == Role::Library,
                false => World::requires(own, other),
            })
        };
        let host = host_of_plugin(&root.path);
        let is_host = |path: &Path| host.as_ref().is_some_and(|host| path.starts_with(host));
        // A module inside of a package is imported after the package.
        let mut above = root.path.ancestors().map(|above| above.join(tensorflow::FIRST_MODULE));
        let first = above
            .find_map(|path| inventory.at(&path))
            .filter(|_| root.role == Role::ExtensionModule);
        let others = inventory.objects.iter().filter(|object| {
            let is_module = object.role == Role::ExtensionModule && !object.slices().is_empty();
            is_module && (is_before(object) || is_host(&object.path))
        });
        first.into_iter().chain(others).filter(|object| object.id != root.id).collect()
    }

    /// The symbols that do not bind in one image.
    fn unbound(&self, process: &Process, image: &LoadedImage) -> BTreeSet<Unbound> {
        // What cannot be read is reported by the walk of the target.
        self.dyld.unbound(process, image).unwrap_or_default()
    }
}

/// The package whose plugin a library is, by its location.
fn host_of_plugin(path: &Path) -> Option<PathBuf> {
    let directory = path.parent()?;
    let is_plugin = directory.file_name().is_some_and(|name| name == tensorflow::PLUGINS);
    is_plugin.then(|| directory.parent().map(|site| site.join("tensorflow"))).flatten()
}

/// The part of a name behind its last slash.
fn leaf(name: &[u8]) -> &[u8] {
    name.rsplit(|&byte| byte == b'/').next().unwrap_or(name)
}

/// The architectures of a Mach-O file; `None` for other files.
fn archs_of(vfs: &dyn Vfs, path: &Path) -> Option<Vec<Arch>> {
    let source = vfs.open(path).ok()?;
    let container = Container::parse(source.as_ref()).ok()?;
    Some(container.slices.iter().map(|slice| slice.arch()).collect())
}

/// The architecture that most of the target's objects have a slice for; of several, Apple's own.
fn most_common(world: &World) -> Option<Arch> {
    let mut counts: BTreeMap<&'static str, (usize, Arch)> = BTreeMap::new();
    for slice in world.inventory.objects.iter().flat_map(Object::slices) {
        counts.entry(slice.arch.name()).or_insert((0, slice.arch)).0 += 1;
    }
    let best = counts.into_values().max_by_key(|(count, arch)| (*count, arch.name() == "arm64"));
    best.map(|(_, arch)| arch)
}

/// The images that any of `loaded` has, each once with the same libraries below it, in a process
/// that holds them.
fn distinct_images<'l>(loaded: &'l [Loaded<'_>]) -> Vec<(&'l Process, &'l Arc<LoadedImage>)> {
    let mut seen: HashSet<(FileId, Vec<Option<&Path>>)> = HashSet::new();
    let mut images = Vec::new();
    for one in loaded {
        for (_, image) in one.opened.new_images() {
            let below = image.needed.iter().map(|need| need.dependency.found.as_deref());
            if seen.insert((image.id, below.collect())) {
                images.push((&one.opened.process, image));
            }
        }
    }
    images
}
