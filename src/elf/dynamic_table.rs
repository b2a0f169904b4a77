//! The dynamic table as a list of entries, and the edits that turn an old list into a new one.

use super::image::Image;
use crate::edit::{Content, Edit};
use crate::elf::segments::{PAGE, loads, range_of};
use goblin::elf::dynamic::{self, Dyn};
use goblin::elf::header;
use goblin::elf::program_header::{PF_W, PT_DYNAMIC};
use scroll::{Pread as _, Pwrite as _};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// The tag that holds a search path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RpathKind {
    /// `DT_RPATH`: inherited by dependencies, and searched before `LD_LIBRARY_PATH`.
    Rpath,
    /// `DT_RUNPATH`: used only for the object's own dependencies, and searched after `LD_LIBRARY_PATH`.
    Runpath,
}

/// An upper limit for spare entries: no edit needs more.
const MAX_SPARES: usize = 64;

/// The entries of a dynamic table: tag and value, without the `DT_NULL` at the end.
pub(super) type Entries = Vec<(u64, u64)>;

/// Is the value of this tag an offset in the string table?
pub(super) fn is_string(tag: u64) -> bool {
    // Filters come from Solaris; glibc supports them too.
    const DT_AUXILIARY: u64 = 0x7fff_fffd;
    const DT_USED: u64 = 0x7fff_fffe;
    const DT_FILTER: u64 = 0x7fff_ffff;
    matches!(
        tag,
        dynamic::DT_NEEDED
            | dynamic::DT_SONAME
            | dynamic::DT_RPATH
            | dynamic::DT_RUNPATH
            | dynamic::DT_CONFIG
            | dynamic::DT_DEPAUDIT
            | dynamic::DT_AUDIT
            | DT_AUXILIARY
            | DT_USED
            | DT_FILTER
    )
}

/// The tag of a search path of this kind.
pub(super) fn tag_of(kind: RpathKind) -> u64 {
    match kind {
        RpathKind::Rpath => dynamic::DT_RPATH,
        RpathKind::Runpath => dynamic::DT_RUNPATH,
    }
}

/// The index of the effective entry: the last `DT_RUNPATH`, or else the last `DT_RPATH`.
pub(super) fn counting(image: &Image<'_>) -> Option<(usize, RpathKind)> {
    [RpathKind::Runpath, RpathKind::Rpath].into_iter().find_map(|kind| {
        let index = image.dynamic().iter().rposition(|entry| entry.tag == tag_of(kind))?;
        Some((index, kind))
    })
}

pub(super) fn old_entries(image: &Image<'_>) -> Entries {
    image.dynamic().iter().map(|entry| (entry.tag, entry.value)).collect()
}

/// Is this `DT_RPATH` or `DT_RUNPATH`?
pub(super) fn is_search_path(tag: u64) -> bool {
    tag == dynamic::DT_RPATH || tag == dynamic::DT_RUNPATH
}

/// Changes the value of every entry of a tag.
pub(super) fn set(entries: &mut Entries, tag: u64, value: u64) {
    for entry in entries.iter_mut().filter(|entry| entry.0 == tag) {
        entry.1 = value;
    }
}

/// Size of an entry in bytes.
pub(super) fn entry_size(image: &Image<'_>) -> u64 {
    Dyn::size(image.ctx().container) as u64
}

/// File offsets of `PT_DYNAMIC`.
pub(super) fn range(image: &Image<'_>) -> Range<u64> {
    image.segment(PT_DYNAMIC).map_or(0..0, range_of)
}

/// The number of spare entries: the `DT_NULL` entries after the first one, which ends the table.
pub(super) fn spares(image: &Image<'_>) -> usize {
    let range = range(image);
    let size = entry_size(image);
    let first = range.start + image.dynamic().len() as u64 * size;
    let is_null = |at: u64| {
        at + size <= range.end
            && image
                .source()
                .get(at..at + size)
                .and_then(|bytes| bytes.pread_with::<Dyn>(0, image.ctx()).ok())
                .is_some_and(|entry| entry.d_tag == dynamic::DT_NULL)
    };
    let nulls = (first..range.end).step_by(size as usize).take_while(|&at| is_null(at));
    nulls.take(MAX_SPARES).count().saturating_sub(1)
}

