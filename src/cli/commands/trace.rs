//! `tfpatch trace`: what a command really asks of the loader, beside what was predicted.

use crate::cli::args::{Fix, Format, Trace};
use crate::cli::carrying::Subject;
use crate::cli::child::Forwarder;
use crate::cli::commands::fix::{self, Repaired};
use crate::cli::error::CommandError;
use crate::cli::session::{Chosen, Session, shown_from_here, status_of};
use crate::cli::settings::{self, Debugging};
use crate::cli::simulation::Simulation;
use crate::cli::view::View;
use crate::diagnosis::diagnose::{Diagnosis, diagnose};
use crate::elf::Kind;
use crate::findings::finding::Finding;
use crate::loader;
use crate::python::environment::Environment;
use crate::python::interpreter::is_interpreter_name;
use crate::python::target::Target;
use crate::repair::trace_scope::Scope;
use crate::report::findings::{self, Detail};
use crate::report::json::{self, TargetReport};
use crate::report::style::{DIM, paint};
use crate::report::trace::{Child, TraceReport, Traced, write};
use crate::trace::compare;
use crate::trace::replay::{Answer, Replay};
use crate::trace::{self, LoaderError};
use crate::vfs::{FileKind, OsVfs, Vfs as _};
use crate::world::World;
use crate::world::inventory;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Permissions};
use std::io::{self, BufReader, Seek as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// What the loader is to print: the search for libraries, and what is loaded for whom.
const CATEGORIES: &str = "libs,files";

/// The name of the trace files, before the dot and the process's ID.
const PREFIX: &str = "t";

/// Runs the command, waits for it, and reports.
///
/// # Errors
/// Where the command cannot be started, its trace cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Trace) -> Result<u8, CommandError> {
    let Some((program, arguments)) = options.command.split_first() else {
        return Err(CommandError::new("no command was given"));
    };
    if session.vfs.root().is_some() {
        let why = "--root: a command of another root cannot be run from here";
        return Err(CommandError::new(why).hint("chroot ROOTFS tfpatch trace -- COMMAND"));
    }
    let mut loader_settings = session.loader_settings(&Simulation::default())?;
    // The trace tells which of them the loader uses, whatever the processor has.
    loader_settings.hwcaps.clear();
    let ambient = settings::ambient()?;
    let debugging = settings::debugging();
    let directory = trace_directory()?;
    let forwarder = Forwarder::new(directory.path().to_owned(), settings::keeps_ignored)?;
    let (own_pid, child) =
        run_traced(&forwarder, program, arguments, directory.path(), &debugging)?;

    let mut replay = Replay::new(&session.vfs, loader_settings.clone(), &ambient.path);
    let mut gathered = Gathered::default();
    for (pid, path) in trace_files(directory.path(), own_pid)? {
        if let Some(mut file) = open_trace(&path)? {
            gathered.add(&mut replay, pid, &file)?;
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
    let answers = replay.into_answers();

    let resolved = resolve(session, &ambient.path, &loader_settings.working_directory, program);
    let environment = gathered.environment(session, resolved.as_deref(), ambient.home.as_deref());
    let chosen = match environment {
        Some(chosen) => Some(chosen),
        // Not every command has an environment.
        None => session.targets(&[]).ok().and_then(|found| found.into_iter().next()),
    };
    let examine =
        |session: &Session| Examined::of(session, chosen.as_ref(), &answers, &loader_settings);
    let fix_options = Fix { dry_run: options.dry_run, ..Fix::default() };
    let (examined, repaired) = match chosen.as_ref().filter(|_| options.fix) {
        None => (examine(session), None),
        Some(chosen) => {
            let repaired = session.until_settled(chosen.root(), options.dry_run, |session| {
                let examined = examine(session);
                let repaired = examined.repair(session, chosen, &fix_options)?;
                Ok((examined, repaired))
            });
            match repaired {
                Ok((examined, repaired)) => (examined, Some(Ok(repaired))),
                // What the command was seen doing is not lost with the repair.
                Err(error) => (examine(session), Some(Err(error))),
            }
        }
    };
    let Examined { files, world, diagnosed, findings } = &examined;
    let compared = compare::compare(files, world, &answers, &diagnosed.findings);
    if gathered.is_cut {
        notes.push("the trace was too long to be kept whole; what came last is missing".to_owned());
    }
    if gathered.processes == 0 {
        notes.push(why_nothing(session, resolved.as_deref()));
    }
    let done = repaired.as_ref().and_then(|repaired| repaired.as_ref().ok());
    let traced = Traced {
        child,
        processes: gathered.processes,
        answers: &answers,
        findings,
        compared: &compared,
        errors: &gathered.errors,
        notes: &notes,
        world,
        fix: chosen.as_ref().filter(|_| !options.fix).map(|chosen| chosen.command("fix")),
        plan: done.map(|repaired| &repaired.carried.plan),
    };
    match session.format {
        Format::Json => {
            let target =
                chosen.as_ref().map(|chosen| TargetReport::of(&world.root, &chosen.reason));
            json::write(&mut *session.out, &TraceReport::of(&traced, target))?;
        }
        Format::Human | Format::Markdown | Format::Dot => {
            if session.detail > Detail::Quiet {
                writeln!(session.out, "{}", paint(DIM, "──── tfpatch trace ────"))?;
            }
            if let Some(chosen) = &chosen {
                session.write_heading(chosen, world)?;
            }
            write(&mut *session.out, &traced, session.detail)?;
            if let (Some(chosen), Some(done)) = (&chosen, done) {
                // What came to light only now, or has a reason now why it stays.
                let remaining = done.proposal.remaining.iter();
                let new: Vec<Finding> =
                    remaining.filter(|finding| !findings.contains(finding)).cloned().collect();
                findings::write(&mut *session.out, world, &new, session.detail)?;
                let subject = Subject { chosen, view: &View::Files(files), world };
                fix::write(session, &fix_options, &subject, done)?;
            }
        }
    }
    let status = match repaired {
        Some(repaired) => {
            let remaining = repaired?.proposal.remaining;
            status_of(remaining.iter().map(Finding::severity), false)
        }
        None => status_of(findings.iter().map(Finding::severity), false),
    };
    // Whoever asked us to end is told that we did, not what was found until then.
    Ok(forwarder.status().unwrap_or(status))
}

/// The environment, and what the requests mean for it.
struct Examined {
    /// The files that were looked at, by one way to each.
    files: OsVfs,
    world: World,
    diagnosed: Diagnosis,
    findings: Vec<Finding>,
}

impl Examined {
    fn of(
        session: &Session,
        chosen: Option<&Chosen>,
        answers: &[Answer],
        settings: &loader::Settings,
    ) -> Self {
        let files = session.vfs.remembering();
        let (world, diagnosed) = match chosen {
            Some(chosen) => {
                let world = session.world(&View::Files(&files), chosen, settings.clone());
                let diagnosed = diagnose(&files, &world);
                (world, diagnosed)
            }
            None => (no_world(settings.clone()), Diagnosis::default()),
        };
        let findings = compare::findings(&files, &world, answers, &diagnosed.findings);
        Self { files, world, diagnosed, findings }
    }

    /// Repairs what was asked for in vain, as `tfpatch fix` would.
    fn repair(
        &self,
        session: &mut Session,
        chosen: &Chosen,
        options: &Fix,
    ) -> Result<Repaired, CommandError> {
        let Self { files, world, diagnosed, findings } = self;
        let scope = Scope::new(findings, &diagnosed.findings);
        let bindings = diagnosed.bindings.clone();
        let seen = Diagnosis { findings: findings.clone(), bindings, ..Diagnosis::default() };
        let subject = Subject { chosen, view: &View::Files(files), world };
        fix::repair(session, options, &subject, &seen, Some(scope))
    }
}

/// A directory for the trace, which nobody else may enter: what a loader writes there follows links. A
/// process that has become another user's and starts a program cannot write its trace, and its loader
/// prints to the command's output.
fn trace_directory() -> io::Result<TempDir> {
    let only_mine = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("tfpatch-trace-").permissions(only_mine).tempdir()
}

/// Starts a command under the loader's tracing, and waits for its end. Its process ID, and how it
/// ended.
fn run_traced(
    forwarder: &Forwarder,
    program: &OsStr,
    arguments: &[OsString],
    directory: &Path,
    debugging: &Debugging,
) -> Result<(u32, Child), CommandError> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LD_DEBUG", debugging.with(CATEGORIES))
        .env("LD_DEBUG_OUTPUT", directory.join(PREFIX));
    forwarder
        .run(&mut command)
        .map_err(|error| CommandError::new(format!("cannot run {}: {error}", program.display())))
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

/// What the trace files hold beside the requests.
#[derive(Default)]
struct Gathered {
    processes: usize,
    errors: BTreeMap<LoaderError, usize>,
    is_cut: bool,
    /// The interpreters of Python that ran, in order.
    interpreters: Vec<PathBuf>,
}

impl Gathered {
    fn add(&mut self, replay: &mut Replay<'_>, pid: u32, file: &File) -> io::Result<()> {
        let trace = trace::read(pid, &mut BufReader::with_capacity(1 << 16, file))?;
        self.processes += trace.processes;
        self.is_cut |= trace.is_cut;
        for (error, times) in &trace.errors {
            *self.errors.entry(error.clone()).or_default() += times;
        }
        let programs = trace.images.iter().filter_map(|image| replay.program(image));
        self.interpreters.extend(programs.filter(|path| is_python(path)));
        replay.add(&trace);
        Ok(())
    }

    /// The environment of the command's own interpreter, else of the first one that ran.
    fn environment(
        &self,
        session: &Session,
        program: Option<&Path>,
        home: Option<&Path>,
    ) -> Option<Chosen> {
        let of = |path: &Path| Environment::of_interpreter(&session.vfs, path, home);
        let chosen = |found: Environment, reason| {
            // A command for it works from anywhere.
            let named = Some(shown_from_here(&found.prefix));
            Chosen { named, ..Chosen::found(Target::Environment(found), reason) }
        };
        if let Some(found) = program.filter(|path| is_python(path)).and_then(of) {
            return Some(chosen(found, "of the command's interpreter".to_owned()));
        }
        self.interpreters.iter().find_map(|path| {
            let reason = format!("of {}, which the command ran", path.display());
            Some(chosen(of(path)?, reason))
        })
    }
}

fn is_python(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(is_interpreter_name)
}

/// Appends a trace to the file that the user asked the loader for.
fn keep(debugging: &Debugging, pid: u32, trace: &mut File) -> Result<(), CommandError> {
    let Some(output) = &debugging.output else { return Ok(()) };
    let mut name = output.clone();
    name.push(format!(".{pid}"));
    let mut file = File::options().append(true).create(true).open(&name).map_err(|error| {
        CommandError::new(format!("LD_DEBUG_OUTPUT: {}: {error}", name.display()))
    })?;
    trace.rewind()?;
    io::copy(trace, &mut file)?;
    Ok(())
}

/// The file that a command's first word means.
fn resolve(session: &Session, path: &[PathBuf], here: &Path, program: &OsStr) -> Option<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return Some(here.join(program));
    }
    path.iter().map(|directory| here.join(directory).join(program)).find(|path| {
        session
            .vfs
            .metadata(path)
            .is_ok_and(|metadata| metadata.kind == FileKind::File && metadata.mode & 0o111 != 0)
    })
}

