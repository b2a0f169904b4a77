//! Searches the constants of objects for names: they contain the names of libraries that native code opens,
//! and of modules that it imports.

use super::inventory::Object;
use crate::bytes;
use crate::elf::Image;
use crate::elf::strings::{self, Found};
use crate::vfs::Vfs;
use std::cell::Cell;
use std::collections::BTreeSet;

/// A search for names in an image, of which at most so many bytes are read.
type Search = fn(&Image<'_>, &[&[u8]], u64) -> Result<Found, bytes::Error>;

/// Looks for names among the constants of objects.
pub struct Constants<'a> {
    vfs: &'a dyn Vfs,
    most: u64,
    left: Cell<u64>,
}

impl<'a> Constants<'a> {
    /// The most bytes that are read of one object, and of all together.
    #[must_use]
    pub fn new(vfs: &'a dyn Vfs, of_one: u64, of_all: u64) -> Self {
        Self { vfs, most: of_one, left: Cell::new(of_all) }
    }

    /// Which of `names` are among the constants of an object, by their places in the list; `None` if the
    /// object, or a part of its constants, cannot be read.
    #[must_use]
    pub fn named(&self, object: &Object, names: &[&[u8]]) -> Option<BTreeSet<usize>> {
        let found = self.found(object, names, strings::whole)?;
        (!found.is_cut).then_some(found.names)
    }

    /// The same for names that may be parts of longer constants.
    #[must_use]
    pub fn held(&self, object: &Object, names: &[&[u8]]) -> Option<BTreeSet<usize>> {
        let found = self.found(object, names, strings::within)?;
        (!found.is_cut).then_some(found.names)
    }

    /// Which of `names` are among the constants of an object, also as parts of longer ones, as far as these are
    /// read.
    #[must_use]
    pub fn mentioned(&self, object: &Object, names: &[&[u8]]) -> BTreeSet<usize> {
        self.found(object, names, strings::within).unwrap_or_default().names
    }

    /// The same for an object that can open a library by itself, as far as it is read; nothing for others.
    #[must_use]
    pub fn opened(&self, object: &Object, names: &[&[u8]]) -> BTreeSet<usize> {
        let opened = || {
            let headers = self.vfs.headers(&object.path, object.id, None).ok()?;
            // Most objects cannot do so, and their constants are not read.
            if headers.is_known_to_open() == Some(false) {
                return None;
            }
            let source = self.vfs.open(&object.path).ok()?;
            let image = headers.image(source.as_ref()).ok()?;
            if !headers.imports_dlopen(&image) {
                return None;
            }
            let whole =
                |image: &Image<'_>, names: &[&[u8]], most| headers.whole(image, names, most);
            Some(self.among(&image, names, whole)?.names)
        };
        if names.is_empty() || self.left.get() == 0 { None } else { opened() }.unwrap_or_default()
    }

    fn found(&self, object: &Object, names: &[&[u8]], search: Search) -> Option<Found> {
        if names.is_empty() {
            return Some(Found::default());
        }
        let source = self.vfs.open(&object.path).ok()?;
        self.among(&Image::parse(source.as_ref()).ok()?, names, search)
    }

    fn among(
        &self,
        image: &Image<'_>,
        names: &[&[u8]],
        search: impl FnOnce(&Image<'_>, &[&[u8]], u64) -> Result<Found, bytes::Error>,
    ) -> Option<Found> {
        let found = search(image, names, self.most.min(self.left.get())).ok()?;
        self.left.set(self.left.get() - found.read);
        Some(found)
    }
}
