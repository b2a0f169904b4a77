//! The result of planning: search paths to write, and what remains.

use super::rewrite::Rewrite;
use crate::findings::finding::Finding;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The result of planning.
#[derive(Debug)]
pub struct Proposal {
    /// The objects to edit, by path.
    pub rewrites: BTreeMap<PathBuf, Rewrite>,
    /// The findings that the rewrites cure, including those found while planning.
    pub cured: Vec<Finding>,
    /// What remains, with the reason in its message.
    pub remaining: Vec<Finding>,
}

impl Proposal {
    /// One object's new search path, as requested on the command line.
    #[must_use]
    pub fn of(rewrite: Rewrite) -> Self {
        let rewrites = BTreeMap::from([(rewrite.object.clone(), rewrite)]);
        Self { rewrites, cured: Vec::new(), remaining: Vec::new() }
    }
}
