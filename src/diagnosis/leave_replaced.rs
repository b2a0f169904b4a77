//! Findings about files that were replaced after their installation. What they lack or need is that of another
//! build, and installing it would not lead back to what was installed.

use crate::findings::cure::{Cure, Install, Reinstall};
use crate::findings::evidence::symbols::Symbols;
use crate::findings::evidence::{Evidence, Release};
use crate::findings::finding::Finding;
use crate::knowledge::packages;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Names the reinstallation of the distribution as the cure, if there is no better one than to install something
/// that nobody knows.
pub(super) fn leave_replaced(replaced: &BTreeMap<PathBuf, Release>, finding: &mut Finding) {
    if finding.fixable || !is_vague(&finding.cure) {
        return;
    }
    let library = match &finding.evidence {
        Evidence::Symbols(Symbols::NoVersion { library, .. }) => Some(library.path()),
        _ => None,
    };
    let release = library.into_iter().chain([finding.object.as_path()]);
    if let Some(release) = release.filter_map(|path| replaced.get(path)).next() {
        finding.cure = Cure::Reinstall(Reinstall::Release(release.clone()));
    }
}

/// Does a cure name a library without telling where it comes from?
fn is_vague(cure: &Cure) -> bool {
    match cure {
        Cure::Install(Install::WhatShips(library)) => packages::shipper(library).is_none(),
        Cure::Install(Install::Unknown(_) | Install::NewerLibrary(_) | Install::BuiltAgainst) => {
            true
        }
        _ => false,
    }
}
