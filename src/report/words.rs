//! The texts of errors that end a command.

mod commands;
mod cures;
mod files;
pub mod findings;
pub mod helps;
mod installed;
mod interpreters;
mod managed;
pub mod meanings;
mod memory;
mod misfits;
pub mod needs;
mod opening;
pub mod operations;
mod refusals;
pub mod replays;
mod symbols;
pub mod targets;
mod text;
mod variables;
pub mod verdicts;

use crate::app::Error;
use crate::app::error::{Instead, NotRun};
use crate::bytes::{printable, shell_word, shown};
use crate::operation;
use crate::repair::foreign_plan::Misfit;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The text of an error. Each part is one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// The problem, with the file and the operation.
    what: String,
    /// Its details.
    details: Vec<String>,
    /// The hints.
    hints: Vec<String>,
}

impl Words {
    /// An error with this problem, a sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// Adds a hint, a sentence.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// The problem and its details, one line each.
    #[must_use]
    pub fn message(&self) -> String {
        Self { hints: Vec::new(), ..self.clone() }.to_string()
    }

    /// The hints, one sentence each.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// The text of an error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Below(source) => Self::new(source.to_string()),
            Error::Operation(error) => operation_error(error),
            Error::In { file, source } => Self::new(format!("{}: {source}", shown(file))),
            Error::NoWorkingDirectory(source) => Self::new(source.to_string())
                .hint("the working directory was deleted; change to another one"),
            Error::RootWithoutTarget => Self::new("--root needs a TARGET: a path inside ROOTFS")
                .hint("tfpatch doctor --root ROOTFS /app/.venv"),
            Error::DiskFailed { path, source } => {
                Self::new(format!("cannot read {path:?}: {source}; run it again"))
            }
            Error::NoTarget { named, near, is_operation } => no_target(named, near, *is_operation),
            Error::NothingToJudge { target, instead } => nothing(target, instead),
            Error::PlanDoesNotFit { plan, target, misfits } => {
                plan_does_not_fit(plan, target, misfits)
            }
            Error::NoFile(file) => Self::new(format!(
                "{} is not a file; name a shared library or a program",
                shown(file)
            )),
            Error::Unreadable { file, source } => unreadable(file, source),
            Error::NoObject { file, is_empty } => no_object(file, *is_empty),
            Error::Changes(file) => Self::new(format!(
                "{} changed while tfpatch was running; run it again",
                shown(file)
            )),
            Error::NotOneObject(path) => {
                let instead =
                    "not a shared library or a program; `tfpatch fix` repairs a whole environment";
                Self::new(format!("{}: {instead}", shown(path)))
            }
            Error::WholeWheel(wheel) => whole_wheel(wheel),
            Error::NotTaken { file, words } => Self::new(words.clone().unwrap_or_else(|| {
                let why = "the loader does not accept it as a shared library or a program";
                format!("{}: {why}", shown(file))
            })),
            Error::NoSearchDirectory { directory, in_wheel } => {
                let place = if *in_wheel { " in the wheel" } else { "" };
                Self::new(format!("--search {}: directory not found{place}", shown(directory)))
            }
            Error::NoOperation { source, log } => {
                Self::new(operations::error(source)).hint(format!("`{log}` lists the operations"))
            }
            Error::NotRun(why) => not_run(why),
            Error::OutputIsTheWheel(output) => output_error(
                output,
                "this is the wheel itself; leave out --output to repair it in place",
            ),
            Error::OutputOfSeveral(output) => {
                output_error(output, "not an existing directory; several wheels need one")
            }
            Error::NoOutput { output, is_for_wheel } => no_output(output, *is_for_wheel),
            Error::OutputOfNoWheel(target) => Self::new(format!(
                "{} is not a wheel; --output works with wheels only",
                shown(target)
            )),
        }
    }
}

/// A missing target, with suggestions.
fn no_target(named: &Path, near: &[String], is_operation: bool) -> Words {
    let named = shown(named);
    let what = Words::new(format!(
        "{named} not found; name an environment, a directory, a wheel, a shared library or an installed package"
    ));
    match near {
        _ if is_operation => what.hint(format!(
            "for an operation of `tfpatch log`, use `tfpatch revert --operation {named}`"
        )),
        [] => what,
        near => what.hint(format!("installed packages with similar names: {}", near.join(", "))),
    }
}

fn no_object(file: &Path, is_empty: bool) -> Words {
    let why = if is_empty { "the file is empty" } else { "neither ELF nor Mach-O" };
    Words::new(format!("{} is not a shared library ({why})", shown(file)))
}

