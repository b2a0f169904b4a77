//! `tfpatch doctor`: finds out what would not load, and why.

use crate::cli::args::{Doctor, Format};
use crate::cli::asked;
use crate::cli::error::Error;
use crate::cli::session::{Session, status_of};
use crate::findings::finding::Finding;
use crate::report::doctor::{write, write_markdown};
use crate::report::json::{self, DoctorReport, TargetReport};
use crate::report::linked::LinkReport;

/// Diagnoses each target.
///
/// # Errors
/// If a target cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Doctor) -> Result<u8, Error> {
    let how = asked::doctor(session, options)?;
    let mut report = DoctorReport::new();
    let mut status = 0;
    let mut last = None;
    for chosen in session.app.targets(&options.targets.targets)? {
        let mut diagnosed = session.app.diagnose(&chosen, &how)?;
        session.app.promise(&chosen, &how, options.allow_absolute, &mut diagnosed)?;
        let (world, diagnosis) = (&diagnosed.world, &diagnosed.diagnosis);
        let severities = diagnosis.findings.iter().map(Finding::severity);
        status = status.max(status_of(severities, options.strict));
        let Session { app, out, detail, .. } = session;
        match session.format {
            Format::Json => {
                let target = TargetReport::of(&world.root, &chosen.reason);
                report.add(target, &diagnosis.findings, world.meant(), diagnosis.unresolved);
                report.not_followed.extend(LinkReport::all(world));
            }
            Format::Markdown => write_markdown(&mut *out, app, &chosen, &diagnosed)?,
            _ => write(&mut *out, app, &chosen, &diagnosed, &options.search, *detail)?,
        }
        last = Some(diagnosed);
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    // The program ends: to free each part of the last result takes a twentieth of its time.
    std::mem::forget(last);
    Ok(status)
}
