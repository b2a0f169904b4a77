//! Objects that are judged with a target and repaired elsewhere, or not by a search path.

use crate::command_line::CommandLine;
use crate::findings::cure::{Cure, Search};
use crate::findings::finding::Finding;
use crate::object::Format;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::rpath_entry::relative_entry;
use std::path::Path;

/// Explains what helps if no entry can contain the directory of a library.
fn leave_unspellable(vfs: &dyn Vfs, world: &World, finding: &mut Finding) {
    let is_elf = world.inventory.at(&finding.object).is_some_and(|it| it.slices().is_empty());
    let Some(directory) = finding.lies_in.first().filter(|_| finding.fixable && is_elf) else {
        return;
    };
    let mut all = finding.lies_in.iter();
    if all.all(|to| relative_entry(vfs, Format::Elf, &finding.object, to).is_none()) {
        finding.cure = Cure::Search(Search::RenameDirectory(directory.clone()));
        finding.fixable = false;
    }
}

/// The target with which `fix` repairs an object that was not selected. An object outside of an environment is judged
/// with its own directory, so that the directory that also contains the library has to be named.
fn target_of_repair<'a>(world: &World, finding: &'a Finding) -> &'a Path {
    let object = finding.object.as_path();
    let library = finding.lies_in.first().filter(|_| world.environment.is_none());
    let contains = |above: &&Path| library.is_some_and(|library| library.starts_with(above));
    let own = object.parent().is_some_and(|own| library.is_none_or(|it| it.starts_with(own)));
    let around = object.ancestors().skip(1).find(contains).filter(|above| *above != Path::new("/"));
    around.filter(|_| !own).unwrap_or(object)
}

/// Explains how an object is repaired that is judged with the target and not edited, because it is
/// outside or was not selected.
pub(super) fn leave_to_others(vfs: &dyn Vfs, world: &World, finding: &mut Finding) {
    leave_unspellable(vfs, world, finding);
    if !finding.fixable || world.may_edit(&finding.object) {
        return;
    }
    let Some(outside) = world.outside_of(&finding.object) else {
        if !world.named.is_empty() && world.inventory.at(&finding.object).is_some() {
            finding.fixable = false;
            let target = target_of_repair(world, finding);
            finding.cure = Cure::Command(CommandLine::new(["fix"]).argument(target));
        }
        return;
    };
    let mut fix = CommandLine::new(["fix"]).argument(outside);
    if let Some(directory) = finding.lies_in.first()
        && let (Ok(directory), Ok(outside)) =
            (vfs.canonicalize(directory), vfs.canonicalize(outside))
        && !directory.starts_with(outside)
    {
        fix = fix.option("--search", directory).argument("--allow-absolute");
    }
    finding.fixable = false;
    finding.cure = Cure::Command(fix);
}
