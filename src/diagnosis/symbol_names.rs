//! The undefined symbols of an object, and which of them a file defines.

use crate::bytes::Error;
use crate::elf::Image;
use crate::elf::hash::{self, Name};
use crate::vfs::Vfs;
use std::path::Path;

/// The undefined symbols of an object. An object that cannot be read is reported elsewhere.
pub(super) fn undefined(vfs: &dyn Vfs, object: &Path) -> Vec<Vec<u8>> {
    read(vfs, object, hash::undefined).unwrap_or_default()
}

/// Keeps the names that a file exports, or those that it does not. Of a file that cannot be read nothing is
/// known, and none is kept.
pub(super) fn keep(vfs: &dyn Vfs, file: &Path, names: &mut Vec<Vec<u8>>, exported: bool) {
    if names.is_empty() {
        return;
    }
    let hashed: Vec<Name<'_>> = names.iter().map(|name| Name::new(name)).collect();
    let mut found = exports(vfs, file, &hashed).unwrap_or_default().into_iter();
    names.retain(|_| found.next() == Some(exported));
}

/// Which of the names a file exports; `None` if it cannot be read.
pub(super) fn exports(vfs: &dyn Vfs, file: &Path, names: &[Name<'_>]) -> Option<Vec<bool>> {
    read(vfs, file, |image| hash::exports_each(image, names))
}

/// Is it a symbol that the interpreter defines? In a tree without an interpreter it is not known
/// where it comes from.
pub(super) fn is_pythons(name: &[u8]) -> bool {
    name.starts_with(b"Py") || name.starts_with(b"_Py")
}

fn read<T>(
    vfs: &dyn Vfs,
    file: &Path,
    of: impl FnOnce(&Image<'_>) -> Result<T, Error>,
) -> Option<T> {
    let headers = vfs.headers(file, vfs.metadata(file).ok()?.id, None).ok()?;
    let source = vfs.open(file).ok()?;
    headers.image(source.as_ref()).and_then(|image| of(&image)).ok()
}
