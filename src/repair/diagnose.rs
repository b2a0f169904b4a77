//! Which libraries would not be found, and why: the inventory, seen through the loader.

use super::bindings::Bindings;
use super::dlopen;
use super::finding::{Cause, Finding};
use super::inventory::{Inventory, Object, Role};
use super::provider::{self, Choice};
use super::target::{Program, World};
use crate::elf::Kind;
use crate::loader::{Dependency, LoadedObject, Resolution};
use crate::vfs::Vfs;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a diagnosis says.
#[derive(Debug, Default)]
pub struct Diagnosis {
    /// The findings: errors first, by cause and object.
    pub findings: Vec<Finding>,
    /// Which name led where, for every object that a program would load.
    pub bindings: Bindings,
    /// Dependencies for which the loader finds nothing, each object and name once.
    pub unresolved: usize,
}

/// A dependency that is not found, for one of the objects that a program would load.
struct Missing {
    asking: Object,
    root_role: Role,
    dependency: Dependency,
}

/// Diagnoses a target: each object that a program would load is resolved as that program would do
/// it.
#[must_use]
pub fn diagnose(vfs: &dyn Vfs, world: &World) -> Diagnosis {
    let inventory = &world.inventory;
    let programs = Program::all(vfs, world);
    let roots = roots(inventory, &programs);
    let resolved: Vec<(&Object, &Program<'_>, Resolution)> = roots
        .into_par_iter()
        .filter_map(|root| {
            let program = programs.iter().find(|program| program.runs(root))?;
            Some((root, program, program.load(root)))
        })
        .collect();

    let mut diagnosis = Diagnosis::default();
    let mut missing: BTreeMap<(PathBuf, Vec<u8>), Missing> = BTreeMap::new();
    let mut reached: HashSet<(u64, u64)> = HashSet::new();
    let mut versions: BTreeMap<(PathBuf, Vec<u8>), Finding> = BTreeMap::new();
    let mut names = Names { vfs, world, known: HashMap::new() };
    for (root, program, resolution) in &resolved {
        let files = program.files(resolution);
        for loaded in &resolution.objects {
            reached.insert(loaded.id);
            let asking = names.of(loaded);
            for dependency in &loaded.needed {
                let found = dependency.found.as_deref();
                let file = found.map(|path| files.get(path).copied().unwrap_or(path));
                diagnosis.bindings.add(&root.path, &asking, dependency, file);
                if dependency.found.is_none() {
                    let entry = missing.entry((asking.clone(), dependency.name.clone()));
                    let found = entry.or_insert_with(|| Missing {
                        asking: object_at(inventory, &asking, loaded),
                        root_role: root.role,
                        dependency: dependency.clone(),
                    });
                    found.root_role = found.root_role.min(root.role);
                }
            }
            add_version_problems(world, &asking, loaded, &mut versions);
        }
    }
    diagnosis.unresolved = missing.len();
    let judge = Judge { vfs, world, reached: &reached };
    diagnosis.findings.extend(missing.values().filter_map(|missing| judge.missing(missing)));
    diagnosis.findings.extend(versions.into_values());
    diagnosis.findings.extend(dlopen::findings(vfs, world, &programs));
    diagnosis.findings.extend(unreadable(world));
    diagnosis.findings.extend(wrong_arch(world, &programs));
    diagnosis.findings.extend(world.interpreter_findings());
    if !world.named.is_empty() {
        diagnosis.findings.retain(|finding| world.is_named(&finding.object));
    }
    sort(&mut diagnosis.findings);
    diagnosis
}

/// Errors first, then by what blocks first, then by object and library.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.severity(), finding.cause);
        key(a).cmp(&key(b)).then_with(|| (&a.object, &a.library).cmp(&(&b.object, &b.library)))
    });
    findings.dedup();
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

/// The paths by which the inventory knows loaded objects.
struct Names<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    known: HashMap<PathBuf, PathBuf>,
}

