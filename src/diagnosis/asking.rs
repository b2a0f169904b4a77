//! Who asks for a library that the loader does not find: is it loaded before, and does anything fail
//! without it?
//!
//! Files tell what an object needs, and not what a program does. What is said here goes as far as
//! metadata, modules and the layout prove it.

use super::load_report::{Missing, Seen};
use crate::knowledge::{packages, tensorflow};
use crate::python::environment::Kind;
use crate::python::sources::{Opened, Opening, When};
use crate::python::venv;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::constants::Constants;
use crate::world::inventory::{Object, Role};
use crate::world::makers::Maker;
use crate::world::object_names::stem;
use crate::world::python_code::{PythonCode, Reaction};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Of a module's constants so many bytes are looked through, and so many of all modules.
const MAX_CONSTANTS: u64 = 4 << 20;
const MAX_CONSTANTS_OF_ALL: u64 = 256 << 20;

/// How it is known that a library is loaded before the object that asks for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// A distribution that the object's own one requires loads it, or a package that its code imports first.
    Required,
    /// Nothing says what the object's distribution requires, and one package alone loads it; or its own code
    /// hands the library's name to a function that opens libraries.
    Only,
}

/// What is known of those who ask.
pub(super) struct Asking<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    scripts: OnceCell<HashSet<OsString>>,
    with_modules: OnceCell<BTreeSet<Maker>>,
    code: PythonCode<'a>,
    constants: Constants<'a>,
    /// What code does without an object, by device and inode.
    reactions: RefCell<HashMap<(u64, u64), Option<Reaction>>>,
    /// The names of files that RECORDs list, each with the distribution.
    shipped: OnceCell<HashSet<(usize, OsString)>>,
}

impl<'a> Asking<'a> {
    pub(super) fn new(vfs: &'a dyn Vfs, world: &'a World) -> Self {
        let code = PythonCode::new(vfs, world);
        Self {
            vfs,
            world,
            scripts: OnceCell::new(),
            with_modules: OnceCell::new(),
            code,
            constants: Constants::new(vfs, MAX_CONSTANTS, MAX_CONSTANTS_OF_ALL),
            reactions: RefCell::default(),
            shipped: OnceCell::new(),
        }
    }

    /// Is a library that is missing loaded already when the object is that asks for it? So it is where
    /// extension modules of a distribution that the object's own one requires lead to it, since that is
    /// imported first, or those of a package that its code imports before. For a plugin its own distribution
    /// is enough: nothing imports it and nothing depends on it, so it is opened by a program that knows
    /// it, and asks for what that program consists of. Before a program starts nothing is loaded.
    pub(super) fn is_loaded_before(&self, seen: &Seen, missing: &Missing) -> Option<Before> {
        if missing.interpreter.is_some() || self.must_start(missing) {
            return None;
        }
        let own = self.world.maker(&missing.asking)?;
        // The loader knows what is loaded by its soname too, whatever the file is called.
        let name = missing.dependency.name.as_slice();
        let objects = self.world.inventory.objects.iter();
        let copies = objects.filter(|object| object.name() == name || object.soname() == name);
        let loading: BTreeSet<&Maker> =
            copies.filter_map(|copy| seen.by_modules.get(&copy.id)).flatten().collect();
        let is_plugin = missing.root_role == Role::Library;
        if loading.iter().any(|maker| self.comes_first(&own, maker, is_plugin))
            || self.is_imported_before(missing, &loading)
        {
            return Some(Before::Required);
        }
        if self.is_handed_over(missing) {
            return Some(Before::Only);
        }
        if let Some(before) = self.opened_before(missing) {
            return Some(before);
        }
        // What requires it is imported after it.
        let mut others =
            loading.into_iter().filter(|maker| **maker != own && !self.requires(maker, &own));
        let is_only = others.next().is_some() && others.next().is_none();
        let is_meant = is_only && self.world.is_imported() && self.says_nothing(&own);
        // What brought the library itself does not wait for another one to load it.
        (is_meant && !self.is_shipped(missing)).then_some(Before::Only)
    }

