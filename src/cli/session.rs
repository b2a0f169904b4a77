//! The shared state of commands: the output, and the context of use-cases.

use super::args::{Color, Common, Format};
use super::error::Error;
use super::notes;
use super::settings;
use super::simulation::Simulation;
use crate::app::App;
use crate::bytes::shown;
use crate::command_line::CommandLine;
use crate::findings::finding::Severity;
use crate::loader;
use crate::python::discovery::Ambient;
use crate::report::findings::Detail;
use crate::report::inert::{Form, Inert};
use crate::report::layout::Layout;
use crate::report::markdown::WithoutHomes;
use crate::report::outcome::Telling;
use crate::report::words::Words;
use crate::vfs::{OsVfs, Vfs as _};
use std::ffi::OsStr;
use std::io::{self, IsTerminal as _, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The size in bytes of the buffer of the report.
const BUFFER: usize = 1 << 16;

/// A running command: its output and its context.
pub struct Session {
    /// The report. Only inert text gets through.
    pub out: Box<dyn Write>,
    /// May exact bytes for other programs be written? Not to a terminal, and not in a quoted report.
    pub is_raw: bool,
    /// Is the output a terminal?
    pub is_terminal: bool,
    /// Do styles have any effect? They are written, or lines are broken by them.
    pub is_styled: bool,
    /// The format.
    pub format: Format,
    /// The level of detail.
    pub detail: Detail,
    /// The use-cases.
    pub app: App,
}

impl Session {
    /// Starts a command whose report may be fitted to the terminal.
    ///
    /// # Errors
    /// If `--jobs` requests no thread at all.
    pub fn new(common: &Common, is_fitted: bool) -> Result<Self, Error> {
        if let Some(jobs) = common.jobs {
            rayon::ThreadPoolBuilder::new().num_threads(jobs).build_global()?;
        }
        let (format, is_for_people) = (common.format, common.format != Format::Markdown);
        let is_styled = match common.color {
            _ if !is_for_people => false,
            Color::Always => true,
            Color::Never => false,
            Color::Auto => settings::wants_color(),
        };
        // Standard output would write each line immediately.
        let stdout = io::BufWriter::with_capacity(BUFFER, Output(io::stdout()));
        let out: Box<dyn Write> = if is_for_people || common.full_paths {
            Box::new(stdout)
        } else {
            let home = settings::home();
            Box::new(WithoutHomes::new(stdout, home.as_deref().map(OsStr::as_bytes)))
        };
        let form = if format == Format::Json { Form::Json } else { Form::Text };
        // What is inert is written in pieces of a line.
        let out = Inert::styled(io::BufWriter::new(out), form, is_styled);
        let terminal = settings::width().filter(|_| is_fitted && format == Format::Human);
        let out: Box<dyn Write> = match format {
            Format::Human | Format::Markdown => Box::new(Layout::new(out, terminal)),
            Format::Json | Format::Dot => Box::new(out),
        };
        Ok(Self {
            out,
            is_terminal: format == Format::Human && io::stdout().is_terminal(),
            is_styled: is_styled || terminal.is_some(),
            is_raw: format == Format::Human && !io::stdout().is_terminal(),
            format,
            detail: match (common.quiet, common.verbose) {
                (true, _) => Detail::Quiet,
                (_, true) => Detail::Verbose,
                _ => Detail::Normal,
            },
            app: app(common)?,
        })
    }

    /// How to report the result of a repair.
    #[must_use]
    pub fn telling<'a>(&self, diff: bool, in_earnest: &'a CommandLine) -> Telling<'a> {
        Telling { detail: self.detail, is_terminal: self.is_terminal, diff, in_earnest }
    }

    /// Raw standard output, for other programs that need exact bytes.
    ///
    /// # Errors
    /// If the previous output cannot be written.
    pub fn raw(&mut self) -> io::Result<impl Write + use<>> {
        self.out.flush()?;
        Ok(io::BufWriter::new(Output(io::stdout())))
    }

    /// The environment of the simulated loader.
    ///
    /// # Errors
    /// As for [`settings::loader_settings`].
    pub fn loader_settings(&self, simulation: &Simulation) -> Result<loader::Settings, Error> {
        settings::loader_settings(simulation, self.app.is_elsewhere())
    }

    /// The other surroundings of the simulated process.
    ///
    /// # Errors
    /// As for [`settings::surroundings`].
    pub fn surroundings(&self, simulation: &Simulation) -> Result<Ambient, Error> {
        settings::surroundings(simulation, self.app.is_elsewhere())
    }
}

/// Standard output, which its reader may close: `tfpatch doctor | head -1`. Later output is dropped, and the
/// work and its exit status are not affected.
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

/// The use-cases with the surroundings of the process.
fn app(common: &Common) -> Result<App, Error> {
    let vfs = match &common.root {
        None => OsVfs::new(),
        Some(root) => OsVfs::with_root(canonical_root(root)?),
    };
    let ambient = match vfs.root() {
        None => settings::ambient(),
        Some(_) => Ok(Ambient { working_directory: PathBuf::from("/"), ..Ambient::default() }),
    };
    Ok(App {
        vfs,
        ambient,
        here: settings::working_directory().ok(),
        store: common.store.clone(),
        trusted: common.trust_store.clone(),
        watch: notes::WATCH,
    })
}

/// The root of another system, with links resolved.
fn canonical_root(root: &Path) -> Result<PathBuf, Error> {
    let path = settings::working_directory()?.join(root);
    let failed = |error| Words::new(format!("--root {}: {error}", shown(root)));
    Ok(OsVfs::new().canonicalize(&path).map_err(failed)?)
}

/// The exit status for the remaining findings: 1 for an error, and with `strict` for a warning too.
#[must_use]
pub fn status_of(severities: impl Iterator<Item = Severity>, strict: bool) -> u8 {
    let worst = severities.min();
    match worst {
        Some(Severity::Error) => 1,
        Some(Severity::Warning) if strict => 1,
        _ => 0,
    }
}
