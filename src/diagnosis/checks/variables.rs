//! The effects of single variables of a process on an environment: a variable can load the wrong
//! library, be the only reason why it works, name what does not exist, or add packages of another
//! Python.

use super::interpreters::shadowed;
use super::macos;
use crate::diagnosis::load_report::Seen;
use crate::findings::cure::{Cure, Search};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::variable::{Absent, Before, Blame, Variable};
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::tensorflow;
use crate::loader::{Dependency, Settings};
use crate::python::distribution::{Distribution, distributions};
use crate::python::environment::{Kind, same_file};
use crate::python::interpreter::version_in;
use crate::python::venv;
use crate::vfs::Vfs;
use crate::world::inventory::{Object, Role};
use crate::world::program::Program;
use crate::world::{Question, World};
use std::cell::OnceCell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What the loader would do without one of the variables that are set.
pub struct Without {
    variable: &'static str,
    settings: Settings,
    seen: OnceCell<(Seen, macos::Outcome)>,
}

/// The variables of an environment, removed one by one.
pub struct Variables<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    each: Vec<Without>,
}

impl<'a> Variables<'a> {
    /// The variables of the loader that are set.
    #[must_use]
    pub fn new(vfs: &'a dyn Vfs, world: &'a World) -> Self {
        let settings = &world.settings;
        let set = settings.variables_beside(&settings.without_variables());
        let each = set.into_iter().map(|variable| Without {
            variable,
            settings: settings.without(variable),
            seen: OnceCell::new(),
        });
        Self { vfs, world, each: each.collect() }
    }

    /// The variables without which `differs` holds for the result. If it does not hold without any
    /// single one of them, all that are set; `is_any` says that each of them may be enough.
    pub fn to_blame(
        &self,
        is_any: bool,
        differs: impl Fn(&Seen, &macos::Outcome) -> bool,
    ) -> Blame {
        let blame = |each: &[&Without], is_any| {
            let variables = each.iter().map(|without| without.variable).collect();
            Blame { variables, is_any }
        };
        let all: Vec<&Without> = self.each.iter().collect();
        if all.len() < 2 {
            return blame(&all, is_any);
        }
        let single: Vec<&Without> = all
            .iter()
            .copied()
            .filter(|without| {
                let (seen, macos) = without.seen.get_or_init(|| self.see(&without.settings));
                differs(seen, macos)
            })
            .collect();
        if single.is_empty() { blame(&all, is_any) } else { blame(&single, false) }
    }

    fn see(&self, settings: &Settings) -> (Seen, macos::Outcome) {
        let programs = Program::all(self.vfs, self.world, settings);
        let seen = Seen::of(self.vfs, self.world, &programs);
        (seen, macos::diagnose(self.vfs, self.world, settings))
    }
}

/// Removes what leads to a directory or a file from variables: the entry as it is written there.
pub(in crate::diagnosis) fn taken_out(world: &World, led_to: &Path, variables: Blame) -> Cure {
    let written = variables.variables.contains(&"LD_LIBRARY_PATH");
    let written = written.then(|| world.settings.written_entry(led_to)).flatten();
    let entry = written.unwrap_or_else(|| led_to.to_owned());
    Cure::Search(Search::TakeOut { entry, variables })
}

/// What is wrong with variables, whatever the libraries are.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    programs: &[Program<'_>],
) -> Vec<Finding> {
    let mut found: Vec<Finding> = programs.iter().flat_map(preloads).collect();
    found.extend(python_home(vfs, world, question));
    found.extend(python_path(vfs, world, question));
    found
}

/// Entries of `LD_PRELOAD` that the loader ignores with a message at each start.
fn preloads<'a>(program: &'a Program<'_>) -> impl Iterator<Item = Finding> + 'a {
    program.main.iter().flat_map(|main| {
        let object = main.root.found.as_deref().unwrap_or(Path::new("/"));
        let absent = main.preload.iter().filter(|named| named.found.is_none());
        absent.map(move |named| not_preloaded(object, named))
    })
}

fn not_preloaded(object: &Path, named: &Dependency) -> Finding {
    let library = named.name.to_vec();
    let said = named.fatal.as_ref().map(|fatal| fatal.message.clone());
    let cure = Cure::Search(Search::TakeOutOfPreload(library.clone()));
    let evidence = Evidence::Variable(Variable::NotPreloaded { library: library.clone(), said });
    Finding {
        library: Some(library),
        tried: named.tried.steps().collect(),
        ..fault(Cause::EnvOverride, object, evidence, cure)
    }
}

/// `PYTHONHOME`, if it has no library of the interpreter's version, or names another installation
/// than the one that is examined (`Modules/getpath.py`).
fn python_home(vfs: &dyn Vfs, world: &World, question: &Question) -> Option<Finding> {
    let environment = world.environment.as_ref()?;
    let interpreter = environment.interpreters.first()?;
    let value = question.surroundings.python_home.as_ref()?;
    // With two prefixes the first is that of the library.
    let prefix = value.as_os_str().as_bytes().split(|&byte| byte == b':').next()?;
    let prefix = Path::new(OsStr::from_bytes(prefix));
    let version = interpreter.version;
    let home = prefix.to_owned();
    let variable = if !venv::holds_library(vfs, prefix, version) {
        Variable::HomeWithoutLibrary { home, version }
    } else if environment.kind != Kind::Venv && !same_file(vfs, prefix, &environment.prefix) {
        Variable::HomeElsewhere { home }
    } else {
        return None;
    };
    let is_fatal = matches!(variable, Variable::HomeWithoutLibrary { .. });
    let evidence = Evidence::Variable(variable);
    let cure = Cure::Search(Search::UnsetPythonHome);
    Some(Finding { is_fatal, ..fault(Cause::EnvOverride, &interpreter.path, evidence, cure) })
}

