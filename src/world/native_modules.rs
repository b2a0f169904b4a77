//! The modules with native code that an interpreter of a target can import, by the names by which it does.

use super::inventory::Role;
use super::world::World;
use crate::python::interpreter::Interpreter;
use crate::vfs::Vfs;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// A package, or a single module, with its modules that have native code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NativePackage {
    /// The name before the first dot.
    pub name: String,
    /// Each module's whole name and file, by name.
    pub modules: BTreeMap<String, PathBuf>,
    /// What must be imported before it.
    pub first: Vec<String>,
}

/// The packages at the top level of those distributions that require the one of a package: importing them
/// loads the package as intended.
#[must_use]
pub fn requiring(vfs: &dyn Vfs, world: &World, package: &NativePackage) -> Vec<String> {
    let all = &world.inventory.distributions;
    let objects = package.modules.values().filter_map(|file| world.inventory.at(file));
    let own: BTreeSet<usize> = objects.filter_map(|object| object.distribution).collect();
    let own = || own.iter().filter_map(|index| all.get(*index));
    let others = all.iter().filter(|other| own().any(|own| World::requires(other, own)));
    let names = others.flat_map(|other| other.top_level(vfs));
    let names = names.filter_map(|name| String::from_utf8(name).ok());
    let modules = names.map(|name| name.trim_end_matches(".py").to_owned());
    modules.filter(|module| is_identifier(module) && *module != package.name).collect()
}

/// Those that the first interpreter of a target imports, by name; if a part was named, those of the part. Of a
/// distribution that has libraries and no modules, these are its packages, whose code opens the libraries. The
/// interpreter knows a module by the ending of its file's name, and the directories between are packages, of
/// which each has to be an identifier (PEP 3149; `importlib.machinery.ExtensionFileLoader`).
#[must_use]
pub fn of(vfs: &dyn Vfs, world: &World) -> Vec<NativePackage> {
    let Some(environment) = &world.environment else { return Vec::new() };
    let Some(interpreter) = environment.interpreters.first() else { return Vec::new() };
    let mut roots: Vec<PathBuf> = environment.import_path().map(Path::to_owned).collect();
    // The standard library's own stand beside it.
    let library = roots.iter().filter_map(|site| site.parent());
    let own: Vec<PathBuf> = library.map(|library| library.join("lib-dynload")).collect();
    roots.extend(own);
    let mut packages: BTreeMap<String, BTreeMap<String, PathBuf>> = BTreeMap::new();
    let objects = world.inventory.objects.iter();
    let modules = objects.filter(|object| object.role == Role::ExtensionModule);
    for object in modules.filter(|object| world.is_meant(&object.path)) {
        let Some(name) = module_name(&roots, interpreter, &object.path) else { continue };
        let package = name.split('.').next().unwrap_or(&name).to_owned();
        packages.entry(package).or_default().entry(name).or_insert_with(|| object.path.clone());
    }
    for (package, library) in with_libraries_alone(vfs, world) {
        let modules = packages.entry(package.clone()).or_default();
        modules.entry(package).or_insert_with(|| library.to_owned());
    }
    packages
        .into_iter()
        .map(|(name, modules)| NativePackage { name, modules, first: Vec::new() })
        .collect()
}

/// The packages and modules at the top level of distributions that have libraries and no extension modules, each
/// with the first of the libraries.
fn with_libraries_alone<'a>(vfs: &dyn Vfs, world: &'a World) -> Vec<(String, &'a Path)> {
    // By distribution; `None` once it has a module.
    let mut libraries: BTreeMap<usize, Option<&Path>> = BTreeMap::new();
    let objects = world.inventory.objects.iter().filter(|it| it.role != Role::Executable);
    for object in objects.filter(|object| world.is_meant(&object.path)) {
        let Some(index) = object.distribution else { continue };
        let first = libraries.entry(index).or_insert(Some(object.path.as_path()));
        *first = first.filter(|_| object.role != Role::ExtensionModule);
    }
    let mut found = Vec::new();
    for (index, library) in libraries {
        let distribution = world.inventory.distributions.get(index);
        let Some((distribution, library)) = distribution.zip(library) else { continue };
        for name in distribution.top_level(vfs) {
            let Ok(name) = String::from_utf8(name) else { continue };
            let module = name.strip_suffix(".py").unwrap_or(&name);
            let files = [format!("{module}/__init__.py"), format!("{module}.py")];
            let mut files = files.iter().map(|file| distribution.site.join(file));
            if is_identifier(module) && files.any(|file| vfs.metadata(&file).is_ok()) {
                found.push((module.to_owned(), library));
            }
        }
    }
    found
}

/// The name by which the module in a file is imported from the nearest of the directories above it.
fn module_name(roots: &[PathBuf], interpreter: &Interpreter, file: &Path) -> Option<String> {
    let below = roots.iter().filter_map(|root| file.strip_prefix(root).ok());
    let below = below.min_by_key(|below| below.components().count())?;
    let name = below.file_name()?.to_str()?;
    let mut endings = interpreter.extension_suffixes.iter();
    let stem = endings.find_map(|ending| name.strip_suffix(ending.as_str()))?;
    let mut parts: Vec<&str> = Vec::new();
    for part in below.parent()?.components() {
        parts.push(part.as_os_str().to_str()?);
    }
    // A package may itself be native.
    if stem != "__init__" || parts.is_empty() {
        parts.push(stem);
    }
    parts.iter().all(|part| is_identifier(part)).then(|| parts.join("."))
}

fn is_identifier(word: &str) -> bool {
    let mut characters = word.chars();
    characters.next().is_some_and(|first| first.is_alphabetic() || first == '_')
        && characters.all(|character| character.is_alphanumeric() || character == '_')
}
