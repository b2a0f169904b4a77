//! What installers left: distributions that do not fit one another or this interpreter, that are there
//! twice or only in part. Edits of search paths change none of it.

mod data;
mod deep;
mod duplicates;
mod partial;
mod platform;
mod requirements;
mod symbols;

use super::finding::Finding;
use super::seen::Seen;
use super::target::{Program, World};
use crate::python::distribution::Distribution;
use crate::vfs::Vfs;
use std::path::PathBuf;

/// The findings about distributions, and the directories whose objects they explain.
#[derive(Debug, Clone, Default)]
pub struct Installed {
    /// What is wrong.
    pub findings: Vec<Finding>,
    /// Objects that are for another platform: whatever else is wrong with them follows from that.
    pub foreign: Vec<PathBuf>,
}

impl Installed {
    /// Looks at every distribution of a target.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, world: &World, programs: &[Program<'_>], seen: &Seen) -> Self {
        let (mut findings, foreign) = platform::findings(vfs, world, seen);
        findings.extend(partial::findings(vfs, world));
        findings.extend(duplicates::findings(vfs, world));
        findings.extend(requirements::findings(world));
        findings.extend(symbols::findings(vfs, world, programs));
        findings.extend(data::findings(vfs, world));
        if world.deep {
            findings.extend(deep::findings(vfs, world));
        }
        Self { findings, foreign }
    }

    /// Does a finding follow from an object's being for another platform?
    #[must_use]
    pub fn explains(&self, finding: &Finding) -> bool {
        self.foreign.binary_search(&finding.object).is_ok()
    }
}

/// A distribution as it stands in a sentence.
fn named(distribution: &Distribution) -> String {
    format!("{} {}", distribution.normalized, distribution.version)
}
