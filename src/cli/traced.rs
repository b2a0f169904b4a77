//! A command that is run under the loader's tracing, and the files that the loader writes then.

use super::child::Forwarder;
use super::error::Error;
use super::session::Session;
use super::settings::{self, Debugging};
use super::simulation::Simulation;
use crate::app::trace::Requests;
use crate::loader;
use crate::report::trace::Child;
use crate::report::words::Words;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Seek as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What the loader is to print: the search for libraries, and what is loaded for whom.
const CATEGORIES: &str = "libs,files";

/// The name of the trace files, before the dot and the process's ID.
const PREFIX: &str = "t";

/// A directory for the trace, which nobody else may enter: what a loader writes there follows links. A
/// process that has become another user's and starts a program cannot write its trace, and its loader
/// prints to the command's output.
///
/// # Errors
/// Where it cannot be made.
fn directory() -> io::Result<TempDir> {
    let only_mine = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("tfpatch-trace-").permissions(only_mine).tempdir()
}

/// A command that has run, and what came of it.
pub struct Ran<'a> {
    /// Its first word.
    pub program: &'a OsStr,
    /// The loader's environment.
    pub settings: loader::Settings,
    /// What its processes asked of the loader.
    pub requests: Requests<'a>,
    /// How it ended.
    pub child: Child,
    /// What the reader has to know of the trace: sentences.
    pub notes: Vec<String>,
    /// Who passed on signals to it.
    pub forwarder: Forwarder,
}

/// Runs a command and hears what its processes ask of the loader.
///
/// # Errors
/// Where it cannot be started, or its trace cannot be read.
pub fn run<'a>(session: &'a Session, command: &'a [OsString]) -> Result<Ran<'a>, Error> {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Words::new("no command was given").into());
    };
    if session.app.is_elsewhere() {
        let why = "--root: a command of another root cannot be run from here";
        return Err(Words::new(why).hint("chroot ROOTFS tfpatch trace -- COMMAND").into());
    }
    let mut settings = session.loader_settings(&Simulation::default())?;
    // The trace tells which of them the loader uses, whatever the processor has.
    settings.hwcaps.clear();
    let directory = directory()?;
    let forwarder = Forwarder::new(directory.path().to_owned(), settings::keeps_ignored)?;
    let mut requests = Requests::new(&session.app, &settings)?;
    let debugging = settings::debugging();
    let (own_pid, child) =
        run_traced(&forwarder, program, arguments, directory.path(), &debugging)?;
    for (pid, path) in trace_files(directory.path(), own_pid)? {
        if let Some(mut file) = open_trace(&path)? {
            requests.add(pid, &mut BufReader::with_capacity(1 << 16, &file))?;
            keep(&debugging, pid, &mut file)?;
        }
    }
    let mut notes = debugging.notes();
    let left = directory.path().to_owned();
    // What the command left running may write there at this moment.
    if let Err(error) = directory.close()
        && error.kind() != io::ErrorKind::NotFound
    {
        notes.push(format!("{} could not be removed: {error}", left.display()));
    }
    Ok(Ran { program, settings, requests, child, notes, forwarder })
}

/// Starts a command under the loader's tracing, and waits for its end. Its process ID, and how it
/// ended.
fn run_traced(
    forwarder: &Forwarder,
    program: &OsStr,
    arguments: &[OsString],
    directory: &Path,
    debugging: &Debugging,
) -> Result<(u32, Child), Error> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LD_DEBUG", debugging.with(CATEGORIES))
        .env("LD_DEBUG_OUTPUT", directory.join(PREFIX));
    let failed = |error| Words::new(format!("cannot run {}: {error}", program.display()));
    Ok(forwarder.run(&mut command).map_err(failed)?)
}

/// Opens a file of the trace. The command knows where it is, and may have put something else there.
fn open_trace(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags | OFlags::RDONLY, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP | Errno::NOENT | Errno::NXIO) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// The files of the trace, with the process of each: the command's own first.
fn trace_files(directory: &Path, own_pid: u32) -> io::Result<Vec<(u32, PathBuf)>> {
    let mut files = Vec::new();
    let entries = match fs::read_dir(directory) {
        // The command knows where it is, and may have removed it.
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

/// Appends a trace to the file that the user asked the loader for.
fn keep(debugging: &Debugging, pid: u32, trace: &mut File) -> Result<(), Error> {
    let Some(output) = &debugging.output else { return Ok(()) };
    let mut name = output.clone();
    name.push(format!(".{pid}"));
    let failed = |error| Words::new(format!("LD_DEBUG_OUTPUT: {}: {error}", name.display()));
    let mut file = File::options().append(true).create(true).open(&name).map_err(failed)?;
    trace.rewind()?;
    io::copy(trace, &mut file)?;
    Ok(())
}
