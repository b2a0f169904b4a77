//! Segments and ranges of the file: what the loader maps where, and which ranges overlap.

use super::image::{Class, DT_RELR, Image};
use goblin::elf::dynamic;
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};
use std::ops::Range;

/// The smallest page size of the supported machines.
pub(super) const PAGE: u64 = 4096;

/// The `PT_LOAD` segments with their indices in the program header table.
pub(super) fn loads<'i>(
    image: &'i Image<'_>,
) -> impl DoubleEndedIterator<Item = (usize, &'i ProgramHeader)> {
    image.segments().iter().enumerate().filter(|(_, segment)| segment.p_type == PT_LOAD)
}

/// The file offsets of a segment's bytes.
pub(super) fn range_of(segment: &ProgramHeader) -> Range<u64> {
    segment.p_offset..segment.p_offset.saturating_add(segment.p_filesz)
}

/// Do two ranges of the file share a byte?
pub(super) fn overlap(a: &Range<u64>, b: &Range<u64>) -> bool {
    a.start.max(b.start) < a.end.min(b.end)
}

/// Is one range of the file inside another?
pub(super) fn contains(outer: &Range<u64>, inner: &Range<u64>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}

/// Are all addresses or offsets of a range of this length representable in the class?
pub(super) fn has_addresses(image: &Image<'_>, start: u64, size: u64) -> bool {
    let limit = match image.class() {
        // A loader can map at most half of 2^64.
        Class::Elf64 => u64::MAX / 2,
        Class::Elf32 => u32::MAX.into(),
    };
    start.checked_add(size).is_some_and(|end| end <= limit)
}

/// The file offsets of the program headers.
pub(super) fn header_table(image: &Image<'_>) -> Range<u64> {
    let size = ProgramHeader::size(image.ctx()) as u64;
    let start = image.header().e_phoff;
    start..start.saturating_add(size * image.segments().len() as u64)
}

/// The entries of the dynamic table that are addresses, with the file offsets of these. Addresses that no
/// segment maps are omitted.
pub(super) fn pointers(image: &Image<'_>) -> impl Iterator<Item = (u64, u64)> {
    image
        .dynamic()
        .iter()
        .filter(|entry| {
            matches!(
                entry.tag,
                dynamic::DT_PLTGOT
                    | dynamic::DT_HASH
                    | dynamic::DT_STRTAB
                    | dynamic::DT_SYMTAB
                    | dynamic::DT_RELA
                    | dynamic::DT_INIT
                    | dynamic::DT_FINI
                    | dynamic::DT_REL
                    | dynamic::DT_JMPREL
                    | dynamic::DT_INIT_ARRAY
                    | dynamic::DT_FINI_ARRAY
                    | dynamic::DT_PREINIT_ARRAY
                    | DT_RELR
                    | dynamic::DT_GNU_HASH
                    | dynamic::DT_VERSYM
                    | dynamic::DT_VERDEF
                    | dynamic::DT_VERNEED
            )
        })
        .filter_map(|entry| Some((entry.tag, image.offset_of(entry.value)?)))
}
