//! Versions of symbols that a library lacks: which copy is loaded, which other copy has them, and
//! how to get that one.

use super::variables::{Variables, taken_out};
use crate::diagnosis::load_report::Seen;
use crate::elf::Summary;
use crate::findings::cure::{Cure, Install, Reinstall, Search};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::symbols::{Newer, Symbols};
use crate::findings::evidence::variable::Blame;
use crate::findings::finding::{Cause, Finding, fault};
use crate::knowledge::{packages, tensorflow};
use crate::loader::{GlibcVersion, Target, VersionProblem};
use crate::vfs::Vfs;
use crate::world::inventory::summary_of;
use crate::world::object_names::is_renamed;
use crate::world::program::Program;
use crate::world::system_libraries::Libraries;
use crate::world::{Place, World};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The libraries of glibc, including former ones: together they have the versions of one release,
/// and come from one place (`shlib-versions` of its source).
const GLIBC: &[&[u8]] = &[
    b"libc.so.6",
    b"libm.so.6",
    b"libpthread.so.0",
    b"libdl.so.2",
    b"librt.so.1",
    b"libutil.so.1",
];

/// What is needed for a judgement.
pub struct Judge<'a> {
    /// The files.
    pub vfs: &'a dyn Vfs,
    /// The target.
    pub world: &'a World,
    /// Its programs.
    pub programs: &'a [Program<'a>],
    /// The libraries around it.
    pub libraries: &'a Libraries<'a>,
    /// The variables that are set.
    pub variables: &'a Variables<'a>,
    /// What the loader does without any of them; `None` if none is set.
    pub bare: Option<&'a Seen>,
}

