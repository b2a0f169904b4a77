//! The reports' schemas under `fixtures/schema` are those of the types, and reports are of them.
//!
//! `BLESS=1 cargo test --test fast -- schemas` writes the files anew after a change that is meant: names
//! that are gone break other programs.

use crate::support::wheels;
use std::path::PathBuf;

pub(crate) fn path_of(name: &str) -> PathBuf {
    wheels::fixture("schema").join(format!("{name}.v1.json"))
}
