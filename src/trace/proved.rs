//! What a run of a program proves: which findings of a diagnosis it bears out or refutes, and what it went
//! on without.

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

/// What runs say to a finding. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Evidence")]
pub enum Testimony {
    /// The object requested the library, and did not get it.
    Confirmed,
    /// The object was loaded, with the library or where something else had loaded it before.
    Refuted,
    /// It did not come to that.
    NotSeen,
}

/// What was feared, and was found after all.
pub fn refuted(evidence: &[(Finding, Testimony)]) -> impl Iterator<Item = &Finding> {
    let is_refuted = |(_, says): &&(Finding, Testimony)| *says == Testimony::Refuted;
    evidence.iter().filter(is_refuted).map(|(finding, _)| finding)
}

/// The answers of runs, and what they prove.
pub struct Proved<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    answers: &'a [Answer],
    /// What files alone tell.
    diagnosed: &'a [Finding],
    /// The files that were mapped, by device and inode.
    mapped: HashSet<(u64, u64)>,
    /// Did each object that was mapped get what it needs? Where one did not, others that were to be
    /// loaded together with it may not have come to ask.
    is_whole: bool,
}

impl<'a> Proved<'a> {
    /// Of these answers, about a target in which a diagnosis finds that.
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

    /// What they say to a finding that a library would not be found.
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
        // What is loaded already under the same name is taken without a word.
        match self.world.inventory.at(&finding.object) {
            Some(object) if self.is_loaded(object) && needs(object, library) => Testimony::Refuted,
            _ => Testimony::NotSeen,
        }
    }

    /// How a library that was asked for in vain is missed.
    ///
    /// An import that fails raises an exception, and what code of Python opens does so too: a command that
    /// ends well has caught it. What an object opens by itself may be lost without a word. It may also be
    /// one of several that would do, or a tool that nobody uses: so it counts as lost only by other
    /// evidence, which is that the object's distribution has modules that are imported and requires the
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

    /// Do files alone tell that nothing catches it where the object lacks the library?
    #[must_use]
    pub fn is_feared(&self, finding: &Finding) -> bool {
        self.diagnosed.iter().any(|feared| {
            feared.severity() == Severity::Error && feared.question() == finding.question()
        })
    }

    /// Do files alone tell that the object opens it, or another library of that directory?
    fn is_opened(&self, finding: &Finding, library: &[u8]) -> bool {
        self.diagnosed.iter().any(|feared| {
            let lies_there = || finding.lies_in.iter().any(|it| feared.lies_in.contains(it));
            feared.cause == Cause::DlopenPathMissing
                && feared.severity() == Severity::Error
                && feared.object == finding.object
                && (feared.library.as_deref() == Some(library) || lies_there())
        })
    }

    /// Does the object's distribution, of which modules are imported, require one that ships the library?
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

/// How a library is missed that was asked for in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missed {
    /// An object that needs it is not loaded without it.
    Needed,
    /// An object opens it by itself and was to have it.
    Lost,
    /// An object opens it by itself, and may do well without it.
    Optional,
}

fn is_vain(answer: &Answer) -> bool {
    answer.found.is_none() && answer.found_later.is_none()
}

/// Does a cause say that the loader would not find what is asked for?
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
