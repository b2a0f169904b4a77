//! Symbols that an object binds to libraries that may not be meant for it, and that these do not define.
//!
//! A plugin is built against one release of its host. The next release may have other symbols, and only
//! the loader reports it. Examined are objects that directly need a library of another distribution, and
//! those whose own distribution has the library in another place than it was installed to: in a directory
//! that is not searched, or in a file that its RECORD does not list. Only the undefined symbols of an
//! object count, which are few beside those that the libraries define.

use crate::diagnosis::load_report::Seen;
use crate::diagnosis::loaded::Loaded;
use crate::diagnosis::open_symbols::OpenSymbols;
use crate::diagnosis::provider;
use crate::diagnosis::symbol_names::is_pythons;
use crate::findings::cure::{Cure, Install, Wanted};
use crate::findings::evidence::symbols::{Between, Symbols};
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::hashing::QuickSet;
use crate::knowledge::tensorflow;
use crate::loader::FileId;
use crate::python::distribution::Distribution;
use crate::vfs::Vfs;
use crate::world::inventory::{Object, Role};
use crate::world::makers::Relations;
use crate::world::program::Program;
use crate::world::{Question, World};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most libraries in the scope of one object; a closure of TensorFlow has fifty.
const MAX_LIBRARIES: usize = 1024;

/// The findings, one for each pair of distributions, and all objects that they are about, each with the
/// library that does not define its symbols. `resized` are objects of another size than their distribution's
/// RECORD says.
pub(super) fn findings(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    programs: &[Program<'_>],
    seen: &Seen,
    resized: &BTreeSet<&Path>,
) -> (Vec<Finding>, BTreeSet<(PathBuf, Vec<u8>)>) {
    let doubts = Doubts::new(world, seen, resized);
    let scopes: Vec<Scope<'_>> = world
        .inventory
        .objects
        .par_iter()
        .filter_map(|object| {
            let host = doubts.host_of(object)?;
            let program = programs.iter().find(|program| program.runs(object))?;
            let known = seen.loaded_with(object);
            let loaded = known.unwrap_or_else(|| Loaded::from(&program.load(object)));
            // A library that lacks a version lacks its symbols. That has a finding of its own.
            if loaded.lacks_version {
                return None;
            }
            Scope::of(&doubts, program, object, host, loaded)
        })
        .collect();
    let unbound = unbound(vfs, world, &scopes);
    let named = unbound.iter().map(|one| (one.object.path.clone(), one.host.soname().to_vec()));
    let named = named.collect();
    let mut pairs: BTreeMap<_, Vec<Unbound<'_>>> = BTreeMap::new();
    for one in unbound {
        // Objects without a distribution have nothing in common.
        let own = one.object.distribution;
        // Where a symbol was asked about, it is that of one object.
        let each = question.symbols.then_some(&one.object.path);
        pairs.entry((own, one.host.distribution, each)).or_default().push(one);
    }
    (pairs.into_values().filter_map(|of_pair| finding(world, &of_pair, resized)).collect(), named)
}

/// An object whose symbols would not all bind.
struct Unbound<'a> {
    object: &'a Object,
    /// The library of the other distribution that it needs.
    host: &'a Object,
    symbols: Vec<Vec<u8>>,
}

/// Why a library may not be meant for an object of its own distribution.
struct Doubts<'a> {
    world: &'a World,
    /// What objects do not find.
    missing: HashSet<(&'a Path, &'a [u8])>,
    /// The objects of another size than their RECORD says.
    resized: &'a BTreeSet<&'a Path>,
    /// The objects that no RECORD lists as they are.
    unlisted: QuickSet<&'a OsStr>,
    /// The names that one of these has.
    unlisted_names: QuickSet<&'a [u8]>,
    relations: Relations<'a>,
}

impl<'a> Doubts<'a> {
    fn new(world: &'a World, seen: &'a Seen, resized: &'a BTreeSet<&'a Path>) -> Self {
        let missing = seen.missing.keys().map(|(path, name)| (path.as_path(), name.as_slice()));
        let unlisted = world.inventory.objects.iter().filter(|object| {
            resized.contains(object.path.as_path()) || world.owners.of(&object.path).is_empty()
        });
        let names = unlisted.clone().map(Object::name).collect();
        let unlisted = unlisted.map(|object| object.path.as_os_str()).collect();
        let relations = Relations::new(world);
        let missing = missing.collect();
        Self { world, missing, resized, unlisted, unlisted_names: names, relations }
    }

