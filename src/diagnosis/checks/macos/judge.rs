//! Turns what dyld did into findings.

use super::archs_of;
use super::{Loaded, Macos, Outcome, distinct_images, leaf};
use crate::diagnosis::checks::rpath_entries;
use crate::diagnosis::provider;
use crate::findings::cure::{Cure, Install, Reinstall, Tidying};
use crate::findings::evidence::file::File;
use crate::findings::evidence::need::{Lacking, Need as Seen, Supply};
use crate::findings::evidence::symbols::{Between, Symbols};
use crate::findings::evidence::variable::Absent;
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::tensorflow;
use crate::loader::dyld::{LoadedImage, Need, Opened, Unbound};
use crate::loader::{StepOutcome, dyld};
use crate::macho::{Container, Image};
use crate::python::distribution::Distribution;
use crate::world::inventory::{Object, Role};
use crate::world::rpath_entry_macho;
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The findings about the objects that were loaded.
pub(super) struct Judge<'m, 'a> {
    macos: &'m Macos<'a>,
    loaded: &'m [Loaded<'a>],
}

/// A need that is not satisfied.
struct Missing<'m> {
    root: &'m Object,
    image: &'m LoadedImage,
    /// The object that needs it, as the target names it.
    object: PathBuf,
    need: &'m Need,
    /// The index of the need in the image.
    library: usize,
}

/// The result of using a library in place of a missing one.
enum Fit {
    /// It works, from this directory.
    Serves(PathBuf),
    /// It exists, and lacks symbols.
    Lacks(BTreeSet<Unbound>),
    /// Nothing fits by name and processor.
    None,
}

