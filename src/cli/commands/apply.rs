//! `tfpatch apply`: carries out a plan from a file.

use crate::cli::args::Apply;
use crate::cli::error::Error;
use crate::cli::repairs::report;
use crate::cli::session::Session;
use crate::cli::{asked, settings};

/// Carries out a plan on a target.
///
/// # Errors
/// If the plan or the target cannot be read, the plan does not fit, or a file cannot be written.
pub fn run(session: &mut Session, options: &Apply) -> Result<u8, Error> {
    let how = asked::apply(session, options)?;
    let Apply { diff, strict, .. } = *options;
    let mut status = 0;
    for chosen in session.app.targets(options.target.as_slice())? {
        let fixed = session.app.apply(&chosen, &how)?;
        let in_earnest = settings::in_earnest(0);
        status = status.max(report(session, &chosen, &fixed, diff, &in_earnest, strict)?);
    }
    Ok(status)
}
