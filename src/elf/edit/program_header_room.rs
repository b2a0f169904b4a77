//! Finds room in a file for one more program header.

use super::request::Failure;
use crate::bytes::Error;
use crate::elf::dynamic_table;
use crate::elf::hash;
use crate::elf::image::Image;
use crate::elf::sections::{Sections, file_range};
use crate::elf::segments::{PAGE, contains, header_table, loads, overlap, pointers, range_of};
use goblin::elf::dynamic;
use goblin::elf::program_header::{
    PT_GNU_PROPERTY, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL, PT_PHDR, ProgramHeader,
};
use std::ops::Range;

/// How a program header is added.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::elf) enum HeaderRoom {
    /// In the gap after the table. The new header is the last one, so that a process that runs the file and
    /// uses the old count sees no change.
    Gap,
    /// By replacing the header with this index, which is redundant.
    Replace(usize),
    /// After the table, in place of these ranges of the file, which move into the new segment.
    Move(Vec<Range<u64>>),
    /// Nowhere: the table moves into the new segment. GNU strip and objcopy write such a file as if the table
    /// were at its usual place, and break it without an error.
    Elsewhere {
        /// Size of a program header in bytes.
        needed: u64,
        /// Free bytes after the table at its current place.
        available: u64,
    },
}

/// The first way to add a program header that works.
///
/// # Errors
/// If a table that would have to move is malformed.
pub(in crate::elf) fn header_room(
    image: &Image<'_>,
    sections: Option<&Sections>,
) -> Result<HeaderRoom, Failure> {
    let table = header_table(image);
    let size = ProgramHeader::size(image.ctx()) as u64;
    let needed = table.end..table.end.saturating_add(size);
    let surroundings = Surroundings { image, sections, table: table.clone() };
    if surroundings.is_free(&needed) {
        return Ok(HeaderRoom::Gap);
    }
    if let Some(index) = replaceable(image) {
        return Ok(HeaderRoom::Replace(index));
    }
    if let Some(pieces) = surroundings.movable_from(&needed)? {
        return Ok(HeaderRoom::Move(pieces));
    }
    let available =
        (0..size).take_while(|len| surroundings.is_free(&(table.end..table.end + len + 1)));
    Ok(HeaderRoom::Elsewhere { needed: size, available: available.count() as u64 })
}

/// A header that has no content, or only content that another header repeats.
fn replaceable(image: &Image<'_>) -> Option<usize> {
    let segments = image.segments();
    let index_of = |p_type: u32| segments.iter().position(|segment| segment.p_type == p_type);
    // The loader finds the program headers of a library by e_phoff. PT_PHDR tells it where a program was
    // loaded (glibc's elf/rtld.c), which matters only with a PT_INTERP (gABI).
    let without_interp = || index_of(PT_INTERP).is_none().then(|| index_of(PT_PHDR)).flatten();
    let same_as_property = || {
        let property = segments.iter().find(|segment| segment.p_type == PT_GNU_PROPERTY)?;
        segments.iter().position(|segment| {
            segment.p_type == PT_NOTE
                && segment.p_offset == property.p_offset
                && segment.p_vaddr == property.p_vaddr
                && segment.p_filesz == property.p_filesz
        })
    };
    index_of(PT_NULL).or_else(without_interp).or_else(same_as_property)
}

/// What surrounds the program headers.
struct Surroundings<'i, 'a> {
    image: &'i Image<'a>,
    sections: Option<&'i Sections>,
    table: Range<u64>,
}

impl Surroundings<'_, '_> {
    /// Is the table, together with the range after it, in one `PT_LOAD`, and does no other one overlap them?
    fn stays_loaded(&self, range: &Range<u64>) -> bool {
        let whole = self.table.start..range.end;
        let mut over = loads(self.image).filter(|(_, load)| overlap(&range_of(load), &whole));
        let covers = over.next().is_some_and(|(_, load)| contains(&range_of(load), &whole));
        covers && over.next().is_none()
    }

    fn segments(&self) -> impl Iterator<Item = &ProgramHeader> {
        own_segments(self.image)
    }

    /// Are these bytes after the table unused?
    fn is_free(&self, range: &Range<u64>) -> bool {
        if !self.stays_loaded(range) || !self.is_nobodys(range) {
            return false;
        }
        let Some(bytes) = self.image.source().get(range.clone()) else { return false };
        match self.sections {
            // patchelf fills the space that it abandons with X or Z.
            Some(_) => bytes.iter().all(|byte| matches!(byte, 0 | b'X' | b'Z')),
            // The bytes are zeros up to a known structure: no linker begins with a section of zeros.
            None => {
                let next = self
                    .segments()
                    .map(|segment| segment.p_offset)
                    .chain(pointers(self.image).map(|(_, offset)| offset))
                    .filter(|&offset| offset >= range.end)
                    .min();
                self.table.start == u64::from(self.image.header().e_ehsize)
                    && next.is_some_and(|next| {
                        next - range.start <= PAGE
                            && self
                                .image
                                .source()
                                .get(range.start..next)
                                .is_some_and(|bytes| bytes.iter().all(|&byte| byte == 0))
                    })
            }
        }
    }