    /// Does the code of every module that leads to the asker import one of `loading` before it?
    fn is_imported_before(&self, missing: &Missing, loading: &BTreeSet<&Maker>) -> bool {
        let modules = || missing.roots.iter().filter_map(|root| self.world.inventory.at(root));
        let is_before = |module: &Object| {
            let packages = self.code.imported_before(module);
            let is_one = |package: &String| loading.iter().any(|it| self.code.is_of(package, it));
            module.role == Role::ExtensionModule && packages.iter().any(is_one)
        };
        !loading.is_empty() && modules().next().is_some() && modules().all(is_before)
    }

    /// Does the code of the packages around every module that leads to the asker open the library before it? Where
    /// it opens the files of a directory, the library may be among them, if it lies where their own distribution
    /// put it.
    fn opened_before(&self, missing: &Missing) -> Option<Before> {
        if missing.root_role != Role::ExtensionModule {
            return None;
        }
        let modules = missing.roots.iter().filter_map(|root| self.world.inventory.at(root));
        let each: Option<Vec<Before>> =
            modules.map(|module| self.opened_before_module(missing, module)).collect();
        let each = each.filter(|each| !each.is_empty())?;
        Some(if each.contains(&Before::Only) { Before::Only } else { Before::Required })
    }

    /// The same for one module.
    fn opened_before_module(&self, missing: &Missing, module: &Object) -> Option<Before> {
        let name = OsStr::from_bytes(&missing.dependency.name);
        let is_copy = |path: &Path| {
            let copy = self.world.object_at(self.vfs, path);
            copy.is_some_and(|copy| {
                OsStr::from_bytes(copy.soname()) == name || path.file_name() == Some(name)
            })
        };
        let beside = |file: &Path, path: &Path| file.parent().unwrap_or(file).join(path);
        let is_it = |(opening, file): &(Opening, PathBuf)| match &opening.what {
            Opened::Listed(None) => true,
            Opened::Listed(Some((pattern, is_beside))) => {
                let here = file.parent().filter(|_| *is_beside);
                self.is_among(missing, pattern, here)
            }
            Opened::Beside(path) => is_copy(&beside(file, path)),
            Opened::Path(path) => is_copy(path),
            Opened::Somewhere(known) => OsStr::new(known) == name,
            Opened::Name(_) | Opened::Found(_) | Opened::Unknown => false,
        };
        let opened = self.code.opened_before(module);
        let fitting: Vec<&Opening> =
            opened.iter().filter(|it| is_it(it)).map(|(opening, _)| opening).collect();
        let is_sure = |opening: &&Opening| {
            matches!(opening.what, Opened::Beside(_)) && opening.standing.when == When::Always
        };
        if fitting.iter().any(is_sure) {
            return Some(Before::Required);
        }
        (!fitting.is_empty() && self.are_where_they_were_put(missing)).then_some(Before::Only)
    }

    /// Did one distribution put both the asker and a copy of the library where they are?
    fn are_where_they_were_put(&self, missing: &Missing) -> bool {
        let own = self.world.maker(&missing.asking);
        let is_listed = |object: &Object| !self.world.owners.of(&object.path).is_empty();
        let mut copies = self.world.inventory.named(&missing.dependency.name);
        is_listed(&missing.asking)
            && copies.any(|copy| self.world.maker(copy) == own && is_listed(copy))
    }

    /// Is a copy of the library among the files that a pattern lists, from a directory where that is known?
    fn is_among(&self, missing: &Missing, pattern: &Path, from: Option<&Path>) -> bool {
        let Some(names) = pattern.file_name().map(OsStr::as_bytes) else { return false };
        self.world.inventory.named(&missing.dependency.name).any(|copy| {
            let directory = from.and_then(|from| Some(from.join(pattern.parent()?)));
            let is_there = directory.is_none_or(|directory| {
                let same = |path: &Path| self.vfs.canonicalize(path).ok();
                same(&directory).is_some_and(|it| Some(it) == same(copy.directory()))
            });
            is_there && matches_pattern(names, copy.name())
        })
    }

