//! The previous operations, for people.

use super::style::{COMMAND, DIM, edited, paint};
use crate::bytes::printable;
use crate::operation::{Kind, Operation};
use std::io::{self, Write};

/// Writes a line for each operation.
///
/// # Errors
/// If the output cannot be written.
pub fn write(out: &mut dyn Write, operations: &[Operation]) -> io::Result<()> {
    if operations.is_empty() {
        writeln!(out, "no operations yet")?;
    }
    for operation in operations {
        let what = match operation.kind {
            Kind::Fix => "fix".to_owned(),
            Kind::Apply => "apply".to_owned(),
            Kind::Rpath => "rpath".to_owned(),
            Kind::Edit => "edit".to_owned(),
            Kind::Revert => {
                format!("revert of {}", printable(operation.reverts.join(", ").as_bytes()))
            }
        };
        let files = edited(operation.steps.iter().map(|step| step.kind), "file");
        let id = paint(COMMAND, printable(operation.id.as_bytes()));
        let time = paint(DIM, in_words(operation.time));
        writeln!(out, "{id}  {time}  {what}, {files}")?;
    }
    Ok(())
}

/// A time in UTC.
fn in_words(seconds: i64) -> String {
    jiff::Timestamp::from_second(seconds).map_or_else(
        |_| format!("{seconds} s after 1970"),
        |time| time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
    )
}
