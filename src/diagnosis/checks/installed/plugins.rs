//! Which of the missing objects a program works without: those that it only opens when it needs them.

use crate::diagnosis::load_report::Seen;
use crate::knowledge::{opened, tensorflow};
use crate::loader::Target;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::constants::Constants;
use crate::world::inventory::{Object, Role};
use crate::world::makers::Maker;
use crate::world::object_names::{may_be_object, stem};
use crate::world::python_code::{PythonCode, Reaction};
use crate::world::system_libraries::Libraries;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Limit in bytes of the constants of a distribution's objects that are searched for the name of a file.
const MAX_CONSTANTS: u64 = 128 << 20;

/// What distinguishes plugins from what is always loaded.
pub(super) struct Plugins<'a> {
    pub(super) vfs: &'a dyn Vfs,
    pub(super) world: &'a World,
    pub(super) seen: &'a Seen,
    pub(super) code: &'a PythonCode<'a>,
    /// What the system has.
    pub(super) libraries: &'a Libraries<'a>,
    /// The libraries that the headers of objects name, each with these objects.
    pub(super) needed: &'a HashMap<&'a [u8], Vec<&'a Object>>,
}

/// The plugins among what a distribution has lost.
pub(super) struct Lost<'p, 'a> {
    plugins: &'p Plugins<'a>,
    distribution: usize,
    gone: &'p [PathBuf],
    /// The directories in which objects are gone.
    directories: HashSet<&'p Path>,
    /// The distribution, and those that require it, whose code may open its libraries.
    users: OnceCell<HashSet<usize>>,
    /// The names of missing objects that constants name; `None` if not all constants can be read.
    named: OnceCell<Option<HashSet<Vec<u8>>>>,
}

impl<'a> Plugins<'a> {
    /// What is known about the files that a distribution has lost.
    pub(super) fn among<'p>(&'p self, distribution: usize, gone: &'p [PathBuf]) -> Lost<'p, 'a> {
        let objects = gone.iter().filter(|path| is_object(path));
        let directories = objects.filter_map(|path| path.parent()).collect();
        let (users, named) = (OnceCell::new(), OnceCell::new());
        Lost { plugins: self, distribution, gone, directories, users, named }
    }

    /// Do the headers of a module name a library?
    pub(super) fn is_needed_by_a_module(&self, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default().as_bytes();
        let needing = self.needed.get(name).into_iter().flatten();
        needing.into_iter().any(|object| object.role == Role::ExtensionModule)
    }

    /// Is a file needed by its whole name, by an object or by the code of its distribution?
    pub(super) fn is_named_whole(&self, distribution: usize, file: &Path) -> bool {
        let name = file.file_name().unwrap_or_default();
        let is_in_code =
            |name: &str| self.code.names_file(&Maker::Distribution(distribution), name);
        self.needed.contains_key(name.as_bytes()) || name.to_str().is_some_and(is_in_code)
    }

    /// Does the code of a distribution mention a library, by its name without `lib` and the ending? A digest that
    /// was added by a tool for wheels is ignored.
    fn mentions(&self, maker: &Maker, name: &[u8]) -> bool {
        let name = opened::as_it_was(str::from_utf8(name).unwrap_or_default());
        let stem = str::from_utf8(stem(name.as_bytes())).unwrap_or_default();
        let stem = stem.strip_prefix("lib").unwrap_or(stem);
        stem.is_empty() || self.code.names_file(maker, stem)
    }
}

impl Lost<'_, '_> {
    /// Is a file a plugin, or data in the directory of an object that is also gone? That object is judged separately.
    pub(super) fn is_of_a_plugin(&self, file: &Path) -> bool {
        let is_code = file.extension().is_some_and(|ending| ending == "py");
        match is_object(file) {
            true => self.is_plugin(file),
            false => !is_code && file.ancestors().any(|above| self.directories.contains(above)),
        }
    }

