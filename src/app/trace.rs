//! Compares the requests of a command to the loader with the predictions, and repairs what failed to load.

use super::carry_out::{Carrying, Subject};
use super::child::Child;
use super::fix::{Planning, Repaired};
use super::targets::Reason;
use super::view::View;
use super::{App, Chosen, Error};
use crate::diagnosis::diagnose::{Diagnosis, diagnose_asked};
use crate::elf::Kind;
use crate::findings::finding::{Finding, sort};
use crate::loader::Settings;
use crate::python::environment::Environment;
use crate::python::interpreter::is_interpreter_name;
use crate::python::target::Target;
use crate::repair::trace_scope::Scope;
use crate::trace::broken;
use crate::trace::compare::{self, Compared};
use crate::trace::replay::{Answer, Replay};
use crate::trace::{self, Broken, LoaderError};
use crate::vfs::{FileKind, OsVfs, Vfs as _};
use crate::world::inventory;
use crate::world::{Question, World};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io::{self, BufRead};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The requests of the processes of a command.
pub struct Requests<'a> {
    replay: Replay<'a>,
    heard: Heard,
}

/// The other observations in a trace.
#[derive(Debug, Default)]
pub struct Heard {
    /// The processes that the loader traced.
    pub processes: usize,
    /// Symbols and versions that were not found, each with its number of occurrences.
    pub errors: BTreeMap<LoaderError, usize>,
    /// Was the trace truncated because it was too long?
    pub is_cut: bool,
    /// The processes that an error of the loader may have terminated.
    pub broken: Vec<Broken>,
    /// The process of the command itself.
    own: Option<u32>,
    /// The programs that ran, in order.
    pub(super) programs: Vec<PathBuf>,
}

/// The exit status of a program that the loader terminates (`fatal_error` in glibc's elf/dl-catch.c).
const ENDED_BY_LOADER: i32 = 127;

impl Heard {
    /// The errors of the loader that terminated programs: those before a program had control, which nothing
    /// can catch, and those of the command itself if its status shows it.
    #[must_use]
    pub fn ended_by(&self, child: Child) -> Vec<LoaderError> {
        let is_certain = |broken: &&Broken| {
            let is_own = Some(broken.pid) == self.own;
            !broken.has_begun || is_own && child.status == Some(ENDED_BY_LOADER)
        };
        self.broken.iter().filter(is_certain).map(|broken| broken.error.clone()).collect()
    }

    /// The Python interpreters that ran, in order.
    pub(super) fn interpreters(&self) -> impl Iterator<Item = &PathBuf> {
        Self::interpreters_of(&self.programs)
    }

    /// The Python interpreters among programs.
    pub(super) fn interpreters_of(programs: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
        programs.iter().filter(|path| is_python(path))
    }

    /// Adds the observations about other processes.
    pub fn add(&mut self, other: Self) {
        self.processes += other.processes;
        self.is_cut |= other.is_cut;
        self.programs.extend(other.programs);
        self.broken.extend(other.broken);
        for (error, times) in other.errors {
            *self.errors.entry(error).or_default() += times;
        }
    }
}

/// How to interpret the requests.
#[derive(Debug)]
pub struct Trace<'a> {
    /// The command's first word.
    pub program: &'a OsStr,
    /// How it ended.
    pub child: Child,
    /// The environment of the loader.
    pub settings: Settings,
    /// Additional directories with libraries, as the user named them.
    pub search: Vec<PathBuf>,
    /// How to repair what failed to load; `None` to change nothing.
    pub fix: Option<(Planning, Carrying)>,
}

/// The requests of a command, and their interpretation.
pub struct Traced {
    /// The environment that it ran in, if any.
    pub chosen: Option<Chosen>,
    /// The processes that the loader traced.
    pub processes: usize,
    /// The requests.
    pub answers: Vec<Answer>,
    /// Symbols and versions that were not found.
    pub errors: BTreeMap<LoaderError, usize>,
    /// Was the trace truncated because it was too long?
    pub is_cut: bool,
    /// The reason why nothing was traced, if nothing was.
    pub silence: Option<Silence>,
    /// The objects of the environment, and what the requests show about it.
    pub examined: Examined,
    /// The repair, if one was requested. If it fails, the observations are still reported.
    pub repaired: Option<Result<Repaired, Error>>,
}

