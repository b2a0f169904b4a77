//! RECORD rows of objects that are put back one by one, while others of the same distribution stay
//! as they are.

use super::steps::{Error, hash_of, io_error, record_step};
use crate::edit::EditSet;
use crate::plan::Step;
use crate::python::record::{self, Change};
use crate::vfs::Vfs;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Those of `files` that the RECORD at `record` lists. Paths are absolute, links on the way to them
/// resolved; a RECORD that cannot be read lists nothing.
#[must_use]
pub fn listed(vfs: &dyn Vfs, record: &Path, files: &BTreeSet<PathBuf>) -> BTreeSet<PathBuf> {
    rows(vfs, record, files).into_keys().collect()
}

/// The step that brings the rows of `files` up to date with the files as they are; `None` where
/// there is nothing to change.
///
/// # Errors
/// Where a file cannot be read, or lies outside `root`.
pub fn refresh(
    vfs: &dyn Vfs,
    root: &Path,
    record: &Path,
    files: &BTreeSet<PathBuf>,
) -> Result<Option<Step>, Error> {
    let mut changes = Vec::new();
    for (path, row) in rows(vfs, record, files) {
        let len = vfs.open(&path).map_err(|source| io_error(&path, source))?.len();
        let (sha256, size) = hash_of(vfs, &path, &EditSet::none(len))?;
        changes.push(Change { row, sha256, size });
    }
    if changes.is_empty() {
        return Ok(None);
    }
    let step = record_step(vfs, root, record, &changes)?;
    Ok((!step.edits.is_empty()).then_some(step))
}

/// The rows with a hash that name files of `files`.
fn rows(vfs: &dyn Vfs, record: &Path, files: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, usize> {
    let mut found = BTreeMap::new();
    let site = record.parent().and_then(Path::parent);
    let (Some(site), Ok(source)) = (site, vfs.open(record)) else { return found };
    let Ok(bytes) = source.read(0, source.len(), "RECORD") else { return found };
    let names: BTreeSet<&OsStr> = files.iter().filter_map(|file| file.file_name()).collect();
    for (index, row) in record::rows(&bytes).enumerate() {
        let Ok(row) = row else { break };
        let path = site.join(OsStr::from_bytes(&row.path));
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { continue };
        if row.hash.is_some()
            && names.contains(name)
            && let Ok(parent) = vfs.canonicalize(parent)
            && let Some(file) = files.get(&parent.join(name))
        {
            found.insert(file.clone(), index);
        }
    }
    found
}
