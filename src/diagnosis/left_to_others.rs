//! Objects that are judged with a target and repaired elsewhere.

use crate::command_line::CommandLine;
use crate::findings::cure::Cure;
use crate::findings::finding::Finding;
use crate::vfs::Vfs;
use crate::world::World;

/// Explains how an object is repaired that is judged with the target and not edited, because it is
/// outside or was not selected.
pub(super) fn leave_to_others(vfs: &dyn Vfs, world: &World, finding: &mut Finding) {
    if !finding.fixable || world.may_edit(&finding.object) {
        return;
    }
    let Some(outside) = world.outside_of(&finding.object) else {
        if !world.named.is_empty() && world.inventory.at(&finding.object).is_some() {
            finding.fixable = false;
            finding.cure = Cure::Command(CommandLine::new(["fix"]).argument(&finding.object));
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
