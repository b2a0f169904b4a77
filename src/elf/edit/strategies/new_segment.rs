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
use crate::elf::edit::program_header_room::{HeaderRoom, header_room};
use crate::elf::edit::refusal::Refusal;
use crate::elf::edit::request::Failure;
use crate::elf::image::{Endian, Image};
use crate::elf::sections::{self, Sections, file_range};
use crate::elf::segments::{PAGE, has_addresses, header_table, loads, pointers};
use goblin::elf::dynamic;
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{
    PF_R, PF_W, PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_PHDR, ProgramHeader,
};
use goblin::elf::section_header::{SHF_ALLOC, SHN_LORESERVE, SHT_PROGBITS, SectionHeader};
use scroll::Pwrite as _;
use std::ops::Range;

/// Name of the section that begins the segment.
const SECTION: &[u8] = b".tfpatch\0";
/// What begins the segment, so that it can be recognised without section headers.
const MARK: &[u8; 16] = b"tfpatch segment\0";
/// Everything in the segment begins at a multiple of this.
const ALIGNMENT: u64 = 16;
/// So much a program may grow for the sake of where its program headers stand: the padding is held in
/// memory before it is written.
const MAX_PADDING: u64 = 1 << 21;
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
    let strings_len = strings.end - strings.start;
    let mut entries = entries(strings_len);

    let mut payload = Payload::at_end_of(image);
    let rows = match &sections {
        None => None,
        Some(sections) => Some(place_sections(image, sections, &mut payload, copies_dynamic)?),
    };
    payload.align(ALIGNMENT)?;
    let p_vaddr = match room {
        HeaderRoom::Elsewhere { needed, available } if is_program(image) => {
            let (lowest, distance) =
                program_place(image).ok_or(Refusal::NoHeaderRoom { needed, available })?;
            let padding = lowest.saturating_sub(payload.at);
            if padding > MAX_PADDING {
                return Err(Refusal::NoHeaderRoom { needed, available }.into());
            }
            payload.push(Content::Bytes(vec![0; padding as usize]))?;
            payload.at.saturating_add(distance)
        }
        _ => address_for(image, payload.at)?,
    };
    let p_offset = payload.at;
    let address = |offset: u64| p_vaddr.saturating_add(offset - p_offset);

    payload.push(Content::Bytes(MARK.to_vec()))?;
    let mut headers_copy = None;
    if let HeaderRoom::Elsewhere { needed, .. } = room {
        let table = vec![0; image.segments().len() * needed as usize + needed as usize];
        headers_copy = Some((payload.pieces.len(), payload.at));
        payload.push(Content::Bytes(table))?;
    }
    let mark_len = payload.at - p_offset;
    let mut moved = Vec::new();
    if let HeaderRoom::Move(pieces) = &room {
        for piece in pieces {
            payload.align(ALIGNMENT)?;
            moved.push(Moved { from: piece.clone(), to: payload.at, address: address(payload.at) });
            payload.push(Content::CopyOf(piece.clone()))?;
        }
    }
    let dynamic_copy = if copies_dynamic {
        payload.align(ALIGNMENT)?;
        let len = (entries.len() + NULLS) as u64 * dynamic_table::entry_size(image);
        let offset = payload.at;
        payload.push(Content::Bytes(vec![0; len as usize]))?;
        Some((payload.pieces.len() - 1, offset, len))
    } else {
        None
    };
    payload.align(ALIGNMENT)?;
    let strings_at = payload.at;
    payload.push(Content::CopyOf(strings))?;
    let mut bytes = string.to_vec();
    bytes.push(0);
    payload.push(Content::Bytes(bytes))?;
    let grown = payload.at - strings_at;
    check_room(image, payload.at.max(address(payload.at)))?;

    dynamic_table::set(&mut entries, dynamic::DT_STRTAB, address(strings_at));
    dynamic_table::set(&mut entries, dynamic::DT_STRSZ, grown);
    for tag in [dynamic::DT_GNU_HASH, dynamic::DT_HASH, dynamic::DT_SYMTAB] {
        let offset = image.value(tag).and_then(|value| image.offset_of(value));
        if let Some(piece) = offset.and_then(|at| Moved::of(&moved, &(at..at + 1)))
            && let Some(offset) = offset
        {
            dynamic_table::set(&mut entries, tag, piece.address + (offset - piece.from.start));
        }
    }
    if let Some((index, ..)) = dynamic_copy {
        let encoded = dynamic_table::encode(image, &entries, NULLS);
        payload.replace(index, encoded);
    }

    let new =
        Place { p_offset, p_vaddr, end: payload.at, mark_len, strings_at, grown, dynamic_copy };
    let mut sources = Vec::new();
    let mut symbol_edits = Vec::new();
    let mut header = *image.header();
    if let (Some(sections), Some(rows)) = (&sections, rows) {
        sources.push(sections.range());
        sources.extend(rows.names.clone());
        header.e_shoff = rows.offset;
        let table = section_rows(image, sections, &rows, &new, &moved);
        symbol_edits = debug_symbols::edits(image, sections, &table);
        header.e_shnum = table.len() as u16;
        payload
            .replace(rows.piece, sections::encode(image, &table).ok_or_else(|| unwritable(image))?);
    }
    if let Some((_, offset)) = headers_copy {
        header.e_phoff = offset;
    }
    let segments = program_headers(image, &room, &new, &moved, header.e_phoff);
    header.e_phnum = segments.len() as u16;
    let (header, mut table) = encode_headers(image, header, &segments)?;
    if let (HeaderRoom::Move(_), Some(piece)) = (&room, moved.last()) {
        // Zeros tell the next edit that nobody owns what else the pieces leave.
        let end = header_table(image).start + table.len() as u64;
        let rest = piece.from.end.saturating_sub(end).min(PAGE);
        table.resize(table.len() + rest as usize, 0);
    }

    // What the dynamic table points at is overwritten before the table is; everything else that
    // changes its place does so with the one edit of the headers.
    let are_together = header_table(image).start == header.len() as u64;
    let loads_throughout = match &room {
        HeaderRoom::Gap | HeaderRoom::Elsewhere { .. } => true,
        HeaderRoom::Replace(_) => are_together,
        HeaderRoom::Move(pieces) => {
            let mut pointers = pointers(image).map(|(_, offset)| offset);
            are_together
                && !pointers.any(|offset| pieces.iter().any(|piece| piece.contains(&offset)))
        }
    };
    let edits_of_headers = match headers_copy {
        None => edits_in_place(image, header, table),
        Some((piece, _)) => {
            payload.replace(piece, table);
            vec![Edit { range: 0..header.len() as u64, new: Content::Bytes(header) }]
        }
    };
    let mut edits = payload.into_edits(image);
    edits.extend(symbol_edits);
    edits.extend(edits_of_headers);
    if !copies_dynamic {
        edits.extend(dynamic_table::edits(image, &entries));
    }
    Ok(NewSegment {
        edits,
        is_unseen: room == HeaderRoom::Gap && !copies_dynamic,
        loads_throughout,
        moves_headers: headers_copy.is_some(),
        sources,
    })
}

