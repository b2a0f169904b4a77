//! What a wheel says of itself, beside its objects.

use super::inventory::Inventory;
use crate::bytes::printable;
use crate::python::distribution::Distribution;
use crate::python::record;
use crate::python::wheel::Wheel;
use crate::vfs::Vfs as _;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// What a wheel says of itself, beside its objects.
#[derive(Debug, Default)]
pub struct Claims {
    /// Its tags, such as `cp311-cp311-macosx_12_0_arm64`.
    pub tags: Vec<String>,
    /// Rows of RECORD that are not true: the file, and a clause about it.
    pub(crate) untrue: Vec<(PathBuf, String)>,
}

impl Claims {
    /// Reads what a wheel with that inventory says.
    #[must_use]
    pub fn of(wheel: &Wheel<'_>, inventory: &Inventory) -> Self {
        let records = inventory.distributions.iter().map(Distribution::record);
        let untrue = records.flat_map(|record| untrue_rows(wheel, &record)).collect();
        Self { tags: wheel.tags(), untrue }
    }
}

/// The rows of a wheel's RECORD that name a file which is not there, or has another length.
fn untrue_rows(wheel: &Wheel<'_>, record: &Path) -> Vec<(PathBuf, String)> {
    // What cannot be read is reported with the distribution.
    let Ok(source) = wheel.open(record) else { return Vec::new() };
    let Some(bytes) = source.get(0..source.len()) else { return Vec::new() };
    let members: HashMap<&[u8], (PathBuf, u64)> =
        wheel.members().map(|(name, path, len)| (name, (path, len))).collect();
    let mut untrue = Vec::new();
    for row in record::rows(&bytes).map_while(Result::ok) {
        let shown = printable(&row.path);
        match (members.get(&*row.path), row.size) {
            (None, _) => {
                let path = record.to_owned();
                untrue.push((path, format!("it lists {shown}, which the wheel does not have")));
            }
            (Some((path, len)), Some(size)) if *len != size => {
                untrue.push((
                    path.clone(),
                    format!("RECORD gives it {size} bytes, and it has {len}"),
                ));
            }
            _ => {}
        }
    }
    untrue
}
