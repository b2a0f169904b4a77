//! What the loader does with every object that a program would load, under one environment.

use super::bindings::Bindings;
use super::loaded::{AllLoaded, Loaded};
use crate::diagnosis::checks::interpreters;
use crate::elf::{Kind, Summary};
use crate::findings::cure::Cure;
use crate::findings::evidence::Evidence;
use crate::findings::evidence::need::{Need, Supply};
use crate::findings::finding::{Cause, Finding, fault};
use crate::hashing::QuickMap;
use crate::loader::{Dependency, Fatal, Limit, LoadedObject, Resolution, VersionProblem};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Facts, Inventory, Object, Role, summary_of};
use crate::world::makers::Maker;
use crate::world::program::Program;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Objects that are resolved at the same time, at most.
const AT_ONCE: usize = 32;

/// A dependency for which the loader finds nothing.
#[derive(Debug)]
pub struct Missing {
    /// The object that needs it, as the inventory has it; for one outside the target, what the
    /// loader knows about it.
    pub asking: Object,
    /// The objects that load it.
    pub roots: Vec<Arc<Path>>,
    /// What the most important of these is.
    pub root_role: Role,
    /// The interpreter that cannot start without it.
    pub interpreter: Option<PathBuf>,
    /// Another program that cannot start without it: nothing is loaded before its own libraries.
    pub program: Option<PathBuf>,
    /// Is it loaded by an object that was named on the command line?
    pub is_named: bool,
    /// The name, and every place that was tried.
    pub dependency: Dependency,
}

impl Missing {
    /// A finding about it that no search path cures.
    #[must_use]
    pub fn finding(&self, world: &World, cause: Cause, supply: Supply, cure: Cure) -> Finding {
        let need = Need::new(world.place(&self.asking.path), &self.dependency.name, supply);
        Finding {
            library: Some(self.dependency.name.to_vec()),
            tried: self.dependency.tried.steps().collect(),
            ..fault(cause, &self.asking.path, Evidence::Need(need), cure)
        }
    }
}

/// Everything that the loader finds, and what it does not find.
#[derive(Debug, Default)]
pub struct Seen {
    /// What is missing, by the object that needs it and the name.
    pub missing: BTreeMap<(PathBuf, Vec<u8>), Missing>,
    /// The files that extension modules load, with the distributions of these modules.
    pub by_modules: QuickMap<(u64, u64), BTreeSet<Maker>>,
    /// Libraries of the target that extension modules would load if these were found.
    sought: HashSet<(u64, u64)>,
    /// Versions that libraries lack, with the object that needs them.
    pub versions: BTreeMap<(PathBuf, Vec<u8>), VersionProblem>,
    /// The objects with which a library is loaded that lacks a version, each with the first of these.
    pub clashes: BTreeMap<PathBuf, Clash>,
    /// Which name led where.
    pub bindings: Bindings,
    /// What is opened and needs something from the program's memory.
    pub opened: Vec<Opened>,
    /// What is loaded before the interpreters of the target run, they themselves included.
    pub started: HashSet<PathBuf>,
    /// The objects that the loader refuses, though they are sound to read, each with the object that it opens.
    pub refused: Vec<(PathBuf, Fatal)>,
    /// The objects that a program loads directly and for which everything is found.
    pub complete: HashSet<PathBuf>,
    loaded: AllLoaded,
}

/// The libraries of a target that modules need and that are not found, and what these need, by device and inode.
fn sought(
    inventory: &Inventory,
    missing: &BTreeMap<(PathBuf, Vec<u8>), Missing>,
) -> HashSet<(u64, u64)> {
    let by_modules = missing.values().filter(|it| it.root_role == Role::ExtensionModule);
    let mut names: Vec<&[u8]> = by_modules.map(|it| &*it.dependency.name).collect();
    let mut sought = HashSet::new();
    while let Some(name) = names.pop() {
        for copy in inventory.known_as(name).filter(|copy| copy.role == Role::Library) {
            if sought.insert(copy.id) {
                names.extend(copy.needed().iter().map(Vec::as_slice));
            }
        }
    }
    sought
}

/// A version that an object needs, and that the library lacks from which it would come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// The object that needs it.
    pub object: PathBuf,
    /// Its name.
    pub version: Vec<u8>,
    /// The library that lacks it.
    pub provider: PathBuf,
}

/// An object that a running program opens, with those of the loaded objects that need an executable
/// stack or static thread-local storage.
#[derive(Debug)]
pub struct Opened {
    /// The object that is opened.
    pub root: PathBuf,
    /// Which of the programs opens it.
    pub program: usize,
    /// What needs something: the object itself or what is loaded with it.
    pub wanting: Vec<(PathBuf, Arc<Summary>)>,
}

