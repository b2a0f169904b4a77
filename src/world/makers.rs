//! The maker of an object, and what that requires: what is imported before the object follows from
//! that.

use super::World;
use super::inventory::Object;
use crate::hashing::{QuickMap, QuickSet};
use crate::knowledge::alternatives;
use crate::python::distribution::{Distribution, normalized};
use crate::python::record;
use crate::vfs::Vfs;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path};
use std::sync::OnceLock;

/// The maker of an object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Maker {
    /// A distribution, by its index in the inventory.
    Distribution(usize),
    /// A package that no distribution owns, such as one that was unpacked by hand: its directory's
    /// name,
    /// [`normalized`].
    Package(String),
}

/// All that a distribution requires, and what these require in turn.
#[derive(Debug, Default)]
pub struct Required {
    installed: BTreeSet<usize>,
    names: BTreeSet<String>,
}

impl Required {
    /// Are the objects of a maker among it?
    #[must_use]
    pub fn has(&self, maker: &Maker) -> bool {
        match maker {
            Maker::Distribution(index) => self.installed.contains(index),
            Maker::Package(name) => self.names.contains(name),
        }
    }
}

/// What belongs together, because one distribution requires it.
#[derive(Debug)]
pub struct Relations<'a> {
    world: &'a World,
    /// All distributions, each with what it requires.
    required: OnceLock<Vec<(Maker, Required)>>,
}

impl<'a> Relations<'a> {
    /// Nothing is read before it is asked for.
    #[must_use]
    pub fn new(world: &'a World) -> Self {
        Self { world, required: OnceLock::new() }
    }

    /// Does a distribution require two makers, directly or not, or is it one of them and requires the other?
    #[must_use]
    pub fn joins(&self, one: &Maker, other: &Maker) -> bool {
        let required = self.required.get_or_init(|| {
            let all = 0..self.world.inventory.distributions.len();
            all.map(|index| (Maker::Distribution(index), self.world.required_by(index))).collect()
        });
        required.iter().any(|(own, required)| {
            [one, other].into_iter().all(|maker| maker == own || required.has(maker))
        })
    }
}

impl World {
    /// The maker of an object; `None` if it is not in a package.
    #[must_use]
    pub fn maker(&self, object: &Object) -> Option<Maker> {
        if let Some(index) = object.distribution {
            return Some(Maker::Distribution(index));
        }
        let mut sites = self.inventory.sites.iter();
        let package = sites.find_map(|site| package_of(site, &object.path))?;
        Some(Maker::Package(normalized(&package)))
    }

    /// What a distribution requires. The requirements of an extra count if they are installed, since
    /// the extra was then requested. Markers are not evaluated: what they rule out is not installed.
    #[must_use]
    pub fn required_by(&self, distribution: usize) -> Required {
        let all = &self.inventory.distributions;
        let (mut required, mut next) = (Required::default(), vec![distribution]);
        while let Some(own) = next.pop().and_then(|index| all.get(index)) {
            for name in own.requires.iter().map(|needed| needed.name.as_str()) {
                if !required.names.insert(name.to_owned()) {
                    continue;
                }
                required.names.extend(alternatives::of(name).map(str::to_owned));
                for (index, other) in all.iter().enumerate() {
                    if alternatives::meets(&other.normalized, name)
                        && required.installed.insert(index)
                    {
                        next.push(index);
                    }
                }
            }
        }
        required
    }

    /// Is this directory imported from: by an interpreter of the target, or, if distributions are
    /// installed in it, by one outside?
    #[must_use]
    pub fn is_imported(&self) -> bool {
        self.has_interpreter() || self.wheel.is_none() && !self.inventory.distributions.is_empty()
    }

    /// Is an object the only native code of a distribution of Python code? Then its code opens it,
    /// for example with ctypes or cffi. Copies of libraries that a tool has added in `NAME.libs` do
    /// not count.
    #[must_use]
    pub fn is_only_code(&self, vfs: &dyn Vfs, object: &Object) -> bool {
        let Some(index) = object.distribution else { return false };
        let is_copied = |other: &Object| {
            let directory = other.directory().extension().and_then(OsStr::to_str);
            matches!(directory, Some("libs" | "dylibs")) || other.directory().ends_with(".dylibs")
        };
        let of_it = self.inventory.objects.iter().filter(|other| other.distribution == Some(index));
        let mut own = of_it.filter(|other| !is_copied(other));
        if own.any(|other| other.id != object.id) {
            return false;
        }
        let record = self.inventory.distributions.get(index).and_then(|it| it.read_record(vfs));
        record::rows(&record.unwrap_or_default()).map_while(Result::ok).any(|row| row.is_code())
    }

    /// Does a distribution directly require another one, by that name or by that of a replacement?
    #[must_use]
    pub fn requires(own: &Distribution, other: &Distribution) -> bool {
        // A distribution that names its own replacement, for example for another system, does not require
        // itself.
        own.requires.iter().any(|needed| alternatives::meets(&other.normalized, &needed.name))
            && own.location != other.location
    }

