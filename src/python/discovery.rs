//! Chooses the environment if none is named.

use super::environment::{Environment, Kind};
use super::interpreter::{Program, program};
use super::{is_directory, is_file, join_lexically, read_start};
use crate::vfs::Vfs;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};

/// What the command line knows about its surroundings. A variable that is set and empty counts as
/// not set, and is `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ambient {
    /// The working directory, absolute.
    pub working_directory: PathBuf,
    /// `VIRTUAL_ENV`: an activated venv.
    pub virtual_env: Option<PathBuf>,
    /// `CONDA_PREFIX`: an activated conda environment.
    pub conda_prefix: Option<PathBuf>,
    /// The directories of `PATH`, in order.
    pub path: Vec<PathBuf>,
    /// `HOME`; not where `PYTHONNOUSERSITE` keeps the interpreter from looking there.
    pub home: Option<PathBuf>,
    /// The directories of `PYTHONPATH`, in order.
    pub python_path: Vec<PathBuf>,
    /// `PYTHONHOME`: a prefix, or two with a colon between.
    pub python_home: Option<PathBuf>,
    /// `CUDA_HOME`.
    pub cuda_home: Option<PathBuf>,
    /// `PYENV_VERSION`, which pyenv's shims obey.
    pub pyenv_version: Option<OsString>,
    /// tfpatch's own program.
    pub own_executable: Option<PathBuf>,
    /// The path by which it was called, links not resolved.
    pub called_as: Option<PathBuf>,
}

/// The chosen environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The environment.
    pub environment: Environment,
    /// Why it was chosen.
    pub reason: Reason,
    /// Interpreters before it on `PATH` that were skipped.
    pub passed_over: Vec<PassedOver>,
}

/// Why an environment was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// It is the one whose `bin/tfpatch` was called.
    OwnCall,
    /// This variable names it.
    Variable(&'static str),
    /// It is the `.venv` of the working directory.
    Here,
    /// It is the `.venv` of a directory above.
    Above,
    /// Its interpreter is the first suitable one on `PATH`.
    OnPath {
        /// The interpreter, or its shim.
        python: PathBuf,
        /// Was it chosen by pyenv's version?
        by_pyenv: bool,
        /// Were others before it skipped?
        is_after_others: bool,
    },
}

/// A `python3` on `PATH` that was skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedOver {
    /// Its path.
    pub path: PathBuf,
    /// Why not.
    pub why: Unfit,
}

/// Why a `python3` on `PATH` is skipped: the text after its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is a dangling link.
    #[error("is a dangling link")]
    Dangling,
    /// The user may not read it.
    #[error("is not readable")]
    Closed,
    /// It is a shim, and no file names its version.
    #[error("is a shim, and the interpreter behind it is unknown")]
    Shim,
    /// It is another script.
    #[error("is a script")]
    Script,
    /// It has no standard library.
    #[error("has no standard library")]
    NoLibrary,
    /// It belongs to the venv in which tfpatch is installed.
    #[error("belongs to the environment of tfpatch")]
    Own,
    /// It belongs to an environment in a cache.
    #[error("is in a cache")]
    InCache,
    /// It belongs to an environment that was created by an installer of tools.
    #[error("belongs to a tool installed by {0}")]
    OfTool(&'static str),
}

impl PassedOver {
    /// Was it skipped because only a tool runs with it?
    #[must_use]
    pub fn is_of_a_tool(&self) -> bool {
        matches!(self.why, Unfit::Own | Unfit::InCache | Unfit::OfTool(_))
    }
}

impl fmt::Display for PassedOver {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.path.display(), self.why)
    }
}

/// Why no environment was found.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A variable names something else.
    #[error(
        "{variable} is {path}, which is not a Python environment; unset it, or name the environment as TARGET",
        path = path.display()
    )]
    NotAnEnvironment {
        /// The variable.
        variable: &'static str,
        /// Its value.
        path: PathBuf,
    },
    /// A directory has the name of an environment, but is not one.
    #[error(
        "{path} is not a virtual environment: pyvenv.cfg is missing; recreate it, or name another \
         environment as TARGET",
        path = path.display()
    )]
    NotAVenv {
        /// The directory.
        path: PathBuf,
    },
    /// Nothing was found.
    #[error(
        "no Python environment found: VIRTUAL_ENV and CONDA_PREFIX are not set, there is no .venv here or in a \
         parent directory, and no usable python3 on PATH{}; name the environment as TARGET",
        listed(.passed_over)
    )]
    NoEnvironment {
        /// Interpreters on `PATH` that were skipped.
        passed_over: Vec<PassedOver>,
    },
}

fn listed(passed_over: &[PassedOver]) -> String {
    let list: Vec<String> = passed_over.iter().map(ToString::to_string).collect();
    if list.is_empty() { String::new() } else { format!(" ({})", list.join("; ")) }
}

