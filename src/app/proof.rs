//! Proof by running: a command is run with the loader traced, and its result decides whether a target works.
//!
//! Files alone do not show guarded imports, or libraries that a program opens by a computed path. A command
//! is *well* if it ends with status 0; it *works* if it is well and no library is lost that an object of the
//! target opens itself. A repair is undone only if three runs prove it: well before the repair, not well
//! after it, and well again after the revert.

use super::carry_out::{Carrying, Written};
use super::doctor::{Diagnosed, Doctor};
use super::error::NotRun;
use super::fix::{Fix, Fixed, Repaired};
use super::revert::{PutBack, Revert};
use super::runs::{Child, Purpose, Run, Runner};
use super::trace::{Heard, Silence, is_python};
use super::verify::{Verified, errors};
use super::view::View;
use super::{App, Chosen, Error};
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::finding::{Finding, Severity};
use crate::loader::Settings;
use crate::operation::other_owner;
use crate::python::environment::{Environment, same_file};
use crate::python::target::Target;
use crate::repair::trace_scope::Scope;
use crate::trace::LoaderError;
use crate::trace::proved::{Missed, Proved, Testimony, refuted};
use crate::trace::replay::Answer;
use crate::trace::{broken, compare};
use crate::vfs::Vfs;
use crate::world::World;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The outcome. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The command works, and no repair affected it.
    Works,
    /// It did not work before the repair, and works now.
    WorksNow,
    /// It worked before the repair, and works now.
    WorksStill,
    /// It ends with status 0, but libraries in the target failed to load.
    Incomplete,
    /// It does not end with status 0.
    Fails,
    /// It ended with status 0 before the repair, but not after it, and does so again after the revert: the
    /// repair was undone.
    TakenBack,
    /// It ended with status 0 before the repair, but neither after it nor after the revert.
    Flaky,
    /// Unknown, because it timed out, another interpreter ran than that of the target, or nothing of the
    /// target was loaded.
    Unknown,
    /// A signal interrupted tfpatch.
    Interrupted,
}

impl Verdict {
    /// Does the command work, as far as the runs show?
    #[must_use]
    pub fn is_good(self) -> bool {
        matches!(self, Self::Works | Self::WorksNow | Self::WorksStill)
    }
}

/// A run, and what it shows.
#[derive(Debug)]
pub struct Seen {
    /// Its purpose.
    pub purpose: Purpose,
    /// How it ended.
    pub child: Child,
    /// Was it terminated because of a timeout?
    pub timed_out: bool,
    /// The reason why it was not run, if it could not be.
    pub failure: Option<Error>,
    /// The last lines of its standard error.
    pub words: Vec<String>,
    /// The processes that the loader traced.
    pub processes: usize,
    /// Was the trace truncated because it was too long?
    pub is_cut: bool,
    /// The reason why nothing was traced, if nothing was.
    pub silence: Option<Silence>,
    /// An interpreter that ran, if none of the target's did.
    pub stranger: Option<PathBuf>,
    /// Was anything of the target run or loaded? If nothing was traced, this is unknown.
    pub touches: bool,
    /// The programs that ran.
    programs: Vec<PathBuf>,
    /// Symbols and versions that were not found.
    pub errors: BTreeMap<LoaderError, usize>,
    /// The errors of the loader that terminated programs.
    ended_by: Vec<LoaderError>,
    /// The libraries that failed to load.
    pub missing: Vec<Finding>,
    /// Those of them that an object of the target opens itself: a successful command may silently lack them.
    pub lost: Vec<Finding>,
    /// What the run shows about each finding about a library.
    pub evidence: Vec<(Finding, Testimony)>,
}

impl Seen {
    /// Did it end with status 0, before any timeout?
    #[must_use]
    pub fn is_well(&self) -> bool {
        self.child.is_well() && !self.timed_out
    }

    /// Is it well, and is no library lost?
    #[must_use]
    pub fn works(&self) -> bool {
        self.is_well() && self.lost.is_empty()
    }

