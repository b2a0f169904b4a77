//! Determines which distribution a Python module belongs to, and why one is missing.

use super::verdict::{Case, Outcome, Remedy, Verdict};
use super::{Kind, Message};
use crate::findings::evidence::Release;
use crate::findings::finding::{Cause, Finding};
use crate::python::modules::{Found, find};
use crate::python::record;
use crate::vfs::Vfs;
use crate::world::World;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The names of the distributions that the module in a message may belong to.
#[derive(Debug, Clone, Default)]
pub(super) struct Distributions {
    names: BTreeSet<String>,
    /// Does the RECORD of one of them list the module?
    pub(super) are_of_a_record: bool,
}

impl Distributions {
    /// Those whose RECORD contains the module, such as protobuf for `google.protobuf`; and the top-level
    /// name, for distributions that are not installed.
    pub(super) fn of(vfs: &dyn Vfs, world: &World, message: &Message) -> Self {
        let Some(module) = message.module.as_deref() else { return Self::default() };
        let top = module.split(|&byte| byte == b'.').next().unwrap_or(module);
        let mut names = BTreeSet::from([String::from_utf8_lossy(top).to_lowercase()]);
        let path: Vec<u8> = module.iter().map(|&b| if b == b'.' { b'/' } else { b }).collect();
        let holds = |row: &[u8]| {
            let rest = row.strip_prefix(path.as_slice());
            rest.is_some_and(|rest| rest.starts_with(b"/") || rest.starts_with(b"."))
        };
        let owning = world.inventory.distributions.iter().filter(|distribution| {
            let record = distribution.read_record(vfs).unwrap_or_default();
            record::rows(&record).map_while(Result::ok).any(|row| holds(&row.path))
        });
        let owning: Vec<String> =
            owning.map(|distribution| distribution.normalized.clone()).collect();
        let are_of_a_record = !owning.is_empty();
        names.extend(owning);
        names.retain(|name| !name.is_empty());
        Self { names, are_of_a_record }
    }

    /// The release of the only one of them that is installed.
    pub(super) fn only_release(&self, world: &World) -> Option<Release> {
        let all = world.inventory.distributions.iter();
        let mut owning = all.filter(|distribution| self.names.contains(&distribution.normalized));
        let first = owning.next()?;
        owning.next().is_none().then(|| Release::of(first))
    }

    /// Is the finding about one of them?
    pub(super) fn are_named_by(&self, finding: &Finding) -> bool {
        self.names.iter().any(|name| finding.evidence.names(name))
    }
}

/// The state of a missing module.
pub(super) fn missing(
    vfs: &dyn Vfs,
    world: &World,
    message: &Message,
    about: &Distributions,
) -> Option<Verdict> {
    let is_of_packages = message.kind == Kind::ModuleNotFound && !message.is_of_the_start();
    let named = message.module.as_deref().filter(|_| is_of_packages)?;
    let environment = world.environment.as_ref()?;
    let module = named.to_vec();
    let words = Verdict::by_words(message, Outcome::Found);
    Some(match find(vfs, environment, named) {
        Found::Importable(path) => Verdict::resolved(Case::ModuleIsHere { module, path }),
        Found::ForAnother(path) => Verdict {
            cause: Some(Cause::WrongPlatform),
            case: Case::ModuleForAnother { path },
            remedy: Remedy::Reinstall,
            ..words
        },
        Found::PackageOnly(package) if !about.are_of_a_record => {
            // Several distributions share a package without this file.
            let is_shared = vfs.metadata(&package.join("__init__.py")).is_err();
            match about.only_release(world) {
                Some(release) => Verdict {
                    cause: Some(Cause::VersionMismatch),
                    case: Case::ModuleNotInRelease { module, release },
                    remedy: Remedy::OtherRelease,
                    ..words
                },
                None if is_shared => Verdict { case: Case::NoModule { module }, ..words },
                None => not_in_package(words, module, package),
            }
        }
        Found::PackageOnly(package) => not_in_package(words, module, package),
        Found::Absent => {
            Verdict { cause: Some(Cause::NotInstalled), case: Case::NoModule { module }, ..words }
        }
    })
}

/// A package lacks a module that belongs to it.
fn not_in_package(words: Verdict, module: Vec<u8>, package: PathBuf) -> Verdict {
    Verdict {
        cause: Some(Cause::PartialInstall),
        case: Case::ModuleNotInPackage { module, package },
        remedy: Remedy::Reinstall,
        ..words
    }
}
