//! What runs and imports show about findings from files alone.

use super::json::text;
use super::path_text::PathText;
use super::style::{DIM, paint};
use crate::bytes::printable;
use crate::findings::finding::Finding;
use crate::trace::proved::Testimony;
use crate::world::World;
use schemars::JsonSchema;
use serde::Serialize;

// What they show about one finding about a library, for programs. Not part of its schema.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EvidenceReport {
    object: PathText,
    library: String,
    evidence: Testimony,
}

impl EvidenceReport {
    /// For each finding.
    pub(super) fn all(evidence: &[(Finding, Testimony)]) -> Vec<Self> {
        let of = |(finding, evidence): &(Finding, Testimony)| Self {
            object: PathText::of(&finding.object),
            library: finding.library.as_deref().map(text).unwrap_or_default(),
            evidence: *evidence,
        };
        evidence.iter().map(of).collect()
    }
}

/// The text for a finding that was refuted.
pub(super) fn refuted(world: &World, finding: &Finding) -> String {
    let library = finding.library.as_deref().map(printable).unwrap_or_default();
    let object = world.shown(&finding.object);
    paint(DIM, format!("{object} was loaded with {library}"))
}
