//! Libraries that Python code opens by their names alone: `ctypes.CDLL("libx.so.1")` asks from Python's own
//! module, which has no search path that leads into packages.
//!
//! Code is read only of distributions that have libraries and no extension module, which would load them: what they
//! have is opened by code. An error takes that the call is made whenever the package is imported, without a guard.

use crate::diagnosis::load_report::Seen;
use crate::findings::cure::{Cure, Search};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::opening::Opening;
use crate::findings::finding::{Cause, Finding, fault};
use crate::loader::Resolution;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::makers::Maker;
use crate::world::program::Program;
use crate::world::python_code::PythonCode;
use std::collections::{BTreeMap, BTreeSet};

/// The findings about distributions whose code opens a library of theirs that the loader does not find.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    programs: &[Program<'_>],
    seen: &Seen,
) -> Vec<Finding> {
    let objects = &world.inventory.objects;
    let modules = objects.iter().filter(|object| object.role == Role::ExtensionModule);
    let with_modules: BTreeSet<usize> = modules.filter_map(|module| module.distribution).collect();
    let mut unled: BTreeMap<usize, Vec<&Object>> = BTreeMap::new();
    for object in objects.iter().filter(|object| seen.may_be_plugin(object)) {
        if let Some(distribution) = object.distribution.filter(|it| !with_modules.contains(it)) {
            unled.entry(distribution).or_default().push(object);
        }
    }
    let code = PythonCode::new(vfs, world);
    let mut found = Vec::new();
    for (distribution, libraries) in unled {
        let opened = code.opened_by_name(&Maker::Distribution(distribution));
        for (name, line) in &opened {
            let is_it = |library: &&&Object| library.name() == name.as_bytes();
            let Some(library) = libraries.iter().find(is_it) else { continue };
            let Some(answer) = asked(programs, library, name) else { continue };
            if answer.root.found.is_some() || is_loaded(world, seen, name) {
                continue;
            }
            let directory = library.directory().to_owned();
            let evidence = Evidence::Opening(Opening::ByCode {
                file: world.place(&line.file),
                line: line.line,
                library: name.clone().into_bytes(),
                directory: world.place(&directory),
            });
            let cure = Cure::Search(Search::LibraryPath(directory.clone()));
            found.push(Finding {
                library: Some(name.clone().into_bytes()),
                lies_in: vec![directory],
                tried: answer.root.tried.steps().collect(),
                ..fault(Cause::DlopenPathMissing, &library.path, evidence, cure)
            });
        }
    }
    found
}

/// What comes of opening a name in the process of the interpreter that the library is for. Python's own module
/// asks, whose search path is that of the interpreter at most.
fn asked(programs: &[Program<'_>], library: &Object, name: &str) -> Option<Resolution> {
    let program = programs.iter().find(|program| program.runs(library))?;
    let main = program.main.as_ref()?;
    let path = &main.objects.first()?.path;
    program.loader.find(&[main], path, name.as_bytes())
}

/// Do modules lead to a library that is known by that name? Then it may be loaded already.
fn is_loaded(world: &World, seen: &Seen, name: &str) -> bool {
    let name = name.as_bytes();
    let mut copies = world.inventory.known_as(name).filter(|copy| copy.soname() == name);
    copies.any(|copy| seen.leads_to(copy))
}
