//! What is said of environments that are not as they run.

use super::text::counted;
use super::variables::{others, shadowing};
use crate::bytes::shown;
use crate::findings::evidence::interpreter::{Interpreter, NoStart};
use std::path::{Path, PathBuf};

/// What is the case, in a sentence.
pub(super) fn of(interpreter: &Interpreter) -> String {
    match interpreter {
        Interpreter::Missing { interpreter, version } => format!(
            "{interpreter} is missing: nothing imports what is installed for Python {version}"
        ),
        Interpreter::Closed { interpreter, program } => {
            format!("{interpreter} leads to {}, which may not be read", shown(program))
        }
        Interpreter::NeverStarts { interpreter, why } => {
            format!("{interpreter} cannot start: {}", no_start(why))
        }
        Interpreter::OtherVersion { runs, made_for } => format!(
            "bin/python has become Python {runs}, and the environment was made for {made_for}: nothing in \
             lib/python{made_for} is imported"
        ),
        Interpreter::HomeGone { home, has_library } => {
            let library = match has_library {
                true => "",
                false => "; no standard library is found for it",
            };
            format!(
                "pyvenv.cfg says that the base interpreter lies in {}, and none does{library}",
                shown(home)
            )
        }
        Interpreter::Moved { from, is_copy, programs, is_activated } => {
            let what = if *is_copy { "is a copy of" } else { "was moved from" };
            let so = consequences(from, programs.as_ref(), *is_activated);
            format!("the environment {what} {}: {so}", shown(from))
        }
        Interpreter::Inactive { active, python } => format!(
            "VIRTUAL_ENV names {}, and the python3 on PATH is {}",
            shown(active),
            shown(python)
        ),
        Interpreter::BehindUserSite { first, packages, site } => format!(
            "{} of this environment, since the user site {} comes first{}",
            shadowing(first),
            shown(site),
            others(*packages)
        ),
    }
}

fn consequences(from: &Path, programs: Option<&(usize, PathBuf)>, is_activated: bool) -> String {
    let mut consequences = Vec::new();
    if let Some((count, first)) = programs {
        let (programs, interpreter) = (counted(*count, "program"), shown(first));
        consequences.push(format!("{programs} in bin would be run by {interpreter}"));
    }
    if is_activated {
        consequences.push(format!("bin/activate makes {} the active one", shown(from)));
    }
    consequences.join(", and ")
}

fn no_start(why: &NoStart) -> String {
    match why {
        NoStart::DanglingLink(wanted) => {
            format!("it points to a missing file, {}", shown(wanted))
        }
        NoStart::NotAFile => "it is not a file".to_owned(),
        NoStart::Empty => "it is an empty file".to_owned(),
        NoStart::NotAProgram => "it is not a program".to_owned(),
        NoStart::ScriptOf(runs) => format!("it is a script for {}, which is missing", shown(runs)),
        NoStart::Damaged(error) => format!("it is damaged: {error}"),
        NoStart::NotExecutable => "it is not executable".to_owned(),
        NoStart::NoLoader(loader) => {
            format!("its loader {} is not found on this system", shown(loader))
        }
    }
}