impl Names<'_> {
    /// The loader puts `..` and links of search paths into the paths of what it loads. In the target
    /// the object is called as the walk found it, elsewhere by its real path.
    fn of(&mut self, loaded: &LoadedObject) -> PathBuf {
        if let Some(known) = self.known.get(&loaded.path) {
            return known.clone();
        }
        let name = self.find(loaded).unwrap_or_else(|| loaded.real.clone());
        self.known.insert(loaded.path.clone(), name.clone());
        name
    }

    fn find(&self, loaded: &LoadedObject) -> Option<PathBuf> {
        let inventory = &self.world.inventory;
        if inventory.at(&loaded.path).is_some() {
            return Some(loaded.path.clone());
        }
        let directory = self.vfs.canonicalize(loaded.path.parent()?).ok()?;
        let plain = self.world.below_root(self.vfs, &directory).join(loaded.path.file_name()?);
        if inventory.at(&plain).is_some() {
            return Some(plain);
        }
        let same = inventory.objects.iter().find(|object| object.id == loaded.id)?;
        Some(same.path.clone())
    }
}

/// The object of the inventory at that path, or, for one outside the target, what the loader knows
/// of it.
fn object_at(inventory: &Inventory, path: &Path, loaded: &LoadedObject) -> Object {
    inventory.at(path).cloned().unwrap_or_else(|| Object {
        path: path.to_owned(),
        id: loaded.id,
        summary: Arc::clone(&loaded.summary),
        role: Role::Library,
        distribution: None,
    })
}

/// Says what is the case where the loader finds nothing.
struct Judge<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    /// The files that some program reaches.
    reached: &'a HashSet<(u64, u64)>,
}

impl Judge<'_> {
    fn missing(&self, missing: &Missing) -> Option<Finding> {
        let inventory = &self.world.inventory;
        let asking = &missing.asking;
        let name = &missing.dependency.name;
        let shown = String::from_utf8_lossy(name).into_owned();
        let finding = |cause, fixable, message: String, cure: String, lies_in| Finding {
            cause,
            object: asking.path.clone(),
            library: Some(name.clone()),
            fixable,
            message,
            cure,
            lies_in,
            tried: missing.dependency.tried.steps().collect(),
        };
        let object = self.world.shown(&asking.path);
        Some(match provider::choose(self.vfs, self.world, asking, name) {
            Choice::One(provider) => {
                let directory = provider.directory().to_owned();
                let lies = self.world.shown(&directory);
                if self.is_loaded_before(asking, missing) {
                    return Some(finding(
                        Cause::LoadOrder,
                        true,
                        format!("{object} finds {shown} only once something else has loaded it"),
                        "nothing has to be done; tfpatch fix --tidy makes it independent"
                            .to_owned(),
                        vec![directory],
                    ));
                }
                finding(
                    Cause::PathMissing,
                    true,
                    format!(
                        "{object} needs {shown}; it lies in {lies}, and no search path leads there"
                    ),
                    "tfpatch fix".to_owned(),
                    vec![directory],
                )
            }
            Choice::Several(providers) => finding(
                Cause::PathMissing,
                false,
                format!(
                    "{object} needs {shown}; {} copies fit, and no search path leads to any",
                    providers.len()
                ),
                "name the right directory: tfpatch fix --search DIR".to_owned(),
                providers.iter().map(|provider| provider.directory().to_owned()).collect(),
            ),
            Choice::None => {
                if let Some(cause) = self.world.known_cause(name) {
                    return Some(finding(
                        cause,
                        false,
                        format!("{object} needs {shown}, which comes with the graphics driver"),
                        "install the driver, or start the container with --gpus all".to_owned(),
                        Vec::new(),
                    ));
                }
                if let Some(other) = provider::other_version(inventory, name) {
                    let found = String::from_utf8_lossy(other.name()).into_owned();
                    return self.is_judged(missing).then(|| {
                        finding(
                            Cause::SonameMismatch,
                            false,
                            format!("{object} needs {shown}; the environment has {found}"),
                            format!("install the release of the library that ships {shown}"),
                            vec![other.directory().to_owned()],
                        )
                    });
                }
                return self.is_judged(missing).then(|| {
                    finding(
                        Cause::NotInstalled,
                        false,
                        format!("{object} needs {shown}, which is nowhere"),
                        format!("install what ships {shown}"),
                        Vec::new(),
                    )
                });
            }
        })
    }

    /// Is the absence of a library that is nowhere a finding? For what is imported or started it
    /// is. A library that nothing depends on may be a plugin for something that is not installed;
    /// nobody asks for it then. In a tree without an interpreter nobody imports anything, and each
    /// object counts.
    fn is_judged(&self, missing: &Missing) -> bool {
        missing.root_role == Role::ExtensionModule || !self.world.has_interpreter()
    }

    /// Is the library loaded already when the object is? So it is where a distribution that the
    /// object's own one requires reaches it, since that is imported first. For a plugin the own
    /// distribution is enough: nothing imports it and nothing depends on it, so it is opened by a
    /// program that knows it, and asks for what that program consists of.
    fn is_loaded_before(&self, asking: &Object, missing: &Missing) -> bool {
        let inventory = &self.world.inventory;
        let Some(own) = inventory.distribution_of(asking) else { return false };
        let is_plugin = missing.root_role == Role::Library;
        inventory
            .named(&missing.dependency.name)
            .filter(|provider| self.reached.contains(&provider.id))
            .filter_map(|provider| inventory.distribution_of(provider))
            .any(|other| {
                if other.normalized == own.normalized {
                    is_plugin
                } else {
                    own.requires.iter().any(|required| required.name == other.normalized)
                }
            })
    }
}