impl Judge<'_> {
    /// A finding for each object and library, whatever the number of versions.
    #[must_use]
    pub fn findings(&self, seen: &Seen) -> Vec<Finding> {
        let mut together: BTreeMap<(&Path, &[u8]), Vec<&VersionProblem>> = BTreeMap::new();
        for ((object, _), problem) in &seen.versions {
            together.entry((object, &problem.library)).or_default().push(problem);
        }
        let found = together.into_iter().filter_map(|((object, library), problems)| {
            let provider = &problems.first()?.provider;
            let mut versions: Vec<&[u8]> =
                problems.iter().map(|problem| problem.version.as_slice()).collect();
            versions.sort_by_key(|version| numbers(version));
            let found = self.judge(object, library, provider, &versions);
            let is_optional = found.blames_variables() && self.is_unused(seen, object, library);
            Some(Finding { is_optional, ..found })
        });
        found.collect()
    }

    /// Is an object not loaded by any module, as plugins are, and is what it needs not for a GPU? What a variable
    /// breaks for it may go unnoticed.
    fn is_unused(&self, seen: &Seen, object: &Path, library: &[u8]) -> bool {
        let found = self.world.inventory.at(object);
        self.world.is_imported()
            && !self.world.is_named(object)
            && !tensorflow::is_for_gpu(library)
            && found.is_some_and(|found| seen.may_be_plugin(found))
    }

    fn judge(&self, object: &Path, library: &[u8], provider: &Path, versions: &[&[u8]]) -> Finding {
        let world = self.world;
        let newest = versions.last().copied().unwrap_or_default();
        let seen = |newer: Newer| {
            Evidence::Symbols(Symbols::NoVersion {
                object: world.place(object),
                newest: newest.to_vec(),
                older: versions.len().saturating_sub(1),
                library: world.place(provider),
                newer,
            })
        };
        let finding = |newer: Newer, cure: Cure| Finding {
            library: Some(library.to_vec()),
            ..fault(Cause::SymbolVersion, object, seen(newer), cure)
        };
        if let Some(variables) = self.variable_to_blame(object, library, newest) {
            let directory = provider.parent().unwrap_or(provider);
            let cure = taken_out(world, directory, variables.clone());
            return finding(Newer::WithoutVariables(variables), cure);
        }
        if GLIBC.contains(&library) {
            return finding(Newer::OnlyWithGlibc(self.glibc()), self.for_an_older_glibc(object));
        }
        let newer = self.newer_copies(library, provider, versions);
        if let Some(inside) = newer.iter().find(|path| world.contains(self.vfs, path)) {
            let directory = inside.parent().unwrap_or(inside).to_owned();
            let copy = Newer::In(world.place(&directory));
            let found = finding(copy, Cure::fix());
            return Finding { fixable: true, lies_in: vec![directory], ..found };
        }
        if let Some(outside) = newer.first() {
            let directory = outside.parent().unwrap_or(outside).to_owned();
            let copy = Newer::In(Place::on_disk(&directory));
            let found = finding(copy, Cure::Search(Search::MakeWay(world.place(provider))));
            return Finding { lies_in: vec![directory], ..found };
        }
        let cure = match library {
            b"libstdc++.so.6" => Cure::Install(Install::NewerLibstdcxx(packages::gcc_of(newest))),
            _ => match self.world.inventory.at(object) {
                // No package but the wheel contains a library that was renamed for it.
                Some(asking) if is_renamed(library) => {
                    let own = self.world.inventory.distribution_of(asking);
                    own.map_or(Cure::Reinstall(Reinstall::Distribution), Cure::reinstall)
                }
                _ => Cure::Install(Install::NewerLibrary(library.to_vec())),
            },
        };
        finding(Newer::Unknown, cure)
    }

    /// The variable without which the object gets a copy that has the version.
    fn variable_to_blame(&self, object: &Path, library: &[u8], version: &[u8]) -> Option<Blame> {
        let lacks = (object.to_owned(), version.to_vec());
        let misses = (object.to_owned(), library.to_vec());
        let bare = self.bare?;
        let resolves = |seen: &Seen| {
            !seen.versions.contains_key(&lacks) && !seen.missing.contains_key(&misses)
        };
        resolves(bare).then(|| self.variables.to_blame(false, |seen, _| resolves(seen)))
    }

    /// The newest glibc that the programs have.
    fn glibc(&self) -> Option<GlibcVersion> {
        self.programs.iter().filter_map(|program| program.loader.system().version).max()
    }

    /// What was built for a newer glibc: only another build of it helps, since the C library
    /// belongs to the loader.
    fn for_an_older_glibc(&self, object: &Path) -> Cure {
        let inventory = &self.world.inventory;
        let owner = inventory.at(object).and_then(|found| inventory.distribution_of(found));
        Cure::Install(Install::ForOlderGlibc(owner.map(|owner| owner.name.clone())))
    }

    /// Other copies that have the versions and all that the present one has.
    fn newer_copies(&self, library: &[u8], provider: &Path, versions: &[&[u8]]) -> Vec<PathBuf> {
        let Some(present) = summary_of(self.vfs, provider) else { return Vec::new() };
        let mine = self.world.inventory.named(library).map(|copy| copy.path.clone());
        let all = mine.chain(self.libraries.copies(library, Target::of(&present)));
        all.filter(|path| path != provider)
            .filter(|path| {
                summary_of(self.vfs, path).is_some_and(|copy| is_newer(&copy, &present, versions))
            })
            .collect()
    }
}

fn is_newer(copy: &Summary, present: &Summary, versions: &[&[u8]]) -> bool {
    let Some(defined) = &copy.version_definitions else { return false };
    let before = present.version_definitions.iter().flatten();
    Target::of(copy) == Target::of(present)
        && versions.iter().all(|&version| defined.iter().any(|it| it == version))
        && before.into_iter().all(|version| defined.contains(version))
}

/// The key that orders versions: the numbers in the name.
fn numbers(version: &[u8]) -> Vec<u64> {
    let runs = version.split(|byte| !byte.is_ascii_digit());
    runs.filter_map(|run| str::from_utf8(run).ok()?.parse().ok()).collect()
}
