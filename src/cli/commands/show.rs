//! `tfpatch show`: shows what an object needs, and where it is searched.

use crate::cli::args::{Format, Show};
use crate::cli::error::{Error, TROUBLE, complain};
use crate::cli::session::Session;
use crate::report::json::{self, FileReport, ShowReport};
use crate::report::show::write;

/// Shows each object. An unreadable one does not hide the others.
///
/// # Errors
/// If the working directory is gone, or the output cannot be written.
pub fn run(session: &mut Session, options: &Show) -> Result<u8, Error> {
    session.app.ambient()?;
    let mut report = ShowReport { schema: "tfpatch/show/v1", files: Vec::new() };
    let mut status = 0;
    for file in &options.files {
        let all = match session.app.show(file) {
            Ok(all) => all,
            Err(error) => {
                session.out.flush()?;
                complain(&error.into());
                status = TROUBLE;
                continue;
            }
        };
        for shown in all {
            let one = FileReport::of(&shown);
            if session.format == Format::Human {
                write(&mut *session.out, &shown.named, &one)?;
            }
            report.files.push(one);
        }
    }
    if session.format == Format::Json {
        json::write(&mut *session.out, &report)?;
    }
    Ok(status)
}
