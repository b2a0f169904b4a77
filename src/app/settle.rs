//! Retries work on a target that other programs change at the same time.

use super::{App, Chosen, Error};
use crate::operation::{self, Options, Store};
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The maximum number of plans for a target that other programs keep changing.
const MAX_ATTEMPTS: u32 = 20;

/// The time to wait for another tfpatch.
const PATIENCE: Duration = Duration::from_secs(60);

impl App {
    /// Runs `edit`, and repeats it if it fails because the target was changed in the meantime: after changes
    /// by another tfpatch, or a few times after changes by other programs. `root` is the root of the target.
    /// Unless this is a dry run, an interrupted operation is completed or undone before anything is read,
    /// because a file may be in an intermediate state until then.
    ///
    /// # Errors
    /// The errors of `edit`, or where the store cannot be read.
    pub fn until_settled<T>(
        &self,
        root: &Path,
        dry_run: bool,
        mut edit: impl FnMut() -> Result<T, Error>,
    ) -> Result<T, Error> {
        let before = RefCell::new(None);
        let work = || {
            let store = self.store(root)?;
            if !dry_run {
                self.recover(&self.on_disk(root), &store)?;
            }
            before.replace(store.last()?);
            edit()
        };
        let is_outdated = |error: &Error| {
            Ok(error.is_overtaken()
                || error.may_be_outdated() && self.store(root)?.last()? != *before.borrow())
        };
        again(work, is_outdated)
    }

    /// Completes or undoes an interrupted operation, and reports it. `root` is the path on the disk.
    ///
    /// # Errors
    /// If a file cannot be restored.
    pub fn recover(&self, root: &Path, store: &Store) -> Result<(), Error> {
        let options = self.writing(true, operation::Write::Auto, false);
        if let Some(recovered) = operation::recover(root, store, &options)? {
            (self.watch.recovered)(&recovered);
        }
        Ok(())
    }

    /// Fails if the disk failed while a target was examined, because a plan based on that may be incomplete.
    ///
    /// # Errors
    /// If it failed.
    pub fn require_read(&self, chosen: &Chosen) -> Result<(), Error> {
        let failed = |(path, source): (PathBuf, io::Error)| Error::DiskFailed {
            path,
            source: Arc::new(source),
        };
        self.vfs.require_read(chosen.root()).map_err(failed)
    }

    /// How an operation writes.
    #[must_use]
    pub fn writing(&self, sync: bool, write: operation::Write, dry_run: bool) -> Options<'_> {
        let (time, waiting) = ((self.watch.now)(), &self.watch.waiting);
        Options { sync, write, dry_run, time, wait: PATIENCE, waiting }
    }
}

/// Runs `work`, and repeats it a few times if it fails because its input is outdated.
///
/// # Errors
/// The errors of `work` and of `is_outdated`.
pub fn again<T>(
    mut work: impl FnMut() -> Result<T, Error>,
    is_outdated: impl Fn(&Error) -> Result<bool, Error>,
) -> Result<T, Error> {
    let mut attempts = 1;
    loop {
        match work() {
            Err(error) if attempts < MAX_ATTEMPTS && is_outdated(&error)? => attempts += 1,
            result => return result,
        }
    }
}
