//! Imports every native module of an environment with its own interpreter, and compares the results with the
//! diagnosis from files alone.

use super::carry_out::{Carrying, Written};
use super::doctor::{Diagnosed, Doctor};
use super::error::NotRun;
use super::fix::{Fix, Fixed, Repaired};
use super::imports::{Import, Importer, Imports, Outcome};
use super::proof::Verdict;
use super::revert::PutBack;
use super::verify::{Verified, errors};
use super::{App, Chosen, Error};
use crate::diagnosis::diagnose::Diagnosis;
use crate::findings::finding::{Cause, Finding, Severity};
use crate::knowledge::{alternatives, packages};
use crate::loader::Settings;
use crate::python::target::Target;
use crate::repair::trace_scope::Scope;
use crate::trace::compare;
use crate::trace::proved::{Missed, Proved, Testimony, refuted};
use crate::vfs::Vfs;
use crate::world::World;
use crate::world::native_modules::{self, NativePackage};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// The results of the imports of an environment.
#[derive(Debug, Default)]
pub struct Probed {
    /// The interpreter.
    pub interpreter: PathBuf,
    /// The packages, sorted by name.
    pub packages: Vec<Imports>,
    /// What the imports show about each finding about a library.
    pub evidence: Vec<(Finding, Testimony)>,
    /// The failures.
    pub failures: Vec<Failure>,
}

/// A module that failed, and the consequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Its package.
    pub package: String,
    /// Its name.
    pub module: String,
    /// The result, which is not a successful import.
    pub outcome: Outcome,
    /// Is it an error, or only `info`?
    pub severity: Severity,
    /// Does a finding explain it?
    pub is_explained: bool,
}

impl Probed {
    /// Are there errors that no finding explains?
    fn has_errors(&self) -> bool {
        let is_error = |failure: &Failure| failure.severity == Severity::Error;
        self.failures.iter().any(|failure| is_error(failure) && !failure.is_explained)
    }

    /// Does a finding explain every error, and was every module tested?
    #[must_use]
    pub fn is_good(&self) -> bool {
        !self.has_errors() && self.not_judged().next().is_none()
    }

    /// The modules that were imported.
    pub fn imported(&self) -> impl Iterator<Item = &str> {
        let modules = self.packages.iter().flat_map(|package| &package.modules);
        let imported = modules.filter(|import| import.outcome == Outcome::Imported);
        imported.map(|import| import.module.as_str())
    }

    /// The modules that were not tested, because of a timeout or because they were not attempted.
    pub fn not_judged(&self) -> impl Iterator<Item = &Import> {
        let modules = self.packages.iter().flat_map(|package| &package.modules);
        modules.filter(|import| matches!(import.outcome, Outcome::TimedOut | Outcome::NotReached))
    }

    /// Does everything work, according to these imports?
    fn keeps(&self, before: &Self) -> bool {
        let imported: HashSet<&str> = self.imported().collect();
        before.imported().all(|module| imported.contains(module))
    }
}

/// A target that was repaired and probed.
pub struct ProbedFix {
    /// The objects of the target.
    pub world: World,
    /// The repair.
    pub repaired: Repaired,
    /// The diagnosis of the target in its final state.
    pub remaining: Vec<Finding>,
    /// The revert of the repair, if there was one.
    pub put_back: Option<PutBack>,
    /// The imports before the repair, after it, and after the revert.
    pub probes: Vec<Probed>,
    /// The outcome.
    pub verdict: Verdict,
}

impl App {
    /// Imports every module of an environment, and includes the results in its diagnosis.
    ///
    /// # Errors
    /// If it has no interpreter, or cannot be read.
    pub fn probe_doctor(
        &self,
        chosen: &Chosen,
        how: &Doctor,
        importer: &dyn Importer,
    ) -> Result<(Diagnosed, Probed), Error> {
        require_interpreter(chosen)?;
        let mut diagnosed = self.diagnose(chosen, how)?;
        let mut probed = self.import_all(chosen, &diagnosed.world, importer)?;
        probed.judge(&self.vfs, &diagnosed.world, &self.searched(how)?, &mut diagnosed.diagnosis);
        Ok((diagnosed, probed))
    }

