//! Distributions that are required and not installed, if the code that requires them always imports them:
//! after `pip install --no-deps`, or after one was uninstalled.
//!
//! Most environments break some requirement of some distribution, and work. Reported is what the sources
//! prove to fail, of distributions with native code and what these require, in an environment all of whose
//! directories of packages are known.

use crate::diagnosis::unmet::is_for;
use crate::findings::cure::{Cure, Install, Wanted};
use crate::findings::evidence::installed::Installed;
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::{alternatives, import_names, installers, standard_modules};
use crate::python::distribution::{Distribution, Requirement};
use crate::python::interpreter::Interpreter;
use crate::python::modules;
use crate::python::sources::markers::MarkerEnvironment;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::constants::Constants;
use crate::world::inventory::Role;
use crate::world::makers::Maker;
use crate::world::python_code::{PythonCode, Reaction, SourceLine};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;

/// Limit in bytes of the constants of a distribution's modules that are searched.
const MAX_CONSTANTS: u64 = 128 << 20;

pub(super) fn findings(vfs: &dyn Vfs, world: &World, code: &PythonCode<'_>) -> Vec<Finding> {
    let inventory = &world.inventory;
    let interpreters = world.environment.iter().flat_map(|it| &it.interpreters);
    let here = MarkerEnvironment {
        is_macos: !inventory.objects.iter().any(|object| object.elf().is_some()),
        python: interpreters.map(|it| it.version).next(),
    };
    let mut by_name: HashMap<&str, Vec<usize>> = HashMap::new();
    for (index, distribution) in inventory.distributions.iter().enumerate() {
        by_name.entry(&distribution.normalized).or_default().push(index);
    }
    // The distributions that do for a requirement.
    let meeting = |needed: &Requirement| {
        let names = alternatives::of(&needed.name);
        names.filter_map(|name| by_name.get(name)).flatten().copied().collect::<Vec<_>>()
    };
    let judged = native_and_required(world, here, meeting);
    let absent = judged.into_iter().filter_map(|index| {
        let own = inventory.distributions.get(index)?;
        if world.distribution_shadowed_by(index).is_some() {
            return None;
        }
        let needed = own.requires.iter().filter(|needed| is_for(here, needed));
        let absent: Vec<&Requirement> =
            needed.filter(|needed| meeting(needed).is_empty()).collect();
        (!absent.is_empty()).then_some((index, own, absent))
    });
    let absent: Vec<_> = absent.collect();
    if absent.is_empty() || !is_known_whole(vfs, world) {
        return Vec::new();
    }
    absent
        .iter()
        .flat_map(|(index, own, absent)| imported(vfs, world, code, *index, own, absent))
        .collect()
}

/// The distributions with native code, and those that they require, directly or through others.
fn native_and_required(
    world: &World,
    here: MarkerEnvironment,
    meeting: impl Fn(&Requirement) -> Vec<usize>,
) -> BTreeSet<usize> {
    let all = &world.inventory.distributions;
    let native = world.inventory.objects.iter().filter_map(|object| object.distribution);
    let mut found: BTreeSet<usize> = native.collect();
    let mut next: Vec<usize> = found.iter().copied().collect();
    while let Some(own) = next.pop().and_then(|index| all.get(index)) {
        for needed in own.requires.iter().filter(|needed| is_for(here, needed)) {
            next.extend(meeting(needed).into_iter().filter(|&index| found.insert(index)));
        }
    }
    found
}

/// The findings about absent modules that a distribution imports.
fn imported(
    vfs: &dyn Vfs,
    world: &World,
    code: &PythonCode<'_>,
    index: usize,
    own: &Distribution,
    absent: &[&Requirement],
) -> Vec<Finding> {
    let mut by_module: BTreeMap<String, &Requirement> = BTreeMap::new();
    for needed in absent {
        let modules = import_names::modules_of(&needed.name).into_iter();
        for module in modules.filter(|module| !is_there(vfs, world, module)) {
            by_module.entry(module).or_insert(needed);
        }
    }
    let wanted: BTreeSet<&str> = by_module.keys().map(String::as_str).collect();
    let first = code.first_imports(&Maker::Distribution(index), &wanted).into_iter();
    // The code may write the name with other letters, and a module of that name may be installed.
    let first = first.filter(|(module, _)| !is_there(vfs, world, module));
    let mut first: BTreeMap<String, (PathBuf, Option<u32>)> =
        first.map(|(module, SourceLine { file, line })| (module, (file, Some(line)))).collect();
    let is_first = |name: &&str| first.keys().any(|module| module.eq_ignore_ascii_case(name));
    let rest = wanted.iter().copied().filter(|name| !is_first(name)).collect();
    let named = named_by_native_code(vfs, world, code, index, &rest).into_iter();
    first.extend(named.map(|(module, file)| (module, (file, None))));
    let found = first.into_iter().filter_map(|(module, (file, line))| {
        let mut wanted = by_module.iter();
        let (_, needed) = wanted.find(|(name, _)| name.eq_ignore_ascii_case(&module))?;
        let evidence = Evidence::Installed(Installed::NotThere {
            release: Release::of(own),
            name: needed.name.clone(),
            module,
            file: world.place(&file),
            line,
        });
        // Of several lines each is for another Python or another system.
        let is_one = absent.iter().filter(|other| other.name == needed.name).count() == 1;
        let specifier = if is_one { needed.specifier.as_str() } else { "" };
        let cure = Cure::Install(Install::Wanted(Wanted::new(&needed.name, specifier)));
        Some(fault(Cause::NotInstalled, &file, evidence, cure))
    });
    found.collect()
}

