//! Files seen through edits that are not written yet.

use super::{DirEntry, FileKind, Metadata, Vfs, read_headers};
use crate::bytes::Source;
use crate::edit::{EditSet, Patched};
use crate::elf::Headers;
use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A tree of files as it would be with edits applied.
///
/// Edits belong to the file and not to its name, so every link to it shows them.
pub struct Overlay<'a> {
    base: &'a dyn Vfs,
    /// By device and inode.
    patched: HashMap<(u64, u64), EditSet>,
    /// Files whose headers are read again, whatever was remembered of them.
    doubted: HashSet<(u64, u64)>,
}

impl<'a> Overlay<'a> {
    /// `base` without any edit yet.
    #[must_use]
    pub fn new(base: &'a dyn Vfs) -> Self {
        Self { base, patched: HashMap::new(), doubted: HashSet::new() }
    }

    /// Reads the file at `path` again instead of relying on what is remembered, because another program may have
    /// changed it.
    pub fn doubt(&mut self, path: &Path) {
        self.doubted.extend(self.base.metadata(path).ok().map(|metadata| metadata.id));
    }

    /// Shows the file at `path` through `edits` from now on, instead of any edits before.
    ///
    /// # Errors
    /// If the file is not there, or is not of the length that the edits were made for.
    pub fn patch(&mut self, path: &Path, edits: EditSet) -> io::Result<()> {
        let metadata = self.base.metadata(path)?;
        if metadata.kind != FileKind::File || metadata.len != edits.old_len() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "not the file that the edits were made for",
            ));
        }
        self.patched.insert(metadata.id, edits);
        Ok(())
    }

    fn with_new_len(&self, mut metadata: Metadata) -> Metadata {
        if let Some(edits) = self.patched.get(&metadata.id) {
            metadata.len = edits.new_len();
        }
        metadata
    }
}

impl Vfs for Overlay<'_> {
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.base.symlink_metadata(path).map(|metadata| self.with_new_len(metadata))
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.base.metadata(path).map(|metadata| self.with_new_len(metadata))
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.base.read_link(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.base.read_dir(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.base.canonicalize(path)
    }

    fn headers(
        &self,
        path: &Path,
        id: (u64, u64),
        source: Option<&dyn Source>,
    ) -> io::Result<Arc<Headers>> {
        if !self.patched.contains_key(&id) && !self.doubted.contains(&id) {
            return self.base.headers(path, id, source);
        }
        read_headers(self, path, source)
    }

    fn is_noexec(&self, path: &Path) -> bool {
        self.base.is_noexec(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        let old = self.base.open(path)?;
        if self.patched.is_empty() {
            return Ok(old);
        }
        match self.patched.get(&self.base.metadata(path)?.id) {
            None => Ok(old),
            Some(edits) if edits.old_len() != old.len() => Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the file has changed since its edits were made",
            )),
            Some(edits) => Ok(Box::new(Patched::new(old, edits))),
        }
    }
}