    /// Imports every module of an environment, and verifies the environment.
    ///
    /// # Errors
    /// As for [`App::probe_doctor`], and where its store cannot be read.
    pub fn probe_verify(
        &self,
        chosen: &Chosen,
        settings: &Settings,
        importer: &dyn Importer,
    ) -> Result<(Verified, Probed), Error> {
        require_interpreter(chosen)?;
        let mut verified = self.verify(chosen, settings)?;
        let mut probed = self.import_all(chosen, &verified.world, importer)?;
        probed.judge(&self.vfs, &verified.world, &[], &mut verified.diagnosis);
        verified.errors = errors(&verified.diagnosis);
        Ok((verified, probed))
    }

    /// Imports every module of an environment, repairs the environment according to the results, and imports
    /// every module again. If a module fails because of the repair, the repair is undone.
    ///
    /// # Errors
    /// As for [`App::probe_doctor`], and where it cannot be written.
    pub fn probe_fix(
        &self,
        chosen: &Chosen,
        how: &Fix,
        importer: &dyn Importer,
    ) -> Result<ProbedFix, Error> {
        let (diagnosed, mut before) = self.probe_doctor(chosen, &how.doctor(), importer)?;
        let worked = before.is_good() && !has_errors(&diagnosed.diagnosis.findings);
        drop(diagnosed);
        if importer.is_told_to_end() {
            let Fixed { world, repaired } = self.plan_only(chosen, how, &mut before)?;
            let remaining = repaired.remaining.clone();
            let (put_back, probes, verdict) = (None, vec![before], Verdict::Interrupted);
            return Ok(ProbedFix { world, repaired, remaining, put_back, probes, verdict });
        }
        let Fixed { world, repaired } = self.repair_probed(chosen, how, &mut before)?;
        let Written::InPlace(operation) = repaired.carried.written.clone() else {
            let remaining = repaired.remaining.clone();
            let verdict = if worked { Verdict::Works } else { Verdict::Fails };
            let (put_back, probes) = (None, vec![before]);
            return Ok(ProbedFix { world, repaired, remaining, put_back, probes, verdict });
        };
        let (now, after) = self.probe_doctor(chosen, &how.doctor(), importer)?;
        let mut remaining = now.diagnosis.findings;
        let mut put_back = None;
        let works = after.is_good() && !has_errors(&remaining);
        let mut verdict = match () {
            () if importer.is_told_to_end() => Verdict::Interrupted,
            () if works && worked => Verdict::WorksStill,
            () if works => Verdict::WorksNow,
            () => Verdict::Fails,
        };
        let is_spoilt = !after.keeps(&before) && verdict != Verdict::Interrupted;
        let mut probes = vec![before, after];
        if is_spoilt {
            put_back = Some(self.take_back(chosen, how, operation)?);
            let (now, again) = self.probe_doctor(chosen, &how.doctor(), importer)?;
            remaining = now.diagnosis.findings;
            let works_again = probes.first().is_some_and(|before| again.keeps(before));
            verdict = if works_again { Verdict::TakenBack } else { Verdict::Flaky };
            probes.push(again);
        }
        Ok(ProbedFix { world, repaired, remaining, put_back, probes, verdict })
    }

    fn import_all(
        &self,
        chosen: &Chosen,
        world: &World,
        importer: &dyn Importer,
    ) -> Result<Probed, Error> {
        let environment = world.environment.as_ref();
        let interpreter = environment.and_then(|found| found.interpreters.first());
        let Some(interpreter) = interpreter else { return Err(NotRun::NoInterpreter.into()) };
        let packages: Vec<NativePackage> = native_modules::of(&self.vfs, world);
        let mut packages = importer.import(&interpreter.path, chosen.root(), &packages)?;
        // A module that cannot be imported directly may still be used by others.
        let again = packages.iter().filter(|package| package.refuses()).filter_map(|package| {
            let first = native_modules::requiring(&self.vfs, world, &package.package);
            (!first.is_empty()).then(|| NativePackage { first, ..package.package.clone() })
        });
        let again: Vec<NativePackage> = again.collect();
        if !again.is_empty() {
            for imports in importer.import(&interpreter.path, chosen.root(), &again)? {
                let name = &imports.package.name;
                let same = packages.iter_mut().find(|package| package.package.name == *name);
                if let Some(same) = same.filter(|_| !imports.fails()) {
                    *same = imports;
                }
            }
        }
        Ok(Probed { interpreter: interpreter.path.clone(), packages, ..Probed::default() })
    }

