//! The search path that an object has.

use super::dynamic_table;
use super::image::Image;
use crate::bytes;

pub use super::dynamic_table::RpathKind;

/// The search path that an object has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// The tag that counts.
    pub kind: RpathKind,
    /// The entries between the colons, empty ones included.
    pub entries: Vec<Vec<u8>>,
}

/// The search path of an object: the tag that counts and its entries, empty ones included.
///
/// `DT_RUNPATH` counts where there is one, `DT_RPATH` otherwise, and of several the last (glibc's
/// `_dl_map_object_from_fd`, `elf_get_dynamic_info`).
///
/// # Errors
/// Where the string lies outside the string table.
pub fn current(image: &Image<'_>) -> Result<Option<SearchPath>, bytes::Error> {
    let Some((index, kind)) = dynamic_table::counting(image) else { return Ok(None) };
    let Some(entry) = image.dynamic().get(index) else { return Ok(None) };
    let text = image.string(entry.value, "search path")?;
    let entries = text.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect();
    Ok(Some(SearchPath { kind, entries }))
}