    fn verdict(&self) -> Verdict {
        match () {
            () if self.timed_out => Verdict::Unknown,
            // Another environment may have what the target lacks.
            () if self.is_well() && (self.stranger.is_some() || !self.touches) => Verdict::Unknown,
            () if self.works() => Verdict::Works,
            () if self.is_well() => Verdict::Incomplete,
            () => Verdict::Fails,
        }
    }
}

/// All runs of a command, and the outcome.
#[derive(Debug)]
pub struct Proof {
    /// The runs, in order.
    pub runs: Vec<Seen>,
    /// The outcome.
    pub verdict: Verdict,
}

/// A target that was repaired, with runs of a command.
pub struct ProvedFix {
    /// The target.
    pub chosen: Chosen,
    /// The objects of the target.
    pub world: World,
    /// The repairs, in order. The last of several may have found nothing to do.
    pub repairs: Vec<Repaired>,
    /// The diagnosis of the target in its final state.
    pub remaining: Vec<Finding>,
    /// The revert of the last repair, if there was one.
    pub put_back: Option<PutBack>,
    /// The runs.
    pub proof: Proof,
}

/// A run with its requests, before it is compared with a target.
struct Heeded {
    seen: Seen,
    answers: Vec<Answer>,
}

impl App {
    /// Runs a command, and includes the results in the diagnosis of its target.
    ///
    /// # Errors
    /// If the command cannot be started, or the target cannot be read.
    pub fn prove_doctor<'a>(
        &'a self,
        asked: Asked<'_>,
        how: &Doctor,
        runner: &mut dyn Runner<'a>,
    ) -> Result<(Chosen, Diagnosed, Proof), Error> {
        let (chosen, mut run) = self.first(asked, Purpose::Once, runner)?;
        let mut diagnosed = self.diagnose(&chosen, how)?;
        run.judge(&self.vfs, &diagnosed.world, &self.searched(how)?, &mut diagnosed.diagnosis);
        Ok((chosen, diagnosed, run.seen.alone(runner)))
    }

    /// Runs a command, and verifies its target.
    ///
    /// # Errors
    /// If the command cannot be started, or the target or its store cannot be read.
    pub fn prove_verify<'a>(
        &'a self,
        asked: Asked<'_>,
        settings: &Settings,
        runner: &mut dyn Runner<'a>,
    ) -> Result<(Chosen, Verified, Proof), Error> {
        let (chosen, mut run) = self.first(asked, Purpose::Once, runner)?;
        let mut verified = self.verify(&chosen, settings)?;
        run.judge(&self.vfs, &verified.world, &[], &mut verified.diagnosis);
        verified.errors = errors(&verified.diagnosis);
        Ok((chosen, verified, run.seen.alone(runner)))
    }

    /// Runs a command, repairs the target according to the results, and repeats this while new libraries fail
    /// to load, for at most `max_runs` runs. If the command fails because of a repair, the repair is undone.
    ///
    /// # Errors
    /// If the command cannot be started, or the target cannot be read or written.
    pub fn prove_fix<'a>(
        &'a self,
        asked: Asked<'_>,
        how: &Fix,
        max_runs: usize,
        runner: &mut dyn Runner<'a>,
    ) -> Result<ProvedFix, Error> {
        let purpose = if how.carrying.dry_run { Purpose::Once } else { Purpose::Before };
        let (chosen, mut last) = self.first(asked, purpose, runner)?;
        let diagnose = || self.diagnose(&chosen, &how.doctor());
        if runner.is_told_to_end() {
            let Diagnosed { world, diagnosis, .. } = diagnose()?;
            let proof = last.seen.alone(runner);
            let (repairs, remaining, put_back) = (Vec::new(), diagnosis.findings, None);
            return Ok(ProvedFix { chosen, world, repairs, remaining, put_back, proof });
        }
        let (mut runs, mut repairs, mut put_back) = (Vec::new(), Vec::new(), None);
        let (world, verdict) = loop {
            let Fixed { world, repaired } = self.repair_seen(&chosen, how, &mut last)?;
            let written = repaired.carried.written.clone();
            repairs.push(repaired);
            let before = last.seen;
            let (was_well, own, timed_out) = (before.is_well(), before.verdict(), before.timed_out);
            runs.push(before);
            let Written::InPlace(operation) = written else { break (world, own) };
            if timed_out {
                break (world, Verdict::Unknown);
            }
            let mut run = self.run_again(&chosen, Purpose::After, runner);
            if runner.is_told_to_end() {
                runs.push(run.seen);
                break (world, Verdict::Interrupted);
            }
            if was_well && !run.seen.is_well() {
                runs.push(run.seen);
                put_back = Some(self.take_back(&chosen, how, operation)?);
                let again = self.run_again(&chosen, Purpose::Reverted, runner);
                let verdict = again.seen.once_taken_back(runner);
                runs.push(again.seen);
                break (world, verdict);
            }
            self.judge_now(&chosen, how, &mut run)?;
            let is_last = run.seen.works() || run.seen.timed_out || runs.len() + 1 >= max_runs;
            if is_last || !run.seen.shows_more_than(&runs) {
                let verdict = run.seen.after(&runs);
                runs.push(run.seen);
                break (world, verdict);
            }
            last = run;
        };
        let remaining = match (&put_back, repairs.last()) {
            (None, Some(repaired)) => repaired.remaining.clone(),
            _ => diagnose()?.diagnosis.findings,
        };
        let proof = Proof { runs, verdict };
        Ok(ProvedFix { chosen, world, repairs, remaining, put_back, proof })
    }

    /// Compares a run with the current state of the target.
    fn judge_now(&self, chosen: &Chosen, how: &Fix, run: &mut Heeded) -> Result<(), Error> {
        let how = how.doctor();
        let Diagnosed { world, mut diagnosis, .. } = self.diagnose(chosen, &how)?;
        run.judge(&self.vfs, &world, &self.searched(&how)?, &mut diagnosis);
        Ok(())
    }

    /// The directories of `--search`, absolute.
    pub(super) fn searched(&self, how: &Doctor) -> Result<Vec<PathBuf>, Error> {
        Ok(self.question(&View::Files(&self.vfs), &how.question)?.search)
    }

    /// Finds the target, and runs the command before any repair.
    fn first<'a>(
        &'a self,
        asked: Asked<'_>,
        purpose: Purpose,
        runner: &mut dyn Runner<'a>,
    ) -> Result<(Chosen, Heeded), Error> {
        let here = &self.ambient()?.working_directory;
        let program = self.program(here, asked.program)?;
        let (known, is_sure) = match asked.target {
            [_, ..] => (self.targets(asked.target)?.into_iter().next(), true),
            [] => match self.environment_of_command(&Heard::default(), program.as_deref())? {
                Some(own) => (Some(own), true),
                None => (self.targets(&[]).ok().and_then(|all| all.into_iter().next()), false),
            },
        };
        if let Some(chosen) = &known {
            require_runnable(chosen)?;
            self.require_interpreter(chosen)?;
        }
        let run = runner.run(purpose, known.as_ref().map(Chosen::root))?;
        let Run { child, timed_out, words, requests } = run;
        let (answers, heard) = requests.into_answers();
        let of_run = || self.environment_of_command(&heard, program.as_deref());
        let chosen = match if is_sure { None } else { of_run()? } {
            Some(found) => {
                let ran_for = known.as_ref().and_then(|chosen| other_owner(chosen.root()));
                if other_owner(found.root()) != ran_for {
                    return Err(NotRun::OtherOwner(self.relative(found.root())).into());
                }
                found
            }
            None => match known {
                Some(chosen) => chosen,
                // This explains why nothing was found.
                None => self.targets(&[])?.into_iter().next().ok_or(Error::RootWithoutTarget)?,
            },
        };
        let silence = (heard.processes == 0).then(|| self.silence(program));
        let stranger = self.stranger(&chosen, &heard);
        let seen = Seen::new(purpose, child, timed_out, words, heard, silence);
        Ok((chosen, Heeded { seen: Seen { stranger, ..seen }, answers }))
    }

    /// An interpreter that ran, if none of the target's did. Its imports prove nothing about the target.
    fn stranger(&self, chosen: &Chosen, heard: &Heard) -> Option<PathBuf> {
        let own = match &chosen.target {
            Target::Environment(found) => found,
            _ => chosen.environment.as_ref()?,
        };
        let home = self.ambient.as_ref().ok().and_then(|ambient| ambient.home.as_deref());
        let is_own = |path: &PathBuf| {
            Environment::of_interpreter(&self.vfs, path, home)
                .is_some_and(|found| same_file(&self.vfs, &found.prefix, &own.prefix))
        };
        let first = heard.interpreters().next()?;
        (!heard.interpreters().any(is_own)).then(|| first.clone())
    }

    /// Runs the command again. If it can no longer be started, that is the result.
    fn run_again<'a>(
        &'a self,
        chosen: &Chosen,
        purpose: Purpose,
        runner: &mut dyn Runner<'a>,
    ) -> Heeded {
        match runner.run(purpose, Some(chosen.root())) {
            Ok(Run { child, timed_out, words, requests }) => {
                let (answers, heard) = requests.into_answers();
                let stranger = self.stranger(chosen, &heard);
                let seen = Seen::new(purpose, child, timed_out, words, heard, None);
                Heeded { seen: Seen { stranger, ..seen }, answers }
            }
            Err(error) => {
                let child = Child { status: None, signal: None };
                let heard = Heard::default();
                let seen = Seen::new(purpose, child, false, Vec::new(), heard, None);
                let seen = Seen { failure: Some(error), ..seen };
                Heeded { seen, answers: Vec::new() }
            }
        }
    }

    /// Repairs a target according to a run.
    fn repair_seen(&self, chosen: &Chosen, how: &Fix, run: &mut Heeded) -> Result<Fixed, Error> {
        self.fix_beside(chosen, how, &mut |vfs, world, question, diagnosis| {
            let diagnosed = diagnosis.findings.clone();
            run.judge(vfs, world, &question.search, diagnosis);
            let refuted = run.seen.refuted().cloned().collect();
            Some(Scope::beside(&run.seen.missing, &diagnosed, refuted))
        })
    }

    /// Undoes a repair.
    pub(super) fn take_back(
        &self,
        chosen: &Chosen,
        how: &Fix,
        operation: String,
    ) -> Result<PutBack, Error> {
        let Carrying { write, sync, .. } = how.carrying;
        self.revert(chosen, &Revert { operation: Some(operation), dry_run: false, write, sync })
    }
}

