//! `tfpatch doctor`: what would not load, and why.

use crate::cli::args::{Doctor, Format};
use crate::cli::error::CommandError;
use crate::cli::progress::Progress;
use crate::cli::session::{Chosen, Session, status_of};
use crate::repair::diagnose::diagnose;
use crate::repair::finding::{Finding, Severity};
use crate::report::findings;
use crate::report::json::{self, DoctorReport, TargetReport};
use crate::report::style::{COMMAND, GOOD, counted, paint};
use std::collections::BTreeSet;
use std::io::{self, Write};

/// Diagnoses each target.
///
/// # Errors
/// Where a target cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Doctor) -> Result<u8, CommandError> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut report = DoctorReport::new();
    let mut status = 0;
    for chosen in session.targets(&options.targets.targets)? {
        let progress = Progress::new("reading objects");
        let mut world = session.world(&chosen, settings.clone());
        session.require_object(&chosen, &world)?;
        world.search.clone_from(&options.search);
        // Whether a store can be read is no question of a diagnosis.
        if let Ok(place) = session.place(&chosen) {
            let _ = session.note_interruption(&place.store);
        }
        let diagnosis = diagnose(&session.vfs, &world);
        drop(progress);
        let objects = world.meant();
        status =
            status.max(status_of(diagnosis.findings.iter().map(Finding::severity), options.strict));
        if session.format == Format::Json {
            let target = TargetReport::of(&world.root, &chosen.reason);
            report.add(target, &diagnosis.findings, objects, diagnosis.unresolved);
            continue;
        }
        session.write_heading(&chosen, &world)?;
        findings::write(&mut *session.out, &world, &diagnosis.findings, session.detail)?;
        write_conclusion(&mut *session.out, &chosen, &diagnosis.findings, objects)?;
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}

fn write_conclusion(
    out: &mut dyn Write,
    chosen: &Chosen,
    findings: &[Finding],
    objects: usize,
) -> io::Result<()> {
    let fixable: BTreeSet<_> = findings
        .iter()
        .filter(|finding| finding.fixable && finding.severity() != Severity::Info)
        .map(|finding| &finding.object)
        .collect();
    if !fixable.is_empty() {
        let files = counted(fixable.len(), "file");
        let command = paint(COMMAND, format!("→ {}", chosen.command("fix")));
        return writeln!(out, "{command}      ({files}, undo: {})", chosen.command("revert"));
    }
    if findings.iter().all(|finding| finding.severity() == Severity::Info) {
        if objects == 0 {
            return writeln!(out, "no shared object or program is there: nothing to find out");
        }
        let objects = counted(objects, "object");
        return writeln!(out, "{}  {objects}, everything resolves", paint(GOOD, "ok"));
    }
    Ok(())
}
