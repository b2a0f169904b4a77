//! The evidence behind each finding, as data. The texts are in the report.

pub mod file;
pub mod installed;
pub mod interpreter;
pub mod memory;
pub mod need;
pub mod opening;
pub mod symbols;
pub mod variable;

use crate::python::direct_url::Source;
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

/// The evidence, by its subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// An object needs a library.
    Need(Need),
    /// An object binds symbols of a library, or needs a version of them.
    Symbols(Symbols),
    /// An object opens a library at run time.
    Opening(Opening),
    /// A variable of the process points elsewhere, or to something that does not exist.
    Variable(Variable),
    /// An object needs memory that a running program may not have.
    Memory(Memory),
    /// A file itself is broken or unsuitable.
    File(File),
    /// Installed distributions are inconsistent.
    Installed(Installed),
    /// The environment or its interpreter is broken.
    Interpreter(Interpreter),
}

/// One version of a distribution, as shown to users.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Release {
    /// The distribution.
    pub name: String,
    /// The version from its metadata.
    pub version: String,
    /// Where it was installed from; `None` for a package index.
    pub source: Option<Source>,
}

impl Release {
    /// A distribution, with its normalized name.
    #[must_use]
    pub fn of(distribution: &Distribution) -> Self {
        let Distribution { normalized, version, source, .. } = distribution;
        Self { name: normalized.clone(), version: version.clone(), source: source.clone() }
    }

    /// A distribution, with the name from its metadata.
    #[must_use]
    pub fn as_written(distribution: &Distribution) -> Self {
        let Distribution { name, version, source, .. } = distribution;
        Self { name: name.clone(), version: version.clone(), source: source.clone() }
    }
}

impl fmt::Display for Release {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.name, self.version)
    }
}

impl Evidence {
    /// Does the evidence contain `name` as part of the name of a file, a library, a distribution or a module?
    /// Case is ignored.
    #[must_use]
    pub fn names(&self, name: &str) -> bool {
        let mut is_named = false;
        let wanted = name.to_lowercase();
        self.each_name(&mut |one| is_named |= one.to_string().to_lowercase().contains(&wanted));
        is_named
    }

    /// Is it unproved, so that only a run could confirm it?
    #[must_use]
    pub fn is_guessed(&self) -> bool {
        matches!(
            self,
            Self::Opening(Opening::Named(_))
                | Self::Need(Need { supply: Supply::LoadedBefore { is_proved: false }, .. })
                | Self::Installed(Installed::NotThere { line: None, .. })
        )
    }

    /// Is it about `PYTHONHOME`?
    #[must_use]
    pub fn is_about_the_home(&self) -> bool {
        matches!(
            self,
            Self::Variable(Variable::HomeWithoutLibrary { .. } | Variable::HomeElsewhere { .. })
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
