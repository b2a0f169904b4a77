//! Which of the objects that are gone a program does without: those that it opens if it comes to that.

use crate::diagnosis::load_report::Seen;
use crate::knowledge::opened;
use crate::loader::Target;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::constants::Constants;
use crate::world::inventory::{Object, Role};
use crate::world::makers::Maker;
use crate::world::object_names::may_be_object;
use crate::world::python_code::PythonCode;
use crate::world::system_libraries::Libraries;
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
    /// What the system has.
    pub(super) libraries: &'a Libraries<'a>,
    /// The libraries that objects ask for by their headers, each with those that do.
    pub(super) needed: &'a HashMap<&'a [u8], Vec<&'a Object>>,
}

impl Plugins<'_> {
    /// Is an object that a distribution has lost a plugin, or there for plugins alone? So it is where nothing
    /// needs its name, no code of its distribution mentions it, and no module leads to any object beside it, or
    /// no constant names it and it is one of several, or its whole directory is gone, which a program lists then.
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
            return self.is_on_the_system(distribution, name);
        }
        let objects = self.world.inventory.objects.iter();
        let mut beside = objects.filter(|object| Some(object.directory()) == file.parent());
        let is_open = |object: &Object| self.is_open(object);
        let first = beside.next();
        let is_for_plugins = first.is_some_and(is_open) && beside.all(is_open);
        let is_unnamed = || !self.is_named(distribution, name);
        is_for_plugins
            || self.is_of_a_family(distribution, file) && is_unnamed()
            || first.is_none() && self.has_modules(distribution) && is_unnamed()
    }

    /// Does the distribution's code look for a library on the system too, which has one?
    fn is_on_the_system(&self, distribution: usize, name: &[u8]) -> bool {
        let stem = str::from_utf8(stem(name)).unwrap_or_default();
        let Some(searched) = stem.strip_prefix("lib") else { return false };
        let objects = &self.world.inventory.objects;
        let machine = objects.iter().find_map(|object| object.elf().map(Target::of));
        self.code.searches_for(&Maker::Distribution(distribution), searched)
            && machine.is_some_and(|machine| {
                let start = format!("{stem}.so");
                self.libraries.versioned(start.as_bytes(), machine).is_some()
            })
    }

    /// Does a distribution have modules that native code is loaded by?
    fn has_modules(&self, distribution: usize) -> bool {
        let mut objects = self.world.inventory.objects.iter();
        objects.any(|object| {
            object.role == Role::ExtensionModule && object.distribution == Some(distribution)
        })
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
        let constants = Constants::new(self.vfs, MAX_CONSTANTS, MAX_CONSTANTS);
        own.any(|object| {
            let opened = opened::by(object.soname());
            opened.iter().any(|opened| opened.soname.as_bytes() == name)
                || constants.named(object, &[name]).is_none_or(|named| !named.is_empty())
        })
    }
}

/// Has a file the name of an object?
pub(super) fn is_object(path: &Path) -> bool {
    path.extension().is_some() && path.file_name().is_some_and(may_be_object)
}

/// A file's name up to its first dot.
fn stem(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b'.').next().unwrap_or_default()
}
