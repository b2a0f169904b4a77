//! The results of imports, for programs.

use super::json::{FindingReport, PlanReport, TargetReport};
use super::linked::LinkReport;
use super::operations::{PutBackReport, VerifiedFile};
use super::path_text::PathText;
use super::probe::in_words;
use super::testimony::EvidenceReport;
use crate::app::Chosen;
use crate::app::doctor::Diagnosed;
use crate::app::imports::{Import, Imports, Outcome, OutcomeName};
use crate::app::probe::{Probed, ProbedFix};
use crate::app::proof::Verdict;
use crate::app::verify::Verified;
use crate::findings::finding::{Finding, Severity};
use crate::world::World;
use schemars::JsonSchema;
use serde::Serialize;

/// `tfpatch/probe/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProbeReport<'a> {
    schema: &'static str,
    target: TargetReport,
    /// With `fix`: the outcome of the repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    /// In the final state, does a finding explain every error, and was every module tested?
    works: bool,
    /// Did anything change on the disk?
    changed: bool,
    /// The imports: once, or before a repair, after it, and after a revert.
    probes: Vec<ProbedReport>,
    /// The diagnosis of the target in its final state, including the results of the imports.
    findings: Vec<FindingReport>,
    /// Linked directories with objects outside the target, which were not examined.
    not_followed: Vec<LinkReport>,
    /// With `fix`: the repair, or what would be done.
    #[serde(skip_serializing_if = "Option::is_none")]
    plan: Option<PlanReport<'a>>,
    /// With `fix`: the revert of the repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    put_back: Option<PutBackReport>,
    /// With `verify`: the patched files.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<VerifiedFile>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ProbedReport {
    interpreter: PathText,
    packages: Vec<PackageReport>,
    /// What the imports show about each finding about a library.
    evidence: Vec<EvidenceReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct PackageReport {
    name: String,
    modules: Vec<ModuleReport>,
    /// The processes that the loader traced.
    processes: usize,
    /// The last lines on standard error.
    words: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct ModuleReport {
    name: String,
    outcome: OutcomeName,
    /// The result in words; for an exception, the message of the interpreter.
    words: String,
    /// For a failure: is it an error, or only `info`?
    #[serde(skip_serializing_if = "Option::is_none")]
    severity: Option<Severity>,
}

impl ProbedReport {
    fn of(probed: &Probed) -> Self {
        let packages = probed.packages.iter().map(|package| PackageReport::of(probed, package));
        Self {
            interpreter: PathText::of(&probed.interpreter),
            packages: packages.collect(),
            evidence: EvidenceReport::all(&probed.evidence),
        }
    }
}

impl PackageReport {
    fn of(probed: &Probed, imports: &Imports) -> Self {
        let module = |Import { module, outcome }: &Import| {
            let failure = probed.failures.iter().find(|failure| failure.module == *module);
            ModuleReport {
                name: module.clone(),
                outcome: outcome.name(),
                words: match outcome {
                    Outcome::Raised { class, words, .. } => format!("{class}: {words}"),
                    other => in_words(other),
                },
                severity: failure.map(|failure| failure.severity),
            }
        };
        Self {
            name: imports.package.name.clone(),
            modules: imports.modules.iter().map(module).collect(),
            processes: imports.heard.processes,
            words: imports.words.clone(),
        }
    }
}

impl<'a> ProbeReport<'a> {
    fn new(chosen: &Chosen, world: &World, probes: &[&Probed], findings: &[Finding]) -> Self {
        let is_error = |finding: &Finding| finding.severity() == Severity::Error;
        let fails = probes.last().is_some_and(|probed| !probed.is_good());
        Self {
            schema: "tfpatch/probe/v1",
            target: TargetReport::of(&world.root, &chosen.reason),
            verdict: None,
            works: !fails && !findings.iter().any(is_error),
            changed: false,
            probes: probes.iter().map(|probed| ProbedReport::of(probed)).collect(),
            findings: findings.iter().map(FindingReport::of).collect(),
            not_followed: LinkReport::all(world),
            plan: None,
            put_back: None,
            files: None,
        }
    }

    /// For a diagnosis.
    #[must_use]
    pub fn of_doctor(chosen: &Chosen, diagnosed: &Diagnosed, probed: &Probed) -> Self {
        Self::new(chosen, &diagnosed.world, &[probed], &diagnosed.diagnosis.findings)
    }

    /// For a verification.
    #[must_use]
    pub fn of_verify(chosen: &Chosen, verified: &Verified, probed: &Probed) -> Self {
        let findings = &verified.diagnosis.findings;
        let report = Self::new(chosen, &verified.world, &[probed], findings);
        Self { files: Some(verified.files.all.iter().map(VerifiedFile::of).collect()), ..report }
    }

    /// For a repair.
    #[must_use]
    pub fn of_fix(chosen: &Chosen, fixed: &'a ProbedFix) -> Self {
        let ProbedFix { world, repaired, remaining, put_back, probes, verdict } = fixed;
        let probes: Vec<&Probed> = probes.iter().collect();
        let plan = &repaired.carried.plan;
        Self {
            verdict: Some(*verdict),
            changed: plan.operation.is_some() && put_back.is_none(),
            plan: Some(PlanReport::of(plan, &world.root, &repaired.remaining)),
            put_back: put_back.as_ref().map(|put_back| PutBackReport::of(&put_back.reverted)),
            ..Self::new(chosen, world, &probes, remaining)
        }
    }
}
