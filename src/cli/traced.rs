//! Runs a command with the loader traced, and reads the trace files.

use super::child::{Ended, Forwarder, Manner};
use super::error::Error;
use super::session::Session;
use super::settings::{self, Debugging};
use super::simulation::Simulation;
use crate::app::error::NotRun;
use crate::app::runs::Child;
use crate::app::trace::Requests;
use crate::app::{self, App};
use crate::loader;
use crate::operation;
use crate::report::words::operations;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, BufReader, Seek as _};
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tempfile::TempDir;

/// The categories of the trace: searches for libraries, and loaded files.
const CATEGORIES: &str = "libs,files";

/// The name of trace files, before the dot and the process ID.
const PREFIX: &str = "t";

/// A directory for the trace that nobody else can enter, because the loader follows links when it writes
/// there. A process that switched to another user and starts a program cannot write its trace, and its loader
/// prints to the output of the command.
///
/// # Errors
/// If it cannot be created.
fn directory() -> io::Result<TempDir> {
    let only_mine = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("tfpatch-trace-").permissions(only_mine).tempdir()
}

/// Runs commands repeatedly, and reads the requests of their processes to the loader.
pub struct Tracer<'a> {
    app: &'a App,
    /// The environment of the loader.
    pub settings: loader::Settings,
    /// Forwards signals to the commands.
    pub forwarder: Forwarder,
    debugging: Debugging,
    /// Notes about the traces, in sentences.
    pub notes: Vec<String>,
    directory: TempDir,
    runs: AtomicUsize,
}

/// A finished command and its trace.
pub struct Ran<'a> {
    /// The requests of its processes to the loader.
    pub requests: Requests<'a>,
    /// How it ended.
    pub child: Child,
    /// Was it terminated because of a timeout?
    pub timed_out: bool,
}

impl<'a> Tracer<'a> {
    /// Prepares the runs.
    ///
    /// # Errors
    /// If the target is in another root, or there is no place for the traces.
    pub fn new(session: &'a Session) -> Result<Self, Error> {
        if session.app.is_elsewhere() {
            return Err(app::Error::from(NotRun::Elsewhere).into());
        }
        let mut settings = session.loader_settings(&Simulation::default())?;
        // The trace shows which of them the loader uses, regardless of the processor.
        settings.hwcaps.clear();
        let directory = directory()?;
        let forwarder = Forwarder::new(directory.path().to_owned(), settings::keeps_ignored)?;
        let debugging = settings::debugging();
        let (app, notes, runs) = (&session.app, debugging.notes(), AtomicUsize::new(1));
        Ok(Self { app, settings, forwarder, debugging, notes, directory, runs })
    }

    /// Runs a command. `prepare` sets up its output. If the process is root's, the command gets the
    /// permissions of the owner of `owned`.
    ///
    /// # Errors
    /// If it cannot be started, or its trace cannot be read.
    pub fn run(
        &self,
        command: &[OsString],
        manner: Manner,
        owned: Option<&Path>,
        prepare: impl FnOnce(&mut Command) -> io::Result<()>,
    ) -> Result<Ran<'a>, app::Error> {
        let mut requests = Requests::new(self.app, &self.settings)?;
        let traces = self.make_directory(owned)?;
        let program = program(command);
        let arguments = command.iter().skip(1);
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env("LD_DEBUG", self.debugging.with(CATEGORIES))
            .env("LD_DEBUG_OUTPUT", traces.join(PREFIX));
        prepare(&mut command)?;
        let spawn = |command: &mut Command| match owned {
            Some(directory) => {
                // The command inherits the permissions of the thread that starts it.
                operation::as_owner_of(directory, true, || Ok(command.spawn()))
                    .map_err(|error| io::Error::other(operations::error(&error)))?
            }
            None => command.spawn(),
        };
        let ended = self.forwarder.run(&mut command, manner, spawn).map_err(|error| {
            let (program, source) = (program.to_owned(), Arc::new(error));
            app::Error::NotRun(NotRun::NotStarted { program, source })
        })?;
        for (pid, path) in trace_files(&traces, ended.pid)? {
            if let Some(mut file) = open_trace(&path)? {
                requests.add(pid, &mut BufReader::with_capacity(1 << 16, &file))?;
                keep(&self.debugging, pid, &mut file)?;
            }
        }
        let Ended { child, timed_out, .. } = ended;
        Ok(Ran { requests, child, timed_out })
    }

    /// Creates a directory for the output of one run. It belongs to the user that the command runs as.
    ///
    /// # Errors
    /// The error of the operating system.
    pub fn make_directory(&self, owned: Option<&Path>) -> io::Result<PathBuf> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed);
        let path = self.directory.path().join(number.to_string());
        DirBuilder::new().mode(0o700).create(&path)?;
        if let Some((uid, gid)) = owned.and_then(operation::other_owner) {
            chown(&path, Some(uid), Some(gid))?;
            fs::set_permissions(self.directory.path(), Permissions::from_mode(0o711))?;
        }
        Ok(path)
    }

    /// Removes the traces, and returns the forwarder of signals.
    pub fn close(self) -> (Forwarder, Vec<String>) {
        let Self { forwarder, mut notes, directory, .. } = self;
        let left = directory.path().to_owned();
        // Processes that the command left running may still write there.
        if let Err(error) = directory.close()
            && error.kind() != io::ErrorKind::NotFound
        {
            notes.push(format!("cannot remove {}: {error}", left.display()));
        }
        (forwarder, notes)
    }
}

/// A command's first word.
#[must_use]
pub fn program(command: &[OsString]) -> &OsStr {
    command.first().map_or(OsStr::new(""), OsString::as_os_str)
}

/// Opens a trace file. The command knows its path, and may have replaced it.
pub fn open_trace(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags | OFlags::RDONLY, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP | Errno::NOENT | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// The trace files with their processes, that of the command first.
fn trace_files(directory: &Path, own_pid: u32) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(directory) {
        // The command knows its path, and may have removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(files),
        entries => entries?,
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let pid = name.to_str().and_then(|name| name.strip_prefix(PREFIX)?.strip_prefix('.'));
        if let Some(pid) = pid.and_then(|pid| pid.parse().ok()) {
            files.push((pid, entry.path()));
        }
    }
    files.sort_unstable_by_key(|(pid, _)| (*pid != own_pid, *pid));
    Ok(files)
}

/// Appends a trace to the file that the user requested from the loader.
fn keep(debugging: &Debugging, pid: u32, trace: &mut File) -> io::Result<()> {
    let Some(output) = &debugging.output else { return Ok(()) };
    let mut name = output.clone();
    name.push(format!(".{pid}"));
    let failed = |error: io::Error| {
        let said = format!("LD_DEBUG_OUTPUT: {}: {error}", name.display());
        io::Error::new(error.kind(), said)
    };
    let mut file = File::options().append(true).create(true).open(&name).map_err(failed)?;
    trace.rewind()?;
    io::copy(trace, &mut file)?;
    Ok(())
}
