//! `tfpatch trace`: what a command really asks of the loader, beside what was predicted.

use crate::app::trace::Trace as How;
use crate::cli::args::{Format, Trace};
use crate::cli::error::Error;
use crate::cli::session::{Session, status_of};
use crate::cli::traced::{self, Ran};
use crate::cli::{asked, settings};
use crate::command_line::CommandLine;
use crate::findings::finding::Finding;
use crate::report::outcome::Telling;
use crate::report::trace::{Report, TraceReport, write_all};
use crate::report::{self, json};

/// Runs the command, waits for it, and reports.
///
/// # Errors
/// Where the command cannot be started, its trace cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Trace) -> Result<u8, Error> {
    let Ran { program, settings, requests, child, mut notes, forwarder } =
        traced::run(session, &options.command)?;
    let how = How { program, settings, fix: asked::fix_of_trace(session, options) };
    let traced = session.app.trace(requests, &how)?;
    notes.extend(report::trace::notes(&traced));
    let fix = traced.chosen.as_ref().filter(|_| !options.fix);
    let fix = fix.map(|chosen| chosen.command(CommandLine::new(["fix"])));
    let compared = traced.examined.compare(&traced.answers);
    let report = Report { child, traced: &traced, compared: &compared, notes: &notes, fix };
    if session.format == Format::Json {
        json::write(&mut session.out, &TraceReport::of(&report))?;
    } else {
        let in_earnest = &settings::in_earnest();
        let telling = Telling { detail: session.detail, diff: false, in_earnest };
        write_all(&mut session.out, &session.app, &report, telling)?;
    }
    let remaining = match traced.repaired {
        Some(repaired) => repaired?.remaining,
        None => traced.examined.findings,
    };
    // Whoever asked us to end is told that we did, not what was found until then.
    let status = status_of(remaining.iter().map(Finding::severity), false);
    Ok(forwarder.status().unwrap_or(status))
}