/// The reason why a loader printed nothing for a program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Silence {
    /// The program was not found.
    Unknown,
    /// It has more privileges than its caller, so the loader ignores LD_DEBUG.
    SetId(PathBuf),
    /// It is not an ELF file.
    NotElf(PathBuf),
    /// It is linked statically.
    Static(PathBuf),
    /// Its loader is not glibc's.
    OtherLoader(PathBuf, String),
    /// Unknown.
    NoAnswer(PathBuf),
}

/// The environment, and what the requests show about it.
pub struct Examined {
    /// The examined files.
    files: OsVfs,
    /// The objects of the environment.
    pub world: World,
    diagnosed: Diagnosis,
    /// What failed to load.
    pub findings: Vec<Finding>,
}

impl<'a> Requests<'a> {
    /// No requests yet, for a process with these variables.
    ///
    /// # Errors
    /// If the working directory is gone.
    pub fn new(app: &'a App, settings: &Settings) -> Result<Self, Error> {
        let replay = Replay::new(&app.vfs, settings.clone(), &app.ambient()?.path);
        Ok(Self { replay, heard: Heard::default() })
    }

    /// Adds the requests of a process from the output of its loader.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn add(&mut self, pid: u32, printed: &mut impl BufRead) -> io::Result<()> {
        let Self { replay, heard } = self;
        let trace = trace::read(pid, printed)?;
        heard.processes += trace.processes;
        heard.is_cut |= trace.is_cut;
        heard.own.get_or_insert(pid);
        heard.broken.extend(trace.broken.iter().cloned());
        for (error, times) in &trace.errors {
            *heard.errors.entry(error.clone()).or_default() += times;
        }
        let programs = trace.images.iter().filter_map(|image| replay.program(image));
        heard.programs.extend(programs);
        replay.add(&trace);
        Ok(())
    }

    /// The requests with predictions, and the other observations.
    #[must_use]
    pub fn into_answers(self) -> (Vec<Answer>, Heard) {
        (self.replay.into_answers(), self.heard)
    }
}

impl App {
    /// Finds the environment that a command ran in, interprets its requests, and repairs the environment if
    /// requested.
    ///
    /// # Errors
    /// If the working directory is gone.
    pub fn trace(&self, requests: Requests<'_>, how: &Trace<'_>) -> Result<Traced, Error> {
        let (answers, heard) = requests.into_answers();
        let program = self.program(&how.settings.working_directory, how.program)?;
        let chosen = match self.environment_of_command(&heard, program.as_deref())? {
            Some(chosen) => Some(chosen),
            // Not every command runs in an environment.
            None => self.targets(&[]).ok().and_then(|found| found.into_iter().next()),
        };
        let question = Question { search: how.search.clone(), ..Question::default() };
        let question = self.question(&View::Files(&self.vfs), &question)?;
        let ended_by = heard.ended_by(how.child);
        let examine =
            || self.examine(chosen.as_ref(), &answers, (&ended_by, &heard.errors), how, &question);
        let (examined, repaired) = match chosen.as_ref().zip(how.fix.as_ref()) {
            None => (examine(), None),
            Some((chosen, (planning, carrying))) => {
                let repaired = self.until_settled(chosen.root(), carrying.dry_run, || {
                    let examined = examine();
                    let repaired = examined.repair(self, chosen, &question, *planning, carrying)?;
                    Ok((examined, repaired))
                });
                match repaired {
                    Ok((examined, repaired)) => (examined, Some(Ok(repaired))),
                    Err(error) => (examine(), Some(Err(error))),
                }
            }
        };
        let silence = (heard.processes == 0).then(|| self.silence(program));
        let Heard { processes, errors, is_cut, .. } = heard;
        Ok(Traced { chosen, processes, answers, errors, is_cut, silence, examined, repaired })
    }

    /// The environment of the command's own interpreter, or else of the first one that ran.
    pub(super) fn environment_of_command(
        &self,
        heard: &Heard,
        program: Option<&Path>,
    ) -> Result<Option<Chosen>, Error> {
        let home = self.ambient()?.home.as_deref();
        let of = |path: &Path| Environment::of_interpreter(&self.vfs, path, home);
        let chosen = |found: Environment, reason| {
            // The suggested command must work from any directory.
            let named = Some(self.relative(&found.prefix));
            let stores = self.store_options();
            Chosen { named, stores, ..Chosen::found(Target::Environment(found), reason) }
        };
        if let Some(found) = program.filter(|path| is_python(path)).and_then(of) {
            return Ok(Some(chosen(found, Reason::OfCommand)));
        }
        Ok(heard.interpreters().find_map(|path| {
            let reason = Reason::Ran(path.clone());
            Some(chosen(of(path)?, reason))
        }))
    }

