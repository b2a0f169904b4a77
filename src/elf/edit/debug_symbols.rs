//! The symbols of `.symtab` that refer to a section that moves. Only debuggers read them; no loader does.

use crate::edit::{Content, Edit};
use crate::elf::image::{Class, Image};
use crate::elf::sections::{Sections, is_loaded};
use crate::elf::segments::{loads, range_of};
use goblin::elf::section_header::{SHN_ABS, SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::Sym;
use scroll::{Pread as _, Pwrite as _};
use std::ops::Range;

/// The number of local symbols that are examined at each end of their range. A table may hold a million, but
/// linkers put the symbols of sections and of the start files first, and `_DYNAMIC` last.
const MAX: u64 = 1024;

/// The edits that move the local symbols of `.symtab` along with their sections, from the old section headers
/// to the `new` ones.
pub(in crate::elf) fn edits(
    image: &Image<'_>,
    sections: &Sections,
    new: &[SectionHeader],
) -> Vec<Edit> {
    let mut edits = Vec::new();
    for row in sections.rows().iter().filter(|row| row.sh_type == SHT_SYMTAB && !is_loaded(row)) {
        let size = Sym::size(image.ctx().container) as u64;
        let count = u64::from(row.sh_info).min(row.sh_size / size);
        let last = count.saturating_sub(MAX).max(MAX.min(count));
        for indices in [0..MAX.min(count), last..count] {
            let place = |index: u64| row.sh_offset.checked_add(index * size);
            let Some((start, end)) = place(indices.start).zip(place(indices.end)) else { continue };
            // A truncated table has only the symbols before its end.
            let end = end.min(image.source().len());
            let Some(bytes) = image.source().get(start..end.max(start)) else { continue };
            for (bytes, at) in
                bytes.chunks_exact(size as usize).zip((start..).step_by(size as usize))
            {
                edits.extend(follow(image, sections, new, row, (bytes, at..at + size)));
            }
        }
    }
    edits
}

/// The edit of the symbol with these bytes, at `range` in the file, which belongs to the symbol table of `row`, if its
/// section moves.
fn follow(
    image: &Image<'_>,
    sections: &Sections,
    new: &[SectionHeader],
    row: &SectionHeader,
    (bytes, range): (&[u8], Range<u64>),
) -> Option<Edit> {
    let symbol: Sym = bytes.pread_with(0, image.ctx()).ok()?;
    let section = match symbol.st_shndx {
        index if index == SHN_ABS as usize && is_dynamic(image, sections, row, &symbol) => {
            sections.dynamic_table()?
        }
        index => index,
    };
    let (old, new) = (sections.rows().get(section)?, new.get(section)?);
    if old.sh_addr == new.sh_addr {
        return None;
    }
    let distance = symbol.st_value.checked_sub(old.sh_addr)?;
    let is_loaded_there = loads(image).any(|(_, load)| {
        let load = range_of(load);
        load.start < range.end && range.start < load.end
    });
    if distance > old.sh_size || is_loaded_there {
        return None;
    }
    let mut encoded = bytes.to_vec();
    encoded.pwrite_with(Sym { st_value: new.sh_addr + distance, ..symbol }, 0, image.ctx()).ok()?;
    let value = match image.class() {
        Class::Elf64 => 8..16,
        Class::Elf32 => 4..8,
    };
    let new = encoded.get(value.clone())?.to_vec();
    let at = range.start;
    let range = at + value.start as u64..at + value.end as u64;
    Some(Edit { range, new: Content::Bytes(new) })
}

/// Is it `_DYNAMIC`? For aarch64, bfd writes it as an absolute symbol.
fn is_dynamic(image: &Image<'_>, sections: &Sections, row: &SectionHeader, symbol: &Sym) -> bool {
    const NAME: &[u8] = b"_DYNAMIC\0";
    let start = sections
        .rows()
        .get(row.sh_link as usize)
        .and_then(|names| names.sh_offset.checked_add(symbol.st_name as u64));
    let name = start.and_then(|at| image.source().get(at..at.checked_add(NAME.len() as u64)?));
    name.as_deref() == Some(NAME)
}