/// The command to run, and its target.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'o> {
    /// The target that the user named, if any.
    pub target: &'o [PathBuf],
    /// The command's first word.
    pub program: &'o OsStr,
}

/// Refuses a target in which no command can run.
fn require_runnable(chosen: &Chosen) -> Result<(), Error> {
    match &chosen.target {
        Target::Wheel(wheel) => Err(NotRun::InWheel(wheel.clone()).into()),
        _ => Ok(()),
    }
}

impl Fix {
    /// The diagnosis that the repair is based on.
    pub(super) fn doctor(&self) -> Doctor {
        Doctor { settings: self.settings.clone(), question: self.question.clone() }
    }
}

impl Heeded {
    /// Compares a run with a diagnosis: failures to load are added, and refuted findings become `info`.
    fn judge(
        &mut self,
        vfs: &dyn Vfs,
        world: &World,
        search: &[PathBuf],
        diagnosis: &mut Diagnosis,
    ) {
        let Self { seen, answers } = self;
        let diagnosed = diagnosis.findings.clone();
        let proved = Proved::new(vfs, world, answers, &diagnosed);
        let mut missing = compare::findings(vfs, world, search, answers, &diagnosed);
        let is_well = seen.is_well();
        // If a shell started the interpreter, the status of the shell may differ from that of the
        // interpreter.
        let is_its_own = seen.programs.first().is_none_or(|program| is_python(program));
        let misses = |finding: &Finding| match proved.misses(finding) {
            Missed::Needed if is_well && !is_its_own && proved.is_feared(finding) => Missed::Lost,
            other => other,
        };
        seen.lost = missing.iter().filter(|it| misses(it) == Missed::Lost).cloned().collect();
        // Failures that prevent an object from loading come first, because the others may then be irrelevant.
        let is_kept = missing.iter().any(|it| misses(it) == Missed::Needed);
        for finding in &mut missing {
            finding.is_optional = match misses(finding) {
                // A successful command has caught the failure; a failed one may have failed because of it.
                Missed::Needed => is_well && !finding.fixable,
                Missed::Lost => false,
                Missed::Optional => is_well || is_kept,
            };
        }
        let with_library = diagnosed.iter().filter(|finding| finding.library.is_some());
        let is_own = |path: &Path| world.object_at(vfs, path).is_some();
        let has_python = Heard::interpreters_of(&seen.programs).next().is_some();
        seen.touches = seen.silence.is_some()
            || seen.programs.is_empty()
            || has_python && seen.stranger.is_none()
            || seen.programs.iter().any(|program| is_own(program))
            || answers.iter().filter_map(|answer| answer.found.as_deref()).any(is_own);
        seen.evidence =
            with_library.map(|finding| (finding.clone(), proved.says(finding))).collect();
        for finding in &mut diagnosis.findings {
            finding.is_optional |= proved.says(finding) == Testimony::Refuted;
        }
        diagnosis.supersede(missing.clone());
        diagnosis.supersede(broken::findings(vfs, world, &seen.ended_by, &diagnosed));
        seen.missing = missing;
    }
}

