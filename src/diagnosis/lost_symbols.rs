//! The symbols that an object loses when it gets another copy of a library than the one that it was
//! built with.

use super::bindings::{Bindings, Moved};
use super::symbol_names::{keep, undefined};
use crate::vfs::Vfs;

/// The undefined symbols of an object that the library before defined, and that neither the copy now nor
/// any other library that it needs defines. Without them it does not load, because Python binds all symbols
/// at once (`RTLD_NOW`, the default of `sys.getdlopenflags`). Nothing where a file cannot be read.
pub(super) fn lost(vfs: &dyn Vfs, moved: &Moved, now: &Bindings) -> Vec<Vec<u8>> {
    let asking = &moved.question.asking;
    let Some(after) = &moved.after else { return Vec::new() };
    let mut names = undefined(vfs, asking);
    keep(vfs, &moved.before, &mut names, true);
    keep(vfs, after, &mut names, false);
    now.files_of(asking).into_iter().for_each(|other| keep(vfs, other, &mut names, false));
    names
}
