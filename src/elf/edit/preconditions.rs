//! Checks whether the effect of an edit on an object can be predicted. Objects that the loader would reject,
//! or that other tools interpret differently from the loader, are refused.

use super::mapped_tables;
use super::refusal::Refusal;
use super::request::Failure;
use crate::bytes::Error;
use crate::elf::dynamic_table::is_string;
use crate::elf::image::{Class, Image, Kind};
use crate::elf::sections::{Sections, file_range};
use crate::elf::segments::{PAGE, header_table, loads, overlap, pointers, range_of};
use crate::elf::versions::version_names;
use goblin::elf::header::Header;
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP};
use goblin::elf::{dynamic, header};

/// The padding that a tool may leave after the last section, in bytes: patchelf leaves one byte, other tools
/// fill a page.
const MAX_PADDING: u64 = 1 << 16;

/// Refuses an object if the effect of an edit cannot be predicted.
///
/// # Errors
/// [`Failure::Refused`] with the reason; [`Failure::Malformed`] if a table cannot be read.
pub(in crate::elf) fn check(image: &Image<'_>) -> Result<(), Failure> {
    check_kind(image)?;
    check_segments(image)?;
    check_strings(image)?;
    mapped_tables::check(image)?;
    check_extent(image).map(drop)
}

/// Refuses a file that is not dynamically linked.
///
/// # Errors
/// [`Refusal::NotDynamic`].
pub(in crate::elf) fn check_dynamic(image: &Image<'_>) -> Result<(), Refusal> {
    if image.kind() == Kind::NotDynamic || image.dynamic().is_empty() {
        return Err(Refusal::NotDynamic);
    }
    Ok(())
}

fn check_kind(image: &Image<'_>) -> Result<(), Failure> {
    check_dynamic(image)?;
    let machine = image.header().e_machine;
    if matches!(machine, header::EM_MIPS | header::EM_MIPS_RS3_LE | header::EM_MIPS_X) {
        return Err(Refusal::Mips { machine }.into());
    }
    let needs_nothing = image.entry(dynamic::DT_NEEDED).is_none();
    let is_alone = image.segment(PT_INTERP).is_none() && needs_nothing;
    if image.kind() == Kind::Executable && is_alone {
        return Err(Refusal::StaticPie.into());
    }
    if let Some(soname) = image.string_of(dynamic::DT_SONAME, "DT_SONAME")?
        && needs_nothing
        && is_loader(&soname)
    {
        let soname = String::from_utf8_lossy(&soname).into_owned();
        return Err(Refusal::DynamicLoader { soname }.into());
    }
    Ok(())
}

/// Is this the soname of a dynamic loader? The loader and the libc of musl are one file.
fn is_loader(soname: &[u8]) -> bool {
    const BEGINNINGS: [&[u8]; 6] =
        [b"ld-linux", b"ld-musl", b"ld.so", b"ld64.so", b"ld-elf", b"libc.musl-"];
    soname == b"libc.so" || BEGINNINGS.iter().any(|beginning| soname.starts_with(beginning))
}

fn check_segments(image: &Image<'_>) -> Result<(), Refusal> {
    let limit = match image.class() {
        Class::Elf64 => u64::MAX,
        Class::Elf32 => 1 << 32,
    };
    let mut lowest = 0;
    let mut before = 0;
    for (index, load) in loads(image) {
        let (p_offset, p_vaddr, p_align) = (load.p_offset, load.p_vaddr, load.p_align);
        if p_vaddr < before {
            return Err(Refusal::UnsortedSegments { index, p_vaddr });
        }
        if p_vaddr < lowest || load.p_memsz < load.p_filesz {
            return Err(Refusal::OverlappingSegments { index, p_vaddr });
        }
        if !p_align.is_power_of_two() || p_align < PAGE {
            return Err(Refusal::BadAlignment { index, p_align });
        }
        if p_offset % p_align != p_vaddr % p_align {
            return Err(Refusal::Incongruent { index, p_offset, p_vaddr, p_align });
        }
        before = p_vaddr;
        lowest = match p_vaddr.checked_add(load.p_memsz) {
            Some(end) if end <= limit => end,
            _ => return Err(Refusal::NoAddressRoom { end: u64::MAX }),
        };
    }
    let mut tables = image.segments().iter().filter(|segment| segment.p_type == PT_DYNAMIC);
    let count = tables.clone().count();
    match tables.next() {
        Some(table) if count == 1 => {
            let (p_offset, p_vaddr) = (table.p_offset, table.p_vaddr);
            let last = p_vaddr.saturating_add(table.p_filesz.saturating_sub(1));
            let is_mapped = image.offset_of(p_vaddr) == Some(p_offset)
                && image.offset_of(last) == Some(p_offset + (last - p_vaddr));
            if is_mapped {
                Ok(())
            } else {
                Err(Refusal::DynamicTableElsewhere { p_offset, p_vaddr })
            }
        }
        _ => Err(Refusal::SeveralDynamicTables { count }),
    }
}

