//! What the commands share: the output, the targets, and how their worlds are read.

use super::args::{Color, Common, Format};
use super::error::CommandError;
use super::settings;
use crate::loader;
use crate::python::environment::{self, Environment, Target};
use crate::repair::finding::Severity;
use crate::repair::target::World;
use crate::repair::tensorflow;
use crate::report::findings::Detail;
use crate::report::style::{DIM, paint};
use crate::vfs::OsVfs;
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// A running command: where it writes, and what it was told of how.
pub struct Session {
    /// Where the report goes.
    pub out: Box<dyn Write>,
    /// How it is written.
    pub format: Format,
    /// How much is said.
    pub detail: Detail,
    /// The directory of `--store`.
    pub store: Option<PathBuf>,
    /// The files of this machine.
    pub vfs: OsVfs,
}

/// A target that a command works on.
pub struct Chosen {
    /// What it is.
    pub target: Target,
    /// Why it was chosen, as a clause.
    pub reason: String,
}

impl Session {
    /// Begins a command.
    ///
    /// # Errors
    /// Where `--jobs` asks for no thread at all.
    pub fn new(common: &Common) -> Result<Self, CommandError> {
        if let Some(jobs) = common.jobs {
            rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global()?;
        }
        let choice = match common.color {
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
            Color::Auto if settings::wants_color() => anstream::ColorChoice::Always,
            Color::Auto => anstream::ColorChoice::Never,
        };
        Ok(Self {
            out: Box::new(io::BufWriter::new(anstream::AutoStream::new(io::stdout(), choice))),
            format: common.format,
            detail: match (common.quiet, common.verbose) {
                (true, _) => Detail::Quiet,
                (_, true) => Detail::Verbose,
                _ => Detail::Normal,
            },
            store: common.store.clone(),
            vfs: OsVfs::default(),
        })
    }

    /// The targets that were named, or the environment that is found from here.
    ///
    /// # Errors
    /// Where one does not exist, cannot be read, or nothing is found from here.
    pub fn targets(&self, named: &[PathBuf]) -> Result<Vec<Chosen>, CommandError> {
        if named.is_empty() {
            let found = environment::discover(&self.vfs, &settings::ambient()?)?;
            let target = Target::Environment(found.environment);
            return Ok(vec![Chosen { target, reason: found.reason }]);
        }
        let working_directory = settings::working_directory()?;
        named
            .iter()
            .map(|path| {
                let target = environment::at(&self.vfs, &working_directory.join(path))?;
                Ok(Chosen { target, reason: "named".to_owned() })
            })
            .collect()
    }

    /// Reads a target with all its objects.
    #[must_use]
    pub fn world(&self, chosen: &Chosen, settings: loader::Settings) -> World {
        match &chosen.target {
            Target::Environment(environment) => {
                World::of_environment(&self.vfs, environment.clone(), settings)
            }
            Target::SitePackages { directory, environment } => {
                World::of_directory(&self.vfs, directory, environment.clone(), settings)
            }
            Target::Directory(directory) => {
                World::of_directory(&self.vfs, directory, None, settings)
            }
            Target::Object { path, environment } => {
                World::of_object(&self.vfs, path, environment.clone(), settings)
            }
        }
    }

    /// Writes the line that says what was looked at, and why.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn write_heading(&mut self, chosen: &Chosen, world: &World) -> io::Result<()> {
        if self.detail == Detail::Quiet {
            return Ok(());
        }
        let (kind, path) = match &chosen.target {
            Target::Environment(environment) => ("Environment", &environment.prefix),
            Target::SitePackages { directory, .. } => ("Packages", directory),
            Target::Directory(directory) => ("Directory", directory),
            Target::Object { path, .. } => ("Object", path),
        };
        let mut facts = vec![chosen.reason.clone()];
        facts.extend(world.environment.iter().flat_map(interpreters));
        facts.extend(
            world
                .inventory
                .distributions
                .iter()
                .filter(|distribution| tensorflow::is_tensorflow(&distribution.normalized))
                .map(|distribution| format!("{} {}", distribution.name, distribution.version)),
        );
        let facts = paint(DIM, format!("({})", facts.join("; ")));
        writeln!(self.out, "{kind}  {} {facts}", shown_from_here(path).display())
    }

    /// The directory of the store for a target.
    #[must_use]
    pub fn store_directory(&self, world: &World) -> PathBuf {
        self.store.clone().unwrap_or_else(|| world.root.clone())
    }
}

fn interpreters(environment: &Environment) -> impl Iterator<Item = String> {
    environment.interpreters.iter().map(|interpreter| {
        let (major, minor) = interpreter.version;
        format!("python {major}.{minor}")
    })
}

/// A path relative to the working directory, where it lies below it.
#[must_use]
pub fn shown_from_here(path: &Path) -> PathBuf {
    let Ok(here) = settings::working_directory() else { return path.to_owned() };
    match path.strip_prefix(here) {
        Ok(below) if below.as_os_str() == OsStr::new("") => PathBuf::from("."),
        Ok(below) => below.to_owned(),
        Err(_) => path.to_owned(),
    }
}

/// The exit status for what remains: 1 for an error, with `strict` for a warning too.
#[must_use]
pub fn status_of(severities: impl Iterator<Item = Severity>, strict: bool) -> u8 {
    let worst = severities.min();
    match worst {
        Some(Severity::Error) => 1,
        Some(Severity::Warning) if strict => 1,
        _ => 0,
    }
}
