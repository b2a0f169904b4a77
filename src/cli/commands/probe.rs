//! `tfpatch doctor|fix|verify --probe`: the commands with a proof by importing every native module.

use super::prove::{close, one};
use crate::app::Chosen;
use crate::cli::args::{self, Format, Targets};
use crate::cli::asked;
use crate::cli::error::Error;
use crate::cli::probe::Probe;
use crate::cli::session::{Session, status_of};
use crate::cli::settings;
use crate::findings::finding::Finding;
use crate::report::json;
use crate::report::probe::{write_doctor, write_fix, write_verify};
use crate::report::probe_json::ProbeReport;
use crate::report::words::Words;

/// Imports everything, and includes the results in the diagnosis.
///
/// # Errors
/// If the target has no interpreter or cannot be read, or the output cannot be written.
pub fn doctor(session: &mut Session, options: &args::Doctor) -> Result<u8, Error> {
    let chosen = chosen(session, &options.targets)?;
    let how = asked::doctor(session, options)?;
    let probe = Probe::new(session, options.proof.timeout)?;
    let (mut diagnosed, probed) = session.app.probe_doctor(&chosen, &how, &probe)?;
    session.app.promise(&chosen, &how, options.allow_absolute, &mut diagnosed)?;
    let told = close(probe.tracer);
    if session.format == Format::Json {
        json::write(&mut *session.out, &ProbeReport::of_doctor(&chosen, &diagnosed, &probed))?;
    } else {
        let Session { out, app, detail, .. } = session;
        write_doctor(&mut *out, app, &chosen, &diagnosed, &probed, *detail)?;
    }
    let found = status(&diagnosed.diagnosis.findings, options.strict);
    Ok(told.unwrap_or_else(|| found.max(u8::from(!probed.is_good()))))
}

/// Imports everything, and verifies the target.
///
/// # Errors
/// As for [`doctor`], and where the target's store cannot be read.
pub fn verify(session: &mut Session, options: &args::Verify) -> Result<u8, Error> {
    let chosen = chosen(session, &options.targets)?;
    let settings = session.loader_settings(&options.simulation)?;
    let probe = Probe::new(session, options.proof.timeout)?;
    let (verified, probed) = session.app.probe_verify(&chosen, &settings, &probe)?;
    let told = close(probe.tracer);
    let is_well = verified.is_well() && !verified.is_interrupted && probed.is_good();
    if session.format == Format::Json {
        json::write(&mut *session.out, &ProbeReport::of_verify(&chosen, &verified, &probed))?;
    } else {
        write_verify(&mut *session.out, &chosen, &verified, &probed, session.detail)?;
    }
    Ok(told.unwrap_or(u8::from(!is_well)))
}

/// Imports everything, repairs the target according to the results, and imports everything again.
///
/// # Errors
/// As for [`doctor`], and where the target cannot be written.
pub fn fix(session: &mut Session, options: &args::Fix) -> Result<u8, Error> {
    let chosen = chosen(session, &options.targets)?;
    let how = asked::fix(session, options)?;
    let probe = Probe::new(session, options.proof.timeout)?;
    let fixed = session.app.probe_fix(&chosen, &how, &probe)?;
    let told = close(probe.tracer);
    if session.format == Format::Json {
        json::write(&mut *session.out, &ProbeReport::of_fix(&chosen, &fixed))?;
    } else {
        let in_earnest = &settings::in_earnest(0);
        let telling = session.telling(options.diff, in_earnest);
        let Session { out, app, .. } = session;
        write_fix(&mut *out, app, &chosen, &fixed, telling)?;
    }
    let found = if options.strict { status(&fixed.remaining, true) } else { 0 };
    Ok(told.unwrap_or_else(|| found.max(u8::from(!fixed.verdict.is_good()))))
}

fn chosen(session: &Session, targets: &Targets) -> Result<Chosen, Error> {
    let found = session.app.targets(one(targets)?)?.into_iter().next();
    Ok(found.ok_or_else(|| Words::new("no modules with native code were found to import"))?)
}

fn status(findings: &[Finding], strict: bool) -> u8 {
    status_of(findings.iter().map(Finding::severity), strict)
}