impl Seen {
    /// Do extension modules load an object?
    #[must_use]
    pub fn leads_to(&self, object: &Object) -> bool {
        self.by_modules.contains_key(&object.id)
    }

    /// What is loaded with an object that a program loads directly.
    #[must_use]
    pub fn loaded_with(&self, object: &Object) -> Option<Loaded> {
        self.loaded.of(&object.path)
    }

    /// Is an object a library that no module loads, or would load if its libraries were found, such as a plugin?
    #[must_use]
    pub fn may_be_plugin(&self, object: &Object) -> bool {
        object.role == Role::Library && !self.leads_to(object) && !self.sought.contains(&object.id)
    }

    /// Resolves each object as the first of `programs` would that loads it.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, world: &World, programs: &[Program<'_>]) -> Self {
        let starting = interpreters::to_start(vfs, world);
        let outside = outside(vfs, world, &starting);
        let mut roots = roots(vfs, world, programs);
        roots.extend(&outside);
        Self::of_roots(vfs, world, programs, &roots, &starting)
    }

    /// Opens each of these objects in a fresh process of the first of `programs` that loads it, as a
    /// module is.
    #[must_use]
    pub fn alone(
        vfs: &dyn Vfs,
        world: &World,
        programs: &[Program<'_>],
        objects: &[&Object],
    ) -> Self {
        let mut seen = Self::of_roots(vfs, world, programs, objects, &[]);
        for missing in seen.missing.values_mut() {
            missing.root_role = Role::ExtensionModule;
        }
        seen
    }

    fn of_roots(
        vfs: &dyn Vfs,
        world: &World,
        programs: &[Program<'_>],
        roots: &[&Object],
        starting: &[PathBuf],
    ) -> Self {
        let mut seen = Self::default();
        let mut names = Names { vfs, world, known: QuickMap::default(), held: QuickMap::default() };
        for main in programs.iter().flat_map(|program| &program.main) {
            main.objects.iter().for_each(|it| _ = names.of(it, &mut seen.bindings));
        }
        // What is loaded with an object takes kilobytes for each of its libraries. It is evaluated and freed
        // while the next objects are resolved.
        let mut resolved: Vec<Resolved<'_>> = Vec::new();
        for some in roots.chunks(AT_ONCE) {
            let resolve =
                || some.par_iter().filter_map(|root| Resolved::of(programs, root)).collect();
            let take_in = || resolved.iter().for_each(|one| seen.add(&mut names, one, starting));
            let (next, ()) = rayon::join(resolve, take_in);
            resolved = next;
        }
        resolved.iter().for_each(|one| seen.add(&mut names, one, starting));
        seen.sought = sought(&world.inventory, &seen.missing);
        seen
    }

    /// Adds what is loaded with one object.
    fn add(&mut self, names: &mut Names<'_>, one: &Resolved<'_>, starting: &[PathBuf]) {
        let Resolved { root, resolution, .. } = one;
        let (vfs, world) = (names.vfs, names.world);
        self.loaded.add(&root.path, resolution);
        let interpreter = starting.contains(&root.path).then_some(root.path.as_path());
        let mut wanting = refused_for_stack(vfs, &world.inventory, resolution);
        let is_imported =
            root.role == Role::ExtensionModule && world.shadowed_by(&root.path).is_none();
        let maker = world.maker(root).filter(|_| is_imported);
        let root_path: Arc<Path> = root.path.as_path().into();
        self.add_refused(names, root, resolution);
        if resolution.root.found.is_some()
            && resolution.objects.iter().all(|it| it.needed.iter().all(|it| it.found.is_some()))
        {
            self.complete.insert(root.path.clone());
        }
        let root_number = self.bindings.number(&root.path);
        let all: Vec<Known> =
            resolution.objects.iter().map(|it| names.of(it, &mut self.bindings)).collect();
        for (loaded, Known { name: path, number, .. }) in resolution.objects.iter().zip(all) {
            if let Some(maker) = &maker {
                let makers = self.by_modules.entry(loaded.id).or_default();
                if !makers.contains(maker) {
                    makers.insert(maker.clone());
                }
            }
            if interpreter.is_some() {
                self.started.insert(path.to_path_buf());
            }
            let summary = &loaded.summary;
            if summary.static_tls.is_some() || summary.wants_executable_stack() {
                wanting.push((path.to_path_buf(), Arc::clone(summary)));
            }
            let found = loaded
                .needed
                .iter()
                .map(|it| it.found.as_ref().map(|path| names.file(path, &mut self.bindings)));
            let found: Vec<Option<u32>> = found.collect();
            let answers = loaded.needed.iter().zip(found);
            self.bindings.add_numbered((root_number, number), answers);
            for dependency in loaded.needed.iter().filter(|it| it.found.is_none()) {
                let asking = || object_at(&world.inventory, &path, loaded);
                let missing = self.add_missing(asking, &path, root, interpreter, dependency);
                missing.is_named |= world.is_named(&root.path);
                missing.roots.push(Arc::clone(&root_path));
            }
            for problem in &loaded.version_problems {
                self.clashes.entry(root.path.clone()).or_insert_with(|| Clash {
                    object: path.to_path_buf(),
                    version: problem.version.clone(),
                    provider: real_path(resolution, &problem.provider),
                });
                let key = (path.to_path_buf(), problem.version.clone());
                self.versions.entry(key).or_insert_with(|| problem.clone());
            }
        }
        if !wanting.is_empty() && root.role != Role::Executable {
            self.opened.push(Opened { root: root.path.clone(), program: one.number, wanting });
        }
    }

    /// Adds what the loader refuses. Whether a process has what opened objects need of it, is judged with all of
    /// them.
    fn add_refused(&mut self, names: &mut Names<'_>, root: &Object, resolution: &Resolution) {
        // A program is started by the kernel, by its own rules.
        let opened = resolution.root.fatal.as_deref().filter(|_| root.role != Role::Executable);
        let refused = opened.into_iter().chain(&resolution.refused);
        for fatal in refused.filter(|fatal| fatal.limit.is_none()) {
            let loaded = resolution.objects.iter().find(|object| *object.path == fatal.path);
            let path = loaded.map(|loaded| names.of(loaded, &mut self.bindings).name.to_path_buf());
            let path = path.unwrap_or_else(|| fatal.path.clone());
            self.refused.push((root.path.clone(), Fatal { path, ..fatal.clone() }));
        }
    }

    fn add_missing(
        &mut self,
        asking: impl FnOnce() -> Object,
        path: &Path,
        root: &Object,
        interpreter: Option<&Path>,
        dependency: &Dependency,
    ) -> &mut Missing {
        let key = (path.to_owned(), dependency.name.to_vec());
        let missing = self.missing.entry(key).or_insert_with(|| Missing {
            asking: asking(),
            roots: Vec::new(),
            root_role: root.role,
            interpreter: None,
            program: None,
            is_named: false,
            dependency: dependency.clone(),
        });
        missing.root_role = missing.root_role.min(root.role);
        if missing.interpreter.is_none() {
            missing.interpreter = interpreter.map(Path::to_owned);
        }
        if missing.program.is_none() && interpreter.is_none() && root.role == Role::Executable {
            missing.program = Some(root.path.clone());
        }
        missing
    }
}

/// What is loaded with an object, as the first of the programs would do it that loads the object.
struct Resolved<'a> {
    root: &'a Object,
    /// Which of the programs it is.
    number: usize,
    resolution: Resolution,
}

