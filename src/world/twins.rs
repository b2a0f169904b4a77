//! Files with the same bytes. Installers that graft libraries into packages give copies of one file the same name.

use super::inventory::Object;
use crate::vfs::Vfs;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Mutex;

/// Files that are longer than this, in bytes, are not compared.
const MAX_COMPARED: u64 = 64 << 20;
/// Bytes that are compared at a time.
const PIECE: u64 = 1 << 20;

/// Device and inode of two files.
type Pair = ((u64, u64), (u64, u64));

/// The files that were compared. Each pair is compared once, before anything is edited.
#[derive(Debug, Default)]
pub struct Twins(Mutex<HashMap<Pair, bool>>);

impl Twins {
    /// Do two objects have the same bytes?
    #[must_use]
    pub fn are_same(&self, vfs: &dyn Vfs, one: &Object, other: &Object) -> bool {
        let compare = || has_same_bytes(vfs, &one.path, &other.path);
        let pair = (one.id.min(other.id), one.id.max(other.id));
        match self.0.lock() {
            Ok(mut known) => *known.entry(pair).or_insert_with(compare),
            Err(_) => compare(),
        }
    }
}

/// Do two files have the same bytes? If they are very long, that is not examined.
#[must_use]
pub fn has_same_bytes(vfs: &dyn Vfs, one: &Path, other: &Path) -> bool {
    let (Ok(one), Ok(other)) = (vfs.open(one), vfs.open(other)) else { return false };
    let len = one.len();
    let starts = (0..len).step_by(usize::try_from(PIECE).unwrap_or(usize::MAX));
    len == other.len()
        && len <= MAX_COMPARED
        && starts.map(|start| start..len.min(start + PIECE)).all(|range| {
            let both = one.get(range.clone()).zip(other.get(range));
            both.is_some_and(|(one, other)| one == other)
        })
}