fn check_strings(image: &Image<'_>) -> Result<(), Failure> {
    let table = image.string_table()?;
    let is_in_one_load = loads(image).any(|(_, load)| {
        let range = range_of(load);
        range.start <= table.start && table.end <= range.end
    });
    if !is_in_one_load {
        return Err(Refusal::StringTableOverlap { tag: dynamic::DT_STRTAB }.into());
    }
    let others = pointers(image)
        .chain(image.segment(PT_DYNAMIC).map(|segment| (dynamic::DT_NULL, segment.p_offset)));
    for (tag, offset) in others {
        if tag != dynamic::DT_STRTAB && table.start <= offset && offset < table.end {
            return Err(Refusal::StringTableOverlap { tag }.into());
        }
    }
    let headers = [0..Header::size(image.ctx()) as u64, header_table(image)];
    if headers.iter().any(|headers| overlap(headers, &table)) {
        let why = "the headers are within the table";
        return Err(Error::invalid("dynamic string table", table.start, why).into());
    }
    let last = table.end.checked_sub(1).and_then(|last| image.source().get(last..table.end));
    if table.is_empty() || last.as_deref() != Some(&[0]) {
        let why = "the table does not end with a NUL";
        return Err(Error::invalid("dynamic string table", table.start, why).into());
    }
    // Unterminated strings that many entries refer to would make every later walk slow,
    image.strings_of(is_string, "dynamic string")?;
    // and so would records that form a loop. The bytes behind the table change with an edit.
    if version_names(image)?.iter().any(|&name| name >= table.end - table.start) {
        let why = "the name of a version is outside the table";
        return Err(Error::invalid("dynamic string table", table.start, why).into());
    }
    Ok(())
}

/// Checks that everything that the headers describe exists, and returns its end as a file offset.
fn check_extent(image: &Image<'_>) -> Result<u64, Failure> {
    let len = image.source().len();
    let mut end = header_table(image).end;
    for segment in image.segments() {
        if segment.p_filesz > 0 {
            end = end.max(range_of(segment).end);
        }
    }
    let header = image.header();
    let sections_end = u64::from(header.e_shnum)
        .checked_mul(header.e_shentsize.into())
        .and_then(|size| header.e_shoff.checked_add(size))
        .unwrap_or(u64::MAX);
    if header.e_shoff != 0 {
        end = end.max(sections_end);
    }
    if end > len {
        return Err(Refusal::Truncated { end, len }.into());
    }
    if let Some(sections) = Sections::read(image)? {
        for row in sections.rows() {
            let range = file_range(row);
            if !range.is_empty() {
                end = end.max(range.end);
            }
        }
    }
    if end > len { Err(Refusal::Truncated { end, len }.into()) } else { Ok(end) }
}

/// Refuses an object with data behind everything that the headers describe. Such data are located by their
/// distance from the end of the file, which appended bytes would change.
///
/// # Errors
/// [`Refusal::AppendedPayload`], and as for [`check`].
pub(in crate::elf) fn check_payload(image: &Image<'_>) -> Result<(), Failure> {
    let end = check_extent(image)?;
    let len = image.source().len();
    let rest = len - end;
    let is_padding = rest <= MAX_PADDING
        && image.source().get(end..len).is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0));
    if is_padding { Ok(()) } else { Err(Refusal::AppendedPayload { start: end, len: rest }.into()) }
}
