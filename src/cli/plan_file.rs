//! Reads and writes plan files.

use super::error::Error;
use super::settings;
use crate::bytes::shown;
use crate::operation::write_text;
use crate::plan::Plan;
use crate::report::json::{self, PlanReport};
use crate::report::words::Words;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// The name that means standard input or output.
const STANDARD: &str = "-";

/// The maximum length of a plan. A plan that signs a library of a gigabyte again has about 12 MB.
const MAX_BYTES: u64 = 256 << 20;

/// Writes a plan.
const MAKE: &str = "`tfpatch fix --dry-run -o plan.json` writes a plan";

/// Is standard input or output meant?
#[must_use]
pub fn is_standard(file: &Path) -> bool {
    file.as_os_str() == STANDARD
}

/// Reads a plan.
///
/// # Errors
/// If the file cannot be read, or does not contain a plan.
pub fn read(file: &Path) -> Result<Plan, Error> {
    let failed = |error: io::Error| {
        Words::new(format!("cannot read the plan {}: {error}", shown(file))).hint(MAKE)
    };
    let mut text = Vec::new();
    if is_standard(file) {
        io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    } else {
        let opened = File::open(settings::working_directory()?.join(file)).map_err(failed)?;
        opened.take(MAX_BYTES + 1).read_to_end(&mut text).map_err(failed)?;
    }
    let no_plan =
        |why: String| Words::new(format!("{} is not a plan: {why}", shown(file))).hint(MAKE);
    if text.len() as u64 > MAX_BYTES {
        return Err(no_plan(format!("it has more than {MAX_BYTES} bytes")).into());
    }
    Ok(Plan::parse(&text).map_err(|error| no_plan(error.to_string()))?)
}

/// Writes a plan to a file.
///
/// # Errors
/// If the file cannot be written.
pub fn write(file: &Path, plan: &PlanReport<'_>) -> Result<(), Error> {
    let mut text = Vec::new();
    json::write(&mut text, plan)?;
    let failed = |error| Words::new(format!("cannot write the plan {}: {error}", shown(file)));
    Ok(write_text(file, &text).map_err(failed)?)
}
