//! Two states of one object, which an undo record says differ in their search path: do they differ in
//! nothing that an edit of search paths leaves alone?
//!
//! All that a process sees at an address of either state is compared but the headers, the dynamic table,
//! the string table and what may make room for a program header; these are compared by what they say.

use super::postconditions::{entries, others};
use super::program_header_room::movable;
use crate::bytes::Source;
use crate::edit::Known;
use crate::elf::dynamic_table::{self, is_search_path};
use crate::elf::image::Image;
use crate::elf::sections::Sections;
use crate::elf::segments::{header_table, loads, overlap, range_of};
use goblin::elf::dynamic;
use goblin::elf::program_header::{
    PF_X, PT_DYNAMIC, PT_GNU_PROPERTY, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL, PT_PHDR, ProgramHeader,
};
use std::ops::Range;

const CONTENTS: &str = "code or data would change";
const SEGMENTS: &str = "the segments, or the rights of their pages, would change";
const STRINGS: &str = "names would change beside the search path";
const SYMBOLS: &str = "symbols, their hash tables or notes would change";

/// Does the object `then` differ from `now` only in what an edit of search paths changes?
///
/// # Errors
/// With what would change besides.
pub fn check(now: &dyn Source, then: &dyn Source, known: Known<'_>) -> Result<(), &'static str> {
    if known.edits.is_some_and(|edits| !edits.keeps_offsets()) {
        return Err("bytes would move within the file");
    }
    let image = Image::parse(now).map_err(|_| "the file is not an ELF object")?;
    let then = Image::parse(then).map_err(|_| "the result is not an ELF object")?;
    let (header, other) = (image.header(), then.header());
    if (header.e_type, header.e_machine, header.e_entry, header.e_flags)
        != (other.e_type, other.e_machine, other.e_entry, other.e_flags)
    {
        return Err("the ELF header would change");
    }
    if entries(&image) != entries(&then) {
        return Err("the dynamic table would change beyond the search path");
    }
    if others(&image).ok() != others(&then).ok() {
        return Err("names or versions would change beside the search path");
    }
    let both = Both { image: &image, then: &then, known };
    both.check_segments()?;
    both.check_contents()?;
    both.check_strings()?;
    both.check_movable()
}

/// The object as it is, and as it would be.
struct Both<'i, 'a> {
    image: &'i Image<'a>,
    then: &'i Image<'a>,
    known: Known<'i>,
}

/// Is a program header one that an edit adds, replaces or writes anew?
fn may_change(header: &ProgramHeader) -> bool {
    matches!(
        header.p_type,
        PT_LOAD | PT_PHDR | PT_NULL | PT_NOTE | PT_GNU_PROPERTY | PT_INTERP | PT_DYNAMIC
    )
}

/// The addresses of a segment in memory.
fn addresses(load: &ProgramHeader) -> Range<u64> {
    load.p_vaddr..load.p_vaddr.saturating_add(load.p_memsz)
}

impl Both<'_, '_> {
    /// The same segments with the same rights, but for one of data that an edit appends.
    fn check_segments(&self) -> Result<(), &'static str> {
        let others = |image: &Image<'_>| {
            let fixed = image.segments().iter().filter(|header| !may_change(header));
            let key = |header: &ProgramHeader| {
                let ProgramHeader { p_type, p_flags, p_vaddr, p_memsz, .. } = *header;
                (p_type, p_flags, p_vaddr, p_memsz)
            };
            let mut keys: Vec<_> = fixed.map(key).collect();
            keys.sort_unstable();
            keys
        };
        if others(self.image) != others(self.then) {
            return Err(SEGMENTS);
        }
        for (one, other) in [(self.image, self.then), (self.then, self.image)] {
            for (_, load) in loads(one) {
                let mut same = loads(other)
                    .filter(|(_, other)| overlap(&addresses(other), &addresses(load)))
                    .peekable();
                let is_appended = same.peek().is_none();
                let keeps = same.all(|(_, other)| {
                    (other.p_vaddr, other.p_flags) == (load.p_vaddr, load.p_flags)
                });
                if !keeps || (is_appended && !holds_strings(one, load)) {
                    return Err(SEGMENTS);
                }
            }
        }
        Ok(())
    }

    /// What is loaded in both is the same, but for what is compared by what it says.
    fn check_contents(&self) -> Result<(), &'static str> {
        let mut except = said_elsewhere(self.image).ok_or(CONTENTS)?;
        except.extend(said_elsewhere(self.then).ok_or(CONTENTS)?);
        except.sort_by_key(|range| range.start);
        for (_, load) in loads(self.then) {
            let from = load.p_vaddr;
            for (_, other) in loads(self.image).filter(|(_, other)| other.p_vaddr == from) {
                let len = load.p_filesz.min(other.p_filesz);
                for part in without(from..from.saturating_add(len), &except) {
                    let inside = part.start - from;
                    let at = |start: u64| start.checked_add(inside);
                    let (Some(now), Some(then)) = (at(other.p_offset), at(load.p_offset)) else {
                        return Err(CONTENTS);
                    };
                    if !self.is_same(now, then, part.end - part.start) {
                        return Err(CONTENTS);
                    }
                }
            }
        }
        Ok(())
    }

    /// The string tables hold the same where no search path stands.
    fn check_strings(&self) -> Result<(), &'static str> {
        let (now, paths) = strings(self.image).ok_or(STRINGS)?;
        let (then, others) = strings(self.then).ok_or(STRINGS)?;
        let len = (now.end - now.start).min(then.end - then.start);
        let mut except: Vec<Range<u64>> = paths.into_iter().chain(others).collect();
        except.sort_by_key(|range| range.start);
        let mut parts = without(0..len, &except);
        let is_kept = parts.all(|part| {
            self.is_same(now.start + part.start, then.start + part.start, part.end - part.start)
        });
        if is_kept { Ok(()) } else { Err(STRINGS) }
    }

    /// The tables and notes that may move hold the same where they are.
    fn check_movable(&self) -> Result<(), &'static str> {
        for tag in [dynamic::DT_GNU_HASH, dynamic::DT_HASH, dynamic::DT_SYMTAB] {
            let extent = |image: &Image<'_>| super::postconditions::extent_of(image, tag);
            let (now, then) = (extent(self.image), extent(self.then));
            let is_kept = match (&now, &then) {
                (None, None) => true,
                (Some(now), Some(then)) => {
                    let len = now.end - now.start;
                    len == then.end - then.start && self.is_same(now.start, then.start, len)
                }
                _ => false,
            };
            if !is_kept {
                return Err(SYMBOLS);
            }
        }
        // One of two headers that tell of the same note may go.
        let is_note = |header: &&ProgramHeader| {
            header.p_filesz > 0 && matches!(header.p_type, PT_NOTE | PT_GNU_PROPERTY | PT_INTERP)
        };
        for note in self.then.segments().iter().filter(is_note) {
            let mut all = self.image.segments().iter().filter(is_note);
            if !all.any(|other| {
                other.p_filesz == note.p_filesz
                    && self.is_same(other.p_offset, note.p_offset, note.p_filesz)
            }) {
                return Err(SYMBOLS);
            }
        }
        Ok(())
    }

    /// Do the object as it is, at `now`, and as it would be, at `then`, hold the same?
    fn is_same(&self, now: u64, then: u64, len: u64) -> bool {
        let (image, other) = (self.image.source(), self.then.source());
        self.known.is_same((image, now), (other, then), len)
    }
}

