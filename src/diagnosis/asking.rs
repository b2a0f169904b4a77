//! What needs a library that the loader does not find: is it loaded before, and does anything fail
//! without it?
//!
//! Files show what an object needs, but not what a program does. The answers here go as far as
//! metadata, modules and the layout prove them.

mod opened;

use super::load_report::{Missing, Seen};
use crate::knowledge::{packages, tensorflow};
use crate::loader::FileId;
use crate::python::distribution::Requirement;
use crate::python::environment::Kind;
use crate::python::venv;
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::constants::Constants;
use crate::world::inventory::{Object, Role};
use crate::world::makers::{Maker, Relations};
use crate::world::object_names::stem;
use crate::world::python_code::{PythonCode, Reaction};
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Limits in bytes of the constants that are searched: of one module, and of all modules.
const MAX_CONSTANTS: u64 = 4 << 20;
const MAX_CONSTANTS_OF_ALL: u64 = 256 << 20;

/// How it is known that a library is loaded before the object that needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Before {
    /// A distribution that the object's own one requires loads it, or a package that its code imports first.
    Required,
    /// Nothing states what the object's distribution requires, and only one package loads it; or its own
    /// code passes the library's name to a function that opens libraries.
    Only,
}

/// What is known about the objects that need a library.
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
    relations: Relations<'a>,
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
            relations: Relations::new(world),
        }
    }

    /// What the code of the target says.
    pub(super) fn code(&self) -> &PythonCode<'a> {
        &self.code
    }

    /// Is a missing library already loaded when the object that needs it is loaded? It is if it is loaded by
    /// extension modules of a distribution that the object's own distribution requires, since that one is
    /// imported first, or by those of a package that its code imports before. For a plugin its own
    /// distribution is enough: nothing imports it and nothing depends on it, so it is opened by a program
    /// that knows it, and needs the libraries of that program. Before a program starts, nothing is loaded.
    pub(super) fn is_loaded_before(&self, seen: &Seen, missing: &Missing) -> Option<Before> {
        if missing.interpreter.is_some() || self.must_start(missing) {
            return None;
        }
        let own = self.world.maker(&missing.asking)?;
        // The loader knows what is loaded by its soname too, whatever the file is called.
        let copies = self.world.inventory.known_as(&missing.dependency.name);
        let loading: BTreeSet<&Maker> =
            copies.filter_map(|copy| seen.by_modules.get(&copy.id)).flatten().collect();
        let is_plugin = missing.root_role == Role::Library;
        if loading.iter().any(|maker| self.comes_first(&own, maker, is_plugin))
            || self.is_imported_before(seen, missing, &own, &loading)
        {
            return Some(Before::Required);
        }
        if is_plugin && self.is_beside_a_plugin(seen, missing, &own) {
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
        // The distribution that contains the library does not rely on another one to load it.
        (is_meant && !self.is_shipped(missing)).then_some(Before::Only)
    }

    /// Is the library another plugin in the same directory? A program that opens all files of a directory loads
    /// them one after the other. What Python code opens is no such plugin.
    fn is_beside_a_plugin(&self, seen: &Seen, missing: &Missing, own: &Maker) -> bool {
        let asking = &missing.asking;
        let is_sibling = |copy: &Object| {
            copy.directory() == asking.directory()
                && self.world.maker(copy).as_ref() == Some(own)
                && seen.may_be_plugin(copy)
        };
        self.world.inventory.known_as(&missing.dependency.name).any(is_sibling)
            && seen.may_be_plugin(asking)
            && self.has_modules(own)
            && !self.world.is_only_code(self.vfs, asking)
            && !self.is_opened(missing)
    }

    /// Does the code of every module that loads the object import one of `loading` before it? Of its own
    /// distribution, it has to import a module that loads the library.
    fn is_imported_before(
        &self,
        seen: &Seen,
        missing: &Missing,
        own: &Maker,
        loading: &BTreeSet<&Maker>,
    ) -> bool {
        if loading.is_empty() {
            return false;
        }
        let mut modules =
            missing.roots.iter().filter_map(|root| self.world.inventory.at(root)).peekable();
        let copies = self.world.inventory.known_as(&missing.dependency.name);
        let copies: HashSet<FileId> = copies.map(|copy| copy.id).collect();
        let loads = |other: &Object| {
            let loaded = seen.loaded_with(other);
            loaded.is_some_and(|it| it.files.iter().any(|(id, _)| copies.contains(id)))
        };
        let is_before = |module: &Object| {
            if module.role != Role::ExtensionModule {
                return false;
            }
            let packages = self.code.imported_before(module);
            let mut others = loading.iter().filter(|maker| **maker != own);
            others.any(|maker| packages.iter().any(|package| self.code.is_of(package, maker)))
                || loading.contains(own) && self.code.modules_before(module).into_iter().any(loads)
        };
        modules.peek().is_some() && modules.all(is_before)
    }

    /// Does the code of a module's own distribution open a library in that place, by a path that is built
    /// from its name?
    fn is_handed_over(&self, missing: &Missing) -> bool {
        let own = self.world.maker(&missing.asking);
        let mut copies = self.world.inventory.named(&missing.dependency.name);
        missing.root_role == Role::ExtensionModule
            && own.is_some()
            && copies.any(|copy| self.world.maker(copy) == own)
            && self.code.hands_over(&missing.asking, &missing.dependency.name)
    }

    /// How Python code reacts if the objects that lack a library do not load, provided none of it fails;
    /// `None` if some fails, or this is not known. If the object's own distribution contains the library, the
    /// installation is at fault, however the code handles it: a guard is meant for what others may not have
    /// installed.
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

    /// Does the RECORD of the object's own distribution list a file with the library's name, whether it
    /// exists or not?
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

    /// How Python code reacts to the absence of an object; `None` if this is not known.
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

    /// Does another module of its distribution contain a module's name among its constants? It may import it,
    /// as code compiled by Cython does, and no source shows what it does then.
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

    /// The same for a library of which a copy is in a directory that is not searched. If that copy belongs to
    /// the object's own distribution, the installation is at fault, however the code handles it. A library that
    /// is only needed once a function is called is meant to be found too.
    pub(super) fn reaction_to(&self, missing: &Missing, copy: &Path) -> Option<Reaction> {
        let copy = self.world.inventory.at(copy)?;
        if self.world.maker(copy) == self.world.maker(&missing.asking) {
            return None;
        }
        self.reaction(missing).filter(|it| matches!(it, Reaction::GoesOn(_)))
    }

    /// Does Python code open one of the libraries that load the object whenever it is imported?
    fn is_opened(&self, missing: &Missing) -> bool {
        let roots = missing.roots.iter().filter_map(|root| self.world.inventory.at(root));
        let mut libraries = roots.filter(|root| root.role == Role::Library);
        libraries.any(|root| matches!(self.reaction_without(root), Some(Reaction::Fails(_))))
    }

    /// Is what `other` loads present when something of `own` is loaded?
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

    /// Do the metadata say nothing about what it requires?
    fn says_nothing(&self, maker: &Maker) -> bool {
        match maker {
            Maker::Distribution(index) => {
                let found = self.world.inventory.distributions.get(*index);
                found.is_none_or(|found| found.requires.is_empty())
            }
            Maker::Package(_) => true,
        }
    }

    /// Is the absence of a library that is not found on this system more than worth knowing? It is for modules, for
    /// programs that users start, and for objects that were named on the command line. A library that nothing depends
    /// on may be a plugin for something that is not installed. Nothing needs it then, unless it is the only native code
    /// of a distribution of Python code. In a tree from which nothing is imported, each object counts.
    pub(super) fn is_judged(&self, missing: &Missing) -> bool {
        let is_module = missing.root_role == Role::ExtensionModule;
        is_module
            && !is_for_a_display(&missing.asking)
            && !self.is_of_another_python(missing)
            && !self.is_for_more(missing)
            || missing.interpreter.is_some()
            || missing.is_named
            || !self.world.is_imported()
            || missing.program.as_deref().is_some_and(|program| self.is_a_command(program))
            || missing.root_role == Role::Library
                && (self.world.is_only_code(self.vfs, &missing.asking) || self.is_opened(missing))
    }

    /// Does the package do without the modules that need the library? It does if no package at the top level imports
    /// them, no compiled code names them, and the library comes from a distribution on PyPI that the metadata of
    /// the object's own one do not mention, though they mention others.
    fn is_for_more(&self, missing: &Missing) -> bool {
        let own = self.world.inventory.distribution_of(&missing.asking);
        let provider = packages::distribution_of(&missing.dependency.name);
        let Some((own, provider)) = own.zip(provider).filter(|_| !missing.is_named) else {
            return false;
        };
        // An extra of a distribution that only brings others along has a part of their names.
        let mentions = |needed: &Requirement| {
            let is_part = |extra: &String| provider.split('-').any(|part| part == extra);
            needed.name == provider || needed.extras.iter().any(is_part)
        };
        let says_no = !own.requires.is_empty() && !own.requires.iter().any(mentions);
        let mut modules = missing.roots.iter().map(|root| self.world.inventory.at(root));
        says_no
            && !self.is_shipped(missing)
            && modules.all(|module| {
                module.is_some_and(|module| {
                    !self.code.is_imported_at_start(module) && !self.is_named_by_a_module(module)
                })
            })
    }

    /// Does everything that a user imports or starts work without a library of which the target has a
    /// copy? An object that was named on the command line is judged alone.
    pub(super) fn is_optional(&self, seen: &Seen, missing: &Missing, copy: &Path) -> bool {
        let asking = &missing.asking;
        if !self.world.is_imported() || missing.interpreter.is_some() || missing.is_named {
            return false;
        }
        // It was there when it was installed.
        if self.was_found(missing) {
            return false;
        }
        let is_module = missing.root_role == Role::ExtensionModule;
        if missing.program.is_some() && !is_module {
            return !self.must_start(missing);
        }
        if is_module && self.is_of_another_python(missing) {
            return true;
        }
        // An object that needs a library for a GPU needs it to use the GPU.
        if tensorflow::is_for_gpu(&missing.dependency.name) {
            return false;
        }
        // A library in no package that no module loads is opened by a program that knows it, or is unused.
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
        let (&Maker::Distribution(index), Maker::Distribution(_)) = (&own, &other) else {
            return false;
        };
        // Neither has a module to import. The program that opens one knows where the other is.
        let is_opened = || self.world.is_only_code(self.vfs, asking) || self.is_opened(missing);
        let is_for_others =
            !is_module && !self.has_modules(&own) && !self.has_modules(&other) && !is_opened();
        // A plugin of a distribution without requirements is meant to work with what is installed for the
        // same purpose. A module has to be imported, and does not say with what.
        let is_unrelated = || match self.says_nothing(&own) {
            true => !is_module && !is_opened() && !self.relations.joins(&own, &other),
            false => !self.world.required_by(index).has(&other),
        };
        // What its own distribution contains is needed, wherever a copy of it is.
        let is_unrequired = own != other && is_unrelated() && !self.is_shipped(missing);
        is_for_others || is_unrequired
    }

    /// Does a distribution lose the GPU because it lacks a library of which there is another version? It does if a
    /// library that nothing depends on needs it, such as one that a program opens for the GPU, and if no other
    /// build of that library is beside it that fits what is installed.
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

    /// Is there a program that users start directly? A Python script of the same name in `bin` starts
    /// the other with the variables that it needs. What nobody may execute is not started at all.
    fn must_start(&self, missing: &Missing) -> bool {
        const ANY_EXECUTE: u32 = 0o111;
        missing.program.as_deref().is_some_and(|program| {
            let name = program.file_name().unwrap_or_default();
            let mode = self.vfs.metadata(program).map(|found| found.mode);
            !self.scripts().contains(name) && mode.map_or(true, |mode| mode & ANY_EXECUTE != 0)
        })
    }

    /// Are all modules that lack a library in the packages of another Python, which is inside a package? The
    /// interpreter of the target does not search there.
    fn is_of_another_python(&self, missing: &Missing) -> bool {
        let Some(own) = self.world.environment.as_ref().filter(|_| self.world.is_imported()) else {
            return false;
        };
        let is_of_another = |module: &Path| {
            let site = module.ancestors().skip(1).find(|directory| {
                let name = directory.file_name().unwrap_or_default();
                name == "site-packages" || name == "dist-packages"
            });
            site.is_some_and(|site| {
                own.import_path().any(|root| site.starts_with(root))
                    && own.import_path().all(|root| root != site)
            })
        };
        !missing.is_named && missing.roots.iter().all(|root| is_of_another(root))
    }

    /// Does a `RECORD` list the library at a path that the loader tried without success?
    fn was_found(&self, missing: &Missing) -> bool {
        let mut tried = missing.dependency.tried.steps();
        tried.any(|step| !self.world.owners.of(&step.path).is_empty())
    }

    /// Is a program started by users, or by a script of its name?
    pub(super) fn is_started(&self, program: &Path) -> bool {
        let name = program.file_name().unwrap_or_default();
        self.is_a_command(program) || self.scripts().contains(name)
    }

    /// Is a program in a directory where a shell looks for commands of the environment?
    fn is_a_command(&self, program: &Path) -> bool {
        self.world.environment.iter().any(|environment| {
            environment.kind != Kind::System
                && program.parent() == Some(&environment.prefix.join("bin"))
        })
    }

    fn scripts(&self) -> &HashSet<OsString> {
        self.scripts.get_or_init(|| {
            // `pip install --target` writes scripts into a directory `bin` beside the packages.
            let prefixes = self.world.environment.iter().map(|environment| &environment.prefix);
            let prefixes = prefixes.chain(&self.world.inventory.sites);
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

/// Is it a module of the standard library that is only used with a display?
fn is_for_a_display(module: &Object) -> bool {
    module.directory().ends_with("lib-dynload") && packages::is_for_a_display(module.name())
}
