//! The libraries of the system around a target: where the loader searches, and where CUDA and other
//! software is usually installed that it does not search.

use super::inventory::summary_of;
use super::program::Program;
use super::{Question, World};
use crate::loader::glibc::ld_so_conf;
use crate::loader::{Libc, Target};
use crate::python::venv::PyvenvCfg;
use crate::vfs::{FileKind, Vfs};
use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Where NVIDIA's installers (CUDA Installation Guide for Linux), Arch Linux (`/opt/cuda`) and
/// vendors (FHS 3.0, `/opt`) install their files: each directory in these.
const PARENTS: &[&str] = &["/usr/local", "/opt"];
/// The directories of libraries below one of those.
const LIBRARIES: &[&str] = &["lib64", "lib", "targets/x86_64-linux/lib", "targets/sbsa-linux/lib"];

/// Where pyenv and uv install interpreters, below the home of a user (pyenv's README; uv's documentation,
/// "Storage").
const PYTHONS: &[&str] = &[".pyenv/versions", ".local/share/uv/python"];

/// The libraries outside a target, listed when they are first needed.
pub struct Libraries<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    question: &'a Question,
    programs: &'a [Program<'a>],
    listed: OnceCell<BTreeMap<Vec<u8>, Vec<PathBuf>>>,
}

impl<'a> Libraries<'a> {
    /// The libraries of the system of the target's programs.
    #[must_use]
    pub fn new(
        vfs: &'a dyn Vfs,
        world: &'a World,
        question: &'a Question,
        programs: &'a [Program<'a>],
    ) -> Self {
        Self { vfs, world, question, programs, listed: OnceCell::new() }
    }

    /// The copies of a library for a machine that a program of the target can load, the most likely
    /// first.
    #[must_use]
    pub fn copies(&self, name: &[u8], machine: Target) -> Vec<PathBuf> {
        let paths = self.listed().get(name).map(Vec::as_slice).unwrap_or_default();
        let listed = paths.iter().filter(|path| self.fits(path, machine)).cloned();
        let of_python = self.of_python(name).into_iter().filter(|path| self.fits(path, machine));
        listed.chain(of_python).collect()
    }

    /// A library for a machine by its own soname, under another file name.
    #[must_use]
    pub fn by_soname(&self, soname: &[u8], machine: Target) -> Option<PathBuf> {
        // A link drops a part of the version at the end.
        let longer = [soname, b"."].concat();
        let is_it = |path: &&PathBuf| {
            summary_of(self.vfs, path).is_some_and(|it| {
                it.soname.as_deref() == Some(soname) && Target::of(&it) == machine
            })
        };
        self.beginning_with(&longer).find(is_it).cloned()
    }

    /// A library for a machine whose name has this beginning.
    #[must_use]
    pub fn versioned(&self, start: &[u8], machine: Target) -> Option<PathBuf> {
        self.beginning_with(start).find(|path| self.fits(path, machine)).cloned()
    }

    /// A library of that name up to `.so` for a machine, in another version.
    #[must_use]
    pub fn other_version(&self, name: &[u8], machine: Target) -> Option<PathBuf> {
        let end = name.windows(4).position(|part| part == b".so.")?;
        let mut others = self
            .beginning_with(name.get(..end + 4)?)
            .filter(|path| path.file_name().is_some_and(|other| other.as_bytes() != name));
        others.find(|path| self.fits(path, machine)).cloned()
    }

    /// Does ldconfig include a directory in its cache?
    #[must_use]
    pub fn are_ldconfigs(&self, directory: &Path) -> bool {
        let Ok(real) = self.vfs.canonicalize(directory) else { return false };
        self.of_ldconfig()
            .iter()
            .any(|known| self.vfs.canonicalize(known).is_ok_and(|it| it == real))
    }

    fn beginning_with(&self, start: &[u8]) -> impl Iterator<Item = &PathBuf> {
        let from = self.listed().range(start.to_vec()..);
        let start = start.to_vec();
        from.take_while(move |(name, _)| name.starts_with(&start)).flat_map(|(_, paths)| paths)
    }

    /// Is it for that machine, and for one of a program of the target?
    fn fits(&self, path: &Path, machine: Target) -> bool {
        summary_of(self.vfs, path).is_some_and(|it| Target::of(&it) == machine)
            && self.programs.iter().any(|program| program.loader.system().target == machine)
    }

    /// Python's own library, which is beside an interpreter of its version: the base of a virtual
    /// environment, or one that pyenv or uv has installed for the user.
    fn of_python(&self, name: &[u8]) -> Vec<PathBuf> {
        if !name.starts_with(b"libpython") {
            return Vec::new();
        }
        let environments = self.world.environment.iter();
        let base = environments.clone().filter_map(|it| PyvenvCfg::of(self.vfs, &it.prefix)?.home);
        let programs = environments.flat_map(|it| &it.interpreters);
        let programs = programs.filter_map(|it| Some(it.main_program()?.parent()?.to_owned()));
        let mut prefixes: Vec<PathBuf> =
            base.chain(programs).filter_map(|bin| Some(bin.parent()?.to_owned())).collect();
        if let Some(home) = &self.question.surroundings.home {
            for versions in PYTHONS.iter().map(|versions| home.join(versions)) {
                let entries = self.vfs.read_dir(&versions).unwrap_or_default();
                prefixes.extend(entries.into_iter().map(|entry| versions.join(entry.name)));
            }
        }
        let files = prefixes.iter().map(|prefix| prefix.join("lib").join(OsStr::from_bytes(name)));
        let mut found: Vec<PathBuf> = Vec::new();
        for file in files.filter(|file| self.vfs.metadata(file).is_ok()) {
            if !found.contains(&file) {
                found.push(file);
            }
        }
        found
    }

    fn of_ldconfig(&self) -> Vec<PathBuf> {
        let is_glibc = |program: &Program<'_>| program.loader.system().libc == Libc::Glibc;
        match self.programs.iter().any(is_glibc) {
            true => ld_so_conf::directories(self.vfs),
            false => Vec::new(),
        }
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
        found.extend(self.of_ldconfig());
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
