//! What the commands share: the output, the targets, and how their worlds are read.

use super::args::{Color, Common, Format, Simulation};
use super::error::CommandError;
use super::settings;
use crate::loader;
use crate::operation::{self, Options, Recovered, Selection, Store};
use crate::plan::RelativePath;
use crate::python::discovery::{self, Ambient};
use crate::python::environment::{Environment, Kind};
use crate::python::target::{self, Target};
use crate::repair::finding::Severity;
use crate::repair::target::World;
use crate::repair::tensorflow;
use crate::report::findings::Detail;
use crate::report::style::{DIM, paint};
use crate::vfs::{OsVfs, Vfs as _};
use std::ffi::OsStr;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
            vfs: match &common.root {
                None => OsVfs::new(),
                Some(root) => OsVfs::with_root(canonical_root(root)?),
            },
        })
    }

    /// What the process was given, as far as it concerns the target: nothing where the target lies
    /// in the root of another system.
    ///
    /// # Errors
    /// Where the working directory is gone.
    pub fn ambient(&self) -> Result<Ambient, CommandError> {
        match self.vfs.root() {
            None => settings::ambient(),
            Some(_) => Ok(Ambient { working_directory: PathBuf::from("/"), ..Ambient::default() }),
        }
    }

    /// The loader's environment, as simulated.
    ///
    /// # Errors
    /// As [`settings::loader_settings`].
    pub fn loader_settings(
        &self,
        simulation: &Simulation,
    ) -> Result<loader::Settings, CommandError> {
        settings::loader_settings(simulation, self.vfs.root().is_some())
    }

    /// The path on the disk of a directory of the target.
    #[must_use]
    pub fn on_disk(&self, path: &Path) -> PathBuf {
        let Some(root) = self.vfs.root() else { return path.to_owned() };
        let inside = self.vfs.canonicalize(path).unwrap_or_else(|_| path.to_owned());
        root.join(inside.strip_prefix("/").unwrap_or(&inside))
    }

    /// The targets that were named, or the environment that is found from here.
    ///
    /// # Errors
    /// Where one does not exist, cannot be read, or nothing is found from here.
    pub fn targets(&self, named: &[PathBuf]) -> Result<Vec<Chosen>, CommandError> {
        if named.is_empty() {
            if self.vfs.root().is_some() {
                let why = "--root needs a TARGET, as a path inside of it";
                return Err(CommandError::new(why).hint("tfpatch doctor --root ROOTFS /app/.venv"));
            }
            let found = discovery::discover(&self.vfs, &self.ambient()?)?;
            let target = Target::Environment(found.environment);
            return Ok(vec![Chosen { target, reason: found.reason }]);
        }
        let ambient = self.ambient()?;
        named
            .iter()
            .map(|path| {
                let target = target::at(&self.vfs, &ambient, path)?;
                if let Target::Wheel(wheel) = &target {
                    let why = "a wheel has to be installed before it can be diagnosed";
                    return Err(CommandError::new(format!("{}: {why}", wheel.display())));
                }
                Ok(Chosen { target, reason: "named".to_owned() })
            })
            .collect()
    }

    /// Reads a target with all its objects.
    #[must_use]
    pub fn world(&self, chosen: &Chosen, settings: loader::Settings) -> World {
        let vfs = &self.vfs;
        match &chosen.target {
            Target::Environment(found) => World::of_environment(vfs, found.clone(), settings),
            Target::SitePackages { path, environment } => {
                World::of_directory(vfs, path, environment.clone(), settings)
            }
            Target::Directory(directory) => World::of_directory(vfs, directory, None, settings),
            Target::File(path) | Target::Wheel(path) => {
                World::of_object(vfs, path, self.environment_of(path), settings)
            }
        }
    }

    /// The environment that a file belongs to, if any.
    #[must_use]
    pub fn environment_of(&self, file: &Path) -> Option<Environment> {
        let home = self.ambient().ok().and_then(|ambient| ambient.home);
        let mut above = file.ancestors().skip(1);
        above
            .find_map(|prefix| Environment::at_prefix(&self.vfs, prefix, home.as_deref()))
            // An installation of Python shares its prefix with a whole system.
            .filter(|found| {
                found.kind != Kind::System
                    || found.site_packages.iter().any(|site| file.starts_with(&site.path))
            })
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
            Target::SitePackages { path, .. } => ("Packages", path),
            Target::Directory(directory) => ("Directory", directory),
            Target::File(path) | Target::Wheel(path) => ("Object", path),
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

    /// The store for a target: that of `--store`, else the one that is there already, else the
    /// one that an operation would create at the root.
    ///
    /// # Errors
    /// Where the directory cannot be read, or stores would be nested.
    pub fn store(&self, root: &Path) -> Result<Store, CommandError> {
        if let Some(directory) = &self.store {
            return Ok(Store::open(directory)?);
        }
        let root = self.on_disk(root);
        match Store::find(&root)? {
            Some(store) => Ok(store),
            None => Ok(Store::open(&root)?),
        }
    }

    /// Finishes or takes back an operation that was interrupted, and says so.
    ///
    /// # Errors
    /// Where a file cannot be put back.
    pub fn recover(&self, root: &Path, store: &Store) -> Result<(), CommandError> {
        let options = self.writing(true, operation::Write::Auto, false);
        let Some(recovered) = operation::recover(&self.on_disk(root), store, &options)? else {
            return Ok(());
        };
        let Recovered { operation, finished, left_alone } = recovered;
        let outcome = if finished { "was complete" } else { "was taken back" };
        let mut notes = anstream::stderr();
        writeln!(notes, "tfpatch: operation {operation} was interrupted, and {outcome}")?;
        for left in left_alone {
            writeln!(notes, "tfpatch: {} was left alone: {}", left.path, left.change)?;
        }
        Ok(())
    }

    /// How an operation writes.
    #[must_use]
    pub fn writing(&self, sync: bool, write: operation::Write, dry_run: bool) -> Options<'static> {
        Options { sync, write, dry_run, time: settings::now(), wait: PATIENCE, waiting: &waiting }
    }
}