    /// Does no section, segment or entry of the dynamic table claim these bytes?
    fn is_nobodys(&self, range: &Range<u64>) -> bool {
        let in_sections = self
            .sections
            .is_some_and(|sections| sections.overlap(range) || overlap(&sections.range(), range));
        !in_sections
            && range.start >= u64::from(self.image.header().e_ehsize)
            && !self.segments().any(|segment| overlap(&range_of(segment), range))
            && !pointers(self.image).any(|(_, offset)| range.contains(&offset))
    }

    /// The structures in `needed`, if all of them can move.
    fn movable_from(&self, needed: &Range<u64>) -> Result<Option<Vec<Range<u64>>>, Failure> {
        if !self.stays_loaded(needed) {
            return Ok(None);
        }
        let mut pieces: Vec<Range<u64>> = Vec::new();
        let mut all = movable(self.image, self.sections)?;
        all.sort_by_key(|range| range.start);
        for range in &all {
            match pieces.last_mut() {
                Some(last) if overlap(last, range) => last.end = last.end.max(range.end),
                _ if overlap(range, needed) => pieces.push(range.clone()),
                _ => {}
            }
        }
        let is_inside = |range: &Range<u64>| pieces.iter().any(|piece| contains(piece, range));
        let is_outside = |range: &Range<u64>| !pieces.iter().any(|piece| overlap(piece, range));
        // A table, section or segment can only move as a whole.
        let sections = self.sections.map(Sections::rows).unwrap_or_default();
        let mut rows = sections.iter().map(file_range).filter(|range| !range.is_empty());
        let mut segments = self.segments().map(range_of);
        let mut targets = pointers(self.image);
        let is_table = |offset| all.iter().any(|range| range.start == offset);
        let moves_whole = all.iter().all(|range| is_inside(range) || is_outside(range))
            && rows.all(|range| is_inside(&range) || is_outside(&range))
            && segments.all(|range| is_inside(&range) || is_outside(&range))
            && targets.all(|(tag, offset)| {
                is_outside(&(offset..offset + 1)) || (can_move(tag) && is_table(offset))
            })
            && is_outside(&dynamic_table::range(self.image));
        let mut at = needed.start;
        let mut rest_is_free = true;
        for piece in &pieces {
            rest_is_free &= at >= piece.start || self.is_nobodys(&(at..piece.start));
            at = at.max(piece.end);
        }
        rest_is_free &= at >= needed.end || self.is_nobodys(&(at..needed.end));
        let begins_after = pieces.iter().all(|piece| piece.start >= self.table.end);
        let serves = moves_whole && rest_is_free && begins_after && !pieces.is_empty();
        Ok(serves.then_some(pieces))
    }
}

/// The segments with content of their own: all except those that span others, and the program header table.
fn own_segments<'i>(image: &'i Image<'_>) -> impl Iterator<Item = &'i ProgramHeader> {
    image.segments().iter().filter(|segment| {
        segment.p_filesz > 0 && !matches!(segment.p_type, PT_LOAD | PT_PHDR | PT_NULL)
    })
}

/// Everything in the file that can move: notes, `.interp`, hash tables and symbols.
pub(super) fn movable(
    image: &Image<'_>,
    sections: Option<&Sections>,
) -> Result<Vec<Range<u64>>, Error> {
    let notes = own_segments(image)
        .filter(|segment| matches!(segment.p_type, PT_NOTE | PT_GNU_PROPERTY | PT_INTERP));
    let mut ranges: Vec<Range<u64>> = notes.map(range_of).collect();
    ranges.extend(hash::gnu_table(image)?);
    ranges.extend(hash::sysv_table(image)?);
    ranges.extend(hash::symbol_table(image)?);
    // The section of a table may include padding behind it.
    for range in &mut ranges {
        let rows = sections.map(Sections::rows).unwrap_or_default();
        for section in rows.iter().map(file_range) {
            if section.start == range.start {
                range.end = range.end.max(section.end);
            }
        }
    }
    ranges.retain(|range| range.end <= image.source().len());
    Ok(ranges)
}

/// Can this entry of the dynamic table be redirected, because its table can move?
fn can_move(tag: u64) -> bool {
    matches!(tag, dynamic::DT_HASH | dynamic::DT_GNU_HASH | dynamic::DT_SYMTAB)
}
