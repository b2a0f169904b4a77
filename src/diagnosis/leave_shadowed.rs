//! Findings about modules that no import reaches, because another package or module of the same name comes first.
//! Nothing fails for these, whatever is wrong with them.

use super::load_report::{Missing, Seen};
use crate::findings::cure::Cure;
use crate::findings::evidence::Evidence;
use crate::findings::finding::Finding;
use crate::world::{Place, World};
use std::collections::BTreeSet;
use std::path::Path;

/// Marks such a finding as only worth knowing, and names what is imported instead.
pub(super) fn leave_shadowed(world: &World, seen: &Seen, finding: &mut Finding) {
    if let Some(instead) = instead(world, seen, finding) {
        finding.is_optional = true;
        finding.fixable = false;
        finding.cure = Cure::Shadowed(Place::on_disk(instead));
    }
}

fn instead<'w>(world: &'w World, seen: &Seen, finding: &Finding) -> Option<&'w Path> {
    let object = finding.object.as_path();
    let question = finding.library.as_ref().map(|library| (object.to_owned(), library.clone()));
    if let Some(missing) = question.and_then(|question| seen.missing.get(&question)) {
        return instead_of_roots(world, missing);
    }
    // What a module that is imported loads is used, wherever it is.
    if world.inventory.at(object).is_some_and(|object| seen.leads_to(object)) {
        return None;
    }
    let owners = world.owners.of(object);
    let owners: BTreeSet<usize> = owners.iter().map(|owner| owner.distribution).collect();
    let only = owners.first().filter(|_| owners.len() == 1);
    let of_whole = || only.and_then(|&index| world.distribution_shadowed_by(index));
    match finding.evidence {
        Evidence::Installed(_) => of_whole(),
        _ => world.shadowed_by(object).or_else(of_whole),
    }
}

/// What is imported instead of all objects that load one which lacks a library.
fn instead_of_roots<'w>(world: &'w World, missing: &Missing) -> Option<&'w Path> {
    if missing.interpreter.is_some() || missing.program.is_some() || missing.is_named {
        return None;
    }
    let each: Option<Vec<&Path>> =
        missing.roots.iter().map(|root| world.shadowed_by(root)).collect();
    each?.into_iter().next()
}
