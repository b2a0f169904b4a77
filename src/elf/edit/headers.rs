//! The changes of the headers that are not about making room: the flags of the stack, the `EI_OSABI` of the
//! object, and the sections that describe version needs.

use super::refusal::Refusal;
use super::request::Failure;
use super::strategies::new_segment::program_headers::{edits_in_place, encode_headers};
use super::wanted::Wanted;
use crate::bytes::Error;
use crate::edit::{Content, Edit};
use crate::elf::edit::program_header_room::{HeaderRoom, header_room};
use crate::elf::image::{Class, Image};
use crate::elf::sections::{self, Sections, file_range};
use crate::elf::segments::header_table;
use goblin::elf::dynamic;
use goblin::elf::header::{EI_OSABI, Header};
use goblin::elf::program_header::{PT_GNU_STACK, PT_PHDR, ProgramHeader};
use goblin::elf::section_header::{SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_PROGBITS, SectionHeader};
use scroll::Pwrite as _;

/// Changes to headers that either stay where they are or move with their whole table.
#[derive(Debug, Clone, Default)]
pub(in crate::elf) struct Headers {
    stack: Option<u32>,
    osabi: Option<u8>,
    /// The new number of version need records, if it changes.
    version_needs: Option<u32>,
    /// Are the versions of all symbols removed?
    drops_versions: bool,
}

impl Headers {
    /// The changes that the headers need; `version_needs` is the number of records that remain, if it
    /// changes.
    pub(in crate::elf) fn of(
        image: &Image<'_>,
        wanted: &Wanted,
        version_needs: Option<u32>,
    ) -> Self {
        let defines = image.entry(dynamic::DT_VERDEF).is_some();
        let drops_versions = version_needs == Some(0) && !defines;
        Self { stack: wanted.stack, osabi: wanted.osabi, version_needs, drops_versions }
    }

    /// Are the versions of all symbols to be removed?
    pub(in crate::elf) fn drops_versions(&self) -> bool {
        self.drops_versions
    }

    /// The ELF header with the changes applied.
    pub(in crate::elf) fn changed(&self, mut header: Header) -> Header {
        if let (Some(osabi), Some(byte)) = (self.osabi, header.e_ident.get_mut(EI_OSABI)) {
            *byte = osabi;
        }
        header
    }

    /// Applies the changes to a program header.
    pub(in crate::elf) fn change_segment(&self, segment: &mut ProgramHeader) {
        if let (Some(flags), PT_GNU_STACK) = (self.stack, segment.p_type) {
            segment.p_flags = flags;
        }
    }

    /// Applies the changes to a section header.
    pub(in crate::elf) fn change_row(&self, row: &mut SectionHeader) {
        // bfd rejects a section of version needs without records.
        match (row.sh_type, self.version_needs) {
            (SHT_GNU_VERNEED, Some(0)) => plain(row),
            (SHT_GNU_VERNEED, Some(count)) => row.sh_info = count,
            (SHT_GNU_VERSYM, _) if self.drops_versions => plain(row),
            _ => {}
        }
    }

    /// The edit of the ELF header at its place, unless the header is rewritten anyway.
    pub(in crate::elf) fn edit_of_header(&self) -> Option<Edit> {
        let at = EI_OSABI as u64;
        self.osabi.map(|osabi| Edit { range: at..at + 1, new: Content::Bytes(vec![osabi]) })
    }

    /// The edits of the program headers at their places.
    ///
    /// # Errors
    /// If the header to change does not exist and cannot be added.
    pub(in crate::elf) fn edits_of_segments(
        &self,
        image: &Image<'_>,
    ) -> Result<Vec<Edit>, Failure> {
        let Some(flags) = self.stack else { return Ok(Vec::new()) };
        let size = ProgramHeader::size(image.ctx()) as u64;
        // p_flags follows p_type in 64-bit headers, and p_memsz in 32-bit headers.
        let at = match image.class() {
            Class::Elf64 => 4,
            Class::Elf32 => 24,
        };
        let is_stack = |segment: &ProgramHeader| segment.p_type == PT_GNU_STACK;
        let mut found =
            image.segments().iter().enumerate().filter(|(_, it)| is_stack(it)).peekable();
        if found.peek().is_none() {
            return new_stack_header(image, flags);
        }
        let edits = found.map(|(index, _)| {
            let start = header_table(image).start + index as u64 * size + at;
            let mut bytes = vec![0; 4];
            // This cannot fail inside a buffer of the right size.
            let _ = bytes.pwrite_with(flags, 0, image.ctx().le);
            Edit { range: start..start + 4, new: Content::Bytes(bytes) }
        });
        Ok(edits.collect())
    }

    /// The edits of the section headers at their places.
    ///
    /// # Errors
    /// If they cannot be read.
    pub(in crate::elf) fn edits_of_rows(&self, image: &Image<'_>) -> Result<Vec<Edit>, Error> {
        let Some(sections) = Sections::read(image)? else { return Ok(Vec::new()) };
        let rows = sections.rows().iter().enumerate().filter_map(|(index, row)| {
            let mut new = row.clone();
            self.change_row(&mut new);
            let bytes = sections::encode(image, &[new.clone()]).filter(|_| new != *row)?;
            Some(Edit { range: sections.range_of(index), new: Content::Bytes(bytes) })
        });
        Ok(rows.collect())
    }
}

/// Turns a section into one of meaningless bytes.
fn plain(row: &mut SectionHeader) {
    row.sh_type = SHT_PROGBITS;
    (row.sh_link, row.sh_info, row.sh_entsize) = (0, 0, 0);
}

/// The edits that add a `PT_GNU_STACK`, if a program header can be added without moving anything.
fn new_stack_header(image: &Image<'_>, flags: u32) -> Result<Vec<Edit>, Failure> {
    let sections = Sections::read(image)?;
    let mut segments = image.segments().to_vec();
    let new = ProgramHeader {
        p_type: PT_GNU_STACK,
        p_flags: flags,
        p_align: 16,
        ..ProgramHeader::default()
    };
    let header = match header_room(image, sections.as_ref())? {
        HeaderRoom::Gap => {
            segments.push(new);
            Header { e_phnum: segments.len() as u16, ..*image.header() }
        }
        HeaderRoom::Replace(index) => {
            if let Some(segment) = segments.get_mut(index) {
                *segment = new;
            }
            *image.header()
        }
        HeaderRoom::Move(_) | HeaderRoom::Elsewhere { .. } => {
            return Err(Refusal::NoStackHeader.into());
        }
    };
    let table = ProgramHeader::size(image.ctx()) as u64 * segments.len() as u64;
    for segment in segments.iter_mut().filter(|segment| segment.p_type == PT_PHDR) {
        (segment.p_filesz, segment.p_memsz) = (table, table);
    }
    let (header, table) = encode_headers(image, header, &segments)?;
    Ok(edits_in_place(image, header, table))
}

/// The section that contains the interpreter's name.
pub(in crate::elf) fn interpreter_row(image: &Image<'_>, sections: &Sections) -> Option<usize> {
    let range = image.interpreter_range()?;
    sections.rows().iter().position(|row| file_range(row) == range)
}
