//! `tfpatch explain`: explains loader errors, and how to fix them in the environment.

use crate::app::explain::Explanation;
use crate::cli::args::{Explain, Format};
use crate::cli::error::Error;
use crate::cli::message_text::{self, Given};
use crate::cli::session::Session;
use crate::report::explain::{ExplainReport, PageReport, no_message, write, write_markdown};
use crate::report::json;
use crate::report::layout::paragraphs;
use std::ffi::OsString;
use std::path::Path;

/// Explains a text, or prints the page of a cause.
///
/// # Errors
/// If the text contains no message, cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Explain) -> Result<u8, Error> {
    let (words, target) = words_and_target(options);
    let log = match message_text::read(words)? {
        Given::Log(log) => log,
        Given::Cause(cause) => {
            match session.format {
                Format::Json => json::write(&mut *session.out, &PageReport::of(cause))?,
                _ if session.is_terminal => write!(session.out, "{}", paragraphs(cause.page()))?,
                _ => session.out.write_all(cause.page().as_bytes())?,
            }
            return Ok(0);
        }
    };
    let settings = session.loader_settings(&options.simulation)?;
    let Explanation { messages, is_cut } = &session.app.explain(&log, &settings, target)?;
    if messages.is_empty() {
        return Err(no_message(log.lines).into());
    }
    let Session { out, detail, .. } = session;
    match session.format {
        Format::Json => json::write(out, &ExplainReport::of(messages, log.lines, *is_cut))?,
        Format::Markdown => write_markdown(out, messages, *is_cut)?,
        _ => write(out, messages, *is_cut, *detail)?,
    }
    Ok(0)
}

/// The words of the message, and the target: that of `--target`, or a path behind a message in quotes or `-`, where
/// other commands have it.
fn words_and_target(options: &Explain) -> (&[OsString], Option<&Path>) {
    match options.text.as_slice() {
        [message, path]
            if options.target.is_none()
                && (message == "-" || message.as_encoded_bytes().contains(&b' '))
                && std::fs::metadata(path).is_ok() =>
        {
            (std::slice::from_ref(message), Some(Path::new(path)))
        }
        words => (words, options.target.as_deref()),
    }
}
