//! Environments in which no interpreter can be started, so that nothing in them can be judged:
//! those of Windows, and those whose interpreter is missing.

use super::environment::{Environment, Kind};
use super::interpreter::{Program, Version, in_bin, program};
use super::venv::PyvenvCfg;
use super::{is_directory, is_file};
use crate::bytes::shell_word;
use crate::vfs::{FileKind, Vfs};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Why no interpreter of an environment can be started.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {fault}; {cure}")]
pub struct Broken {
    /// The kind of environment, with an adjective.
    what: String,
    fault: Fault,
    /// A command in a clause.
    cure: String,
}

/// The problem with its interpreter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Fault {
    /// It has the layout of Windows.
    #[error("{} is a program for Windows, and {} is missing", .program.display(), .missing.display())]
    Windows {
        /// The interpreter for Windows.
        program: PathBuf,
        /// The one that would run here.
        missing: PathBuf,
    },
    /// A link to a missing file.
    #[error("{} points to a missing file, {}", .link.display(), .wanted.display())]
    Dangling {
        /// The link.
        link: PathBuf,
        /// The end of the links.
        wanted: PathBuf,
    },
    /// A link that leads back to itself.
    #[error("{} is a symlink that points back to itself", .0.display())]
    Loop(PathBuf),
    /// There is no interpreter.
    #[error("{} is missing", .0.display())]
    Missing(PathBuf),
}

impl Broken {
    /// Why no interpreter of an environment can be started; nothing if there is one, or if the
    /// environment needs none. `prefix` is that of the environment, as it is shown.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, environment: &Environment, prefix: &Path) -> Option<Self> {
        let own = &environment.prefix;
        let shown = |path: &Path| match path.strip_prefix(own) {
            Ok(below) => prefix.join(below),
            Err(_) => path.to_owned(),
        };
        let fault = if let Some(program) = for_windows(vfs, own) {
            Fault::Windows { program: shown(&program), missing: prefix.join("bin/python") }
        } else {
            match missing(vfs, environment)? {
                Gone::Dangling { link, wanted } => {
                    Fault::Dangling { link: shown(&link), wanted: shown(&wanted) }
                }
                Gone::Loop(path) => Fault::Loop(shown(&path)),
                Gone::Missing(path) => Fault::Missing(shown(&path)),
            }
        };
        let is_of_windows = matches!(fault, Fault::Windows { .. });
        let what = match environment.kind {
            Kind::Venv => "virtual environment",
            Kind::Conda => "conda environment",
            Kind::System => "Python installation",
        };
        let what =
            if is_of_windows { format!("{what} for Windows") } else { format!("broken {what}") };
        Some(Self { what, fault, cure: cure(vfs, environment, prefix, is_of_windows) })
    }
}

/// The way in which an interpreter is missing.
enum Gone {
    Dangling { link: PathBuf, wanted: PathBuf },
    Loop(PathBuf),
    Missing(PathBuf),
}

/// The interpreter for Windows, if there is no other.
fn for_windows(vfs: &dyn Vfs, prefix: &Path) -> Option<PathBuf> {
    if in_bin(vfs, prefix).next().is_some() {
        return None;
    }
    // venv puts it into `Scripts`, conda and python.org's installer into the prefix.
    let programs = ["Scripts/python.exe", "Scripts/pythonw.exe", "python.exe"];
    let program = programs.iter().map(|name| prefix.join(name)).find(|path| is_file(vfs, path));
    program.or_else(|| {
        // A copy may lack its programs.
        let library = prefix.join("Lib/site-packages");
        let is_theirs = is_directory(vfs, &prefix.join("Scripts"))
            && is_directory(vfs, &library)
            && !is_directory(vfs, &prefix.join("bin"));
        is_theirs.then(|| prefix.join("Scripts/python.exe"))
    })
}

/// The missing interpreter, if there is no other.
fn missing(vfs: &dyn Vfs, environment: &Environment) -> Option<Gone> {
    let prefix = &environment.prefix;
    let listed = environment.interpreters.iter().map(|interpreter| interpreter.path.clone());
    let mut paths: Vec<PathBuf> = in_bin(vfs, prefix).chain(listed).collect();
    if paths.is_empty() && !is_for_python(vfs, environment) {
        return None;
    }
    if environment.kind == Kind::Venv {
        // The name that every virtual environment has; a link, if there is one, says more.
        paths.push(prefix.join("bin/python"));
    }
    if paths.iter().any(|path| !matches!(program(vfs, path), Program::Missing { .. })) {
        return None;
    }
    let is_link =
        |path: &Path| vfs.symlink_metadata(path).is_ok_and(|it| it.kind == FileKind::Symlink);
    let Some(link) = paths.iter().find(|path| is_link(path)) else {
        let by_name = matches!(environment.kind, Kind::Venv | Kind::Conda);
        let first = paths.into_iter().next().filter(|_| !by_name);
        return Some(Gone::Missing(first.unwrap_or_else(|| prefix.join("bin/python"))));
    };
    match program(vfs, link) {
        Program::Missing { wanted } if !is_link(&wanted) => {
            Some(Gone::Dangling { link: link.clone(), wanted })
        }
        _ => Some(Gone::Loop(link.clone())),
    }
}

/// Does an environment without an interpreter contain packages to import? A conda environment may
/// be only for programs of another language.
fn is_for_python(vfs: &dyn Vfs, environment: &Environment) -> bool {
    if environment.kind != Kind::Conda {
        return true;
    }
    // conda keeps a record of each package that it installed, `python-3.11.7-….json` for this one.
    let records = vfs.read_dir(&environment.prefix.join("conda-meta")).unwrap_or_default();
    let is_of_python = |name: &str| {
        let version = name.strip_prefix("python-").filter(|_| name.ends_with(".json"));
        version.is_some_and(|version| Version::parse(version).is_some())
    };
    if records.iter().any(|entry| entry.name.to_str().is_some_and(is_of_python)) {
        return true;
    }
    let library = environment.prefix.join("lib");
    let entries = vfs.read_dir(&library).unwrap_or_default();
    let is_of_a_version = |name: &str| Version::of_name(name).is_some();
    let mut versions =
        entries.iter().filter(|entry| entry.name.to_str().is_some_and(is_of_a_version));
    versions.any(|entry| {
        let library = library.join(&entry.name);
        let packages = vfs.read_dir(&library.join("site-packages")).unwrap_or_default();
        is_file(vfs, &library.join("os.py"))
            || packages.iter().any(|entry| entry.name.as_encoded_bytes().ends_with(b".dist-info"))
    })
}

/// The command that recreates the environment, with the tool that created it.
fn cure(vfs: &dyn Vfs, environment: &Environment, prefix: &Path, is_of_windows: bool) -> String {
    let path = shell_word(prefix.as_os_str().as_bytes());
    let tool = match environment.kind {
        Kind::System => return "reinstall that version of Python".to_owned(),
        Kind::Conda if is_of_windows => format!("conda create --prefix {path} python"),
        Kind::Conda => format!("conda install --prefix {path} --force-reinstall python"),
        Kind::Venv => match PyvenvCfg::of(vfs, &environment.prefix).and_then(|cfg| cfg.made_by) {
            Some(made_by) => format!("{made_by} --clear {path}"),
            None => format!("python3 -m venv --clear {path}"),
        },
    };
    let system = if is_of_windows { " on this system" } else { "" };
    match environment.kind {
        Kind::Conda if !is_of_windows => format!("restore it with `{tool}`"),
        _ => format!("recreate it{system} with `{tool}`, then reinstall its packages"),
    }
}
