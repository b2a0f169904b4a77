//! Which copy of a library an object should get.

use crate::findings::finding::Cause;
use crate::hashing::QuickSet;
use crate::knowledge::tensorflow;
use crate::loader::Target;
use crate::python::distribution::Distribution;
use crate::vfs::{FileKind, Vfs};
use crate::world::World;
use crate::world::inventory::{Inventory, Object, stem_of};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A library that fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provider {
    /// The file under the requested name.
    pub path: PathBuf,
}

impl Provider {
    /// The directory that a search path has to name.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// The result of the choice among the copies of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Choice {
    /// This one.
    One(Provider),
    /// Several fit equally well.
    Several(Vec<Provider>),
    /// None fits.
    None,
}

/// Copies of a library, those nearer to `asking` first: of the same distribution, then of a
/// distribution that it requires, then any other.
#[must_use]
pub fn in_order(inventory: &Inventory, asking: &Object, copies: Vec<&Object>) -> Vec<PathBuf> {
    let mut copies = distinct(copies);
    copies.sort_by_cached_key(|copy| distance(inventory, asking, copy));
    copies.into_iter().map(|copy| copy.path.clone()).collect()
}

/// The first of them.
pub(super) fn nearest<'i>(
    inventory: &Inventory,
    asking: &Object,
    copies: Vec<&'i Object>,
) -> Option<&'i Object> {
    distinct(copies).into_iter().min_by_key(|copy| distance(inventory, asking, copy))
}

/// How near a copy is to `asking`.
fn distance(inventory: &Inventory, asking: &Object, copy: &Object) -> u8 {
    match inventory.distribution_of(asking).zip(inventory.distribution_of(copy)) {
        Some((own, other)) if own.normalized == other.normalized => 0,
        Some((own, other)) if World::requires(own, other) => 1,
        _ => 2,
    }
}

/// Chooses the copy of `name` for `asking`: of the same distribution, else of a distribution that
/// it requires, else the only one in the environment, else the first of `--search`. Of copies with the same
/// bytes, each is right, and the nearest is chosen.
#[must_use]
pub fn choose(
    vfs: &dyn Vfs,
    world: &World,
    search: &[PathBuf],
    asking: &Object,
    name: &[u8],
) -> Choice {
    let inventory = &world.inventory;
    let mut fitting: Vec<&Object> =
        inventory.named(name).filter(|provider| fits(provider, asking, name)).collect();
    fitting.retain(|provider| world.stay_together(&asking.path, &provider.path));
    let own = inventory.distribution_of(asking);
    let same_distribution = fitting.iter().filter(|provider| {
        asking.distribution.is_some() && provider.distribution == asking.distribution
    });
    let required = fitting.iter().filter(|provider| {
        own.zip(inventory.distribution_of(provider))
            .is_some_and(|(own, other)| World::requires(own, other))
    });
    let levels: [Vec<&Object>; 3] =
        [same_distribution.copied().collect(), required.copied().collect(), fitting.clone()];
    let searched = search
        .iter()
        .map(|directory| directory.join(OsStr::from_bytes(name)))
        .find(|path| vfs.metadata(path).is_ok_and(|metadata| metadata.kind == FileKind::File));
    let mut several = Vec::new();
    for level in levels {
        let copies = distinct(level);
        let provider = |copy: &Object| Provider { path: copy.path.clone() };
        match copies.as_slice() {
            [] => continue,
            [one] => return Choice::One(provider(one)),
            [first, others @ ..]
                if searched.is_none()
                    && others.iter().all(|other| world.twins.are_same(vfs, first, other)) =>
            {
                if let Some(nearest) = beside(own, asking, &copies, inventory) {
                    return Choice::One(provider(nearest));
                }
            }
            _ => {}
        }
        several = copies.into_iter().map(provider).collect();
        break;
    }
    match searched {
        Some(path) => Choice::One(Provider { path }),
        None if several.is_empty() => Choice::None,
        None => Choice::Several(several),
    }
}

/// The copy in the directory that is nearest to that of `asking`; the first of several, which are in the order of
/// their paths. Distributions that `asking` does not require may be removed at any time: their copies do not count.
fn beside<'i>(
    own: Option<&Distribution>,
    asking: &Object,
    copies: &[&'i Object],
    inventory: &Inventory,
) -> Option<&'i Object> {
    let is_lasting = |copy: &&&Object| {
        inventory.distribution_of(copy).is_none_or(|other| {
            own.is_some_and(|own| own.normalized == other.normalized || World::requires(own, other))
        })
    };
    let steps = |copy: &&&Object| {
        let both = copy.path.components().zip(asking.path.components());
        let shared = both.take_while(|(one, other)| one == other).count();
        copy.path.components().count() + asking.path.components().count() - 2 * shared
    };
    copies.iter().filter(is_lasting).min_by_key(steps).copied()
}

/// One copy for each file: the names of one file are one copy, and the first of them serves. The objects are
/// in the order of their paths, as an inventory has them.
fn distinct(objects: Vec<&Object>) -> Vec<&Object> {
    debug_assert!(objects.is_sorted_by(|a, b| a.path <= b.path), "an inventory is sorted");
    let mut files = QuickSet::default();
    objects.into_iter().filter(|object| files.insert(object.id)).collect()
}

/// Would the loader take `provider` for `name` on behalf of `asking`?
fn fits(provider: &Object, asking: &Object, name: &[u8]) -> bool {
    let (Some(has), Some(wants)) = (provider.elf(), asking.elf()) else { return false };
    let same_machine =
        has.class == wants.class && has.machine == wants.machine && has.endian == wants.endian;
    let same_soname = has.soname.as_deref().is_none_or(|soname| soname == name);
    let has_versions = wants.version_needs.iter().filter(|need| need.file == name).all(|need| {
        // A library without any version definition is accepted, as by the loader.
        has.version_definitions.as_ref().is_none_or(|defined| {
            need.versions.iter().all(|version| version.weak || defined.contains(&version.name))
        })
    });
    same_machine && same_soname && has_versions
}

/// Another version of the library in the tree, for the machine of `asking`: the same name up to `.so`,
/// another suffix.
#[must_use]
pub fn other_version<'a>(
    inventory: &'a Inventory,
    asking: &Object,
    name: &[u8],
) -> Option<&'a Object> {
    let stem = stem_of(name)?;
    let machine = asking.elf().map(Target::of);
    let mut objects =
        inventory.of_stem(stem).filter(|object| object.elf().map(Target::of) == machine);
    objects.find(|object| object.name() != name)
}

/// The cause that follows from a library's name alone.
#[must_use]
pub fn known_cause(library: &[u8]) -> Option<Cause> {
    tensorflow::is_driver_library(library).then_some(Cause::DriverMissing)
}
