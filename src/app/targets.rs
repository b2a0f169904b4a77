//! The targets of a use-case: those that the user named, or the detected environment.

use super::{App, Error};
use crate::bytes::Source;
use crate::command_line::{CommandLine, Naming};
use crate::elf::Image;
use crate::knowledge::tensorflow;
use crate::object;
use crate::python::discovery;
use crate::python::distribution::Distribution;
use crate::python::environment::{Environment, Kind};
use crate::python::target::{self, Target};
use crate::vfs::{FileKind, OsVfs, Vfs};
use crate::world::World;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A target of a use-case.
pub struct Chosen {
    /// The target. If it is in an environment, its path begins with the prefix of the environment, whatever
    /// links lead there.
    pub target: Target,
    /// The environment that contains it, if it is a directory or file of one.
    pub environment: Option<Environment>,
    /// The name that the user gave; `None` if it was detected.
    pub named: Option<PathBuf>,
    /// The root of the other system that contains it.
    pub root: Option<PathBuf>,
    /// The options that name its store, with their values.
    pub stores: Vec<(&'static str, PathBuf)>,
    /// The reason why it was chosen.
    pub reason: Reason,
}

/// The reason why a target was chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The user named it.
    Named,
    /// It was detected from the surroundings.
    Found(discovery::Reason),
    /// A message names it, or a file in it.
    InMessage,
    /// It is the environment of the interpreter that a command names.
    OfCommand,
    /// It is the environment of this interpreter, which a command ran.
    Ran(PathBuf),
}

impl Chosen {
    /// The path of the target.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.target {
            Target::Environment(environment) | Target::Distribution { environment, .. } => {
                &environment.prefix
            }
            Target::SitePackages { path, .. }
            | Target::Directory(path)
            | Target::File(path)
            | Target::Wheel(path) => path,
        }
    }

    /// The root of the target's world: the prefix of its environment, or else the directory, or else the
    /// directory that contains the file.
    #[must_use]
    pub fn root(&self) -> &Path {
        match (&self.environment, &self.target) {
            (Some(around), _) => &around.prefix,
            (None, Target::File(path) | Target::Wheel(path)) => path.parent().unwrap_or(path),
            (None, _) => self.path(),
        }
    }

    /// The target if it is a directory, else the directory that contains it.
    #[must_use]
    pub fn directory(&self) -> &Path {
        match &self.target {
            Target::File(path) | Target::Wheel(path) => path.parent().unwrap_or(path),
            _ => self.path(),
        }
    }

    /// Is it a wheel?
    #[must_use]
    pub fn is_wheel(&self) -> bool {
        matches!(self.target, Target::Wheel(_))
    }

    /// A command for this target: its name and options, followed by the target.
    #[must_use]
    pub fn command(&self, words: CommandLine) -> CommandLine {
        self.naming().command(words)
    }

    /// How commands name it.
    #[must_use]
    pub fn naming(&self) -> Naming {
        let root = self.root.iter().map(|root| ("--root", root.clone()));
        Naming { options: root.chain(self.stores.clone()).collect(), target: self.named.clone() }
    }

    /// Is it on this machine, and not a wheel, so that its programs can run?
    #[must_use]
    pub fn is_here(&self) -> bool {
        self.root.is_none() && !self.is_wheel()
    }

    /// A command for another target besides this one.
    #[must_use]
    pub fn command_for(&self, words: CommandLine, target: &Path) -> CommandLine {
        self.naming().command_for(words, target)
    }

    /// The detected target.
    #[must_use]
    pub fn found(target: Target, reason: Reason) -> Self {
        let (environment, named, root) = (None, None, None);
        Self { target, environment, named, root, stores: Vec::new(), reason }
    }
}

