//! `tfpatch trace`: what a command really asks of the loader, beside what was predicted.

use crate::app::Error;
use crate::app::trace::{self, Requests, Traced};
use crate::cli::args::{Fix, Format, Trace};
use crate::cli::child::Forwarder;
use crate::cli::commands::fix;
use crate::cli::repairs::carrying;
use crate::cli::session::{Session, status_of};
use crate::cli::settings;
use crate::cli::simulation::Simulation;
use crate::cli::traced;
use crate::findings::finding::Finding;
use crate::operation::Kind;
use crate::report::json::{self, TargetReport};
use crate::report::outcome::{self, Telling};
use crate::report::trace::{Child, Report, TraceReport, notes, write_all};

/// Runs the command, waits for it, and reports.
///
/// # Errors
/// Where the command cannot be started, its trace cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Trace) -> Result<u8, Error> {
    let Some((program, arguments)) = options.command.split_first() else {
        return Err(Error::new("no command was given"));
    };
    if session.app.is_elsewhere() {
        let why = "--root: a command of another root cannot be run from here";
        return Err(Error::new(why).hint("chroot ROOTFS tfpatch trace -- COMMAND"));
    }
    let mut loader_settings = session.loader_settings(&Simulation::default())?;
    // The trace tells which of them the loader uses, whatever the processor has.
    loader_settings.hwcaps.clear();
    let directory = traced::directory()?;
    let forwarder = Forwarder::new(directory.path().to_owned(), settings::keeps_ignored)?;
    let mut requests = Requests::new(&session.app, &loader_settings)?;
    let (child, mut said) = traced::run(&forwarder, program, arguments, directory, &mut requests)?;
    let like_fix = Fix::default();
    let carrying = carrying(session, Kind::Fix, options.dry_run, false, &like_fix.writing);
    let how = trace::Trace {
        program,
        settings: loader_settings,
        fix: options.fix.then(|| (fix::planning(&like_fix), carrying)),
    };
    let mut traced = session.app.trace(requests, &how)?;
    said.extend(notes(&traced));
    report(session, options, child, &mut traced, &said)?;
    let status = match traced.repaired {
        Some(repaired) => status_of(repaired?.remaining.iter().map(Finding::severity), false),
        None => status_of(traced.examined.findings.iter().map(Finding::severity), false),
    };
    // Whoever asked us to end is told that we did, not what was found until then.
    Ok(forwarder.status().unwrap_or(status))
}

fn report(
    session: &mut Session,
    options: &Trace,
    child: Child,
    traced: &mut Traced,
    notes: &[String],
) -> Result<(), Error> {
    if let Some(Ok(repaired)) = &mut traced.repaired {
        let plan = &mut repaired.carried.plan;
        outcome::add_unfixable(plan, &traced.examined.world.root, &repaired.remaining)?;
    }
    let compared = traced.examined.compare(&traced.answers);
    let chosen = traced.chosen.as_ref();
    let fix = chosen.filter(|_| !options.fix).map(|chosen| chosen.command("fix"));
    let report = Report { child, traced, compared: &compared, notes, fix };
    if session.format == Format::Json {
        let root = &traced.examined.world.root;
        let target = chosen.map(|chosen| TargetReport::of(root, &chosen.reason));
        json::write(&mut *session.out, &TraceReport::of(&report, target))?;
        return Ok(());
    }
    let in_earnest = &settings::in_earnest();
    let telling = Telling { detail: session.detail, diff: false, in_earnest };
    write_all(&mut *session.out, &session.app, &report, telling)?;
    Ok(())
}
