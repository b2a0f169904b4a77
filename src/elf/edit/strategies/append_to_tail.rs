//! Room behind a string table that ends the file. patchelf, and an earlier edit with a new segment, leave
//! files like this.

use crate::bytes::Error;
use crate::edit::{Content, Edit};
use crate::elf::dynamic_table::{self, Entries};
use crate::elf::image::{Class, Endian, Image};
use crate::elf::sections::{self, Sections, file_range};
use crate::elf::segments::{has_addresses, header_table, loads, range_of};
use goblin::elf::dynamic;
use goblin::elf::program_header::ProgramHeader;
use goblin::elf::section_header::SectionHeader;
use scroll::Pwrite as _;

/// An upper limit for the padding after the table, in bytes. patchelf pads to a multiple of 8 and adds a
/// byte; no tool leaves more than this.
pub(in crate::elf) const MAX_PADDING: u64 = 64;

/// A string table that can grow where it is.
pub(in crate::elf) struct Tail {
    /// Index and header of the segment that ends with it.
    load: (usize, ProgramHeader),
    /// The index of its section header, if there are any.
    row: Option<(usize, SectionHeader)>,
    /// The offset in the table for a new string, which is the end of the file.
    pub(in crate::elf) offset: u64,
}

/// The string table of `image`, if it ends the highest segment, that segment ends the file, and only padding
/// follows the table.
///
/// # Errors
/// If the string table or the section headers cannot be read.
pub(in crate::elf) fn find(image: &Image<'_>) -> Result<Option<Tail>, Error> {
    let table = image.string_table()?;
    let len = image.source().len();
    let Some((index, load)) = loads(image).next_back() else { return Ok(None) };
    let file = range_of(load);
    let is_padding = len - table.end <= MAX_PADDING
        && image
            .source()
            .get(table.end..len)
            .is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0));
    let rest = table.end..len;
    let is_last = file.start <= table.start
        && table.end <= file.end
        && load.p_filesz == load.p_memsz
        && loads(image).all(|(other, load)| other == index || range_of(load).end <= table.start)
        && header_table(image).end <= table.start;
    let has_other_segments = image.segments().iter().enumerate().any(|(other, segment)| {
        let range = range_of(segment);
        other != index && segment.p_filesz > 0 && range.end > rest.start && range.start < rest.end
    });
    if image.endian() == Endian::Big || !is_last || !is_padding || has_other_segments {
        return Ok(None);
    }
    let sections = Sections::read(image)?;
    let mut row = None;
    if let Some(sections) = &sections {
        let follows = |row: &SectionHeader| {
            let range = file_range(row);
            !range.is_empty() && range.end > rest.start
        };
        if sections.range().end > table.start || sections.rows().iter().any(follows) {
            return Ok(None);
        }
        row = sections
            .dynamic_strings(image)
            .and_then(|index| Some((index, sections.rows().get(index)?.clone())));
        match &row {
            Some((_, row)) if row.sh_offset == table.start => {}
            None if sections.dynamic_table().is_none() => {}
            _ => return Ok(None),
        }
    }
    Ok(Some(Tail { load: (index, load.clone()), row, offset: len - table.start }))
}

impl Tail {
    /// The edits that append `string` to the table, for a dynamic table of `entries`; `None` if the result
    /// would exceed the address space.
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
        let end = len + bytes.len() as u64;
        let (index, load) = self.load;
        let size = end - load.p_offset;
        if !has_addresses(image, load.p_vaddr, size) || !has_addresses(image, end, 0) {
            return None;
        }
        let mut edits = vec![Edit { range: len..len, new: Content::Bytes(bytes) }];

        // p_filesz and p_memsz are adjacent in both classes.
        let header_size = ProgramHeader::size(image.ctx()) as u64;
        let sizes = match image.class() {
            Class::Elf64 => 32..48,
            Class::Elf32 => 16..24,
        };
        let header = ProgramHeader { p_filesz: size, p_memsz: size, ..load };
        let mut encoded = vec![0; header_size as usize];
        encoded.pwrite_with(header, 0, image.ctx()).ok()?;
        let new = encoded.get(sizes.start as usize..sizes.end as usize)?.to_vec();
        let at = header_table(image).start + index as u64 * header_size;
        edits.push(Edit { range: at + sizes.start..at + sizes.end, new: Content::Bytes(new) });

        if let Some((index, mut row)) = self.row {
            row.sh_size = grown;
            let range = Sections::read(image).ok()??.range_of(index);
            edits.push(Edit { range, new: Content::Bytes(sections::encode(image, &[row])?) });
        }
        dynamic_table::set(&mut entries, dynamic::DT_STRSZ, grown);
        edits.extend(dynamic_table::edits(image, &entries));
        Some(edits)
    }
}