/// The modules among `wanted` whose names are whole constants in an extension module of a distribution, each with
/// that extension module, if the distribution's code fails without it, or if it is meant for the code of others.
/// Native code that is compiled from Python, or written for it, imports by such a constant. Together with the
/// requirements in the metadata this is more evidence than `pip check` uses. If the distribution's Python code does
/// not mention a required module, only its native code can use it, and the name may also be a part of a longer
/// constant, as Cython writes them.
fn named_by_native_code(
    vfs: &dyn Vfs,
    world: &World,
    code: &PythonCode<'_>,
    index: usize,
    wanted: &BTreeSet<&str>,
) -> BTreeMap<String, PathBuf> {
    let mut found = BTreeMap::new();
    let constants = Constants::new(vfs, MAX_CONSTANTS, MAX_CONSTANTS);
    let objects = world.inventory.objects.iter();
    let own = Maker::Distribution(index);
    let is_for_others = code.is_without_sources(&own);
    let (told, untold): (Vec<&str>, Vec<&str>) =
        wanted.iter().copied().partition(|name| code.mentions(&own, name));
    let whole: Vec<&[u8]> = told.iter().map(|name| name.as_bytes()).collect();
    let parts: Vec<&[u8]> = untold.iter().map(|name| name.as_bytes()).collect();
    let modules = objects
        .filter(|it| it.role == Role::ExtensionModule && it.distribution == Some(index))
        .filter(|it| is_for_others || matches!(code.reaction(it), Some(Reaction::Fails(_))));
    for module in modules.take_while(|_| !wanted.is_empty()) {
        let named = constants.named(module, &whole).unwrap_or_default().into_iter();
        let mentioned = constants.mentioned(module, &parts).into_iter();
        let named = named.filter_map(|at| told.get(at));
        for name in named.chain(mentioned.filter_map(|at| untold.get(at))) {
            found.entry((*name).to_owned()).or_insert_with(|| module.path.clone());
        }
    }
    found
}

/// Is a top-level module of that name installed, or part of Python itself?
fn is_there(vfs: &dyn Vfs, world: &World, module: &str) -> bool {
    let Some(environment) = &world.environment else { return false };
    let interpreters = environment.interpreters.iter();
    let mut standard = interpreters.filter_map(Interpreter::standard_library);
    let names = [module.to_owned(), format!("{module}.py"), format!("{module}.pyc")];
    standard_modules::may_be_built_in(module)
        || modules::find(vfs, environment, module.as_bytes()) != modules::Found::Absent
        || standard.any(|from| names.iter().any(|name| vfs.metadata(&from.join(name)).is_ok()))
        || world.inventory.objects.iter().any(|object| {
            let rest = object.name().strip_prefix(module.as_bytes());
            rest.is_some_and(|rest| rest.starts_with(b"."))
        })
}

/// Are all directories known that the interpreters of the environment import from? A `.pth` file may run code
/// that adds others, as a `sitecustomize` may.
fn is_known_whole(vfs: &dyn Vfs, world: &World) -> bool {
    let customized = |site: &PathBuf| {
        let modules = ["sitecustomize.py", "usercustomize.py"];
        modules.iter().any(|name| vfs.metadata(&site.join(name)).is_ok())
    };
    let adds = |pth: &PathBuf| !pth.file_name().is_some_and(installers::adds_no_directory);
    world.environment.as_ref().is_some_and(|environment| {
        environment.archives.is_empty()
            && environment.pth_too_long.is_empty()
            && !environment.pth_with_code.iter().any(adds)
            && !world.inventory.sites.iter().any(customized)
    })
}