/// The entries as they are encoded in the file, followed by `nulls` empty entries.
pub(super) fn encode(image: &Image<'_>, entries: &[(u64, u64)], nulls: usize) -> Vec<u8> {
    let size = entry_size(image) as usize;
    let mut bytes = vec![0; size * (entries.len() + nulls)];
    for (index, &(d_tag, d_val)) in entries.iter().enumerate() {
        // This cannot fail inside a buffer of the right size, and the edits are verified as a whole later.
        let _ = bytes.pwrite_with(Dyn { d_tag, d_val }, index * size, image.ctx());
    }
    bytes
}

/// The edits that turn the old table into `new`, which may use at most the [`spares`]. The table is valid
/// after each edit: `DT_STRTAB` and `DT_STRSZ` are written first, entries that refer to strings last, and the
/// value of an entry before its tag.
///
/// A shorter table is one edit: entries are removed, and those behind them move up. The result looks like the
/// output of a linker, so that readelf and eu-elflint do not complain, and it leaves a spare entry. Replacing
/// a removed entry with an unused tag of the operating system's range would achieve neither.
pub(super) fn edits(image: &Image<'_>, new: &[(u64, u64)]) -> Vec<Edit> {
    let size = entry_size(image);
    let half = size / 2;
    let start = range(image).start;
    let old = old_entries(image);
    if new.len() < old.len() {
        let same = old.iter().zip(new).take_while(|(old, new)| old == new).count();
        let at = start + same as u64 * size;
        let rest = new.get(same..).unwrap_or_default();
        let bytes = encode(image, rest, old.len() - new.len());
        return vec![Edit { range: at..at + bytes.len() as u64, new: Content::Bytes(bytes) }];
    }
    let mut changes = Vec::new();
    for (index, &(tag, value)) in new.iter().enumerate() {
        let before = old.get(index).copied();
        let at = start + index as u64 * size;
        let bytes = encode(image, &[(tag, value)], 0);
        let (tag_bytes, value_bytes) = bytes.split_at(half as usize);
        let rank = match tag {
            dynamic::DT_STRTAB => 1,
            dynamic::DT_STRSZ => 2,
            _ if is_string(tag) => 3,
            _ => 0,
        };
        // The bytes after the first DT_NULL may be garbage, so a new entry is written completely.
        if before.is_none_or(|before| before.1 != value) {
            let new = Content::Bytes(value_bytes.to_vec());
            changes.push((rank, Edit { range: at + half..at + size, new }));
        }
        if before.is_none_or(|before| before.0 != tag) {
            let new = Content::Bytes(tag_bytes.to_vec());
            changes.push((rank, Edit { range: at..at + half, new }));
        }
    }
    changes.sort_by_key(|&(rank, _)| rank);
    changes.into_iter().map(|(_, edit)| edit).collect()
}

/// Does the loader map the dynamic table writable?
fn is_writable(image: &Image<'_>) -> bool {
    let range = range(image);
    image.segment(PT_DYNAMIC).is_some_and(|segment| segment.p_flags & PF_W != 0)
        && loads(image).any(|(_, load)| {
            let file = range_of(load);
            load.p_flags & PF_W != 0 && file.start <= range.start && range.end <= file.end
        })
}

/// May these edits be written while a process runs the object, as far as the dynamic table is concerned? That
/// is the case if the process has a private copy of every page of the table that they change.
///
/// glibc relocates some entries in place (`elf_get_dynamic_info`, unless the object is loaded at its
/// link-time addresses), which makes a private copy of their page. Changes to entries on other pages are
/// visible to the process. The loader reads the search path when the object first needs a library, possibly
/// long after it was loaded, and would then look up the new offset in the old string table.
pub(super) fn is_private(image: &Image<'_>, edits: &[Edit]) -> bool {
    let range = range(image);
    let start = image.segment(PT_DYNAMIC).map_or(0, |segment| segment.p_vaddr);
    let page = |offset: u64| (start + (offset - range.start)) / PAGE;
    let relocated: Vec<u64> = image
        .dynamic()
        .iter()
        .filter(|entry| {
            matches!(entry.tag, dynamic::DT_STRTAB | dynamic::DT_SYMTAB | dynamic::DT_GNU_HASH)
        })
        .map(|entry| page(entry.offset + entry_size(image) / 2))
        .collect();
    let mut changed = edits
        .iter()
        .map(|edit| edit.range.start.max(range.start)..edit.range.end.min(range.end))
        .filter(|edit| edit.start < edit.end)
        .flat_map(|edit| page(edit.start)..=page(edit.end - 1))
        .peekable();
    let is_relocated = image.header().e_type != header::ET_EXEC && is_writable(image);
    changed.peek().is_none() || is_relocated && changed.all(|page| relocated.contains(&page))
}
