//! Carries out a plan on files or on a wheel, or only tries it.

use super::view::View;
use super::{App, Chosen, Error, Work};
use crate::bytes::Source as _;
use crate::edit::EditSet;
use crate::operation::{self, Store};
use crate::plan::{Plan, Step};
use crate::world::World;
use std::path::PathBuf;

/// How a plan is carried out.
#[derive(Debug, Clone)]
pub struct Carrying {
    /// The kind of the operation in the log.
    pub kind: operation::Kind,
    /// Is this a dry run?
    pub dry_run: bool,
    /// Edit in place or replace.
    pub write: operation::Write,
    /// Wait until everything is on the disk?
    pub sync: bool,
    /// The file or directory for a repaired wheel, if it is not repaired in place.
    pub repaired: Option<PathBuf>,
    /// The number of replaced bytes of each edit that are kept, to be shown.
    pub old_bytes: Option<u64>,
}

/// What a plan is for.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The target.
    pub chosen: &'a Chosen,
    /// The files of the target.
    pub view: &'a View<'a>,
    /// The objects of the target.
    pub world: &'a World,
}

/// The result of carrying out a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// Nothing was written.
    Not,
    /// This operation was carried out.
    InPlace(String),
    /// A wheel was written to this file.
    To(PathBuf),
}

/// A plan that was carried out, or would be.
#[derive(Debug)]
pub struct Carried {
    /// The plan, with the ID of its operation.
    pub plan: Plan,
    /// The result.
    pub written: Written,
    /// Are earlier operations on the target in effect, which a revert of the whole target would undo, too?
    pub follows_others: bool,
    /// For each step, the bytes that each edit replaces, by the offset of the edit; empty if they are not
    /// requested.
    pub old_bytes: Vec<Vec<Vec<u8>>>,
}

impl App {
    /// Carries out a plan on a target.
    ///
    /// # Errors
    /// If the target cannot be read or written.
    pub fn carry_out(
        &self,
        subject: Subject<'_>,
        mut plan: Plan,
        how: &Carrying,
    ) -> Result<Carried, Error> {
        // The old bytes are read before anything is written.
        let old_bytes = match how.old_bytes {
            Some(most) => old_bytes(subject, &plan, most)?,
            None => Vec::new(),
        };
        let work = self.begin(Work::Writing);
        let mut store = None;
        let written = match subject.view.wheel() {
            Some(wheel) => self.repack(how, subject.chosen, wheel, &plan)?,
            None => {
                let used = store.insert(self.store(&subject.world.root)?);
                self.edit_files((subject.world, used), &plan, how)?
            }
        };
        drop(work);
        plan.dry_run = how.dry_run;
        let mut follows_others = false;
        if let Written::InPlace(operation) = &written {
            // There may be another store between the root and a file.
            let is_first = subject.chosen.directory() == subject.world.root
                && store.is_some_and(|store| store.is_new_for(operation));
            follows_others = !is_first && self.follows_others(subject.chosen, operation);
            plan.operation = Some(operation.clone());
        }
        Ok(Carried { plan, written, follows_others, old_bytes })
    }

    /// Are other operations than this one in effect on a target? If that cannot be determined, the answer is
    /// yes, because a command that names the operation never undoes too much.
    fn follows_others(&self, chosen: &Chosen, operation: &str) -> bool {
        if self.place(chosen).is_ok_and(|place| place.store.has_only(operation).unwrap_or(false)) {
            return false;
        }
        let is_other = |id: &String| id != operation;
        self.diff(chosen)
            .map_or(true, |files| files.iter().any(|file| file.operations.iter().any(is_other)))
    }

    /// Carries out a plan on the files of this machine.
    fn edit_files(
        &self,
        (world, store): (&World, &Store),
        plan: &Plan,
        how: &Carrying,
    ) -> Result<Written, Error> {
        let writing = self.writing(how.sync, how.write, how.dry_run);
        // If there is nothing to do, not even the lock of the store is touched, so that this works on a
        // read-only file system.
        if plan.steps.is_empty() {
            return Ok(Written::Not);
        }
        let root = self.on_disk(&world.root);
        let applied = operation::apply(&root, store, plan, how.kind, &writing)?;
        let done = applied.filter(|_| !how.dry_run);
        Ok(done.map_or(Written::Not, |operation| Written::InPlace(operation.id)))
    }
}

/// The first `most` bytes that each edit replaces, for every step.
fn old_bytes(subject: Subject<'_>, plan: &Plan, most: u64) -> Result<Vec<Vec<Vec<u8>>>, Error> {
    let of_step = |step: &Step| {
        let source = subject.view.vfs().open(&subject.world.root.join(&step.path))?;
        let replaced = |edits: &EditSet| -> Vec<Vec<u8>> {
            let ranges = edits.by_offset().into_iter().map(|edit| edit.range.clone());
            let first = ranges.map(|range| range.start..range.end.min(range.start + most));
            first.map(|range| source.get(range).unwrap_or_default().into_owned()).collect()
        };
        Ok(replaced(&step.edits))
    };
    plan.steps.iter().map(of_step).collect()
}
