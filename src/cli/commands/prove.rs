//! `tfpatch doctor|fix|verify [TARGET] -- COMMAND`: the commands with a proof by running a command.

use crate::app::proof::{Asked, Proof};
use crate::cli::args::{self, Format, Targets};
use crate::cli::asked;
use crate::cli::error::Error;
use crate::cli::notes;
use crate::cli::proof::Runs;
use crate::cli::session::{Session, status_of};
use crate::cli::settings;
use crate::cli::traced::{Tracer, program};
use crate::findings::finding::Finding;
use crate::report::json;
use crate::report::proof::{Ran, write_doctor, write_fix, write_verify};
use crate::report::proof_json::ProofReport;
use crate::report::words::Words;
use std::path::PathBuf;

/// Runs the command, and includes the results in the diagnosis.
///
/// # Errors
/// If the command cannot be run, the target cannot be read, or the output cannot be written.
pub fn doctor(session: &mut Session, options: &args::Doctor) -> Result<u8, Error> {
    let target = one(&options.targets)?;
    let how = asked::doctor(session, options)?;
    let mut runs = Runs::new(session, &options.proof)?;
    let asked = Asked { target, program: program(&options.proof.command) };
    let (chosen, mut diagnosed, proof) = session.app.prove_doctor(asked, &how, &mut runs)?;
    session.app.promise(&chosen, &how, options.allow_absolute, &mut diagnosed)?;
    let ended = end(runs);
    let ran = ran(session, &options.proof);
    if session.format == Format::Json {
        let report = ProofReport::of_doctor(&chosen, &diagnosed, ran.command, &proof);
        json::write(&mut *session.out, &report)?;
    } else {
        let Session { out, app, .. } = session;
        write_doctor(&mut *out, app, &chosen, &diagnosed, &proof, ran)?;
    }
    Ok(ended.unwrap_or_else(|| status(&proof, &diagnosed.diagnosis.findings, options.strict)))
}

/// Runs the command, and verifies the target.
///
/// # Errors
/// As for [`doctor`], and where the target's store cannot be read.
pub fn verify(session: &mut Session, options: &args::Verify) -> Result<u8, Error> {
    let target = one(&options.targets)?;
    let settings = session.loader_settings(&options.simulation)?;
    let mut runs = Runs::new(session, &options.proof)?;
    let asked = Asked { target, program: program(&options.proof.command) };
    let (chosen, verified, proof) = session.app.prove_verify(asked, &settings, &mut runs)?;
    let ended = end(runs);
    let ran = ran(session, &options.proof);
    let is_as_left = !verified.is_interrupted && !verified.files.is_drift();
    if session.format == Format::Json {
        let report = ProofReport::of_verify(&chosen, &verified, ran.command, &proof);
        json::write(&mut *session.out, &report)?;
    } else {
        write_verify(&mut *session.out, &chosen, &verified, &proof, ran)?;
    }
    Ok(ended.unwrap_or_else(|| status(&proof, &[], false).max(u8::from(!is_as_left))))
}

/// Runs the command, repairs the target according to the results, and runs it again.
///
/// # Errors
/// As for [`doctor`], and where the target cannot be written.
pub fn fix(session: &mut Session, options: &args::Fix) -> Result<u8, Error> {
    let target = one(&options.targets)?;
    let how = asked::fix(session, options)?;
    let mut runs = Runs::new(session, &options.proof)?;
    let asked = Asked { target, program: program(&options.proof.command) };
    let proved = session.app.prove_fix(asked, &how, options.max_runs, &mut runs)?;
    let ended = end(runs);
    let ran = ran(session, &options.proof);
    if session.format == Format::Json {
        json::write(&mut *session.out, &ProofReport::of_fix(&proved, ran.command))?;
    } else {
        let in_earnest = &settings::in_earnest(0);
        let telling = session.telling(options.diff, in_earnest);
        let Session { out, app, .. } = session;
        write_fix(&mut *out, app, &proved, telling, ran)?;
    }
    Ok(ended.unwrap_or_else(|| status(&proved.proof, &proved.remaining, options.strict)))
}

/// The only target that the user named.
///
/// # Errors
/// If several are named.
pub fn one(targets: &Targets) -> Result<&[PathBuf], Error> {
    match targets.targets.as_slice() {
        named @ ([] | [_]) => Ok(named),
        _ => Err(Words::new("a command needs a single TARGET; name one").into()),
    }
}

/// Finishes all runs; the exit status if tfpatch was interrupted.
fn end(runs: Runs<'_>) -> Option<u8> {
    close(runs.tracer)
}

/// Finishes tracing; the exit status if tfpatch was interrupted.
pub fn close(tracer: Tracer<'_>) -> Option<u8> {
    let (forwarder, notes) = tracer.close();
    notes::say(&notes);
    forwarder.status()
}

fn ran<'o>(session: &Session, options: &'o args::Proof) -> Ran<'o> {
    Ran { detail: session.detail, command: &options.command, timeout: options.timeout }
}

/// The exit status: 0 if the command works and, with `strict`, no error or warning remains.
fn status(proof: &Proof, findings: &[Finding], strict: bool) -> u8 {
    let remaining = findings.iter().map(Finding::severity);
    let found = if strict { status_of(remaining, true) } else { 0 };
    found.max(u8::from(!proof.verdict.is_good()))
}
