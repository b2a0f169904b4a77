//! A copy of the string table in a new segment at the end of the file.
//!
//! The payload is appended in this order: first, outside the segment, the section names and section
//! headers; then the segment, with a tag that identifies tfpatch, the structures that had to make room for
//! the program header, the dynamic table if a new entry did not fit into the old one, and the string table.
//! The string table is last, so that it ends both the segment and the file, and the next edit can simply
//! append to it. The old bytes keep their offsets in the table, so that no reference to a string changes.
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

/// The first bytes of the segment, which identify it without section headers.
const MARK: &[u8; 16] = b"tfpatch segment\0";
/// The alignment of everything in the segment, in bytes.
const ALIGNMENT: u64 = 16;
/// Spare entries in a new dynamic table: as many as bfd leaves.
const NULLS: usize = 5;

/// The edits, and their properties.
pub(in crate::elf) struct NewSegment {
    /// The edits in the order in which they must be written.
    pub(in crate::elf) edits: Vec<Edit>,
    /// Only unused bytes were overwritten, and the new program header is the last one, so that a process that
    /// runs the file sees no change.
    pub(in crate::elf) is_unseen: bool,
    /// The file loads after every prefix of the edits.
    pub(in crate::elf) loads_throughout: bool,
    /// The program headers moved into the segment ([`HeaderRoom::Elsewhere`]).
    pub(in crate::elf) moves_headers: bool,
    /// Ranges of the old file that the new bytes were computed from.
    pub(in crate::elf) sources: Vec<Range<u64>>,
}

/// The changes apart from the string table, which move with its parts.
#[derive(Clone, Copy)]
pub(in crate::elf) struct Besides<'a> {
    /// The changes of the headers.
    pub(in crate::elf) headers: &'a Headers,
    /// The new bytes of `PT_INTERP`, if they change.
    pub(in crate::elf) interpreter: Option<&'a [u8]>,
}

/// The edits that give the object a copy of its string table with `string` at its end. `entries` returns the
/// dynamic table for a given offset of that string.
///
/// # Errors
/// [`Failure::Refused`] if there is no room; [`Failure::Malformed`] if a table that has to be copied cannot
/// be read.
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

/// What the segment has to contain.
#[derive(Clone, Copy)]
struct Appended<'a> {
    string: &'a [u8],
    /// The size of a new dynamic table.
    dynamic_len: Option<u64>,
    interpreter: Option<&'a [u8]>,
}

/// Adds the parts of the segment to the payload. Parts that are not known yet are zeros.
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

/// The address of the segment. If the headers of a program move into it, padding is added first to reach a
/// suitable offset.
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

/// Redirects the entries of the dynamic table to the parts of the new segment.
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

/// The edits of the ELF header and the program headers. If the program headers move into the segment, they
/// are written to the payload.
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
        // The rest of the abandoned space becomes zeros, so that the next edit can recognise it as unused.
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

/// Does the file load after every prefix of the edits? A structure that the dynamic table points to is
/// overwritten before the table itself, so none may make room. Everything else that moves does so with the
/// single edit of the headers.
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

/// Refuses a file whose section headers and segments already describe different tables.
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

/// The lowest address above all segments that is congruent to the file offset `offset` modulo the page size.
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

/// Does the kernel load it, and pass it the address of its program headers (`AT_PHDR`)?
fn is_program(image: &Image<'_>) -> bool {
    is_fixed(image) || image.segment(PT_INTERP).is_some()
}

/// Is it a program that is not a PIE, and is therefore loaded at the addresses in the file?
fn is_fixed(image: &Image<'_>) -> bool {
    image.header().e_type == header::ET_EXEC
}

/// The lowest offset for the program headers of a program, and the required distance between their offset and
/// their address. It must be that of the first segment, which kernels before 5.18 assume when they compute
/// `AT_PHDR` (`create_elf_tables` in fs/binfmt_elf.c). `None` if there is no such offset.
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
