//! What is asked of a target, beside what it is.

use crate::python::discovery::Ambient;
use std::path::PathBuf;

/// What a diagnosis and a repair are to look at and to tell.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Directories of `--search`, in order: libraries may come from there as well.
    pub search: Vec<PathBuf>,
    /// What the process would be given beside the loader's variables: other variables, the working
    /// directory.
    pub surroundings: Ambient,
    /// Are entries that are there twice or lead nowhere a finding in every object, and does a repair drop
    /// them?
    pub tidy: bool,
    /// Are whole files read, to compare them with RECORDs and signatures?
    pub deep: bool,
}
