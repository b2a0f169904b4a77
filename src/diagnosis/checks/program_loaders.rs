//! Programs of the target whose dynamic loader does not exist, so that the kernel does not start them.

use crate::diagnosis::checks::interpreters;
use crate::findings::cure::{Cure, Install};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::need::{Lacking, Need, Supply};
use crate::findings::evidence::variable::Absent;
use crate::findings::finding::{Cause, Finding, fault};
use crate::python::interpreter::{Program as Named, program};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::program::Program;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The findings about programs for the machine of an interpreter here. Those for other machines are data. One
/// that neither users nor scripts start, as `is_started` says, is only worth knowing.
pub(crate) fn findings(
    vfs: &dyn Vfs,
    world: &World,
    programs: &[Program<'_>],
    is_started: impl Fn(&Path) -> bool,
) -> Vec<Finding> {
    // The user has chosen which loader is used instead.
    if world.settings.libc.is_some() || !world.has_interpreter() {
        return Vec::new();
    }
    let is_for_here = |object: &Object| programs.iter().any(|it| it.is_interpreter_for(object));
    let objects = world.inventory.objects.iter().filter(|it| it.role == Role::Executable);
    let objects = objects.filter(|it| !interpreters::is_one(world, &it.path) && is_for_here(it));
    let found = objects.filter_map(|object| {
        let loader = object.elf()?.interpreter.as_ref()?;
        let path = Path::new(OsStr::from_bytes(loader));
        if !matches!(program(vfs, path), Named::Missing { .. }) {
            return None;
        }
        let nowhere = Supply::Lacking(Lacking::Nowhere { absent: Absent::default() });
        let evidence = Evidence::Need(Need::new(world.place(&object.path), loader, nowhere));
        let cure = Cure::Install(Install::WhatShips(loader.clone()));
        Some(Finding {
            library: Some(loader.clone()),
            is_optional: !is_started(&object.path),
            ..fault(Cause::NotInstalled, &object.path, evidence, cure)
        })
    });
    found.collect()
}
