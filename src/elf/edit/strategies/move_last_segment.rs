//! Room behind a string table that ends the highest segment, if something follows the segment in the file, as
//! after strip. The bytes of the segment move to the end of the file. Every address stays the same and no
//! program header is added, however often an object is edited and stripped.

use super::append_to_tail::MAX_PADDING;
use crate::bytes::Error;
use crate::edit::{Content, Edit};
use crate::elf::dynamic_table::{self, Entries};
use crate::elf::image::{Endian, Image};
use crate::elf::sections::{self, Sections, file_range};
use crate::elf::segments::{contains, has_addresses, header_table, loads, overlap, range_of};
use goblin::elf::dynamic;
use goblin::elf::program_header::{PT_LOAD, ProgramHeader};
use goblin::elf::section_header::{SHT_PROGBITS, SectionHeader};
use scroll::Pwrite as _;
use std::ops::Range;

/// The maximum number of bytes that may precede the string table and move with it, and the maximum gap before
/// its new place. Anything larger than a page of 64 KiB justifies a new segment.
const MAX_MORE: u64 = 1 << 16;

/// A segment that can move to the end of the file.
pub(in crate::elf) struct Carried {
    index: usize,
    /// The bytes that move; the string table ends them.
    from: Range<u64>,
    /// Their new file offset.
    p_offset: u64,
    sections: Option<Sections>,
    /// The offset in the string table for a new string: its end.
    pub(in crate::elf) offset: u64,
}

/// The highest segment of `image`, if the string table ends it and it can move.
///
/// # Errors
/// If the string table or the section headers cannot be read.
pub(in crate::elf) fn find(image: &Image<'_>) -> Result<Option<Carried>, Error> {
    let table = image.string_table()?;
    let Some((index, load)) = loads(image).next_back() else { return Ok(None) };
    let file = range_of(load);
    let from = file.start..table.end;
    let is_last = contains(&file, &table)
        && load.p_filesz == load.p_memsz
        && file.end - table.end <= MAX_PADDING
        && table.start - file.start <= MAX_MORE;
    let len = image.source().len();
    let distance = load.p_vaddr.wrapping_sub(len) & (load.p_align.max(1) - 1);
    if image.endian() == Endian::Big || !is_last || distance > MAX_MORE {
        return Ok(None);
    }
    let sections = Sections::read(image)?;
    let rows = sections.as_ref().map(Sections::rows).unwrap_or_default();
    let others = image.segments().iter().filter(|segment| segment.p_type != PT_LOAD);
    let mut claims = rows.iter().map(file_range).chain(others.map(range_of));
    let moves_whole = claims.all(|range| contains(&from, &range) || !overlap(&file, &range));
    // Edits refer to the old bytes, and the bytes that move are a copy of those.
    let stays = |range: &Range<u64>| !overlap(&file, range);
    let is_told = match &sections {
        None => true,
        Some(sections) => {
            let row = sections.dynamic_strings(image).and_then(|index| rows.get(index));
            stays(&sections.range()) && row.is_some_and(|row| file_range(row) == table)
        }
    };
    let serves = moves_whole
        && is_told
        && stays(&header_table(image))
        && stays(&dynamic_table::range(image));
    let offset = table.end - table.start;
    let p_offset = len + distance;
    Ok(serves.then_some(Carried { index, from, p_offset, sections, offset }))
}

impl Carried {
    /// The edits that move the segment to the end of the file and append `string` to it, for a dynamic table
    /// of `entries`; `None` if the result would exceed the address space.
    pub(in crate::elf) fn append(
        self,
        image: &Image<'_>,
        string: &[u8],
        mut entries: Entries,
    ) -> Option<Vec<Edit>> {
        let len = image.source().len();
        let mut bytes = string.to_vec();
        bytes.push(0);
        let grown = self.offset + bytes.len() as u64;
        let size = self.from.end - self.from.start + bytes.len() as u64;
        let p_vaddr = image.segments().get(self.index)?.p_vaddr;
        if !has_addresses(image, p_vaddr, size) || !has_addresses(image, self.p_offset, size) {
            return None;
        }
        let padding = vec![0; (self.p_offset - len) as usize];
        let mut edits: Vec<Edit> =
            [Content::Bytes(padding), Content::CopyOf(self.from.clone()), Content::Bytes(bytes)]
                .into_iter()
                .filter(|new| !new.is_empty())
                .map(|new| Edit { range: len..len, new })
                .collect();

        edits.push(self.program_headers(image, size)?);
        if let Some(sections) = &self.sections {
            edits.extend(self.section_rows(image, sections, grown)?);
        }
        dynamic_table::set(&mut entries, dynamic::DT_STRSZ, grown);
        edits.extend(dynamic_table::edits(image, &entries));
        Some(edits)
    }

    /// The new file offset of something in the segment.
    fn new_offset(&self, old: u64) -> u64 {
        old - self.from.start + self.p_offset
    }

    /// The program headers for the segment at its new place and with its new size.
    fn program_headers(&self, image: &Image<'_>, size: u64) -> Option<Edit> {
        let mut table = Vec::new();
        for (index, segment) in image.segments().iter().enumerate() {
            let mut segment = segment.clone();
            if index == self.index {
                segment.p_offset = self.p_offset;
                segment.p_filesz = size;
                segment.p_memsz = size;
            } else if segment.p_type != PT_LOAD && self.holds(&range_of(&segment)) {
                segment.p_offset = self.new_offset(segment.p_offset);
            }
            let mut encoded = vec![0; ProgramHeader::size(image.ctx())];
            encoded.pwrite_with(segment, 0, image.ctx()).ok()?;
            table.extend(encoded);
        }
        Some(Edit { range: header_table(image), new: Content::Bytes(table) })
    }

    /// The section headers of the moved parts, with a string table of `grown` bytes.
    fn section_rows(
        &self,
        image: &Image<'_>,
        sections: &Sections,
        grown: u64,
    ) -> Option<Vec<Edit>> {
        let strings = sections.dynamic_strings(image);
        let mut edits = Vec::new();
        for (index, row) in sections.rows().iter().enumerate() {
            let mut row = row.clone();
            if self.holds(&file_range(&row)) {
                row.sh_offset = self.new_offset(row.sh_offset);
            } else if self.follows(&row) {
                row.sh_offset = self.new_offset(self.from.end);
            } else {
                continue;
            }
            if strings == Some(index) {
                row.sh_size = grown;
            }
            let new = Content::Bytes(sections::encode(image, &[row])?);
            edits.push(Edit { range: sections.range_of(index), new });
        }
        Some(edits)
    }

    /// Is it the empty section that follows the string table in the new segment of a program?
    fn follows(&self, row: &SectionHeader) -> bool {
        row.sh_type == SHT_PROGBITS
            && row.sh_size == 0
            && !sections::is_loaded(row)
            && row.sh_offset >= self.from.start
    }

    fn holds(&self, range: &Range<u64>) -> bool {
        !range.is_empty() && contains(&self.from, range)
    }
}
