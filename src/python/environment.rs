//! An environment: its interpreters, and the directories from which they import.
//!
//! The rules are CPython's `Modules/getpath.py` and `Lib/site.py`, PEP 405 for `pyvenv.cfg`, and
//! Debian's patch of `site.py` for `dist-packages`.

use super::interpreter::{Interpreter, Version, in_bin, version_in, version_of_path};
use super::pth::{self, Mapped};
use super::venv::{self, PyvenvCfg};
use super::{TooLong, is_directory, is_file};
use crate::vfs::Vfs;
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// The kind of an environment, which determines its layout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A virtual environment of PEP 405: it has a `pyvenv.cfg`.
    Venv,
    /// A conda environment, the base one included: it has `conda-meta`.
    Conda,
    /// An installation of Python: the system's, pyenv's, uv's, a container image's.
    System,
}

/// The owner of a directory of packages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The environment.
    Own,
    /// The user: the user site, which every environment except an isolated venv imports from.
    User,
    /// The installation that a venv with `include-system-site-packages` imports from.
    Base,
}

/// A directory of packages on an interpreter's `sys.path`, into which installers install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Site {
    /// The `site-packages` or `dist-packages` directory, which exists.
    pub path: PathBuf,
    /// Its owner.
    pub scope: Scope,
    /// The version of the interpreter that imports from it. A directory that several import from,
    /// as Debian's `/usr/lib/python3/dist-packages`, is listed with the first.
    pub version: Version,
}

/// A Python environment, as its files describe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Environment {
    /// `sys.prefix`.
    pub prefix: PathBuf,
    /// How it is laid out.
    pub kind: Kind,
    /// An interpreter for each version in the tree, a venv's own first. Its program is
    /// [`Program::Missing`](super::interpreter::Program::Missing) where the environment is broken.
    pub interpreters: Vec<Interpreter>,
    /// The directories of packages that they import from, in the order of `sys.path`, none twice
    /// by another name.
    pub site_packages: Vec<Site>,
    /// Directories that `.pth` files name, of editable installs for instance, and those of `PYTHONPATH`:
    /// what is imported from them is judged, and never edited.
    pub python_paths: Vec<PathBuf>,
    /// How many of these are from `PYTHONPATH`: they come first.
    pub of_python_path: usize,
    /// Packages of editable installations that are imported from directories on no search path: they are
    /// judged, and never edited.
    pub mapped: Vec<Mapped>,
    /// Zip archives that `.pth` files name, which are not read.
    pub archives: Vec<PathBuf>,
    /// `.pth` files that run code: what it adds to `sys.path` is not known.
    pub pth_with_code: Vec<PathBuf>,
    /// Does code of a `.pth` file refer to `sys.path`, so that the order of the directories that these name is not
    /// known?
    pub reorders: bool,
    /// `.pth` files that are too long to be read.
    pub pth_too_long: Vec<(PathBuf, TooLong)>,
}

impl Environment {
    /// The environment whose prefix is `prefix`, or `None` for other directories. An environment is
    /// a directory with a `pyvenv.cfg`, with `conda-meta`, or with `bin/python` and Python's
    /// library. `home` is the user's home directory, for the user site.
    #[must_use]
    pub fn at_prefix(vfs: &dyn Vfs, prefix: &Path, home: Option<&Path>) -> Option<Self> {
        let cfg = PyvenvCfg::of(vfs, prefix);
        let kind = if cfg.is_some() {
            Kind::Venv
        } else if is_directory(vfs, &prefix.join("conda-meta")) {
            Kind::Conda
        } else {
            Kind::System
        };
        if kind == Kind::System && !has_own_bin(vfs, prefix) {
            return None;
        }
        let versions = match &cfg {
            Some(cfg) => venv_versions(vfs, prefix, cfg),
            None => installed_versions(vfs, prefix),
        };
        if kind == Kind::System && versions.is_empty() {
            return None;
        }
        let mut environment = Self {
            prefix: prefix.to_owned(),
            kind,
            interpreters: Vec::new(),
            site_packages: Vec::new(),
            python_paths: Vec::new(),
            of_python_path: 0,
            mapped: Vec::new(),
            archives: Vec::new(),
            pth_with_code: Vec::new(),
            reorders: false,
            pth_too_long: Vec::new(),
        };
        for &version in &versions {
            // A program whose name has no version is the venv's own, or the only one.
            let is_main = match kind {
                Kind::Venv => versions.first() == Some(&version),
                Kind::Conda | Kind::System => versions.len() == 1,
            };
            let path = interpreter_path(vfs, prefix, version, is_main);
            environment.interpreters.push(Interpreter::new(vfs, path, version));
            environment.add_sites(vfs, version, cfg.as_ref(), home);
        }
        environment.add_pth(vfs);
        Some(environment)
    }