impl App {
    /// The targets that the user named, or the detected environment.
    ///
    /// # Errors
    /// If one does not exist or cannot be read, or if no environment is detected.
    pub fn targets(&self, named: &[PathBuf]) -> Result<Vec<Chosen>, Error> {
        if named.is_empty() {
            if self.vfs.root().is_some() {
                return Err(Error::RootWithoutTarget);
            }
            let found = discovery::discover(&self.vfs, self.ambient()?)?;
            let target = Target::Environment(found.environment);
            let chosen = Chosen::found(target, Reason::Found(found.reason));
            return Ok(vec![Chosen { stores: self.store_options(), ..chosen }]);
        }
        let ambient = self.ambient()?;
        // Every directory above a file may be an environment.
        let files = self.vfs.remembering();
        named
            .iter()
            .map(|path| {
                let (target, reason) = match target::at(&files, ambient, path) {
                    Err(target::Error::Absent { .. }) => {
                        self.distribution(path).ok_or_else(|| self.absent(path))?
                    }
                    found => (found?, Reason::Named),
                };
                let (target, environment) = self.inside(&files, target);
                let root = self.vfs.root().map(Path::to_owned);
                let named = Some(path.clone());
                let stores = self.store_options();
                Ok(Chosen { target, environment, named, root, stores, reason })
            })
            .collect()
    }

    /// The options that name the store, as the user gave them.
    pub(super) fn store_options(&self) -> Vec<(&'static str, PathBuf)> {
        let given = [("--store", &self.store), ("--trust-store", &self.trusted)];
        given.into_iter().filter_map(|(name, given)| Some((name, given.clone()?))).collect()
    }

    /// The distribution with this name in the detected environment, and the reason for choosing it.
    fn distribution(&self, name: &Path) -> Option<(Target, Reason)> {
        let ambient = self.ambient().ok().filter(|_| self.vfs.root().is_none())?;
        let found = discovery::discover(&self.vfs, ambient).ok()?;
        let target = target::distribution(&self.vfs, &found.environment, name)?;
        Some((target, Reason::Found(found.reason)))
    }

    /// An error about a missing target, with suggestions.
    fn absent(&self, named: &Path) -> Error {
        let name = named.to_str().filter(|name| !name.contains('/'));
        let ambient = self.ambient().ok().filter(|_| self.vfs.root().is_none());
        let found = ambient.and_then(|ambient| discovery::discover(&self.vfs, ambient).ok());
        let near = name
            .zip(found)
            .map(|(name, found)| target::near_names(&self.vfs, &found.environment, name));
        let is_digit = |c: char| c.is_ascii_hexdigit() && !c.is_ascii_uppercase();
        Error::NoTarget {
            named: named.to_owned(),
            near: near.unwrap_or_default(),
            is_operation: name.is_some_and(|name| name.len() == 12 && name.chars().all(is_digit)),
        }
    }

    /// The files that the user named. An interpreter is a program here, and does not stand for its
    /// environment.
    ///
    /// # Errors
    /// If one does not exist or cannot be read.
    pub fn files(&self, named: &[PathBuf]) -> Result<Vec<Chosen>, Error> {
        let here = &self.ambient()?.working_directory;
        let mut targets = self.targets(named)?;
        for (chosen, path) in targets.iter_mut().zip(named) {
            let path = target::absolute(&self.vfs, here, path);
            let is_file = self.vfs.metadata(&path).is_ok_and(|found| found.kind == FileKind::File);
            if let (Target::Environment(environment), true) = (&chosen.target, is_file) {
                let around = path.starts_with(&environment.prefix).then(|| environment.clone());
                chosen.environment = around;
                chosen.target = Target::File(path);
            }
        }
        Ok(targets)
    }