    /// Does the code of a module's own distribution open a library that lies there, by a path that is put
    /// together from its name?
    fn is_handed_over(&self, missing: &Missing) -> bool {
        let own = self.world.maker(&missing.asking);
        let mut copies = self.world.inventory.named(&missing.dependency.name);
        missing.root_role == Role::ExtensionModule
            && own.is_some()
            && copies.any(|copy| self.world.maker(copy) == own)
            && self.code.hands_over(&missing.asking, &missing.dependency.name)
    }

    /// What Python code does without what a library is missing for, where none of it fails; `None` where some
    /// does, or nothing tells. Where the asker's own distribution brought the library, the installation is at
    /// fault, whatever the code makes of it: a guard is there for what others may not have installed.
    pub(super) fn reaction(&self, missing: &Missing) -> Option<Reaction> {
        let is_by_itself = missing.is_named || missing.interpreter.is_some();
        if is_by_itself
            || self.is_shipped(missing)
            || missing.program.is_some()
            || !self.world.is_imported()
        {
            return None;
        }
        let mut reaction = None;
        for root in &missing.roots {
            let root = self.world.inventory.at(root)?;
            match (self.reaction_without(root)?, &reaction) {
                (Reaction::Fails(_), _) => return None,
                (later @ Reaction::Later(_), _) => reaction = Some(later),
                (goes_on, None) => reaction = Some(goes_on),
                (Reaction::GoesOn(_), Some(_)) => {}
            }
        }
        reaction
    }

    /// Does the RECORD of the asker's own distribution list a file of the library's name, be it there or not?
    fn is_shipped(&self, missing: &Missing) -> bool {
        let Some(own) = missing.asking.distribution else { return false };
        let shipped = self.shipped.get_or_init(|| {
            let names = self.world.owners.files().into_iter().flat_map(|(path, owners)| {
                let name = path.file_name().unwrap_or_default();
                owners.iter().map(move |owner| (owner.distribution, name.to_owned()))
            });
            names.collect()
        });
        let name = OsStr::from_bytes(&missing.dependency.name).to_owned();
        shipped.contains(&(own, name))
    }

    /// What Python code does without an object; `None` where nothing tells.
    fn reaction_without(&self, object: &Object) -> Option<Reaction> {
        if let Some(known) = self.reactions.borrow().get(&object.id) {
            return known.clone();
        }
        let told = self.code.reaction(object);
        let is_sure =
            |it: &Reaction| matches!(it, Reaction::Fails(_)) || !self.is_named_by_a_module(object);
        let reaction = told.filter(is_sure);
        self.reactions.borrow_mut().insert(object.id, reaction.clone());
        reaction
    }

    /// Does another module of its distribution hold a module's name among its constants? It may import it, as
    /// what Cython made of Python code does, and no source tells what it does then.
    fn is_named_by_a_module(&self, module: &Object) -> bool {
        let stem = stem(module.name());
        let mut others = self.world.inventory.objects.iter().filter(|other| {
            other.role == Role::ExtensionModule
                && other.distribution == module.distribution
                && other.id != module.id
        });
        !stem.is_empty()
            && others.any(|other| {
                let named = self.constants.named(other, &[stem]);
                named.is_some_and(|named| !named.is_empty())
            })
    }

    /// The same for a library of which a copy lies out of reach. Where that copy belongs to the asker's own
    /// distribution, the installation is at fault, whatever the code makes of it. A library that is only needed
    /// once a function is called is meant to be found too.
    pub(super) fn reaction_to(&self, missing: &Missing, copy: &Path) -> Option<Reaction> {
        let copy = self.world.inventory.at(copy)?;
        if self.world.maker(copy) == self.world.maker(&missing.asking) {
            return None;
        }
        self.reaction(missing).filter(|it| matches!(it, Reaction::GoesOn(_)))
    }

