//! What a command asks about a target.

use crate::python::discovery::Ambient;
use std::path::PathBuf;

/// What a diagnosis and a repair examine and report.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Directories of `--search`, in order: libraries may come from there as well.
    pub search: Vec<PathBuf>,
    /// What the process would get in addition to the loader's variables: other variables, the
    /// working directory.
    pub surroundings: Ambient,
    /// Are duplicate entries and entries for missing directories a finding in every object, and does a
    /// repair drop them?
    pub tidy: bool,
    /// Are whole files read, to compare them with RECORDs and signatures?
    pub deep: bool,
    /// Are the symbols of all modules looked up, and not only of those that were built here or changed?
    pub symbols: bool,
}