/// Where the parts of the new segment stand.
struct Place {
    p_offset: u64,
    p_vaddr: u64,
    /// File offset of its end.
    end: u64,
    /// Size of what begins it: the tag, and the program headers where they moved. A section
    /// covers them, without which eu-strip leaves them out.
    mark_len: u64,
    /// File offset of the string table, and its new size.
    strings_at: u64,
    grown: u64,
    /// The dynamic table's piece of the payload, file offset and size.
    dynamic_copy: Option<(usize, u64, u64)>,
}

impl Place {
    fn address(&self, offset: u64) -> u64 {
        self.p_vaddr + (offset - self.p_offset)
    }
}

/// A piece of the file that makes room.
struct Moved {
    from: Range<u64>,
    to: u64,
    address: u64,
}

impl Moved {
    /// The piece that holds a range of the old file.
    fn of<'m>(moved: &'m [Self], range: &Range<u64>) -> Option<&'m Self> {
        moved.iter().find(|piece| {
            !range.is_empty() && piece.from.start <= range.start && range.end <= piece.from.end
        })
    }
}

/// What is appended to the file, piece by piece.
struct Payload {
    /// File offset of the next piece.
    at: u64,
    pieces: Vec<Content>,
}

impl Payload {
    fn at_end_of(image: &Image<'_>) -> Self {
        Self { at: image.source().len(), pieces: Vec::new() }
    }

    fn push(&mut self, content: Content) -> Result<(), Refusal> {
        let end = self.at.checked_add(content.len());
        self.at = end.ok_or(Refusal::NoAddressRoom { end: u64::MAX })?;
        self.pieces.push(content);
        Ok(())
    }

    fn align(&mut self, alignment: u64) -> Result<(), Refusal> {
        let next = align_up(self.at, alignment).ok_or(Refusal::NoAddressRoom { end: u64::MAX })?;
        self.push(Content::Bytes(vec![0; (next - self.at) as usize]))
    }

    /// Fills a piece whose place had to be known before its bytes.
    fn replace(&mut self, index: usize, bytes: Vec<u8>) {
        if let Some(piece) = self.pieces.get_mut(index) {
            *piece = Content::Bytes(bytes);
        }
    }

