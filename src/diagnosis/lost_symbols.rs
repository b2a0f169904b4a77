//! What an object loses when it gets another copy of a library than the one that it was built with.

use super::bindings::{Bindings, Moved};
use crate::elf::{Image, hash};
use crate::vfs::Vfs;
use std::path::Path;

/// The symbols that an object leaves to others, that the library had which it got before, and that neither
/// the copy has which it gets now nor anything else that it needs: with them it does not load, for Python
/// binds all symbols at once (`RTLD_NOW`, the default of `sys.getdlopenflags`). Nothing where a file cannot
/// be read.
pub(super) fn lost(vfs: &dyn Vfs, moved: &Moved, now: &Bindings) -> Vec<Vec<u8>> {
    let asking = &moved.question.asking;
    let Some(after) = &moved.after else { return Vec::new() };
    let Some(mut names) = read(vfs, asking, hash::undefined) else { return Vec::new() };
    keep(vfs, &moved.before, &mut names, true);
    keep(vfs, after, &mut names, false);
    let others = now.found().filter(|(question, _)| question.asking == *asking);
    for (_, other) in others {
        if names.is_empty() {
            break;
        }
        keep(vfs, other, &mut names, false);
    }
    names
}

/// Keeps the names that a file exports, or those that it does not. Of a file that cannot be read nothing is
/// known, and none is kept.
fn keep(vfs: &dyn Vfs, file: &Path, names: &mut Vec<Vec<u8>>, exported: bool) {
    let found = read(vfs, file, |image| hash::exports_each(image, names)).unwrap_or_default();
    let mut found = found.into_iter();
    names.retain(|_| found.next() == Some(exported));
}

fn read<T>(
    vfs: &dyn Vfs,
    file: &Path,
    of: impl FnOnce(&Image<'_>) -> Result<T, crate::bytes::Error>,
) -> Option<T> {
    let source = vfs.open(file).ok()?;
    Image::parse(source.as_ref()).and_then(|image| of(&image)).ok()
}
