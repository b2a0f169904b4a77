//! What the run of a program proves: which findings of a diagnosis it confirms or refutes, and which missing
//! libraries it tolerated.

use super::Kind;
use super::compare::object_at;
use super::replay::Answer;
use crate::findings::finding::{Cause, Finding, Severity};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::HashSet;
use std::path::Path;

/// What runs show about a finding. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Evidence")]
pub enum Testimony {
    /// The object requested the library, and did not get it.
    Confirmed,
    /// The object was loaded, with the library or because something else had loaded the library earlier.
    Refuted,
    /// The run did not get that far.
    NotSeen,
}

/// A predicted problem that did not occur.
pub fn refuted(evidence: &[(Finding, Testimony)]) -> impl Iterator<Item = &Finding> {
    let is_refuted = |(_, says): &&(Finding, Testimony)| *says == Testimony::Refuted;
    evidence.iter().filter(is_refuted).map(|(finding, _)| finding)
}

/// The requests of runs, and what they prove.
pub struct Proved<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    answers: &'a [Answer],
    /// Evidence from files alone.
    diagnosed: &'a [Finding],
    /// The mapped files, by device and inode.
    mapped: HashSet<(u64, u64)>,
    /// Did each mapped object get what it needs? If one did not, objects that would have been loaded with it
    /// may not have made requests.
    is_whole: bool,
}

impl<'a> Proved<'a> {
    /// For these requests, and a target with this diagnosis.
    #[must_use]
    pub fn new(
        vfs: &'a dyn Vfs,
        world: &'a World,
        answers: &'a [Answer],
        diagnosed: &'a [Finding],
    ) -> Self {
        let found = answers.iter().filter_map(|answer| answer.found.as_deref());
        let mapped = found.filter_map(|path| Some(vfs.metadata(path).ok()?.id)).collect();
        let is_whole = !answers.iter().any(|answer| answer.kind == Kind::Needed && is_vain(answer));
        Self { vfs, world, answers, diagnosed, mapped, is_whole }
    }

    /// What the runs show about a finding that a library would not be found.
    #[must_use]
    pub fn says(&self, finding: &Finding) -> Testimony {
        let Some(library) = finding.library.as_deref() else { return Testimony::NotSeen };
        if !is_about_search(finding.cause) {
            return Testimony::NotSeen;
        }
        let mut own = self.asked(&finding.object, library).peekable();
        if own.peek().is_some() {
            let in_vain = own.any(is_vain);
            return if in_vain { Testimony::Confirmed } else { Testimony::Refuted };
        }
        // The loader does not report requests for names that are already loaded.
        match self.world.inventory.at(&finding.object) {
            Some(object) if self.is_loaded(object) && needs(object, library) => Testimony::Refuted,
            _ => Testimony::NotSeen,
        }
    }

    /// The consequence of a library that failed to load.
    ///
    /// A failed import raises an exception, and so does a failed call in Python code; if the command
    /// succeeds, the exception was caught. A failed `dlopen` in native code may have no visible effect. The
    /// library may also be one of several alternatives, or belong to a tool that is not used. It is therefore
    /// only considered lost if there is other evidence: the distribution of the object has imported modules
    /// and requires the distribution that contains the library, or files alone show it.
    /// one whose library it is, or that files alone tell.
    #[must_use]
    pub fn misses(&self, finding: &Finding) -> Missed {
        let Some(library) = finding.library.as_deref() else { return Missed::Optional };
        let mut kinds = self.asked(&finding.object, library).filter(|it| is_vain(it));
        if kinds.any(|answer| answer.kind == Kind::Needed) {
            return Missed::Needed;
        }
        let is_lost = finding.cause == Cause::DlopenPathMissing
            && (self.is_opened(finding, library) || self.is_required(finding, library));
        if is_lost { Missed::Lost } else { Missed::Optional }
    }

    /// Do files alone show that the failure is not caught if the object lacks the library?
    #[must_use]
    pub fn is_feared(&self, finding: &Finding) -> bool {
        self.diagnosed.iter().any(|feared| {
            feared.severity() == Severity::Error && feared.question() == finding.question()
        })
    }

    /// Do files alone show that the object opens it, or another library of that directory?
    fn is_opened(&self, finding: &Finding, library: &[u8]) -> bool {
        self.diagnosed.iter().any(|feared| {
            let lies_there = || finding.lies_in.iter().any(|it| feared.lies_in.contains(it));
            feared.cause == Cause::DlopenPathMissing
                && feared.severity() == Severity::Error
                && feared.object == finding.object
                && (feared.library.as_deref() == Some(library) || lies_there())
        })
    }

    /// Does the distribution of the object, which has imported modules, require one that contains the
    /// library?
    fn is_required(&self, finding: &Finding, library: &[u8]) -> bool {
        let inventory = &self.world.inventory;
        let of = |object| inventory.distribution_of(object);
        let Some(object) = inventory.at(&finding.object) else { return false };
        let mut modules = inventory.objects.iter().filter(|other| {
            other.role == Role::ExtensionModule && other.distribution == object.distribution
        });
        let mut providers = inventory.named(library).filter_map(of);
        let requires = |own| providers.any(|other| World::requires(own, other));
        of(object).is_some_and(requires) && modules.next().is_some()
    }

    fn asked<'b>(
        &'b self,
        object: &'b Path,
        library: &'b [u8],
    ) -> impl Iterator<Item = &'b Answer> {
        let is_asker = move |answer: &&Answer| {
            answer.name == library
                && (answer.asker == object
                    || object_at(self.vfs, self.world, &answer.asker)
                        .is_some_and(|asker| asker.path == object))
        };
        self.answers.iter().filter(is_asker)
    }

    fn is_loaded(&self, object: &Object) -> bool {
        self.is_whole && self.mapped.contains(&object.id)
    }
}

/// The consequence of a library that failed to load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// An object that needs it does not load without it.
    Needed,
    /// An object opens it itself, and is supposed to get it.
    Lost,
    /// An object opens it itself, and may work without it.
    Optional,
}

fn is_vain(answer: &Answer) -> bool {
    answer.found.is_none() && answer.found_later.is_none()
}

/// Does a cause mean that the loader would not find what is requested?
fn is_about_search(cause: Cause) -> bool {
    matches!(
        cause,
        Cause::PathMissing
            | Cause::DlopenPathMissing
            | Cause::DroppedLink
            | Cause::StaleCache
            | Cause::NotInstalled
            | Cause::SonameMismatch
    )
}

fn needs(object: &Object, library: &[u8]) -> bool {
    object.elf().is_some_and(|summary| summary.needed.iter().any(|needed| needed == library))
}