    fn into_edits(self, image: &Image<'_>) -> Vec<Edit> {
        let end = image.source().len();
        let mut joined: Vec<Content> = Vec::new();
        for piece in self.pieces.into_iter().filter(|piece| !piece.is_empty()) {
            match (joined.last_mut(), piece) {
                (Some(Content::Bytes(before)), Content::Bytes(bytes)) => before.extend(bytes),
                (_, piece) => joined.push(piece),
            }
        }
        joined.into_iter().map(|new| Edit { range: end..end, new }).collect()
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

/// Where the new section headers stand, and how the new section is named.
struct Rows {
    /// File offset of the table, and its piece of the payload.
    offset: u64,
    piece: usize,
    /// Rows that are added.
    added: usize,
    /// The new section's name, as an offset in the table of names.
    name: u64,
    /// Where the table of names stood, if it was copied, and where it stands now.
    names: Option<Range<u64>>,
    names_at: u64,
}

/// Makes room for the new section headers, and copies the section names.
fn place_sections(
    image: &Image<'_>,
    sections: &Sections,
    payload: &mut Payload,
    copies_dynamic: bool,
) -> Result<Rows, Failure> {
    payload.align(ALIGNMENT)?;
    let names_at = payload.at;
    let index = usize::from(image.header().e_shstrndx);
    let row = sections.rows().get(index).filter(|_| index != 0);
    // A table that holds symbols' names too may be large, and others refer to it: the end of a
    // name that is there has to do.
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

/// The new section headers. New rows go last: sections are referred to by their index.
fn section_rows(
    image: &Image<'_>,
    sections: &Sections,
    rows: &Rows,
    new: &Place,
    moved: &[Moved],
) -> Vec<SectionHeader> {
    let mut table = sections.rows().to_vec();
    for row in &mut table {
        let range = file_range(row);
        if let Some(piece) = Moved::of(moved, &range) {
            let distance = range.start - piece.from.start;
            row.sh_offset = piece.to + distance;
            row.sh_addr = piece.address + distance;
        }
    }
    let plain = |row: &SectionHeader| SectionHeader {
        sh_name: rows.name as usize,
        sh_type: SHT_PROGBITS,
        sh_link: 0,
        sh_info: 0,
        sh_entsize: 0,
        ..row.clone()
    };
    // What is abandoned keeps a section, so that strip leaves no segment without one.
    let mut added = Vec::with_capacity(rows.added);
    if let Some(row) = sections.dynamic_strings(image).and_then(|index| table.get_mut(index)) {
        added.push(plain(row));
        row.sh_offset = new.strings_at;
        row.sh_addr = new.address(new.strings_at);
        row.sh_size = new.grown;
    }
    if let Some((_, offset, size)) = new.dynamic_copy
        && let Some(row) = sections.dynamic_table().and_then(|index| table.get_mut(index))
    {
        added.push(plain(row));
        row.sh_offset = offset;
        row.sh_addr = new.address(offset);
        row.sh_size = size;
    }
    added.push(SectionHeader {
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
    });
    if is_fixed(image) {
        // patchelf takes it for granted that in such a program a section follows the string table
        // (`rewriteSectionsExecutable`). This one is empty: the table still ends the file.
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

/// The new program headers.
fn program_headers(
    image: &Image<'_>,
    room: &HeaderRoom,
    new: &Place,
    moved: &[Moved],
    e_phoff: u64,
) -> Vec<ProgramHeader> {
    let mut segments = image.segments().to_vec();
    for segment in &mut segments {
        let range = segment.p_offset..segment.p_offset.saturating_add(segment.p_filesz);
        if segment.p_type == PT_LOAD {
            continue;
        }
        if let Some(piece) = Moved::of(moved, &range) {
            let distance = range.start - piece.from.start;
            segment.p_offset = piece.to + distance;
            segment.p_vaddr = piece.address + distance;
            segment.p_paddr = segment.p_vaddr;
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
    let size = new.end - new.p_offset;
    // The loader writes into the dynamic table unless PT_DYNAMIC forbids it (lld's -z rodynamic).
    let writable = image.segment(PT_DYNAMIC).map_or(0, |segment| segment.p_flags & PF_W);
    let load = ProgramHeader {
        p_type: PT_LOAD,
        p_flags: if new.dynamic_copy.is_some() { PF_R | writable } else { PF_R },
        p_offset: new.p_offset,
        p_vaddr: new.p_vaddr,
        p_paddr: new.p_vaddr,
        p_filesz: size,
        p_memsz: size,
        p_align: alignment(image),
    };
    if let HeaderRoom::Replace(index) = room {
        segments.remove(*index);
    }
    let after = segments.iter().rposition(|segment| segment.p_type == PT_LOAD);
    let at = match (room, after) {
        (HeaderRoom::Gap, _) | (_, None) => segments.len(),
        (_, Some(index)) => index + 1,
    };
    segments.insert(at, load);
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

/// ELF header and program headers as they stand in a file.
fn encode_headers(
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

/// One edit for ELF header and program headers where they stand side by side, else the table
/// first: with the old count it is what it was.
fn edits_in_place(image: &Image<'_>, mut header: Vec<u8>, table: Vec<u8>) -> Vec<Edit> {
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
