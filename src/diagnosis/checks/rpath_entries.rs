//! Duplicate entries of search paths, and entries that name missing directories.
//!
//! ld.so ignores both. TensorFlow's objects have hundreds of them, so for ELF objects they are only
//! reported if an object is named or `--tidy` is given. dyld refuses some, and for Mach-O objects they
//! are always reported ([`super::macos`]).

use crate::elf::Image;
use crate::elf::search_path;
use crate::findings::cure::{Cure, Search, Tidying};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::file::File;
use crate::findings::finding::{Cause, Finding, fault};
use crate::vfs::Vfs;
use crate::world::inventory::Object;
use crate::world::rpath_entry;
use crate::world::{Question, World};
use std::collections::HashSet;
use std::path::Path;

/// The findings about the ELF objects that were named, or about all with `--tidy`.
pub(crate) fn findings(vfs: &dyn Vfs, world: &World, question: &Question) -> Vec<Finding> {
    let objects = world.inventory.objects.iter();
    objects
        .filter(|object| object.elf().is_some())
        .filter(|object| question.tidy || world.is_named(&object.path))
        .flat_map(|object| of_object(vfs, world, object))
        .collect()
}

fn of_object(vfs: &dyn Vfs, world: &World, object: &Object) -> Vec<Finding> {
    // The file as it is now. It may have been edited since the walk.
    let Ok(source) = vfs.open(&object.path) else { return Vec::new() };
    let path = Image::parse(source.as_ref()).and_then(|image| search_path::current(&image));
    let Ok(Some(path)) = path else { return Vec::new() };
    let mut unique = HashSet::new();
    let twice = path.entries.iter().filter(|entry| !unique.insert(entry.as_slice())).count();
    let names = world.names_of(&object.path);
    let directories: Vec<&Path> = names.iter().filter_map(|name| name.parent()).collect();
    let is_dead = |entry: &&&[u8]| !rpath_entry::leads_somewhere(vfs, entry, &directories);
    let dead = unique.iter().filter(is_dead).count();
    let twice = (twice > 0).then(|| duplicates(world, &object.path, twice, false));
    twice.into_iter().chain(dead_ends(world, &object.path, dead)).collect()
}

/// The finding about duplicates of earlier entries; `is_fatal` if the loader refuses the object.
pub(crate) fn duplicates(world: &World, object: &Path, count: usize, is_fatal: bool) -> Finding {
    let file = world.place(object);
    let twice = File::DuplicateEntries { object: file, count, is_refused: is_fatal };
    let found =
        fault(Cause::DuplicateRpath, object, Evidence::File(twice), Cure::Search(Search::Dedupe));
    Finding { fixable: true, is_fatal, ..found }
}

/// The finding about `count` entries that name missing directories. A wheel has no such finding:
/// the files of other distributions are not installed yet.
pub(crate) fn dead_ends(world: &World, object: &Path, count: usize) -> Option<Finding> {
    (count > 0 && world.wheel.is_none()).then(|| {
        let evidence = Evidence::File(File::DeadEntries { object: world.place(object), count });
        let cure = Cure::NothingOr(Tidying::DeadEntries);
        Finding { fixable: true, ..fault(Cause::DeadRpath, object, evidence, cure) }
    })
}
