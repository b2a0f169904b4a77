//! `tfpatch explain`: what a loader's words mean, what is the case here, and what cures it.

use crate::app::Error;
use crate::app::explain::Explanation;
use crate::bytes::printable;
use crate::cli::args::{Explain, Format};
use crate::cli::session::Session;
use crate::findings::finding::Cause;
use crate::messages;
use crate::report::explain::{ExplainReport, PageReport, write, write_markdown};
use crate::report::{inert, json};
use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;

/// Explains a text, or prints the page of a cause.
///
/// # Errors
/// Where no message is in the text, it cannot be read, or the output cannot be written.
pub fn run(session: &mut Session, options: &Explain) -> Result<u8, Error> {
    if let Some(cause) = page(&options.text) {
        return print_page(session, cause);
    }
    let log = read(&options.text)?;
    if log.messages.is_empty() {
        return Err(declined(log.lines, &options.text));
    }
    let settings = session.loader_settings(&options.simulation)?;
    let explanation = session.app.explain(&log, &settings);
    let Explanation { messages, is_cut } = &explanation;
    match session.format {
        Format::Json => {
            json::write(&mut *session.out, &ExplainReport::of(messages, log.lines, *is_cut))?;
        }
        Format::Markdown => write_markdown(&mut *session.out, messages, *is_cut)?,
        Format::Human | Format::Dot => {
            write(&mut *session.out, messages, *is_cut, session.detail)?;
        }
    }
    Ok(0)
}

/// The cause that the text names, where it is nothing but its name.
fn page(text: &[OsString]) -> Option<Cause> {
    match text {
        [name] => Cause::named(name.to_str()?),
        _ => None,
    }
}

fn print_page(session: &mut Session, cause: Cause) -> Result<u8, Error> {
    match session.format {
        Format::Json => json::write(&mut *session.out, &PageReport::of(cause))?,
        Format::Human | Format::Markdown | Format::Dot => {
            session.out.write_all(cause.page().as_bytes())?;
        }
    }
    Ok(0)
}

/// Reads the text of the arguments, or of standard input where they are `-` or none.
fn read(text: &[OsString]) -> Result<messages::Log, Error> {
    match text {
        [] if io::stdin().is_terminal() => {
            let why =
                "explain needs a message: its text, - for standard input, or the name of a cause";
            Err(Error::new(why)
                .hint("python train.py 2>&1 | tfpatch explain -")
                .hint(format!("causes: {}", names())))
        }
        [] => Ok(messages::read(&mut BufReader::new(io::stdin().lock()))?),
        [dash] if dash == "-" => {
            if io::stdin().is_terminal() {
                // A note that cannot be written is no reason to stop.
                let _ = writeln!(
                    inert::stderr(),
                    "tfpatch: reading a message from the terminal; Ctrl-D ends it"
                );
            }
            Ok(messages::read(&mut BufReader::new(io::stdin().lock()))?)
        }
        words => {
            let text: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            Ok(messages::read(&mut text.join(&b' ').as_slice())?)
        }
    }
}

fn names() -> String {
    Cause::ALL.iter().map(|cause| cause.name()).collect::<Vec<_>>().join(", ")
}

fn declined(lines: usize, text: &[OsString]) -> Error {
    let word = match text {
        [word] if !word.is_empty() && word.to_str().is_some_and(is_like_a_cause) => Some(word),
        _ => None,
    };
    if let Some(word) = word {
        let why = format!(
            "{}: neither a message of a loader nor the name of a cause",
            printable(word.as_bytes())
        );
        return Error::new(why).hint(format!("causes: {}", names()));
    }
    let of = "of a dynamic loader, of Python or of TensorFlow that is known here";
    let why = match lines {
        0 => "there is no text to explain".to_owned(),
        1 => format!("the text is no message {of}"),
        lines => format!("none of {lines} lines is a message {of}"),
    };
    Error::new(why)
        .hint("pass the lines with the error itself, such as: ImportError: libx.so.1: cannot open shared object file")
        .hint("tfpatch doctor looks for whatever would not load, without a message")
}

fn is_like_a_cause(word: &str) -> bool {
    !word.contains(char::is_whitespace) && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
