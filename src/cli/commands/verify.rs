//! `tfpatch verify`: are patched files as they were left, and does everything still resolve?

use crate::app::Error;
use crate::app::stores::Place;
use crate::cli::args::{Format, Verify};
use crate::cli::session::Session;
use crate::diagnosis::diagnose::diagnose;
use crate::findings::finding::{Finding, Severity};
use crate::operation::{self, FileState, State};
use crate::plan::Kind;
use crate::python::installer;
use crate::report::findings::{self, Detail};
use crate::report::heading;
use crate::report::json::{self, FindingReport};
use crate::report::linked::{self, LinkReport};
use crate::report::operations::{VerifiedFile, VerifyReport};
use crate::report::style::{COMMAND, DIM, ERROR, GOOD, counted, paint};
use crate::vfs::OsVfs;
use std::io::{self, Write};

/// Verifies each target. Drift and errors end with status 1.
///
/// # Errors
/// Where a target or its store cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Verify) -> Result<u8, Error> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut report = VerifyReport::new();
    let mut status = 0;
    let all = session.app.vfs.clone();
    for chosen in session.app.targets(&options.targets.targets)? {
        session.app.require_interpreter(&chosen)?;
        let place = session.app.place(&chosen)?;
        status = status.max(u8::from(session.app.note_interruption(&place.store)?));
        let mut files = operation::drift(&place.root, &place.store)?;
        files.retain(|file| session.app.means(&chosen, &place, &file.path));
        let view = session.app.view(&all, &chosen)?;
        let world = session.app.world(&view, &chosen, settings.clone());
        // Files that were patched and are there no more have been looked for, too.
        let is_first = files.is_empty();
        if is_first {
            session.app.require_object(&chosen, &world)?;
        }
        let diagnosis = diagnose(view.vfs(), &world);
        view.require_sound()?;
        if is_first {
            session.app.require_something(&chosen, &world, &diagnosis.findings)?;
        }
        let is_error = |finding: &&Finding| finding.severity() == Severity::Error;
        let errors: Vec<Finding> = diagnosis.findings.iter().filter(is_error).cloned().collect();
        let is_to_do = |finding: &Finding| finding.fixable && finding.severity() != Severity::Info;
        let verified = Verified {
            needs_repair: !errors.is_empty() || diagnosis.findings.iter().any(is_to_do),
            ..Verified::of(&place, files)?
        };
        status = status.max(u8::from(verified.is_drift() || !errors.is_empty()));
        if session.format == Format::Human {
            let out = &mut *session.out;
            verified.write(out, session.detail)?;
            let reservation = linked::reservation(&world);
            let resolves = match (errors.is_empty(), diagnosis.unasked.is_empty(), &reservation) {
                (true, true, None) => "everything resolves",
                (true, true, Some(_)) => "what was looked at resolves",
                (true, false, _) => "what is imported resolves",
                (false, ..) => "errors remain",
            };
            let links = reservation.map(|links| format!("; {links}")).unwrap_or_default();
            findings::write(out, &world, &errors, session.detail)?;
            heading::write_not_followed(&mut *session.out, &chosen, &world, session.detail)?;
            let out = &mut *session.out;
            let left = verified.left();
            let they = if left == 1 { "it was" } else { "they were" };
            let line = format!("{} as {they} left, {resolves}{links}", counted(left, "file"));
            let is_well = !verified.is_drift() && errors.is_empty();
            if !is_well || session.detail > Detail::Quiet {
                writeln!(out, "{}", paint(if is_well { GOOD } else { ERROR }, line))?;
            }
            if verified.needs_repair && verified.is_installed_anew() {
                writeln!(out, "{}", paint(COMMAND, format!("→ {}", chosen.command("fix"))))?;
            }
        }
        let findings = diagnosis.findings.iter().map(FindingReport::of);
        let files = verified.files.into_iter().map(|seen| seen.report);
        report.add(files.collect(), findings.collect());
        report.not_followed.extend(LinkReport::all(&world));
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}

/// The patched files of a target as they are now.
struct Verified {
    files: Vec<Seen>,
    /// Is there anything that `fix` would do?
    needs_repair: bool,
}

struct Seen {
    report: VerifiedFile,
    /// Is it neither as it was left, nor reverted, nor uninstalled?
    is_other: bool,
}

impl Seen {
    fn is_record(&self) -> bool {
        self.report.file.kind == Kind::Record
    }

    fn is(&self, state: &State) -> bool {
        self.report.file.state == *state
    }
}

impl Verified {
    fn of(place: &Place, files: Vec<FileState>) -> Result<Self, Error> {
        // A file that has its old bytes again though nobody reverted it was installed anew.
        let edited = operation::diff(&place.root, &place.store)?;
        let seen = files.into_iter().map(|file| {
            let is_other = match file.state {
                State::Changed(_) | State::Gone => true,
                State::Reverted => edited.iter().any(|edit| edit.path == file.path),
                State::AsLeft | State::Uninstalled => false,
            };
            let installed_by = (is_other && file.kind != Kind::Record)
                .then(|| installer::of(&OsVfs::new(), &place.root.join(&file.path)))
                .flatten();
            Seen { report: VerifiedFile { file, installed_by }, is_other }
        });
        Ok(Self { files: seen.collect(), needs_repair: false })
    }

    /// Has an installer put all those objects there that are not as they were left?
    fn is_installed_anew(&self) -> bool {
        let mut objects = self.files.iter().filter(|seen| seen.is_other && !seen.is_record());
        objects.next().is_some_and(|first| first.report.installed_by.is_some())
            && objects.all(|seen| seen.report.installed_by.is_some())
    }

    /// Files that are told of. The rows of what an installer put there are the installer's too.
    fn others(&self) -> impl Iterator<Item = &Seen> {
        let is_anew = self.is_installed_anew();
        self.files.iter().filter(move |seen| seen.is_other && !(is_anew && seen.is_record()))
    }

    /// What an installer put there is drift only as long as it needs the repair that is lost.
    fn is_drift(&self) -> bool {
        self.others().any(|seen| seen.report.installed_by.is_none() || self.needs_repair)
    }

    /// Objects that are as they were left. RECORD rows follow the files that they list, and are not
    /// counted beside them.
    fn left(&self) -> usize {
        self.files.iter().filter(|seen| seen.is(&State::AsLeft) && !seen.is_record()).count()
    }

    fn write(&self, out: &mut dyn Write, detail: Detail) -> io::Result<()> {
        for seen in self.others() {
            let VerifiedFile { file, installed_by } = &seen.report;
            let by = installed_by.as_ref().map(|by| format!(" by {by}"));
            let what = match (&file.state, &by) {
                (State::Reverted, by) => {
                    let by = by.as_deref().unwrap_or_default();
                    format!("has its old bytes again: it was installed anew{by}")
                }
                (State::Changed(_), Some(by)) => format!("was installed anew{by}"),
                (State::Changed(change), None) => format!("was changed since: {change}"),
                _ => "is gone".to_owned(),
            };
            if by.is_none() || self.needs_repair {
                writeln!(out, "{}  {} {what}", paint(ERROR, "drift"), file.path)?;
            } else if detail > Detail::Quiet {
                let note = paint(DIM, "note");
                writeln!(out, "{note}  {} {what}, and needs no repair", file.path)?;
            }
        }
        let gone = self.files.iter().filter(|seen| seen.is(&State::Uninstalled));
        for seen in gone.filter(|seen| !seen.is_record() && detail > Detail::Quiet) {
            let path = &seen.report.file.path;
            writeln!(out, "{}  {path} was uninstalled", paint(DIM, "note"))?;
        }
        Ok(())
    }
}