    /// Does Python code open one of the libraries that lead to the asker whenever it is imported?
    fn is_opened(&self, missing: &Missing) -> bool {
        let roots = missing.roots.iter().filter_map(|root| self.world.inventory.at(root));
        let mut libraries = roots.filter(|root| root.role == Role::Library);
        libraries.any(|root| matches!(self.reaction_without(root), Some(Reaction::Fails(_))))
    }

    /// Is what `other` loads there when something of `own` is loaded?
    fn comes_first(&self, own: &Maker, other: &Maker, is_plugin: bool) -> bool {
        if own == other {
            return is_plugin;
        }
        // One that requires it comes first only where it is known here, if only as an extra.
        let Maker::Distribution(index) = own else { return false };
        self.world.required_by(*index).has(other)
    }

    /// Does one distribution require another?
    fn requires(&self, one: &Maker, other: &Maker) -> bool {
        let all = &self.world.inventory.distributions;
        match (one, other) {
            (Maker::Distribution(one), Maker::Distribution(other)) => {
                let both = all.get(*one).zip(all.get(*other));
                both.is_some_and(|(one, other)| World::requires(one, other))
            }
            _ => false,
        }
    }

    /// Do the metadata tell nothing of what it requires?
    fn says_nothing(&self, maker: &Maker) -> bool {
        match maker {
            Maker::Distribution(index) => {
                let found = self.world.inventory.distributions.get(*index);
                found.is_none_or(|found| found.requires.is_empty())
            }
            Maker::Package(_) => true,
        }
    }

    /// Is the absence of a library that is nowhere more than worth knowing? For what is imported it is, for
    /// what users start, and for what was named outright. A library that nothing depends on may be a
    /// plugin for something that is not installed; nobody asks for it then, unless it is all that a
    /// distribution of Python code has. In a tree from which nothing is imported nobody imports anything, and each object counts.
    pub(super) fn is_judged(&self, missing: &Missing) -> bool {
        missing.root_role == Role::ExtensionModule && !is_for_a_display(&missing.asking)
            || missing.interpreter.is_some()
            || missing.is_named
            || !self.world.is_imported()
            || missing.program.as_deref().is_some_and(|program| self.is_a_command(program))
            || missing.root_role == Role::Library
                && (self.world.is_only_code(self.vfs, &missing.asking) || self.is_opened(missing))
    }

    /// Does everything that is imported or started by a user work without a library, of which the target
    /// has a copy? What was named outright is judged by itself.
    pub(super) fn is_optional(&self, seen: &Seen, missing: &Missing, copy: &Path) -> bool {
        let asking = &missing.asking;
        if !self.world.is_imported() || missing.interpreter.is_some() || missing.is_named {
            return false;
        }
        let is_module = missing.root_role == Role::ExtensionModule;
        if missing.program.is_some() && !is_module {
            return !self.must_start(missing);
        }
        // An object that needs a library for a GPU needs it to use the GPU.
        if tensorflow::is_for_gpu(&missing.dependency.name) {
            return false;
        }
        // What is in no package, and no module will lead to, is opened by somebody who knows it, or by nobody.
        let is_beside_packages = || {
            let around = self.world.environment.as_ref().filter(|it| it.kind == Kind::Venv);
            around.is_some_and(|around| asking.path.starts_with(&around.prefix))
        };
        if self.world.maker(asking).is_none() && seen.may_be_plugin(asking) && is_beside_packages()
        {
            return true;
        }
        let inventory = &self.world.inventory;
        let makers = |copy: &Object| Some((self.world.maker(asking)?, self.world.maker(copy)?));
        let Some((own, other)) = inventory.at(copy).and_then(makers) else { return false };
        let (Maker::Distribution(index), Maker::Distribution(_)) = (&own, &other) else {
            return false;
        };
        // Neither has a module to import: the program that opens one knows where the other is.
        let is_opened = || self.world.is_only_code(self.vfs, asking) || self.is_opened(missing);
        let is_for_others =
            !is_module && !self.has_modules(&own) && !self.has_modules(&other) && !is_opened();
        // What its own distribution brought is needed, wherever a copy of it lies.
        let is_unrequired = own != other
            && !self.says_nothing(&own)
            && !self.world.required_by(*index).has(&other)
            && !self.is_shipped(missing);
        is_for_others || is_unrequired
    }

