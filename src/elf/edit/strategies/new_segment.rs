//! A copy of the string table in a new segment at the end of the file.
//!
//! Appended are, in this order: the section names and section headers, outside of the segment;
//! then the segment: a tag that tells who made it, the pieces that had to make room for the
//! program header, the dynamic table if a new entry did not fit into the old one, and the string
//! table. That comes last, so that it ends both segment and file, and the next edit can just
//! append to it. The old bytes of the table keep their offsets in it, so that no reference to a
//! string changes.

use crate::bytes::{Error, align_up};
use crate::edit::{Content, Edit};
use crate::elf::dynamic_table::{self, Entries};
use crate::elf::edit::debug_symbols;
use crate::elf::edit::headers::Headers;
use crate::elf::edit::program_header_room::{HeaderRoom, header_room};
use crate::elf::edit::refusal::{MAX_PADDING, Refusal};
use crate::elf::edit::request::Failure;
use crate::elf::image::{Endian, Image};
use crate::elf::sections::{self, Sections};
use crate::elf::segments::{PAGE, has_addresses, header_table, loads, pointers};
use goblin::elf::dynamic;
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::PT_INTERP;
use std::ops::Range;

mod payload;
pub(in crate::elf) mod program_headers;
mod section_headers;

use self::payload::{Layout, Moved, Payload};
use self::program_headers::{edits_in_place, encode_headers, program_headers};
use self::section_headers::{place_sections, section_rows};

/// What begins the segment, so that it can be recognised without section headers.
const MARK: &[u8; 16] = b"tfpatch segment\0";
/// Everything in the segment begins at a multiple of this.
const ALIGNMENT: u64 = 16;
/// Entries that a new dynamic table keeps empty: what bfd leaves.
const NULLS: usize = 5;

/// The edits, and what is known of them.
pub(in crate::elf) struct NewSegment {
    /// In the order in which they are to be written.
    pub(in crate::elf) edits: Vec<Edit>,
    /// Only bytes that belonged to nobody were overwritten, and the new program header is the
    /// last: a process that runs the file sees nothing of it.
    pub(in crate::elf) is_unseen: bool,
    /// The file loads after every prefix of the edits.
    pub(in crate::elf) loads_throughout: bool,
    /// The program headers moved into the segment ([`HeaderRoom::Elsewhere`]).
    pub(in crate::elf) moves_headers: bool,
    /// Ranges of the old file that were read to make the new ones.
    pub(in crate::elf) sources: Vec<Range<u64>>,
}

/// What changes besides the string table, and moves with its parts.
#[derive(Clone, Copy)]
pub(in crate::elf) struct Besides<'a> {
    /// What the headers are to tell.
    pub(in crate::elf) headers: &'a Headers,
    /// The bytes of `PT_INTERP`, where they are to be others.
    pub(in crate::elf) interpreter: Option<&'a [u8]>,
}

/// The edits that give the object a copy of its string table with `string` at its end, where
/// `entries` tells the dynamic table for the offset at which the string will stand.
///
/// # Errors
/// [`Failure::Refused`] where there is no room; [`Failure::Malformed`] where a table that has to
/// be copied cannot be read.
pub(in crate::elf) fn append(
    image: &Image<'_>,
    string: &[u8],
    entries: impl FnOnce(u64) -> Entries,
    copies_dynamic: bool,
    besides: Besides<'_>,
) -> Result<NewSegment, Failure> {
    if image.endian() == Endian::Big {
        return Err(Refusal::BigEndian.into());
    }
    let sections = Sections::read(image)?;
    if let Some(sections) = &sections {
        check_agreement(image, sections)?;
    }
    let room = header_room(image, sections.as_ref())?;
    let strings = image.string_table()?;
    let mut entries = entries(strings.end - strings.start);

    let mut payload = Payload::at_end_of(image);
    let rows = sections
        .as_ref()
        .map(|sections| place_sections(image, sections, &mut payload, copies_dynamic))
        .transpose()?;
    let dynamic_len =
        copies_dynamic.then(|| (entries.len() + NULLS) as u64 * dynamic_table::entry_size(image));
    let appended = Appended { string, dynamic_len, interpreter: besides.interpreter };
    let new = place_segment(image, &room, appended, &mut payload)?;
    point_at(image, &mut entries, &new);
    if let Some((index, ..)) = new.dynamic_copy {
        payload.replace(index, dynamic_table::encode(image, &entries, NULLS));
    }
    let mut sources = Vec::new();
    let mut symbol_edits = Vec::new();
    let mut header = besides.headers.changed(*image.header());
    if let (Some(sections), Some(rows)) = (&sections, rows) {
        sources.push(sections.range());
        sources.extend(rows.names.clone());
        header.e_shoff = rows.offset;
        let table = section_rows(image, sections, &rows, &new, besides.headers);
        symbol_edits = debug_symbols::edits(image, sections, &table);
        header.e_shnum = table.len() as u16;
        let table = sections::encode(image, &table).ok_or_else(|| unwritable(image))?;
        payload.replace(rows.piece, table);
    }
    let header = (header, besides.headers);
    let headers = edits_of_headers(image, &room, &new, header, &mut payload)?;
    let mut edits = payload.into_edits(image);
    edits.extend(symbol_edits);
    edits.extend(headers);
    if !copies_dynamic {
        edits.extend(dynamic_table::edits(image, &entries));
    }
    Ok(NewSegment {
        edits,
        is_unseen: room == HeaderRoom::Gap && !copies_dynamic,
        loads_throughout: loads_throughout(image, &room),
        moves_headers: new.headers_copy.is_some(),
        sources,
    })
}

