//! What is said of a message that was looked up in an environment.

use super::{findings, helps};
use crate::bytes::{printable, shell_word, shown};
use crate::messages::Message;
use crate::messages::in_environment::{Case, Remedy, Verdict};
use crate::world::Place;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// What is the case, a sentence or two; empty where nothing is known beside the words.
#[must_use]
pub fn sentence(verdict: &Verdict) -> String {
    match &verdict.case {
        Case::WordsAlone => String::new(),
        Case::PathsElsewhere => {
            "The paths in the message are not on this machine: that is what its words alone say."
                .to_owned()
        }
        Case::NoEnvironment => {
            "There is no environment here to look at: that is what its words alone say.".to_owned()
        }
        Case::NothingFits => {
            "tfpatch doctor finds nothing here that these words could be about.".to_owned()
        }
        Case::Finding { lacks_symbols, others } => found(verdict, *lacks_symbols, *others),
        Case::ModuleIsHere { module, path } => format!(
            "{} is in this environment, at {}. Another interpreter ran, one that does not import from here.",
            printable(module),
            shown(path)
        ),
        Case::ModuleForAnother { path } => format!(
            "{} is for another Python or another system, and the interpreter of this environment passes over \
             it.",
            shown(path)
        ),
        Case::ModuleNotInPackage { module, package } => {
            format!("{} is there, and {} is not in it.", shown(package), printable(module))
        }
        Case::NoModule { module } => {
            format!("Nothing in this environment provides {}.", printable(module))
        }
        Case::LibraryIsFound { library, file } => {
            format!("{} is found here now: {file}.", printable(library))
        }
        Case::LibraryIsHere { library, file } => format!(
            "{} lies here, at {file}, and tfpatch doctor finds nothing that keeps it from being opened.",
            printable(library)
        ),
        Case::OpenedByName { library, code, file } => {
            opened_by_name(library, code.as_ref(), file.as_ref())
        }
        Case::OpenedByRelativePath { path, file } => format!(
            "{} is a path from the working directory of the program, which was another one. The file is here, at {file}.",
            printable(path)
        ),
        Case::NothingIsWrong { object } => {
            format!("{object} is here, and tfpatch doctor finds nothing wrong with it.")
        }
    }
}

/// Who opens a library by its name, and where it lies.
fn opened_by_name(library: &[u8], code: Option<&(Place, u32)>, file: Option<&Place>) -> String {
    let library = printable(library);
    let opens = match code {
        Some((code, line)) => format!("{code}:{line} opens {library} by its name alone"),
        None => format!(
            "No file of this environment needs {library}: a program opens it by its name alone"
        ),
    };
    let lies = match file {
        Some(file) => format!("It lies here, at {file}"),
        None => "It is not in this environment".to_owned(),
    };
    format!("{opens}, so that no search path of the environment counts. {lies}.")
}

/// What the first of the findings says, and how many more fit.
fn found(verdict: &Verdict, lacks_symbols: bool, others: usize) -> String {
    let Some(first) = verdict.findings.first() else { return String::new() };
    let mut sentence = match lacks_symbols {
        false => format!("{}.", findings::message(first).trim_end_matches('.')),
        // What was not found is the smaller part of it.
        true => {
            let (head, rest) = findings::halves(first);
            format!("{head}. An rpath would find the file, and no symbols: {rest}.")
        }
    };
    if others > 0 {
        let plural = if others == 1 { "finding" } else { "findings" };
        sentence += &format!(" {others} more {plural} of tfpatch doctor fit the words.");
    }
    sentence
}

/// What cures it.
#[must_use]
pub fn cure(message: &Message, verdict: &Verdict) -> String {
    const RESTART: &str = "nothing has to be done; where a program still says so, start it anew, and look \
                           at its own environment variables";
    match &verdict.remedy {
        Remedy::OfWords => helps::of(message),
        Remedy::OfFinding => verdict.findings.first().map(findings::cure).unwrap_or_default(),
        Remedy::Command(command) => command.to_string(),
        Remedy::OpenByPath(path) => format!(
            "open it by its path, as ctypes.CDLL({}) does; where that cannot be changed, start the program with \
             LD_LIBRARY_PATH={}",
            python_text(path),
            shell_word(path.parent().unwrap_or(path).as_os_str().as_bytes())
        ),
        Remedy::OpenFromRoot { file, from } => format!(
            "open it by its path from the root, as ctypes.CDLL({}) does, or start the program in {}",
            python_text(file),
            shell_word(from.as_os_str().as_bytes())
        ),
        Remedy::Reinstall => {
            "install the distribution again: pip install --force-reinstall --no-deps NAME"
                .to_owned()
        }
        Remedy::Restart => RESTART.to_owned(),
        Remedy::RestartOrOfWords => {
            format!("{RESTART}; if another machine said it, {}", helps::of(message))
        }
        Remedy::OtherCopy => format!(
            "where a program still says so, it loads another copy: take what LD_LIBRARY_PATH and LD_PRELOAD name \
             out of its environment; else {}",
            helps::of(message)
        ),
    }
}

/// A path as a text of Python's.
fn python_text(path: &Path) -> String {
    format!("'{}'", shown(path).replace('\\', "\\\\").replace('\'', "\\'"))
}
