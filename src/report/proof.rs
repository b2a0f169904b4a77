//! What runs of a command prove, for people.

use super::doctor;
use super::findings::{Detail, count, groups};
use super::outcome::{self, Telling};
use super::revert;
use super::style::{COMMAND, DIM, ERROR, GOOD, WARNING, paint};
use super::testimony;
use super::trace::why_nothing;
use super::verify;
use super::words::Words;
use crate::app::doctor::Diagnosed;
use crate::app::proof::{Proof, ProvedFix, Seen, Verdict};
use crate::app::runs::Purpose;
use crate::app::verify::Verified;
use crate::app::{App, Chosen};
use crate::bytes::{printable, shell_word, shown};
use crate::command_line::CommandLine;
use crate::findings::finding::{Cause, Finding, Severity};
use crate::world::World;
use std::ffi::OsString;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The maximum number of lines of a command that are shown without `-v`.
const MAX_WORDS: usize = 8;

/// The maximum number of libraries of a run that are shown without `-v`.
const MAX_LISTED: usize = 8;

/// The context of a report about runs.
#[derive(Clone, Copy)]
pub struct Ran<'a> {
    /// The level of detail.
    pub detail: Detail,
    /// The command that was run.
    pub command: &'a [OsString],
    /// The time limit of a run, in seconds.
    pub timeout: u64,
}

/// Writes the findings of a target, and what a run proves.
///
/// # Errors
/// If the output cannot be written.
pub fn write_doctor(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    diagnosed: &Diagnosed,
    proof: &Proof,
    ran: Ran<'_>,
) -> io::Result<()> {
    let Diagnosed { world, diagnosis, .. } = diagnosed;
    doctor::write_findings(out, app, chosen, (world, &diagnosis.findings), ran.detail)?;
    write(out, world, proof, ran)?;
    write_in_spite(out, proof, &diagnosis.findings, ran.detail)?;
    if proof.verdict.is_good() || diagnosed.fixable().next().is_none() {
        return Ok(());
    }
    let fix = ran
        .command
        .iter()
        .fold(chosen.command(CommandLine::new(["fix"])).argument("--"), |fix, word| {
            fix.argument(word)
        });
    writeln!(out, "{}", paint(COMMAND, format!("→ {fix}")))
}

/// Writes the state of patched files, and what a run proves.
///
/// # Errors
/// If the output cannot be written.
pub fn write_verify(
    out: &mut dyn Write,
    chosen: &Chosen,
    verified: &Verified,
    proof: &Proof,
    ran: Ran<'_>,
) -> io::Result<()> {
    verify::write(out, chosen, verified, ran.detail, true)?;
    write(out, &verified.world, proof, ran)?;
    write_in_spite(out, proof, &verified.errors, ran.detail)
}

/// Writes that a command works despite errors, which are about files that it does not use.
fn write_in_spite(
    out: &mut dyn Write,
    proof: &Proof,
    findings: &[Finding],
    detail: Detail,
) -> io::Result<()> {
    let errors = count(&groups(findings), Severity::Error);
    if !proof.verdict.is_good() || errors == 0 || detail == Detail::Quiet {
        return Ok(());
    }
    let errors = if errors == 1 { "error".to_owned() } else { format!("{errors} errors") };
    writeln!(out, "{}  the command works despite the {errors} above", paint(DIM, "note"))
}

/// Writes the repair, the remaining findings, and what the runs prove.
///
/// # Errors
/// If the output cannot be written.
pub fn write_fix(
    out: &mut dyn Write,
    app: &App,
    proved: &ProvedFix,
    telling: Telling<'_>,
    ran: Ran<'_>,
) -> io::Result<()> {
    let ProvedFix { chosen, world, repairs, remaining, put_back, proof } = proved;
    doctor::write_findings(out, app, chosen, (world, remaining), telling.detail)?;
    let left = repairs.len().saturating_sub(usize::from(put_back.is_some()));
    for (index, repaired) in repairs.iter().take(left).enumerate() {
        // A second repair that finds nothing to do is not reported.
        if index == 0 || !repaired.carried.plan.steps.is_empty() {
            outcome::write_done(out, chosen, world, repaired, telling)?;
        }
    }
    if let Some(put_back) = put_back {
        revert::write(out, chosen, put_back, false)?;
    }
    write(out, world, proof, ran)
}