/// Why the loader printed nothing.
fn why_nothing(session: &Session, program: Option<&Path>) -> String {
    const NOTHING: &str = "nothing was traced";
    let Some(program) = program else { return NOTHING.to_owned() };
    let shown = program.display();
    if session.vfs.metadata(program).is_ok_and(|metadata| metadata.mode & 0o6000 != 0) {
        return format!("{NOTHING}: {shown} is set-user-ID, and there the loader ignores LD_DEBUG");
    }
    let Some(summary) = inventory::summary_of(&session.vfs, program) else {
        return format!("{NOTHING}: {shown} is no ELF program");
    };
    match summary.interpreter {
        None if summary.kind != Kind::Shared || summary.needed.is_empty() => {
            format!("{NOTHING}: {shown} is linked statically, and no loader runs")
        }
        Some(interpreter) if !String::from_utf8_lossy(&interpreter).contains("ld-linux") => {
            let interpreter = String::from_utf8_lossy(&interpreter).into_owned();
            format!("{NOTHING}: the loader of {shown}, {interpreter}, is not glibc's")
        }
        _ => format!("{NOTHING}: the loader of {shown} did not answer to LD_DEBUG"),
    }
}

/// A target without anything in it, for a command that has none.
fn no_world(settings: loader::Settings) -> World {
    World { root: PathBuf::from("/"), settings, ..World::default() }
}