    /// Does everything work without an object? It does if the object is a module and the code continues without it, or
    /// if it is a plugin. Nothing needs a plugin by name, and no code of its distribution mentions it. In addition,
    /// either the distribution has a copy of it for its modules; no module loads any object beside it; or no constant
    /// names it, and it is one of several or its whole directory is missing, which a program then finds empty.
    pub(super) fn is_plugin(&self, file: &Path) -> bool {
        let Plugins { world, needed, .. } = *self.plugins;
        let name = file.file_name().unwrap_or_default();
        let is_module =
            name.to_str().is_none_or(|it| it.contains(".cpython-") || it.contains(".abi3"));
        let name = name.as_bytes();
        if !is_object(file) {
            return false;
        }
        match self.plugins.code.reaction_without(self.distribution, file) {
            Some(Reaction::GoesOn(_)) => return !self.is_named(stem(name)),
            Some(Reaction::Fails(_)) => return false,
            Some(Reaction::Later(_)) | None if is_module => return false,
            Some(Reaction::Later(_)) | None => {}
        }
        if let Some(needing) = needed.get(name) {
            return needing.iter().all(|object| {
                let is_unmentioned = |maker: &Maker| !self.plugins.mentions(maker, object.name());
                self.plugins.seen.may_be_plugin(object)
                    && !tensorflow::is_for_gpu(name)
                    && world.maker(object).as_ref().is_some_and(is_unmentioned)
            });
        }
        if self.plugins.mentions(&Maker::Distribution(self.distribution), name) {
            return self.is_on_the_system(name);
        }
        if self.is_copied(name) {
            return true;
        }
        let beside = world.inventory.in_directory(file.parent().unwrap_or(file));
        // Other files in the directory may be the same file under another name.
        let mut beside = beside.filter(|object| !world.owners.of(&object.path).is_empty());
        let is_open = |object: &Object| self.plugins.seen.may_be_plugin(object);
        let first = beside.next();
        // Plugins have the name of the library that opens them, and more.
        let is_its_plugin = |object: &Object| {
            let rest = stem(object.name()).strip_prefix(stem(name)).unwrap_or_default();
            matches!(rest, [b'_' | b'-', _, ..])
        };
        let is_another = |object: &Object| is_open(object) && !is_its_plugin(object);
        let is_for_plugins = first.is_some_and(is_another) && beside.all(is_another);
        let is_listed = || first.is_none() && self.have_modules() || self.is_of_a_family(file);
        is_for_plugins
            || is_listed() && !self.is_named(name)
            || self.is_beside_what_is_loaded() && !self.is_named_in_part(name)
    }

    /// Has the distribution libraries alone, and do modules load one of them? Then each is loaded by what needs it,
    /// or by what names it.
    fn is_beside_what_is_loaded(&self) -> bool {
        let Plugins { world, seen, .. } = *self.plugins;
        let objects = world.inventory.objects.iter();
        let mut own = objects.filter(|object| object.distribution == Some(self.distribution));
        own.clone().all(|object| object.role == Role::Library) && own.any(|it| seen.leads_to(it))
    }

    /// Is a library named by its file name, without the ending, or without `lib` too, as by code that puts its name
    /// together?
    fn is_named_in_part(&self, name: &[u8]) -> bool {
        let stem = stem(name);
        let bare = stem.strip_prefix(b"lib").unwrap_or(stem);
        [name, stem, bare].iter().any(|name| self.is_named(name))
    }

    /// Does the distribution have the library once more, under a name to which a tool for wheels added a digest? The
    /// headers name that copy.
    fn is_copied(&self, name: &[u8]) -> bool {
        let objects = self.plugins.world.inventory.objects.iter();
        let mut own = objects.filter(|object| object.distribution == Some(self.distribution));
        own.any(|object| {
            let copy = str::from_utf8(object.name()).unwrap_or_default();
            let was = opened::as_it_was(copy);
            was.as_bytes() == name && was != copy
        })
    }

