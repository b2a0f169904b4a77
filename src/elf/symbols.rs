//! The symbols for debuggers, where they stand in a section that moves. No loader reads them.

use super::image::{Class, Image};
use super::sections::{Sections, is_loaded};
use super::soundness::{loads, range_of};
use crate::edit::{Content, Edit};
use goblin::elf::section_header::{SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::Sym;
use scroll::{Pread as _, Pwrite as _};

/// So many local symbols are looked at from either end of them: linkers put those of sections and
/// of the start files first, and `_DYNAMIC` last. A table may hold a million.
const MOST: u64 = 1024;

/// The edits that let the local symbols of `.symtab` follow their sections from the old rows to
/// the `new` ones.
pub(super) fn edits(image: &Image<'_>, sections: &Sections, new: &[SectionHeader]) -> Vec<Edit> {
    let mut edits = Vec::new();
    for row in sections.rows().iter().filter(|row| row.sh_type == SHT_SYMTAB && !is_loaded(row)) {
        let size = Sym::size(image.ctx().container) as u64;
        let count = u64::from(row.sh_info).min(row.sh_size / size);
        let last = count.saturating_sub(MOST).max(MOST.min(count));
        for index in (0..MOST.min(count)).chain(last..count) {
            let moved = row.sh_offset.checked_add(index * size);
            edits.extend(moved.and_then(|at| follow(image, sections.rows(), new, at, size)));
        }
    }
    edits
}

/// The edit of the symbol at offset `at` of the file, if its section moves.
fn follow(
    image: &Image<'_>,
    old: &[SectionHeader],
    new: &[SectionHeader],
    at: u64,
    size: u64,
) -> Option<Edit> {
    let range = at..at.checked_add(size)?;
    let bytes = image.source().get(range.clone())?;
    let symbol: Sym = bytes.pread_with(0, image.ctx()).ok()?;
    let (old, new) = (old.get(symbol.st_shndx)?, new.get(symbol.st_shndx)?);
    let distance = symbol.st_value.checked_sub(old.sh_addr)?;
    let is_loaded_there = loads(image).any(|(_, load)| {
        let load = range_of(load);
        load.start < range.end && range.start < load.end
    });
    if old.sh_addr == new.sh_addr || distance > old.sh_size || is_loaded_there {
        return None;
    }
    let mut encoded = bytes.to_vec();
    encoded.pwrite_with(Sym { st_value: new.sh_addr + distance, ..symbol }, 0, image.ctx()).ok()?;
    let value = match image.class() {
        Class::Elf64 => 8..16,
        Class::Elf32 => 4..8,
    };
    let new = encoded.get(value.clone())?.to_vec();
    let range = at + value.start as u64..at + value.end as u64;
    Some(Edit { range, new: Content::Bytes(new) })
}
