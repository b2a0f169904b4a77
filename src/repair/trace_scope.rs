//! The repair of what a program was seen to request without success, and of nothing else.
//!
//! A diagnosis finds less than a program requests: paths that it builds itself are not in any
//! header. It also finds more: what no run of the program has needed yet.

use crate::diagnosis::checks::dlopen::Process;
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::finding::Finding;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::program::Program;
use std::collections::HashSet;

/// What is to be repaired, if that is not what a diagnosis finds.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    /// What was requested and not found.
    seen: Vec<Finding>,
    /// The part of it that no diagnosis finds.
    witnessed: Vec<Finding>,
    /// What a diagnosis finds, and was not requested, or was found in the run.
    left_alone: Vec<Finding>,
}

impl Scope {
    /// From what was `seen`, for a target that now has these findings.
    #[must_use]
    pub fn new(seen: &[Finding], diagnosed: &[Finding]) -> Self {
        let lacks = |findings: &[Finding], finding: &Finding| {
            findings.iter().all(|other| other.question() != finding.question())
        };
        let only = |these: &[Finding], those: &[Finding]| -> Vec<Finding> {
            these.iter().filter(|finding| lacks(those, finding)).cloned().collect()
        };
        Self {
            witnessed: only(seen, diagnosed),
            left_alone: only(diagnosed, seen),
            seen: seen.to_vec(),
        }
    }

    /// From what was `seen`, in addition to everything that a diagnosis finds except what was
    /// `refuted`.
    #[must_use]
    pub fn beside(seen: &[Finding], diagnosed: &[Finding], refuted: Vec<Finding>) -> Self {
        Self { left_alone: refuted, ..Self::new(seen, diagnosed) }
    }

    /// Turns a diagnosis of the target with the plan applied into one of what was seen: with what
    /// would still be requested and not found, and without what was not requested, unless a library
    /// that is now found needs it in turn.
    pub(super) fn narrow(&self, vfs: &dyn Vfs, world: &World, diagnosis: &mut Diagnosis) {
        let programs = Program::all(vfs, world, &world.settings);
        let (mut reached, mut missing) = (HashSet::new(), Vec::new());
        for finding in &self.seen {
            let asking = world.inventory.at(&finding.object);
            let Some((asking, library)) = asking.zip(finding.library.as_deref()) else { continue };
            let process = Process::of(&programs, asking);
            match process.and_then(|process| process.open(library)) {
                Some(answer) if answer.root.found.is_some() => {
                    reached.extend(answer.objects.iter().map(|object| object.id));
                }
                _ => missing.push(finding),
            }
        }
        diagnosis.findings.retain(|finding| {
            let is_left = self.left_alone.iter().any(|left| left.question() == finding.question());
            let id = || world.inventory.at(&finding.object).map(|object| object.id);
            !is_left || id().is_some_and(|id| reached.contains(&id))
        });
        let is_witnessed = |finding: &&&Finding| self.witnessed.contains(finding);
        diagnosis.findings.extend(missing.iter().filter(is_witnessed).copied().cloned());
        crate::findings::finding::sort(&mut diagnosis.findings);
    }
}
