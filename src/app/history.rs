//! The previous operations on a target, for `log` and `diff`.

use super::{App, Chosen, Error};
use crate::operation::{self, FileDiff, Operation};
use crate::python::target::Target;

impl App {
    /// The operations in the store of a target, oldest first.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn log(&self, chosen: &Chosen) -> Result<Vec<Operation>, Error> {
        let place = self.place(chosen)?;
        self.note_interruption(&place.store)?;
        let mut all = operation::log(&place.store)?;
        // The store belongs to the whole environment.
        if matches!(chosen.target, Target::Distribution { .. }) {
            all.retain(|made| made.steps.iter().any(|step| self.means(chosen, &place, &step.path)));
        }
        Ok(all)
    }

    /// The changes of each file of a target by the operations that are in effect.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub fn diff(&self, chosen: &Chosen) -> Result<Vec<FileDiff>, Error> {
        let place = self.place(chosen)?;
        self.note_interruption(&place.store)?;
        let all = operation::diff(&place.root, &place.store)?.into_iter();
        Ok(all.filter(|file| self.means(chosen, &place, &file.path)).collect())
    }
}