    fn repair_probed(
        &self,
        chosen: &Chosen,
        how: &Fix,
        probed: &mut Probed,
    ) -> Result<Fixed, Error> {
        self.fix_beside(chosen, how, &mut |vfs, world, question, diagnosis| {
            let diagnosed = diagnosis.findings.clone();
            let missing = probed.judge(vfs, world, &question.search, diagnosis);
            let refuted = refuted(&probed.evidence).cloned().collect();
            Some(Scope::beside(&missing, &diagnosed, refuted))
        })
    }

    /// The repair as a dry run.
    fn plan_only(&self, chosen: &Chosen, how: &Fix, probed: &mut Probed) -> Result<Fixed, Error> {
        let carrying = Carrying { dry_run: true, ..how.carrying.clone() };
        self.repair_probed(chosen, &Fix { carrying, ..how.clone() }, probed)
    }
}

fn has_errors(findings: &[Finding]) -> bool {
    findings.iter().any(|finding| finding.severity() == Severity::Error)
}

/// Refuses a target whose modules cannot be imported.
fn require_interpreter(chosen: &Chosen) -> Result<(), Error> {
    match (&chosen.target, &chosen.root) {
        (_, Some(_)) => Err(NotRun::Elsewhere.into()),
        (Target::Wheel(wheel), None) => Err(NotRun::InWheel(wheel.clone()).into()),
        _ => Ok(()),
    }
}

impl Probed {
    /// Compares the imports with a diagnosis: failures to load are added, and refuted findings become `info`.
    /// Returns the added findings.
    fn judge(
        &mut self,
        vfs: &dyn Vfs,
        world: &World,
        search: &[PathBuf],
        diagnosis: &mut Diagnosis,
    ) -> Vec<Finding> {
        let diagnosed = diagnosis.findings.clone();
        let mut missing: Vec<Finding> = Vec::new();
        let mut says = vec![Testimony::NotSeen; diagnosed.len()];
        for package in &self.packages {
            let proved = Proved::new(vfs, world, &package.answers, &diagnosed);
            let found = compare::findings(vfs, world, search, &package.answers, &diagnosed);
            let is_kept = found.iter().any(|it| proved.misses(it) == Missed::Needed);
            // If no object failed to load, something that it opened may be the reason.
            let may_be_why = !is_kept && package.fails();
            for mut finding in found {
                finding.is_optional |= proved.misses(&finding) == Missed::Optional && !may_be_why;
                if missing.iter().all(|known| known.question() != finding.question()) {
                    missing.push(finding);
                }
            }
            for (known, finding) in says.iter_mut().zip(&diagnosed) {
                *known = match (*known, proved.says(finding)) {
                    (Testimony::Confirmed, _) | (_, Testimony::Confirmed) => Testimony::Confirmed,
                    (Testimony::Refuted, _) | (_, Testimony::Refuted) => Testimony::Refuted,
                    _ => Testimony::NotSeen,
                };
            }
        }
        for (finding, says) in diagnosis.findings.iter_mut().zip(&says) {
            finding.is_optional |= *says == Testimony::Refuted;
        }
        missing.iter_mut().for_each(|finding| {
            finding.is_optional |= self.is_for_another_case(world, finding);
        });
        let about_library = |(finding, _): &(Finding, Testimony)| finding.library.is_some();
        self.evidence = diagnosed.into_iter().zip(says).filter(about_library).collect();
        diagnosis.supersede(missing.clone());
        self.failures = self.packages.iter().flat_map(|it| failures(it, diagnosis)).collect();
        missing
    }
}

impl Probed {
    /// Does a module only lack something that its distribution does not require, while the package around it
    /// works without the module? Such a module is for users who have the other package too.
    fn is_for_another_case(&self, world: &World, finding: &Finding) -> bool {
        let library = finding.library.as_deref().filter(|_| finding.cause == Cause::NotInstalled);
        let Some(shipper) = library.and_then(packages::distribution_of) else { return false };
        let object = world.inventory.at(&finding.object);
        let own = object.and_then(|object| world.inventory.distribution_of(object));
        let is_required = own.is_none_or(|own| {
            own.requires.iter().any(|needed| alternatives::meets(shipper, &needed.name))
        });
        !is_required && self.packages.iter().any(|package| package.does_without(&finding.object))
    }
}

