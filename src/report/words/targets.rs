//! Why a target was chosen.

use crate::app::targets::Reason;
use crate::python::discovery;

/// Why a target was chosen, in a few words that stand in parentheses.
#[must_use]
pub fn reason(reason: &Reason) -> String {
    match reason {
        Reason::Named => "named".to_owned(),
        Reason::Found(how) => found(how),
        Reason::InMessage => "named in the message".to_owned(),
        Reason::OfCommand => "of the command's interpreter".to_owned(),
        Reason::Ran(python) => format!("of {}, which the command ran", python.display()),
    }
}

fn found(how: &discovery::Reason) -> String {
    match how {
        discovery::Reason::OwnCall => "its own tfpatch was called".to_owned(),
        discovery::Reason::Variable(variable) => format!("{variable} names it"),
        discovery::Reason::Here => "found from here".to_owned(),
        discovery::Reason::Above => "found from a directory above".to_owned(),
        discovery::Reason::OnPath { python, by_pyenv, is_after_others } => {
            let which = match (by_pyenv, is_after_others) {
                (true, _) => ", for pyenv's version",
                (false, true) => " that can be meant",
                (false, false) => "",
            };
            format!("{} is the first on PATH{which}", python.display())
        }
    }
}
