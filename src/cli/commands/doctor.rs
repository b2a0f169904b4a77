//! `tfpatch doctor`: what would not load, and why.

use crate::app::Chosen;
use crate::app::Error;
use crate::app::targets::quoted;
use crate::app::view::View;
use crate::bytes::printable;
use crate::cli::args::{Doctor, Format};
use crate::cli::progress::Progress;
use crate::cli::session::{Session, status_of};
use crate::diagnosis::diagnose::{Diagnosis, diagnose};
use crate::findings::finding::{Finding, Severity};
use crate::report::findings::{self, Detail};
use crate::report::heading;
use crate::report::json::{self, DoctorReport, TargetReport};
use crate::report::linked::{self, LinkReport};
use crate::report::markdown::{self, Summary};
use crate::report::style::{COMMAND, GOOD, counted, paint};
use crate::world::World;
use std::collections::BTreeSet;
use std::io;

/// Diagnoses each target.
///
/// # Errors
/// Where a target cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Doctor) -> Result<u8, Error> {
    let settings = session.loader_settings(&options.simulation)?;
    let mut report = DoctorReport::new();
    let mut status = 0;
    let surroundings = session.surroundings(&options.simulation)?;
    let files = session.app.vfs.clone();
    for chosen in session.app.targets(&options.targets.targets)? {
        session.app.require_interpreter(&chosen)?;
        let progress = Progress::new("reading objects");
        let view = session.app.view(&files, &chosen)?;
        let mut world = session.app.world(&view, &chosen, settings.clone());
        session.app.require_object(&chosen, &world)?;
        world.search = session.app.search(&view, &options.search)?;
        world.deep = options.deep;
        world.surroundings.clone_from(&surroundings);
        // Whether a store can be read is no question of a diagnosis.
        if let Ok(place) = session.app.place(&chosen) {
            let _ = session.app.note_interruption(&place.store);
        }
        let diagnosis = diagnose(view.vfs(), &world);
        view.require_sound()?;
        session.app.require_something(&chosen, &world, &diagnosis.findings)?;
        drop(progress);
        let objects = world.meant();
        status =
            status.max(status_of(diagnosis.findings.iter().map(Finding::severity), options.strict));
        if session.format == Format::Json {
            let target = TargetReport::of(&world.root, &chosen.reason);
            report.add(target, &diagnosis.findings, objects, diagnosis.unresolved);
            report.not_followed.extend(LinkReport::all(&world));
            continue;
        }
        if session.format == Format::Markdown {
            let (what, facts) = heading::heading(&session.app, &chosen, &world);
            let summary = Summary {
                heading: &format!("{what} {facts}"),
                objects,
                unresolved: diagnosis.unresolved,
                fix: &chosen.command("fix"),
            };
            markdown::write(&mut *session.out, &world, &diagnosis.findings, &summary)?;
            continue;
        }
        heading::write(&mut *session.out, &session.app, &chosen, &world, session.detail)?;
        findings::write(&mut *session.out, &world, &diagnosis.findings, session.detail)?;
        heading::write_not_followed(&mut *session.out, &chosen, &world, session.detail)?;
        write_conclusion(session, options, &chosen, &view, &world, &diagnosis)?;
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}

fn write_conclusion(
    session: &mut Session,
    options: &Doctor,
    chosen: &Chosen,
    view: &View<'_>,
    world: &World,
    diagnosis: &Diagnosis,
) -> io::Result<()> {
    let findings = &diagnosis.findings;
    let out = &mut *session.out;
    let is_fixable = |finding: &&Finding| finding.fixable && finding.severity() != Severity::Info;
    let fixable: Vec<&Finding> = findings.iter().filter(is_fixable).collect();
    if !fixable.is_empty() {
        let files: BTreeSet<_> = fixable.iter().map(|finding| &finding.object).collect();
        let files = counted(files.len(), "file");
        let mut words = "fix".to_owned();
        for directory in &options.search {
            words += &format!(" --search {}", quoted(directory.as_os_str()));
        }
        let mut providers = fixable.iter().filter_map(|finding| finding.lies_in.first());
        if providers.any(|directory| !world.contains(view.vfs(), directory)) {
            words += " --allow-absolute";
        }
        let command = paint(COMMAND, format!("→ {}", chosen.command(&words)));
        return writeln!(out, "{command}      ({files}, undo: {})", chosen.command("revert"));
    }
    if session.detail == Detail::Quiet
        || findings.iter().any(|finding| finding.severity() != Severity::Info)
    {
        return Ok(());
    }
    let objects = world.meant();
    let ok = paint(GOOD, "ok");
    let reservation = linked::reservation(world);
    if objects == 0 {
        let links = reservation.map(|links| format!("; {links}")).unwrap_or_default();
        let rest = "no shared libraries or programs found beside it";
        return writeln!(out, "{ok}  the interpreter starts, {rest}{links}");
    }
    let objects = counted(objects, "object");
    let unasked = &diagnosis.unasked;
    if let (true, Some(links)) = (unasked.is_empty(), &reservation) {
        return writeln!(out, "{ok}  {objects}, what was looked at resolves; {links}");
    }
    if unasked.is_empty() {
        return writeln!(out, "{ok}  {objects}, everything resolves");
    }
    let unmet = counted(unasked.len(), "unmet need");
    let hint = if session.detail == Detail::Verbose { "" } else { "; -v lists them" };
    let what = if view.wheel().is_some() {
        format!("what the wheel has resolves; {unmet}, for others to bring{hint}")
    } else {
        format!("what is imported resolves, plugins or programs have {unmet}{hint}")
    };
    let links = reservation.map(|links| format!("; {links}")).unwrap_or_default();
    writeln!(out, "{ok}  {objects}, {what}{links}")?;
    if session.detail == Detail::Verbose {
        for (object, library) in unasked {
            writeln!(out, "  {} needs {}", world.shown(object), printable(library))?;
        }
    }
    Ok(())
}
