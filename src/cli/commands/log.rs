//! `tfpatch log`: lists the previous operations.

use crate::cli::args::{Format, OneTarget};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::report::json;
use crate::report::log::write;
use crate::report::operations::LogReport;

/// Lists the operations in the store of a target, newest first.
///
/// # Errors
/// If the target or its store cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &OneTarget) -> Result<u8, Error> {
    let named: Vec<_> = options.target.iter().cloned().collect();
    let mut operations = Vec::new();
    for chosen in session.app.targets(&named)? {
        operations.extend(session.app.log(&chosen)?);
    }
    operations.reverse();
    match session.format {
        Format::Json => json::write(&mut *session.out, &LogReport::new(operations))?,
        _ => write(&mut *session.out, &operations)?,
    }
    Ok(0)
}
