//! Files that cannot be read, and modules that no interpreter of the target can load.

use crate::findings::cure::{Cure, Install, Reinstall};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::file::File;
use crate::findings::finding::{Cause, Finding, fault};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::Role;
use crate::world::program::Program;
use crate::world::unreadable::{Unreadable, Why};
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;

/// The most unreadable places with a finding of their own. If there are more, a whole tree is
/// affected, and one more finding counts the rest.
const MAX_UNREADABLE: usize = 1000;

/// The findings about what could not be read.
pub(crate) fn unreadable(vfs: &dyn Vfs, world: &World) -> Vec<Finding> {
    let all = &world.inventory.unreadable;
    // A text in place of a link is reported with the object that needs it.
    let is_told = |it: &&Unreadable| !matches!(it.why, Why::Flattened(_));
    let meant = all.iter().filter(|it| world.is_meant(&it.path)).filter(is_told);
    let meant: Vec<&Unreadable> = meant.collect();
    let (own, rest) = meant.split_at(meant.len().min(MAX_UNREADABLE));
    let finding = |unreadable: &Unreadable, more: usize| {
        let Unreadable { path, why } = unreadable;
        let (file, why) = (world.place(path), why.clone());
        let cure = cure_of(world, path, &why);
        let evidence = match more {
            0 | 1 => File::Unreadable { file, why },
            files => File::MoreUnreadable { files, file, why },
        };
        fault(Cause::Unreadable, path, Evidence::File(evidence), cure)
    };
    let mut findings: Vec<Finding> = own.iter().map(|it| finding(it, 0)).collect();
    findings.extend(rest.first().map(|first| finding(first, rest.len())));
    findings.extend(not_executable(vfs, world).iter().map(|it| finding(it, 0)));
    findings
}

/// The first object on each file system that is mounted `noexec`.
fn not_executable(vfs: &dyn Vfs, world: &World) -> Vec<Unreadable> {
    let mut seen = BTreeSet::new();
    let objects = world.inventory.objects.iter().filter(|object| world.is_meant(&object.path));
    let first = objects.filter(|object| seen.insert(object.id.0));
    let forbidden = first.filter(|object| vfs.is_noexec(&object.path));
    forbidden.map(|it| Unreadable { path: it.path.clone(), why: Why::NoExec }).collect()
}

/// The fix for a place that cannot be read.
fn cure_of(world: &World, path: &Path, why: &Why) -> Cure {
    match why {
        Why::Io(error) if error.kind == ErrorKind::PermissionDenied => Cure::RunAsReader,
        Why::NoExec => Cure::AllowCode,
        Why::LfsPointer => Cure::Reinstall(Reinstall::FromGitLfs),
        Why::Dangling(_) | Why::Loop => Cure::Reinstall(Reinstall::OrUnlink),
        Why::Io(_) | Why::TooLong(_) | Why::Malformed(_) | Why::NoObject(_) | Why::Flattened(_) => {
            Cure::reinstall_owner(world, path, Reinstall::Distribution)
        }
    }
}

/// Extension modules that no interpreter of the target can load. Many wheels contain libraries and
/// programs of other processors as data, and nothing loads them.
pub(crate) fn wrong_arch<'a>(
    world: &'a World,
    programs: &'a [Program<'_>],
) -> impl Iterator<Item = Finding> + 'a {
    let modules =
        world.inventory.objects.iter().filter(|object| object.role == Role::ExtensionModule);
    // Other programs of the target may be for other processors, and import nothing.
    let are_interpreters = programs.iter().any(|program| program.main.is_some());
    let imports = move |program: &&Program<'_>| program.main.is_some() || !are_interpreters;
    let others = modules
        .filter(move |module| !programs.iter().filter(imports).any(|program| program.fits(module)));
    others.filter_map(|module| {
        let architecture = module.elf()?.architecture();
        let object = world.place(&module.path);
        let evidence = Evidence::File(File::OtherProcessor { object, architecture });
        Some(fault(
            Cause::WrongArch,
            &module.path,
            evidence,
            Cure::Install(Install::WheelFor(None)),
        ))
    })
}