/// What the segment is for.
#[derive(Clone, Copy)]
struct Appended<'a> {
    string: &'a [u8],
    /// The size of a new dynamic table.
    dynamic_len: Option<u64>,
    interpreter: Option<&'a [u8]>,
}

/// Puts the parts of the segment into the payload, those that are not known yet as zeros.
fn place_segment(
    image: &Image<'_>,
    room: &HeaderRoom,
    appended: Appended<'_>,
    payload: &mut Payload,
) -> Result<Layout, Failure> {
    payload.align(ALIGNMENT)?;
    let p_vaddr = place_start(image, room, payload)?;
    let p_offset = payload.at;
    let address = |offset: u64| p_vaddr.saturating_add(offset - p_offset);

    payload.push(Content::Bytes(MARK.to_vec()))?;
    let mut headers_copy = None;
    if let HeaderRoom::Elsewhere { needed, .. } = *room {
        let table = vec![0; image.segments().len() * needed as usize + needed as usize];
        headers_copy = Some((payload.pieces.len(), payload.at));
        payload.push(Content::Bytes(table))?;
    }
    let mark_len = payload.at - p_offset;
    let mut moved = Vec::new();
    if let HeaderRoom::Move(pieces) = room {
        for piece in pieces {
            payload.align(ALIGNMENT)?;
            moved.push(Moved { from: piece.clone(), to: payload.at, address: address(payload.at) });
            payload.push(Content::CopyOf(piece.clone()))?;
        }
    }
    let mut interpreter = None;
    if let Some(path) = appended.interpreter {
        payload.align(ALIGNMENT)?;
        interpreter = Some((payload.at, path.len() as u64));
        payload.push(Content::Bytes(path.to_vec()))?;
    }
    let mut dynamic_copy = None;
    if let Some(len) = appended.dynamic_len {
        payload.align(ALIGNMENT)?;
        dynamic_copy = Some((payload.pieces.len(), payload.at, len));
        payload.push(Content::Bytes(vec![0; len as usize]))?;
    }
    payload.align(ALIGNMENT)?;
    let strings_at = payload.at;
    payload.push(Content::CopyOf(image.string_table()?))?;
    let mut bytes = appended.string.to_vec();
    bytes.push(0);
    payload.push(Content::Bytes(bytes))?;
    let grown = payload.at - strings_at;
    check_room(image, payload.at.max(address(payload.at)))?;
    Ok(Layout {
        p_offset,
        p_vaddr,
        end: payload.at,
        mark_len,
        strings_at,
        grown,
        headers_copy,
        moved,
        interpreter,
        dynamic_copy,
    })
}

/// The address of the segment; of a program whose headers move into it, behind what padding that takes.
fn place_start(
    image: &Image<'_>,
    room: &HeaderRoom,
    payload: &mut Payload,
) -> Result<u64, Refusal> {
    let HeaderRoom::Elsewhere { needed, available } = *room else {
        return address_for(image, payload.at);
    };
    if !is_program(image) {
        return address_for(image, payload.at);
    }
    let (lowest, distance) =
        program_place(image).ok_or(Refusal::NoHeaderRoom { needed, available })?;
    let padding = lowest.saturating_sub(payload.at);
    if padding > MAX_PADDING {
        return Err(Refusal::NoHeaderRoom { needed, available });
    }
    payload.push(Content::Bytes(vec![0; padding as usize]))?;
    Ok(payload.at.saturating_add(distance))
}

/// Has the dynamic table point at what stands in the new segment.
fn point_at(image: &Image<'_>, entries: &mut Entries, new: &Layout) {
    dynamic_table::set(entries, dynamic::DT_STRTAB, new.address(new.strings_at));
    dynamic_table::set(entries, dynamic::DT_STRSZ, new.grown);
    for tag in [dynamic::DT_GNU_HASH, dynamic::DT_HASH, dynamic::DT_SYMTAB] {
        let offset = image.value(tag).and_then(|value| image.offset_of(value));
        if let Some(offset) = offset
            && let Some(piece) = new.piece_of(&(offset..offset + 1))
        {
            dynamic_table::set(entries, tag, piece.address + (offset - piece.from.start));
        }
    }
}

