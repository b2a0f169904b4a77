//! The libraries of the system around a target: where the loader would look, and where CUDA and other
//! things are usually put that it does not know of.

use super::inventory::summary_of;
use super::program::Program;
use super::{Question, World};
use crate::loader::Target;
use crate::vfs::{FileKind, Vfs};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where NVIDIA's installers (CUDA Installation Guide for Linux), Arch Linux (`/opt/cuda`) and
/// vendors (FHS 3.0, `/opt`) put what they bring: each directory in these.
const PARENTS: &[&str] = &["/usr/local", "/opt"];
/// The directories of libraries below one of those.
const LIBRARIES: &[&str] = &["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"];

/// The libraries outside of a target, listed when they are asked for first.
pub struct Libraries<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    question: &'a Question,
    programs: &'a [Program<'a>],
    listed: OnceCell<BTreeMap<Vec<u8>, Vec<PathBuf>>>,
}

impl<'a> Libraries<'a> {
    /// What the system of the target's programs has.
    #[must_use]
    pub fn new(
        vfs: &'a dyn Vfs,
        world: &'a World,
        question: &'a Question,
        programs: &'a [Program<'a>],
    ) -> Self {
        Self { vfs, world, question, programs, listed: OnceCell::new() }
    }

    /// The copies of a library that a program of the target can load, in the order in which one
    /// would look for them.
    #[must_use]
    pub fn copies(&self, name: &[u8]) -> Vec<PathBuf> {
        let paths = self.listed().get(name).map(Vec::as_slice).unwrap_or_default();
        paths.iter().filter(|path| self.fits(path)).cloned().collect()
    }

    /// A library of that name up to `.so`, in another version.
    #[must_use]
    pub fn other_version(&self, name: &[u8]) -> Option<PathBuf> {
        let end = name.windows(4).position(|part| part == b".so.")?;
        let stem = name.get(..end + 4)?;
        let from = self.listed().range(stem.to_vec()..);
        from.take_while(|(other, _)| other.starts_with(stem))
            .filter(|(other, _)| other.as_slice() != name)
            .flat_map(|(_, paths)| paths)
            .find(|path| self.fits(path))
            .cloned()
    }

    /// Is it for the machine of a program of the target?
    fn fits(&self, path: &Path) -> bool {
        let Some(target) = summary_of(self.vfs, path).as_ref().map(Target::of) else {
            return false;
        };
        self.programs.iter().any(|program| program.loader.system().target == target)
    }

    fn listed(&self) -> &BTreeMap<Vec<u8>, Vec<PathBuf>> {
        self.listed.get_or_init(|| {
            let mut listed: BTreeMap<Vec<u8>, Vec<PathBuf>> = BTreeMap::new();
            for directory in self.directories() {
                for entry in self.vfs.read_dir(&directory).unwrap_or_default() {
                    let name = entry.name.as_bytes();
                    if name.windows(3).any(|part| part == b".so") {
                        let path = directory.join(&entry.name);
                        listed.entry(name.to_vec()).or_default().push(path);
                    }
                }
            }
            listed
        })
    }

    fn directories(&self) -> Vec<PathBuf> {
        let surroundings = &self.question.surroundings;
        let mut found = Vec::new();
        let named = self.world.settings.library_path.as_deref().unwrap_or_default();
        let named = named.split(|byte| b":;".contains(byte)).filter(|it| it.starts_with(b"/"));
        found.extend(named.map(|it| PathBuf::from(OsStr::from_bytes(it))));
        for program in self.programs {
            let system = program.loader.system();
            let cached = system
                .cache
                .paths()
                .filter_map(|path| Path::new(OsStr::from_bytes(path)).parent().map(Path::to_owned));
            found.extend(cached);
            let built_in = system.default_dirs.iter();
            found.extend(built_in.map(|directory| PathBuf::from(OsStr::from_bytes(directory))));
        }
        let prefixes = [&surroundings.cuda_home, &surroundings.conda_prefix];
        let prefixes = prefixes.into_iter().flatten().cloned();
        for prefix in prefixes.chain(self.usual_prefixes()) {
            found.extend(LIBRARIES.iter().map(|library| prefix.join(library)));
        }
        let mut known = std::collections::HashSet::new();
        found.retain(|directory| {
            let real = self.vfs.canonicalize(directory);
            real.is_ok_and(|real| known.insert(real)) && !self.world.reaches(self.vfs, directory)
        });
        found
    }

    fn usual_prefixes(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        for parent in PARENTS.iter().map(Path::new) {
            for entry in self.vfs.read_dir(parent).unwrap_or_default() {
                if matches!(entry.kind, FileKind::Directory | FileKind::Symlink) {
                    found.push(parent.join(entry.name));
                }
            }
        }
        found
    }
}