/// How long a second tfpatch waits for the first.
const PATIENCE: Duration = Duration::from_secs(60);

fn waiting(pid: Option<u32>) {
    let who = pid.map_or_else(String::new, |pid| format!(" (pid {pid})"));
    // A note that cannot be written is no reason to stop waiting.
    let _ = writeln!(anstream::stderr(), "tfpatch: waiting for another tfpatch{who} to end");
}

impl Chosen {
    /// The directory that the target's store is looked for in, and upwards from there.
    #[must_use]
    pub fn root(&self) -> &Path {
        match &self.target {
            Target::Environment(environment) => &environment.prefix,
            Target::SitePackages { path, .. } | Target::Directory(path) => path,
            Target::File(path) | Target::Wheel(path) => path.parent().unwrap_or(path),
        }
    }
}

impl Session {
    /// Does a target mean a file of its store?
    #[must_use]
    pub fn means(&self, chosen: &Chosen, store: &Store, file: &RelativePath) -> bool {
        let path = store.directory().join(file);
        match &chosen.target {
            Target::File(named) => path == self.on_disk(named),
            _ => path.starts_with(self.on_disk(chosen.root())),
        }
    }

    /// The files of a store that a target means: all of them, or one that was named.
    #[must_use]
    pub fn selection(&self, chosen: &Chosen, store: &Store) -> Selection {
        let root = self.on_disk(chosen.root());
        match &chosen.target {
            Target::File(path) => Selection::Paths(vec![self.on_disk(path)]),
            _ if root == store.directory() => Selection::All,
            _ => Selection::Paths(vec![root]),
        }
    }
}

/// The root of another system, links resolved.
fn canonical_root(root: &Path) -> Result<PathBuf, CommandError> {
    let path = settings::working_directory()?.join(root);
    OsVfs::new()
        .canonicalize(&path)
        .map_err(|error| CommandError::new(format!("--root {}: {error}", root.display())))
}

fn interpreters(environment: &Environment) -> impl Iterator<Item = String> {
    environment.interpreters.iter().map(|interpreter| format!("python {}", interpreter.version))
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
