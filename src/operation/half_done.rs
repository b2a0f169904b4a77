//! A file whose edit in place was interrupted.

use super::file_source::{FileSource, through};
use super::journal::{Change, Step};
use super::write::fits_in_place;
use crate::bytes::{self, Source as _};
use crate::edit::{Content, Edit, EditSet, Patched};
use std::borrow::Cow;
use std::ops::Range;

/// The edits that restore the old bytes, whichever part of an edit in place was written. `None` if the step
/// was not done in place.
pub(super) fn way_back(step: &Step, source: &FileSource) -> Option<EditSet> {
    if !fits_in_place(&step.changes) {
        return None;
    }
    match step.changes.as_slice() {
        [change] if change.edits.new_len() >= change.edits.old_len() => {
            way_back_from_growth(change, source.len())
        }
        changes => way_back_from_overwriting(changes, source),
    }
}

/// Could the file be the result of interrupting the writes of a step: all edits up to one are complete, a
/// prefix of that one is written, and none after it? `back` restores the old file. Appended bytes are not
/// examined, because they are truncated.
///
/// A write that a power cut tears in another way, in the middle of two pages, is not recognised, because then
/// any mixture of old and new bytes would be acceptable.
pub(super) fn is_on_the_way(step: &Step, source: &FileSource, back: &EditSet) -> bool {
    let mut states = vec![back];
    let mut is_stopped = false;
    for change in &step.changes {
        let edits = &change.edits;
        let is_inside = |edit: &&Edit| edit.range.start < edits.old_len();
        for edit in edits.in_write_order().iter().filter(is_inside) {
            let range = edit.range.start..edit.range.end.min(source.len());
            let old =
                through(source, &states, &mut |old| old.get(range.clone()).map(Cow::into_owned));
            let new = through(source, &states, &mut |old| {
                let new = Patched::new(old, edits);
                new.get(range.start..range.end.min(new.len())).map(Cow::into_owned)
            });
            let (Some(old), Some(new), Some(found)) = (old, new, source.get(range)) else {
                return false;
            };
            let written = found.iter().zip(&new).take_while(|(found, new)| found == new).count();
            let is_whole = written == found.len() && written == new.len();
            let is_right = match is_stopped {
                true => *found == *old,
                false => is_whole || found.iter().skip(written).eq(old.iter().skip(written)),
            };
            if !is_right {
                return false;
            }
            is_stopped |= !is_whole;
        }
        states.push(edits);
    }
    true
}

/// The appended bytes may be incomplete; the file has `len` bytes now.
fn way_back_from_growth(change: &Change, len: u64) -> Option<EditSet> {
    let old_len = change.edits.old_len();
    if len < old_len || len > change.edits.new_len() {
        return None;
    }
    let undo = change.undo.in_write_order().iter().filter_map(|edit| {
        let range = edit.range.start.min(len)..edit.range.end.min(len);
        let new = edit.new.clone();
        (!range.is_empty() || !new.is_empty()).then_some(Edit { range, new })
    });
    EditSet::new(len, undo.collect()).ok().filter(|edits| edits.new_len() == old_len)
}

/// Truncation comes last, so the file has its old length, and differs only in bytes that the edits write.
/// Writing all of them produces the new file, from which the old one can be computed.
fn way_back_from_overwriting(changes: &[Change], source: &FileSource) -> Option<EditSet> {
    let len = source.len();
    if changes.first()?.edits.old_len() != len {
        return None;
    }
    let there = changes.iter().map(|change| &change.edits);
    let back = changes.iter().rev().map(|change| &change.undo);
    let written: Vec<_> = there.clone().flat_map(EditSet::new_ranges).collect();
    let ranges = bytes::joined(&written);
    let edits = through(source, &there.chain(back).collect::<Vec<_>>(), &mut |old| {
        let edit = |range: &Range<u64>| {
            let new = Content::Bytes(old.get(range.clone())?.into_owned());
            Some(Edit { range: range.clone(), new })
        };
        ranges.iter().map(edit).collect::<Option<Vec<_>>>()
    });
    EditSet::new(len, edits?).ok()
}

/// Are the bytes complete that an edit in place copies within the file? The lock does not cover them.
pub(super) fn copies_are_complete(step: &Step, source: &FileSource) -> bool {
    let [change] = step.changes.as_slice() else { return true };
    if !fits_in_place(&step.changes) {
        return true;
    }
    let edits = change.edits.in_write_order().iter().zip(change.edits.new_ranges());
    edits.into_iter().all(|(edit, range)| {
        let Content::CopyOf(from) = &edit.new else { return true };
        bytes::is_same(source, from.start, source, range.start, from.end - from.start)
    })
}