/// Writes the runs, and the outcome.
fn write(out: &mut dyn Write, world: &World, proof: &Proof, ran: Ran<'_>) -> io::Result<()> {
    let is_good = proof.verdict.is_good();
    if is_good && ran.detail == Detail::Quiet {
        return Ok(());
    }
    for (index, run) in proof.runs.iter().enumerate() {
        let is_last = index + 1 == proof.runs.len();
        write_run(out, world, index + 1, run, is_last && !is_good, ran)?;
    }
    let words: Vec<String> = ran.command.iter().map(|word| shell_word(word.as_bytes())).collect();
    let verdict = sentence(proof, ran.timeout);
    let style = if is_good { GOOD } else { ERROR };
    let word = if is_good { "works" } else { word_of(proof.verdict) };
    writeln!(out, "{}  {verdict}: {}", paint(style, word), words.join(" "))?;
    let last = proof.runs.last();
    if let Some(silence) = last.and_then(|run| run.silence.as_ref()) {
        let why = printable(why_nothing(silence).as_bytes());
        let note = paint(WARNING, "note");
        writeln!(
            out,
            "{note}  {why}; the libraries that it loaded are unknown, and only its exit status counts"
        )?;
    }
    let is_driver = |finding: &Finding| finding.cause == Cause::DriverMissing;
    if is_good && last.is_some_and(|run| run.missing.iter().any(is_driver)) {
        writeln!(
            out,
            "{}  the GPU cannot be used until the NVIDIA driver is available",
            paint(DIM, "note")
        )?;
    }
    Ok(())
}

fn write_run(
    out: &mut dyn Write,
    world: &World,
    number: usize,
    run: &Seen,
    has_failed: bool,
    ran: Ran<'_>,
) -> io::Result<()> {
    let is_verbose = ran.detail == Detail::Verbose;
    let most = |normal| if is_verbose { usize::MAX } else { normal };
    let when = purpose_in_words(run.purpose);
    writeln!(out, "run {number}, {when}: {}", how_it_ended(run, ran.timeout))?;
    let is_told = |finding: &&Finding| finding.severity() != Severity::Info || is_verbose;
    let missing: Vec<&Finding> = run.missing.iter().filter(is_told).collect();
    for finding in missing.iter().take(most(MAX_LISTED)) {
        let library = finding.library.as_deref().map(printable).unwrap_or_default();
        let object = world.shown(&finding.object);
        let survived = run.is_well() && !run.lost.contains(finding);
        let survived = if survived { "; the command continued without it" } else { "" };
        writeln!(out, "  {library} failed to load for {object}{survived}")?;
    }
    if let Some(rest @ 1..) = missing.len().checked_sub(most(MAX_LISTED)) {
        let libraries = if rest == 1 { "library" } else { "libraries" };
        writeln!(out, "  and {rest} more {libraries} (-v lists them)")?;
    }
    for finding in run.refuted().filter(is_told).take(most(MAX_LISTED)) {
        writeln!(out, "  {}", testimony::refuted(world, finding))?;
    }
    for (error, _) in run.errors.iter().take(if is_verbose { usize::MAX } else { 0 }) {
        let (object, message) = (printable(&error.object), printable(&error.message));
        writeln!(out, "  {object}: {message}")?;
    }
    if let (Some(python), false) = (&run.stranger, run.is_well()) {
        let python = shown(python);
        writeln!(out, "  {python} ran, which is not the interpreter of the target")?;
    }
    if run.is_cut {
        writeln!(out, "  the trace was too long and was truncated")?;
    }
    // The output of a command that works is not shown.
    let is_news = has_failed || run.purpose == Purpose::After;
    let is_heard = is_verbose || is_news && !run.is_well();
    let skipped = run.words.len().saturating_sub(most(MAX_WORDS));
    for line in run.words.iter().skip(skipped).filter(|_| is_heard) {
        writeln!(out, "  {} {}", paint(DIM, "|"), printable(line.as_bytes()))?;
    }
    Ok(())
}