    fn examine(
        &self,
        chosen: Option<&Chosen>,
        answers: &[Answer],
        (ended_by, errors): (&[LoaderError], &BTreeMap<LoaderError, usize>),
        how: &Trace<'_>,
        question: &Question,
    ) -> Examined {
        let settings = &how.settings;
        let files = self.vfs.remembering();
        let (world, diagnosed) = match chosen {
            Some(chosen) => {
                let world = self.world(&View::Files(&files), chosen, settings.clone());
                let diagnosed = diagnose_asked(&files, &world, question);
                (world, diagnosed)
            }
            None => (no_world(settings.clone()), Diagnosis::default()),
        };
        let known = &diagnosed.findings;
        let mut findings = compare::findings(&files, &world, &question.search, answers, known);
        findings.extend(broken::findings(&files, &world, ended_by, known));
        let lacking = broken::without_version(&files, &world, errors.keys(), known);
        let new = |one: &Finding| findings.iter().all(|other| other.question() != one.question());
        let lacking: Vec<Finding> = lacking.into_iter().filter(new).collect();
        findings.extend(lacking);
        sort(&mut findings);
        Examined { files, world, diagnosed, findings }
    }

    /// The file that the first word of a command refers to.
    pub(super) fn program(&self, here: &Path, word: &OsStr) -> Result<Option<PathBuf>, Error> {
        if word.as_bytes().contains(&b'/') {
            return Ok(Some(here.join(word)));
        }
        let is_program = |path: &PathBuf| {
            self.vfs
                .metadata(path)
                .is_ok_and(|metadata| metadata.kind == FileKind::File && metadata.mode & 0o111 != 0)
        };
        let path = self.ambient()?.path.iter();
        Ok(path.map(|directory| here.join(directory).join(word)).find(is_program))
    }

    /// The reason why the loader printed nothing.
    pub(super) fn silence(&self, program: Option<PathBuf>) -> Silence {
        let Some(program) = program else { return Silence::Unknown };
        if self.vfs.metadata(&program).is_ok_and(|metadata| metadata.mode & 0o6000 != 0) {
            return Silence::SetId(program);
        }
        let Some(summary) = inventory::summary_of(&self.vfs, &program) else {
            return Silence::NotElf(program);
        };
        match &summary.interpreter {
            None if summary.kind != Kind::Shared || summary.needed.is_empty() => {
                Silence::Static(program)
            }
            Some(loader) if !String::from_utf8_lossy(loader).contains("ld-linux") => {
                Silence::OtherLoader(program, String::from_utf8_lossy(loader).into_owned())
            }
            _ => Silence::NoAnswer(program),
        }
    }
}

impl Examined {
    /// What the requests show about the findings of the diagnosis.
    #[must_use]
    pub fn compare(&self, answers: &[Answer]) -> Vec<Compared<'_>> {
        compare::compare(&self.files, &self.world, answers, &self.diagnosed.findings)
    }

    /// Repairs what failed to load, as a fix would.
    fn repair(
        &self,
        app: &App,
        chosen: &Chosen,
        question: &Question,
        planning: Planning,
        carrying: &Carrying,
    ) -> Result<Repaired, Error> {
        let Self { files, world, diagnosed, findings } = self;
        let scope = Scope::new(findings, &diagnosed.findings);
        let bindings = diagnosed.bindings.clone();
        let seen = Diagnosis { findings: findings.clone(), bindings, ..Diagnosis::default() };
        let subject = Subject { chosen, view: &View::Files(files), world };
        app.repair(subject, question.clone(), &seen, planning, carrying, Some(scope))
    }
}

pub(super) fn is_python(path: &Path) -> bool {
    path.file_name().and_then(OsStr::to_str).is_some_and(is_interpreter_name)
}

/// An empty target, for a command without an environment.
fn no_world(settings: Settings) -> World {
    World { root: PathBuf::from("/"), settings, ..World::default() }
}
