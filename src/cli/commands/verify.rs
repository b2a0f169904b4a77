//! `tfpatch verify`: are patched files as they were left, and does everything still resolve?

use crate::cli::args::{Format, Verify};
use crate::cli::error::CommandError;
use crate::cli::session::Session;
use crate::operation::{self, FileState, State};
use crate::plan::Kind;
use crate::python::installer;
use crate::repair::diagnose::diagnose;
use crate::repair::finding::{Finding, Severity};
use crate::report::findings::{self, Detail};
use crate::report::json::{self, FindingReport};
use crate::report::style::{ERROR, GOOD, counted, paint};
use crate::vfs::OsVfs;
use serde::Serialize;

#[derive(Serialize)]
struct VerifyReport {
    schema: &'static str,
    files: Vec<FileState>,
    findings: Vec<FindingReport>,
}

/// Verifies each target. Drift and errors end with status 1.
///
/// # Errors
/// Where a target or its store cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Verify) -> Result<u8, CommandError> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut report =
        VerifyReport { schema: "tfpatch/verify/v1", files: Vec::new(), findings: Vec::new() };
    let mut status = 0;
    let all = session.vfs.clone();
    for chosen in session.targets(&options.targets.targets)? {
        let place = session.place(&chosen)?;
        status = status.max(u8::from(session.note_interruption(&place.store)?));
        let mut files = operation::drift(&place.root, &place.store)?;
        files.retain(|file| session.means(&chosen, &place, &file.path));
        let view = session.view(&all, &chosen)?;
        let world = session.world(&view, &chosen, settings.clone());
        if files.is_empty() {
            session.require_object(&chosen, &world)?;
        }
        // A file that has its old bytes again though nobody reverted it was installed anew.
        let edited = operation::diff(&place.root, &place.store)?;
        let is_edited = |file: &FileState| edited.iter().any(|edit| edit.path == file.path);
        let diagnosis = diagnose(view.vfs(), &world);
        view.require_sound()?;
        let drifted: Vec<&FileState> = files
            .iter()
            .filter(|file| match file.state {
                State::Changed(_) | State::Gone => true,
                State::Reverted => is_edited(file),
                State::AsLeft => false,
            })
            .collect();
        // RECORD rows follow the files that they list, and are not counted beside them.
        let is_record = |file: &&FileState| {
            edited.iter().any(|edit| edit.path == file.path && edit.kind == Kind::Record)
        };
        let left = files.iter().filter(|file| file.state == State::AsLeft);
        let left = left.filter(|file| !is_record(file)).count();
        let errors: Vec<Finding> = diagnosis
            .findings
            .iter()
            .filter(|finding| finding.severity() == Severity::Error)
            .cloned()
            .collect();
        status = status.max(u8::from(!drifted.is_empty() || !errors.is_empty()));
        if session.format == Format::Human {
            let out = &mut *session.out;
            for file in &drifted {
                let what = match &file.state {
                    State::Changed(change) => {
                        match installer::of(&OsVfs::new(), &place.root.join(&file.path)) {
                            Some(distribution) => format!("was installed anew by {distribution}"),
                            None => format!("was changed since: {change}"),
                        }
                    }
                    State::Gone => "is gone".to_owned(),
                    _ => "has its old bytes again: it was installed anew".to_owned(),
                };
                writeln!(out, "{}  {} {what}", paint(ERROR, "drift"), file.path)?;
            }
            let resolves = match (errors.is_empty(), diagnosis.unasked.is_empty()) {
                (true, true) => "everything resolves",
                (true, false) => "what is imported resolves",
                (false, _) => "errors remain",
            };
            findings::write(out, &world, &errors, session.detail)?;
            let they = if left == 1 { "it was" } else { "they were" };
            let line = format!("{} as {they} left, {resolves}", counted(left, "file"));
            let is_well = drifted.is_empty() && errors.is_empty();
            if !is_well || session.detail > Detail::Quiet {
                writeln!(out, "{}", paint(if is_well { GOOD } else { ERROR }, line))?;
            }
        }
        report.findings.extend(diagnosis.findings.iter().map(FindingReport::of));
        report.files.extend(files);
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}
