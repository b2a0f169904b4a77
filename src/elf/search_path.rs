//! The search path of an object.

use super::dynamic_table;
use super::image::Image;
use crate::bytes;

pub use super::dynamic_table::RpathKind;

/// The search path of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// The effective tag.
    pub kind: RpathKind,
    /// The entries between the colons, including empty ones.
    pub entries: Vec<Vec<u8>>,
}

/// The search path of an object: the effective tag and its entries, including empty ones.
///
/// `DT_RUNPATH` is effective if it exists, and otherwise `DT_RPATH`; of several, the last one (glibc's
/// `_dl_map_object_from_fd`, `elf_get_dynamic_info`).
///
/// # Errors
/// If the string is outside the string table.
pub fn current(image: &Image<'_>) -> Result<Option<SearchPath>, bytes::Error> {
    let Some((index, kind)) = dynamic_table::counting(image) else { return Ok(None) };
    let Some(entry) = image.dynamic().get(index) else { return Ok(None) };
    let text = image.string(entry.value, "search path")?;
    let entries = text.split(|&byte| byte == b':').map(<[u8]>::to_vec).collect();
    Ok(Some(SearchPath { kind, entries }))
}
