//! Restores the exact old bytes.

use super::settle::again;
use super::{App, Chosen, Error};
use crate::command_line::CommandLine;
use crate::operation::{self, Change, LeftAlone, Reverted, Selection};
use crate::python::installer;
use crate::vfs::OsVfs;

/// What to restore, and how.
#[derive(Debug, Clone)]
pub struct Revert {
    /// The operation to undo. `None` undoes all operations on the target.
    pub operation: Option<String>,
    /// Is this a dry run?
    pub dry_run: bool,
    /// Edit in place or replace.
    pub write: operation::Write,
    /// Wait until everything is on the disk?
    pub sync: bool,
}

/// The result of a revert.
#[derive(Debug)]
pub struct PutBack {
    /// The restored files, and those that were skipped.
    pub reverted: Reverted,
    /// For each skipped file, the distribution that reinstalled it.
    pub installed_by: Vec<Option<String>>,
}

impl App {
    /// Undoes operations on a target.
    ///
    /// # Errors
    /// If its store cannot be read, or a file cannot be written.
    pub fn revert(&self, chosen: &Chosen, how: &Revert) -> Result<PutBack, Error> {
        let place = self.place(chosen)?;
        if !how.dry_run {
            self.recover(&place.root, &place.store)?;
        }
        let selection = match &how.operation {
            Some(id) => Selection::Operation(id.clone()),
            None => self.selection(chosen, &place),
        };
        let writing = self.writing(how.sync, how.write, how.dry_run);
        let revert = || Ok(operation::revert(&place.root, &place.store, &selection, &writing)?);
        let reverted = again(revert, |error| Ok(error.is_overtaken()));
        let reverted = reverted.map_err(|error| match error {
            Error::Operation(source) if matches!(*source, operation::Error::NoOperation { .. }) => {
                let log = chosen.command(CommandLine::new(["log"]));
                Error::NoOperation { source, log }
            }
            other => other,
        })?;
        let installed_by = |left: &LeftAlone| match left.change {
            Change::Later { .. } => None,
            _ => installer::of(&OsVfs::new(), &place.root.join(&left.path)),
        };
        let installed_by = reverted.refused.iter().map(installed_by).collect();
        Ok(PutBack { reverted, installed_by })
    }
}
