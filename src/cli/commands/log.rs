//! `tfpatch log`: the operations so far.

use crate::app::Error;
use crate::bytes::printable;
use crate::cli::args::{Format, OneTarget};
use crate::cli::session::Session;
use crate::operation::{self, Kind};
use crate::report::json;
use crate::report::operations::LogReport;
use crate::report::style::{COMMAND, DIM, paint};
use std::io::Write as _;

/// Lists the operations of a target's store, the newest first.
///
/// # Errors
/// Where the target or its store cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &OneTarget) -> Result<u8, Error> {
    let named: Vec<_> = options.target.iter().cloned().collect();
    let mut operations = Vec::new();
    for chosen in session.app.targets(&named)? {
        let place = session.app.place(&chosen)?;
        session.app.note_interruption(&place.store)?;
        operations.extend(operation::log(&place.store)?);
    }
    operations.reverse();
    if session.format == Format::Json {
        json::write(&mut *session.out, &LogReport::new(operations))?;
        return Ok(0);
    }
    if operations.is_empty() {
        writeln!(session.out, "no operations yet")?;
    }
    for operation in &operations {
        let what = match operation.kind {
            Kind::Fix => "fix".to_owned(),
            Kind::Apply => "apply".to_owned(),
            Kind::Rpath => "rpath".to_owned(),
            Kind::Revert => {
                format!("revert of {}", printable(operation.reverts.join(", ").as_bytes()))
            }
        };
        let files = operation.steps.len();
        let noun = if files == 1 { "file" } else { "files" };
        let id = paint(COMMAND, printable(operation.id.as_bytes()));
        let time = paint(DIM, in_words(operation.time));
        writeln!(session.out, "{id}  {time}  {what}, {files} {noun}")?;
    }
    Ok(0)
}

/// A time as people write it, in UTC.
fn in_words(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}
