//! What the loader does with every object that a program would load, under one environment.

use super::bindings::Bindings;
use super::inventory::{Inventory, Object, Role};
use super::target::{Program, World};
use crate::elf::Kind;
use crate::loader::{Dependency, LoadedObject, Resolution, Settings, VersionProblem};
use crate::vfs::Vfs;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

/// A dependency for which the loader finds nothing.
#[derive(Debug)]
pub struct Missing {
    /// The object that asks, by its path in the inventory.
    pub object: PathBuf,
    /// What the most important of the objects is that lead to it.
    pub root_role: Role,
    /// The name, and every place that was tried.
    pub dependency: Dependency,
}

/// Everything that the loader finds and does not find.
#[derive(Debug, Default)]
pub struct Seen {
    /// What is missing, by the object that asks and the name.
    pub missing: BTreeMap<(PathBuf, Vec<u8>), Missing>,
    /// The files that some program reaches.
    pub reached: HashSet<(u64, u64)>,
    /// Versions that libraries lack, with the object that needs them.
    pub versions: BTreeMap<(PathBuf, Vec<u8>), VersionProblem>,
    /// Which name led where.
    pub bindings: Bindings,
}

impl Seen {
    /// Resolves each object as the program would that loads it.
    #[must_use]
    pub fn under(vfs: &dyn Vfs, world: &World, settings: &Settings) -> Self {
        let programs = Program::all(vfs, world, settings);
        let resolved: Vec<(&Object, &Program<'_>, Resolution)> = roots(&world.inventory, &programs)
            .into_par_iter()
            .filter_map(|root| {
                let program = programs.iter().find(|program| program.runs(root))?;
                Some((root, program, program.load(root)))
            })
            .collect();
        let mut seen = Self::default();
        for (root, program, resolution) in &resolved {
            let files = program.files(resolution);
            for loaded in &resolution.objects {
                let path = path_of(vfs, &world.inventory, loaded);
                seen.reached.insert(loaded.id);
                for dependency in &loaded.needed {
                    let found = dependency.found.as_deref();
                    let file = found.map(|path| files.get(path).copied().unwrap_or(path));
                    seen.bindings.add(&root.path, &path, dependency, file);
                    if found.is_none() {
                        seen.add_missing(&path, root.role, dependency);
                    }
                }
                for problem in &loaded.version_problems {
                    let key = (path.clone(), problem.version.clone());
                    seen.versions.entry(key).or_insert_with(|| problem.clone());
                }
            }
        }
        seen
    }

    fn add_missing(&mut self, object: &Path, root_role: Role, dependency: &Dependency) {
        let key = (object.to_owned(), dependency.name.clone());
        let missing = self.missing.entry(key).or_insert_with(|| Missing {
            object: object.to_owned(),
            root_role,
            dependency: dependency.clone(),
        });
        missing.root_role = missing.root_role.min(root_role);
    }
}

/// The objects that a program would load by itself: extension modules, programs, and libraries that
/// nothing in the tree depends on. A private library is reached only through siblings whose RPATH
/// it inherits: alone it looks broken, and is not.
fn roots<'a>(inventory: &'a Inventory, programs: &[Program<'_>]) -> Vec<&'a Object> {
    let needed: HashSet<&[u8]> = inventory
        .objects
        .iter()
        .flat_map(|object| object.summary.needed.iter().map(Vec::as_slice))
        .collect();
    inventory
        .objects
        .iter()
        .filter(|object| object.summary.kind != Kind::NotDynamic)
        .filter(|object| match object.role {
            Role::ExtensionModule | Role::Executable => true,
            Role::Library => {
                let soname = object.summary.soname.as_deref().unwrap_or(object.name());
                !needed.contains(object.name()) && !needed.contains(soname)
            }
        })
        .filter(|object| programs.iter().any(|program| program.runs(object)))
        .collect()
}

/// The path by which the inventory knows a loaded object: an entry like `$ORIGIN/../lib` spells
/// the path with `..` in it. Objects outside the target keep the loader's path.
fn path_of(vfs: &dyn Vfs, inventory: &Inventory, loaded: &LoadedObject) -> PathBuf {
    let spelled = || {
        let directory = vfs.canonicalize(loaded.path.parent()?).ok()?;
        inventory.at(&directory.join(loaded.path.file_name()?))
    };
    let known = inventory
        .at(&loaded.path)
        .or_else(spelled)
        .or_else(|| inventory.objects.iter().find(|object| object.id == loaded.id));
    known.map_or_else(|| loaded.path.clone(), |object| object.path.clone())
}
