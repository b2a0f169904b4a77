//! The texts of findings about environment variables.

use super::text::{AND, joined};
use crate::bytes::{printable, shown};
use crate::findings::evidence::variable::{Absent, Before, Blame, Shadowing, Variable};

/// The finding, in a sentence.
pub(super) fn of(variable: &Variable) -> String {
    match variable {
        Variable::NotPreloaded { library, said } => {
            let why = said.as_deref().unwrap_or("the loader finds no usable file");
            let name = printable(library);
            format!(
                "LD_PRELOAD names {name}: {why}; the loader reports it each time a program starts"
            )
        }
        Variable::HomeWithoutLibrary { home, version } => format!(
            "PYTHONHOME is {}, which has no lib/python{version}: the interpreter cannot start",
            shown(home)
        ),
        Variable::HomeElsewhere { home } => format!(
            "PYTHONHOME is {}: packages are imported from there, not from this environment",
            shown(home)
        ),
        Variable::PackagesBefore { directory, packages } => {
            format!("PYTHONPATH names {}: {}", shown(directory), before(packages))
        }
    }
}

fn before(packages: &Before) -> String {
    match packages {
        Before::OfAnotherPython { first, python: (major, minor), packages } => format!(
            "{first} is imported from there, but is built for Python {major}.{minor}{}",
            others(*packages)
        ),
        Before::OfAnotherRelease { first, packages } => {
            format!("{} of this environment{}", shadowing(first), others(*packages))
        }
        Before::NotCompiled { package, modules } => {
            let lacking = match modules {
                1 => "its extension module is not there".to_owned(),
                all => format!("none of its {all} extension modules is there"),
            };
            format!("{} is imported from there, but {lacking}", package.to_string_lossy())
        }
    }
}

/// Which release is imported, and which is not.
pub(super) fn shadowing(shadowing: &Shadowing) -> String {
    let Shadowing { name, version, other } = shadowing;
    format!("{name} {version} is imported instead of {other}")
}

/// The number of further items after the first.
pub(super) fn others(count: usize) -> String {
    match count.saturating_sub(1) {
        0 => String::new(),
        1 => "; so is 1 other package".to_owned(),
        more => format!("; so are {more} other packages"),
    }
}

/// The responsible variables.
pub(super) fn blamed(blame: &Blame) -> String {
    joined(&blame.variables, if blame.is_any { " or " } else { AND })
}

/// Variables that name missing directories, as clauses that begin with semicolons.
pub(super) fn not_there(absent: &Absent) -> String {
    let mut clauses = String::new();
    if !absent.library_path.is_empty() {
        let verb = if absent.library_path.len() == 1 { "does" } else { "do" };
        let names = joined(absent.library_path.iter().map(|name| printable(name)), AND);
        clauses += &format!("; LD_LIBRARY_PATH names {names}, which {verb} not exist");
    }
    if let Some(home) = &absent.cuda_home {
        clauses += &format!("; CUDA_HOME names {}, which does not exist", shown(home));
    }
    clauses
}
