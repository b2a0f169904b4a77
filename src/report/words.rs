//! What is said of an error that ends a command.

mod cures;
mod files;
pub mod findings;
pub mod helps;
mod installed;
mod interpreters;
pub mod meanings;
mod memory;
mod misfits;
mod needs;
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
use crate::bytes::{printable, shown};
use crate::repair::foreign_plan::Misfit;
use std::fmt;
use std::path::Path;

/// An error in words, each part of which is written in a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Words {
    /// What went wrong, with the file and the operation.
    what: String,
    /// What it consists of.
    details: Vec<String>,
    /// What may help.
    hints: Vec<String>,
}

impl Words {
    /// What went wrong, in a sentence.
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), details: Vec::new(), hints: Vec::new() }
    }

    /// Adds a sentence that may help.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What went wrong, and what it consists of: a line each.
    #[must_use]
    pub fn message(&self) -> String {
        Self { hints: Vec::new(), ..self.clone() }.to_string()
    }

    /// What may help, a sentence each.
    #[must_use]
    pub fn hints(&self) -> &[String] {
        &self.hints
    }

    /// What is said of an error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Below(source) => Self::new(source.to_string()),
            Error::Operation(error) => Self::new(operations::error(error)),
            Error::In { file, source } => Self::new(format!("{}: {source}", shown(file))),
            Error::NoWorkingDirectory(source) => {
                Self::new(source.to_string()).hint("the working directory is gone")
            }
            Error::RootWithoutTarget => Self::new("--root needs a TARGET, as a path inside of it")
                .hint("tfpatch doctor --root ROOTFS /app/.venv"),
            Error::DiskFailed { path, source } => {
                Self::new(format!("cannot read {path:?}: {source}; run it again"))
            }
            Error::NothingToJudge { target, instead } => nothing(target, instead),
            Error::PlanDoesNotFit { plan, target, misfits } => {
                plan_does_not_fit(plan, target, misfits)
            }
            Error::NoFile(file) => {
                Self::new(format!("{} is no file; name a shared object or a program", shown(file)))
            }
            Error::Unreadable { file, source } => {
                Self::new(format!("cannot read {}: {source}", shown(file)))
            }
            Error::NoObject { file, is_empty } => {
                let why = match is_empty {
                    true => "it is empty",
                    false => "it begins neither as an ELF nor as a Mach-O file does",
                };
                Self::new(format!("{} is no shared object: {why}", shown(file)))
            }
            Error::Changes(file) => Self::new(format!("{} changes; try again", shown(file))),
            Error::NotOneObject(path) => {
                let instead = "name an object; for a whole environment there is `tfpatch fix`";
                Self::new(format!("{}: {instead}", shown(path)))
            }
            Error::WholeWheel(wheel) => whole_wheel(wheel),
            Error::NotTaken { file, words } => Self::new(words.clone().unwrap_or_else(|| {
                let why = "the loader does not take it as a shared object or a program";
                format!("{}: {why}", shown(file))
            })),
            Error::NoSearchDirectory { directory, in_wheel } => {
                let place = if *in_wheel { " in the wheel" } else { "" };
                Self::new(format!("--search {}: no such directory{place}", shown(directory)))
            }
            Error::NotRun(why) => not_run(why),
            Error::OutputIsTheWheel(output) => {
                let why = "that is the wheel itself; without --output it is repaired in its place";
                Self::new(format!("--output {}: {why}", shown(output)))
            }
            Error::OutputOfSeveral(output) => {
                let why = "several wheels need a directory that is there";
                Self::new(format!("--output {}: {why}", shown(output)))
            }
            Error::OutputOfNoWheel(target) => {
                let why = "is no wheel, and --output is for wheels";
                Self::new(format!("{} {why}", shown(target)))
            }
        }
    }
}

/// Why a command was not run.
fn not_run(why: &NotRun) -> Words {
    match why {
        NotRun::NotStarted { program, source } => {
            Words::new(format!("cannot run {}: {source}", program.display()))
        }
        NotRun::InWheel(wheel) => {
            let why = "a command runs in an environment, not in a wheel";
            Words::new(format!("{}: {why}", shown(wheel)))
                .hint("install the wheel, and name the environment")
        }
        NotRun::Elsewhere => {
            let why = "--root: a command of another root cannot be run from here";
            Words::new(why).hint("chroot ROOTFS tfpatch trace -- COMMAND")
        }
        NotRun::NoInterpreter => {
            let why = "the target has no interpreter that could import its modules";
            Words::new(why).hint("name an environment")
        }
        NotRun::OtherOwner(prefix) => {
            let why = "the command ran it, and it belongs to another user: name it as TARGET";
            Words::new(format!("{}: {why}", shown(prefix)))
        }
    }
}

fn whole_wheel(wheel: &Path) -> Words {
    let wheel = shown(wheel);
    Words::new(format!("{wheel} is a wheel: name an object in it"))
        .hint(format!("tfpatch tree {wheel}/PACKAGE/MODULE.so"))
}

fn nothing(target: &Path, instead: &Instead) -> Words {
    let cure = match instead {
        Instead::Environment(prefix) => format!("name the environment: {}", shown(prefix)),
        Instead::Linked(directory) => {
            format!("its links out were not followed, name what is there: {}", shown(directory))
        }
        Instead::Unknown => {
            "name an environment, a directory, a wheel or a file that has some".to_owned()
        }
    };
    Words::new(format!("no shared libraries or programs found in {}; {cure}", shown(target)))
}

fn plan_does_not_fit(plan: &Path, target: &Path, misfits: &[Misfit]) -> Words {
    let obstacles = match misfits.len() {
        1 => "1 obstacle".to_owned(),
        many => format!("{many} obstacles"),
    };
    let (plan, target) = (shown(plan), shown(target));
    let what = format!("the plan {plan} does not fit {target}: {obstacles}, nothing was written");
    let details =
        misfits.iter().map(|misfit| format!("{}: {}", misfit.file, misfits::of(&misfit.why)));
    Words { details: details.collect(), ..Words::new(what) }
        .hint("`tfpatch fix` plans for this target as it is")
}

impl fmt::Display for Words {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = |text: &String| printable(text.as_bytes());
        to.write_str(&line(&self.what))?;
        self.details.iter().try_for_each(|detail| write!(to, "\n  {}", line(detail)))?;
        self.hints.iter().try_for_each(|hint| write!(to, "\n  hint: {}", line(hint)))
    }
}
