//! Libraries that native code opens by a name: one in its own file, in a note or as a whole constant, or
//! one from the tables.
//!
//! A string is a reason to look and proves nothing: most strings that name a library are for a feature
//! that is not used, or are appended to a path. An error needs more than that: a note that says so, a row
//! in the tables, or, for a library of a GPU, a statement of the distribution that it computes on one.
//! Strings are read only from what modules load, and only if a library of a GPU is in a directory that is
//! not searched, or a name is requested and not found.

use super::dlopen::Process;
use crate::bytes::printable;
use crate::diagnosis::asking::Asking;
use crate::diagnosis::load_report::Seen;
use crate::diagnosis::provider::{self, Choice};
use crate::elf::opens_by_note::Priority;
use crate::findings::cure::{self, Cure, Install};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::opening::{Opening, OutOfReach, Unfound};
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::{opened, tensorflow};
use crate::loader::{Libc, SearchStep};
use crate::vfs::Vfs;
use crate::world::constants::Constants;
use crate::world::inventory::{Object, Role};
use crate::world::makers::Maker;
use crate::world::program::Program;
use crate::world::{Question, World};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Limits in bytes of the constants that are read: of one object, and of all objects together.
const MAX_BYTES: u64 = 32 << 20;
const MAX_BYTES_OF_ALL: u64 = 256 << 20;

/// How it is known that a library is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// The object does not work without it, by a note or by what is known.
    Required,
    /// A note lists it as useful.
    Useful,
    /// Its name is among the constants, and is that of a library for a GPU; its distribution states that
    /// it computes on one.
    ForGpu,
    /// Its name is among the constants.
    Named,
}

/// The findings about what modules of the target load. `known` are those about what is opened in other
/// ways.
#[must_use]
pub(in crate::diagnosis) fn findings(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    programs: &[Program<'_>],
    seen: &Seen,
    asking: &Asking<'_>,
    known: &[Finding],
) -> Vec<Finding> {
    let constants = Constants::new(vfs, MAX_BYTES, MAX_BYTES_OF_ALL);
    let wanted = wanted(world, seen);
    let wanted: &[&[u8]] = &wanted.iter().map(Vec::as_slice).collect::<Vec<_>>();
    let search = Search { vfs, world, question, programs, seen, asking, wanted, constants };
    let mut found = Vec::new();
    for object in world.inventory.objects.iter().filter(|it| seen.leads_to(it)) {
        let opener = Opener { object, process: OnceCell::new() };
        for (library, why) in search.opened_by(&opener) {
            let is_known = known.iter().any(|it| {
                it.object == object.path && it.library.as_deref() == Some(library.as_bytes())
            });
            if !is_known {
                found.extend(search.finding(&opener, &library, why));
            }
        }
    }
    found
}

/// The sonames that are searched for among constants: those of libraries for a GPU in directories from
/// which nothing is loaded, and those that are needed and not found although the target has them.
fn wanted(world: &World, seen: &Seen) -> BTreeSet<Vec<u8>> {
    let objects = &world.inventory.objects;
    let loaded = objects.iter().filter(|object| seen.leads_to(object));
    let reached: BTreeSet<&Path> = loaded.map(Object::directory).collect();
    let in_vain: BTreeSet<&[u8]> = seen.missing.keys().map(|(_, name)| name.as_slice()).collect();
    let libraries = objects.iter().filter(|object| object.role == Role::Library);
    let wanted = libraries.filter(|library| {
        let soname = library.soname();
        in_vain.contains(soname)
            || tensorflow::is_for_gpu(soname) && !reached.contains(library.directory())
    });
    wanted.map(|library| library.soname().to_vec()).collect()
}

struct Search<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    question: &'a Question,
    programs: &'a [Program<'a>],
    seen: &'a Seen,
    asking: &'a Asking<'a>,
    /// In order.
    wanted: &'a [&'a [u8]],
    constants: Constants<'a>,
}

/// An object, and the process in which it opens something, which is examined at most once.
struct Opener<'a> {
    object: &'a Object,
    process: OnceCell<Option<Process<'a>>>,
}