    /// Is there another library beside a file whose name differs only in the last word, and that nothing needs,
    /// mentions or loads either? The code that opens such libraries builds their names.
    fn is_of_a_family(&self, file: &Path) -> bool {
        let Plugins { world, needed, .. } = *self.plugins;
        let family = |name: &[u8]| {
            let stem = stem(name);
            let end = stem.iter().rposition(|&byte| byte == b'_' || byte == b'-')?;
            stem.get(..end).filter(|family| family.len() > b"lib".len()).map(<[u8]>::to_vec)
        };
        let name = file.file_name().unwrap_or_default().as_bytes();
        let Some(own) = family(name).filter(|_| name.starts_with(b"lib")) else { return false };
        let mut beside = world.inventory.in_directory(file.parent().unwrap_or(file));
        beside.any(|other| {
            other.distribution == Some(self.distribution)
                && self.plugins.seen.may_be_plugin(other)
                && family(other.name()).as_ref() == Some(&own)
                && !needed.contains_key(other.soname())
                && !self.plugins.mentions(&Maker::Distribution(self.distribution), other.name())
        })
    }

    /// Does one of the users have modules that load native code?
    fn have_modules(&self) -> bool {
        self.objects_of_users().any(|object| object.role == Role::ExtensionModule)
    }

    fn objects_of_users(&self) -> impl Iterator<Item = &Object> {
        let inventory = &self.plugins.world.inventory;
        let users = self.users.get_or_init(|| {
            let all = &inventory.distributions;
            let own = all.get(self.distribution);
            let is_user = |&index: &usize| {
                index == self.distribution
                    || all.get(index).zip(own).is_some_and(|(user, own)| World::requires(user, own))
            };
            (0..all.len()).filter(is_user).collect()
        });
        let objects = inventory.objects.iter();
        objects.filter(|it| it.distribution.is_some_and(|index| users.contains(&index)))
    }

    /// Do constants name a file, or is it known that a library opens it? An object that cannot be read
    /// may name it.
    fn is_named(&self, name: &[u8]) -> bool {
        let named = self.named.get_or_init(|| {
            let objects = self.gone.iter().filter(|path| is_object(path));
            let names = objects.filter_map(|path| Some(path.file_name()?.as_bytes()));
            // Modules are imported by their names without the ending, and code may put names together.
            let in_parts = |name| {
                let stem = stem(name);
                [name, stem, stem.strip_prefix(b"lib").unwrap_or(stem)]
            };
            let names: Vec<&[u8]> = names.flat_map(in_parts).collect();
            let constants = Constants::new(self.plugins.vfs, MAX_CONSTANTS, MAX_CONSTANTS);
            let mut found = HashSet::new();
            for object in self.objects_of_users() {
                found.extend(
                    opened::by(object.soname()).into_iter().map(|it| it.soname.into_bytes()),
                );
                let named = constants.named(object, &names)?.into_iter();
                found.extend(named.filter_map(|at| names.get(at)).map(|name| name.to_vec()));
            }
            Some(found)
        });
        named.as_ref().is_none_or(|named| named.contains(name))
    }

    /// Does the distribution's code also look for the library on the system, which has one?
    fn is_on_the_system(&self, name: &[u8]) -> bool {
        let stem = str::from_utf8(stem(name)).unwrap_or_default();
        let Some(searched) = stem.strip_prefix("lib") else { return false };
        let Plugins { world, code, libraries, .. } = *self.plugins;
        let objects = &world.inventory.objects;
        let machine = objects.iter().find_map(|object| object.elf().map(Target::of));
        code.searches_for(&Maker::Distribution(self.distribution), searched)
            && machine.is_some_and(|machine| {
                let start = format!("{stem}.so");
                libraries.versioned(start.as_bytes(), machine).is_some()
            })
    }
}

/// Does a file have the name of an object?
pub(super) fn is_object(path: &Path) -> bool {
    path.extension().is_some() && path.file_name().is_some_and(may_be_object)
}
