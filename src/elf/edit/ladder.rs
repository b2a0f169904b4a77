//! The ladder of strategies: they are tried in order, and the first one that works is used.

use super::headers::Headers;
use super::preconditions;
use super::refusal::Refusal;
use super::request::{Failure, Method};
use super::strategies::{append_to_tail, in_place, move_last_segment, new_segment};
use super::table::Table;
use super::wanted::Wanted;
use crate::bytes;
use crate::edit::{Content, Edit};
use crate::elf::dynamic_table;
use crate::elf::image::Image;
use crate::elf::segments::overlap;
use goblin::elf::program_header::PT_GNU_STACK;
use std::ops::Range;

/// The result of one rung of the ladder.
pub(in crate::elf) struct Steps {
    pub(in crate::elf) method: Method,
    pub(in crate::elf) edits: Vec<Edit>,
    /// Is the edit invisible to a process that runs the file, apart from the dynamic table?
    pub(in crate::elf) is_unseen: bool,
    /// Does the file load after every prefix of the edits?
    pub(in crate::elf) loads_throughout: bool,
    /// File offsets of the old strings and related fields that are overwritten.
    pub(in crate::elf) slots: Vec<Range<u64>>,
    /// The ranges that the edits were computed from, in addition to those that every edit relies on.
    pub(in crate::elf) sources: Vec<Range<u64>>,
}

impl Steps {
    fn new(method: Method, edits: Vec<Edit>) -> Self {
        Self {
            method,
            edits,
            is_unseen: true,
            loads_throughout: true,
            slots: Vec::new(),
            sources: Vec::new(),
        }
    }
}

/// The first rung of the ladder that works.
///
/// # Errors
/// If no rung works, or a table that has to be read is malformed.
pub(in crate::elf) fn climb(image: &Image<'_>, wanted: &Wanted) -> Result<Steps, Failure> {
    let table = Table::of(image, wanted)?;
    let more = table.len().saturating_sub(image.dynamic().len());
    let ladder = Ladder {
        image,
        wanted,
        headers: table.headers(image, wanted),
        table,
        copies_dynamic: more > dynamic_table::spares(image),
        interpreter: Interpreter::of(image, wanted),
    };
    if !ladder.copies_dynamic
        && !matches!(ladder.interpreter, Interpreter::Longer(_))
        && let Some(steps) = ladder.stay()?
    {
        return Ok(steps);
    }
    preconditions::check_payload(image)?;
    ladder.grow()
}

/// How the interpreter's name changes.
enum Interpreter {
    Stays,
    /// The new name overwrites the old one and is padded with NULs: the kernel requires a NUL at the end of
    /// the segment, and every reader stops at the first one.
    Over(Range<u64>, Vec<u8>),
    /// The name is written to a new place.
    Longer(Vec<u8>),
}

impl Interpreter {
    fn of(image: &Image<'_>, wanted: &Wanted) -> Self {
        let (Some(path), Some(range)) = (&wanted.interpreter, image.interpreter_range()) else {
            return Self::Stays;
        };
        let mut bytes = path.clone();
        let room = range.end.saturating_sub(range.start);
        if path.len() as u64 >= room {
            bytes.push(0);
            return Self::Longer(bytes);
        }
        bytes.resize(room as usize, 0);
        Self::Over(range, bytes)
    }

    fn edit(&self) -> Option<Edit> {
        let Self::Over(range, bytes) = self else { return None };
        Some(Edit { range: range.clone(), new: Content::Bytes(bytes.clone()) })
    }
}

/// The future position of a new string.
enum Place {
    /// At this offset of the string table.
    Known(u64),
    /// This far behind the end of the string table.
    Behind(u64),
}

struct Ladder<'i, 'a> {
    image: &'i Image<'a>,
    wanted: &'i Wanted,
    table: Table,
    headers: Headers,
    /// Does the dynamic table lack room for the added entries?
    copies_dynamic: bool,
    interpreter: Interpreter,
}

impl Ladder<'_, '_> {
    /// Edits without new bytes: strings overwrite those that they replace, or are already in the table.
    fn stay(&self) -> Result<Option<Steps>, Failure> {
        let image = self.image;
        let is_shorter = self.table.len() < image.dynamic().len();
        let mut steps =
            Steps::new(if is_shorter { Method::Remove } else { Method::Fields }, Vec::new());
        let mut offsets = Vec::new();
        for string in self.table.strings() {
            let len = string.bytes.len();
            let slot = match string.replaces {
                Some(index) => in_place::find(image, index, len as u64)?,
                None => None,
            };
            let entry = string.replaces.and_then(|index| image.dynamic().get(index));
            if let (Some(slot), Some(entry)) = (slot, entry) {
                let mut bytes = string.bytes.clone();
                bytes.resize((slot.end - slot.start) as usize, 0);
                // If only the tag changes, the string stays as it is.
                if image.source().get(slot.clone()).as_deref() != Some(&bytes) {
                    let new = Content::Bytes(bytes);
                    steps.edits.push(Edit { range: slot.clone(), new });
                }
                steps.slots.push(slot);
                steps.method = Method::Slot;
                offsets.push(entry.value);
            } else if let Some(value) = in_place::elsewhere(image, &string.bytes)? {
                if steps.method != Method::Slot {
                    steps.method = Method::Repoint;
                }
                steps.sources.push(string_range(image, value, len)?);
                offsets.push(value);
            } else {
                return Ok(None);
            }
        }
        // A string that is overwritten cannot be reused for another entry.
        let named: Vec<&Range<u64>> = steps.sources.iter().chain(&steps.slots).collect();
        let is_named_twice = |slot| named.iter().filter(|it| overlap(slot, it)).count() > 1;
        if steps.slots.iter().any(is_named_twice) {
            return Ok(None);
        }
        let entries = self.table.entries(&offsets);
        steps.edits.extend(dynamic_table::edits(image, &entries));
        steps.edits.extend(self.besides(&offsets)?);
        Ok(Some(steps))
    }

