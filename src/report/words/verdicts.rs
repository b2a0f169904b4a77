//! The texts for a message that was checked in an environment.

use super::{commands, findings, helps};
use crate::bytes::{printable, shell_word, shown};
use crate::findings::evidence::Release;
use crate::knowledge::import_names;
use crate::messages::Message;
use crate::messages::verdict::{Case, Remedy, Verdict};
use crate::world::Place;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The finding in one or two sentences; empty if there is only the message.
#[must_use]
pub fn sentence(verdict: &Verdict) -> String {
    match &verdict.case {
        Case::WordsAlone => String::new(),
        Case::PathsElsewhere => {
            "The paths in the message do not exist on this machine; this answer uses the message alone."
                .to_owned()
        }
        Case::NoEnvironment => {
            "No environment was found here; this answer uses the message alone.".to_owned()
        }
        Case::NothingFits => {
            "tfpatch doctor finds no problem here that matches this message.".to_owned()
        }
        Case::Finding { lacks_symbols, others } => found(verdict, *lacks_symbols, *others),
        Case::ModuleIsHere { module, path } => format!(
            "{} is installed in this environment, at {}. A different interpreter ran, which does not import from \
             here.",
            printable(module),
            shown(path)
        ),
        Case::ModuleForAnother { path } => format!(
            "{} is built for another Python or another system, so the interpreter of this environment ignores it.",
            shown(path)
        ),
        Case::ModuleNotInPackage { module, package } => {
            format!("{} exists, but {} is not in it.", shown(package), printable(module))
        }
        Case::ModuleNotInRelease { module, release } => {
            format!("{release} does not contain {}.", printable(module))
        }
        Case::Shadowed { module, by, own } => format!(
            "{} is imported instead of the installed {}, which is at {}: Python searches the directory of the program \
             first.",
            shown(by),
            printable(module),
            shown(own)
        ),
        Case::NoModule { module } => {
            format!("No package in this environment provides {}.", printable(module))
        }
        Case::LibraryIsFound { library, file } => {
            format!("The loader now finds {} here: {file}.", printable(library))
        }
        Case::LibraryIsHere { library, file } => format!(
            "{} is here, at {file}, and tfpatch doctor finds nothing that prevents it from loading.",
            printable(library)
        ),
        Case::OpenedByName { library, code, file } => {
            opened_by_name(library, code.as_ref(), file.as_ref())
        }
        Case::OpenedByRelativePath { path, file } => format!(
            "{} is relative to the working directory of the program, which was a different one. The file is here, at {file}.",
            printable(path)
        ),
        Case::NothingIsWrong { object } => {
            format!("{object} is here, and tfpatch doctor finds nothing wrong with it.")
        }
    }
}

/// Which code opens a library by its name, and where the library is.
fn opened_by_name(library: &[u8], code: Option<&(Place, u32)>, file: Option<&Place>) -> String {
    let library = printable(library);
    let opens = match code {
        Some((code, line)) => format!("{code}:{line} opens {library} by name, without a path"),
        None => format!(
            "No file of this environment needs {library}: a program opens it by name, without a path"
        ),
    };
    let lies = match file {
        Some(file) => format!("It is here, at {file}"),
        None => "It is not in this environment".to_owned(),
    };
    format!("{opens}, so the search paths of the environment are not used. {lies}.")
}

/// The text of the first finding, and the number of others that match.
fn found(verdict: &Verdict, lacks_symbols: bool, others: usize) -> String {
    let Some(first) = verdict.findings.first() else { return String::new() };
    let mut sentence = match lacks_symbols {
        false => format!("{}.", findings::message(first).trim_end_matches('.')),
        // The missing file is the smaller part of the problem.
        true => {
            let (head, rest) = findings::halves(first);
            format!(
                "{head}. A search path entry would make the file found, but not the symbols: {rest}."
            )
        }
    };
    if others > 0 {
        let (plural, verb) =
            if others == 1 { ("finding", "matches") } else { ("findings", "match") };
        sentence += &format!(" {others} more {plural} of tfpatch doctor {verb} the message.");
    }
    sentence
}

/// The fix.
#[must_use]
pub fn cure(message: &Message, verdict: &Verdict) -> String {
    const RESTART: &str = "no action needed; if a program still reports this, restart it, and check its environment \
                           variables";
    let said = match &verdict.remedy {
        Remedy::OfWords => helps::of(message),
        Remedy::OfFinding => verdict.findings.first().map(findings::cure).unwrap_or_default(),
        Remedy::Command(command) => command.to_string(),
        Remedy::OpenByPath(path) => format!(
            "open it by path, as in ctypes.CDLL({}); if you cannot change the code, start the program with \
             LD_LIBRARY_PATH={}",
            python_text(path),
            shell_word(path.parent().unwrap_or(path).as_os_str().as_bytes())
        ),
        Remedy::OpenFromRoot { file, from } => format!(
            "open it by absolute path, as in ctypes.CDLL({}), or start the program in {}",
            python_text(file),
            shell_word(from.as_os_str().as_bytes())
        ),
        Remedy::Reinstall => {
            if let Some(release) = &message.installed {
                let again = commands::requirement(release);
                return commands::in_words_of(
                    &verdict.installs,
                    &format!(
                        "reinstall the package: pip install --force-reinstall --no-deps {again}"
                    ),
                );
            }
            let top = message.module.as_deref().map(printable).unwrap_or_default();
            let top = top.split('.').next().filter(|top| !top.is_empty()).unwrap_or("NAME");
            let name = import_names::distribution_of_module(top);
            let name = name.as_deref().unwrap_or("NAME");
            format!("reinstall the package: pip install --force-reinstall --no-deps {name}")
        }
        Remedy::OtherRelease => other_release(message),
        Remedy::Rename(by) => helps::rename(by),
        Remedy::Restart => RESTART.to_owned(),
        Remedy::RestartOrOfWords => {
            format!("{RESTART}; if the message is from another machine, {}", helps::of(message))
        }
        Remedy::OtherCopy => {
            let help = helps::of(message);
            let unset = match help.starts_with("unset ") {
                true => "",
                false => "unset LD_LIBRARY_PATH and LD_PRELOAD for it; otherwise ",
            };
            format!("if a program still reports this, it loads another copy: {unset}{help}")
        }
    };
    commands::in_words_of(&verdict.installs, &said)
}

/// Installs a release with a module that the installed one lacks.
fn other_release(message: &Message) -> String {
    let module = message.module.as_deref().map(printable).unwrap_or_default();
    let Some(Release { name, version, .. }) = &message.installed else {
        return helps::of(message);
    };
    format!(
        "install a release of {name} that contains {module}: pip install -U {name} if it is newer than {version}, or pip \
         install '{name}<{version}' if it is older"
    )
}

/// A path as a Python string.
fn python_text(path: &Path) -> String {
    format!("'{}'", shown(path).replace('\\', "\\\\").replace('\'', "\\'"))
}
