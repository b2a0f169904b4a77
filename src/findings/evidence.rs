//! What a diagnosis has seen, as data: what stands behind each finding. How it is said is the report's
//! business.

pub mod file;
pub mod installed;
pub mod interpreter;
pub mod memory;
pub mod need;
pub mod opening;
pub mod symbols;
pub mod variable;

use crate::python::distribution::Distribution;
use file::File;
use installed::Installed;
use interpreter::Interpreter;
use memory::Memory;
use need::{Need, Supply};
use opening::Opening;
use std::fmt;
use symbols::Symbols;
use variable::Variable;

/// What is the case, by its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// An object needs a library.
    Need(Need),
    /// An object binds symbols of a library, or wants a version of them.
    Symbols(Symbols),
    /// An object opens a library at run time.
    Opening(Opening),
    /// A variable of the process leads elsewhere, or nowhere.
    Variable(Variable),
    /// An object wants something of the memory of a program that runs already.
    Memory(Memory),
    /// A file itself is not as it has to be.
    File(File),
    /// What installers left does not fit.
    Installed(Installed),
    /// The environment or its interpreter is not as it runs.
    Interpreter(Interpreter),
}

/// One version of a distribution, as people are told of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release {
    /// The distribution.
    pub name: String,
    /// The version as its metadata give it.
    pub version: String,
}

impl Release {
    /// A distribution by the name by which distributions are compared.
    #[must_use]
    pub fn of(distribution: &Distribution) -> Self {
        let Distribution { normalized, version, .. } = distribution;
        Self { name: normalized.clone(), version: version.clone() }
    }

    /// A distribution by the name that its metadata give it.
    #[must_use]
    pub fn as_written(distribution: &Distribution) -> Self {
        let Distribution { name, version, .. } = distribution;
        Self { name: name.clone(), version: version.clone() }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.name, self.version)
    }
}

impl Evidence {
    /// Is `name` part of a name in it: of a file, a library, a distribution or a module? Capital letters
    /// count as small ones.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        let mut is_named = false;
        let wanted = name.to_lowercase();
        self.each_name(&mut |one| is_named |= one.to_string().to_lowercase().contains(&wanted));
        is_named
    }

    /// Is it less than proved, so that only a run would tell?
    #[must_use]
    pub fn is_guessed(&self) -> bool {
        matches!(
            self,
            Self::Opening(Opening::Named(_))
                | Self::Need(Need { supply: Supply::LoadedBefore { is_proved: false }, .. })
                | Self::Installed(Installed::NotThere { line: None, .. })
        )
    }

    fn each_name(&self, to: &mut dyn FnMut(&dyn fmt::Display)) {
        match self {
            Self::Need(need) => need.each_name(to),
            Self::Symbols(symbols) => symbols.each_name(to),
            Self::Opening(opening) => opening.each_name(to),
            Self::Variable(variable) => variable.each_name(to),
            Self::Memory(memory) => memory.each_name(to),
            Self::File(file) => file.each_name(to),
            Self::Installed(installed) => installed.each_name(to),
            Self::Interpreter(interpreter) => interpreter.each_name(to),
        }
    }
}
