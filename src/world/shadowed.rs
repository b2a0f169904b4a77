//! Modules that no import reaches, because an earlier directory of the search path has a package or a module of
//! the same name (CPython's `Lib/importlib/_bootstrap_external.py`, `PathFinder` and `FileFinder`).

use super::inventory::{Inventory, Object, Role};
use crate::python::environment::Environment;
use crate::python::interpreter::Version;
use crate::vfs::Vfs;
use std::cell::RefCell;
use std::collections::{HashMap, HashSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// The longest `__init__.py` that is searched for a change of the package's own path.
const MAX_INIT_BYTES: u64 = 1 << 20;

/// What is imported instead of objects and distributions of later directories.
#[derive(Debug, Default)]
pub struct Shadowed {
    /// By the paths of the objects.
    objects: HashMap<PathBuf, PathBuf>,
    /// By the indices of distributions all of whose modules are shadowed.
    distributions: HashMap<usize, PathBuf>,
}

impl Shadowed {
    /// What no import reaches, of what an environment imports from.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, environment: &Environment, inventory: &Inventory) -> Self {
        let mut shadowed =
            Self { objects: copies_of_standard(vfs, environment, inventory), ..Self::default() };
        let Some(path) = SearchPath::of(vfs, environment) else { return shadowed };
        // Libraries without modules are loaded by others, wherever they are.
        let objects = inventory.objects.iter();
        let modules = objects.filter(|object| object.role == Role::ExtensionModule);
        let with_modules: HashSet<usize> = modules.filter_map(|it| it.distribution).collect();
        let all = inventory.distributions.iter().enumerate();
        let all = all.filter(|(index, _)| with_modules.contains(index));
        for (index, found) in all.filter(|(_, found)| path.is_later(&found.site)) {
            let files = found.listed_files(vfs).unwrap_or_default();
            let modules = files.iter().filter(|file| path.is_module(file));
            let each: Option<Vec<PathBuf>> = modules.map(|file| path.instead_of(file)).collect();
            if let Some(first) = each.and_then(|each| each.into_iter().next()) {
                shadowed.distributions.insert(index, first);
            }
        }
        let is_of_modules = |object: &&Object| {
            object.role == Role::ExtensionModule
                || object.distribution.is_none_or(|index| with_modules.contains(&index))
        };
        let objects = inventory.objects.iter().filter(is_of_modules);
        for object in objects.filter(|it| path.is_later(&it.path)) {
            let of_its = || {
                let index = object.distribution.filter(|_| !path.is_importable(&object.path))?;
                shadowed.distributions.get(&index).cloned()
            };
            if let Some(instead) = path.instead_of(&object.path).or_else(of_its) {
                shadowed.objects.insert(object.path.clone(), instead);
            }
        }
        shadowed
    }

    /// The package or module that is imported instead of an object's own.
    #[must_use]
    pub fn object(&self, object: &Path) -> Option<&Path> {
        self.objects.get(object).map(PathBuf::as_path)
    }

    /// The same for a distribution, by its index, if no import reaches any of its modules.
    #[must_use]
    pub fn distribution(&self, index: usize) -> Option<&Path> {
        self.distributions.get(&index).map(PathBuf::as_path)
    }
}

/// Copies of modules of the standard library, which an interpreter looks for in its own directory first, unless they
/// are in packages. Tools that build programs have them in directories of their own.
fn copies_of_standard(
    vfs: &dyn Vfs,
    environment: &Environment,
    inventory: &Inventory,
) -> HashMap<PathBuf, PathBuf> {
    let [interpreter] = environment.interpreters.as_slice() else { return HashMap::new() };
    let Some(library) = interpreter.standard_library() else { return HashMap::new() };
    let modules = library.join("lib-dynload");
    let names = vfs.read_dir(&modules).unwrap_or_default().into_iter().map(|entry| entry.name);
    let names: HashSet<OsString> = names.collect();
    // What `PYTHONPATH` names comes before the standard library.
    let earlier: Vec<&Path> = environment.import_path().take(environment.of_python_path).collect();
    let is_package = |directory: &Path| vfs.metadata(&directory.join("__init__.py")).is_ok();
    let own = |object: &Object| Some(modules.join(object.path.file_name()?));
    let is_copy = |object: &&Object| {
        object.role == Role::ExtensionModule
            && object.path.file_name().is_some_and(|name| names.contains(name))
            && !object.path.starts_with(&library)
            && !is_package(object.directory())
            && !earlier.contains(&object.directory())
            && own(object)
                .and_then(|it| vfs.metadata(&it).ok())
                .is_some_and(|it| it.id != object.id)
    };
    let copies = inventory.objects.iter().filter(is_copy);
    copies.filter_map(|object| Some((object.path.clone(), own(object)?))).collect()
}

