//! Log and diff: what was done to a target so far.

use super::{App, Chosen, Error};
use crate::operation::{self, FileDiff, Operation};
use crate::python::target::Target;

impl App {
    /// The operations of a target's store, the oldest first.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn log(&self, chosen: &Chosen) -> Result<Vec<Operation>, Error> {
        let place = self.place(chosen)?;
        self.note_interruption(&place.store)?;
        let mut all = operation::log(&place.store)?;
        // The store is that of the whole environment.
        if matches!(chosen.target, Target::Distribution { .. }) {
            all.retain(|made| made.steps.iter().any(|step| self.means(chosen, &place, &step.path)));
        }
        Ok(all)
    }

    /// What the operations that are in effect changed of each file that a target means.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn diff(&self, chosen: &Chosen) -> Result<Vec<FileDiff>, Error> {
        let place = self.place(chosen)?;
        self.note_interruption(&place.store)?;
        let all = operation::diff(&place.root, &place.store)?.into_iter();
        Ok(all.filter(|file| self.means(chosen, &place, &file.path)).collect())
    }
}