impl Seen {
    fn new(
        purpose: Purpose,
        child: Child,
        timed_out: bool,
        words: Vec<String>,
        heard: Heard,
        silence: Option<Silence>,
    ) -> Self {
        let ended_by = heard.ended_by(child);
        let Heard { processes, errors, is_cut, programs, .. } = heard;
        Self {
            purpose,
            child,
            timed_out,
            failure: None,
            words,
            processes,
            is_cut,
            silence,
            stranger: None,
            touches: true,
            programs,
            errors,
            ended_by,
            missing: Vec::new(),
            lost: Vec::new(),
            evidence: Vec::new(),
        }
    }

    /// The proof that consists of this run.
    fn alone<'a>(self, runner: &dyn Runner<'a>) -> Proof {
        let verdict = if runner.is_told_to_end() { Verdict::Interrupted } else { self.verdict() };
        Proof { runs: vec![self], verdict }
    }

    /// Did more libraries fail to load than in the previous runs?
    fn shows_more_than(&self, before: &[Self]) -> bool {
        let errors = |run: &Self| -> Vec<Finding> {
            let is_error = |finding: &&Finding| finding.severity() == Severity::Error;
            run.missing.iter().filter(is_error).cloned().collect()
        };
        let known: Vec<Finding> = before.iter().flat_map(errors).collect();
        let known: HashSet<_> = known.iter().map(Finding::question).collect();
        errors(self).iter().any(|finding| !known.contains(&finding.question()))
    }

    /// The outcome after these runs.
    fn after(&self, before: &[Self]) -> Verdict {
        match self.verdict() {
            Verdict::Works if before.first().is_some_and(Self::works) => Verdict::WorksStill,
            Verdict::Works => Verdict::WorksNow,
            other => other,
        }
    }

    /// The outcome if the repair was undone.
    fn once_taken_back<'a>(&self, runner: &dyn Runner<'a>) -> Verdict {
        match self.is_well() {
            _ if runner.is_told_to_end() => Verdict::Interrupted,
            true => Verdict::TakenBack,
            false => Verdict::Flaky,
        }
    }

    /// The predicted problems that did not occur.
    pub fn refuted(&self) -> impl Iterator<Item = &Finding> {
        refuted(&self.evidence)
    }
}
