//! What is said of symbols and versions that a library does not have.

use super::text::{counted, first_names};
use super::variables::blamed;
use crate::bytes::printable;
use crate::findings::evidence::symbols::{Between, Newer, Symbols};

/// What is the case, in a sentence; `names` are the symbols.
pub(super) fn of(symbols: &Symbols, names: &[Vec<u8>]) -> String {
    let count = counted(names.len(), "symbol");
    match symbols {
        Symbols::NoVersion { object, newest, older, library, newer } => {
            let more = match older {
                0 => String::new(),
                older => format!(" and {older} older ones"),
            };
            let newest = printable(newest);
            format!("{object} needs {newest}{more}, which {library} lacks{}", elsewhere(newer))
        }
        Symbols::Unbound { object, host, between, others } => {
            let names = first_names(names, 2);
            let binds = format!(
                "{object} binds {count} that neither {host} nor anything else that it loads has ({names})"
            );
            let others = match others {
                0 => String::new(),
                others => format!("; so do {others} more of its objects"),
            };
            match between {
                Some(between) => format!("{}: {binds}{others}", cannot_work(between)),
                None => binds,
            }
        }
        Symbols::EndedProgram { object, said } => {
            format!("{object} ended a program: {}", printable(said))
        }
        Symbols::NotInLibrary { object, library, between } => {
            let names = first_names(names, 3);
            let binds =
                format!("{object} binds {count} to {library} that it does not have ({names})");
            match between {
                Some(between) => format!("{}: {binds}", cannot_work(between)),
                None => binds,
            }
        }
    }
}

fn cannot_work(between: &Between) -> String {
    format!("{} cannot work with {}", between.plugin, between.host)
}

/// What is known of a newer copy, to follow what lacks a version.
fn elsewhere(newer: &Newer) -> String {
    match newer {
        Newer::WithoutVariables(variables) => {
            let variables = blamed(variables);
            format!("; {variables} leads there, and without it a newer copy serves")
        }
        Newer::OnlyWithGlibc(Some((major, minor))) => format!("; glibc {major}.{minor} is here"),
        Newer::In(directory) => format!("; the copy in {directory} has it"),
        Newer::OnlyWithGlibc(None) | Newer::Unknown => String::new(),
    }
}