    /// Checks that a file that the user named is an object.
    ///
    /// # Errors
    /// If it is none, or malformed.
    pub fn require_object(&self, chosen: &Chosen, world: &World) -> Result<(), Error> {
        let Target::File(path) = &chosen.target else { return Ok(()) };
        if world.inventory.at(path).is_some() {
            return Ok(());
        }
        let named = chosen.named.as_deref().unwrap_or(path);
        let source = open_object(&self.vfs, path, named)?;
        let read = match object::Format::of(source.as_ref()) {
            Some(object::Format::Macho) => object::search_paths(source.as_ref()).map(drop),
            _ => Image::parse(source.as_ref()).and_then(|image| image.summary()).map(drop),
        };
        match read {
            Err(error) => Err(Error::about(named, error)),
            // The file was changed between the two reads.
            Ok(_) => Err(Error::Changes(named.to_owned())),
        }
    }

    /// Converts a directory or file inside an environment to a path below the prefix, and returns that
    /// environment; other targets are unchanged.
    fn inside(&self, files: &OsVfs, target: Target) -> (Target, Option<Environment>) {
        let (path, is_file) = match &target {
            Target::SitePackages { path, .. } | Target::Directory(path) => (path, false),
            Target::File(path) => (path, true),
            Target::Environment(_) | Target::Distribution { .. } | Target::Wheel(_) => {
                return (target, None);
            }
        };
        // If a file is a link itself, the link is edited; other links are resolved.
        let real = match (is_file, path.parent(), path.file_name()) {
            (true, Some(parent), Some(name)) => {
                files.canonicalize(parent).map(|parent| parent.join(name))
            }
            _ => files.canonicalize(path),
        };
        let Ok(real) = real else { return (target, None) };
        let through_links = || (real != *path).then(|| self.environment_in(files, &real)).flatten();
        let found = self.environment_in(files, path).or_else(through_links);
        let prefix = found.as_ref().and_then(|found| files.canonicalize(&found.prefix).ok());
        let (Some(found), Some(prefix)) = (found, prefix) else { return (target, None) };
        let Ok(below) = real.strip_prefix(prefix) else { return (target, None) };
        let path = found.prefix.join(below);
        let target = match target {
            Target::File(_) => Target::File(path),
            Target::SitePackages { environment, .. } => Target::SitePackages { path, environment },
            _ => Target::Directory(path),
        };
        (target, Some(found))
    }

    /// The environment that contains a path.
    #[must_use]
    pub fn environment_around(&self, path: &Path) -> Option<Environment> {
        self.environment_in(&self.vfs, path)
    }

    fn environment_in(&self, files: &OsVfs, path: &Path) -> Option<Environment> {
        let home = self.ambient.as_ref().ok().and_then(|ambient| ambient.home.as_deref());
        let mut above = path.ancestors().skip(1);
        above
            .find_map(|prefix| Environment::at_prefix(files, prefix, home))
            // The prefix of an installation of Python may be that of a whole system.
            .filter(|found| {
                found.kind != Kind::System
                    || found.site_packages.iter().any(|site| path.starts_with(&site.path))
            })
    }
}

/// Opens a shared object or a program, which the user called `named`.
///
/// # Errors
/// If it cannot be read, or begins neither as an ELF nor as a Mach-O file.
pub fn open_object<'a>(
    vfs: &'a dyn Vfs,
    path: &Path,
    named: &Path,
) -> Result<Box<dyn Source + 'a>, Error> {
    let source = vfs.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => Error::NoFile(named.to_owned()),
        _ => Error::Unreadable { file: named.to_owned(), source: Arc::new(error) },
    })?;
    if object::Format::of(source.as_ref()).is_some() {
        return Ok(source);
    }
    Err(Error::NoObject { file: named.to_owned(), is_empty: source.is_empty() })
}

/// The facts about a target: its versions of Python and TensorFlow.
pub fn facts(world: &World) -> impl Iterator<Item = String> {
    let interpreters = world.environment.iter().flat_map(|found| &found.interpreters);
    let pythons = interpreters.map(|interpreter| format!("python {}", interpreter.version));
    let distributions = world.inventory.distributions.iter();
    let tensorflows = distributions
        .filter(|found| tensorflow::is_tensorflow(&found.normalized))
        .map(Distribution::to_string);
    pythons.chain(tensorflows)
}