/// Directories of `PYTHONPATH` that contain packages of the environment in another version, or for
/// another Python. They come before the environment's own.
fn python_path(vfs: &dyn Vfs, world: &World, question: &Question) -> Vec<Finding> {
    let Some(environment) = &world.environment else { return Vec::new() };
    let surroundings = &question.surroundings;
    let here = &surroundings.working_directory;
    venv::directories(vfs, here, &surroundings.python_path)
        .into_iter()
        .filter(|directory| !environment.imports_from(vfs, directory))
        .filter_map(|directory| {
            let packages = of_another_python(vfs, world, &directory)
                .or_else(|| of_another_release(vfs, world, &directory))
                .or_else(|| of_a_source_tree(vfs, world, &directory))?;
            let variables = Blame { variables: vec!["PYTHONPATH"], is_any: false };
            let cure = Cure::Search(Search::TakeOut { entry: directory.clone(), variables });
            let before = Variable::PackagesBefore { directory: directory.clone(), packages };
            Some(fault(Cause::EnvOverride, &directory, Evidence::Variable(before), cure))
        })
        .collect()
}

fn of_another_python(vfs: &dyn Vfs, world: &World, directory: &Path) -> Option<Before> {
    let interpreters = &world.environment.as_ref()?.interpreters;
    let (major, minor) = version_in(directory)?;
    if interpreters.is_empty()
        || interpreters.iter().any(|it| (it.version.major, it.version.minor) == (major, minor))
    {
        return None;
    }
    let (there, _) = distributions(vfs, directory);
    let first = there.first()?.name.clone();
    Some(Before::OfAnotherPython { first, python: (major, minor), packages: there.len() })
}

fn of_another_release(vfs: &dyn Vfs, world: &World, directory: &Path) -> Option<Before> {
    let (there, _) = distributions(vfs, directory);
    let own: Vec<&Distribution> = world.inventory.distributions.iter().collect();
    let shadowed = shadowed(there.iter(), &own);
    Some(Before::OfAnotherRelease { first: shadowed.first()?.clone(), packages: shadowed.len() })
}

/// A package that has no compiled modules there, and has some in the environment.
fn of_a_source_tree(vfs: &dyn Vfs, world: &World, directory: &Path) -> Option<Before> {
    let sites = &world.environment.as_ref()?.site_packages;
    let lacking = |name: &OsString| -> Option<Before> {
        let (site, modules) = sites.iter().find_map(|site| {
            let modules = modules_below(world, &site.path.join(name));
            (!modules.is_empty()).then_some((&site.path, modules))
        })?;
        let is_there = |module: &&Object| {
            let below = module.path.strip_prefix(site).ok();
            below.is_some_and(|below| holds_module(vfs, &directory.join(below)))
        };
        (!modules.iter().any(is_there))
            .then(|| Before::NotCompiled { package: name.clone(), modules: modules.len() })
    };
    venv::packages(vfs, directory).iter().find_map(lacking)
}

fn modules_below<'a>(world: &'a World, package: &Path) -> Vec<&'a Object> {
    let objects = world.inventory.objects.iter();
    let modules = objects.filter(|object| object.role == Role::ExtensionModule);
    modules.filter(|module| module.path.starts_with(package)).collect()
}

/// Is there a compiled module of the same name beside where `module` would be, whatever its ending?
fn holds_module(vfs: &dyn Vfs, module: &Path) -> bool {
    let (Some(directory), Some(name)) = (module.parent(), module.file_name()) else { return false };
    let stem = |name: &[u8]| name.split(|&byte| byte == b'.').next().map(<[u8]>::to_vec);
    let entries = vfs.read_dir(directory).unwrap_or_default();
    entries.iter().any(|entry| {
        let other = entry.name.as_bytes();
        other.ends_with(b".so") && stem(other) == stem(name.as_bytes())
    })
}

/// The missing directories that `LD_LIBRARY_PATH` names, and `CUDA_HOME` if it is missing: for a
/// finding about a library that is not found.
#[must_use]
pub fn names_of_nothing(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    library: &[u8],
) -> Absent {
    let path = world.settings.library_path.as_deref().unwrap_or_default();
    let is_absent = |path: &Path| path.is_absolute() && vfs.metadata(path).is_err();
    let library_path = path
        .split(|byte| b":;".contains(byte))
        .filter(|entry| !entry.contains(&b'$') && is_absent(Path::new(OsStr::from_bytes(entry))))
        .map(<[u8]>::to_vec);
    let home = question.surroundings.cuda_home.as_deref().filter(|home| is_absent(home));
    let home = home.filter(|_| tensorflow::is_of_cuda(library));
    Absent { library_path: library_path.collect(), cuda_home: home.map(Path::to_owned) }
}