/// The directories that one interpreter imports from.
struct SearchPath<'a> {
    vfs: &'a dyn Vfs,
    version: Version,
    /// Each with the directories that certainly come before it.
    directories: Vec<(&'a Path, Vec<&'a Path>)>,
    listed: RefCell<HashMap<PathBuf, Rc<HashSet<OsString>>>>,
    packages: RefCell<HashMap<PathBuf, bool>>,
}

impl<'a> SearchPath<'a> {
    /// `None` if nothing can be shadowed, or the order of the directories is not known.
    fn of(vfs: &'a dyn Vfs, environment: &'a Environment) -> Option<Self> {
        let [interpreter] = environment.interpreters.as_slice() else { return None };
        let first = environment.of_python_path;
        let sites = environment.site_packages.len();
        let all: Vec<&Path> = environment.import_path().collect();
        // A `.pth` file's directories come after the site that has it, and before the next one.
        let comes_first = |one: usize, other: usize| {
            let is_of_pth = |at: usize| at >= first + sites;
            let is_next_site = one > first && !is_of_pth(one) && is_of_pth(other);
            one < other && !is_next_site && !(environment.reorders && is_of_pth(other))
        };
        let real: Vec<PathBuf> = all
            .iter()
            .map(|it| vfs.canonicalize(it).unwrap_or_else(|_| it.to_path_buf()))
            .collect();
        let before = |other: usize| {
            let earlier = all.iter().zip(&real).enumerate();
            let earlier = earlier.filter(|(at, (_, path))| {
                comes_first(*at, other) && Some(*path) != real.get(other)
            });
            earlier.map(|(_, (path, _))| *path).collect::<Vec<_>>()
        };
        let directories: Vec<_> =
            all.iter().enumerate().map(|(at, path)| (*path, before(at))).collect();
        let is_any = directories.iter().any(|(_, before)| !before.is_empty());
        is_any.then(|| Self {
            vfs,
            version: interpreter.version,
            directories,
            listed: RefCell::default(),
            packages: RefCell::default(),
        })
    }

