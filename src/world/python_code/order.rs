//! In which order Python executes the imports and openings of a distribution's code.

use super::{File, Package, PythonCode, SourceLine};
use crate::knowledge::import_names;
use crate::python::distribution::normalized;
use crate::python::sources::{self, Import, Opened, Opening, Standing, When};
use crate::world::inventory::{Object, Role};
use crate::world::makers::Maker;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::rc::Rc;

impl File {
    fn may_open(&self) -> bool {
        *self.may_open.get_or_init(|| sources::may_open(&self.bytes))
    }
}

impl PythonCode<'_> {
    /// The packages at the top level that are always imported before a module: by the packages that
    /// it is in.
    #[must_use]
    pub fn imported_before(&self, module: &Object) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        self.each_before(module, |file, first| {
            let imports = file.source().into_iter().flat_map(|source| &source.imports);
            let before = imports.filter(|import| import.standing.line < first);
            for import in before.filter(|it| it.level == 0 && it.standing.when == When::Always) {
                found.extend(import.module.split('.').next().map(str::to_owned));
            }
        });
        found
    }

    /// What the packages that a module is in open, or may open, before it is imported, with the file, whether or not
    /// it depends on conditions: by their own code, by the modules beside them that they import first, and by other packages.
    #[must_use]
    pub fn opened_before(&self, module: &Object) -> Vec<(Opening, PathBuf)> {
        let mut found = Vec::new();
        let mut add = |file: &File, first: u32| {
            let openings = file.source().into_iter().flat_map(|source| &source.openings);
            let is_before = |opening: &&Opening| {
                let Standing { when, reached, .. } = opening.standing;
                matches!(when, When::Always | When::Conditionally) && reached < first
            };
            found.extend(openings.filter(is_before).map(|it| (it.clone(), file.path.clone())));
        };
        let package = self.world.maker(module).and_then(|maker| self.package(&maker));
        let (Some(package), Some(name)) = (package, self.module_name(module)) else { return found };
        let is_around = |file: &File| file.is_package && is_below(&name, &file.module);
        self.each_before(module, |file, first| {
            add(file, first);
            let imports = file.source().into_iter().flat_map(|source| &source.imports);
            let is_first = |import: &&Import| {
                import.standing.line < first && import.standing.when == When::Always
            };
            for import in imports.filter(is_first) {
                // Hundreds of modules are imported first, and few of them open anything.
                let others = package.led_to(file, import).into_iter();
                let others = others.filter(|it| !is_around(it) && it.may_open());
                let others: Vec<&File> = others.collect();
                self.parse(&others);
                others.into_iter().for_each(|other| add(other, u32::MAX));
                self.each_of_others(&package, import, &mut |other| add(other, u32::MAX));
            }
        });
        found
    }

    /// Examines the package at the top level that an import begins with, if it has the name of another
    /// distribution than the `own` one, and the modules beside it that it imports.
    fn each_of_others(&self, own: &Rc<Package>, import: &Import, with: &mut dyn FnMut(&File)) {
        let top = import.module.split('.').next().unwrap_or_default();
        let called = self.called.get_or_init(|| {
            let mut called = HashMap::new();
            for (index, it) in self.world.inventory.distributions.iter().enumerate() {
                for module in import_names::modules_of(&it.normalized) {
                    called.entry(module).or_insert(index);
                }
            }
            called
        });
        let index = called.get(top).filter(|_| import.level == 0);
        let package = index.and_then(|&index| self.package(&Maker::Distribution(index)));
        let Some(package) = package.filter(|it| !Rc::ptr_eq(it, own)) else { return };
        let Some(file) = package.module(top) else { return };
        self.parse(&[file]);
        let imports = file.source().into_iter().flat_map(|source| &source.imports);
        let sure = imports.filter(|it| it.standing.when == When::Always);
        let beside: Vec<&File> = sure.flat_map(|it| package.led_to(file, it)).collect();
        self.parse(&beside);
        std::iter::once(file)
            .chain(beside.into_iter().filter(|it| it.module != top))
            .for_each(with);
    }

    /// Examines the `__init__.py` of each package that a module is in, with the line that imports the module, or
    /// the last one if these depend on conditions.
    fn each_before(&self, module: &Object, mut with: impl FnMut(&File, u32)) {
        let package = self.world.maker(module).and_then(|maker| self.package(&maker));
        let name = self.module_name(module);
        let (Some(package), Some(name)) = (package, name) else { return };
        let around = |file: &&File| file.is_package && is_below(&name, &file.module);
        let files: Vec<&File> = package.files.iter().filter(around).collect();
        self.parse(&files);
        for file in files {
            let imports = file.source().into_iter().flat_map(|source| &source.imports);
            let own = imports.filter(|import| file.imports(import, &name));
            // What is imported after the module comes too late. Of imports in branches one is executed.
            let lines = |when: When| {
                let reached = own.clone().filter(move |import| import.standing.when == when);
                reached.map(|import| import.standing.line)
            };
            let first = lines(When::Always).min().or(lines(When::Conditionally).max());
            with(file, first.unwrap_or(u32::MAX));
        }
    }

    /// Which of these modules at the top level a distribution's packages always import, and where first:
    /// without a guard, in the order in which Python executes the imports. The packages at the top level come
    /// first, and then those that extension modules are in, without which no such module is imported.
    #[must_use]
    pub fn first_imports(
        &self,
        maker: &Maker,
        wanted: &BTreeSet<&str>,
    ) -> BTreeMap<String, SourceLine> {
        let mut found = BTreeMap::new();
        let Some(package) = self.package(maker) else { return found };
        let is_caught = |standing: Standing| standing.may_be_caught;
        let starts = package.starts().chain(self.around_modules(maker, &package));
        self.each_sure(&package, starts.collect(), is_caught, |file, import| {
            let Some(base) = file.base(import) else { return true };
            let top = base.split('.').next().unwrap_or_default();
            // The name of a distribution does not tell how its module is written: `fontTools`.
            let is_wanted = || wanted.iter().any(|module| module.eq_ignore_ascii_case(top));
            if import.level == 0 && is_wanted() {
                found.entry(top.to_owned()).or_insert_with(|| file.at(import.standing));
            }
            found.len() < wanted.len()
        });
        found
    }

    /// May a module be imported along with a package at the top level of its distribution, or is it one itself? An
    /// import counts whose failure is not caught, whatever conditions it depends on. Where no code is known, the
    /// module is taken for such.
    #[must_use]
    pub fn is_imported_at_start(&self, module: &Object) -> bool {
        let package = self.world.maker(module).and_then(|maker| self.package(&maker));
        let (Some(package), Some(name)) = (package, self.module_name(module)) else { return true };
        let mut next: Vec<&File> = package.starts().collect();
        if next.is_empty() || package.is_partly_unread || !name.contains('.') {
            return true;
        }
        let mut seen: HashSet<&str> = HashSet::new();
        while let Some(file) = next.pop() {
            if !seen.insert(&file.module) {
                continue;
            }
            self.parse(&[file]);
            let Some(source) = file.source() else { return true };
            let counts = |import: &&Import| {
                let standing = import.standing;
                matches!(standing.when, When::Always | When::Conditionally)
                    && !standing.catches_import_error
            };
            for import in source.imports.iter().filter(counts) {
                let may_be = || file.base(import).is_some_and(|base| name.starts_with(&base));
                if file.imports(import, &name) || import.is_start && may_be() {
                    return true;
                }
                next.extend(package.led_to(file, import));
            }
        }
        false
    }

    /// Which libraries a distribution's packages open by their names alone, whatever happens, and where. None where
    /// the code opens something that constants do not tell, which may load one of these before.
    #[must_use]
    pub fn opened_by_name(&self, maker: &Maker) -> BTreeMap<String, SourceLine> {
        let mut found = BTreeMap::new();
        let Some(package) = self.package(maker) else { return found };
        let (mut files, mut others) = (BTreeMap::new(), Vec::new());
        let mut openings_of = |file: &File| {
            let openings = file.source().into_iter().flat_map(|source| &source.openings);
            let openings = openings.map(|it| (it.clone(), file.at(it.standing)));
            files.entry(file.path.clone()).or_insert_with(|| openings.collect::<Vec<_>>());
        };
        let starts: Vec<&File> = package.starts().collect();
        self.parse(&starts);
        starts.iter().copied().for_each(&mut openings_of);
        let is_caught = |standing: Standing| standing.may_be_caught || standing.catches_os_error;
        self.each_sure(&package, starts, is_caught, |file, import| {
            openings_of(file);
            let led_to = package.led_to(file, import);
            self.parse(&led_to);
            led_to.into_iter().for_each(&mut openings_of);
            self.each_of_others(&package, import, &mut |other| {
                let openings = other.source().into_iter().flat_map(|source| &source.openings);
                others.extend(openings.map(|it| it.what.clone()));
            });
            true
        });
        let own: Vec<(Opening, SourceLine)> = files.into_values().flatten().collect();
        let opened = || others.iter().chain(own.iter().map(|(opening, _)| &opening.what));
        if opened().any(|what| matches!(what, Opened::Unknown | Opened::Listed(_))) {
            return found;
        }
        for (opening, line) in &own {
            let is_sure = opening.standing.is_sure() && !opening.standing.catches_os_error;
            if let (Opened::Name(name), true) = (&opening.what, is_sure) {
                found.entry(name.clone()).or_insert_with(|| line.clone());
            }
        }
        let by_path = opened().filter(|what| !matches!(what, Opened::Name(_)));
        by_path.filter_map(Opened::file_name).for_each(|name| _ = found.remove(name));
        found
    }

    /// The files that are executed whenever the module of that name is imported, or the only one at the top level.
    pub(super) fn surely_imported<'p>(&self, package: &'p Package, name: &str) -> Vec<&'p File> {
        let is_it = |file: &&File| normalized(&file.module) == name;
        let mut starts: Vec<&File> = package.starts().collect();
        if starts.len() > 1 {
            starts.retain(is_it);
        }
        let mut found: BTreeMap<&Path, &File> =
            starts.iter().map(|file| (file.path.as_path(), *file)).collect();
        let is_caught = |standing: Standing| standing.may_be_caught || standing.catches_os_error;
        self.each_sure(package, starts, is_caught, |file, import| {
            let led_to = package.led_to(file, import);
            found.extend(led_to.into_iter().map(|file| (file.path.as_path(), file)));
            true
        });
        let found: Vec<&File> = found.into_values().collect();
        self.parse(&found);
        found
    }

    /// The packages of a distribution that contain extension modules.
    fn around_modules<'p>(&self, maker: &Maker, package: &'p Package) -> Vec<&'p File> {
        let objects = self.world.inventory.objects.iter();
        let own = objects.filter(|object| {
            object.role == Role::ExtensionModule && self.world.maker(object).as_ref() == Some(maker)
        });
        let around = own.filter_map(|module| {
            let name = self.module_name(module)?;
            name.rsplit_once('.').map(|(around, _)| around.to_owned())
        });
        let around: BTreeSet<String> = around.collect();
        around.iter().filter_map(|name| package.module(name)).collect()
    }

    /// Visits the imports that Python executes whenever one of these files is imported, each with its file, in that
    /// order, until `with` returns false. Imports whose error `is_caught` are left out.
    fn each_sure<'p>(
        &self,
        package: &'p Package,
        starts: Vec<&'p File>,
        is_caught: impl Fn(Standing) -> bool,
        mut with: impl FnMut(&File, &Import) -> bool,
    ) {
        // The last is taken first.
        let mut next: Vec<&File> = starts.into_iter().rev().collect();
        let mut seen: HashSet<&str> = HashSet::new();
        while let Some(file) = next.pop() {
            if !seen.insert(&file.module) {
                continue;
            }
            self.parse(&[file]);
            let end = file.rerouted();
            let imports = file.source().into_iter().flat_map(|source| &source.imports);
            let is_sure = |import: &&Import| {
                let standing = import.standing;
                standing.is_sure() && !is_caught(standing) && !import.is_start
            };
            let mut behind: Vec<&File> = Vec::new();
            for import in imports.filter(is_sure).filter(|it| it.standing.reached < end) {
                if !with(file, import) {
                    return;
                }
                let Some(base) = file.base(import) else { continue };
                let ends = base.match_indices('.').map(|(end, _)| end).chain([base.len()]);
                let own = ends.filter_map(|end| base.get(..end)).map(str::to_owned);
                let names = import.names.iter().map(|name| format!("{base}.{name}"));
                behind.extend(own.chain(names).filter_map(|name| package.module(&name)));
            }
            if end < u32::MAX {
                // After that line modules may come from anywhere; imports before it are certain.
                next.clear();
            }
            next.extend(behind.into_iter().rev());
        }
    }
}

impl Package {
    /// What people import first: the packages and the modules at the top level.
    fn starts(&self) -> impl Iterator<Item = &File> {
        let is_public = |file: &&File| !file.module.contains('.') && !file.module.starts_with('_');
        self.files.iter().filter(is_public)
    }
}

impl File {
    /// The first line after which modules may come from elsewhere than the directories of packages. A package may
    /// give other names to its own modules.
    pub(super) fn rerouted(&self) -> u32 {
        let package = self.module.split('.').next().unwrap_or_default();
        let is_own = |module: &str| is_below(module, package);
        let reroutes = self.source().into_iter().flat_map(|source| &source.reroutes);
        let others = reroutes.filter(|it| !it.module.as_deref().is_some_and(is_own));
        others.map(|it| it.line).min().unwrap_or(u32::MAX)
    }
}

/// Is a module in a package, at whatever depth?
fn is_below(module: &str, package: &str) -> bool {
    module.strip_prefix(package).is_some_and(|rest| rest.starts_with('.'))
}
