//! Is the examined environment the one that runs, and is it where it was created?
//!
//! The rules are those of CPython's `Modules/getpath.py` and `Lib/site.py`, and of the scripts that
//! venv, virtualenv, uv and pip write.

use crate::elf::Image;
use crate::findings::cure::{Cure, Search, Setup};
use crate::findings::evidence::Evidence;
use crate::findings::evidence::interpreter::{Interpreter as Seen, NoStart};
use crate::findings::evidence::variable::Shadowing;
use crate::findings::finding::{Cause, Finding, fault};
use crate::macho::fat;
use crate::python::discovery;
use crate::python::distribution::Distribution;
use crate::python::environment::{Environment, Kind, Scope, same_file};
use crate::python::interpreter::{self, Interpreter, Program, Version};
use crate::python::venv::{self, PyvenvCfg, Script};
use crate::vfs::{FileKind, Vfs};
use crate::world::{Question, World};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Debian's interpreter, one file with all of Python in it, has seven megabytes.
const MAX_PROGRAM_BYTES: u64 = 1 << 28;
/// Linux's `PATH_MAX`.
const MAX_PREFIX_BYTES: usize = 4096;

/// What is wrong with the interpreters of the target, and with the environment around them. `started`
/// is what is loaded before they run.
#[must_use]
pub fn findings(
    vfs: &dyn Vfs,
    world: &World,
    question: &Question,
    started: &HashSet<PathBuf>,
) -> Vec<Finding> {
    let Some(environment) = &world.environment else {
        return without_configuration(vfs, world).into_iter().collect();
    };
    let own = Own { vfs, world, question, environment, started };
    let mut found = own.broken();
    if found.is_empty() {
        found.extend(own.home_gone());
        found.extend(own.moved());
    }
    found.extend(own.never_start());
    found.extend(own.inactive());
    found.extend(own.behind_the_user_site());
    found
}

/// A directory that was a virtual environment: its interpreter is a link to that of an installation, and nothing
/// but `pyvenv.cfg` would make it import the packages here (`Modules/getpath.py`).
fn without_configuration(vfs: &dyn Vfs, world: &World) -> Option<Finding> {
    let root = &world.root;
    let is_whole = world.named.is_empty() && world.part.is_none();
    if !is_whole || vfs.symlink_metadata(&root.join("pyvenv.cfg")).is_ok() {
        return None;
    }
    let interpreters = interpreter::in_bin(vfs, root);
    let mut linked = interpreters.filter_map(|path| {
        let Program::Found(program) = interpreter::program(vfs, &path) else { return None };
        let version = interpreter::version_of_path(vfs, &path)?;
        let library = root.join(format!("lib/python{}.{}", version.major, version.minor));
        let site = library.join("site-packages");
        let is_lost = vfs.metadata(&site).is_ok()
            && !venv::holds_library(vfs, root, version)
            && !program.starts_with(vfs.canonicalize(root).ok()?);
        is_lost.then_some((path, program, site))
    });
    let (path, program, site) = linked.next()?;
    let lost = Seen::NoConfiguration { program, site: world.place(&site) };
    Some(Finding { is_fatal: true, ..wrong(&path, lost, Cure::Setup(Setup::Remake)) })
}

/// The interpreters that the target promises: users start them, so everything that they need must
/// exist. One for each file.
#[must_use]
pub(crate) fn to_start(vfs: &dyn Vfs, world: &World) -> Vec<PathBuf> {
    let Some(environment) = &world.environment else { return Vec::new() };
    let mut starting: Vec<(PathBuf, PathBuf)> = Vec::new();
    for path in promised(vfs, environment) {
        if let Program::Found(program) = interpreter::program(vfs, &path)
            && !starting.iter().any(|(_, other)| *other == program)
        {
            starting.push((path, program));
        }
    }
    starting.into_iter().map(|(path, _)| path).collect()
}

/// The paths of the interpreters that an environment promises: those that it runs with, and whatever
/// else is called one in a `bin` of its own. That of an installation may be a whole system's.
fn promised(vfs: &dyn Vfs, environment: &Environment) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        environment.interpreters.iter().map(|interpreter| interpreter.path.clone()).collect();
    if environment.kind != Kind::System {
        for path in interpreter::in_bin(vfs, &environment.prefix) {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
    }
    paths
}