impl<'a> Search<'a> {
    fn process<'o>(&self, opener: &'o Opener<'a>) -> Option<&'o Process<'a>> {
        opener.process.get_or_init(|| Process::of(self.programs, opener.object)).as_ref()
    }

    /// What an object opens, as far as its file shows.
    fn opened_by(&self, opener: &Opener<'a>) -> BTreeMap<String, Why> {
        let (mut found, object) = (BTreeMap::new(), opener.object);
        let Some(elf) = object.elf() else { return found };
        let mut add = |name: String, why: Why| {
            let known = found.entry(name).or_insert(why);
            *known = why.min(*known);
        };
        let is_found = |name: &String| {
            let answer = self.process(opener).and_then(|process| process.open(name.as_bytes()));
            answer.is_some_and(|answer| answer.root.found.is_some())
        };
        for note in elf.opens_by_note.iter().filter(|note| !note.sonames.iter().any(is_found)) {
            let why = match note.priority {
                Priority::Required => Why::Required,
                Priority::Recommended | Priority::Suggested => Why::Useful,
            };
            let named = || note.sonames.first().filter(|_| why == Why::Required).cloned();
            if let Some(name) = self.first_here(&note.sonames).or_else(named) {
                add(name, why);
            }
        }
        // Its absence proves little: the object that is known to open it may have it linked in.
        let known = opened::by(object.soname());
        let is_beside = |name: &str| {
            known.iter().any(|it| it.is_sought_beside && it.soname == name)
                && self.vfs.metadata(&object.directory().join(name)).is_ok()
        };
        for opened in known.iter().filter(|it| !is_beside(&it.soname)) {
            if let Some(name) = self.first_here(std::slice::from_ref(&opened.soname)) {
                add(name, Why::Required);
            }
        }
        for name in self.named_by(object).into_iter().filter(|name| !is_beside(name)) {
            let is_for_gpu = tensorflow::is_for_gpu(name.as_bytes()) && self.is_for_cuda(object);
            add(name, if is_for_gpu { Why::ForGpu } else { Why::Named });
        }
        found
    }

    /// The first of the sonames that an object tries which the target has.
    fn first_here(&self, sonames: &[String]) -> Option<String> {
        let is_here = |name: &&String| {
            let name = name.as_bytes();
            self.world.inventory.known_as(name).any(|it| it.soname() == name)
        };
        sonames.iter().find(is_here).cloned()
    }

    /// The wanted names among the constants of an object that can open something.
    fn named_by(&self, object: &Object) -> Vec<String> {
        let found = self.constants.opened(object, self.wanted).into_iter();
        let found = found.filter_map(|at| self.wanted.get(at));
        found.filter_map(|name| String::from_utf8(name.to_vec()).ok()).collect()
    }

    /// Does the distribution of an object state that it computes on an NVIDIA GPU?
    fn is_for_cuda(&self, object: &Object) -> bool {
        self.world.inventory.distribution_of(object).is_some_and(|it| it.is_for_cuda)
    }

    fn finding(&self, opener: &Opener<'a>, library: &str, why: Why) -> Option<Finding> {
        let (world, object) = (self.world, opener.object);
        let process = self.process(opener)?;
        let answer = process.open(library.as_bytes())?;
        if answer.root.found.is_some() || process.libc() == Libc::Musl {
            return None;
        }
        let search = &self.question.search;
        let choice = provider::choose(self.vfs, world, search, object, library.as_bytes());
        let (provider, is_one) = match (choice, why) {
            (Choice::One(provider), _) => (provider, true),
            (Choice::Several(all), Why::Required) => (all.into_iter().next()?, false),
            (Choice::None, Why::Required) => {
                return Some(self.nowhere(object, library, answer.root.tried.steps().collect()));
            }
            (Choice::Several(_) | Choice::None, _) => return None,
        };
        let is_before =
            why == Why::ForGpu && self.asking.may_be_opened_before(object, library.as_bytes());
        if is_before || self.is_loaded_with(object, &provider.path) {
            return None;
        }
        let directory = provider.directory().to_owned();
        let library = printable(library.as_bytes()).into_bytes();
        let (opens, lies) = (world.place(&object.path), world.place(&directory));
        let found = OutOfReach { opener: opens, library: library.clone(), directory: lies };
        let (opening, cure) = match why {
            Why::Required if is_one => (Opening::Required(found), Cure::fix()),
            Why::Required => (Opening::Required(found), Cure::Search(cure::Search::NameDirectory)),
            Why::ForGpu => {
                let why = Unfound::NoSearchPath { leaves_no_gpu: true };
                (Opening::OutOfReach(found, why), Cure::fix())
            }
            Why::Useful | Why::Named => (Opening::Named(found), Cure::Search(cure::Search::Trace)),
        };
        let is_optional = matches!(why, Why::Useful | Why::Named);
        Some(Finding {
            library: Some(library),
            fixable: !is_optional && is_one,
            is_optional,
            lies_in: vec![directory],
            tried: answer.root.tried.steps().collect(),
            ..fault(Cause::DlopenPathMissing, &object.path, Evidence::Opening(opening), cure)
        })
    }

    /// What an object does not work without, and what is neither in the target nor found by the loader. Libraries
    /// that come with the graphics driver depend on the machine, and are left out.
    fn nowhere(&self, object: &Object, library: &str, tried: Vec<SearchStep>) -> Finding {
        let name = printable(library.as_bytes()).into_bytes();
        let opener = self.world.place(&object.path);
        let evidence = Opening::RequiredNowhere { opener, library: name.clone() };
        let (cause, cure) = match provider::known_cause(&name) {
            Some(cause) => (cause, Cure::Install(Install::Driver { is_nvidias: false })),
            None => (Cause::NotInstalled, Cure::Install(Install::WhatShips(name.clone()))),
        };
        Finding {
            library: Some(name),
            tried,
            ..fault(cause, &object.path, Evidence::Opening(evidence), cure)
        }
    }

    /// Is a copy of the library loaded by the modules that load the object?
    fn is_loaded_with(&self, object: &Object, copy: &Path) -> bool {
        let makers = |object: &Object| self.seen.by_modules.get(&object.id);
        let Some(copy) = self.world.inventory.at(copy).and_then(makers) else { return false };
        let own: &BTreeSet<Maker> = match makers(object) {
            Some(own) => own,
            None => return false,
        };
        own.is_subset(copy)
    }
}
