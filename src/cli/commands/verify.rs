//! `tfpatch verify`: checks that patched files are unchanged, and that all dependencies still resolve.

use crate::cli::args::{Format, Verify};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::report::json::{self, FindingReport};
use crate::report::linked::LinkReport;
use crate::report::operations::{VerifiedFile, VerifyReport};
use crate::report::verify::write;

/// Verifies each target. Drift and errors give exit status 1.
///
/// # Errors
/// If a target or its store cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Verify) -> Result<u8, Error> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut report = VerifyReport::new();
    let mut status = 0;
    for chosen in session.app.targets(&options.targets.targets)? {
        let verified = session.app.verify(&chosen, &settings)?;
        status = status.max(u8::from(verified.is_interrupted || !verified.is_well()));
        if session.format == Format::Human {
            write(&mut *session.out, &chosen, &verified, session.detail, false)?;
        }
        let findings = verified.diagnosis.findings.iter().map(FindingReport::of);
        let files = verified.files.all.iter().map(VerifiedFile::of);
        report.add(files.collect(), findings.collect());
        report.not_followed.extend(LinkReport::all(&verified.world));
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}
