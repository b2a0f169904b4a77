//! Interprets the requests in a trace: which libraries of the environment failed to load, and whether the
//! diagnosis predicted it.

use super::Kind;
use super::replay::Answer;
use crate::command_line::CommandLine;
use crate::diagnosis::provider::{self, Choice, Provider, known_cause};
use crate::findings::cure::{Cure, Install, Search};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::need::{Copies, Need, Supply};
use crate::findings::finding::{Cause, Finding, fault};
use crate::object::Format;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{self, Object, Role};
use crate::world::rpath_entry;
use serde::Serialize;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// What the trace shows about a finding of the diagnosis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "trace")]
pub enum Confirmation {
    /// The object requested the library and did not get it.
    Confirmed,
    /// It got it.
    Contradicted {
        /// The file that it got.
        found: PathBuf,
    },
    /// Another object requested the library.
    AskedByAnother {
        /// The object.
        asker: PathBuf,
        /// The file that it got.
        found: Option<PathBuf>,
    },
    /// Nothing requested it: the command did not get that far, or the finding is wrong.
    NotAsked,
}

/// A finding of the diagnosis about a library, and what the trace shows about it.
#[derive(Debug, Clone)]
pub struct Compared<'a> {
    /// The finding.
    pub finding: &'a Finding,
    /// The requested library. The finding may name another one of the same directory.
    pub library: Vec<u8>,
    /// What the trace shows.
    pub confirmation: Confirmation,
}

/// The findings of a trace: libraries that failed to load although they are in the environment, those that a
/// program cannot run without, and the driver. Not reported are optional libraries that are missing, and
/// libraries that the same process found in another way. The directories of `search` are searched for
/// libraries too.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    search: &[PathBuf],
    answers: &[Answer],
    diagnosed: &[Finding],
) -> Vec<Finding> {
    let mut found: Vec<Finding> = answers
        .iter()
        // A library that is requested by its path is not searched for, and the loader reports what it cannot
        // preload itself.
        .filter(|answer| answer.found.is_none() && !answer.name.contains(&b'/'))
        .filter(|answer| answer.kind != Kind::Preload)
        .filter(|answer| answer.found_later.is_none())
        .filter_map(|answer| finding(vfs, world, search, answer, diagnosed))
        .collect();
    crate::findings::finding::sort(&mut found);
    found
}

fn finding(
    vfs: &dyn Vfs,
    world: &World,
    search: &[PathBuf],
    answer: &Answer,
    diagnosed: &[Finding],
) -> Option<Finding> {
    let known = object_at(vfs, world, &answer.asker);
    let object = known.map_or(&answer.asker, |object| &object.path);
    if let Some(same) = diagnosed.iter().find(|finding| {
        finding.object == *object
            && finding.library.as_deref() == Some(&answer.name)
            // The trace has just refuted that it is loaded earlier.
            && finding.cause != Cause::LoadOrder
    }) {
        return Some(Finding { tried: answer.tried.clone(), ..same.clone() });
    }
    let choice = match known.cloned().or_else(|| outsider(vfs, &answer.asker)) {
        Some(asking) => provider::choose(vfs, world, search, &asking, &answer.name),
        None => Choice::None,
    };
    let in_vain = |cause, supply, cure| in_vain(world, answer, object, cause, supply, cure);
    match choice {
        Choice::One(provider) => {
            Some(unreached(vfs, world, answer, object, known.is_some(), &provider))
        }
        Choice::Several(providers) => {
            let supply = Supply::AskedInVain(Copies::Several { copies: providers.len() });
            let directories = providers.iter().map(Provider::directory).map(Path::to_owned);
            let found = in_vain(out_of_reach(answer), supply, Cure::Search(Search::NameEntry));
            Some(Finding { lies_in: directories.collect(), ..found })
        }
        Choice::None => {
            if let Some(cause) = known_cause(&answer.name) {
                let cure = Cure::Install(Install::Driver { is_nvidias: true });
                return Some(in_vain(cause, Supply::AskedInVain(Copies::OfTheDriver), cure));
            }
            (answer.kind == Kind::Needed).then(|| {
                let cure = Cure::Install(Install::Unknown(answer.name.clone()));
                in_vain(Cause::NotInstalled, Supply::NotInEnvironment, cure)
            })
        }
    }
}

/// The finding that a library in the environment fits, but is not found. Search paths of files outside the
/// environment are not edited.
fn unreached(
    vfs: &dyn Vfs,
    world: &World,
    answer: &Answer,
    object: &Path,
    is_inside: bool,
    provider: &Provider,
) -> Finding {
    let directory = provider.directory().to_owned();
    let entry = rpath_entry::relative_entry(vfs, Format::Elf, object, &directory);
    let cure = match entry {
        Some(entry) if is_inside => {
            let add = CommandLine::new(["rpath", "add"]).argument(object);
            Cure::Command(add.option("--entry", OsString::from_vec(entry)))
        }
        _ => Cure::Search(Search::OpenByPath(provider.path.clone())),
    };
    let supply = Supply::AskedInVain(Copies::One { directory: world.place(&directory) });
    let found = in_vain(world, answer, object, out_of_reach(answer), supply, cure);
    Finding { fixable: is_inside, lies_in: vec![directory], ..found }
}