    /// Finds the owners of objects that were moved: an object that no RECORD lists, with the name and the
    /// length of a file that only one distribution lists, and that is missing.
    pub(super) fn name_owners_of_moved(&mut self, vfs: &dyn Vfs) {
        let unlisted = self.inventory.objects.iter().filter(|it| it.distribution.is_none());
        let names: QuickSet<&[u8]> = unlisted.map(Object::name).collect();
        if names.is_empty() {
            return;
        }
        let mut gone: QuickMap<(&[u8], u64), BTreeSet<usize>> = QuickMap::default();
        for (path, owners) in self.owners.files() {
            let name = path.file_name().unwrap_or_default().as_bytes();
            if !names.contains(name) || vfs.symlink_metadata(path).is_ok() {
                continue;
            }
            for owner in owners {
                let Some(len) = owner.size else { continue };
                gone.entry((name, len)).or_default().insert(owner.distribution);
            }
        }
        let owner = |object: &Object| {
            let len = vfs.metadata(&object.path).ok()?.len;
            let owners = gone.get(&(object.name(), len))?;
            owners.first().copied().filter(|_| owners.len() == 1)
        };
        let is_unlisted = |object: &Object| object.distribution.is_none() && !gone.is_empty();
        let all = self.inventory.objects.iter();
        let owners = all.map(|object| is_unlisted(object).then(|| owner(object)).flatten());
        let owners: Vec<Option<usize>> = owners.collect();
        for (object, owner) in self.inventory.objects.iter_mut().zip(owners) {
            object.distribution = object.distribution.or(owner);
        }
    }

    /// Finds the owners of packages whose distributions have no RECORD: by their `top_level.txt`, else
    /// by their names.
    pub(super) fn name_owners_without_records(&mut self, vfs: &dyn Vfs) {
        let all = &self.inventory.distributions;
        let unlisted: Vec<(usize, &Distribution, BTreeSet<Vec<u8>>)> = all
            .iter()
            .enumerate()
            .filter(|(_, found)| vfs.metadata(&found.record()).is_err())
            .map(|(index, found)| (index, found, found.top_level(vfs)))
            .collect();
        if unlisted.is_empty() {
            return;
        }
        let owner = |object: &Object| {
            unlisted.iter().find_map(|(index, found, top_level)| {
                let package = package_of(&found.site, &object.path)?;
                let is_its = top_level.contains(package.as_bytes())
                    || alternatives::meets(&found.normalized, &normalized(&package));
                is_its.then_some(*index)
            })
        };
        let owners: Vec<Option<usize>> = self.inventory.objects.iter().map(owner).collect();
        for (object, owner) in self.inventory.objects.iter_mut().zip(owners) {
            object.distribution = object.distribution.or(owner);
        }
    }
}

/// The package in a directory of packages that a file is in.
fn package_of(site: &Path, file: &Path) -> Option<String> {
    let mut parts = file.strip_prefix(site).ok()?.components();
    let Component::Normal(package) = parts.next()? else { return None };
    parts.next().map(|_| package.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::python::distribution::requirement;

    fn distribution(name: &str, requires: &str) -> Distribution {
        Distribution {
            name: name.to_owned(),
            normalized: normalized(name),
            version: "1".to_owned(),
            location: format!("/s/{name}-1.dist-info").into(),
            site: "/s".into(),
            requires: requirement(requires).into_iter().collect(),
            is_for_cuda: false,
            source: None,
        }
    }

    fn package(world: &World, path: &str) -> Option<Maker> {
        let sites = world.inventory.sites.iter();
        let package = sites.filter_map(|site| package_of(site, Path::new(path))).next()?;
        Some(Maker::Package(normalized(&package)))
    }

    #[test]
    fn requirements_are_followed_to_what_meets_them() {
        let mut world = World::default();
        world.inventory.sites.push("/s".into());
        world.inventory.distributions = vec![
            distribution("plug", "tensorflow"),
            distribution("tensorflow-cpu", "tensorflow-intel ; platform_system == 'Windows'"),
            distribution("keras", "plug"),
        ];
        let [plug, host, keras] = &world.inventory.distributions[..] else { panic!() };
        assert!(World::requires(plug, host) && World::requires(keras, plug));
        // Its metadata name its replacement on another system.
        assert!(!World::requires(host, host) && !World::requires(keras, host));
        let required = world.required_by(2);
        assert!(required.has(&Maker::Distribution(0)) && required.has(&Maker::Distribution(1)));
        assert!(!world.required_by(1).has(&Maker::Distribution(0)));
        let unpacked = package(&world, "/s/tensorflow/libx.so").unwrap();
        assert!(required.has(&unpacked));
        assert!(!required.has(&package(&world, "/s/other/libx.so").unwrap()));
        assert_eq!(package(&world, "/s/libx.so"), None);
    }
}
