//! What the commands share: the output, the targets, and how their worlds are read.

use super::args::{Color, Common, Format};
use super::error::CommandError;
use super::settings;
use super::simulation::Simulation;
use crate::bytes::{Source, printable, shell_word, shown};
use crate::elf::Image;
use crate::findings::finding::Severity;
use crate::knowledge::tensorflow;
use crate::loader;
use crate::object;
use crate::python::discovery::{self, Ambient};
use crate::python::environment::{Environment, Kind};
use crate::python::target::{self, Target};
use crate::report::findings::Detail;
use crate::report::inert::{Form, Inert};
use crate::report::linked;
use crate::report::markdown::WithoutHomes;
use crate::report::style::{DIM, paint};
use crate::vfs::{FileKind, OsVfs, Vfs};
use crate::world::World;
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A running command: where it writes, and what it was told of how.
pub struct Session {
    /// Where the report goes. What is written to it reaches nobody but as inert text.
    pub out: Box<dyn Write>,
    /// May what other programs read be written as it is? Not to a terminal, nor where the report is
    /// quoted.
    pub is_raw: bool,
    /// How it is written.
    pub format: Format,
    /// How much is said.
    pub detail: Detail,
    /// The directory of `--store`.
    pub store: Option<PathBuf>,
    /// The directory of `--trust-store`.
    pub trusted: Option<PathBuf>,
    /// The files of this machine.
    pub vfs: OsVfs,
}

