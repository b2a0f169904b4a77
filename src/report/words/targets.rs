//! The reasons why a target was chosen.

use crate::app::targets::Reason;
use crate::python::discovery;

/// The reason why a target was chosen, in a few words for parentheses.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Named => "given".to_owned(),
        Reason::Found(how) => found(how),
        Reason::InMessage => "named in the message".to_owned(),
        Reason::OfCommand => "environment of the command".to_owned(),
        Reason::Ran(python) => {
            format!("environment of {}, which the command ran", python.display())
        }
    }
}

fn found(how: &discovery::Reason) -> String {
    match how {
        discovery::Reason::OwnCall => "its own tfpatch was run".to_owned(),
        discovery::Reason::Variable(variable) => format!("from {variable}"),
        discovery::Reason::Here => "found here".to_owned(),
        discovery::Reason::Above => "found in a parent directory".to_owned(),
        discovery::Reason::OnPath { python, by_pyenv, is_after_others } => {
            let which = match (by_pyenv, is_after_others) {
                (true, _) => ", selected by pyenv",
                (false, true) => " that is usable",
                (false, false) => "",
            };
            format!("{} is the first on PATH{which}", python.display())
        }
    }
}