    /// The first library in the target that an object needs, and that may have been made for something else:
    /// one of another distribution, one in a directory that is not searched, or one that its distribution
    /// does not contain.
    fn host_of(&self, object: &Object) -> Option<&'a Object> {
        let path = object.path.as_path();
        let is_own =
            |copy: &&Object| copy.distribution == object.distribution && copy.id != object.id;
        object.needed().iter().find_map(|name| {
            let copies = || self.world.inventory.named(name);
            let Some(own) = copies().find(is_own) else {
                let foreign =
                    copies().next().filter(|copy| copy.distribution != object.distribution);
                return foreign.filter(|copy| self.is_meant_for(object, name, copy));
            };
            if self.resized.contains(path) || self.missing.contains(&(path, name.as_slice())) {
                return Some(own);
            }
            if !self.unlisted_names.contains(name.as_slice()) {
                return None;
            }
            let is_added = |copy: &&Object| {
                self.unlisted.contains(copy.path.as_os_str())
                    && copy.distribution.is_none_or(|other| Some(other) == object.distribution)
            };
            copies().find(is_added).filter(|_| !self.unlisted.contains(path.as_os_str()))
        })
    }

    /// Would an object get a library of another distribution? A plugin that does not find it may be meant for
    /// what is not installed, unless both are required together.
    fn is_meant_for(&self, object: &Object, name: &[u8], copy: &Object) -> bool {
        let both = || self.world.maker(object).zip(self.world.maker(copy));
        object.role != Role::Library
            || object.distribution == copy.distribution
            || !self.missing.contains(&(object.path.as_path(), name))
            || both().is_none_or(|(own, other)| self.relations.joins(&own, &other))
    }
}

/// The objects with symbols that no library in their scope defines. A symbol that is defined by another object
/// of the distribution, or of a required one, may still be found if that object was loaded globally.
fn unbound<'a>(vfs: &dyn Vfs, world: &World, scopes: &[Scope<'a>]) -> Vec<Unbound<'a>> {
    let objects: Vec<&Path> = scopes.iter().map(|scope| scope.object.path.as_path()).collect();
    let mut open = OpenSymbols::of(vfs, &objects, |index, name| {
        scopes.get(index).is_none_or(|scope| scope.has_program) || !is_pythons(name)
    });
    let loaded = scopes
        .iter()
        .map(|scope| scope.files.iter().map(|(id, file)| (*id, &**file)).collect::<Vec<_>>());
    open.look_in(vfs, &loaded.collect::<Vec<_>>());
    let near = scopes.iter().enumerate().map(|(index, scope)| {
        // Nothing but its own libraries is loaded when a program starts.
        let is_program = scope.object.role == Role::Executable;
        if is_program || open.is_settled(index) { Vec::new() } else { near(world, scope.object) }
    });
    let near: Vec<_> = near.collect();
    open.look_in(vfs, &near);
    let all = scopes.iter().enumerate().map(|(index, scope)| Unbound {
        object: scope.object,
        host: scope.host,
        symbols: open.names(index),
    });
    all.filter(|one| !one.symbols.is_empty()).collect()
}

/// The other objects of an object's distribution, and those of the distributions that this requires.
fn near<'a>(world: &'a World, object: &Object) -> Vec<(FileId, &'a Path)> {
    let inventory = &world.inventory;
    let own = inventory.distribution_of(object);
    let is_near = |other: &Distribution| {
        own.is_some_and(|own| own.normalized == other.normalized || World::requires(own, other))
    };
    let is_near: Vec<bool> = inventory.distributions.iter().map(is_near).collect();
    let others = inventory.objects.iter().filter(|other| {
        let distribution = other.distribution.and_then(|index| is_near.get(index));
        distribution == Some(&true) && other.elf().is_some() && other.id != object.id
    });
    others.map(|other| (other.id, other.path.as_path())).collect()
}

/// Where the symbols of an object are looked up: the program with its libraries, and what the object
/// needs.
struct Scope<'a> {
    object: &'a Object,
    /// The library that may have been made for something else.
    host: &'a Object,
    files: Vec<(FileId, Arc<Path>)>,
    /// The same, by device and inode.
    known: QuickSet<FileId>,
    has_program: bool,
}