/// Finds the environment if none is named: the one whose `bin/tfpatch` is called, unless that is a
/// tool's, else `VIRTUAL_ENV`, else `CONDA_PREFIX`, unless that is conda's base and there is a `.venv`,
/// else `.venv` here or in a directory above, else the first `python3` on `PATH` that is neither
/// tfpatch's own environment nor a tool's.
///
/// # Errors
/// If a variable or `.venv` is something else, or nothing is found.
pub fn discover(vfs: &dyn Vfs, ambient: &Ambient) -> Result<Found, Error> {
    let home = ambient.home.as_deref();
    let here = &ambient.working_directory;
    let found = |environment, reason| Ok(Found { environment, reason, passed_over: Vec::new() });
    if let Some(environment) = of_call(vfs, ambient) {
        return found(environment, Reason::OwnCall);
    }
    let named = |variable, path: &Path| {
        let path = join_lexically(here, path);
        match Environment::at_prefix(vfs, &path, home) {
            Some(environment) => found(environment, Reason::Variable(variable)),
            None => Err(Error::NotAnEnvironment { variable, path }),
        }
    };
    if let Some(path) = &ambient.virtual_env {
        return named("VIRTUAL_ENV", path);
    }
    let conda = ambient.conda_prefix.as_deref();
    if let Some(path) = conda.filter(|path| !is_base_of_conda(vfs, &join_lexically(here, path))) {
        return named("CONDA_PREFIX", path);
    }
    if let Some((environment, reason)) = dot_venv(vfs, here, home)? {
        return found(environment, reason);
    }
    match conda {
        Some(path) => named("CONDA_PREFIX", path),
        None => on_path(vfs, ambient),
    }
}

/// The virtual or conda environment whose `bin/tfpatch` is called, unless it is a tool's. An installation
/// of Python shares its `bin` with programs of all kinds.
fn of_call(vfs: &dyn Vfs, ambient: &Ambient) -> Option<Environment> {
    let bin = ambient.called_as.as_deref()?.parent().filter(|bin| bin.ends_with("bin"))?;
    let environment = Environment::at_prefix(vfs, bin.parent()?, ambient.home.as_deref())?;
    let is_users = environment.kind != Kind::System && tool(vfs, &environment).is_none();
    is_users.then_some(environment)
}

/// Is it conda's own environment, which its installer activates in each shell? It has `condabin`.
fn is_base_of_conda(vfs: &dyn Vfs, prefix: &Path) -> bool {
    is_directory(vfs, &prefix.join("condabin")) && is_directory(vfs, &prefix.join("conda-meta"))
}

/// The `.venv` here or in a directory above, and where it is.
///
/// # Errors
/// If one is not an environment: another one would not be the intended one.
fn dot_venv(
    vfs: &dyn Vfs,
    here: &Path,
    home: Option<&Path>,
) -> Result<Option<(Environment, Reason)>, Error> {
    for directory in here.ancestors() {
        let prefix = directory.join(".venv");
        if let Some(environment) = Environment::at_prefix(vfs, &prefix, home) {
            let is_here = directory == here;
            let reason = if is_here { Reason::Here } else { Reason::Above };
            return Ok(Some((environment, reason)));
        }
        if is_directory(vfs, &prefix) {
            return Err(Error::NotAVenv { path: prefix });
        }
    }
    Ok(None)
}

/// The environment of the first `python3` on `PATH` that is neither tfpatch's own environment's nor
/// a tool's.
///
/// # Errors
/// If there is none.
pub fn on_path(vfs: &dyn Vfs, ambient: &Ambient) -> Result<Found, Error> {
    let mut passed_over = Vec::new();
    for directory in &ambient.path {
        let path = join_lexically(&ambient.working_directory, directory).join("python3");
        match candidate(vfs, ambient, &path) {
            Candidate::Absent => {}
            Candidate::PassedOver(why) => passed_over.push(PassedOver { path, why }),
            Candidate::Taken(environment, by_pyenv) => {
                let is_after_others = !passed_over.is_empty();
                let reason = Reason::OnPath { python: path, by_pyenv, is_after_others };
                return Ok(Found { environment: *environment, reason, passed_over });
            }
        }
    }
    Err(Error::NoEnvironment { passed_over })
}

enum Candidate {
    Absent,
    PassedOver(Unfit),
    /// The environment, and whether pyenv's choice of a version led there.
    Taken(Box<Environment>, bool),
}

