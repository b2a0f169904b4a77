//! The text to explain, from the arguments or from standard input.

use super::error::Error;
use crate::findings::finding::Cause;
use crate::messages::{self, Log};
use crate::report::explain;
use crate::report::inert;
use crate::report::words::Words;
use std::ffi::OsString;
use std::io::{self, BufReader, IsTerminal as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;

/// The input.
pub enum Given {
    /// Only the name of a cause.
    Cause(Cause),
    /// A text with messages.
    Log(Log),
}

/// Reads the text from the arguments, or from standard input if they are `-` or empty.
///
/// # Errors
/// If the text is empty, or cannot be read.
pub fn read(text: &[OsString]) -> Result<Given, Error> {
    let log = match text {
        [] if io::stdin().is_terminal() => return Err(explain::needs_a_message().into()),
        [] => messages::read(&mut BufReader::new(io::stdin().lock()))?,
        [dash] if dash == "-" => {
            if io::stdin().is_terminal() {
                // A note that cannot be written is not an error.
                let _ = writeln!(
                    inert::stderr(),
                    "tfpatch: reading a message from the terminal; Ctrl-D ends it"
                );
            }
            messages::read(&mut BufReader::new(io::stdin().lock()))?
        }
        words => {
            if let Some(cause) = cause(words) {
                return Ok(Given::Cause(cause));
            }
            let text: Vec<&[u8]> = words.iter().map(|word| word.as_bytes()).collect();
            let log = messages::read(&mut text.join(&b' ').as_slice())?;
            match words {
                // The name of a library alone is asked about because it was not found.
                [word] if log.messages.is_empty() && is_library(word.as_bytes()) => {
                    let said = [word.as_bytes(), b": cannot open shared object file"].concat();
                    messages::read(&mut said.as_slice())?
                }
                _ => log,
            }
        }
    };
    if log.messages.is_empty() {
        return Err(declined(&log, text).into());
    }
    Ok(Given::Log(log))
}

/// The cause, if the words are only its name.
fn cause(words: &[OsString]) -> Option<Cause> {
    match words {
        [name] => Cause::named(name.to_str()?),
        _ => None,
    }
}

fn declined(log: &Log, text: &[OsString]) -> Words {
    match text {
        [word] if std::fs::metadata(word).is_ok_and(|found| found.is_file()) => {
            explain::is_called_like_a_file(word.as_bytes())
        }
        [word] if word.to_str().is_some_and(is_like_a_cause) => {
            explain::neither_message_nor_cause(word.as_bytes())
        }
        [word] if is_like_a_file(word.as_bytes()) => {
            explain::is_called_like_a_file(word.as_bytes())
        }
        _ if log.is_of_windows => explain::of_windows(),
        _ => explain::no_message(log.lines),
    }
}

/// Does it look like the name of a file: one word with an extension or a slash?
fn is_like_a_file(word: &[u8]) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-/~+".contains(byte);
    word.iter().all(is_part) && (word.contains(&b'/') || word.contains(&b'.'))
}

/// Is it the file name of an ELF library?
fn is_library(word: &[u8]) -> bool {
    messages::is_library(word) && !word.contains(&b'/') && !word.ends_with(b".dylib")
}

fn is_like_a_cause(word: &str) -> bool {
    !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_')
}