impl Imports {
    /// Does the package itself raise an error that does not come from the loader?
    fn refuses(&self) -> bool {
        self.modules.iter().any(|import| {
            import.module == self.package.name
                && matches!(&import.outcome, Outcome::Raised { class, .. } if class == "ImportError")
                && !is_of_loader(&import.outcome)
        })
    }

    /// Did its own import fail, or did a module terminate the interpreter?
    fn fails(&self) -> bool {
        self.modules.iter().any(|import| {
            let is_own = import.module == self.package.name;
            import.outcome.is_end() || is_own && matches!(import.outcome, Outcome::Raised { .. })
        })
    }

    /// Is the module inside the package, and was the package imported nevertheless?
    fn does_without(&self, file: &Path) -> bool {
        let mut modules = self.package.modules.iter();
        let Some((module, _)) = modules.find(|(_, path)| *path == file) else { return false };
        let around = module.rsplit_once('.').map(|(around, _)| around);
        let is_around = |import: &&Import| Some(import.module.as_str()) == around;
        let around = self.modules.iter().find(is_around);
        around.is_some_and(|import| import.outcome == Outcome::Imported)
    }
}

/// The failures of a package. Consequences of a failure of the package itself are reported once.
fn failures(package: &Imports, diagnosis: &Diagnosis) -> Vec<Failure> {
    let name = &package.package.name;
    let mut told: Vec<&Outcome> = Vec::new();
    let mut failures = Vec::new();
    for import in &package.modules {
        let is_open = matches!(import.outcome, Outcome::TimedOut | Outcome::NotReached);
        if import.outcome == Outcome::Imported || is_open || told.contains(&&import.outcome) {
            continue;
        }
        // Each module that terminates the interpreter does so itself.
        if !import.outcome.is_end() {
            told.push(&import.outcome);
        }
        let object = match &import.outcome {
            Outcome::Raised { object: Some(object), .. } => Some(object),
            _ => package.package.modules.get(&import.module),
        };
        let about = diagnosis.findings.iter().filter(|finding| Some(&finding.object) == object);
        // The failing object may be a library that the module's own file needs.
        let asked = || {
            let askers = package.answers.iter().filter(|answer| answer.found.is_none());
            let askers: HashSet<_> = askers.map(|answer| &answer.asker).collect();
            let findings = diagnosis.findings.iter();
            findings.filter(move |finding| askers.contains(&finding.object))
        };
        let explaining: Vec<&Finding> = match about.clone().next() {
            Some(_) => about.collect(),
            None if is_of_loader(&import.outcome) => asked().collect(),
            None => Vec::new(),
        };
        let is_own = import.module == *name;
        let is_error = is_error(&import.outcome, is_own);
        let severity = match explaining.iter().map(|finding| finding.severity()).min() {
            // A finding that is not an error according to files alone is one if the package itself failed.
            Some(Severity::Warning | Severity::Info) if is_own && is_error => Severity::Error,
            Some(severity) => severity,
            None if is_error => Severity::Error,
            None if import.outcome.is_end() => Severity::Warning,
            None => Severity::Info,
        };
        failures.push(Failure {
            package: name.clone(),
            module: import.module.clone(),
            outcome: import.outcome.clone(),
            severity,
            is_explained: explaining.iter().any(|finding| finding.severity() <= severity),
        });
    }
    failures
}

/// Did a shared object fail to load? The message is then that of dlerror(3), which begins with a file.
/// Messages of Python begin differently, for example if a loaded object is not a module.
fn is_of_loader(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Raised { words, object: Some(object), .. } => {
            let first = words.split_once(": ").map_or("", |(first, _)| first);
            let name = first.rsplit('/').next().unwrap_or(first);
            first.starts_with('/')
                || object.file_name().and_then(OsStr::to_str) == Some(name)
                || name.contains(".so") && !name.contains(' ')
        }
        _ => false,
    }
}

/// Is a failure an error that no finding explains? A failed import of a package is one, unless a module that
/// it imports is not installed. A failed import of one of its modules is one if the loader reported it; other
/// failures may be intended for situations other than this one. So may a module that terminates the interpreter:
/// TensorFlow has some that cannot be loaded beside the rest of it.
fn is_error(outcome: &Outcome, is_own: bool) -> bool {
    match outcome {
        Outcome::Ended(_) => is_own,
        Outcome::EndedByLoader { .. } => true,
        Outcome::Raised { class, .. } if is_own => class != "ModuleNotFoundError",
        outcome => is_of_loader(outcome),
    }
}