    /// Is the GPU lost to a distribution for want of a library of which there is another version? So it is where a
    /// library that nothing needs asks for it, as a program opens one for the GPU, and where no other build of that
    /// lies beside it, of which one fits what there is.
    pub(super) fn loses_the_gpu(&self, missing: &Missing) -> bool {
        let asking = &missing.asking;
        let without_digits = |name: &[u8]| {
            let kept = name.iter().filter(|byte| !byte.is_ascii_digit());
            kept.copied().collect::<Vec<u8>>()
        };
        let own = without_digits(asking.name());
        let is_build =
            |other: &Object| other.id != asking.id && without_digits(other.name()) == own;
        tensorflow::is_for_gpu(&missing.dependency.name)
            && missing.root_role == Role::Library
            && self.world.maker(asking).is_some_and(|own| self.has_modules(&own))
            && !self.world.inventory.in_directory(asking.directory()).any(is_build)
    }

    /// Is there a program that somebody starts as it is? One of the same name in `bin` that Python runs
    /// starts the other with the variables that it needs.
    fn must_start(&self, missing: &Missing) -> bool {
        missing.program.as_deref().is_some_and(|program| {
            let name = program.file_name().unwrap_or_default();
            !self.scripts().contains(name)
        })
    }

    /// Does a program lie where a shell looks for commands of the environment?
    fn is_a_command(&self, program: &Path) -> bool {
        self.world.environment.iter().any(|environment| {
            environment.kind != Kind::System
                && program.parent() == Some(&environment.prefix.join("bin"))
        })
    }

    fn scripts(&self) -> &HashSet<OsString> {
        self.scripts.get_or_init(|| {
            let prefixes = self.world.environment.iter().map(|environment| &environment.prefix);
            let scripts = prefixes.flat_map(|prefix| venv::scripts(self.vfs, prefix));
            scripts.filter_map(|script| Some(script.path.file_name()?.to_owned())).collect()
        })
    }

    fn has_modules(&self, maker: &Maker) -> bool {
        let with_modules = self.with_modules.get_or_init(|| {
            let modules = self.world.inventory.objects.iter();
            let modules = modules.filter(|object| object.role == Role::ExtensionModule);
            modules.filter_map(|module| self.world.maker(module)).collect()
        });
        with_modules.contains(maker)
    }
}

/// Is it a module of the standard library that is there for a display alone?
fn is_for_a_display(module: &Object) -> bool {
    module.directory().ends_with("lib-dynload") && packages::is_for_a_display(module.name())
}

/// Does a name match a pattern of a shell's with `*` and `?`? Other patterns are taken for matching.
fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    if pattern.contains(&b'[') {
        return true;
    }
    // Where the last star stands, and what of the name it has taken so far.
    let (mut at, mut of, mut star) = (0, 0, None);
    while let Some(&byte) = name.get(of) {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, of));
                at += 1;
            }
            Some(&wanted) if wanted == b'?' || wanted == byte => {
                at += 1;
                of += 1;
            }
            _ => {
                let Some((before, taken)) = star else { return false };
                star = Some((before, taken + 1));
                (at, of) = (before + 1, taken + 1);
            }
        }
    }
    pattern.get(at..).is_some_and(|rest| rest.iter().all(|&byte| byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::matches_pattern;

    #[test]
    fn patterns_are_those_of_a_shell() {
        for pattern in ["*", "*.so*", "lib*.so.1", "libgone.so.1", "lib????.so.*", "*e.so*1"] {
            assert!(matches_pattern(pattern.as_bytes(), b"libgone.so.1"), "{pattern}");
        }
        for pattern in ["", "*.dll", "lib*.so", "libgone.so", "?libgone.so.1", "libnope*.so*"] {
            assert!(!matches_pattern(pattern.as_bytes(), b"libgone.so.1"), "{pattern}");
        }
    }
}