    /// The environment to which an interpreter belongs, by its path as it would be called:
    /// `PREFIX/bin/python` is that of a venv although it is a link to the base interpreter.
    #[must_use]
    pub fn of_interpreter(vfs: &dyn Vfs, path: &Path, home: Option<&Path>) -> Option<Self> {
        // getpath.py looks for pyvenv.cfg above the program as it was called, and for the rest
        // above the program that the links lead to.
        if let Some(prefix) = path.parent().and_then(Path::parent)
            && is_file(vfs, &prefix.join("pyvenv.cfg"))
        {
            return Self::at_prefix(vfs, prefix, home);
        }
        let program = vfs.canonicalize(path).ok()?;
        Self::at_prefix(vfs, program.parent()?.parent()?, home)
    }

    /// Is `site`, by any name, in the list of directories?
    #[must_use]
    pub fn imports_from(&self, vfs: &dyn Vfs, site: &Path) -> bool {
        self.site_packages.iter().any(|known| same_file(vfs, &known.path, site))
    }

    /// Adds the directories that `PYTHONPATH` names, relative to the working directory `here`: they come
    /// before all others on `sys.path`. If they are for another Python, the fault is in the variable, and
    /// not in the files there.
    pub fn add_python_path(&mut self, vfs: &dyn Vfs, here: &Path, path: &[PathBuf]) {
        let new = venv::directories(vfs, here, path).into_iter();
        let new: Vec<PathBuf> = new
            .filter(|directory| !self.imports_from(vfs, directory))
            .filter(|directory| !self.python_paths.contains(directory))
            .filter(|directory| {
                let is_this = |named: (u8, u8)| {
                    let mut versions = self.interpreters.iter().map(|it| it.version);
                    versions.any(|version| (version.major, version.minor) == named)
                };
                version_in(directory).is_none_or(is_this)
            })
            .collect();
        self.of_python_path += new.len();
        self.python_paths.splice(0..0, new);
    }

    /// The directories that modules are imported from, as far as files show, in the order of `sys.path`.
    /// Those of mapped packages come last, as their finders do.
    pub fn import_path(&self) -> impl Iterator<Item = &Path> {
        let (first, last) =
            self.python_paths.split_at_checked(self.of_python_path).unwrap_or_default();
        let own = self.site_packages.iter().map(|site| &site.path);
        let mapped = self.mapped.iter().map(|package| &package.root);
        first.iter().chain(own).chain(last).chain(mapped).map(PathBuf::as_path)
    }

    fn add_sites(
        &mut self,
        vfs: &dyn Vfs,
        version: Version,
        cfg: Option<&PyvenvCfg>,
        home: Option<&Path>,
    ) {
        // site.py: a venv's own directories come first, then the user's, then an installation's.
        let own = site_directories(vfs, &self.prefix, self.kind, version);
        let mut sites: Vec<_> = own.into_iter().map(|path| (path, Scope::Own)).collect();
        if cfg.is_none_or(|cfg| cfg.system_site_packages)
            && let Some(home) = home
        {
            let user = home.join(format!(".local/lib/python{version}/site-packages"));
            sites.insert(if cfg.is_some() { sites.len() } else { 0 }, (user, Scope::User));
        }
        if let Some(cfg) = cfg
            && cfg.system_site_packages
            && let Some(bin) = &cfg.home
            && let Ok(bin) = vfs.canonicalize(bin)
            && let Some(base) = bin.parent()
        {
            let of_base = site_directories(vfs, base, Kind::System, version);
            sites.extend(of_base.into_iter().map(|path| (path, Scope::Base)));
        }
        for (path, scope) in sites {
            if is_directory(vfs, &path) && !self.imports_from(vfs, &path) {
                self.site_packages.push(Site { path, scope, version });
            }
        }
    }

    fn add_pth(&mut self, vfs: &dyn Vfs) {
        let mut known: HashSet<PathBuf> =
            self.site_packages.iter().map(|site| site.path.clone()).collect();
        for site in &self.site_packages {
            let found = pth::read(vfs, &site.path);
            let new = found.directories.into_iter();
            self.python_paths.extend(new.filter(|directory| known.insert(directory.clone())));
            self.mapped.extend(found.mapped);
            self.archives.extend(found.archives);
            self.pth_with_code.extend(found.with_code);
            self.reorders |= found.reorders;
            self.pth_too_long.extend(found.too_long);
        }
    }
}

/// Are these two paths of one file or directory?
#[must_use]
pub fn same_file(vfs: &dyn Vfs, one: &Path, other: &Path) -> bool {
    one == other
        || match (vfs.canonicalize(one), vfs.canonicalize(other)) {
            (Ok(one), Ok(other)) => one == other,
            _ => false,
        }
}