fn unreadable(file: &Path, source: &io::Error) -> Words {
    let what = Words::new(format!("cannot read {}: {source}", shown(file)));
    match source.kind() {
        io::ErrorKind::NotFound if file.components().count() == 1 => what.hint(
            "name the file of a shared library or a program; `tfpatch doctor NAME` checks an installed package",
        ),
        io::ErrorKind::NotFound => what.hint("name the file of a shared library or a program"),
        io::ErrorKind::PermissionDenied => what.hint("run tfpatch as a user who can read it"),
        _ => what,
    }
}

fn operation_error(error: &operation::Error) -> Words {
    let what = Words::new(operations::error(error));
    match error {
        operation::Error::NestedStore { .. } => {
            what.hint("keep backups elsewhere with --store DIR")
        }
        operation::Error::Path(at)
            if at.operation == "find" && at.source.kind() == io::ErrorKind::NotFound =>
        {
            what.hint(format!(
                "create it first: mkdir -p {}",
                shell_word(at.path.as_os_str().as_bytes())
            ))
        }
        operation::Error::Path(at)
            if at.operation == "write in the directory"
                && at.source.kind() == io::ErrorKind::PermissionDenied =>
        {
            what.hint("run tfpatch as a user who can write there, or change the owner or the mode of the directory")
        }
        _ => what,
    }
}

fn output_error(output: &Path, why: &str) -> Words {
    Words::new(format!("--output {}: {why}", shown(output)))
}

/// A path of `--output` at which no file is written.
fn no_output(output: &Path, is_for_wheel: bool) -> Words {
    let (why, or) = match is_for_wheel {
        true => (
            "directory not found, and not the name of a wheel",
            ", or name a file that ends with .whl",
        ),
        false => ("directory not found", ""),
    };
    let create = shell_word(output.as_os_str().as_bytes());
    output_error(output, why).hint(format!("create it first: mkdir -p {create}{or}"))
}

/// The reason why a command was not run.
fn not_run(why: &NotRun) -> Words {
    match why {
        NotRun::NotStarted { program, source } => {
            Words::new(format!("cannot run {}: {source}", program.display()))
        }
        NotRun::InWheel(wheel) => {
            let why = "a command cannot run in a wheel";
            Words::new(format!("{}: {why}", shown(wheel)))
                .hint("install the wheel, and name the environment as TARGET")
        }
        NotRun::Elsewhere => {
            let why = "--root: cannot run a command of another root from here";
            Words::new(why).hint("chroot ROOTFS tfpatch trace -- COMMAND")
        }
        NotRun::NoInterpreter => {
            let why = "the target has no interpreter to import its modules";
            Words::new(why).hint("name an environment as TARGET")
        }
        NotRun::OtherOwner(prefix) => {
            let why = "the command ran this environment, which belongs to another user; name it as TARGET";
            Words::new(format!("{}: {why}", shown(prefix)))
        }
    }
}

fn whole_wheel(wheel: &Path) -> Words {
    let wheel = shown(wheel);
    Words::new(format!("{wheel} is a wheel; name a file in it"))
        .hint(format!("tfpatch tree {wheel}/PACKAGE/MODULE.so"))
}

fn nothing(target: &Path, instead: &Instead) -> Words {
    let cure = match instead {
        Instead::Environment(prefix) => format!("name the environment: {}", shown(prefix)),
        Instead::Linked(directory) => {
            format!(
                "its links to other places were not followed; name their target: {}",
                shown(directory)
            )
        }
        Instead::Unknown => {
            "name an environment, a directory, a wheel or a file that contains some".to_owned()
        }
    };
    Words::new(format!("no shared libraries or programs found in {}; {cure}", shown(target)))
}

fn plan_does_not_fit(plan: &Path, target: &Path, misfits: &[Misfit]) -> Words {
    let obstacles = match misfits.len() {
        1 => "1 difference".to_owned(),
        many => format!("{many} differences"),
    };
    let (plan, target) = (shown(plan), shown(target));
    let what = format!("the plan {plan} does not fit {target}: {obstacles}; nothing was written");
    let details =
        misfits.iter().map(|misfit| format!("{}: {}", misfit.file, misfits::of(&misfit.why)));
    Words { details: details.collect(), ..Words::new(what) }
        .hint("`tfpatch fix` makes a plan for this target")
}

impl fmt::Display for Words {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &String| printable(text.as_bytes());
        to.write_str(&line(&self.what))?;
        self.details.iter().try_for_each(|detail| write!(to, "\n  {}", line(detail)))?;
        self.hints.iter().try_for_each(|hint| write!(to, "\n  hint: {}", line(hint)))
    }
}
