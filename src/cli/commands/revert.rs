//! `tfpatch revert`: restores the exact old bytes.

use crate::app;
use crate::cli::args::{Format, Revert};
use crate::cli::error::Error;
use crate::cli::session::Session;
use crate::report::json;
use crate::report::operations::RevertReport;
use crate::report::revert::write;

/// Reverts each target.
///
/// # Errors
/// If a store cannot be read or a file cannot be written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Revert) -> Result<u8, Error> {
    let how = app::revert::Revert {
        operation: options.operation.clone(),
        dry_run: options.dry_run,
        write: options.writing.write.into(),
        sync: !options.writing.no_sync,
    };
    let targets = session.app.targets(&options.targets.targets)?;
    let all = targets.iter().map(|chosen| session.app.revert(chosen, &how));
    let all = all.collect::<Result<Vec<_>, _>>()?;
    let status = u8::from(all.iter().any(|put_back| !put_back.reverted.refused.is_empty()));
    if session.format == Format::Json {
        let targets = all.iter().map(|put_back| &put_back.reverted);
        json::write(&mut *session.out, &RevertReport::new(options.dry_run, targets))?;
        return Ok(status);
    }
    for (chosen, put_back) in targets.iter().zip(&all) {
        write(&mut *session.out, chosen, put_back, options.dry_run)?;
    }
    Ok(status)
}