    /// Edits that append bytes to the file.
    fn grow(&self) -> Result<Steps, Failure> {
        let image = self.image;
        let mut bytes = Vec::new();
        let mut places = Vec::new();
        let mut sources = Vec::new();
        for string in self.table.strings() {
            let known = match self.copies_dynamic {
                true => None,
                false => in_place::elsewhere(image, &string.bytes)?,
            };
            if let Some(value) = known {
                sources.push(string_range(image, value, string.bytes.len())?);
                places.push(Place::Known(value));
                continue;
            }
            if places.iter().any(|place| matches!(place, Place::Behind(_))) {
                bytes.push(0);
            }
            places.push(Place::Behind(bytes.len() as u64));
            bytes.extend(&string.bytes);
        }
        let offsets = |end: u64| -> Vec<u64> {
            let placed = places.iter().map(|place| match place {
                Place::Known(value) => *value,
                Place::Behind(distance) => end + distance,
            });
            placed.collect()
        };
        let entries = |end: u64| self.table.entries(&offsets(end));
        if let Some((end, edits)) = self.extend_tail(&bytes, entries)? {
            let mut steps = Steps { sources, ..Steps::new(Method::ExtendTail, edits) };
            steps.edits.extend(self.besides(&offsets(end))?);
            return Ok(steps);
        }
        if self.wanted.stack.is_some() && image.segment(PT_GNU_STACK).is_none() {
            return Err(Refusal::NoStackHeader.into());
        }
        let interpreter = match &self.interpreter {
            Interpreter::Stays => None,
            Interpreter::Over(_, path) | Interpreter::Longer(path) => Some(path.as_slice()),
        };
        let besides = new_segment::Besides { headers: &self.headers, interpreter };
        let table = image.string_table()?;
        let end = table.end - table.start;
        let new = new_segment::append(image, &bytes, entries, self.copies_dynamic, besides)?;
        let mut edits = new.edits;
        edits.extend(self.table.version_edits(image, &offsets(end))?);
        sources.extend(new.sources);
        let method = match new.moves_headers {
            true => Method::NewSegmentWithHeaders,
            false => Method::NewSegment,
        };
        Ok(Steps {
            is_unseen: new.is_unseen,
            loads_throughout: new.loads_throughout,
            sources,
            ..Steps::new(method, edits)
        })
    }

    /// The edits that put `bytes` behind the string table, either where it is or where its segment moves to,
    /// and their offset in the table.
    fn extend_tail(
        &self,
        bytes: &[u8],
        entries: impl Fn(u64) -> dynamic_table::Entries,
    ) -> Result<Option<(u64, Vec<Edit>)>, Failure> {
        let image = self.image;
        if self.copies_dynamic || matches!(self.interpreter, Interpreter::Longer(_)) {
            return Ok(None);
        }
        if let Some(tail) = append_to_tail::find(image)? {
            let end = tail.offset;
            if let Some(edits) = tail.append(image, bytes, entries(end)) {
                return Ok(Some((end, edits)));
            }
        }
        // The bytes that move are a copy of the old ones, in which nothing else can be changed, and their
        // headers are rewritten completely.
        let wanted = self.wanted;
        let is_all = wanted.version_files.is_none()
            && wanted.stack.is_none()
            && matches!(self.interpreter, Interpreter::Stays);
        if is_all && let Some(carried) = move_last_segment::find(image)? {
            let end = carried.offset;
            let edits = carried.append(image, bytes, entries(end));
            return Ok(edits.map(|edits| (end, edits)));
        }
        Ok(None)
    }

    /// The changes apart from the dynamic table and its strings, if everything stays where it is.
    fn besides(&self, offsets: &[u64]) -> Result<Vec<Edit>, Failure> {
        let image = self.image;
        let mut edits = self.table.version_edits(image, offsets)?;
        edits.extend(self.interpreter.edit());
        edits.extend(self.headers.edit_of_header());
        edits.extend(self.headers.edits_of_segments(image)?);
        edits.extend(self.headers.edits_of_rows(image)?);
        Ok(edits)
    }
}

/// The file offsets of a string in the string table, including its NUL.
///
/// # Errors
/// If there is no string table.
pub(in crate::elf) fn string_range(
    image: &Image<'_>,
    value: u64,
    len: usize,
) -> Result<Range<u64>, bytes::Error> {
    let start = image.string_table()?.start + value;
    Ok(start..start + len as u64 + 1)
}
