//! Two states of one object, which an undo record says differ in their search path: do they differ in
//! nothing that an edit of search paths leaves alone?

use super::postconditions::{entries, others};
use crate::bytes::Source;
use crate::edit::{EditSet, Patched};
use crate::elf::dynamic_table;
use crate::elf::image::Image;
use crate::elf::sections::{Sections, file_range, is_loaded};
use crate::elf::segments::{PAGE, header_table, loads, overlap, range_of};
use goblin::elf::program_header::{PF_W, PF_X};
use goblin::elf::section_header::{SHF_EXECINSTR, SHF_WRITE, SHT_NOBITS};
use std::ops::Range;

/// Contents are compared in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// Do `edits` change only what an edit of search paths changes in the object `now`: the headers, the
/// dynamic table, the string table and what stands behind them, but neither code nor relocated data, as a
/// process sees them at their addresses?
///
/// # Errors
/// With what would change besides.
pub fn check(now: &dyn Source, edits: &EditSet) -> Result<(), &'static str> {
    if !edits.keeps_offsets() {
        return Err("bytes would move within the file");
    }
    let image = Image::parse(now).map_err(|_| "the file is not an ELF object")?;
    let patched = Patched::new(now, edits);
    let then = Image::parse(&patched).map_err(|_| "the result is not an ELF object")?;
    let (header, other) = (image.header(), then.header());
    if (header.e_type, header.e_machine, header.e_entry, header.e_flags)
        != (other.e_type, other.e_machine, other.e_entry, other.e_flags)
    {
        return Err("the ELF header would change");
    }
    if entries(&image) != entries(&then) {
        return Err("the dynamic table would change beyond the search path");
    }
    if others(&image).ok() != others(&then).ok() {
        return Err("names or versions would change beside the search path");
    }
    for piece in contents(&image)? {
        let is_kept = then.offset_of(piece.address).is_some_and(|offset| {
            let range = piece.offset..piece.offset + piece.len;
            let mut written = edits.in_write_order().iter().map(|edit| &edit.range);
            (offset == piece.offset && written.all(|edit| !overlap(edit, &range)))
                || is_same(now, &patched, piece.offset, offset, piece.len)
        });
        if !is_kept {
            return Err("code or relocated data would change");
        }
    }
    Ok(())
}

/// Bytes that a process sees and no edit of search paths changes.
struct Piece {
    address: u64,
    offset: u64,
    len: u64,
}

/// The contents of executable and of writable segments: by the sections, where there are any.
fn contents(image: &Image<'_>) -> Result<Vec<Piece>, &'static str> {
    let dynamic = dynamic_table::range(image);
    let sections = Sections::read(image).map_err(|_| "the section headers cannot be read")?;
    if let Some(sections) = sections {
        let is_content = |flags: u64| flags & u64::from(SHF_EXECINSTR | SHF_WRITE) != 0;
        let rows = sections.rows().iter().filter(|row| {
            is_loaded(row)
                && is_content(row.sh_flags)
                && row.sh_type != SHT_NOBITS
                && !overlap(&file_range(row), &dynamic)
        });
        let piece = |(address, range): (u64, Range<u64>)| Piece {
            address,
            offset: range.start,
            len: range.end - range.start,
        };
        return Ok(rows.map(|row| piece((row.sh_addr, file_range(row)))).collect());
    }
    let headers = 0..header_table(image).end.saturating_add(PAGE);
    let strings = image.string_table().map_err(|_| "the string table cannot be read")?;
    let mut pieces = Vec::new();
    for (_, load) in loads(image).filter(|(_, load)| load.p_flags & (PF_X | PF_W) != 0) {
        let mut ranges = vec![range_of(load)];
        for except in [&headers, &dynamic, &strings] {
            ranges = ranges.into_iter().flat_map(|range| without(range, except)).collect();
        }
        pieces.extend(ranges.into_iter().map(|range| Piece {
            address: load.p_vaddr.wrapping_add(range.start - load.p_offset),
            offset: range.start,
            len: range.end - range.start,
        }));
    }
    Ok(pieces)
}

/// What is left of a range without another one.
fn without(range: Range<u64>, except: &Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let before = range.start..range.end.min(except.start);
    let after = range.start.max(except.end)..range.end;
    [before, after].into_iter().filter(|range| !range.is_empty())
}

fn is_same(one: &dyn Source, other: &dyn Source, at: u64, other_at: u64, len: u64) -> bool {
    let mut done = 0;
    while done < len {
        let size = PIECE.min(len - done);
        let read = |source: &dyn Source, at: u64| -> Option<Vec<u8>> {
            let start = at.checked_add(done)?;
            Some(source.get(start..start.checked_add(size)?)?.into_owned())
        };
        match (read(one, at), read(other, other_at)) {
            (Some(one), Some(other)) if one == other => done += size,
            _ => return false,
        }
    }
    true
}