/// The purpose of a run.
#[must_use]
pub fn purpose_in_words(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Once => "in the current state",
        Purpose::Before => "before the repair",
        Purpose::After => "after the repair",
        Purpose::Reverted => "after the repair was undone",
    }
}

/// How a run ended.
fn how_it_ended(run: &Seen, timeout: u64) -> String {
    match (&run.failure, run.child.status, run.child.signal) {
        (Some(failure), ..) => Words::of(failure).message(),
        _ if run.timed_out => format!("timed out after {}", counted_seconds(timeout)),
        (None, _, Some(signal)) => format!("terminated by signal {signal}"),
        (None, status, None) => format!("status {}", status.unwrap_or_default()),
    }
}

fn counted_seconds(seconds: u64) -> String {
    if seconds == 1 { "1 second".to_owned() } else { format!("{seconds} seconds") }
}

fn word_of(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Works | Verdict::WorksNow | Verdict::WorksStill => "works",
        Verdict::Incomplete => "incomplete",
        Verdict::Fails => "fails",
        Verdict::TakenBack => "undone",
        Verdict::Flaky => "flaky",
        Verdict::Unknown => "no verdict",
        Verdict::Interrupted => "interrupted",
    }
}

/// The interpreter that ran instead of that of the target, in the last successful run.
fn stranger(proof: &Proof) -> Option<&Path> {
    let last = proof.runs.last().filter(|run| run.is_well())?;
    last.stranger.as_deref()
}

/// The outcome of the runs, in a sentence that the command follows.
fn sentence(proof: &Proof, timeout: u64) -> String {
    let first_was_well = proof.runs.first().is_some_and(Seen::is_well);
    let lost = proof.runs.last().map_or(0, |run| run.lost.len());
    match proof.verdict {
        Verdict::Works => "the command works".to_owned(),
        Verdict::WorksNow if first_was_well => {
            "libraries failed to load before the repair and load now".to_owned()
        }
        Verdict::WorksNow => "the command failed before the repair and works now".to_owned(),
        Verdict::WorksStill => {
            "the command worked before the repair and still works".to_owned()
        }
        Verdict::Incomplete => {
            let libraries = if lost == 1 { "1 available library" } else { "available libraries" };
            format!("the command exits with status 0, but {libraries} failed to load for files of the target")
        }
        Verdict::Fails if proof.runs.len() > 1 => "the command failed before the repair and still fails".to_owned(),
        Verdict::Fails => "the command fails".to_owned(),
        Verdict::TakenBack => {
            "the command worked before the repair and failed after it; the repair was undone, and the command works \
             again"
                .to_owned()
        }
        Verdict::Flaky => {
            "the command worked before the repair, failed after it, and still fails after the repair was undone: its \
             result does not depend on the repair alone"
                .to_owned()
        }
        Verdict::Unknown if stranger(proof).is_some() => {
            let python = stranger(proof).map(shown).unwrap_or_default();
            format!("the command exits with status 0, but {python} ran, which is not the interpreter of the target")
        }
        Verdict::Unknown if proof.runs.last().is_some_and(|run| !run.touches && run.is_well()) => {
            "the command exits with status 0, but loaded nothing from the target".to_owned()
        }
        Verdict::Unknown if proof.runs.len() == 1 => {
            format!("the command did not finish within {}, and was not run again", counted_seconds(timeout))
        }
        Verdict::Unknown => format!("the command did not finish within {}", counted_seconds(timeout)),
        Verdict::Interrupted => "interrupted by a signal; the command was not run again".to_owned(),
    }
}
