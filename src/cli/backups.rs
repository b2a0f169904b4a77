//! The stores of targets: which one is meant, and what was interrupted there.

use super::error::CommandError;
use super::session::{Chosen, Session};
use super::settings;
use crate::bytes::printable;
use crate::operation::{self, Options, Recovered, Store};
use crate::python::target::Target;
use crate::report::inert;
use crate::vfs::{OsVfs, Vfs as _};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A store, and the directory on the disk that its paths are relative to.
pub struct Place {
    /// The store.
    pub store: Store,
    /// Absolute, links resolved.
    pub root: PathBuf,
}

impl Session {
    /// The store for what was done to a target so far, and the directory on the disk that its paths
    /// are relative to.
    ///
    /// # Errors
    /// As [`Session::store`].
    pub fn place(&self, chosen: &Chosen) -> Result<Place, CommandError> {
        let beside = match &chosen.target {
            Target::File(path) | Target::Wheel(path) => path.parent().unwrap_or(path),
            _ => chosen.path(),
        };
        if self.store.is_none()
            && let Some(store) = self.find_store(&self.on_disk(beside))?
        {
            return Ok(Place { root: store.directory().to_owned(), store });
        }
        let store = self.store(chosen.root())?;
        let root = self.real(chosen.root());
        let base = if root.starts_with(store.directory()) { store.directory() } else { &root };
        Ok(Place { root: base.to_owned(), store })
    }

    /// The store that an operation on a target with that root goes into: that of `--store`, else
    /// the one that is there already, else the one that an operation would create at the root.
    ///
    /// # Errors
    /// Where the directory cannot be read, or stores would be nested.
    pub fn store(&self, root: &Path) -> Result<Store, CommandError> {
        if let Some(directory) = &self.store {
            return Ok(self.placed(Store::open(directory)?));
        }
        let root = self.on_disk(root);
        match self.find_store(&root)? {
            Some(store) => Ok(store),
            None => Ok(self.placed(Store::open(&root)?)),
        }
    }

    /// The store with what the options say of it.
    fn placed(&self, store: Store) -> Store {
        let is_trusted = self
            .trusted
            .as_deref()
            .and_then(|named| OsVfs::new().canonicalize(named).ok())
            .is_some_and(|named| named == store.directory());
        let store = if is_trusted { store.trusted() } else { store };
        match self.vfs.root() {
            Some(root) => store.inside(root),
            None => store,
        }
    }

    /// The store that is there for a path on the disk. One above the root of another system belongs
    /// to this one.
    fn find_store(&self, path: &Path) -> Result<Option<Store>, CommandError> {
        let is_inside =
            |store: &Store| self.vfs.root().is_none_or(|root| store.directory().starts_with(root));
        Ok(Store::find(path)?.filter(is_inside).map(|store| self.placed(store)))
    }

    /// Says where an operation was interrupted, for a command that only reads; true if one was.
    ///
    /// # Errors
    /// Where the store cannot be read.
    pub fn note_interruption(&self, store: &Store) -> Result<bool, CommandError> {
        let Some(id) = store.interrupted()? else { return Ok(false) };
        let cure = "the next `tfpatch fix` or `tfpatch revert` finishes it or takes it back";
        let id = printable(id.as_bytes());
        writeln!(inert::stderr(), "tfpatch: operation {id} was interrupted; {cure}")?;
        Ok(true)
    }

    /// Runs `edit`, and again where it fails because the target was changed meanwhile: by another
    /// tfpatch, or a few times by anybody else.
    /// `root` is the target's. What was interrupted is finished or taken back before anything is
    /// read, unless it is a dry run: in between a file is not a name of what it is going to be.
    ///
    /// # Errors
    /// As those of `edit`, or where the store cannot be read.
    pub fn until_settled<T>(
        &mut self,
        root: &Path,
        dry_run: bool,
        mut edit: impl FnMut(&mut Self) -> Result<T, CommandError>,
    ) -> Result<T, CommandError> {
        let mut attempts = 1;
        loop {
            let store = self.store(root)?;
            if !dry_run {
                self.recover(&self.on_disk(root), &store)?;
            }
            let last = store.last()?;
            match edit(self) {
                Err(error)
                    if attempts < MAX_ATTEMPTS
                        && (error.is_overtaken()
                            || error.may_be_outdated() && self.store(root)?.last()? != last) =>
                {
                    attempts += 1;
                }
                result => return result,
            }
        }
    }

    /// Finishes or takes back an operation that was interrupted, and says so. `root` is the path on
    /// the disk.
    ///
    /// # Errors
    /// Where a file cannot be put back.
    pub fn recover(&self, root: &Path, store: &Store) -> Result<(), CommandError> {
        let options = self.writing(true, operation::Write::Auto, false);
        let Some(recovered) = operation::recover(root, store, &options)? else {
            return Ok(());
        };
        let Recovered { operation, finished, left_alone } = recovered;
        let outcome = if finished { "was complete" } else { "was taken back" };
        let mut notes = inert::stderr();
        let operation = printable(operation.as_bytes());
        // A note that cannot be written is no reason to stop.
        let _ = writeln!(notes, "tfpatch: operation {operation} was interrupted, and {outcome}");
        for left in left_alone {
            let _ = writeln!(notes, "tfpatch: {} was left alone: {}", left.path, left.change);
        }
        Ok(())
    }

    /// Fails where the disk failed while a target was looked at: what is planned from that may leave out a
    /// file, and would count as all.
    ///
    /// # Errors
    /// Then.
    pub fn require_read(&self, chosen: &Chosen) -> Result<(), CommandError> {
        let failed = |(path, source): (PathBuf, io::Error)| {
            CommandError::new(format!("cannot read {path:?}: {source}; run it again"))
        };
        self.vfs.require_read(chosen.root()).map_err(failed)
    }

    /// How an operation writes.
    #[must_use]
    pub fn writing(&self, sync: bool, write: operation::Write, dry_run: bool) -> Options<'static> {
        Options { sync, write, dry_run, time: settings::now(), wait: PATIENCE, waiting: &waiting }
    }
}

/// Runs `work`, and a few times again where somebody else changed a file meanwhile.
///
/// # Errors
/// As those of `work`.
pub fn retrying<T>(mut work: impl FnMut() -> Result<T, CommandError>) -> Result<T, CommandError> {
    for _ in 1..MAX_ATTEMPTS {
        match work() {
            Err(error) if error.is_overtaken() => {}
            result => return result,
        }
    }
    work()
}

/// How often a target is planned for that somebody else keeps changing.
const MAX_ATTEMPTS: u32 = 20;

/// How long a second tfpatch waits for the first.
const PATIENCE: Duration = Duration::from_secs(60);

fn waiting(pid: Option<u32>) {
    let who = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    // A note that cannot be written is no reason to stop waiting.
    let _ = writeln!(inert::stderr(), "tfpatch: waiting for another tfpatch{who} to end");
}
