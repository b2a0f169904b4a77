//! The statements of a wheel about itself, beside its objects.

use super::inventory::Inventory;
use crate::python::distribution::Distribution;
use crate::python::record;
use crate::python::wheel::Wheel;
use crate::vfs::Vfs as _;
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// The statements of a wheel about itself, beside its objects.
#[derive(Debug, Default)]
pub struct Claims {
    /// Its tags, such as `cp311-cp311-macosx_12_0_arm64`.
    pub tags: Vec<String>,
    /// Rows of RECORD that are wrong.
    pub(crate) untrue: Vec<UntrueRow>,
}

/// A row of a wheel's RECORD that is wrong.
#[derive(Debug)]
pub(crate) enum UntrueRow {
    /// It names a member that the wheel does not have.
    NoMember {
        /// RECORD.
        record: PathBuf,
        /// The member.
        member: Vec<u8>,
    },
    /// It gives a wrong length for a member, in bytes.
    OtherLength {
        /// The member.
        path: PathBuf,
        /// The length in the row.
        recorded: u64,
        /// The actual length.
        length: u64,
    },
}

impl Claims {
    /// Reads the statements of a wheel with that inventory.
    #[must_use]
    pub fn of(wheel: &Wheel<'_>, inventory: &Inventory) -> Self {
        let records = inventory.distributions.iter().map(Distribution::record);
        let untrue = records.flat_map(|record| untrue_rows(wheel, &record)).collect();
        Self { tags: wheel.tags(), untrue }
    }
}

/// The rows of a wheel's RECORD that name a file which is not there, or has another length.
fn untrue_rows(wheel: &Wheel<'_>, record: &Path) -> Vec<UntrueRow> {
    // What cannot be read is reported with the distribution.
    let Ok(source) = wheel.open(record) else { return Vec::new() };
    let Some(bytes) = source.get(0..source.len()) else { return Vec::new() };
    let members: HashMap<&[u8], (PathBuf, u64)> =
        wheel.members().map(|(name, path, len)| (name, (path, len))).collect();
    let mut untrue = Vec::new();
    for row in record::rows(&bytes).map_while(Result::ok) {
        match (members.get(&*row.path), row.size) {
            (None, _) => untrue
                .push(UntrueRow::NoMember { record: record.to_owned(), member: row.path.to_vec() }),
            (Some((path, len)), Some(size)) if *len != size => {
                let (path, length) = (path.clone(), *len);
                untrue.push(UntrueRow::OtherLength { path, recorded: size, length });
            }
            _ => {}
        }
    }
    untrue
}
