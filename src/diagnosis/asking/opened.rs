//! What Python code opens before it imports a module: a library that is loaded then is found by its name.

use super::{Asking, Before};
use crate::bytes::fits_wildcards;
use crate::diagnosis::load_report::Missing;
use crate::python::sources::{Opened, Opening, When};
use crate::world::inventory::{Object, Role};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A library that an object looks for.
struct Sought<'m> {
    asking: &'m Object,
    name: &'m [u8],
    /// The objects that load it, as far as they are known.
    roots: &'m [Arc<Path>],
}

impl Asking<'_> {
    /// Does the code of the packages around every module that loads the object open the library before it? If it
    /// opens the files of a directory, the library may be among them, provided it is where their own distribution
    /// installed it.
    pub(super) fn opened_before(&self, missing: &Missing) -> Option<Before> {
        if missing.root_role == Role::Executable {
            return None;
        }
        let (asking, name) = (&missing.asking, &missing.dependency.name);
        self.sought_opened_before(&Sought { asking, name, roots: &missing.roots })
    }

    /// May the code of an object's package open a library before every module that loads the object, so that the
    /// object finds the library when it opens it by its name?
    pub(in crate::diagnosis) fn may_be_opened_before(&self, object: &Object, name: &[u8]) -> bool {
        self.sought_opened_before(&Sought { asking: object, name, roots: &[] }).is_some()
    }

    fn sought_opened_before(&self, sought: &Sought<'_>) -> Option<Before> {
        let mut others = self.installed_copies(sought);
        if others.any(|copy| self.world.maker(copy) != self.world.maker(sought.asking))
            && self.code.opens_installed(sought.asking)
        {
            return Some(Before::Only);
        }
        // Libraries that nothing needs are opened by what the modules load, or by code that is judged for itself.
        let roots = sought.roots.iter().filter_map(|root| self.world.inventory.at(root));
        let mut modules: Vec<&Object> =
            roots.filter(|root| root.role == Role::ExtensionModule).collect();
        if modules.is_empty() && self.comes_with_a_requirement(sought) {
            let own = self.world.maker(sought.asking);
            let all = self.world.inventory.objects.iter();
            let is_own =
                |it: &&Object| it.role == Role::ExtensionModule && self.world.maker(it) == own;
            modules = all.filter(is_own).collect();
        }
        let each: Option<Vec<Before>> =
            modules.iter().map(|module| self.opened_before_module(sought, module)).collect();
        let each = each.filter(|each| !each.is_empty())?;
        Some(if each.contains(&Before::Only) { Before::Only } else { Before::Required })
    }

    /// The same for one module.
    fn opened_before_module(&self, sought: &Sought<'_>, module: &Object) -> Option<Before> {
        let opened = self.code.opened_before(module);
        if opened.is_empty() {
            return None;
        }
        let name = OsStr::from_bytes(sought.name);
        let is_copy = |path: &Path| {
            let copy = self.world.object_at(self.vfs, path);
            copy.is_some_and(|copy| {
                OsStr::from_bytes(copy.soname()) == name || path.file_name() == Some(name)
            })
        };
        let beside = |file: &Path, path: &Path| file.parent().unwrap_or(file).join(path);
        let directories: BTreeSet<&Path> =
            self.installed_copies(sought).map(Object::directory).collect();
        // A library that is opened brings those along that it needs.
        let beside_it =
            directories.into_iter().flat_map(|it| self.world.inventory.in_directory(it));
        let beside_it: Vec<&[u8]> = beside_it.map(Object::name).collect();
        let is_it = |(opening, file): &(Opening, PathBuf)| match &opening.what {
            // What a package requires for its modules, and opens by itself, it opens where they need it.
            what if opening.standing.is_conditional && *what != Opened::Unknown => false,
            Opened::Listed(None) => true,
            Opened::Listed(Some((pattern, is_beside))) => {
                let here = file.parent().filter(|_| *is_beside);
                self.is_among(sought, pattern, here)
            }
            Opened::Beside(path) => is_copy(&beside(file, path)),
            Opened::Path(path) => is_copy(path),
            Opened::Somewhere(known) => OsStr::new(known) == name,
            // The name may stand in a file that is no code.
            Opened::Unknown => {
                self.comes_with_a_requirement(sought)
                    && !self.code.lists_others(module, file, &beside_it)
            }
            Opened::Name(_) | Opened::Found(_) | Opened::Installed => false,
        };
        let fitting: Vec<&Opening> =
            opened.iter().filter(|it| is_it(it)).map(|(opening, _)| opening).collect();
        let is_sure = |opening: &&Opening| {
            matches!(opening.what, Opened::Beside(_)) && opening.standing.when == When::Always
        };
        if fitting.iter().any(is_sure) {
            return Some(Before::Required);
        }
        let is_there =
            || self.are_where_they_were_put(sought) || self.comes_with_a_requirement(sought);
        (!fitting.is_empty() && is_there()).then_some(Before::Only)
    }

    /// Is the library where a distribution installed it that the object's own one requires?
    fn comes_with_a_requirement(&self, sought: &Sought<'_>) -> bool {
        let Some(own) = self.world.maker(sought.asking) else { return false };
        let mut copies = self.installed_copies(sought);
        copies.any(|copy| self.world.maker(copy).is_some_and(|other| self.requires(&own, &other)))
    }

    /// The copies of the library that a RECORD lists where they are.
    fn installed_copies<'s>(&'s self, sought: &'s Sought<'s>) -> impl Iterator<Item = &'s Object> {
        let copies = self.world.inventory.named(sought.name);
        copies.filter(|copy| !self.world.owners.of(&copy.path).is_empty())
    }

    /// Did one distribution install both the object and a copy of the library?
    fn are_where_they_were_put(&self, sought: &Sought<'_>) -> bool {
        let own = self.world.maker(sought.asking);
        !self.world.owners.of(&sought.asking.path).is_empty()
            && self.installed_copies(sought).any(|copy| self.world.maker(copy) == own)
    }

    /// Is a copy of the library among the files that a pattern matches, below a directory if that is known?
    fn is_among(&self, sought: &Sought<'_>, pattern: &Path, from: Option<&Path>) -> bool {
        let Some(names) = pattern.file_name().map(OsStr::as_bytes) else { return false };
        self.world.inventory.named(sought.name).any(|copy| {
            let directory = from.and_then(|from| Some(from.join(pattern.parent()?)));
            let is_there = directory.is_none_or(|directory| {
                let same = |path: &Path| self.vfs.canonicalize(path).ok();
                same(&directory).is_some_and(|it| Some(it) == same(copy.directory()))
            });
            is_there && matches_pattern(names, copy.name())
        })
    }
}

/// Does a name match a pattern of a shell's with `*` and `?`? Other patterns are assumed to match.
fn matches_pattern(pattern: &[u8], name: &[u8]) -> bool {
    pattern.contains(&b'[') || fits_wildcards(name, pattern)
}
