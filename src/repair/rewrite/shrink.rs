//! A search path without the entries by which nothing is found.

use crate::bytes::Error;
use crate::elf::Image;
use crate::elf::strings;
use crate::vfs::Vfs;
use crate::world::rpath_entry::directory_of;
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// Bytes of an object's constants that are searched for names of libraries.
const MOST: u64 = 1 << 28;

/// Which entries stay.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Shrink {
    /// How entries have to begin, where they may not begin with anything.
    pub prefixes: Vec<Vec<u8>>,
}

/// The entries by which a library is found that no entry before leads to, or that the object names among its
/// constants, as one that it opens; and those that depend on the machine, which is not known.
///
/// # Errors
/// If the names of the needed libraries cannot be read.
pub fn kept(
    vfs: &dyn Vfs,
    image: &Image<'_>,
    entries: &[Vec<u8>],
    origins: &[&Path],
    how: &Shrink,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut missing: BTreeSet<Vec<u8>> = image.needed()?.into_iter().collect();
    let mut kept = Vec::new();
    for entry in entries {
        let is_allowed =
            how.prefixes.is_empty() || how.prefixes.iter().any(|prefix| entry.starts_with(prefix));
        if !is_allowed {
            continue;
        }
        let directories: Option<Vec<PathBuf>> =
            origins.iter().map(|origin| directory_of(entry, origin)).collect();
        let Some(directories) = directories else {
            kept.push(entry.clone());
            continue;
        };
        let is_there = |name: &[u8]| {
            let name = OsStr::from_bytes(name);
            directories.iter().any(|directory| fits(vfs, &directory.join(name), image))
        };
        let found: Vec<Vec<u8>> = missing.iter().filter(|name| is_there(name)).cloned().collect();
        for name in &found {
            missing.remove(name);
        }
        let is_opened = || directories.iter().any(|directory| opens_of(vfs, directory, image));
        if !found.is_empty() || is_opened() {
            kept.push(entry.clone());
        }
    }
    Ok(kept)
}

/// Is there an object for the same machine?
pub(crate) fn fits(vfs: &dyn Vfs, path: &Path, image: &Image<'_>) -> bool {
    let Ok(source) = vfs.open(path) else { return false };
    let found = Image::parse(source.as_ref());
    found.is_ok_and(|found| found.header().e_machine == image.header().e_machine)
}

/// Does the object name a file of a directory among its constants, as a program does that opens it?
fn opens_of(vfs: &dyn Vfs, directory: &Path, image: &Image<'_>) -> bool {
    let Ok(entries) = vfs.read_dir(directory) else { return false };
    let names: Vec<Vec<u8>> = entries
        .into_iter()
        .map(|entry| entry.name.as_bytes().to_vec())
        .filter(|name| name.windows(3).any(|part| part == b".so"))
        .collect();
    let asked: Vec<&[u8]> = names.iter().map(Vec::as_slice).collect();
    strings::whole(image, &asked, MOST).is_ok_and(|found| !found.names.is_empty())
}
