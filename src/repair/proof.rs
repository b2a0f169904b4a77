//! Does a plan do what it is for, and nothing else? The target is diagnosed again with the plan's
//! edits applied.

use crate::diagnosis::bindings::Moved;
use crate::diagnosis::diagnose::Diagnosis;
use crate::diagnosis::load_report::Clash;
use crate::findings::finding::{Cause, Finding};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::twins::has_same_bytes;
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What speaks against a plan.
#[derive(Debug, Default)]
pub struct Objections {
    /// Objects whose libraries would come from elsewhere than now.
    pub moved: Vec<Moved>,
    /// Findings that the plan was to cure, and would not.
    pub left: Vec<Finding>,
    /// Findings that the plan was to cure, each with what then keeps the object, or one that loads it,
    /// from loading.
    pub clashes: Vec<(Finding, Clash)>,
}

impl Objections {
    /// Is there no objection?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.moved.is_empty() && self.left.is_empty() && self.clashes.is_empty()
    }

    /// The objects that speak against the plan: those that would get another library, and those
    /// that would still not get theirs.
    #[must_use]
    pub fn objects(&self) -> HashSet<PathBuf> {
        let moved = self.moved.iter().map(|moved| moved.question.asking.clone());
        let clashing = self.clashes.iter().map(|(finding, _)| finding);
        let left = self.left.iter().chain(clashing);
        moved.chain(left.map(|finding| finding.object.clone())).collect()
    }
}

/// Does a library have to come from another file, because the copy that was found lacks a version, or because a
/// variable leads to one that lacks symbols? All objects that need it in the same process get the same copy.
fn is_meant(planned: &[Finding], moved: &Moved) -> bool {
    let wanted = planned.iter().filter(|finding| {
        (finding.cause == Cause::SymbolVersion || finding.gets_a_lacking_copy())
            && finding.library.as_ref() == Some(&moved.question.library)
    });
    let after = moved.after.as_deref().and_then(Path::parent);
    let mut directories = wanted.filter_map(|finding| finding.lies_in.first());
    directories.any(|directory| after == Some(directory))
}

/// Is the file that a name resolves to a copy of the one before, byte for byte? Installers that graft
/// libraries into packages give copies of one file the same name, and each of them works.
fn is_copied(vfs: &dyn Vfs, moved: &Moved) -> bool {
    moved.after.as_ref().is_some_and(|after| has_same_bytes(vfs, &moved.before, after))
}

/// What the plan cures in objects that then load a library which lacks a version: these load no better
/// than before.
fn clashes(planned: &[Finding], before: &Diagnosis, after: &Diagnosis) -> Vec<(Finding, Clash)> {
    let new = after.clashes.iter().filter(|(root, _)| !before.clashes.contains_key(*root));
    let cured = new.flat_map(|(root, clash)| {
        let is_loaded = move |cured: &&Finding| {
            let mut all = after.bindings.iter();
            all.any(|bindings| bindings.is_loaded_with(root, &cured.object))
        };
        planned.iter().filter(is_loaded).map(move |cured| (cured.clone(), clash.clone()))
    });
    cured.collect()
}

/// Compares the target before and after the plan, for each environment: everything that `planned`
/// names must resolve, nothing that resolved may resolve to another file, and no library may lack a version
/// that was not asked for before.
#[must_use]
pub fn object(planned: &[Finding], before: &Diagnosis, after: &Diagnosis) -> Objections {
    let remaining: HashSet<_> = after.findings.iter().map(Finding::question).collect();
    let left = planned.iter().filter(|cured| remaining.contains(&cured.question()));
    let left = left.cloned().collect();
    let environments = before.bindings.iter().zip(&after.bindings);
    let moved = environments.flat_map(|(before, after)| before.moved(after));
    let moved = moved.filter(|moved| !is_meant(planned, moved)).collect();
    Objections { moved, left, clashes: clashes(planned, before, after) }
}

impl Objections {
    /// Leaves out libraries that come from one file of the target and would come from a copy of it. Files of
    /// the system change independently. This is only for a plan that was made here: a foreign plan could name a
    /// file that its author replaces later. `vfs` has the files as they are.
    #[must_use]
    pub fn but_for_copies(mut self, vfs: &dyn Vfs, world: &World) -> Self {
        // Many objects need the same library.
        let mut copied: HashMap<(PathBuf, Option<PathBuf>), bool> = HashMap::new();
        self.moved.retain(|moved| {
            let known = copied.entry((moved.before.clone(), moved.after.clone()));
            !*known.or_insert_with(|| world.contains(vfs, &moved.before) && is_copied(vfs, moved))
        });
        self
    }
}
