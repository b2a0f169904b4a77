//! What runs of a command prove, for programs.

use super::json::{FindingReport, PlanReport, TargetReport, text};
use super::linked::LinkReport;
use super::operations::{PutBackReport, VerifiedFile};
use super::path_text::PathText;
use super::testimony::EvidenceReport;
use super::trace::why_nothing;
use super::words::Words;
use crate::app::Chosen;
use crate::app::doctor::Diagnosed;
use crate::app::fix::Repaired;
use crate::app::proof::{Proof, ProvedFix, Seen, Verdict};
use crate::app::runs::{Child, Purpose};
use crate::app::verify::Verified;
use crate::findings::finding::Finding;
use crate::world::World;
use schemars::JsonSchema;
use serde::Serialize;
use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt as _;

/// `tfpatch/proof/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct ProofReport<'a> {
    schema: &'static str,
    target: TargetReport,
    /// The words of the command. Invalid UTF-8 is replaced.
    command: Vec<String>,
    verdict: Verdict,
    /// Does the command work, as far as the runs show?
    works: bool,
    /// Did anything change on the disk?
    changed: bool,
    runs: Vec<RunReport>,
    /// The diagnosis of the target in its final state, including the results of the runs.
    findings: Vec<FindingReport>,
    /// Linked directories with objects outside the target, which were not examined.
    not_followed: Vec<LinkReport>,
    /// With `fix`: the repairs, in order, or what would be done.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    plans: Vec<PlanReport<'a>>,
    /// With `fix`: the revert of the last repair.
    #[serde(skip_serializing_if = "Option::is_none")]
    put_back: Option<PutBackReport>,
    /// With `verify`: the patched files.
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<VerifiedFile>>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct RunReport {
    purpose: Purpose,
    #[serde(flatten)]
    child: Child,
    /// Was it terminated because of a timeout?
    timed_out: bool,
    /// The reason why it was not run, if it could not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<String>,
    /// The processes that the loader traced.
    processes: usize,
    /// An interpreter that ran, if none of the target's did. The run proves nothing then.
    #[serde(skip_serializing_if = "Option::is_none")]
    stranger: Option<PathText>,
    /// The last lines of its standard error.
    words: Vec<String>,
    /// What failed to load.
    missing: Vec<MissingReport>,
    /// What the run shows about each finding about a library.
    evidence: Vec<EvidenceReport>,
    errors: Vec<LoaderErrorReport>,
    notes: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct MissingReport {
    #[serde(flatten)]
    finding: FindingReport,
    /// Does an object of the target open it itself, so that a successful command may silently lack it?
    lost: bool,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LoaderErrorReport {
    object: String,
    message: String,
    times: usize,
}

impl RunReport {
    fn of(run: &Seen) -> Self {
        let missing = run.missing.iter().map(|finding| MissingReport {
            finding: FindingReport::of(finding),
            lost: run.lost.contains(finding),
        });
        let errors = run.errors.iter().map(|(error, &times)| LoaderErrorReport {
            object: text(&error.object),
            message: text(&error.message),
            times,
        });
        let cut = run.is_cut.then(|| "the trace was too long to be kept whole".to_owned());
        Self {
            purpose: run.purpose,
            child: run.child,
            timed_out: run.timed_out,
            failure: run.failure.as_ref().map(|failure| Words::of(failure).message()),
            processes: run.processes,
            stranger: run.stranger.as_deref().map(PathText::of),
            words: run.words.clone(),
            missing: missing.collect(),
            evidence: EvidenceReport::all(&run.evidence),
            errors: errors.collect(),
            notes: cut.into_iter().chain(run.silence.as_ref().map(why_nothing)).collect(),
        }
    }
}

impl<'a> ProofReport<'a> {
    fn new(
        chosen: &Chosen,
        world: &World,
        command: &[OsString],
        proof: &Proof,
        findings: &[Finding],
    ) -> Self {
        Self {
            schema: "tfpatch/proof/v1",
            target: TargetReport::of(&world.root, &chosen.reason),
            command: command.iter().map(|word| text(word.as_bytes())).collect(),
            verdict: proof.verdict,
            works: proof.verdict.is_good(),
            changed: false,
            runs: proof.runs.iter().map(RunReport::of).collect(),
            findings: findings.iter().map(FindingReport::of).collect(),
            not_followed: LinkReport::all(world),
            plans: Vec::new(),
            put_back: None,
            files: None,
        }
    }

    /// For a diagnosis.
    #[must_use]
    pub fn of_doctor(
        chosen: &Chosen,
        diagnosed: &Diagnosed,
        command: &[OsString],
        proof: &Proof,
    ) -> Self {
        Self::new(chosen, &diagnosed.world, command, proof, &diagnosed.diagnosis.findings)
    }

    /// For a verification.
    #[must_use]
    pub fn of_verify(
        chosen: &Chosen,
        verified: &Verified,
        command: &[OsString],
        proof: &Proof,
    ) -> Self {
        let findings = &verified.diagnosis.findings;
        let report = Self::new(chosen, &verified.world, command, proof, findings);
        Self { files: Some(verified.files.all.iter().map(VerifiedFile::of).collect()), ..report }
    }

    /// For a repair.
    #[must_use]
    pub fn of_fix(proved: &'a ProvedFix, command: &[OsString]) -> Self {
        let ProvedFix { chosen, world, repairs, remaining, put_back, proof } = proved;
        let is_done = |repaired: &Repaired| repaired.carried.plan.operation.is_some();
        let written = repairs.iter().filter(|repaired| is_done(repaired)).count();
        let plan = |repaired: &'a Repaired| {
            PlanReport::of(&repaired.carried.plan, &world.root, &repaired.remaining)
        };
        Self {
            // The last one may have been undone completely.
            changed: written > usize::from(put_back.is_some()),
            plans: repairs.iter().map(plan).collect(),
            put_back: put_back.as_ref().map(|put_back| PutBackReport::of(&put_back.reverted)),
            ..Self::new(chosen, world, command, proof, remaining)
        }
    }
}
