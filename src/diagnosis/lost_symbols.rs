//! What an object loses when it gets another copy of a library than the one that it was built with.

use super::bindings::{Bindings, Moved};
use super::symbol_names::{keep, undefined};
use crate::vfs::Vfs;

/// The symbols that an object leaves to others, that the library had which it got before, and that neither
/// the copy has which it gets now nor anything else that it needs: with them it does not load, for Python
/// binds all symbols at once (`RTLD_NOW`, the default of `sys.getdlopenflags`). Nothing where a file cannot
/// be read.
pub(super) fn lost(vfs: &dyn Vfs, moved: &Moved, now: &Bindings) -> Vec<Vec<u8>> {
    let asking = &moved.question.asking;
    let Some(after) = &moved.after else { return Vec::new() };
    let mut names = undefined(vfs, asking);
    keep(vfs, &moved.before, &mut names, true);
    keep(vfs, after, &mut names, false);
    now.files_of(asking).into_iter().for_each(|other| keep(vfs, other, &mut names, false));
    names
}