impl<'m, 'a> Judge<'m, 'a> {
    pub(super) fn new(macos: &'m Macos<'a>, loaded: &'m [Loaded<'a>]) -> Self {
        Self { macos, loaded }
    }

    pub(super) fn outcome(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for one in self.loaded {
            outcome.findings.extend(self.refused(one));
            for (_, image) in one.opened.new_images() {
                let object = self.macos.name_of(image);
                let needed = image.needed.iter().map(|need| &need.dependency);
                let answers = needed.map(|it| (it, it.found.as_deref()));
                outcome.bindings.add(&one.root.path, &object, answers);
            }
        }
        let missing = self.missing();
        let mut warm: HashMap<&Path, Option<Opened>> = HashMap::new();
        for missing in missing.values() {
            let after = warm.entry(&missing.root.path).or_insert_with(|| {
                let before = self.macos.before(missing.root)?;
                Some(self.macos.open_in(&before, &missing.root.path))
            });
            outcome.findings.extend(self.judge(missing, after.as_ref()));
            outcome
                .unresolved
                .insert((missing.object.clone(), missing.need.dependency.name.to_vec()));
        }
        outcome.findings.extend(self.symbols());
        outcome.findings.extend(self.entries());
        outcome
    }

    /// Each need that is not satisfied, once, for the most important object that loads it.
    fn missing(&self) -> BTreeMap<(PathBuf, Vec<u8>), Missing<'m>> {
        let mut all: BTreeMap<(PathBuf, Vec<u8>), Missing<'m>> = BTreeMap::new();
        for one in self.loaded {
            for (_, image) in one.opened.new_images() {
                let unsatisfied =
                    image.needed.iter().enumerate().filter(|(_, need)| !need.is_satisfied());
                for (library, need) in unsatisfied {
                    let object = self.macos.name_of(image);
                    let key = (object.clone(), need.dependency.name.to_vec());
                    let missing = Missing { root: one.root, image, object, need, library };
                    match all.get(&key) {
                        Some(known) if known.root.role <= one.root.role => {}
                        _ => {
                            all.insert(key, missing);
                        }
                    }
                }
            }
        }
        all
    }

    /// Why dyld does not take an object itself.
    fn refused(&self, one: &Loaded<'_>) -> Option<Finding> {
        if one.opened.root.is_satisfied() {
            return None;
        }
        let root = one.root;
        let attempt =
            one.opened.root.attempts.iter().rfind(|a| a.step.outcome != StepOutcome::Absent)?;
        let (object, said) = (self.macos.world.place(&root.path), attempt.note.clone());
        let arch = self.macos.dyld.system().arch.name();
        match attempt.step.outcome {
            // A wheel's tag says which processors it is for.
            StepOutcome::WrongMachine if self.macos.world.wheel.is_some() => None,
            // Many trees contain libraries and programs for other processors as data.
            StepOutcome::WrongMachine if root.role == Role::ExtensionModule => {
                let evidence = Evidence::File(File::NoSlice { object, arch, said });
                let cure = Cure::Install(Install::WheelFor(Some(arch)));
                Some(fault(Cause::WrongArch, &root.path, evidence, cure))
            }
            StepOutcome::WrongMachine => None,
            StepOutcome::BadSignature => {
                let evidence = Evidence::File(File::NoSignature { object, said });
                let finding = fault(Cause::BadSignature, &root.path, evidence, Cure::SignAdHoc);
                Some(Finding { fixable: true, ..finding })
            }
            // Reported with the other entries.
            StepOutcome::NotALibrary if has_entry_twice(root, arch) => None,
            _ => {
                let evidence = Evidence::File(File::NotTaken { object, said });
                let world = self.macos.world;
                let cure = Cure::reinstall_owner(world, &root.path, Reinstall::Distribution);
                Some(fault(Cause::Unreadable, &root.path, evidence, cure))
            }
        }
    }

    /// The finding about a library that is not found. `warm` is the object that loads it, opened
    /// when everything is loaded that is imported before.
    fn judge(&self, missing: &Missing<'_>, warm: Option<&Opened>) -> Option<Finding> {
        let world = self.macos.world;
        let name = &missing.need.dependency.name;
        let later = warm.and_then(|warm| {
            let images = &warm.process.images;
            let image = images.iter().find(|image| image.id == missing.image.id)?;
            let need = image.needed.get(missing.library)?;
            need.is_satisfied().then_some((warm, image))
        });
        let fit = self.fit(missing);
        if let Some((warm, image)) = later {
            let unbound = self.macos.unbound(&warm.process, image);
            let unbound: BTreeSet<Unbound> =
                unbound.into_iter().filter(|unbound| unbound.library == **name).collect();
            if !unbound.is_empty() {
                return Some(self.lacks(&missing.object, &unbound, missing.need));
            }
            let lies_in: Vec<PathBuf> = match fit {
                Fit::Serves(directory) => vec![directory],
                _ => Vec::new(),
            };
            return Some(Finding {
                fixable: !lies_in.is_empty(),
                lies_in,
                ..self.finding(
                    missing,
                    Cause::LoadOrder,
                    Supply::LoadedBefore { is_proved: true },
                    Cure::NothingOr(Tidying::EntriesOfFile),
                )
            });
        }
        Some(match fit {
            Fit::Serves(directory) => self.unreached(missing, directory),
            Fit::Lacks(unbound) => self.lacks(&missing.object, &unbound, missing.need),
            Fit::None => {
                // What a wheel does not contain comes with the distributions that it is installed
                // beside.
                if world.wheel.is_some() {
                    return None;
                }
                // A library that nothing depends on may be a plugin for what is not installed.
                let is_judged = missing.root.role == Role::ExtensionModule
                    || !world.is_imported()
                    || world.is_named(&missing.root.path)
                    || world.is_only_code(self.macos.vfs, missing.root);
                let supply = Supply::Lacking(Lacking::Nowhere { absent: Absent::default() });
                let cure = Cure::Install(Install::Unknown(leaf(name).to_vec()));
                let found = self.finding(missing, Cause::NotInstalled, supply, cure);
                Finding { is_optional: !is_judged, ..found }
            }
        })
    }

    /// A library that would work is in a directory that is not searched.
    fn unreached(&self, missing: &Missing<'_>, directory: PathBuf) -> Finding {
        let name = &missing.need.dependency.name;
        let lies = self.macos.world.place(&directory);
        let fixable = name.starts_with(b"@rpath/");
        let (supply, cure) = match fixable {
            true => (Supply::OutOfReach { directory: lies, is_required: true }, Cure::fix()),
            false => (
                Supply::NotWhereItIsNamed { directory: lies },
                Cure::Reinstall(Reinstall::Distribution),
            ),
        };
        Finding {
            fixable,
            lies_in: vec![directory],
            ..self.finding(missing, Cause::PathMissing, supply, cure)
        }
    }

    /// The library of the target that would work for a name, if its symbols bind.
    fn fit(&self, missing: &Missing<'_>) -> Fit {
        let name = &missing.need.dependency.name;
        // Below @rpath a name may have directories of its own.
        let tail = name.strip_prefix(b"@rpath/").unwrap_or(leaf(name));
        let arch = self.macos.dyld.system().arch;
        let inventory = &self.macos.world.inventory;
        let Some(asking) = inventory.at(&missing.object) else { return Fit::None };
        let fitting: Vec<&Object> = inventory
            .named(leaf(tail))
            .filter(|object| object.slices().iter().any(|slice| slice.arch == arch))
            .filter(|object| object.path.ends_with(OsStr::from_bytes(tail)))
            .filter(|object| self.macos.world.stay_together(&asking.path, &object.path))
            .collect();
        let mut lacking = BTreeSet::new();
        for provider in provider::in_order(inventory, asking, fitting) {
            let opened = self.macos.open_in(&self.macos.process, &provider);
            let unbound = self.macos.dyld.unbound_in(missing.image, missing.library, &opened);
            match unbound {
                Ok(unbound) if unbound.is_empty() && opened.root.is_satisfied() => {
                    let above = Path::new(OsStr::from_bytes(tail)).components().count();
                    let directory = provider.ancestors().nth(above).unwrap_or(&provider);
                    return Fit::Serves(directory.to_owned());
                }
                Ok(unbound) if lacking.is_empty() => lacking = unbound,
                _ => {}
            }
        }
        if lacking.is_empty() { Fit::None } else { Fit::Lacks(lacking) }
    }

    /// A finding about symbols that one library does not have.
    fn lacks(&self, object: &Path, unbound: &BTreeSet<Unbound>, need: &Need) -> Finding {
        let world = self.macos.world;
        let inventory = &world.inventory;
        let provider = unbound.first().map(|unbound| unbound.provider.clone()).unwrap_or_default();
        let by_path = |path: &Path| {
            let found = inventory.at(path).or_else(|| {
                let id = self.macos.vfs.metadata(path).ok()?.id;
                self.macos.by_file.get(&id).copied()
            });
            found.and_then(|object| inventory.distribution_of(object))
        };
        let (own, other) = (by_path(object), by_path(&provider));
        let pair = own.zip(other).filter(|(own, other)| own.normalized != other.normalized);
        let (cause, cure) = match pair {
            Some((own, other)) => (Cause::VersionMismatch, cure_of_mismatch(own, other)),
            None => (Cause::MissingSymbol, Cure::Install(Install::FittingReleases)),
        };
        let evidence = Evidence::Symbols(Symbols::NotInLibrary {
            object: world.place(object),
            library: world.place(&provider),
            between: pair.map(|(own, other)| Between::of(own, other)),
        });
        let mut found = fault(cause, object, evidence, cure);
        found.library = Some(need.dependency.name.to_vec());
        found.symbols = unbound.iter().map(|unbound| unbound.symbol.clone()).collect();
        found.tried = need.dependency.tried.steps().collect();
        found
    }

    /// Symbols that do not bind although their library is found.
    fn symbols(&self) -> Vec<Finding> {
        let images = distinct_images(self.loaded);
        let unbound: Vec<(&LoadedImage, BTreeSet<Unbound>)> = images
            .into_par_iter()
            .filter(|(_, image)| self.macos.by_file.contains_key(&image.id))
            .map(|(process, image)| (&**image, self.macos.unbound(process, image)))
            .collect();
        let mut findings = Vec::new();
        for (image, unbound) in unbound {
            for need in &image.needed {
                let of_one: BTreeSet<Unbound> = unbound
                    .iter()
                    .filter(|unbound| unbound.library == *need.dependency.name)
                    .cloned()
                    .collect();
                if !of_one.is_empty() {
                    findings.push(self.lacks(&self.macos.name_of(image), &of_one, need));
                }
            }
        }
        findings
    }

    /// Entries of search paths that name missing directories, and duplicates.
    fn entries(&self) -> Vec<Finding> {
        let mut seen = HashSet::new();
        let objects = self.macos.world.inventory.objects.iter();
        let objects =
            objects.filter(|object| !object.slices().is_empty() && seen.insert(object.id));
        objects.flat_map(|object| self.entries_of(object)).collect()
    }

    fn entries_of(&self, object: &Object) -> Vec<Finding> {
        let macos = self.macos;
        let Some(image) = self.slice_of(&object.path) else { return Vec::new() };
        let (rpaths, sdk) = image;
        let mut findings = Vec::new();
        let mut seen = HashSet::new();
        let twice = rpaths.iter().filter(|entry| !seen.insert(entry.as_slice())).count();
        if twice > 0 {
            let is_fatal = macos.dyld.system().version.refuses_duplicate_rpaths(sdk);
            findings.push(rpath_entries::duplicates(macos.world, &object.path, twice, is_fatal));
        }
        let real = macos.vfs.canonicalize(&object.path).ok();
        let directories: Vec<&Path> = real.iter().filter_map(|path| path.parent()).collect();
        let is_dead =
            |entry: &&&[u8]| !rpath_entry_macho::leads_somewhere(macos.vfs, entry, &directories);
        let dead = seen.iter().filter(is_dead).count();
        findings.extend(rpath_entries::dead_ends(macos.world, &object.path, dead));
        findings
    }

    /// The search path of the slice that the program takes, and the SDK that it was built with: as
    /// the file is now. It may have been edited since the walk.
    fn slice_of(&self, path: &Path) -> Option<(Vec<Vec<u8>>, dyld::Version)> {
        let arch = self.macos.dyld.system().arch;
        archs_of(self.macos.vfs, path)?.contains(&arch).then_some(())?;
        let source = self.macos.vfs.open(path).ok()?;
        let container = Container::parse(source.as_ref()).ok()?;
        let slice = container.slices.into_iter().find(|slice| slice.arch() == arch)?;
        let summary = Image::parse(slice).ok()?.summary().ok()?;
        let sdk = summary
            .build_version()
            .map_or_else(|| dyld::Version::new(0, 0), |built| dyld::Version::of(built.sdk));
        Some((summary.rpaths, sdk))
    }

    fn finding(&self, missing: &Missing<'_>, cause: Cause, supply: Supply, cure: Cure) -> Finding {
        let dependency = &missing.need.dependency;
        let object = self.macos.world.place(&missing.object);
        let need = Seen::new(object, &dependency.name, supply);
        Finding {
            library: Some(dependency.name.to_vec()),
            tried: dependency.tried.steps().collect(),
            ..fault(cause, &missing.object, Evidence::Need(need), cure)
        }
    }
}

/// How to get releases of a plugin and of its host that fit, by what is known of the plugin.
fn cure_of_mismatch(plugin: &Distribution, host: &Distribution) -> Cure {
    let fits = tensorflow::fitting(&plugin.normalized, &plugin.version);
    match fits.filter(|_| tensorflow::is_tensorflow(&host.normalized)) {
        Some((oldest, newest)) => {
            Cure::Install(Install::Tensorflow { plugin: Release::of(plugin), oldest, newest })
        }
        None => Cure::Install(Install::Fitting(plugin.normalized.clone(), host.normalized.clone())),
    }
}

/// Does the slice for a processor name a directory twice? dyld takes none that does, whatever else it holds.
fn has_entry_twice(object: &Object, arch: &str) -> bool {
    object.slices().iter().filter(|slice| slice.arch.name() == arch).any(|slice| {
        let mut seen = HashSet::new();
        !slice.rpaths.iter().all(|entry| seen.insert(entry.as_slice()))
    })
}