/// Is a path that of an interpreter of the target?
#[must_use]
pub(crate) fn is_one(world: &World, path: &Path) -> bool {
    world.environment.iter().any(|environment| {
        let is_in_bin = path.parent() == Some(&environment.prefix.join("bin"));
        let name = path.file_name().and_then(OsStr::to_str);
        is_in_bin && name.is_some_and(interpreter::is_interpreter_name)
    })
}

struct Own<'a> {
    vfs: &'a dyn Vfs,
    world: &'a World,
    question: &'a Question,
    environment: &'a Environment,
    started: &'a HashSet<PathBuf>,
}

impl Own<'_> {
    /// Interpreters that the environment names and that are missing, may not be read, or are now of
    /// another version.
    fn broken(&self) -> Vec<Finding> {
        if let Some(finding) = self.another_version() {
            return vec![finding];
        }
        let interpreters = self.environment.interpreters.iter();
        interpreters.filter_map(|interpreter| self.gone(interpreter)).collect()
    }

    fn gone(&self, interpreter: &Interpreter) -> Option<Finding> {
        let path = self.world.place(&interpreter.path);
        match &interpreter.program {
            // A name that exists promises more, and is examined with the others.
            Program::Missing { .. } if self.vfs.symlink_metadata(&interpreter.path).is_err() => {
                let missing = Seen::Missing { interpreter: path, version: interpreter.version };
                Some(wrong(&interpreter.path, missing, Cure::Setup(Setup::Remake)))
            }
            Program::Closed { wanted } => {
                let closed = Seen::Closed { interpreter: path, program: wanted.clone() };
                let evidence = Evidence::Interpreter(closed);
                Some(fault(Cause::Unreadable, &interpreter.path, evidence, Cure::RunAsReader))
            }
            Program::Missing { .. } | Program::Found(_) | Program::Other(_) => None,
        }
    }

    /// Interpreters that are named and that the system cannot start, whatever the loader would find
    /// for them: dangling links, files that are not programs, and programs whose loader is missing.
    fn never_start(&self) -> Vec<Finding> {
        let (vfs, mut found) = (self.vfs, Vec::new());
        let mut known: Vec<PathBuf> = Vec::new();
        for path in promised(vfs, self.environment) {
            let program = interpreter::program(vfs, &path);
            let (end, cause, why, cure) = match program {
                Program::Closed { .. } => continue,
                Program::Missing { wanted } => {
                    // A version for which there are packages, and no interpreter by any name, has none
                    // to start.
                    if vfs.symlink_metadata(&path).is_err() {
                        continue;
                    }
                    let why = NoStart::DanglingLink(wanted.clone());
                    (wanted, Cause::WrongInterpreter, why, Cure::Setup(Setup::RecreateOrUnlink))
                }
                Program::Found(end) | Program::Other(end) => match self.fault_of(&end) {
                    Some((why, cure)) => (end, Cause::Unreadable, why, cure),
                    None => continue,
                },
            };
            if !known.contains(&end) {
                let interpreter = self.world.place(&path);
                let evidence = Evidence::Interpreter(Seen::NeverStarts { interpreter, why });
                found.push(Finding { is_fatal: true, ..fault(cause, &path, evidence, cure) });
                known.push(end);
            }
        }
        found
    }

    /// Why the system would not start a program, and what cures it.
    fn fault_of(&self, program: &Path) -> Option<(NoStart, Cure)> {
        let metadata = self.vfs.metadata(program).ok()?;
        if metadata.kind != FileKind::File {
            return Some((NoStart::NotAFile, Cure::Setup(Setup::Remake)));
        }
        let source = self.vfs.open(program).ok()?;
        if source.is_empty() {
            return Some((NoStart::Empty, Cure::Setup(Setup::ReinstallPython)));
        }
        let start = source.get(0..source.len().min(4)).unwrap_or_default();
        if !start.starts_with(b"\x7fELF") {
            if fat::is_macho(source.as_ref()) {
                return None;
            }
            let Some(runs) = venv::run_by(self.vfs, program) else {
                return Some((NoStart::NotAProgram, Cure::Setup(Setup::ReinstallPython)));
            };
            let is_gone = matches!(interpreter::program(self.vfs, &runs), Program::Missing { .. });
            return is_gone.then_some((NoStart::ScriptOf(runs), Cure::Setup(Setup::Remake)));
        }
        let image = match Image::parse(source.as_ref()).and_then(|it| it.summary()) {
            Ok(summary) => summary,
            Err(error) => {
                return Some((NoStart::Damaged(error), Cure::Setup(Setup::ReinstallPython)));
            }
        };
        if metadata.mode & 0o111 == 0 {
            return Some((NoStart::NotExecutable, Cure::Setup(Setup::MakeExecutable)));
        }
        // The user has chosen which loader is used instead.
        let loader = image.interpreter.filter(|_| self.world.settings.libc.is_none())?;
        let loader = PathBuf::from(OsStr::from_bytes(&loader));
        let is_gone = matches!(interpreter::program(self.vfs, &loader), Program::Missing { .. });
        is_gone.then_some((NoStart::NoLoader(loader), Cure::Setup(Setup::PythonForThisSystem)))
    }

    /// The interpreter behind `bin/python`, if it is not of the version that the packages of a
    /// virtual environment are for: the base was upgraded in place.
    fn another_version(&self) -> Option<Finding> {
        let prefix = &self.environment.prefix;
        let made_for = PyvenvCfg::of(self.vfs, prefix)?.version?;
        let runs = venv::version_that_runs(self.vfs, prefix)?;
        if (runs.major, runs.minor) == (made_for.major, made_for.minor) {
            return None;
        }
        let other = Seen::OtherVersion { runs, made_for };
        Some(wrong(&prefix.join("bin/python"), other, Cure::Setup(Setup::Remake)))
    }

    /// The directory of the base interpreter, if it is missing: the interpreter finds its library by
    /// luck, if at all.
    fn home_gone(&self) -> Option<Finding> {
        let prefix = &self.environment.prefix;
        let home = PyvenvCfg::of(self.vfs, prefix)?.home?;
        if venv::holds_interpreter(self.vfs, &home) {
            return None;
        }
        let interpreters = &self.environment.interpreters;
        // Of which version the interpreter is may not be known.
        let has_library =
            interpreters.is_empty() || interpreters.iter().any(|it| self.finds_library(it, &home));
        let gone = Seen::HomeGone { home, has_library };
        let found = wrong(&prefix.join("pyvenv.cfg"), gone, Cure::Setup(Setup::Remake));
        Some(Finding { is_fatal: !has_library, ..found })
    }

    /// Does an interpreter find its standard library: above `home`, above its own file, or where it was
    /// most likely built for?
    fn finds_library(&self, interpreter: &Interpreter, home: &Path) -> bool {
        // A script starts one that does, or is judged separately.
        let Some(program) = interpreter.main_program() else { return true };
        let usual = [Path::new("/usr/local"), Path::new("/usr")];
        // Where libpython is, the standard library was when it was built.
        let loaded = self.started.iter().flat_map(|library| library.ancestors());
        let above = home.ancestors().chain(program.ancestors());
        let mut prefixes = above.chain(loaded).chain(usual);
        let version = interpreter.version;
        prefixes.any(|prefix| venv::holds_library(self.vfs, prefix, version))
            || self.was_built_for_library(program, version)
            || self.started.iter().any(|library| self.was_built_for_library(library, version))
    }

    /// Does a program, or Python's own library, contain the prefix of a standard library that
    /// exists? `PREFIX` of `getpath.py` is a string in it.
    fn was_built_for_library(&self, file: &Path, version: Version) -> bool {
        let name = file.file_name().map_or(b"".as_slice(), OsStr::as_bytes);
        if !name.starts_with(b"libpython") && !name.starts_with(b"python") {
            return false;
        }
        let Ok(source) = self.vfs.open(file) else { return false };
        let Some(bytes) = source.get(0..source.len().min(MAX_PROGRAM_BYTES)) else { return false };
        let mut strings = bytes.split(|&byte| byte == 0);
        strings.any(|string| {
            string.starts_with(b"/")
                && string.len() <= MAX_PREFIX_BYTES
                && venv::holds_library(self.vfs, Path::new(OsStr::from_bytes(string)), version)
        })
    }

    /// A virtual environment that was moved or copied: its programs and `activate` name the place
    /// where it was created.
    fn moved(&self) -> Option<Finding> {
        let (vfs, prefix) = (self.vfs, &self.environment.prefix);
        if self.environment.kind != Kind::Venv {
            return None;
        }
        let bin = prefix.join("bin");
        let scripts: Vec<Script> = venv::scripts(vfs, prefix)
            .into_iter()
            .filter(|script| {
                let directory = script.interpreter.parent().unwrap_or(&script.interpreter);
                !same_file(vfs, directory, &bin)
            })
            // A script for the system's interpreter was not written by an installer for this
            // environment.
            .filter(|script| {
                vfs.metadata(&script.interpreter).is_err()
                    || script.prefix().is_some_and(|other| venv::is_venv(vfs, other))
            })
            .collect();
        let activated = venv::activated_prefix(vfs, prefix)
            .filter(|activated| !same_file(vfs, activated, prefix));
        let from = activated.clone().or_else(|| Some(scripts.first()?.prefix()?.to_owned()))?;
        let moved = Seen::Moved {
            is_copy: venv::is_venv(vfs, &from),
            from,
            programs: scripts.first().map(|first| (scripts.len(), first.interpreter.clone())),
            is_activated: activated.is_some(),
        };
        Some(wrong(&bin, moved, Cure::Setup(Setup::RemakeInPlace)))
    }

    /// The environment that `VIRTUAL_ENV` names, where another's python comes first on `PATH`.
    fn inactive(&self) -> Option<Finding> {
        let (vfs, surroundings) = (self.vfs, &self.question.surroundings);
        let prefix = &self.environment.prefix;
        let active = surroundings.virtual_env.as_ref()?;
        if !same_file(vfs, active, prefix) {
            return None;
        }
        let found = discovery::on_path(vfs, surroundings).ok()?;
        let is_certain = found.passed_over.iter().all(discovery::PassedOver::is_of_a_tool);
        if !is_certain || same_file(vfs, &found.environment.prefix, prefix) {
            return None;
        }
        let runs = found.environment.interpreters.first().map(|interpreter| &interpreter.path);
        let python = runs.unwrap_or(&found.environment.prefix).clone();
        let inactive = Seen::Inactive { active: active.clone(), python };
        Some(wrong(prefix, inactive, Cure::Setup(Setup::Activate(prefix.clone()))))
    }

    /// Distributions of a conda environment that are shadowed by those of the user site, which
    /// comes before the environment's own directory.
    fn behind_the_user_site(&self) -> Option<Finding> {
        if self.environment.kind != Kind::Conda {
            return None;
        }
        let sites = |scope: Scope| {
            let all = self.environment.site_packages.iter();
            all.filter(move |site| site.scope == scope).map(|site| site.path.as_path())
        };
        let user = sites(Scope::User).next()?;
        let own: Vec<&Path> = sites(Scope::Own).collect();
        let distributions = &self.world.inventory.distributions;
        let users = distributions.iter().filter(|it| it.site == user);
        let owns = distributions.iter().filter(|it| own.contains(&it.site.as_path()));
        let shadowed = shadowed(users, &owns.collect::<Vec<_>>());
        let first = shadowed.first()?.clone();
        let site = user.to_owned();
        let behind = Seen::BehindUserSite { first, packages: shadowed.len(), site };
        Some(wrong(user, behind, Cure::Search(Search::LeaveOutUserSite)))
    }
}

/// The finding that an environment is not the one that runs.
fn wrong(path: &Path, seen: Seen, cure: Cure) -> Finding {
    fault(Cause::WrongInterpreter, path, Evidence::Interpreter(seen), cure)
}

/// The distributions that come `first` and have the name, but not the version, of one of `second`.
pub(crate) fn shadowed<'a>(
    first: impl Iterator<Item = &'a Distribution>,
    second: &[&Distribution],
) -> Vec<Shadowing> {
    first
        .filter_map(|one| {
            let other = second
                .iter()
                .find(|it| it.normalized == one.normalized && it.version != one.version)?;
            Some(Shadowing {
                name: one.name.clone(),
                version: one.version.clone(),
                other: other.version.clone(),
            })
        })
        .collect()
}
