//! The distribution that a missing library belongs to, if the distribution of the object that needs it requires one
//! that is not installed. Distributions of libraries alone have no module that the code could import.

use super::load_report::Missing;
use crate::bytes::printable;
use crate::findings::cure::Wanted;
use crate::knowledge::alternatives;
use crate::knowledge::packages::{self, Shipped};
use crate::python::distribution::{Requirement, normalized};
use crate::python::sources::Holds;
use crate::python::sources::markers::{self, MarkerEnvironment};
use crate::world::World;
use crate::world::inventory::Object;
use std::path::Path;

/// The shortest part of a name by which a library is attributed to a distribution.
const MIN_PART: usize = 3;

/// The requirement that brings a library: the one that has a part of its name in common with it, such as `qt6`; or
/// that the tables name; or the only one, if the tables do not know the library.
pub(super) fn requirement(world: &World, asking: &Object, library: &[u8]) -> Option<Wanted> {
    let absent = absent(world, asking);
    let shipper = packages::shipper(library);
    let by_name = named_like(&absent, library).or_else(|| match &shipper {
        Some(Shipped::Distribution { distribution, .. }) => {
            let own = |needed: &&&Requirement| is_called(distribution, &needed.name);
            absent.iter().find(own).copied()
        }
        Some(_) => None,
        None => match absent[..] {
            [only] => Some(only),
            _ => None,
        },
    });
    by_name.map(Wanted::of)
}

/// The same, if the only copy of a library is of a distribution that is not required: it does not stand for the
/// one that is.
pub(super) fn instead_of(world: &World, missing: &Missing, copy: &Path) -> Option<Wanted> {
    let inventory = &world.inventory;
    let own = inventory.distribution_of(&missing.asking)?;
    let other = inventory.distribution_of(inventory.at(copy)?)?;
    if own.normalized == other.normalized || World::requires(own, other) {
        return None;
    }
    let absent = absent(world, &missing.asking);
    named_like(&absent, &missing.dependency.name).map(Wanted::of)
}

/// What the distribution of an object requires on this system, extras aside, and what is not installed.
fn absent<'w>(world: &'w World, asking: &Object) -> Vec<&'w Requirement> {
    let inventory = &world.inventory;
    let Some(own) = inventory.distribution_of(asking) else { return Vec::new() };
    let interpreters = world.environment.iter().flat_map(|it| &it.interpreters);
    let here = MarkerEnvironment {
        is_macos: asking.elf().is_none(),
        python: interpreters.map(|it| it.version).next(),
    };
    let is_installed = |name: &str| {
        let mut all = inventory.distributions.iter();
        all.any(|installed| alternatives::meets(&installed.normalized, name))
    };
    let absent = own.requires.iter().filter(|needed| !is_installed(&needed.name));
    absent.filter(|needed| is_for(here, needed)).collect()
}

/// Does a requirement apply to this system and this Python, and not to an extra, which may not have been
/// requested?
pub(super) fn is_for(here: MarkerEnvironment, needed: &Requirement) -> bool {
    let Some(marker) = needed.marker.as_ref() else { return true };
    !marker.contains("extra") && markers::holds(marker, here) != Holds::Never
}

/// The only requirement whose name has a part that is also in the name of a library.
fn named_like<'w>(absent: &[&'w Requirement], library: &[u8]) -> Option<&'w Requirement> {
    let library = printable(library).to_lowercase();
    let name = library.split(".so").next().unwrap_or(&library);
    let name = name.strip_prefix("lib").unwrap_or(name);
    let is_like = |needed: &&&Requirement| {
        let parts = needed.name.split(['-', '.']);
        let mut parts = parts
            .filter(|part| part.len() >= MIN_PART && part.chars().any(|c| c.is_ascii_alphabetic()));
        parts.any(|part| name.contains(part))
    };
    let mut like = absent.iter().filter(is_like);
    let first = like.next()?;
    like.next().is_none().then_some(*first)
}

/// Is it that distribution? The tables quote a name that has a version.
fn is_called(distribution: &str, name: &str) -> bool {
    let plain = distribution.trim_matches('\'').split(['<', '>', '=', '!', '~', ' ', '[']);
    plain.into_iter().next().is_some_and(|plain| normalized(plain) == name)
}
