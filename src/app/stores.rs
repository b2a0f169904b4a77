//! Selects the store of a target, and detects interrupted operations.

use super::{App, Chosen, Error};
use crate::operation::Store;
use crate::vfs::{OsVfs, Vfs as _};
use std::path::{Path, PathBuf};

/// A store, and the directory on the disk that its paths are relative to.
pub struct StoreOfTarget {
    /// The store.
    pub store: Store,
    /// An absolute path, with links resolved.
    pub root: PathBuf,
}

impl App {
    /// The store with the previous operations on a target, and the directory on the disk that its paths are
    /// relative to.
    ///
    /// # Errors
    /// As for [`App::store`].
    pub fn place(&self, chosen: &Chosen) -> Result<StoreOfTarget, Error> {
        if self.store.is_none()
            && let Some(store) = self.find_store(&self.on_disk(chosen.directory()))?
        {
            return Ok(StoreOfTarget { root: store.directory().to_owned(), store });
        }
        let store = self.store(chosen.root())?;
        let root = self.real(chosen.root());
        let base = if root.starts_with(store.directory()) { store.directory() } else { &root };
        Ok(StoreOfTarget { root: base.to_owned(), store })
    }

    /// The store for an operation on a target with this root: that of `--store`, or else the existing one, or
    /// else a new one at the root.
    ///
    /// # Errors
    /// If the directory cannot be read, or stores would be nested.
    pub fn store(&self, root: &Path) -> Result<Store, Error> {
        if let Some(directory) = &self.store {
            return Ok(self.placed(Store::open(directory)?));
        }
        let root = self.on_disk(root);
        if self.vfs.root().is_none() {
            return Ok(self.placed(Store::find_or_open(&root)?));
        }
        match self.find_store(&root)? {
            Some(store) => Ok(store),
            None => Ok(self.placed(Store::open(&root)?)),
        }
    }

    /// The store with the options applied.
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

    /// The existing store for a path on the disk. A store above the root of another system belongs to this
    /// one.
    fn find_store(&self, path: &Path) -> Result<Option<Store>, Error> {
        let is_inside =
            |store: &Store| self.vfs.root().is_none_or(|root| store.directory().starts_with(root));
        Ok(Store::find(path)?.filter(is_inside).map(|store| self.placed(store)))
    }

    /// Reports an interrupted operation in commands that only read; true if there is one.
    ///
    /// # Errors
    /// If the store cannot be read, or nobody can be told.
    pub fn note_interruption(&self, store: &Store) -> Result<bool, Error> {
        let Some(id) = store.interrupted()? else { return Ok(false) };
        (self.watch.interrupted)(&id)?;
        Ok(true)
    }
}