/// The cause for a library that exists and is not found.
fn out_of_reach(answer: &Answer) -> Cause {
    match answer.kind {
        Kind::Needed | Kind::Preload => Cause::PathMissing,
        Kind::Dlopen => Cause::DlopenPathMissing,
    }
}

/// A finding about a library that failed to load.
fn in_vain(
    world: &World,
    answer: &Answer,
    object: &Path,
    cause: Cause,
    supply: Supply,
    cure: Cure,
) -> Finding {
    let need = Need::new(world.place(object), &answer.name, supply);
    Finding {
        library: Some(answer.name.clone()),
        tried: answer.tried.clone(),
        ..fault(cause, object, Evidence::Need(need), cure)
    }
}

/// Does a finding say that a library is not found? Others are about what the found one lacks.
fn is_of_absence(finding: &Finding) -> bool {
    let is_found = match &finding.evidence {
        Evidence::Symbols(_) => true,
        Evidence::Need(need) => {
            matches!(need.supply, Supply::Shadowed { .. } | Supply::ThroughVariables { .. })
        }
        _ => false,
    };
    !is_found
}

/// What the trace shows about every finding of the diagnosis about a library that is not found.
#[must_use]
pub fn compare<'a>(
    vfs: &dyn Vfs,
    world: &World,
    answers: &[Answer],
    diagnosed: &'a [Finding],
) -> Vec<Compared<'a>> {
    diagnosed
        .iter()
        .filter(|finding| is_of_absence(finding))
        .filter_map(|finding| {
            let library = finding.library.as_deref()?;
            let (library, confirmation) = confirm(vfs, world, answers, finding, library);
            Some(Compared { finding, library, confirmation })
        })
        .collect()
}

fn confirm(
    vfs: &dyn Vfs,
    world: &World,
    answers: &[Answer],
    finding: &Finding,
    library: &[u8],
) -> (Vec<u8>, Confirmation) {
    let lies_there = |name: &[u8]| {
        let mut copies = world.inventory.named(name);
        copies.any(|copy| finding.lies_in.iter().any(|directory| copy.directory() == directory))
    };
    let is_asker = |answer: &Answer| {
        object_at(vfs, world, &answer.asker).is_some_and(|object| object.path == finding.object)
    };
    let asked: Vec<&Answer> = answers
        .iter()
        .filter(|answer| {
            answer.name == library
                // A finding about dlopen names one library of a directory on behalf of all of them.
                || finding.cause == Cause::DlopenPathMissing && lies_there(&answer.name)
        })
        .collect();
    let (own, others): (Vec<&Answer>, Vec<&Answer>) =
        asked.into_iter().partition(|answer| is_asker(answer));
    let in_vain = own.iter().find(|answer| answer.found.is_none());
    let (answer, confirmation) = match (in_vain, own.first(), others.first()) {
        (Some(answer), _, _) => (answer, Confirmation::Confirmed),
        (None, Some(answer), _) => {
            let found = answer.found.clone().unwrap_or_default();
            (answer, Confirmation::Contradicted { found })
        }
        (None, None, Some(answer)) => {
            let known = object_at(vfs, world, &answer.asker);
            let asker = known.map_or(&answer.asker, |object| &object.path).clone();
            let found = answer.found.clone();
            (answer, Confirmation::AskedByAnother { asker, found })
        }
        (None, None, None) => return (library.to_vec(), Confirmation::NotAsked),
    };
    (answer.name.clone(), confirmation)
}

/// The object of the environment at a path, under any of its names.
pub(super) fn object_at<'a>(vfs: &dyn Vfs, world: &'a World, path: &Path) -> Option<&'a Object> {
    let inventory = &world.inventory;
    let real = vfs.canonicalize(path).ok()?;
    inventory.at(path).or_else(|| inventory.at(&world.below_root(vfs, &real))).or_else(|| {
        let id = vfs.metadata(path).ok()?.id;
        inventory.objects.iter().find(|object| object.id == id)
    })
}

/// An object outside the environment.
fn outsider(vfs: &dyn Vfs, path: &Path) -> Option<Object> {
    let summary = inventory::summary_of(vfs, path)?;
    let id = vfs.metadata(path).ok()?.id;
    let facts = inventory::Facts::Elf(summary);
    Some(Object { path: path.to_owned(), id, facts, role: Role::Library, distribution: None })
}
