//! What variables of the loader change: libraries that are found only because of them, and libraries of the
//! target that they replace by others.

use super::bindings::{Moved, Question};
use super::checks::variables::{self as of_variables, Variables};
use super::diagnose::{Judge, question_of};
use super::load_report::{Missing, Seen};
use super::lost_symbols::lost;
use super::provider::known_cause;
use crate::findings::evidence::Evidence;
use crate::findings::evidence::need::{Need, Supply};
use crate::findings::evidence::variable::Blame;
use crate::findings::finding::{Cause, Finding, Severity, fault};
use crate::world::inventory::Role;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

/// What a copy that a variable leads to lacks.
#[derive(Debug, Clone, Default)]
struct Lacks {
    libraries: BTreeSet<Vec<u8>>,
    /// Does something fail without them that users import or start?
    is_fatal: bool,
}

impl Judge<'_> {
    /// What dyld would lack in an empty environment, as a finding about the variables of this one.
    pub(super) fn owed_on_macos(&self, found: Finding, variables: &Variables<'_>) -> Finding {
        let question = question_of(&found);
        let variable = variables.to_blame(true, |_, macos| {
            macos.findings.iter().any(|found| question_of(found) == question)
        });
        self.owed_to(found, variable)
    }

    /// What is found only because of a variable. Libraries of the driver are left out: their
    /// location depends on the machine.
    pub(super) fn owed_to_variables(&self, bare: &Seen, variables: &Variables<'_>) -> Vec<Finding> {
        let mut without = bare.missing.iter().filter(|(question, missing)| {
            !self.seen.missing.contains_key(*question)
                && known_cause(&missing.dependency.name).is_none()
        });
        let judge = Judge { seen: bare, ..*self };
        let owed = without.by_ref().flat_map(|(question, missing)| {
            let found = judge.missing(missing).into_iter();
            found.map(|found| {
                if let Some(replaced) = self.replaced(&found, missing, variables) {
                    return replaced;
                }
                let variable =
                    variables.to_blame(true, |seen, _| seen.missing.contains_key(question));
                self.owed_to(found, variable)
            })
        });
        let mut owed: Vec<Finding> = owed.collect();
        owed.dedup_by(|a, b| (&a.object, &a.library) == (&b.object, &b.library));
        owed
    }

    /// A finding about a library of the target that is not found, if a variable leads to another copy of it. An
    /// entry may find the library before the variable is read.
    fn replaced(
        &self,
        found: &Finding,
        missing: &Missing,
        variables: &Variables<'_>,
    ) -> Option<Finding> {
        let [directory] = &found.lies_in[..] else { return None };
        let library = &missing.dependency.name;
        let mut copies = self.world.inventory.named(library);
        let own = copies.find(|copy| copy.path.parent() == Some(directory))?;
        let asking = &missing.asking.path;
        let (question, loaded) = missing.roots.iter().find_map(|root| {
            let (root, asking) = (root.to_path_buf(), asking.clone());
            let question = Question { root, asking, library: library.to_vec() };
            let loaded = self.seen.bindings.answer(&question)?.to_owned();
            Some((question, loaded))
        })?;
        if self.vfs.metadata(&loaded).ok()?.id == own.id {
            return None;
        }
        let moved = Moved { question, before: own.path.clone(), after: Some(loaded) };
        let lost = lost(self.vfs, &moved, &self.seen.bindings);
        let replaced = self.shadowed(moved, lost, Lacks::default(), variables)?;
        let (lies_in, fixable) = (found.lies_in.clone(), found.fixable);
        let is_optional = found.is_optional;
        Some(Finding { lies_in, fixable, is_optional, ..replaced })
    }

    /// Adds a finding for each library of the target that a variable replaces by another. What such a copy
    /// lacks is part of that finding, and the one about the copy alone is removed: the cure is the variable.
    pub(super) fn shadowed_by_variables(
        &self,
        bare: &Seen,
        variables: &Variables<'_>,
        findings: &mut Vec<Finding>,
    ) {
        let moved = bare.bindings.moved(&self.seen.bindings);
        let copies: BTreeSet<&Path> = moved.iter().filter_map(|it| it.after.as_deref()).collect();
        let mut lacking: BTreeMap<PathBuf, Lacks> = BTreeMap::new();
        findings.retain(|found| {
            let (copy, library) = (&found.object, found.library.as_ref());
            let is_new = |library: &&Vec<u8>| {
                let question = (copy.clone(), Vec::clone(library));
                self.seen.missing.contains_key(&question) && !bare.missing.contains_key(&question)
            };
            let real = self.vfs.canonicalize(copy).ok();
            let real = real.filter(|real| copies.contains(real.as_path()));
            let (Some(real), Some(library)) = (real, library.filter(is_new)) else { return true };
            let lacks = lacking.entry(real).or_default();
            lacks.libraries.insert(library.clone());
            lacks.is_fatal |= found.severity() == Severity::Error;
            false
        });
        let mut known: HashMap<(PathBuf, PathBuf, Option<PathBuf>), Vec<Vec<u8>>> = HashMap::new();
        let shadowed = moved.into_iter().filter_map(|moved| {
            let lost = known
                .entry((moved.question.asking.clone(), moved.before.clone(), moved.after.clone()))
                .or_insert_with(|| lost(self.vfs, &moved, &self.seen.bindings))
                .clone();
            let lacks = moved.after.as_deref().and_then(|copy| lacking.get(copy));
            self.shadowed(moved, lost, lacks.cloned().unwrap_or_default(), variables)
        });
        findings.extend(shadowed);
    }

    /// A finding about a library of the target that a variable replaces by another, which has `lost` symbols.
    fn shadowed(
        &self,
        moved: Moved,
        lost: Vec<Vec<u8>>,
        lacks: Lacks,
        variables: &Variables<'_>,
    ) -> Option<Finding> {
        let world = self.world;
        // A copy of a library of others is only reported if it lacks something.
        let is_whole = lost.is_empty() && lacks.libraries.is_empty();
        if is_whole && !world.reaches(self.vfs, &moved.before) {
            return None;
        }
        let Moved { question, before, after } = moved;
        let after = after?;
        let misses = (question.asking.clone(), question.library.clone());
        let variables = variables.to_blame(false, |seen, _| {
            seen.bindings.answer(&question).is_some_and(|answer| answer != after)
                || seen.missing.contains_key(&misses)
        });
        // LD_PRELOAD names files, the others directories.
        let named = match variables.variables.as_slice() {
            ["LD_PRELOAD"] => &after,
            _ => after.parent().unwrap_or(&after),
        };
        let cure = of_variables::taken_out(world, named, variables.clone());
        let (loaded, own) = (world.place(&after), world.place(&before));
        // What no interpreter loads may bind its symbols later, or never. A library of the system is
        // loaded with the module that needs it.
        let root = || world.inventory.at(&question.root);
        let asking = world.inventory.at(&question.asking).or_else(root);
        let is_loaded = asking.is_some_and(|asking| {
            asking.role == Role::ExtensionModule || self.seen.leads_to(asking)
        });
        let is_fatal = is_loaded && !lost.is_empty() || lacks.is_fatal;
        let symbols = lost.clone();
        let lacks = lacks.libraries.into_iter().collect();
        let supply = Supply::Shadowed { loaded, own, variables, lost, lacks };
        let need = Need::new(world.place(&question.asking), &question.library, supply);
        let evidence = Evidence::Need(need);
        Some(Finding {
            library: Some(question.library),
            symbols,
            is_fatal,
            ..fault(Cause::EnvOverride, &question.asking, evidence, cure)
        })
    }

    /// What would be found in an empty environment, as a finding about the variables of this one.
    fn owed_to(&self, found: Finding, variables: Blame) -> Finding {
        let directory = found.lies_in.first().map(|directory| self.world.place(directory));
        let supply = Supply::ThroughVariables { variables, directory };
        let library = found.library.as_deref().unwrap_or_default();
        let need = Need::new(self.world.place(&found.object), library, supply);
        Finding { cause: Cause::EnvOverride, evidence: Evidence::Need(need), ..found }
    }
}
