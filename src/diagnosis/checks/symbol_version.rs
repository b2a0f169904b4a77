//! Versions of symbols that a library lacks: which copy serves, which other one has them, and what
//! leads there.

use super::variables::Variables;
use crate::bytes::{printable, shown};
use crate::diagnosis::load_report::Seen;
use crate::elf::Summary;
use crate::findings::finding::fault;
use crate::findings::finding::{Cause, Finding};
use crate::knowledge::packages;
use crate::loader::{Target, VersionProblem};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::inventory::summary_of;
use crate::world::program::Program;
use crate::world::system_libraries::Libraries;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// What glibc consists of, besides libraries that it has no more: they have the versions of one
/// release together, and come from one place (`shlib-versions` of its source).
const GLIBC: &[&[u8]] = &[
    b"libc.so.6",
    b"libm.so.6",
    b"libpthread.so.0",
    b"libdl.so.2",
    b"librt.so.1",
    b"libutil.so.1",
];

/// What is to be known for a judgement.
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
    /// What the loader does without any of them; `None` where none is set.
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
            Some(self.judge(object, library, provider, &versions))
        });
        found.collect()
    }

    fn judge(&self, object: &Path, library: &[u8], provider: &Path, versions: &[&[u8]]) -> Finding {
        let world = self.world;
        let newest = versions.last().copied().unwrap_or_default();
        let more = match versions.len() {
            0 | 1 => String::new(),
            many => format!(" and {} older ones", many - 1),
        };
        let (asker, copy) = (world.shown(object), world.shown(provider));
        let lacks = format!("{asker} needs {}{more}, which {copy} lacks", printable(newest));
        let finding = |message: String, cure: &str| Finding {
            library: Some(library.to_vec()),
            ..fault(Cause::SymbolVersion, object, message, cure)
        };
        if let Some(variable) = self.variable_to_blame(object, library, newest) {
            let directory = shown(provider.parent().unwrap_or(provider));
            let message =
                format!("{lacks}; {variable} leads there, and without it a newer copy serves");
            return finding(message, &format!("take {directory} out of {variable}"));
        }
        if GLIBC.contains(&library) {
            return finding(self.needs_glibc(lacks), &self.for_an_older_glibc(object));
        }
        let newer = self.newer_copies(library, provider, versions);
        if let Some(inside) = newer.iter().find(|path| world.contains(self.vfs, path)) {
            let directory = inside.parent().unwrap_or(inside).to_owned();
            let message = format!("{lacks}; the copy in {} has it", world.shown(&directory));
            return Finding {
                fixable: true,
                lies_in: vec![directory],
                ..finding(message, "tfpatch fix")
            };
        }
        if let Some(outside) = newer.first() {
            let directory = outside.parent().unwrap_or(outside).to_owned();
            let message = format!("{lacks}; the copy in {} has it", shown(&directory));
            let cure = format!("take {copy} out of the way, so that the newer copy is found");
            return Finding { lies_in: vec![directory], ..finding(message, &cure) };
        }
        let cure = if library == b"libstdc++.so.6" {
            let release = packages::gcc_of(newest).map_or_else(
                || "a newer GCC".to_owned(),
                |release| format!("GCC {release} or later"),
            );
            format!(
                "install the libstdc++.so.6 of {release} (conda install -c conda-forge libstdcxx-ng, \
                 or a newer system), or an older release of what needs it"
            )
        } else {
            format!("install a newer {}", printable(library))
        };
        finding(lacks, &cure)
    }

    /// The variable without which the object gets a copy that has the version.
    fn variable_to_blame(&self, object: &Path, library: &[u8], version: &[u8]) -> Option<String> {
        let lacks = (object.to_owned(), version.to_vec());
        let misses = (object.to_owned(), library.to_vec());
        let bare = self.bare?;
        let resolves = |seen: &Seen| {
            !seen.versions.contains_key(&lacks) && !seen.missing.contains_key(&misses)
        };
        resolves(bare).then(|| self.variables.to_blame(" and ", |seen, _| resolves(seen)))
    }

    fn needs_glibc(&self, lacks: String) -> String {
        let versions = self.programs.iter().filter_map(|program| program.loader.system().version);
        match versions.max() {
            Some((major, minor)) => format!("{lacks}; glibc {major}.{minor} is here"),
            None => lacks,
        }
    }

    /// What was built for a newer glibc: nothing but another build of it helps, since the C library
    /// is one with the loader.
    fn for_an_older_glibc(&self, object: &Path) -> String {
        let inventory = &self.world.inventory;
        let owner = inventory.at(object).and_then(|found| inventory.distribution_of(found));
        let Some(owner) = owner else {
            return "take a build for an older glibc, or a newer system".to_owned();
        };
        let name = &owner.name;
        format!(
            "install an older release of {name}, or build it here (pip install --no-binary {name} \
             {name}), or take a system with a newer glibc"
        )
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

/// What orders versions: the numbers in the name.
fn numbers(version: &[u8]) -> Vec<u64> {
    let runs = version.split(|byte| !byte.is_ascii_digit());
    runs.filter_map(|run| str::from_utf8(run).ok()?.parse().ok()).collect()
}
