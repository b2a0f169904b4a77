//! What the variables of a process do to an environment, each by itself: lead to the wrong library,
//! be all that makes it work, name what is not there, bring packages of another Python.

use super::interpreters::{others, shadowed};
use super::macos;
use crate::bytes::{printable, shown};
use crate::diagnosis::load_report::Seen;
use crate::findings::finding::fault;
use crate::findings::finding::{Cause, Finding};
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
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// What the loader would do without one of the variables that are set.
pub struct Without {
    variable: &'static str,
    settings: Settings,
    seen: OnceCell<(Seen, macos::Outcome)>,
}

/// The variables of an environment, taken away one by one.
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

    /// The variables without which `differs` holds of what is seen; where it holds without none of
    /// them alone, all that are set, with `joint` between.
    pub fn to_blame(
        &self,
        joint: &str,
        differs: impl Fn(&Seen, &macos::Outcome) -> bool,
    ) -> String {
        let names = |each: &[&Without]| -> Vec<&'static str> {
            each.iter().map(|without| without.variable).collect()
        };
        let all: Vec<&Without> = self.each.iter().collect();
        if all.len() < 2 {
            return names(&all).join(joint);
        }
        let single: Vec<&Without> = all
            .iter()
            .copied()
            .filter(|without| {
                let (seen, macos) = without.seen.get_or_init(|| self.see(&without.settings));
                differs(seen, macos)
            })
            .collect();
        if single.is_empty() { names(&all).join(joint) } else { names(&single).join(" and ") }
    }

    fn see(&self, settings: &Settings) -> (Seen, macos::Outcome) {
        let programs = Program::all(self.vfs, self.world, settings);
        let seen = Seen::of(self.vfs, self.world, &programs);
        (seen, macos::diagnose(self.vfs, self.world, settings))
    }
}

/// What is wrong with variables whatever the libraries are.
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

/// What `LD_PRELOAD` names and the loader passes over with a message at each start.
fn preloads<'a>(program: &'a Program<'_>) -> impl Iterator<Item = Finding> + 'a {
    program.main.iter().flat_map(|main| {
        let object = main.root.found.as_deref().unwrap_or(Path::new("/"));
        let absent = main.preload.iter().filter(|named| named.found.is_none());
        absent.map(move |named| not_preloaded(object, named))
    })
}

fn not_preloaded(object: &Path, named: &Dependency) -> Finding {
    let name = printable(&named.name);
    let why = match &named.fatal {
        Some(fatal) => fatal.message.as_str(),
        None => "the loader finds none that fits",
    };
    let message = format!("LD_PRELOAD names {name}: {why}, and it says so at each start");
    let cure = format!("take {name} out of LD_PRELOAD, or install what ships it");
    Finding {
        library: Some(named.name.clone()),
        tried: named.tried.steps().collect(),
        ..fault(Cause::EnvOverride, object, message, &cure)
    }
}

/// `PYTHONHOME`, where it names no library of the interpreter's version, or another installation
/// than the one that is looked at (`Modules/getpath.py`).
fn python_home(vfs: &dyn Vfs, world: &World, question: &Question) -> Option<Finding> {
    let environment = world.environment.as_ref()?;
    let interpreter = environment.interpreters.first()?;
    let value = question.surroundings.python_home.as_ref()?;
    // With two prefixes the first is that of the library.
    let prefix = value.as_os_str().as_bytes().split(|&byte| byte == b':').next()?;
    let prefix = Path::new(OsStr::from_bytes(prefix));
    let version = interpreter.version;
    let (home, cure) = (shown(prefix), "unset PYTHONHOME");
    let message = if !venv::holds_library(vfs, prefix, version) {
        format!(
            "PYTHONHOME is {home}, which has no lib/python{version}: the interpreter does not start"
        )
    } else if environment.kind != Kind::Venv && !same_file(vfs, prefix, &environment.prefix) {
        format!("PYTHONHOME is {home}: packages come from there, and not from this environment")
    } else {
        return None;
    };
    Some(fault(Cause::EnvOverride, &interpreter.path, message, cure))
}

