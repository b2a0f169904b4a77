//! What an object wants of the memory of a program that runs already: static thread-local storage,
//! of which little is left, and a stack that can be executed.

use crate::bytes::shown;
use crate::diagnosis::load_report::{Opened, Seen};
use crate::elf::Summary;
use crate::findings::finding::fault;
use crate::findings::finding::{Cause, Finding};
use crate::loader::{STATIC_TLS_ROUNDING, Settings};
use crate::world::World;
use crate::world::inventory::Role;
use crate::world::program::Program;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The findings about what programs open.
#[must_use]
pub fn findings(world: &World, programs: &[Program<'_>], seen: &Seen) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let opened: Vec<&Opened> =
            seen.opened.iter().filter(|opened| opened.program == number).collect();
        found.extend(executable_stacks(world, program, &opened));
        // Without a program nothing tells what is laid out when it starts.
        if program.main.is_some() {
            found.extend(static_storage(world, program, &opened));
        }
    }
    found
}

/// The objects that ask for an executable stack, where the program has none.
fn executable_stacks(world: &World, program: &Program<'_>, opened: &[&Opened]) -> Vec<Finding> {
    let started = program.main.iter().flat_map(|main| main.objects.first());
    if started.into_iter().any(|main| main.summary.wants_executable_stack()) {
        return Vec::new();
    }
    let system = program.loader.system();
    let tunable = world.settings.tunable("glibc.rtld.execstack");
    // Loaders of other C libraries do not look at it.
    let Some(is_granted) = system.grants_executable_stack(tunable) else { return Vec::new() };
    let mut asking: BTreeMap<&Path, &Arc<Summary>> = BTreeMap::new();
    for (path, summary) in opened.iter().flat_map(|opened| &opened.wanting) {
        if summary.wants_executable_stack() {
            asking.insert(path, summary);
        }
    }
    let is_fatal = !is_granted && program.main.is_some();
    let found = asking.into_iter().map(|(path, summary)| {
        let object = world.shown(path);
        let asks = match summary.stack_flags {
            Some(_) => format!("{object} asks for an executable stack"),
            None => format!("{object} does not say what stack it needs, so an executable one"),
        };
        let message = match system.version {
            Some((major, minor)) if !is_granted => {
                format!("{asks}; glibc {major}.{minor} is here, which refuses that since 2.41")
            }
            _ => format!("{asks}; glibc 2.41 and later refuse to open it"),
        };
        let cure = format!(
            "install a release of {} that asks for none; or patchelf --clear-execstack {object}",
            maker(world, path)
        );
        Finding { is_fatal, ..fault(Cause::ExecStack, path, message, &cure) }
    });
    found.collect()
}

/// The objects for whose static thread-local storage there is no room, each by itself or all
/// together.
fn static_storage(world: &World, program: &Program<'_>, opened: &[&Opened]) -> Vec<Finding> {
    let Some(surplus) = surplus(program, &world.settings) else { return Vec::new() };
    let mut found = Vec::new();
    let mut together: BTreeMap<&PathBuf, u64> = BTreeMap::new();
    for opened in opened {
        let wanting: BTreeMap<&PathBuf, u64> = opened
            .wanting
            .iter()
            .filter_map(|(path, summary)| Some((path, summary.static_tls?)))
            .collect();
        let wanted = total(&wanting);
        if wanted < surplus.saturating_add(STATIC_TLS_ROUNDING) {
            together.extend(wanting);
            continue;
        }
        let root = world.shown(&opened.root);
        let who = match wanting.len() {
            1 if wanting.contains_key(&opened.root) => root,
            _ => format!("{root} and what it loads"),
        };
        let message = format!(
            "{who} want {wanted} bytes of static thread-local storage; a running program has {surplus}"
        );
        let largest = wanting.into_iter().max_by_key(|(_, size)| *size);
        let path = largest.map_or(&opened.root, |(path, _)| path);
        let cure = at_start(path, wanted);
        let finding = fault(Cause::StaticTls, &opened.root, message, &cure);
        // Nobody imports a library by itself: it may be for LD_PRELOAD alone, which lays it out at start.
        let is_optional = world.is_imported()
            && !world.is_named(&opened.root)
            && world.inventory.at(&opened.root).is_some_and(|it| it.role == Role::Library);
        found.push(Finding { is_fatal: true, is_optional, ..finding });
    }
    let wanted = total(&together);
    if wanted > surplus
        && let Some((path, _)) = together.iter().max_by_key(|(_, size)| **size)
    {
        let objects = together.len();
        let message = format!(
            "{objects} objects want {wanted} bytes of static thread-local storage together; a running \
             program has {surplus}, so what is imported last fails"
        );
        let cure = at_start(path, wanted);
        found.push(fault(Cause::StaticTls, path, message, &cure));
    }
    found
}

fn surplus(program: &Program<'_>, settings: &Settings) -> Option<u64> {
    let optional = settings.tunable("glibc.rtld.optional_static_tls");
    program.loader.system().static_tls_surplus(optional)
}

fn total(wanting: &BTreeMap<&PathBuf, u64>) -> u64 {
    wanting.values().fold(0, |sum, &size| sum.saturating_add(size))
}

/// How the loader lays storage out when the program starts, or leaves more room.
fn at_start(object: &Path, wanted: u64) -> String {
    let enough = wanted.saturating_add(1023) / 1024 * 1024;
    format!(
        "LD_PRELOAD={} python …; or GLIBC_TUNABLES=glibc.rtld.optional_static_tls={enough}",
        shown(object)
    )
}

/// The distribution that an object belongs to, as it is called in a sentence.
fn maker(world: &World, object: &Path) -> String {
    let owner = world.inventory.at(object).and_then(|it| world.inventory.distribution_of(it));
    owner.map_or_else(|| "it".to_owned(), |owner| owner.name.clone())
}
