//! The common parts of commands that report a repair.

use super::args::Format;
use super::error::Error;
use super::session::{Session, status_of};
use crate::app::Chosen;
use crate::app::fix::Fixed;
use crate::command_line::CommandLine;
use crate::findings::finding::Finding;
use crate::report::json::{self, PlanReport};
use crate::report::outcome;

/// Reports a repair; `in_earnest` is the command that carries out a dry run. Returns the exit status, which
/// with `strict` depends on warnings too.
///
/// # Errors
/// If the output cannot be written.
pub fn report(
    session: &mut Session,
    chosen: &Chosen,
    fixed: &Fixed,
    diff: bool,
    in_earnest: &CommandLine,
    strict: bool,
) -> Result<u8, Error> {
    let telling = session.telling(diff, in_earnest);
    let Session { app, out, .. } = session;
    if session.format == Format::Json {
        json::write(&mut *out, &plan_of(fixed))?;
    } else {
        outcome::write(&mut *out, app, chosen, fixed, telling)?;
    }
    let remaining = fixed.repaired.remaining.iter();
    Ok(status_of(remaining.map(Finding::severity), strict))
}

/// The plan of a repair as JSON.
#[must_use]
pub fn plan_of(fixed: &Fixed) -> PlanReport<'_> {
    let repaired = &fixed.repaired;
    PlanReport::of(&repaired.carried.plan, &fixed.world.root, &repaired.remaining)
}