/// Is a segment one that an edit appends: of data, with the string table at its end?
fn holds_strings(image: &Image<'_>, load: &ProgramHeader) -> bool {
    let table = image.string_table();
    load.p_flags & PF_X == 0
        && table.is_ok_and(|table| {
            let range = range_of(load);
            range.start <= table.start && table.end <= range.end
        })
}

/// File offsets of the string table, and where in it search paths stand.
fn strings(image: &Image<'_>) -> Option<(Range<u64>, Vec<Range<u64>>)> {
    let table = image.string_table().ok()?;
    let paths = image.dynamic().iter().filter(|entry| is_search_path(entry.tag));
    let ranges = paths.map(|entry| {
        let len = image.string(entry.value, "search path").ok()?.len() as u64;
        Some(entry.value..entry.value.checked_add(len)?.checked_add(1)?)
    });
    Some((table, ranges.collect::<Option<_>>()?))
}

/// The addresses of what is compared by what it says: headers, the dynamic table, the string table, and
/// what may make room for a program header. None where one of them cannot be read.
fn said_elsewhere(image: &Image<'_>) -> Option<Vec<Range<u64>>> {
    let sections = Sections::read(image).ok().flatten();
    let mut ranges = movable(image, sections.as_ref()).ok()?;
    ranges.push(0..u64::from(image.header().e_ehsize));
    ranges.extend(sections.map(|sections| sections.range()));
    ranges.push(header_table(image));
    ranges.push(dynamic_table::range(image));
    ranges.push(image.string_table().ok()?);
    // What is not loaded has no address.
    let address = |range: Range<u64>| {
        loads(image).find_map(|(_, load)| {
            let inside = range_of(load);
            let start = range.start.max(inside.start);
            let end = range.end.min(inside.end);
            (start < end).then(|| {
                let to = |offset: u64| load.p_vaddr.saturating_add(offset - load.p_offset);
                to(start)..to(end)
            })
        })
    };
    Some(ranges.into_iter().filter_map(address).collect())
}

/// What is left of a range without others, which are sorted by their starts.
fn without(range: Range<u64>, except: &[Range<u64>]) -> impl Iterator<Item = Range<u64>> {
    let mut left = Vec::new();
    let mut at = range.start;
    for other in except.iter().filter(|other| overlap(other, &range)) {
        if at < other.start {
            left.push(at..other.start);
        }
        at = at.max(other.end);
    }
    if at < range.end {
        left.push(at..range.end);
    }
    left.into_iter()
}
