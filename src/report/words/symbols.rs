//! The texts of findings about symbols and versions that a library lacks.

use super::text::{counted, first_names};
use super::variables::blamed;
use crate::bytes::printable;
use crate::findings::evidence::symbols::{Between, Newer, Symbols};

/// The finding, in a sentence; `names` are the symbols.
pub(super) fn of(symbols: &Symbols, names: &[Vec<u8>]) -> String {
    let count = counted(names.len(), "symbol");
    match symbols {
        Symbols::NoVersion { object, newest, older, library, newer } => {
            let more = match older {
                0 => String::new(),
                older => format!(" and {older} older versions"),
            };
            let newest = printable(newest);
            format!("{object} needs {newest}{more}, which {library} lacks{}", elsewhere(newer))
        }
        Symbols::Unbound { object, host, between, others } => {
            let names = first_names(names, 2);
            let binds = format!(
                "{object} needs {count} that neither {host} nor any other loaded library has ({names})"
            );
            let others = match others {
                0 => String::new(),
                others => format!("; so do {others} more of its files"),
            };
            match between {
                Some(between) => format!("{}: {binds}{others}", cannot_work(between)),
                None => format!("{binds}{others}"),
            }
        }
        Symbols::Nowhere { object } => {
            let names = first_names(names, 2);
            format!("{object} needs {count} that no library which it loads defines ({names})")
        }
        Symbols::EndedProgram { object, said } => {
            format!("{object} terminated a program: {}", printable(said))
        }
        Symbols::NotInLibrary { object, library, between } => {
            let names = first_names(names, 3);
            let binds = format!("{object} needs {count} that {library} does not have ({names})");
            match between {
                Some(between) => format!("{}: {binds}", cannot_work(between)),
                None => binds,
            }
        }
    }
}

fn cannot_work(between: &Between) -> String {
    format!("{} does not work with {}", between.plugin, between.host)
}

/// What is known about a newer copy, to be appended to the library that lacks a version.
fn elsewhere(newer: &Newer) -> String {
    match newer {
        Newer::WithoutVariables(variables) => {
            let variables = blamed(variables);
            format!("; it is found through {variables}, and without that a newer copy is loaded")
        }
        Newer::OnlyWithGlibc(Some((major, minor))) => {
            format!("; glibc {major}.{minor} is installed")
        }
        Newer::In(directory) => format!("; the copy in {directory} has it"),
        Newer::OnlyWithGlibc(None) | Newer::Unknown => String::new(),
    }
}
