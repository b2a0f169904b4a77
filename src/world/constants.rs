//! Searches the constants of objects for names: they contain the names of libraries that native code opens,
//! and of modules that it imports.

use super::inventory::Object;
use crate::elf::strings::{self, Found};
use crate::elf::{Image, hash};
use crate::vfs::Vfs;
use std::cell::Cell;
use std::collections::BTreeSet;

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
        let source = self.vfs.open(&object.path).ok()?;
        let found = self.among(&Image::parse(source.as_ref()).ok()?, names)?;
        (!found.is_cut).then_some(found.names)
    }

    /// Which of `names` stand among the constants of an object, be it as parts of longer ones, as far as they are
    /// read.
    #[must_use]
    pub fn mentioned(&self, object: &Object, names: &[&[u8]]) -> BTreeSet<usize> {
        let mentioned = || {
            let source = self.vfs.open(&object.path).ok()?;
            let image = Image::parse(source.as_ref()).ok()?;
            let found = strings::within(&image, names, self.most.min(self.left.get())).ok()?;
            self.left.set(self.left.get() - found.read);
            Some(found.names)
        };
        if names.is_empty() { None } else { mentioned() }.unwrap_or_default()
    }

    /// The same for an object that can open a library by itself, as far as it is read; nothing for others.
    #[must_use]
    pub fn opened(&self, object: &Object, names: &[&[u8]]) -> BTreeSet<usize> {
        let opened = || {
            let source = self.vfs.open(&object.path).ok()?;
            let image = Image::parse(source.as_ref()).ok()?;
            // Most objects cannot do so, and their constants are not read.
            let can_open = hash::imports(&image, b"dlopen").unwrap_or(false);
            Some(if can_open { self.among(&image, names)?.names } else { BTreeSet::new() })
        };
        if names.is_empty() || self.left.get() == 0 { None } else { opened() }.unwrap_or_default()
    }

    fn among(&self, image: &Image<'_>, names: &[&[u8]]) -> Option<Found> {
        let found = strings::whole(image, names, self.most.min(self.left.get())).ok()?;
        self.left.set(self.left.get() - found.read);
        Some(found)
    }
}