    /// The directories that a file is imported from, each with the earlier ones and the file's path below it.
    fn around<'p>(
        &self,
        file: &'p Path,
    ) -> impl Iterator<Item = (&'a Path, &[&'a Path], &'p Path)> {
        self.directories.iter().filter_map(move |(directory, before)| {
            Some((*directory, before.as_slice(), file.strip_prefix(directory).ok()?))
        })
    }

    /// Is a file in a directory that has earlier ones?
    fn is_later(&self, file: &Path) -> bool {
        self.around(file).any(|(_, before, _)| !before.is_empty())
    }

    /// May a part of the path of a file be imported?
    fn is_importable(&self, file: &Path) -> bool {
        self.around(file).any(|(_, _, inside)| {
            inside.components().next().is_some_and(|first| stem_of(first).is_some())
        })
    }

    /// Is it a file that an import loads, by its name?
    fn is_module(&self, file: &Path) -> bool {
        let ending = file.extension().and_then(|ending| ending.to_str());
        matches!(ending, Some("py" | "pyc" | "so"))
            && self.is_importable(file)
            && !file.components().any(|part| part.as_os_str() == "__pycache__")
    }

    /// What is imported instead of a file, or of the package that it is in, from every directory around it.
    fn instead_of(&self, file: &Path) -> Option<PathBuf> {
        let mut all =
            self.around(file).map(|(own, before, inside)| self.instead(own, before, inside));
        let first = all.next()??;
        all.all(|other| other.is_some()).then_some(first)
    }

    fn instead(&self, own: &Path, before: &[&Path], inside: &Path) -> Option<PathBuf> {
        let mut own = own.to_owned();
        let mut earlier: Vec<PathBuf> = before.iter().map(|it| it.to_path_buf()).collect();
        let mut parts = inside.components().peekable();
        while let Some(part) = parts.next() {
            let stem = stem_of(part)?;
            for directory in &earlier {
                if self.has_package(&directory.join(stem)) {
                    return Some(directory.join(stem));
                }
                if let Some(module) = self.module(directory, stem) {
                    return Some(module);
                }
            }
            own.push(part);
            // A package ends the search, and its parts are in it alone.
            if parts.peek().is_none() || self.has_package(&own) {
                return None;
            }
            earlier = earlier.iter().map(|it| it.join(stem)).collect();
            earlier.retain(|directory| !self.names(directory).is_empty());
            if earlier.is_empty() {
                return None;
            }
        }
        None
    }

    /// Is a directory a package with code, whose parts are all below it?
    fn has_package(&self, directory: &Path) -> bool {
        if let Some(&known) = self.packages.borrow().get(directory) {
            return known;
        }
        let found = self.module(directory, "__init__").is_some_and(|init| {
            let is_source = init.extension().is_some_and(|ending| ending == "py");
            !is_source || !self.changes_its_path(&init)
        });
        self.packages.borrow_mut().insert(directory.to_owned(), found);
        found
    }

    /// Does the code of a package join other directories to it, as `pkgutil.extend_path` does?
    fn changes_its_path(&self, init: &Path) -> bool {
        let text = self.vfs.open(init).ok().filter(|source| source.len() <= MAX_INIT_BYTES);
        let text = text.as_ref().and_then(|source| source.get(0..source.len()));
        let has = |text: &[u8], word: &[u8]| memchr::memmem::find(text, word).is_some();
        text.is_none_or(|text| has(&text, b"__path__") || has(&text, b"declare_namespace"))
    }

    /// The file that a name is imported from in a directory.
    fn module(&self, directory: &Path, name: &str) -> Option<PathBuf> {
        let names = self.names(directory);
        let Version { major, minor, .. } = self.version;
        let tagged = format!("{name}.cpython-{major}{minor}-").into_bytes();
        let plain = [".py", ".so", ".abi3.so", ".pyc"].map(|ending| format!("{name}{ending}"));
        let plain = plain.iter().map(OsString::from).find(|it| names.contains(it));
        let is_tagged =
            |it: &&OsString| it.as_bytes().starts_with(&tagged) && it.as_bytes().ends_with(b".so");
        let found = plain.or_else(|| names.iter().find(is_tagged).cloned());
        found.map(|it| directory.join(it))
    }

    fn names(&self, directory: &Path) -> Rc<HashSet<OsString>> {
        if let Some(known) = self.listed.borrow().get(directory) {
            return Rc::clone(known);
        }
        let entries = self.vfs.read_dir(directory).unwrap_or_default();
        let names: Rc<HashSet<OsString>> =
            Rc::new(entries.into_iter().map(|entry| entry.name).collect());
        self.listed.borrow_mut().insert(directory.to_owned(), Rc::clone(&names));
        names
    }
}

/// The name by which a part of a path is imported: without what follows the first dot; `None` if it is not an
/// identifier.
fn stem_of(part: Component<'_>) -> Option<&str> {
    let Component::Normal(name) = part else { return None };
    let name = name.to_str()?;
    let (stem, ending) = name.split_once('.').unwrap_or((name, ""));
    let is_file = ["py", "pyc", "so"].contains(&ending) || ending.ends_with(".so");
    let is_name = stem.chars().all(|it| it.is_alphanumeric() || it == '_');
    (is_name && !stem.is_empty() && (ending.is_empty() || is_file)).then_some(stem)
}
