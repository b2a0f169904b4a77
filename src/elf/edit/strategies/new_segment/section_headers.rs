//! The section headers of a file with a new segment.

use super::payload::{Layout, Payload};
use super::{ALIGNMENT, is_fixed};
use crate::edit::Content;
use crate::elf::edit::headers::{Headers, interpreter_row};
use crate::elf::edit::refusal::Refusal;
use crate::elf::edit::request::Failure;
use crate::elf::image::Image;
use crate::elf::sections::{self, Sections, file_range};
use goblin::elf::section_header::{SHF_ALLOC, SHN_LORESERVE, SHT_PROGBITS, SectionHeader};
use std::ops::Range;

/// The name of the section at the start of the segment.
const SECTION: &[u8] = b".tfpatch\0";

/// The position of the new section headers, and the name of the new section.
pub(super) struct Rows {
    /// The file offset of the table, and its piece of the payload.
    pub(super) offset: u64,
    pub(super) piece: usize,
    /// The number of added headers.
    pub(super) added: usize,
    /// The offset of the new section's name in the table of section names.
    pub(super) name: u64,
    /// The old and the new position of the table of section names, if it was copied.
    pub(super) names: Option<Range<u64>>,
    pub(super) names_at: u64,
}

/// Makes room for the new section headers, and copies the section names.
pub(super) fn place_sections(
    image: &Image<'_>,
    sections: &Sections,
    payload: &mut Payload,
    copies_dynamic: bool,
) -> Result<Rows, Failure> {
    payload.align(ALIGNMENT)?;
    let names_at = payload.at;
    let index = usize::from(image.header().e_shstrndx);
    let row = sections.rows().get(index).filter(|_| index != 0);
    // A table that also holds the names of symbols may be large, and other sections refer to it. The new
    // section then uses the tail of an existing name.
    let is_shared = row.is_none_or(sections::is_loaded)
        || sections.rows().iter().any(|row| index != 0 && row.sh_link as usize == index);
    let (names, name) = match row {
        Some(row) if !is_shared => {
            let range = file_range(row);
            payload.push(Content::CopyOf(range.clone()))?;
            payload.push(Content::Bytes(SECTION.to_vec()))?;
            (Some(range), row.sh_size)
        }
        _ => {
            let strings = sections.dynamic_strings(image);
            let name = strings.and_then(|index| sections.rows().get(index));
            (None, name.map_or(0, |row| row.sh_name as u64 + 1))
        }
    };
    payload.align(8)?;
    let has = |row: Option<usize>| usize::from(row.is_some());
    let added = 1
        + usize::from(is_fixed(image))
        + has(sections.dynamic_strings(image))
        + has(sections.dynamic_table().filter(|_| copies_dynamic));
    let count = sections.rows().len() + added;
    if count >= SHN_LORESERVE as usize {
        return Err(Refusal::TooManySections { count: sections.rows().len() }.into());
    }
    let offset = payload.at;
    let piece = payload.pieces.len();
    payload.push(Content::Bytes(vec![0; SectionHeader::size(image.ctx()) * count]))?;
    Ok(Rows { offset, piece, added, name, names, names_at })
}

/// The new section headers. Added ones are last, because sections are referred to by index.
pub(super) fn section_rows(
    image: &Image<'_>,
    sections: &Sections,
    rows: &Rows,
    new: &Layout,
    headers: &Headers,
) -> Vec<SectionHeader> {
    let mut table = sections.rows().to_vec();
    table.iter_mut().for_each(|row| headers.change_row(row));
    for row in &mut table {
        let range = file_range(row);
        if let Some(piece) = new.piece_of(&range) {
            let distance = range.start - piece.from.start;
            row.sh_offset = piece.to + distance;
            row.sh_addr = piece.address + distance;
        }
    }
    let mut added = Vec::with_capacity(rows.added);
    if let Some(row) = sections.dynamic_strings(image).and_then(|index| table.get_mut(index)) {
        added.push(move_to(row, rows, new, new.strings_at, new.grown));
    }
    if let Some((_, offset, size)) = new.dynamic_copy
        && let Some(row) = sections.dynamic_table().and_then(|index| table.get_mut(index))
    {
        added.push(move_to(row, rows, new, offset, size));
    }
    if let Some((offset, size)) = new.interpreter
        && let Some(row) = interpreter_row(image, sections).and_then(|index| table.get_mut(index))
    {
        row.sh_offset = offset;
        row.sh_addr = new.address(offset);
        row.sh_size = size;
    }
    added.push(row_of_mark(rows, new));
    if is_fixed(image) {
        // patchelf assumes that a section follows the string table in such a program
        // (`rewriteSectionsExecutable`). This one is empty, so that the string table still ends the file.
        added.push(SectionHeader {
            sh_name: rows.name as usize,
            sh_type: SHT_PROGBITS,
            sh_offset: new.end,
            sh_addralign: 1,
            ..SectionHeader::default()
        });
    }
    if let Some(names) = &rows.names
        && let Some(row) = table.get_mut(usize::from(image.header().e_shstrndx))
    {
        row.sh_offset = rows.names_at;
        row.sh_size = names.end - names.start + SECTION.len() as u64;
    }
    table.extend(added);
    table
}

/// The section at the start of the segment.
fn row_of_mark(rows: &Rows, new: &Layout) -> SectionHeader {
    SectionHeader {
        sh_name: rows.name as usize,
        sh_type: SHT_PROGBITS,
        sh_flags: SHF_ALLOC.into(),
        sh_addr: new.p_vaddr,
        sh_offset: new.p_offset,
        sh_size: new.mark_len,
        sh_link: 0,
        sh_info: 0,
        sh_addralign: ALIGNMENT,
        sh_entsize: 0,
    }
}

/// Moves a section into the new segment. Returns a section that covers the abandoned bytes, so that strip
/// does not leave a segment without sections.
fn move_to(
    row: &mut SectionHeader,
    rows: &Rows,
    new: &Layout,
    offset: u64,
    size: u64,
) -> SectionHeader {
    let abandoned = SectionHeader {
        sh_name: rows.name as usize,
        sh_type: SHT_PROGBITS,
        sh_link: 0,
        sh_info: 0,
        sh_entsize: 0,
        ..row.clone()
    };
    row.sh_offset = offset;
    row.sh_addr = new.address(offset);
    row.sh_size = size;
    abandoned
}
