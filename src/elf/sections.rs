//! The section headers. The loader does not read them, but strip, objcopy and readelf do, so an edit has to
//! keep both views of the file consistent.

use super::image::Image;
use crate::bytes::Error;
use goblin::elf::dynamic;
use goblin::elf::section_header::{self, SectionHeader};
use scroll::{Pread as _, Pwrite as _};
use std::ops::Range;

/// The section headers of a file.
pub(super) struct Sections {
    /// File offset of the table.
    offset: u64,
    /// Size of a section header in bytes.
    row_size: u64,
    rows: Vec<SectionHeader>,
}

impl Sections {
    /// Reads the section headers; `None` if the file has none.
    ///
    /// # Errors
    /// If the table is truncated, or the size or number of its entries is impossible.
    pub(super) fn read(image: &Image<'_>) -> Result<Option<Self>, Error> {
        const WHAT: &str = "section headers";
        let header = image.header();
        if header.e_shoff == 0 {
            return Ok(None);
        }
        let size = SectionHeader::size(image.ctx());
        if header.e_shnum == 0 {
            // Either there are none, or more than 65,279; then their number is in the first header (gABI).
            return Err(Error::invalid("e_shnum", 0, "a section header table without a number"));
        }
        if usize::from(header.e_shentsize) != size {
            return Err(Error::invalid("e_shentsize", 0, "not the size of a section header"));
        }
        let len = size as u64 * u64::from(header.e_shnum);
        let bytes = image.source().read(header.e_shoff, len, WHAT)?;
        let rows: Result<Vec<SectionHeader>, Error> = (0..usize::from(header.e_shnum))
            .map(|index| {
                bytes
                    .pread_with(index * size, image.ctx())
                    .map_err(|_| Error::invalid(WHAT, header.e_shoff, "a row cannot be read"))
            })
            .collect();
        Ok(Some(Self { offset: header.e_shoff, row_size: size as u64, rows: rows? }))
    }

    pub(super) fn rows(&self) -> &[SectionHeader] {
        &self.rows
    }

    /// The file offsets of the table.
    pub(super) fn range(&self) -> Range<u64> {
        self.offset..self.offset + self.row_size * self.rows.len() as u64
    }

    /// The file offsets of one section header.
    pub(super) fn range_of(&self, index: usize) -> Range<u64> {
        let start = self.offset + self.row_size * index as u64;
        start..start + self.row_size
    }

    /// The section of the dynamic string table: the one at the address of `DT_STRTAB`.
    pub(super) fn dynamic_strings(&self, image: &Image<'_>) -> Option<usize> {
        let address = image.value(dynamic::DT_STRTAB)?;
        self.rows.iter().position(|row| {
            row.sh_type == section_header::SHT_STRTAB && is_loaded(row) && row.sh_addr == address
        })
    }

    /// The first section with this name.
    pub(super) fn named(&self, image: &Image<'_>, name: &[u8]) -> Option<&SectionHeader> {
        let names = self.rows.get(usize::from(image.header().e_shstrndx))?;
        for row in &self.rows {
            // At most to the end of the table: names in malformed files overlap, or have no end.
            let at = names.sh_offset.saturating_add(u64::from(row.sh_name as u32));
            let len = name.len() as u64 + 1;
            let held = image.source().read(at, len, "a section's name");
            if held.is_ok_and(|held| held.strip_suffix(b"\0") == Some(name)) {
                return Some(row);
            }
        }
        None
    }

    /// The section of the dynamic table.
    pub(super) fn dynamic_table(&self) -> Option<usize> {
        self.rows.iter().position(|row| row.sh_type == section_header::SHT_DYNAMIC)
    }

    /// Does a section overlap these file offsets?
    pub(super) fn overlap(&self, range: &Range<u64>) -> bool {
        self.rows.iter().any(|row| {
            let file = file_range(row);
            file.start < range.end && range.start < file.end
        })
    }

    /// Does anything use the string table in section `index` apart from the symbols and records that the
    /// loader knows: does it contain the names of sections, or of symbols that are not loaded?
    pub(super) fn has_other_readers(&self, index: usize, names: u16) -> bool {
        index == usize::from(names)
            || self.rows.iter().any(|row| {
                row.sh_link as usize == index
                    && !matches!(
                        row.sh_type,
                        section_header::SHT_NULL
                            | section_header::SHT_DYNSYM
                            | section_header::SHT_DYNAMIC
                            | section_header::SHT_GNU_VERDEF
                            | section_header::SHT_GNU_VERNEED
                    )
            })
    }
}

/// `SHF_ALLOC`.
pub(super) fn is_loaded(row: &SectionHeader) -> bool {
    row.sh_flags & u64::from(section_header::SHF_ALLOC) != 0
}

/// The file offsets of a section's bytes; empty if it has no bytes in the file.
pub(super) fn file_range(row: &SectionHeader) -> Range<u64> {
    let takes_none = matches!(row.sh_type, section_header::SHT_NULL | section_header::SHT_NOBITS);
    let size = if takes_none { 0 } else { row.sh_size };
    row.sh_offset..row.sh_offset.saturating_add(size)
}

/// Section headers as they are encoded in the file.
pub(super) fn encode(image: &Image<'_>, rows: &[SectionHeader]) -> Option<Vec<u8>> {
    let size = SectionHeader::size(image.ctx());
    let mut bytes = vec![0; size * rows.len()];
    for (index, row) in rows.iter().enumerate() {
        bytes.pwrite_with(row.clone(), index * size, image.ctx()).ok()?;
    }
    Some(bytes)
}