impl<'a> Scope<'a> {
    /// `None` if something is missing: it is not known what a missing library would define.
    fn of(
        doubts: &Doubts<'_>,
        program: &Program<'_>,
        object: &'a Object,
        host: &'a Object,
        loaded: Loaded,
    ) -> Option<Self> {
        let is_program = object.role == Role::Executable;
        let main = program.main.iter().filter(|_| !is_program).flat_map(|main| &main.objects);
        let mut scope = Self {
            object,
            host,
            files: main.clone().map(|loaded| (loaded.id, Arc::clone(&loaded.real))).collect(),
            known: main.map(|loaded| loaded.id).collect(),
            has_program: is_program || program.main.is_some(),
        };
        let mut todo = vec![loaded];
        while let Some(loaded) = todo.pop() {
            for (id, file) in loaded.files {
                if scope.known.insert(id) {
                    scope.files.push((id, file));
                }
            }
            if scope.files.len() > MAX_LIBRARIES {
                return None;
            }
            // What the search does not find is already loaded when the object is: see `load_order`.
            for name in &loaded.missing {
                let inventory = &doubts.world.inventory;
                let copy = provider::nearest(inventory, object, inventory.named(name).collect())?;
                if !doubts.is_meant_for(object, name, copy) {
                    return None;
                }
                if scope.known.insert(copy.id) {
                    scope.files.push((copy.id, copy.path.as_path().into()));
                    todo.push(Loaded::from(&program.load(copy)));
                }
            }
        }
        Some(scope)
    }
}

/// The finding about the objects of one distribution that do not fit those of another.
fn finding(world: &World, unbound: &[Unbound<'_>], resized: &BTreeSet<&Path>) -> Option<Finding> {
    let inventory = &world.inventory;
    // The interpreter reports the module that is imported first. Files that were named are judged themselves.
    let first = unbound.iter().min_by_key(|one| {
        let Object { path, role, .. } = one.object;
        (!world.is_meant(path), role, path)
    })?;
    let own = inventory.distribution_of(first.object);
    let pair = own.zip(inventory.distribution_of(first.host));
    let pair = pair.filter(|_| first.object.distribution != first.host.distribution);
    // A file that was replaced is not of the release that its distribution has.
    let replaced = [first.host, first.object].into_iter().find(|it| resized.contains(&*it.path));
    let replaced = replaced.and_then(|object| inventory.distribution_of(object));
    let pair = pair.filter(|_| replaced.is_none());
    let (cause, cure) = match (replaced, pair, own) {
        (Some(again), _, _) => (Cause::MissingSymbol, Cure::reinstall(again)),
        (_, Some((own, host)), _) => (Cause::VersionMismatch, cure_of_mismatch(own, host)),
        (_, None, Some(own)) if first.host.distribution == first.object.distribution => {
            (Cause::MissingSymbol, Cure::reinstall(own))
        }
        (_, None, _) => (Cause::MissingSymbol, Cure::Install(Install::BuiltAgainst)),
    };
    let evidence = Evidence::Symbols(Symbols::Unbound {
        object: world.place(&first.object.path),
        host: world.place(&first.host.path),
        between: pair.map(|(own, host)| Between::of(own, host)),
        others: unbound.len() - 1,
    });
    let found = fault(cause, &first.object.path, evidence, cure);
    Some(Finding {
        library: Some(first.host.soname().to_vec()),
        symbols: first.symbols.clone(),
        ..found
    })
}

/// How to get releases of a plugin and its host that fit: by the plugin's own metadata if they state
/// it, even for an extra, else by the tables.
fn cure_of_mismatch(plugin: &Distribution, host: &Distribution) -> Cure {
    let (name, there) = (&plugin.normalized, &host.normalized);
    let Some(needed) = tensorflow::requirement_of_host(plugin, host) else {
        return Cure::Install(Install::Fitting(name.clone(), there.clone()));
    };
    let mut numbers = host.version.split('.').map(str::to_owned);
    let follows = numbers.next().zip(numbers.next());
    Cure::Install(Install::Host {
        plugin: Release::of(plugin),
        host: Wanted::new(there, &needed.specifier),
        follows: follows.filter(|_| tensorflow::follows(name)),
    })
}
