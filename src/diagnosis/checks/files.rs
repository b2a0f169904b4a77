//! Files that cannot be read, and modules that no interpreter of the target can load.

use crate::findings::cure::{Cure, Install, Reinstall};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::file::File;
use crate::findings::finding::{Cause, Finding, fault};
use crate::loader::Libc;
use crate::loader::tokens::has_token;
use crate::python::tags;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::program::Program;
use crate::world::python_code::{PythonCode, Reaction};
use crate::world::unreadable::{Unreadable, Why};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The most unreadable places with a finding of their own. If there are more, a whole tree is
/// affected, and one more finding counts the rest.
const MAX_UNREADABLE: usize = 1000;

/// The findings about what could not be read.
pub(crate) fn unreadable(vfs: &dyn Vfs, world: &World, programs: &[Program<'_>]) -> Vec<Finding> {
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
    findings.extend(behind_token(world, programs).iter().map(|it| finding(it, 0)));
    findings
}

/// The first extension module whose path has a token in it. glibc expands these in every path that a program
/// opens (`_dl_map_object` in elf/dl-load.c), so Python cannot import any module below that directory.
fn behind_token(world: &World, programs: &[Program<'_>]) -> Option<Unreadable> {
    let expands = |it: &&Program<'_>| it.main.is_some() && it.loader.system().libc == Libc::Glibc;
    let mut imported = programs.iter().filter(expands).flat_map(|program| {
        let objects = world.inventory.objects.iter();
        objects.filter(|object| object.role == Role::ExtensionModule && program.runs(object))
    });
    let first = imported.find(|object| has_token(object.path.as_os_str().as_bytes()))?;
    Some(Unreadable { path: first.path.clone(), why: Why::Token })
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
        Why::Token => Cure::RenameDirectory,
        Why::LfsPointer => Cure::Reinstall(Reinstall::FromGitLfs),
        Why::Dangling(_) | Why::Loop => Cure::Reinstall(Reinstall::OrUnlink),
        Why::Io(_)
        | Why::TooLong(_)
        | Why::Malformed(_)
        | Why::NoObject(_)
        | Why::Flattened(_)
        | Why::Refused(_) => Cure::reinstall_owner(world, path, Reinstall::Distribution),
    }
}

/// Extension modules that no interpreter of the target can load, and the first library of each distribution of
/// which all native code is for other processors, as its own tags say or its code needs it. Many wheels contain
/// libraries and programs of other processors as data, and nothing loads them.
pub(crate) fn wrong_arch(vfs: &dyn Vfs, world: &World, programs: &[Program<'_>]) -> Vec<Finding> {
    // Other programs of the target may be for other processors, and import nothing.
    let are_interpreters = programs.iter().any(|program| program.main.is_some());
    let imports = |program: &&Program<'_>| program.main.is_some() || !are_interpreters;
    let is_foreign =
        |object: &&Object| !programs.iter().filter(imports).any(|program| program.fits(object));
    let objects = world.inventory.objects.iter();
    let modules = objects.clone().filter(|it| it.role == Role::ExtensionModule).filter(is_foreign);
    // The first library of each distribution; `None` once something of it is for an interpreter here.
    let mut distributions: BTreeMap<usize, Option<&Object>> = BTreeMap::new();
    for object in objects.filter(|object| are_interpreters && object.elf().is_some()) {
        let Some(index) = object.distribution else { continue };
        let is_other = object.role == Role::Library && is_foreign(&object);
        let first = distributions.entry(index).or_insert(Some(object));
        *first = first.filter(|_| is_other);
    }
    let libraries = distributions.into_iter().filter_map(|(index, first)| Some((index, first?)));
    let code = PythonCode::new(vfs, world);
    let is_needed = |index: usize, library: &Object| {
        let distribution = world.inventory.distributions.get(index);
        let tags = distribution.map(|it| tags::tags(vfs, it)).unwrap_or_default();
        !tags.is_empty() && tags.iter().all(|tag| tag.platform != "any")
            || matches!(code.reaction(library), Some(Reaction::Fails(_)))
    };
    let libraries = libraries.filter(|(index, library)| is_needed(*index, library));
    let all = modules.chain(libraries.map(|(_, library)| library));
    let found = all.filter_map(|object| {
        let architecture = object.elf()?.architecture();
        let place = world.place(&object.path);
        let evidence = Evidence::File(File::OtherProcessor { object: place, architecture });
        let cure = Cure::Install(Install::WheelFor(None));
        Some(fault(Cause::WrongArch, &object.path, evidence, cure))
    });
    found.collect()
}
