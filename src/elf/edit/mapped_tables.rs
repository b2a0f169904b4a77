//! Checks that each table that the dynamic table points to is inside a segment. The loader reads a table
//! outside all segments from whatever is mapped at its address, and an edit that maps more would change those
//! bytes.

use super::refusal::Refusal;
use crate::bytes::align_up;
use crate::elf::hash;
use crate::elf::image::{Class, DT_RELR, Image};
use crate::elf::segments::{PAGE, loads};
use goblin::elf::dynamic;
use goblin::elf::program_header::{PT_GNU_RELRO, PT_TLS, ProgramHeader};
use std::ops::Range;

/// The tag for the size of the packed relocations (gABI, 2022).
const DT_RELRSZ: u64 = 35;

/// Tables whose sizes are in the dynamic table.
const SIZED: [(u64, u64); 8] = [
    (dynamic::DT_STRTAB, dynamic::DT_STRSZ),
    (dynamic::DT_RELA, dynamic::DT_RELASZ),
    (dynamic::DT_REL, dynamic::DT_RELSZ),
    (DT_RELR, DT_RELRSZ),
    (dynamic::DT_JMPREL, dynamic::DT_PLTRELSZ),
    (dynamic::DT_INIT_ARRAY, dynamic::DT_INIT_ARRAYSZ),
    (dynamic::DT_FINI_ARRAY, dynamic::DT_FINI_ARRAYSZ),
    (dynamic::DT_PREINIT_ARRAY, dynamic::DT_PREINIT_ARRAYSZ),
];

/// Refuses an object if a table or a template that the loader reads, or code that it calls, is outside all
/// segments.
///
/// # Errors
/// [`Refusal::TableElsewhere`], [`Refusal::SegmentElsewhere`].
pub(in crate::elf) fn check(image: &Image<'_>) -> Result<(), Refusal> {
    for (tag, size_tag) in SIZED {
        let size = image.value(size_tag).unwrap_or(0);
        if size > 0 {
            check_table(image, tag, size)?;
        }
    }
    for (tag, size) in unsized_tables(image) {
        check_table(image, tag, size)?;
    }
    for (index, segment) in image.segments().iter().enumerate() {
        let &ProgramHeader { p_type, p_vaddr, p_filesz, p_memsz, .. } = segment;
        let (size, holds) = match p_type {
            PT_TLS => (p_filesz, is_mapped(image, p_vaddr, p_filesz)),
            PT_GNU_RELRO => (p_memsz, is_protectable(image, p_vaddr, p_memsz)),
            _ => continue,
        };
        if size > 0 && !holds {
            return Err(Refusal::SegmentElsewhere { index, p_type, p_vaddr, size });
        }
    }
    Ok(())
}

/// Tables of unknown size, with the minimum that the loader reads of them.
fn unsized_tables(image: &Image<'_>) -> impl Iterator<Item = (u64, u64)> {
    let (word, symbol) = match image.class() {
        Class::Elf64 => (8, 24),
        Class::Elf32 => (4, 16),
    };
    let len = |table: Option<Range<u64>>, least: u64| {
        table.map_or(least, |table| table.end.saturating_sub(table.start).max(least))
    };
    let gnu_hash = hash::gnu_table(image).ok().flatten();
    let sysv_hash = hash::sysv_table(image).ok().flatten();
    let binds = image.value(dynamic::DT_PLTRELSZ).is_some_and(|size| size > 0);
    // The loader writes the link map and the address of its resolver into the second and third words.
    let got = if binds { 3 * word } else { 0 };
    let tables = [
        (dynamic::DT_SYMTAB, symbol),
        (dynamic::DT_GNU_HASH, len(gnu_hash, 16)),
        (dynamic::DT_HASH, len(sysv_hash, 8)),
        (dynamic::DT_VERSYM, 2),
        (dynamic::DT_VERNEED, 16),
        (dynamic::DT_VERDEF, 20),
        (dynamic::DT_PLTGOT, got),
        (dynamic::DT_INIT, 1),
        (dynamic::DT_FINI, 1),
    ];
    tables.into_iter().filter(|(_, size)| *size > 0)
}

fn check_table(image: &Image<'_>, tag: u64, size: u64) -> Result<(), Refusal> {
    match image.value(tag) {
        Some(address) if !is_mapped(image, address, size) => {
            Err(Refusal::TableElsewhere { tag, address, size })
        }
        _ => Ok(()),
    }
}

/// Is the whole range of addresses in the memory of one segment?
fn is_mapped(image: &Image<'_>, address: u64, size: u64) -> bool {
    loads(image).any(|(_, load)| {
        let distance = address.checked_sub(load.p_vaddr);
        let end = distance.and_then(|distance| distance.checked_add(size));
        end.is_some_and(|end| end <= load.p_memsz)
    })
}

/// Do the whole pages of a range that the loader makes read-only belong to one segment (glibc's
/// `_dl_protect_relro`)? lld rounds the end of the range up to a page, beyond the end of its segment.
fn is_protectable(image: &Image<'_>, address: u64, size: u64) -> bool {
    let Some(end) = address.checked_add(size) else { return false };
    let (start, end) = (page_of(address), page_of(end));
    start >= end
        || loads(image).any(|(_, load)| {
            let last = align_up(load.p_vaddr.saturating_add(load.p_memsz), PAGE);
            page_of(load.p_vaddr) <= start && last.is_some_and(|last| end <= last)
        })
}

/// The start of the page that contains an address.
fn page_of(address: u64) -> u64 {
    address - address % PAGE
}