/// Is `bin` the prefix's own? If `/bin` is a link to `/usr/bin`, the root is not a prefix.
fn has_own_bin(vfs: &dyn Vfs, prefix: &Path) -> bool {
    let bin = vfs.canonicalize(&prefix.join("bin"));
    let prefix = vfs.canonicalize(prefix);
    bin.is_ok_and(|bin| prefix.is_ok_and(|prefix| bin.parent() == Some(&prefix)))
}

/// The versions for which there is a directory `lib/pythonX.Y`, ascending.
fn library_versions(vfs: &dyn Vfs, prefix: &Path) -> Vec<Version> {
    let mut versions = Vec::new();
    for library in ["lib", "lib64"] {
        let entries = vfs.read_dir(&prefix.join(library)).unwrap_or_default();
        let names = entries.iter().filter_map(|entry| entry.name.to_str());
        versions.extend(names.filter_map(Version::of_name));
    }
    versions.sort_unstable();
    versions.dedup();
    versions
}

/// The versions of a venv: that of its configuration first, then those for which it has packages.
fn venv_versions(vfs: &dyn Vfs, prefix: &Path, cfg: &PyvenvCfg) -> Vec<Version> {
    let mut versions = library_versions(vfs, prefix);
    versions.retain(|version| {
        ["lib", "lib64"].iter().any(|library| {
            is_directory(vfs, &prefix.join(format!("{library}/python{version}/site-packages")))
        })
    });
    let configured = cfg.version.or_else(|| version_of_path(vfs, &prefix.join("bin/python")));
    // pyvenv.cfg does not show a free-threaded build; the directory does.
    let main = configured.and_then(|main| {
        let same = |version: &&Version| (version.major, version.minor) == (main.major, main.minor);
        let known = versions.iter().find(|&version| *version == main);
        known.or_else(|| versions.iter().find(same)).copied().or(Some(main))
    });
    if let Some(main) = main {
        versions.retain(|&version| version != main);
        versions.insert(0, main);
    }
    versions
}

/// The versions of an installation: those with a library (getpath.py's landmark is `os.py`) and a
/// program.
fn installed_versions(vfs: &dyn Vfs, prefix: &Path) -> Vec<Version> {
    let mut versions = library_versions(vfs, prefix);
    versions.retain(|version| {
        let library = ["lib", "lib64"]
            .iter()
            .any(|library| is_file(vfs, &prefix.join(format!("{library}/python{version}/os.py"))));
        library && names_in_bin(vfs, prefix).any(|(_, of)| of.is_none_or(|of| of == *version))
    });
    versions
}

/// The interpreters' paths in `bin`, by the order of their names, with the version of each if its
/// name or its link shows it.
fn names_in_bin<'a>(
    vfs: &'a dyn Vfs,
    prefix: &Path,
) -> impl Iterator<Item = (PathBuf, Option<Version>)> + 'a {
    in_bin(vfs, prefix).map(|path| {
        let version = version_of_path(vfs, &path);
        (path, version)
    })
}

/// The path of the interpreter of a version: the first of `python`, `python3` and `python3.11`,
/// which sort in this order, that has the version. `is_main`: a program of unknown version counts
/// too.
fn interpreter_path(vfs: &dyn Vfs, prefix: &Path, version: Version, is_main: bool) -> PathBuf {
    names_in_bin(vfs, prefix)
        .find(|(_, of)| of.map_or(is_main, |of| of == version))
        .map_or_else(|| prefix.join(format!("bin/python{version}")), |(path, _)| path)
}

/// The directories of packages of a prefix, in the order of `sys.path`, whether they exist or not.
fn site_directories(vfs: &dyn Vfs, prefix: &Path, kind: Kind, version: Version) -> Vec<PathBuf> {
    let join = |relative: String| prefix.join(relative);
    let debian =
        kind == Kind::System && is_directory(vfs, &prefix.join("lib/python3/dist-packages"));
    if debian {
        return vec![
            join(format!("local/lib/python{version}/dist-packages")),
            join("lib/python3/dist-packages".to_owned()),
            join(format!("lib/python{version}/dist-packages")),
        ];
    }
    let mut directories = Vec::new();
    // Fedora's Python also imports what pip installs below /usr/local.
    if kind == Kind::System && prefix == Path::new("/usr") {
        directories.push(join(format!("local/lib64/python{version}/site-packages")));
        directories.push(join(format!("local/lib/python{version}/site-packages")));
    }
    let (lib, lib64) = (prefix.join("lib"), prefix.join("lib64"));
    // Where lib64 is a link to lib, as in a venv, the plain name is the usual one.
    let libraries = if same_file(vfs, &lib, &lib64) { vec![lib] } else { vec![lib64, lib] };
    directories.extend(
        libraries.into_iter().map(|library| library.join(format!("python{version}/site-packages"))),
    );
    directories
}
