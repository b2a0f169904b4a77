//! The results of imports, for people.

use super::doctor;
use super::findings::Detail;
use super::outcome::{self, Telling};
use super::revert;
use super::style::{DIM, ERROR, GOOD, INFO, WARNING, counted, paint};
use super::testimony;
use super::verify;
use crate::app::doctor::Diagnosed;
use crate::app::imports::{Import, Outcome};
use crate::app::probe::{Failure, Probed, ProbedFix};
use crate::app::proof::Verdict;
use crate::app::verify::Verified;
use crate::app::{App, Chosen};
use crate::bytes::printable;
use crate::findings::finding::{Finding, Severity};
use crate::trace::proved::refuted;
use crate::world::World;
use std::io::{self, Write};

/// The maximum number of modules that are shown without `-v`.
const MAX_LISTED: usize = 10;

/// Writes the findings of a target, and the results of the imports.
///
/// # Errors
/// If the output cannot be written.
pub fn write_doctor(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    diagnosed: &Diagnosed,
    probed: &Probed,
    detail: Detail,
) -> io::Result<()> {
    let Diagnosed { world, diagnosis, .. } = diagnosed;
    doctor::write_findings(out, app, chosen, (world, &diagnosis.findings), detail)?;
    write(out, world, probed, detail)?;
    write_conclusion(out, &diagnosis.findings, probed, detail)
}

/// Writes the state of patched files, and the results of the imports.
///
/// # Errors
/// If the output cannot be written.
pub fn write_verify(
    out: &mut dyn Write,
    chosen: &Chosen,
    verified: &Verified,
    probed: &Probed,
    detail: Detail,
) -> io::Result<()> {
    verify::write(out, chosen, verified, detail, true)?;
    write(out, &verified.world, probed, detail)?;
    write_conclusion(out, &verified.errors, probed, detail)
}

/// Writes the repair, the remaining findings, and the results of the imports before and after it.
///
/// # Errors
/// If the output cannot be written.
pub fn write_fix(
    out: &mut dyn Write,
    app: &App,
    chosen: &Chosen,
    fixed: &ProbedFix,
    telling: Telling<'_>,
) -> io::Result<()> {
    let ProbedFix { world, repaired, remaining, put_back, probes, verdict } = fixed;
    let detail = telling.detail;
    doctor::write_findings(out, app, chosen, (world, remaining), detail)?;
    match put_back {
        None => outcome::write_done(out, chosen, world, repaired, telling)?,
        Some(put_back) => revert::write(out, chosen, put_back, false)?,
    }
    let when = ["before", "after the repair", "after the repair was undone"];
    for (probed, when) in probes.iter().zip(when) {
        if probes.len() > 1 && detail > Detail::Quiet {
            writeln!(out, "{}", paint(DIM, format!("imports {when}:")))?;
        }
        write(out, world, probed, detail)?;
    }
    let words = match verdict {
        Verdict::TakenBack => {
            "modules that imported before the repair failed after it; the repair was undone, and they import again"
        }
        Verdict::Flaky => {
            "modules that imported before the repair failed after it, and still fail after it was undone"
        }
        Verdict::Interrupted => "interrupted by a signal; the remaining modules were not imported",
        _ => {
            let Some(last) = probes.last() else { return Ok(()) };
            return write_conclusion(out, remaining, last, detail);
        }
    };
    writeln!(out, "{}  {words}", paint(ERROR, "undone"))
}

/// Writes the failures, and the number of imported modules.
fn write(out: &mut dyn Write, world: &World, probed: &Probed, detail: Detail) -> io::Result<()> {
    let is_verbose = detail == Detail::Verbose;
    let most = if is_verbose { usize::MAX } else { MAX_LISTED };
    let is_told = |failure: &&Failure| failure.severity != Severity::Info || is_verbose;
    let failures: Vec<&Failure> = probed.failures.iter().filter(is_told).collect();
    for failure in failures.iter().take(most) {
        let label = match failure.severity {
            Severity::Error => paint(ERROR, "failed"),
            Severity::Warning => paint(WARNING, "note"),
            Severity::Info => paint(INFO, "failed"),
        };
        let (module, outcome) = (printable(failure.module.as_bytes()), in_words(&failure.outcome));
        writeln!(out, "{label}  import {module}: {outcome}")?;
    }
    if failures.len() > most {
        let rest = counted(failures.len() - most, "more failure");
        writeln!(out, "and {rest} (-v lists them)")?;
    }
    let open: Vec<&Import> = probed.not_judged().collect();
    for Import { module, outcome } in open.iter().take(most) {
        let (module, outcome) = (printable(module.as_bytes()), in_words(outcome));
        writeln!(out, "{}  import {module}: {outcome}", paint(WARNING, "note"))?;
    }
    if open.len() > most {
        let rest = counted(open.len() - most, "more module");
        writeln!(out, "and {rest} without a result (-v lists them)")?;
    }
    let feared = |finding: &&Finding| is_verbose || finding.severity() != Severity::Info;
    for finding in refuted(&probed.evidence).filter(feared).take(most) {
        writeln!(out, "{}", testimony::refuted(world, finding))?;
    }
    Ok(())
}

/// Writes the number of imported modules, and the conclusion.
fn write_conclusion(
    out: &mut dyn Write,
    findings: &[Finding],
    probed: &Probed,
    detail: Detail,
) -> io::Result<()> {
    let is_error = |finding: &Finding| finding.severity() == Severity::Error;
    let is_good = probed.is_good() && !findings.iter().any(is_error);
    if is_good && detail == Detail::Quiet {
        return Ok(());
    }
    let (imported, packages) = (probed.imported().count(), probed.packages.len());
    let all: usize = probed.packages.iter().map(|package| package.modules.len()).sum();
    let (all, packages) = (counted(all, "module"), counted(packages, "package"));
    let style = if is_good { GOOD } else { ERROR };
    let word = if is_good { "works" } else { "fails" };
    let optional = match probed.failures.len() {
        0 => "",
        _ if detail == Detail::Verbose || !is_good => "",
        _ => "; the others failed for reasons other than the loader (-v lists them)",
    };
    writeln!(out, "{}  imported {imported} of {all} from {packages}{optional}", paint(style, word))
}

/// The result of an import.
#[must_use]
pub fn in_words(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Imported => "imported".to_owned(),
        Outcome::Raised { class, words, .. } => {
            let first = words.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
            format!("{}: {}", printable(class.as_bytes()), printable(first.trim().as_bytes()))
        }
        Outcome::Ended(child) => match (child.signal, child.status) {
            (Some(signal), _) => format!("the interpreter was terminated by signal {signal}"),
            (None, status) => {
                format!("the interpreter exited with status {}", status.unwrap_or_default())
            }
        },
        Outcome::EndedByLoader { said } => {
            format!("the loader terminated the interpreter: {}", printable(said.as_bytes()))
        }
        Outcome::TimedOut => "timed out".to_owned(),
        Outcome::NotReached => {
            "not imported: other modules of its package used the time, or terminated the interpreter"
                .to_owned()
        },
    }
}
