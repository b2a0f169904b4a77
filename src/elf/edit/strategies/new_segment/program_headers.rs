//! The program headers of a file with a new segment, and the ELF header that refers to them.

use super::alignment;
use super::payload::Layout;
use crate::bytes::Error;
use crate::edit::{Content, Edit};
use crate::elf::edit::program_header_room::HeaderRoom;
use crate::elf::edit::request::Failure;
use crate::elf::image::Image;
use crate::elf::segments::header_table;
use goblin::elf::header::Header;
use goblin::elf::program_header::{
    PF_R, PF_W, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_PHDR, ProgramHeader,
};
use scroll::Pwrite as _;

/// The new program headers.
pub(super) fn program_headers(
    image: &Image<'_>,
    room: &HeaderRoom,
    new: &Layout,
    e_phoff: u64,
) -> Vec<ProgramHeader> {
    let mut segments = image.segments().to_vec();
    segments.iter_mut().for_each(|segment| follow(segment, new));
    if let HeaderRoom::Replace(index) = room {
        segments.remove(*index);
    }
    let after = segments.iter().rposition(|segment| segment.p_type == PT_LOAD);
    let at = match (room, after) {
        (HeaderRoom::Gap, _) | (_, None) => segments.len(),
        (_, Some(index)) => index + 1,
    };
    segments.insert(at, load_of(image, new));
    let table = ProgramHeader::size(image.ctx()) as u64 * segments.len() as u64;
    for segment in segments.iter_mut().filter(|segment| segment.p_type == PT_PHDR) {
        segment.p_filesz = table;
        segment.p_memsz = table;
        if matches!(room, HeaderRoom::Elsewhere { .. }) {
            segment.p_offset = e_phoff;
            segment.p_vaddr = new.address(e_phoff);
            segment.p_paddr = segment.p_vaddr;
        }
    }
    segments
}

/// Moves the segments that consist of a moved piece.
fn follow(segment: &mut ProgramHeader, new: &Layout) {
    if segment.p_type == PT_LOAD {
        return;
    }
    let range = segment.p_offset..segment.p_offset.saturating_add(segment.p_filesz);
    if let Some(piece) = new.piece_of(&range) {
        let distance = range.start - piece.from.start;
        segment.p_offset = piece.to + distance;
        segment.p_vaddr = piece.address + distance;
        segment.p_paddr = segment.p_vaddr;
    }
    if segment.p_type == PT_INTERP
        && let Some((offset, size)) = new.interpreter
    {
        segment.p_offset = offset;
        segment.p_vaddr = new.address(offset);
        segment.p_paddr = segment.p_vaddr;
        segment.p_filesz = size;
        segment.p_memsz = size;
    }
    if segment.p_type == PT_DYNAMIC
        && let Some((_, offset, size)) = new.dynamic_copy
    {
        segment.p_offset = offset;
        segment.p_vaddr = new.address(offset);
        segment.p_paddr = segment.p_vaddr;
        segment.p_filesz = size;
        segment.p_memsz = size;
    }
}

/// The program header of the new segment.
fn load_of(image: &Image<'_>, new: &Layout) -> ProgramHeader {
    let size = new.end - new.p_offset;
    // The loader writes to the dynamic table unless PT_DYNAMIC is read-only (lld's -z rodynamic).
    let writable = image.segment(PT_DYNAMIC).map_or(0, |segment| segment.p_flags & PF_W);
    ProgramHeader {
        p_type: PT_LOAD,
        p_flags: if new.dynamic_copy.is_some() { PF_R | writable } else { PF_R },
        p_offset: new.p_offset,
        p_vaddr: new.p_vaddr,
        p_paddr: new.p_vaddr,
        p_filesz: size,
        p_memsz: size,
        p_align: alignment(image),
    }
}

/// The ELF header and the program headers as they are encoded in the file.
pub(in crate::elf) fn encode_headers(
    image: &Image<'_>,
    header: Header,
    segments: &[ProgramHeader],
) -> Result<(Vec<u8>, Vec<u8>), Failure> {
    let ctx = image.ctx();
    let what = "program headers";
    let unwritable = || Error::invalid(what, image.header().e_phoff, "they cannot be written");
    let size = ProgramHeader::size(ctx);
    let mut table = vec![0; size * segments.len()];
    for (index, segment) in segments.iter().enumerate() {
        table.pwrite_with(segment.clone(), index * size, ctx).map_err(|_| unwritable())?;
    }
    let mut bytes = vec![0; Header::size(ctx)];
    bytes.pwrite_with(header, 0, ctx.le).map_err(|_| unwritable())?;
    Ok((bytes, table))
}

/// One edit for the ELF header and the program headers if they are adjacent; otherwise the table is written
/// first, because the old count hides the new entry.
pub(in crate::elf) fn edits_in_place(
    image: &Image<'_>,
    mut header: Vec<u8>,
    table: Vec<u8>,
) -> Vec<Edit> {
    let start = header_table(image).start;
    let end = header.len() as u64;
    if start == end {
        header.extend(table);
        return vec![Edit { range: 0..header.len() as u64, new: Content::Bytes(header) }];
    }
    let range = start..start + table.len() as u64;
    let table = Edit { range, new: Content::Bytes(table) };
    vec![table, Edit { range: 0..end, new: Content::Bytes(header) }]
}
