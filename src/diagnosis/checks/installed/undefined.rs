//! Symbols of extension modules that nothing defines which is loaded with them.
//!
//! The publisher of a module has imported it. Only modules that were built here or changed since are examined: those
//! that no RECORD lists as they are; and those that were named.

use crate::diagnosis::load_report::Seen;
use crate::diagnosis::loaded::Loaded;
use crate::diagnosis::open_symbols::OpenSymbols;
use crate::findings::cure::{Cure, Install};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::symbols::Symbols;
use crate::findings::finding::{Cause, Finding, fault};
use crate::loader::FileId;
use crate::python::sources::{Opened, Opening};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::program::Program;
use crate::world::python_code::PythonCode;
use std::collections::BTreeSet;
use std::path::Path;

/// Which modules are examined besides those that no RECORD lists, and those that were named.
pub(super) struct Suspects<'a> {
    /// Objects that were changed after their installation.
    pub(super) changed: BTreeSet<&'a Path>,
    /// Is it every module?
    pub(super) is_any: bool,
}

/// The findings. `code` opens libraries before modules; the objects of `told` have a finding about their symbols
/// already.
pub(super) fn findings(
    vfs: &dyn Vfs,
    world: &World,
    programs: &[Program<'_>],
    seen: &Seen,
    code: &PythonCode<'_>,
    suspects: &Suspects<'_>,
    told: impl Fn(&Object) -> bool,
) -> Vec<Finding> {
    let objects = world.inventory.objects.iter();
    let changed = objects.filter(|object| {
        let path = object.path.as_path();
        object.role == Role::ExtensionModule
            && seen.complete.contains(path)
            && (suspects.is_any
                || suspects.changed.contains(path)
                || world.is_named(path)
                || world.owners.of(path).is_empty())
            && !told(object)
    });
    let modules: Vec<(&Object, &Program<'_>, Loaded)> = changed
        .filter_map(|object| {
            // Without an interpreter it is not known what that one defines.
            let runs = |program: &&Program<'_>| program.main.is_some() && program.runs(object);
            let program = programs.iter().find(runs)?;
            let loaded = seen.loaded_with(object)?;
            Some((object, program, loaded)).filter(|(_, _, loaded)| !loaded.lacks_version)
        })
        .collect();
    let paths: Vec<&Path> = modules.iter().map(|(object, _, _)| object.path.as_path()).collect();
    let mut open = OpenSymbols::of(vfs, &paths, |_, _| true);
    let loaded = modules.iter().map(|(_, program, loaded)| {
        let main = program.main.iter().flat_map(|main| &main.objects);
        let main = main.map(|object| (object.id, &*object.real));
        main.chain(loaded.files.iter().map(|(id, file)| (*id, &**file))).collect::<Vec<_>>()
    });
    open.look_in(vfs, &loaded.collect::<Vec<_>>());
    // What another object defines may be there if that one was loaded globally, as the documents of its package say.
    // What an installer put there needs nothing of the kind, or its own code sees to that.
    let others = all_files(world);
    let others = modules.iter().map(|(object, ..)| match world.owners.of(&object.path) {
        [] => others.as_slice(),
        _ => &[],
    });
    open.look_in(vfs, &others.collect::<Vec<_>>());
    let unsettled = modules.iter().enumerate().filter(|(index, _)| !open.is_settled(*index));
    // A library of the system, opened globally before the module, may define them.
    let unled = unsettled.filter(|(_, (object, ..))| {
        let is_elsewhere = |(it, _): &(Opening, _)| !matches!(it.what, Opened::Beside(_));
        !code.opened_before(object).iter().any(is_elsewhere)
    });
    unled.map(|(index, (object, ..))| finding(world, object, open.names(index))).collect()
}

/// The libraries and modules of a target.
fn all_files(world: &World) -> Vec<(FileId, &Path)> {
    let objects = world.inventory.objects.iter();
    let loadable = objects.filter(|it| it.role != Role::Executable && it.elf().is_some());
    loadable.map(|object| (object.id, object.path.as_path())).collect()
}

fn finding(world: &World, object: &Object, symbols: Vec<Vec<u8>>) -> Finding {
    let evidence = Evidence::Symbols(Symbols::Nowhere { object: world.place(&object.path) });
    let cure = match world.inventory.distribution_of(object) {
        Some(own) => Cure::reinstall(own),
        None => Cure::Install(Install::LinkedAgain),
    };
    Finding { symbols, ..fault(Cause::MissingSymbol, &object.path, evidence, cure) }
}