fn candidate(vfs: &dyn Vfs, ambient: &Ambient, path: &Path) -> Candidate {
    let (path, by_pyenv) = match program(vfs, path) {
        Program::Found(_) => (path.to_owned(), false),
        Program::Missing { wanted } if wanted == path => return Candidate::Absent,
        Program::Missing { .. } => return Candidate::PassedOver(Unfit::Dangling),
        Program::Closed { .. } => return Candidate::PassedOver(Unfit::Closed),
        Program::Other(_) => match behind_shim(vfs, ambient, path) {
            Some(path) => (path, true),
            None if is_shim(path) => {
                return Candidate::PassedOver(Unfit::Shim);
            }
            None => return Candidate::PassedOver(Unfit::Script),
        },
    };
    let Some(environment) = Environment::of_interpreter(vfs, &path, ambient.home.as_deref()) else {
        return Candidate::PassedOver(Unfit::NoLibrary);
    };
    if let Some(why) = tool(vfs, &environment) {
        return Candidate::PassedOver(why);
    }
    if is_own(vfs, &environment, ambient.own_executable.as_deref()) {
        return Candidate::PassedOver(Unfit::Own);
    }
    Candidate::Taken(Box::new(environment), by_pyenv)
}

/// Is it the venv in which tfpatch itself is installed? An installation of Python that has tfpatch
/// among its packages, as a container image may, is the user's all the same.
fn is_own(vfs: &dyn Vfs, environment: &Environment, own: Option<&Path>) -> bool {
    let resolved = |path: &Path| vfs.canonicalize(path).unwrap_or_else(|_| path.to_owned());
    environment.kind == Kind::Venv
        && own.is_some_and(|own| {
            own.starts_with(&environment.prefix)
                || resolved(own).starts_with(resolved(&environment.prefix))
        })
}

/// Why the environment belongs to a tool and not to the user, if it does.
fn tool(vfs: &dyn Vfs, environment: &Environment) -> Option<Unfit> {
    if environment.kind != Kind::Venv {
        return None;
    }
    let prefix = vfs.canonicalize(&environment.prefix).ok()?;
    // uv and pipx put a file into the environments of their tools, wherever these are.
    if is_file(vfs, &prefix.join("uv-receipt.toml")) {
        return Some(Unfit::OfTool("uv"));
    }
    if is_file(vfs, &prefix.join("pipx_metadata.json")) {
        return Some(Unfit::OfTool("pipx"));
    }
    // `uv venv` puts a CACHEDIR.TAG into every environment: only one above it means a cache.
    let above = || prefix.ancestors().skip(1);
    if above().any(|directory| directory.ends_with("uv/tools")) {
        return Some(Unfit::OfTool("uv"));
    }
    if above().any(|directory| directory.ends_with("pipx/venvs")) {
        return Some(Unfit::OfTool("pipx"));
    }
    let is_bucket = |directory: &Path| {
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        ["archive-v", "builds-v", "environments-v"].iter().any(|bucket| {
            name.strip_prefix(bucket)
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_digit()))
        })
    };
    let is_tagged = |directory: &Path| {
        // The Cache Directory Tagging Specification.
        read_start(vfs, &directory.join("CACHEDIR.TAG"), 43)
            .is_ok_and(|tag| tag == b"Signature: 8a477f597d28d172789f06886806bc55")
    };
    above().any(|directory| is_bucket(directory) || is_tagged(directory)).then_some(Unfit::InCache)
}

/// Is it one of pyenv's or asdf's shims, scripts that choose an interpreter when they run?
fn is_shim(path: &Path) -> bool {
    path.parent().is_some_and(|directory| directory.ends_with("shims"))
}

/// The interpreter of a pyenv shim, if pyenv's own files name it exactly: `PYENV_VERSION`, else
/// `.python-version` here or above, else `version` of pyenv's root.
fn behind_shim(vfs: &dyn Vfs, ambient: &Ambient, path: &Path) -> Option<PathBuf> {
    let root = path.parent().filter(|_| is_shim(path))?.parent()?;
    let read = |path: PathBuf| read_start(vfs, &path, 4096).ok();
    let chosen = ambient
        .pyenv_version
        .clone()
        .map(OsString::into_vec)
        .or_else(|| {
            let above = ambient.working_directory.ancestors();
            above.into_iter().find_map(|above| read(above.join(".python-version")))
        })
        .or_else(|| read(root.join("version")))?;
    chosen
        .split(|&byte| byte == b'\n')
        .map(|line| line.split(|&byte| byte == b'#').next().unwrap_or_default())
        .flat_map(|line| line.split(|byte| b": \t\r".contains(byte)))
        .filter(|name| !name.is_empty() && !name.contains(&b'/') && *name != b"..")
        .map(|name| {
            let version = root.join("versions").join(std::ffi::OsStr::from_bytes(name));
            version.join("bin/python3")
        })
        .find(|path| matches!(program(vfs, path), Program::Found(_)))
}