/// The edits of the ELF header and the program headers; where these move into the segment, they are put
/// into the payload.
fn edits_of_headers(
    image: &Image<'_>,
    room: &HeaderRoom,
    new: &Layout,
    (mut header, headers): (Header, &Headers),
    payload: &mut Payload,
) -> Result<Vec<Edit>, Failure> {
    if let Some((_, offset)) = new.headers_copy {
        header.e_phoff = offset;
    }
    let mut segments = program_headers(image, room, new, header.e_phoff);
    segments.iter_mut().for_each(|segment| headers.change_segment(segment));
    header.e_phnum = segments.len() as u16;
    let (header, mut table) = encode_headers(image, header, &segments)?;
    if let (HeaderRoom::Move(_), Some(piece)) = (room, new.moved.last()) {
        // Zeros tell the next edit that nobody owns what else the pieces leave.
        let end = header_table(image).start + table.len() as u64;
        let rest = piece.from.end.saturating_sub(end).min(PAGE);
        table.resize(table.len() + rest as usize, 0);
    }
    let Some((piece, _)) = new.headers_copy else {
        return Ok(edits_in_place(image, header, table));
    };
    payload.replace(piece, table);
    Ok(vec![Edit { range: 0..header.len() as u64, new: Content::Bytes(header) }])
}

/// Does the file load after every prefix of the edits? What the dynamic table points at is overwritten
/// before the table is; everything else that changes its place does so with the one edit of the headers.
fn loads_throughout(image: &Image<'_>, room: &HeaderRoom) -> bool {
    let are_together = header_table(image).start == Header::size(image.ctx()) as u64;
    match room {
        HeaderRoom::Gap | HeaderRoom::Elsewhere { .. } => true,
        HeaderRoom::Replace(_) => are_together,
        HeaderRoom::Move(pieces) => {
            let mut pointers = pointers(image).map(|(_, offset)| offset);
            are_together
                && !pointers.any(|offset| pieces.iter().any(|piece| piece.contains(&offset)))
        }
    }
}

fn unwritable(image: &Image<'_>) -> Failure {
    Error::invalid("section headers", image.header().e_shoff, "a row cannot be written").into()
}

/// Refuses a file whose section headers already tell of other tables than its segments.
fn check_agreement(image: &Image<'_>, sections: &Sections) -> Result<(), Failure> {
    let at = |index: Option<usize>| Some(sections.rows().get(index?)?.sh_offset);
    let Some(dynamic) = at(sections.dynamic_table()) else { return Ok(()) };
    if dynamic != dynamic_table::range(image).start {
        return Err(Refusal::SectionsDisagree { what: ".dynamic" }.into());
    }
    if at(sections.dynamic_strings(image)) != Some(image.string_table()?.start) {
        return Err(Refusal::SectionsDisagree { what: ".dynstr" }.into());
    }
    Ok(())
}

/// The lowest address above all segments that lies in its page as `offset` does in the file.
fn address_for(image: &Image<'_>, offset: u64) -> Result<u64, Refusal> {
    let alignment = alignment(image);
    free_page(image)
        .and_then(|address| address.checked_add(offset % alignment))
        .ok_or(Refusal::NoAddressRoom { end: u64::MAX })
}

/// The first page above all segments.
fn free_page(image: &Image<'_>) -> Option<u64> {
    let end = loads(image).map(|(_, load)| load.p_vaddr.saturating_add(load.p_memsz)).max();
    align_up(end.unwrap_or(0), alignment(image))
}

/// Does the kernel load it, and tell it where its program headers are (`AT_PHDR`)?
fn is_program(image: &Image<'_>) -> bool {
    is_fixed(image) || image.segment(PT_INTERP).is_some()
}

/// Is it a program that is no PIE, whose addresses are what its file says?
fn is_fixed(image: &Image<'_>) -> bool {
    image.header().e_type == header::ET_EXEC
}

/// The lowest offset at which a program's headers may stand, and how far from their offset their
/// address must be: as far as that of the first segment, which is what kernels before 5.18 take for
/// granted in `AT_PHDR` (`create_elf_tables` in fs/binfmt_elf.c). `None` where that cannot be.
fn program_place(image: &Image<'_>) -> Option<(u64, u64)> {
    let (_, first) = loads(image).next()?;
    let distance = first.p_vaddr.checked_sub(first.p_offset)?;
    let is_aligned = distance.is_multiple_of(alignment(image));
    let lowest = free_page(image)?.checked_sub(distance).filter(|_| is_aligned)?;
    Some((lowest, distance))
}

fn alignment(image: &Image<'_>) -> u64 {
    loads(image).map(|(_, load)| load.p_align).fold(PAGE, u64::max)
}

fn check_room(image: &Image<'_>, end: u64) -> Result<(), Refusal> {
    if has_addresses(image, end, 0) { Ok(()) } else { Err(Refusal::NoAddressRoom { end }) }
}