/// A target that a command works on.
pub struct Chosen {
    /// What it is. Where it lies in an environment, its path begins with the environment's prefix,
    /// whatever links lead there.
    pub target: Target,
    /// The environment around it, where it is a directory or a file of one.
    pub environment: Option<Environment>,
    /// How it was named; nothing where it was found.
    pub named: Option<PathBuf>,
    /// The root of another system that it lies in.
    pub root: Option<PathBuf>,
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
        let (format, is_for_people) = (common.format, common.format != Format::Markdown);
        let choice = match common.color {
            _ if !is_for_people => anstream::ColorChoice::Never,
            Color::Always => anstream::ColorChoice::Always,
            Color::Never => anstream::ColorChoice::Never,
            Color::Auto if settings::wants_color() => anstream::ColorChoice::Always,
            Color::Auto => anstream::ColorChoice::Never,
        };
        let stdout = Output(io::stdout());
        let out: Box<dyn Write> = if is_for_people || common.full_paths {
            Box::new(stdout)
        } else {
            let home = settings::home();
            Box::new(WithoutHomes::new(stdout, home.as_deref().map(OsStr::as_bytes)))
        };
        let form = if format == Format::Json { Form::Json } else { Form::Text };
        let out = io::BufWriter::new(anstream::AutoStream::new(out, choice));
        Ok(Self {
            out: Box::new(Inert::new(out, form)),
            is_raw: format == Format::Human && !io::stdout().is_terminal(),
            format,
            detail: match (common.quiet, common.verbose) {
                (true, _) => Detail::Quiet,
                (_, true) => Detail::Verbose,
                _ => Detail::Normal,
            },
            store: common.store.clone(),
            trusted: common.trust_store.clone(),
            vfs: match &common.root {
                None => OsVfs::new(),
                Some(root) => OsVfs::with_root(canonical_root(root)?),
            },
        })
    }

    /// Standard output itself, for what other programs read byte for byte.
    ///
    /// # Errors
    /// Where what was written so far cannot be.
    pub fn raw(&mut self) -> io::Result<impl Write + use<>> {
        self.out.flush()?;
        Ok(io::BufWriter::new(Output(io::stdout())))
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

    /// What else the simulated process is given.
    ///
    /// # Errors
    /// As [`settings::surroundings`].
    pub fn surroundings(&self, simulation: &Simulation) -> Result<Ambient, CommandError> {
        settings::surroundings(simulation, self.vfs.root().is_some())
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
            return Ok(vec![Chosen::found(target, found.reason)]);
        }
        let ambient = self.ambient()?;
        named
            .iter()
            .map(|path| {
                let target = target::at(&self.vfs, &ambient, path)?;
                let (target, environment) = self.inside(target);
                let root = self.vfs.root().map(Path::to_owned);
                let (named, reason) = (Some(path.clone()), "named".to_owned());
                Ok(Chosen { target, environment, named, root, reason })
            })
            .collect()
    }

    /// The files that were named: an interpreter is a program here, and stands for no environment.
    ///
    /// # Errors
    /// Where one does not exist or cannot be read.
    pub fn files(&self, named: &[PathBuf]) -> Result<Vec<Chosen>, CommandError> {
        let here = self.ambient()?.working_directory;
        let mut targets = self.targets(named)?;
        for (chosen, path) in targets.iter_mut().zip(named) {
            let path = target::absolute(&self.vfs, &here, path);
            let is_file = self.vfs.metadata(&path).is_ok_and(|found| found.kind == FileKind::File);
            if let (Target::Environment(environment), true) = (&chosen.target, is_file) {
                let around = path.starts_with(&environment.prefix).then(|| environment.clone());
                chosen.environment = around;
                chosen.target = Target::File(path);
            }
        }
        Ok(targets)
    }

    /// Is a file that was named an object, so that something can be said of it?
    ///
    /// # Errors
    /// Where it is none, or malformed.
    pub fn require_object(&self, chosen: &Chosen, world: &World) -> Result<(), CommandError> {
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
            Err(error) => Err(CommandError::new(format!("{}: {error}", shown(named)))),
            // It was written between the two looks.
            Ok(_) => Err(CommandError::new(format!("{} changes; try again", shown(named)))),
        }
    }

    /// A directory or a file inside an environment, by its path below the prefix, and that
    /// environment; any other target as it is.
    fn inside(&self, target: Target) -> (Target, Option<Environment>) {
        let (path, is_file) = match &target {
            Target::SitePackages { path, .. } | Target::Directory(path) => (path, false),
            Target::File(path) => (path, true),
            Target::Environment(_) | Target::Wheel(_) => return (target, None),
        };
        // The last link of a file is what is edited; those on the way are not.
        let real = match (is_file, path.parent(), path.file_name()) {
            (true, Some(parent), Some(name)) => {
                self.vfs.canonicalize(parent).map(|parent| parent.join(name))
            }
            _ => self.vfs.canonicalize(path),
        };
        let Ok(real) = real else { return (target, None) };
        let through_links = || (real != *path).then(|| self.environment_around(&real)).flatten();
        let found = self.environment_around(path).or_else(through_links);
        let prefix = found.as_ref().and_then(|found| self.vfs.canonicalize(&found.prefix).ok());
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

    /// The environment that a path lies in.
    #[must_use]
    pub fn environment_around(&self, path: &Path) -> Option<Environment> {
        let home = self.ambient().ok().and_then(|ambient| ambient.home);
        let mut above = path.ancestors().skip(1);
        above
            .find_map(|prefix| Environment::at_prefix(&self.vfs, prefix, home.as_deref()))
            // An installation of Python shares its prefix with a whole system.
            .filter(|found| {
                found.kind != Kind::System
                    || found.site_packages.iter().any(|site| path.starts_with(&site.path))
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
        let (what, facts) = self.heading(chosen, world);
        writeln!(self.out, "{what} {}", paint(DIM, facts))
    }

    /// Says which directories were not looked into, since links out of the target lead there.
    ///
    /// # Errors
    /// Where the output cannot be written.
    pub fn write_not_followed(&mut self, chosen: &Chosen, world: &World) -> io::Result<()> {
        if self.detail == Detail::Quiet {
            return Ok(());
        }
        let is_verbose = self.detail == Detail::Verbose;
        let command = |directory: &Path| chosen.command_for("doctor", directory);
        linked::write(&mut *self.out, world, is_verbose, command)
    }

    /// What was looked at, and in parentheses why and what is known of it.
    #[must_use]
    pub fn heading(&self, chosen: &Chosen, world: &World) -> (String, String) {
        let (kind, path) = match &chosen.target {
            Target::Environment(environment) => ("Environment", &environment.prefix),
            Target::SitePackages { path, .. } => ("Packages", path),
            Target::Directory(directory) => ("Directory", directory),
            Target::File(path) => ("Object", path),
            Target::Wheel(path) => ("Wheel", path),
        };
        let mut facts = vec![chosen.reason.clone()];
        facts.extend(world.environment.iter().flat_map(interpreters));
        facts.extend(
            world
                .inventory
                .distributions
                .iter()
                .filter(|distribution| tensorflow::is_tensorflow(&distribution.normalized))
                .map(|distribution| {
                    format!("{} {}", distribution.normalized, distribution.version)
                }),
        );
        let what = format!("{kind}  {}", shown(&shown_from_here(path)));
        (what, format!("({})", printable(facts.join("; ").as_bytes())))
    }
}

/// Standard output, which its reader may close: `tfpatch doctor | head -1`. What comes after that is
/// dropped, and the work and its exit status are the same as if it had been read.
struct Output(io::Stdout);

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        unless_closed(self.0.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        unless_closed(self.0.flush(), ())
    }
}

fn unless_closed<T>(outcome: io::Result<T>, otherwise: T) -> io::Result<T> {
    match outcome {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(otherwise),
        outcome => outcome,
    }
}

impl Chosen {
    /// Where the target is.
    #[must_use]
    pub fn path(&self) -> &Path {
        match &self.target {
            Target::Environment(environment) => &environment.prefix,
            Target::SitePackages { path, .. }
            | Target::Directory(path)
            | Target::File(path)
            | Target::Wheel(path) => path,
        }
    }

    /// The root of the target's world: the prefix of its environment, else the directory, else the
    /// one that the file is in.
    #[must_use]
    pub fn root(&self) -> &Path {
        match (&self.environment, &self.target) {
            (Some(around), _) => &around.prefix,
            (None, Target::File(path) | Target::Wheel(path)) => path.parent().unwrap_or(path),
            (None, _) => self.path(),
        }
    }

    /// Is it a wheel?
    #[must_use]
    pub fn is_wheel(&self) -> bool {
        matches!(self.target, Target::Wheel(_))
    }

    /// A command for this target, as it can be typed.
    #[must_use]
    pub fn command(&self, words: &str) -> String {
        let root = self.root.as_ref().map(|root| format!(" --root {}", quoted(root.as_os_str())));
        let named = self.named.as_ref().map(|named| format!(" {}", quoted(named.as_os_str())));
        format!("tfpatch {words}{}{}", root.unwrap_or_default(), named.unwrap_or_default())
    }

    /// A command for another directory beside this target.
    #[must_use]
    pub fn command_for(&self, words: &str, directory: &Path) -> String {
        let root = self.root.as_ref().map(|root| format!(" --root {}", quoted(root.as_os_str())));
        let directory = quoted(directory.as_os_str());
        format!("tfpatch {words}{} {directory}", root.unwrap_or_default())
    }

    /// A target that nobody named.
    #[must_use]
    pub fn found(target: Target, reason: String) -> Self {
        Self { target, environment: None, named: None, root: None, reason }
    }
}

/// A word of a command as a shell takes it.
#[must_use]
pub fn quoted(word: &OsStr) -> String {
    shell_word(word.as_bytes())
}

/// Opens a shared object or a program, which the user called `named`.
///
/// # Errors
/// Where it cannot be read, or begins neither as an ELF nor as a Mach-O file.
pub fn open_object<'a>(
    vfs: &'a dyn Vfs,
    path: &Path,
    named: &Path,
) -> Result<Box<dyn Source + 'a>, CommandError> {
    let name = shown(named);
    let source = vfs.open(path).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => {
            CommandError::new(format!("{name} is no file; name a shared object or a program"))
        }
        _ => CommandError::new(format!("cannot read {name}: {error}")),
    })?;
    if object::Format::of(source.as_ref()).is_some() {
        return Ok(source);
    }
    let why = match source.len() {
        0 => "it is empty",
        _ => "it begins neither as an ELF nor as a Mach-O file does",
    };
    Err(CommandError::new(format!("{name} is no shared object: {why}")))
}

/// The root of another system, links resolved.
fn canonical_root(root: &Path) -> Result<PathBuf, CommandError> {
    let path = settings::working_directory()?.join(root);
    OsVfs::new()
        .canonicalize(&path)
        .map_err(|error| CommandError::new(format!("--root {}: {error}", shown(root))))
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
