//! What the commands have in common that carry out a plan.

use super::args::{Format, Writing};
use super::session::{Session, status_of};
use crate::app::carry_out::Carrying;
use crate::app::fix::Fixed;
use crate::app::{Chosen, Error};
use crate::findings::finding::Finding;
use crate::operation::Kind;
use crate::report::findings::Detail;
use crate::report::outcome::{self, Telling};
use crate::report::{changes, json};

/// How a plan is carried out, by the options; `diff` asks for what changes.
pub fn carrying(
    session: &Session,
    kind: Kind,
    dry_run: bool,
    diff: bool,
    writing: &Writing,
) -> Carrying {
    let shows_bytes = diff && session.detail == Detail::Verbose && session.format != Format::Json;
    Carrying {
        kind,
        dry_run,
        write: writing.write.into(),
        sync: !writing.no_sync,
        repaired: None,
        old_bytes: shows_bytes.then_some(changes::SHOWN),
    }
}

/// Reports a repair; `in_earnest` is the command that does what was a trial. The exit status, with
/// `strict` that of a warning too.
///
/// # Errors
/// Where the output cannot be written.
pub fn report(
    session: &mut Session,
    chosen: &Chosen,
    fixed: &Fixed,
    diff: bool,
    in_earnest: &str,
    strict: bool,
) -> Result<u8, Error> {
    let Session { app, out, detail, .. } = session;
    if session.format == Format::Json {
        json::write(&mut *out, &fixed.repaired.carried.plan)?;
    } else {
        let telling = Telling { detail: *detail, diff, in_earnest };
        outcome::write(&mut *out, app, chosen, fixed, telling)?;
    }
    let remaining = fixed.repaired.remaining.iter();
    Ok(status_of(remaining.map(Finding::severity), strict))
}