impl<'a> Resolved<'a> {
    fn of(programs: &'a [Program<'a>], root: &'a Object) -> Option<Self> {
        let mut numbered = programs.iter().enumerate();
        let (number, program) = numbered.find(|(_, program)| program.runs(root))?;
        Some(Self { root, number, resolution: program.load(root) })
    }
}

/// The interpreters among `starting` that the walk of the target did not find: those of an
/// installation of Python, of which only the packages are walked.
fn outside(vfs: &dyn Vfs, world: &World, starting: &[PathBuf]) -> Vec<Object> {
    let unknown = starting.iter().filter(|path| world.inventory.at(path).is_none());
    unknown
        .filter_map(|path| {
            let facts = Facts::Elf(summary_of(vfs, path)?);
            let id = vfs.metadata(path).ok()?.id;
            Some(Object {
                path: path.clone(),
                id,
                facts,
                role: Role::Executable,
                distribution: None,
            })
        })
        .collect()
}

/// The path behind the one by which a library was found, if it was found for this object.
fn real_path(resolution: &Resolution, found: &Path) -> PathBuf {
    let same = resolution.objects.iter().find(|object| *object.path == *found);
    same.map_or(found, |object| &object.real).to_owned()
}

/// What is not loaded because it needs an executable stack, which the program does not have.
fn refused_for_stack(
    vfs: &dyn Vfs,
    inventory: &Inventory,
    resolution: &Resolution,
) -> Vec<(PathBuf, Arc<Summary>)> {
    let asked = resolution.missing().filter_map(|(_, dependency)| dependency.fatal.as_ref());
    let refused = asked.filter(|fatal| fatal.limit == Some(Limit::ExecutableStack));
    refused
        .filter_map(|fatal| {
            let summary = match inventory.at(&fatal.path).map(|object| &object.facts) {
                Some(Facts::Elf(summary)) => Arc::clone(summary),
                _ => summary_of(vfs, &fatal.path)?,
            };
            Some((fatal.path.clone(), summary))
        })
        .collect()
}