/// Directories of `PYTHONPATH` in which packages of the environment stand in another version, or for
/// another Python: they come before the environment's own.
fn python_path(vfs: &dyn Vfs, world: &World, question: &Question) -> Vec<Finding> {
    let Some(environment) = &world.environment else { return Vec::new() };
    let surroundings = &question.surroundings;
    let here = &surroundings.working_directory;
    venv::directories(vfs, here, &surroundings.python_path)
        .into_iter()
        .filter(|directory| !environment.imports_from(vfs, directory))
        .filter_map(|directory| {
            let what = of_another_python(vfs, world, &directory)
                .or_else(|| of_another_release(vfs, world, &directory))
                .or_else(|| of_a_source_tree(vfs, world, &directory))?;
            let message = format!("PYTHONPATH names {}: {what}", shown(&directory));
            let cure = format!("take {} out of PYTHONPATH", shown(&directory));
            Some(fault(Cause::EnvOverride, &directory, message, &cure))
        })
        .collect()
}

fn of_another_python(vfs: &dyn Vfs, world: &World, directory: &Path) -> Option<String> {
    let interpreters = &world.environment.as_ref()?.interpreters;
    let (major, minor) = version_in(directory)?;
    if interpreters.is_empty()
        || interpreters.iter().any(|it| (it.version.major, it.version.minor) == (major, minor))
    {
        return None;
    }
    let names: Vec<String> =
        distributions(vfs, directory).0.into_iter().map(|found| found.name).collect();
    let first = names.first()?;
    let what = format!("{first} is imported from there, and is for Python {major}.{minor}");
    Some(what + &others(names.len()))
}

fn of_another_release(vfs: &dyn Vfs, world: &World, directory: &Path) -> Option<String> {
    let (there, _) = distributions(vfs, directory);
    let own: Vec<&Distribution> = world.inventory.distributions.iter().collect();
    let shadowed = shadowed(there.iter(), &own);
    Some(format!("{} of this environment{}", shadowed.first()?, others(shadowed.len())))
}

/// A package that has no compiled modules there, and has some in the environment.
fn of_a_source_tree(vfs: &dyn Vfs, world: &World, directory: &Path) -> Option<String> {
    let sites = &world.environment.as_ref()?.site_packages;
    let lacking = |package: &PathBuf| -> Option<String> {
        let name = package.file_name()?;
        let (site, modules) = sites.iter().find_map(|site| {
            let modules = modules_below(world, &site.path.join(name));
            (!modules.is_empty()).then_some((&site.path, modules))
        })?;
        let is_there = |module: &&Object| {
            let below = module.path.strip_prefix(site).ok();
            below.is_some_and(|below| holds_module(vfs, &directory.join(below)))
        };
        let text = name.to_string_lossy();
        (!modules.iter().any(is_there)).then(|| {
            format!(
                "{text} is imported from there, where none of its {} extension modules is compiled",
                modules.len()
            )
        })
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

/// The directories that `LD_LIBRARY_PATH` names and that are not there, and `CUDA_HOME` where it is
/// one: clauses for a finding about a library that is not found, each behind a semicolon.
#[must_use]
pub fn names_of_nothing(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    library: &[u8],
) -> String {
    let path = world.settings.library_path.as_deref().unwrap_or_default();
    let is_absent = |path: &Path| path.is_absolute() && vfs.metadata(path).is_err();
    let absent: Vec<String> = path
        .split(|byte| b":;".contains(byte))
        .filter(|entry| !entry.contains(&b'$') && is_absent(Path::new(OsStr::from_bytes(entry))))
        .map(printable)
        .collect();
    let mut clauses = String::new();
    if !absent.is_empty() {
        let verb = if absent.len() == 1 { "is" } else { "are" };
        let names = absent.join(" and ");
        clauses += &format!("; LD_LIBRARY_PATH names {names}, which {verb} not there");
    }
    let home = question.surroundings.cuda_home.as_deref().filter(|home| is_absent(home));
    if let Some(home) = home.filter(|_| tensorflow::is_of_cuda(library)) {
        clauses += &format!("; CUDA_HOME names {}, which is not there", shown(home));
    }
    clauses
}
