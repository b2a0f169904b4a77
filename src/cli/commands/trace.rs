//! `tfpatch trace`: compares the requests of a command to the loader with the predictions.

use crate::app::trace::Trace as How;
use crate::cli::args::{Format, Trace};
use crate::cli::child::{Manner, status_of};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::cli::traced::{Ran, Tracer, program};
use crate::cli::{asked, settings};
use crate::command_line::CommandLine;
use crate::report::trace::{Report, TraceReport, write_all};
use crate::report::{self, json};

/// Runs the command, waits for it, and reports. The exit status is that of the command, as in env(1).
///
/// # Errors
/// If the command cannot be started, its trace cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Trace) -> Result<u8, Error> {
    let tracer = Tracer::new(session)?;
    // The command shares the input, output and terminal of tfpatch.
    let ran = tracer.run(&options.command, Manner::default(), None, |_| Ok(()));
    let ran = ran.map_err(Error::Untraced)?;
    let Ran { requests, child, .. } = ran;
    let (program, settings) = (program(&options.command), tracer.settings.clone());
    let (forwarder, mut notes) = tracer.close();
    let (search, fix) = (options.search.clone(), asked::fix_of_trace(session, options));
    let how = How { program, child, settings, search, fix };
    let traced = session.app.trace(requests, &how)?;
    notes.extend(report::trace::notes(&traced));
    let fix = traced.chosen.as_ref().filter(|_| !options.fix);
    let fix = fix.map(|chosen| chosen.command(CommandLine::new(["fix"])));
    let compared = traced.examined.compare(&traced.answers);
    let report = Report { child, traced: &traced, compared: &compared, notes: &notes, fix };
    if session.format == Format::Json {
        json::write(&mut session.out, &TraceReport::of(&report))?;
    } else {
        let in_earnest = &settings::in_earnest(options.command.len());
        let telling = session.telling(false, in_earnest);
        write_all(&mut session.out, &session.app, &report, telling)?;
    }
    if let Some(repaired) = traced.repaired {
        repaired?;
    }
    // After a signal, the status shows the signal; otherwise it is that of the command.
    Ok(forwarder.status().unwrap_or(status_of(child)))
}