/// The objects that a program would load directly: extension modules, programs, and libraries that
/// nothing in the tree depends on. A private library is only loaded by siblings whose RPATH it
/// inherits: alone it looks broken, and is not. An object that was named is still judged alone.
fn roots<'a>(vfs: &dyn Vfs, world: &'a World, programs: &[Program<'_>]) -> Vec<&'a Object> {
    let inventory = &world.inventory;
    let needed = inventory.needed();
    inventory
        .objects
        .iter()
        .filter(|object| {
            object.role == Role::ExtensionModule
                || object.elf().is_some_and(|summary| summary.kind != Kind::NotDynamic)
        })
        .filter(|object| match object.role {
            Role::ExtensionModule => {
                world.is_named(&object.path) || world.imported_as(vfs, object).is_none()
            }
            Role::Executable => true,
            Role::Library => {
                !needed.contains_key(object.name()) && !needed.contains_key(object.soname())
                    || world.is_named(&object.path)
            }
        })
        .filter(|object| programs.iter().any(|program| program.runs(object)))
        .collect()
}

/// The paths by which the inventory knows loaded objects.
struct Names<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    /// By the loader's paths, byte for byte.
    known: QuickMap<OsString, Known>,
    /// By the addresses of these paths, which the loader shares among all that load the object. Each is held, so that
    /// no other path has its address.
    held: QuickMap<usize, (Arc<Path>, Known)>,
}

/// What a loaded object is called.
#[derive(Clone)]
struct Known {
    /// Its path in the inventory.
    name: Arc<Path>,
    /// The number of that path in the bindings, and that of the path with every link resolved.
    number: u32,
    real: u32,
}

impl Names<'_> {
    /// The loader puts `..` and links of search paths into the paths of what it loads. In the target
    /// the object has the path by which the walk found it, elsewhere its real path.
    fn of(&mut self, loaded: &LoadedObject, bindings: &mut Bindings) -> Known {
        let address = address(&loaded.path);
        if let Some((_, known)) = self.held.get(&address) {
            return known.clone();
        }
        let known = self.by_path(loaded, bindings);
        self.held.insert(address, (Arc::clone(&loaded.path), known.clone()));
        known
    }

    fn by_path(&mut self, loaded: &LoadedObject, bindings: &mut Bindings) -> Known {
        if let Some(known) = self.known.get(loaded.path.as_os_str()) {
            return known.clone();
        }
        let name = self.find(loaded).map_or_else(|| Arc::clone(&loaded.real), Into::into);
        let (number, real) = (bindings.number(&name), bindings.number(&loaded.real));
        let known = Known { name, number, real };
        self.known.insert(loaded.path.as_os_str().to_owned(), known.clone());
        known
    }

    /// The number of the file that was found by a path of the loader.
    fn file(&self, path: &Arc<Path>, bindings: &mut Bindings) -> u32 {
        if let Some((_, known)) = self.held.get(&address(path)) {
            return known.real;
        }
        match self.known.get(path.as_os_str()) {
            Some(known) => known.real,
            None => bindings.number(path),
        }
    }

    fn find(&self, loaded: &LoadedObject) -> Option<PathBuf> {
        let inventory = &self.world.inventory;
        if inventory.at(&loaded.path).is_some() {
            return Some(loaded.path.to_path_buf());
        }
        let directory = self.vfs.canonicalize(loaded.path.parent()?).ok()?;
        let plain = self.world.below_root(self.vfs, &directory).join(loaded.path.file_name()?);
        if inventory.at(&plain).is_some() {
            return Some(plain);
        }
        let same = inventory.of_file(loaded.id).next()?;
        Some(same.path.clone())
    }
}

fn address(path: &Arc<Path>) -> usize {
    Arc::as_ptr(path).addr()
}

/// The object of the inventory at that path, or, for one outside the target, what the loader knows
/// about it.
fn object_at(inventory: &Inventory, path: &Path, loaded: &LoadedObject) -> Object {
    inventory.at(path).cloned().unwrap_or_else(|| Object {
        path: path.to_owned(),
        id: loaded.id,
        facts: Facts::Elf(Arc::clone(&loaded.summary)),
        role: Role::Library,
        distribution: None,
    })
}
