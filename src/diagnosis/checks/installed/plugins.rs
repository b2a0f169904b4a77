//! Which of the objects that are gone a program does without: those that it opens if it comes to that.

use super::partial::is_object;
use crate::diagnosis::load_report::Seen;
use crate::elf::{Image, strings};
use crate::knowledge::opened;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::makers::Maker;
use crate::world::python_code::PythonCode;
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Of the constants of a distribution's objects so many bytes are looked through for the name of a file.
const MAX_CONSTANTS: u64 = 128 << 20;

/// What tells plugins from what is always loaded.
pub(super) struct Plugins<'a> {
    pub(super) vfs: &'a dyn Vfs,
    pub(super) world: &'a World,
    pub(super) seen: &'a Seen,
    pub(super) code: &'a PythonCode<'a>,
    /// The libraries that objects ask for by their headers, each with those that do.
    pub(super) needed: &'a HashMap<&'a [u8], Vec<&'a Object>>,
}

impl Plugins<'_> {
    /// Is an object that a distribution has lost a plugin, or there for plugins alone? So it is where nothing
    /// needs its name, no code of its distribution mentions it, and no module leads to any object beside it, or
    /// it is one of several that nothing names.
    pub(super) fn has(&self, distribution: usize, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default();
        let is_module =
            name.to_str().is_none_or(|it| it.contains(".cpython-") || it.contains(".abi3"));
        let name = name.as_bytes();
        if is_module || !is_object(file) {
            return false;
        }
        if let Some(needing) = self.needed.get(name) {
            return needing.iter().all(|object| {
                self.is_open(object)
                    && self.world.maker(object).is_some_and(|it| !self.mentions(&it, object.name()))
            });
        }
        if self.mentions(&Maker::Distribution(distribution), name) {
            return false;
        }
        let objects = self.world.inventory.objects.iter();
        let mut beside = objects.filter(|object| Some(object.directory()) == file.parent());
        let is_open = |object: &Object| self.is_open(object);
        beside.next().is_some_and(is_open) && beside.all(is_open)
            || self.is_of_a_family(distribution, file) && !self.is_named(distribution, name)
    }

    /// Is an object a library to which no module leads?
    fn is_open(&self, object: &Object) -> bool {
        object.role == Role::Library && !self.seen.by_modules.contains_key(&object.id)
    }

    /// Does somebody's code mention a library, by its name without `lib` and the ending? A digest that a tool for
    /// wheels has put there is not looked for.
    fn mentions(&self, maker: &Maker, name: &[u8]) -> bool {
        let name = opened::as_it_was(str::from_utf8(name).unwrap_or_default());
        let stem = str::from_utf8(stem(name.as_bytes())).unwrap_or_default();
        let stem = stem.strip_prefix("lib").unwrap_or(stem);
        stem.is_empty() || self.code.mentions(maker, stem)
    }

    /// Does another library lie beside a file that is called like it but for the last word, and that nothing
    /// needs, mentions or leads to either? Whoever opens these puts their names together.
    fn is_of_a_family(&self, distribution: usize, file: &Path) -> bool {
        let family = |name: &[u8]| {
            let stem = stem(name);
            let end = stem.iter().rposition(|&byte| byte == b'_' || byte == b'-')?;
            stem.get(..end).filter(|family| family.len() > b"lib".len()).map(<[u8]>::to_vec)
        };
        let name = file.file_name().unwrap_or_default().as_bytes();
        let Some(own) = family(name).filter(|_| name.starts_with(b"lib")) else { return false };
        let mut beside = self.world.inventory.in_directory(file.parent().unwrap_or(Path::new("")));
        beside.any(|other| {
            other.distribution == Some(distribution)
                && self.is_open(other)
                && family(other.name()).as_ref() == Some(&own)
                && !self.needed.contains_key(other.soname())
                && !self.mentions(&Maker::Distribution(distribution), other.name())
        })
    }

    /// Do the constants of an object of the distribution name a file, or is it known that one opens it? What
    /// cannot be read may name it.
    fn is_named(&self, distribution: usize, name: &[u8]) -> bool {
        let objects = self.world.inventory.objects.iter();
        let mut own = objects.filter(|object| object.distribution == Some(distribution));
        let mut left = MAX_CONSTANTS;
        own.any(|object| {
            let is_known = || {
                let opened = opened::by(object.soname());
                opened.iter().any(|opened| opened.soname.as_bytes() == name)
            };
            let Ok(source) = self.vfs.open(&object.path) else { return true };
            let most = left;
            left = left.saturating_sub(source.len());
            let named = Image::parse(source.as_ref())
                .and_then(|image| strings::whole(&image, &[name], most));
            most == 0 || is_known() || named.map_or(true, |named| !named.is_empty())
        })
    }
}

/// A file's name up to its first dot.
fn stem(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b'.').next().unwrap_or_default()
}
