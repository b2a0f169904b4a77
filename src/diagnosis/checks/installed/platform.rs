//! Distributions and modules that were built for another system or another Python.

use crate::diagnosis::load_report::Seen;
use crate::diagnosis::symbol_names::{is_pythons, keep, undefined};
use crate::findings::cure::{Cure, Reinstall};
use crate::findings::evidence::installed::{BuiltFor, Installed};
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::loader::Resolution;
use crate::python::distribution::Distribution;
use crate::python::interpreter::version_in;
use crate::python::interpreter::{Interpreter, Version};
use crate::python::record;
use crate::python::tags::{self, System, Tag};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::{Object, Role};
use crate::world::program::Program;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The findings, and the objects that they explain, sorted. Without an interpreter that can be read
/// nothing is foreign.
pub(super) fn findings(
    vfs: &dyn Vfs,
    world: &World,
    programs: &[Program<'_>],
    seen: &Seen,
) -> (Vec<Finding>, Vec<PathBuf>) {
    let interpreters: Vec<&Interpreter> = world
        .environment
        .iter()
        .flat_map(|environment| &environment.interpreters)
        .filter(|interpreter| interpreter.main_program().is_some())
        .collect();
    let systems: Vec<System> = interpreters.iter().filter_map(|it| System::of(it)).collect();
    if interpreters.is_empty() || systems.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let judge = Judge { vfs, world, programs, seen, interpreters, systems };
    let (mut findings, mut foreign) = judge.distributions();
    let (unowned, objects) = judge.without_distribution();
    findings.extend(unowned);
    foreign.extend(objects);
    foreign.sort_unstable();
    (findings, foreign)
}

struct Judge<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    programs: &'a [Program<'a>],
    seen: &'a Seen,
    interpreters: Vec<&'a Interpreter>,
    systems: Vec<System>,
}

impl<'a> Judge<'a> {
    /// Distributions whose tags fit none of the interpreters, if an import would fail because of
    /// it.
    fn distributions(&self) -> (Vec<Finding>, Vec<PathBuf>) {
        let (mut findings, mut foreign) = (Vec::new(), Vec::new());
        for (index, distribution) in self.world.inventory.distributions.iter().enumerate() {
            let tags = tags::tags(self.vfs, distribution);
            let objects: Vec<&Object> = self
                .world
                .inventory
                .objects
                .iter()
                .filter(|object| object.distribution == Some(index))
                .collect();
            let Some(built_for) = self
                .of_system(distribution, &tags, &objects)
                .or_else(|| self.of_python(&tags, &objects))
            else {
                continue;
            };
            let release = Release::of(distribution);
            let evidence = Evidence::Installed(Installed::BuiltForElsewhere { release, built_for });
            let module = objects.iter().find(|object| object.role == Role::ExtensionModule);
            let object = module.or(objects.first()).map_or(&distribution.location, |it| &it.path);
            findings.push(fault(
                Cause::WrongPlatform,
                object,
                evidence,
                Cure::Reinstall(Reinstall::Here),
            ));
            foreign.extend(objects.iter().map(|object| object.path.clone()));
        }
        (findings, foreign)
    }

    /// The system that a distribution is for, if no interpreter is for it.
    fn of_system(
        &self,
        distribution: &Distribution,
        tags: &[Tag],
        objects: &[&Object],
    ) -> Option<BuiltFor> {
        let (tag, system) = tags.iter().find_map(|tag| Some((tag, tag.system()?)))?;
        let fits = |tag: &Tag| tag.system().is_none_or(|system| self.systems.contains(&system));
        if tags.iter().any(fits) {
            return None;
        }
        let fails = match system {
            System::MacOs => objects.iter().any(|object| !object.slices().is_empty()),
            System::Windows => self.has_windows_libraries(distribution),
            // If the other C library is installed too, such as gcompat on Alpine, there is no
            // problem.
            System::Glibc | System::Musl => objects.iter().any(|object| {
                self.lacks_c_library(&object.path) || is_named_for(object.name(), system)
            }),
        };
        fails.then(|| BuiltFor::System { system, tag: tag.clone(), here: self.systems.clone() })
    }

    fn has_windows_libraries(&self, distribution: &Distribution) -> bool {
        let record = distribution.read_record(self.vfs).unwrap_or_default();
        record::rows(&record)
            .map_while(Result::ok)
            .any(|row| row.path.ends_with(b".pyd") || row.path.ends_with(b".dll"))
    }

    fn lacks_c_library(&self, object: &Path) -> bool {
        let missing = self.seen.missing.keys();
        missing.filter(|(asking, _)| asking == object).any(|(_, name)| is_c_library(name))
    }

