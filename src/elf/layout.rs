//! The headers of an ELF file: the ELF header, the program headers and the dynamic table.

use crate::bytes::{Error, Excess, Problem, Source};
use goblin::container::{Container, Ctx};
use goblin::elf::dynamic::{self, Dyn};
use goblin::elf::header::{self, Header};
use goblin::elf::program_header::{self, ProgramHeader};
use scroll::Pread;
use std::borrow::Cow;

/// More program headers than any linker writes (gABI: `PN_XNUM` and above need section headers).
const MAX_SEGMENTS: u16 = 4096;
/// The maximum number of entries in a dynamic table; limits the work on a malformed one.
const MAX_ENTRIES: u64 = 65_536;
/// An entry of the dynamic table and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DynamicEntry {
    /// File offset of the entry in bytes.
    pub offset: u64,
    /// `d_tag`.
    pub tag: u64,
    /// `d_val` or `d_ptr`.
    pub value: u64,
}

/// The headers of an ELF file, by which its other parts are found.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) header: Header,
    pub(super) ctx: Ctx,
    pub(super) segments: Vec<ProgramHeader>,
    pub(super) dynamic: Vec<DynamicEntry>,
}

impl Layout {
    /// Reads the ELF header, the program headers and the dynamic table.
    pub(super) fn read(source: &dyn Source) -> Result<Self, Error> {
        let ident = source.read(0, header::SIZEOF_IDENT as u64, "ELF identification")?;
        if ident.get(..4) != Some(header::ELFMAG.as_slice()) {
            return Err(Error::invalid("ELF identification", 0, "it does not begin with \\x7fELF"));
        }
        let container = match ident.get(header::EI_CLASS) {
            Some(&header::ELFCLASS32) => Container::Little,
            Some(&header::ELFCLASS64) => Container::Big,
            _ => return Err(Error::invalid("EI_CLASS", 4, "neither 32 nor 64 bits")),
        };
        let endian = match ident.get(header::EI_DATA) {
            Some(&header::ELFDATA2LSB) => scroll::Endian::Little,
            Some(&header::ELFDATA2MSB) => scroll::Endian::Big,
            _ => return Err(Error::invalid("EI_DATA", 5, "neither byte order")),
        };
        let ctx = Ctx::new(container, endian);
        let header: Header = source
            .read(0, Header::size(ctx) as u64, "ELF header")?
            .pread_with(0, endian)
            .map_err(|_| Error::invalid("ELF header", 0, "its fields cannot be read"))?;
        let segments = read_segments(source, &header, ctx)?;
        let dynamic = read_dynamic(source, &segments, ctx)?;
        Ok(Self { header, ctx, segments, dynamic })
    }
}

fn read_segments(
    source: &dyn Source,
    header: &Header,
    ctx: Ctx,
) -> Result<Vec<ProgramHeader>, Error> {
    const WHAT: &str = "program headers";
    let size = ProgramHeader::size(ctx);
    if header.e_phnum == 0 {
        return Ok(Vec::new());
    }
    if usize::from(header.e_phentsize) != size {
        return Err(Error::invalid("e_phentsize", 0, "not the size of a program header"));
    }
    if header.e_phnum > MAX_SEGMENTS {
        return Err(Error::invalid("e_phnum", 0, "more than 4096 program headers"));
    }
    let bytes: Cow<'_, [u8]> =
        source.read(header.e_phoff, size as u64 * u64::from(header.e_phnum), WHAT)?;
    (0..usize::from(header.e_phnum))
        .map(|index| {
            bytes
                .pread_with(index * size, ctx)
                .map_err(|_| Error::invalid(WHAT, header.e_phoff, "an entry cannot be read"))
        })
        .collect()
}

fn read_dynamic(
    source: &dyn Source,
    segments: &[ProgramHeader],
    ctx: Ctx,
) -> Result<Vec<DynamicEntry>, Error> {
    const WHAT: &str = "dynamic table";
    let is_dynamic = |segment: &&ProgramHeader| segment.p_type == program_header::PT_DYNAMIC;
    let Some(segment) = segments.iter().find(is_dynamic) else {
        return Ok(Vec::new());
    };
    let size = Dyn::size(ctx.container) as u64;
    let count = segment.p_filesz / size;
    if count > MAX_ENTRIES {
        let problem = Problem::TooMuch(Excess::Entries(MAX_ENTRIES));
        return Err(Error { what: WHAT, offset: segment.p_offset, problem });
    }
    let bytes = source.read(segment.p_offset, count * size, WHAT)?;
    let mut entries = Vec::new();
    for index in 0..count {
        let at = (index * size) as usize;
        let entry: Dyn = bytes
            .pread_with(at, ctx)
            .map_err(|_| Error::invalid(WHAT, segment.p_offset, "an entry cannot be read"))?;
        if entry.d_tag == dynamic::DT_NULL {
            break;
        }
        let offset = segment.p_offset + index * size;
        entries.push(DynamicEntry { offset, tag: entry.d_tag, value: entry.d_val });
    }
    Ok(entries)
}
