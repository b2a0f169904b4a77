//! Work on a target that others may change meanwhile: it is begun again until it has settled.

use super::{App, Chosen, Error};
use crate::operation::{self, Options, Store};
use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How often a target is planned for that somebody else keeps changing.
const MAX_ATTEMPTS: u32 = 20;

/// How long a second tfpatch waits for the first.
const PATIENCE: Duration = Duration::from_secs(60);

impl App {
    /// Runs `edit`, and again where it fails because the target was changed meanwhile: by another
    /// tfpatch, or a few times by anybody else.
    /// `root` is the target's. What was interrupted is finished or undone before anything is
    /// read, unless it is a dry run: in between a file is not a name of what it is going to be.
    ///
    /// # Errors
    /// As those of `edit`, or where the store cannot be read.
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

    /// Finishes or undoes an operation that was interrupted, and tells of it. `root` is the path on
    /// the disk.
    ///
    /// # Errors
    /// Where a file cannot be restored.
    pub fn recover(&self, root: &Path, store: &Store) -> Result<(), Error> {
        let options = self.writing(true, operation::Write::Auto, false);
        if let Some(recovered) = operation::recover(root, store, &options)? {
            (self.watch.recovered)(&recovered);
        }
        Ok(())
    }

    /// Fails where the disk failed while a target was looked at: what is planned from that may leave out a
    /// file, and would count as all.
    ///
    /// # Errors
    /// Then.
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

/// Runs `work`, and a few times again where what it fails of is outdated.
///
/// # Errors
/// As those of `work` and of `is_outdated`.
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
