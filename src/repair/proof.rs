//! Does a plan do what it is for, and nothing else? The target is diagnosed again as it would be
//! with the plan's edits.

use crate::diagnosis::bindings::{Bindings, Moved};
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::finding::{Cause, Finding};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What speaks against a plan.
#[derive(Debug, Default)]
pub struct Objections {
    /// Objects whose libraries would come from elsewhere than now.
    pub moved: Vec<Moved>,
    /// Findings that the plan was to cure, and would not.
    pub left: Vec<Finding>,
}

impl Objections {
    /// Is there none?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.left.is_empty()
    }

    /// The objects that speak against the plan: those that would get another library, and those
    /// that would still not get theirs.
    #[must_use]
    pub fn objects(&self) -> HashSet<PathBuf> {
        let moved = self.moved.iter().map(|moved| moved.question.asking.clone());
        moved.chain(self.left.iter().map(|finding| finding.object.clone())).collect()
    }
}

/// Is a library to come from where it comes from now, since the copy that was found lacks a version?
/// Who else asks for it in the same process gets the same copy.
fn is_meant(planned: &[Finding], moved: &Moved) -> bool {
    let wanted = planned.iter().filter(|finding| {
        finding.cause == Cause::SymbolVersion
            && finding.library.as_ref() == Some(&moved.question.library)
    });
    let after = moved.after.as_deref().and_then(Path::parent);
    let mut directories = wanted.filter_map(|finding| finding.lies_in.first());
    directories.any(|directory| after == Some(directory))
}

/// Compares what was with what would be, under each environment: everything that `planned` names
/// must resolve, and nothing that resolved may resolve elsewhere.
#[must_use]
pub fn object(planned: &[Finding], before: &[Bindings], after: &Diagnosis) -> Objections {
    let left = planned
        .iter()
        .filter(|cured| after.findings.iter().any(|found| found.question() == cured.question()))
        .cloned()
        .collect();
    let environments = before.iter().zip(&after.bindings);
    let moved = environments.flat_map(|(before, after)| before.moved(after));
    let moved = moved.filter(|moved| !is_meant(planned, moved)).collect();
    Objections { moved, left }
}
