//! What an object needs from the memory of a running program: static thread-local storage, of which
//! little is left, and an executable stack.

use crate::diagnosis::load_report::{Opened, Seen};
use crate::elf::{Image, Summary, trampolines};
use crate::findings::cure::Cure;
use crate::findings::evidence::Evidence;
use crate::findings::evidence::memory::Memory;
use crate::findings::finding::{Cause, Finding, fault};
use crate::loader::{STATIC_TLS_ROUNDING, Settings};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::Role;
use crate::world::program::Program;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The findings about what programs open.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    programs: &[Program<'_>],
    seen: &Seen,
) -> Vec<Finding> {
    let mut found = Vec::new();
    for (number, program) in programs.iter().enumerate() {
        let opened: Vec<&Opened> =
            seen.opened.iter().filter(|opened| opened.program == number).collect();
        found.extend(executable_stacks(vfs, world, program, &opened));
        // Without a program it is not known what is loaded when it starts.
        if program.main.is_some() {
            found.extend(static_storage(world, program, &opened));
        }
    }
    found
}

/// The objects that need an executable stack, if the program has none.
fn executable_stacks(
    vfs: &dyn Vfs,
    world: &World,
    program: &Program<'_>,
    opened: &[&Opened],
) -> Vec<Finding> {
    let started = program.main.iter().flat_map(|main| main.objects.first());
    if started.into_iter().any(|main| main.summary.wants_executable_stack()) {
        return Vec::new();
    }
    let system = program.loader.system();
    let tunable = world.settings.tunable("glibc.rtld.execstack");
    // Loaders of other C libraries ignore it.
    let Some(is_granted) = system.grants_executable_stack(tunable) else { return Vec::new() };
    let mut asking: BTreeMap<&Path, &Arc<Summary>> = BTreeMap::new();
    for (path, summary) in opened.iter().flat_map(|opened| &opened.wanting) {
        if summary.wants_executable_stack() {
            asking.insert(path, summary);
        }
    }
    let is_fatal = !is_granted && program.main.is_some();
    let found = asking.into_iter().map(|(path, summary)| {
        let object = world.place(path);
        let writes_code = writes_code(vfs, path, summary);
        let owner = maker(world, path);
        // Where it is opened today, an object that needs its stack would crash without.
        let fixable = !is_granted && writes_code == Some(false) && world.may_edit(path);
        let cure = match (is_granted, fixable) {
            (true, _) => Cure::ClearExecutableStack { owner, object: object.clone() },
            (false, true) => Cure::Fix,
            (false, false) => Cure::GrantExecutableStack { owner },
        };
        let evidence = Evidence::Memory(Memory::ExecutableStack {
            object,
            is_asked: summary.stack_flags.is_some(),
            refused_by: system.version.filter(|_| !is_granted),
            writes_code: writes_code == Some(true),
        });
        Finding { is_fatal, fixable, ..fault(Cause::ExecStack, path, evidence, cure) }
    });
    found.collect()
}

/// Does the code of an object write functions to its stack? `None` if that is not known.
fn writes_code(vfs: &dyn Vfs, path: &Path, summary: &Summary) -> Option<bool> {
    if summary.architecture() != "x86_64" {
        return None;
    }
    let source = vfs.open(path).ok()?;
    trampolines::are_written(&Image::parse(source.as_ref()).ok()?).ok()
}

/// The objects for whose static thread-local storage there is no room, each alone or all together.
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
        let evidence = Evidence::Memory(Memory::StaticTls {
            object: world.place(&opened.root),
            is_alone: wanting.len() == 1 && wanting.contains_key(&opened.root),
            wanted,
            available: surplus,
        });
        let largest = wanting.into_iter().max_by_key(|(_, size)| *size);
        let path = largest.map_or(&opened.root, |(path, _)| path);
        let cure = Cure::LoadAtStart { object: path.clone(), wanted };
        let finding = fault(Cause::StaticTls, &opened.root, evidence, cure);
        // A library is not imported alone. It may be for LD_PRELOAD only, which loads it at start.
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
        let evidence = Memory::StaticTlsTogether { objects, wanted, available: surplus };
        let cure = Cure::LoadAtStart { object: PathBuf::clone(path), wanted };
        found.push(fault(Cause::StaticTls, path, Evidence::Memory(evidence), cure));
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

/// The distribution that an object belongs to, by the name that its metadata give it.
fn maker(world: &World, object: &Path) -> Option<String> {
    let owner = world.inventory.at(object).and_then(|it| world.inventory.distribution_of(it));
    owner.map(|owner| owner.name.clone())
}
