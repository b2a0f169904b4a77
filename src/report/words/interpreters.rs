//! The texts of findings about broken environments.

use super::text::counted;
use super::variables::{others, shadowing};
use crate::bytes::shown;
use crate::findings::evidence::interpreter::{Interpreter, NoStart};
use std::path::PathBuf;

/// The finding, in a sentence.
pub(super) fn of(interpreter: &Interpreter) -> String {
    match interpreter {
        Interpreter::Missing { interpreter, version } => format!(
            "{interpreter} is missing: packages installed for Python {version} cannot be imported"
        ),
        Interpreter::Closed { interpreter, program } => {
            format!("{interpreter} points to {}, which is not readable", shown(program))
        }
        Interpreter::NeverStarts { interpreter, why } => {
            format!("{interpreter} cannot start: {}", no_start(why))
        }
        Interpreter::OtherVersion { runs, made_for } => format!(
            "bin/python is now Python {runs}, but the environment was created for {made_for}: packages in \
             lib/python{made_for} are not imported"
        ),
        Interpreter::HomeGone { home, has_library } => {
            let library = match has_library {
                true => "",
                false => "; its standard library is not found",
            };
            format!(
                "pyvenv.cfg names {} as the directory of the base interpreter, but that directory has no interpreter{library}",
                shown(home)
            )
        }
        Interpreter::NoConfiguration { program, site } => format!(
            "pyvenv.cfg is missing: bin/python is {}, which does not import the packages in {site}",
            shown(program)
        ),
        Interpreter::Moved { from, is_copy, programs, is_activated } => {
            let what = if *is_copy { "is a copy of" } else { "was moved from" };
            let so = consequences(programs.as_ref(), *is_activated);
            format!("the environment {what} {}: {so}", shown(from))
        }
        Interpreter::Inactive { active, python } => format!(
            "VIRTUAL_ENV is {}, but the python3 on PATH is {}",
            shown(active),
            shown(python)
        ),
        Interpreter::BehindUserSite { first, packages, site } => format!(
            "{} of this environment, because the user site {} comes first{}",
            shadowing(first),
            shown(site),
            others(*packages)
        ),
    }
}

/// The title of a finding about an environment.
pub(super) fn title(interpreter: &Interpreter) -> &'static str {
    match interpreter {
        Interpreter::Missing { .. }
        | Interpreter::Closed { .. }
        | Interpreter::NeverStarts { .. }
        | Interpreter::NoConfiguration { .. }
        | Interpreter::HomeGone { .. } => "the Python of the environment is missing or broken",
        Interpreter::OtherVersion { .. } => "the environment was created for another Python",
        Interpreter::Moved { .. } => "the environment was moved or copied",
        Interpreter::Inactive { .. } => "the environment is not the one that runs",
        Interpreter::BehindUserSite { .. } => "the user site shadows packages",
    }
}

fn consequences(programs: Option<&(usize, PathBuf)>, is_activated: bool) -> String {
    let mut consequences = Vec::new();
    if let Some((count, first)) = programs {
        let (programs, interpreter) = (counted(*count, "program"), shown(first));
        consequences.push(format!("{programs} in bin would run with {interpreter}"));
    }
    if is_activated {
        consequences.push("bin/activate activates that one".to_owned());
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