fn add_version_problems(
    world: &World,
    asking: &Path,
    loaded: &LoadedObject,
    findings: &mut BTreeMap<(PathBuf, Vec<u8>), Finding>,
) {
    for problem in &loaded.version_problems {
        let object = world.shown(asking);
        let version = String::from_utf8_lossy(&problem.version).into_owned();
        let provider = world.shown(&problem.provider);
        findings.entry((asking.to_owned(), problem.version.clone())).or_insert_with(|| Finding {
            cause: Cause::SymbolVersion,
            object: asking.to_owned(),
            library: Some(problem.library.clone()),
            fixable: false,
            message: format!("{object} needs {version}, which {provider} lacks"),
            cure: "take an older copy out of the way, or install a newer library".to_owned(),
            lies_in: Vec::new(),
            tried: Vec::new(),
        });
    }
}

fn unreadable(world: &World) -> impl Iterator<Item = Finding> {
    world.inventory.unreadable.iter().map(|unreadable| Finding {
        cause: Cause::Unreadable,
        object: unreadable.path.clone(),
        library: None,
        fixable: false,
        message: format!("{}: {}", world.shown(&unreadable.path), unreadable.why),
        cure: "install the distribution again, or give yourself the permission".to_owned(),
        lies_in: Vec::new(),
        tried: Vec::new(),
    })
}

/// Extension modules that no interpreter of the target can load. Libraries and programs of other
/// processors lie in many wheels as data, and nobody loads them.
fn wrong_arch<'a>(
    world: &'a World,
    programs: &'a [Program<'_>],
) -> impl Iterator<Item = Finding> + 'a {
    let modules =
        world.inventory.objects.iter().filter(|object| object.role == Role::ExtensionModule);
    modules.filter(|module| !programs.iter().any(|program| program.fits(module))).map(|module| {
        Finding {
            cause: Cause::WrongArch,
            object: module.path.clone(),
            library: None,
            fixable: false,
            message: format!(
                "{} is for {}, and no interpreter here is",
                world.shown(&module.path),
                module.summary.architecture()
            ),
            cure: "install the wheel for this machine".to_owned(),
            lies_in: Vec::new(),
            tried: Vec::new(),
        }
    })
}
