//! `tfpatch fix`: diagnoses, makes a plan, proves it, and carries it out with a backup.

use crate::cli::args::{Fix, Format};
use crate::cli::error::Error;
use crate::cli::repairs::{plan_of, report};
use crate::cli::session::Session;
use crate::cli::{asked, plan_file, settings};
use crate::command_line::CommandLine;
use crate::report::words::Words;

/// Repairs each target.
///
/// # Errors
/// If a target cannot be read or written, or the output cannot be written.
pub fn run(session: &mut Session, options: &Fix) -> Result<u8, Error> {
    if options.plan.as_deref().is_some_and(plan_file::is_standard) {
        session.format = Format::Json;
    }
    let how = asked::fix(session, options)?;
    let is_one_plan = session.format == Format::Json || options.plan.is_some();
    if is_one_plan && options.targets.targets.len() > 1 {
        return Err(Words::new("--format json and -o write a single plan; name one TARGET").into());
    }
    let targets = session.app.targets(&options.targets.targets)?;
    session.app.check_output(options.repaired.as_deref(), &targets)?;
    let file = options.plan.as_deref().filter(|file| !plan_file::is_standard(file));
    let mut status = 0;
    for chosen in targets {
        let fixed = session.app.fix(&chosen, &how)?;
        // After a dry run, suggest to apply the plan if it was written, or else to repeat the command without
        // `--dry-run`.
        let in_earnest = match file {
            Some(file) => {
                plan_file::write(file, &plan_of(&fixed))?;
                chosen.command(CommandLine::new(["apply"]).argument(file))
            }
            None => settings::in_earnest(0),
        };
        let Fix { diff, strict, .. } = *options;
        status = status.max(report(session, &chosen, &fixed, diff, &in_earnest, strict)?);
    }
    Ok(status)
}