    /// The Python that a distribution is for, if it is not that of any interpreter: by its tags, if
    /// its metadata have any, and by each of its modules.
    fn of_python(&self, tags: &[Tag], objects: &[&Object]) -> Option<BuiltFor> {
        let fits = |tag: &Tag| self.interpreters.iter().any(|found| tag.fits_python(found.version));
        let modules: Vec<&Path> = objects
            .iter()
            .filter(|object| object.role == Role::ExtensionModule)
            .map(|object| object.path.as_path())
            .collect();
        if tags.iter().any(fits) {
            return None;
        }
        let is_other =
            self.are_for_others(&modules) || !tags.is_empty() && self.lack_functions(&modules);
        if !is_other {
            return None;
        }
        Some(self.for_python(&modules, tags.first()))
    }

    /// Does a module bind functions of Python that no interpreter here has? The names of modules for the stable
    /// interface show no version.
    fn lack_functions(&self, modules: &[&Path]) -> bool {
        let lacks = |module: &Path, program: &Resolution| {
            let mut names = undefined(self.vfs, module);
            names.retain(|name| is_pythons(name));
            let files = program.objects.iter().map(|object| &*object.real);
            files.for_each(|file| keep(self.vfs, file, &mut names, false));
            !names.is_empty()
        };
        let mains: Vec<&Resolution> =
            self.programs.iter().filter_map(|program| program.main.as_ref()).collect();
        modules
            .iter()
            .any(|module| !mains.is_empty() && mains.iter().all(|program| lacks(module, program)))
    }

    /// For what Python modules were built, by their names and a tag.
    fn for_python(&self, modules: &[&Path], tag: Option<&Tag>) -> BuiltFor {
        let own = tag.and_then(Tag::python_version).filter(|_| !self.are_for_others(modules));
        let versions: BTreeSet<_> = match own {
            Some(own) => [own].into(),
            None => modules.iter().filter_map(|module| version_in(module)).collect(),
        };
        BuiltFor::Python {
            versions: versions.into_iter().collect(),
            tag: tag.cloned(),
            here: self.interpreters.iter().map(|interpreter| interpreter.version).collect(),
        }
    }

    /// Modules that no distribution owns, by the package that they are in: Mach-O files where the
    /// interpreter is not one, and packages in which every module is for another Python.
    fn without_distribution(&self) -> (Vec<Finding>, Vec<PathBuf>) {
        let mut packages: BTreeMap<PathBuf, Vec<&'a Object>> = BTreeMap::new();
        for object in &self.world.inventory.objects {
            if object.distribution.is_none()
                && object.role == Role::ExtensionModule
                && let Some(package) = self.package_of(&object.path)
            {
                packages.entry(package).or_default().push(object);
            }
        }
        let (mut findings, mut foreign) = (Vec::new(), Vec::new());
        for (package, modules) in packages {
            let paths: Vec<&Path> = modules.iter().map(|module| module.path.as_path()).collect();
            let Some(first) = paths.first() else { continue };
            let built_for = if modules.iter().all(|module| !module.slices().is_empty()) {
                BuiltFor::MacOs { here: self.systems.first().copied() }
            } else if self.are_for_others(&paths) {
                self.for_python(&paths, None)
            } else {
                continue;
            };
            let evidence = Evidence::Installed(Installed::ModulesForElsewhere {
                package: self.world.place(&package),
                built_for,
                first: self.world.place(first),
            });
            findings.push(fault(
                Cause::WrongPlatform,
                first,
                evidence,
                Cure::Reinstall(Reinstall::Here),
            ));
            foreign.extend(paths.iter().map(|&path| path.to_owned()));
        }
        (findings, foreign)
    }

    /// The package or the directory of packages that an object is in, below a directory that an
    /// interpreter here imports from.
    fn package_of(&self, object: &Path) -> Option<PathBuf> {
        let environment = self.world.environment.as_ref()?;
        environment.site_packages.iter().find_map(|site| {
            let inside = object.strip_prefix(&site.path).ok()?;
            Some(site.path.join(inside.components().next()?))
        })
    }

    /// Do all of some modules name another Python than any of the interpreters, so that none of
    /// them is found by an import?
    fn are_for_others(&self, modules: &[&Path]) -> bool {
        let is_for_other = |module: &&Path| {
            let name = module.file_name().map(OsStr::as_bytes).unwrap_or_default();
            let tagged = name.windows(9).any(|part| part == b".cpython-");
            let is_known = self.interpreters.iter().any(|interpreter| {
                let Version { major, minor, .. } = interpreter.version;
                let tag = format!(".cpython-{major}{minor}");
                name.windows(tag.len()).any(|part| part == tag.as_bytes())
            });
            tagged && !is_known
        };
        !modules.is_empty() && modules.iter().all(is_for_other)
    }
}

/// Does the name of a module say that it is for Linux with that C library (CPython's
/// `Misc/platform_triplet.c`)? No interpreter of another one finds it.
fn is_named_for(module: &[u8], system: System) -> bool {
    let tag = if system == System::Musl { b"-linux-musl.so".as_slice() } else { b"-linux-gnu.so" };
    module.ends_with(tag)
}

/// Is it the C library of some system, by the name that objects need: glibc's or musl's?
fn is_c_library(name: &[u8]) -> bool {
    name == b"libc.so.6" || name.starts_with(b"libc.musl-") || name.starts_with(b"ld-linux")
}
