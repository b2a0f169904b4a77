//! Edits of a file as data: produced by the formats, shown by a dry run, written by an operation, and
//! inverted by a revert.

use crate::bytes::{self, Source};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

/// One range of the old file, and its content in the new file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Edit {
    /// The range in the old file, as file offsets in bytes. For appended bytes it is empty, at the end of the
    /// old file.
    pub range: Range<u64>,
    /// The new content. If its length differs from that of the range, the rest of the file moves.
    pub new: Content,
}

/// The new bytes of an [`Edit`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Content {
    /// These bytes, as base64 in JSON.
    Bytes(
        #[serde(with = "base64_bytes")]
        #[schemars(with = "String")]
        Vec<u8>,
    ),
    /// The bytes of a range of the old file. Thus the kernel can copy a string table of 70 MB, which is never
    /// held in memory.
    CopyOf(Range<u64>),
    /// Bytes in another file, because they are too large to be held in memory: a member of an archive,
    /// compressed again.
    Kept(Kept),
}

/// A range of another file.
///
/// JSON and `==` only consider the range. The code that keeps the file knows which one it is, and sets it
/// with [`EditSet::keep_in`].
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
#[serde(from = "Range<u64>", into = "Range<u64>")]
#[schemars(with = "Range<u64>")]
pub struct Kept {
    range: Range<u64>,
    file: Option<Arc<dyn Source>>,
}

impl Kept {
    /// A range, in bytes, of a file that is set later.
    #[must_use]
    pub fn new(range: Range<u64>) -> Self {
        Self { range, file: None }
    }

    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    /// Is it empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.range.is_empty()
    }

    /// A part of it, by offsets inside; `None` if the file is not known, or is too short.
    #[must_use]
    pub fn get(&self, part: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if part.start > part.end || part.end > self.len() {
            return None;
        }
        self.file.as_ref()?.get(self.range.start + part.start..self.range.start + part.end)
    }
}

impl From<Range<u64>> for Kept {
    fn from(range: Range<u64>) -> Self {
        Self::new(range)
    }
}

impl From<Kept> for Range<u64> {
    fn from(kept: Kept) -> Self {
        kept.range
    }
}

impl PartialEq for Kept {
    fn eq(&self, other: &Self) -> bool {
        self.range == other.range
    }
}

impl Eq for Kept {}

impl fmt::Debug for Kept {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("Kept").field(&self.range).finish()
    }
}

impl Content {
    /// Length in bytes.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::CopyOf(range) => range.end - range.start,
            Self::Kept(kept) => kept.len(),
        }
    }

    /// Is it empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The reason why a list of edits is not an [`EditSet`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// A range is outside the old file, or its end is before its start.
    #[error("the edit of {start:#x}..{end:#x} is outside a file of {len} bytes")]
    OutOfRange {
        /// Start of the range, in bytes.
        start: u64,
        /// End of the range, in bytes.
        end: u64,
        /// Length of the old file in bytes.
        len: u64,
    },
    /// Two edits overlap.
    #[error("two edits overlap at offset {at:#x}")]
    Overlap {
        /// The first byte in both.
        at: u64,
    },
    /// The new file would exceed the maximum length of a file.
    #[error("the edited file would be too long")]
    TooLong,
}

/// The maximum value of `off_t`.
const MAX_BYTES: u64 = i64::MAX as u64;

/// The edits that turn one file into another.
///
/// They are kept in the order of writing, so that a file that is edited in place loads after every prefix of
/// the sequence. The constructor checks that their ranges are disjoint and inside the old file, and that
/// every `CopyOf` is inside the old file. Edits with the same empty range (several appended pieces) are in
/// the new file in the order of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct EditSet {
    old_len: u64,
    edits: Vec<Edit>,
}

#[derive(Deserialize)]
struct Unchecked {
    old_len: u64,
    edits: Vec<Edit>,
}

impl TryFrom<Unchecked> for EditSet {
    type Error = Invalid;

    fn try_from(from: Unchecked) -> Result<Self, Invalid> {
        Self::new(from.old_len, from.edits)
    }
}

impl EditSet {
    /// The edits of a file of `old_len` bytes, in the order of writing.
    ///
    /// # Errors
    /// If ranges overlap or exceed the file, or the new file would be too long.
    pub fn new(old_len: u64, edits: Vec<Edit>) -> Result<Self, Invalid> {
        for edit in &edits {
            let copied = match &edit.new {
                Content::Bytes(_) => None,
                Content::CopyOf(range) => Some(range),
                Content::Kept(Kept { range, .. }) if range.start <= range.end => None,
                Content::Kept(Kept { range, .. }) => {
                    let (start, end) = (range.start, range.end);
                    return Err(Invalid::OutOfRange { start, end, len: old_len });
                }
            };
            for range in std::iter::once(&edit.range).chain(copied) {
                if range.start > range.end || range.end > old_len {
                    let (start, end) = (range.start, range.end);
                    return Err(Invalid::OutOfRange { start, end, len: old_len });
                }
            }
        }
        let lens = edits.iter().map(|edit| edit.new.len());
        let longest = lens.fold(old_len, u64::saturating_add);
        if longest > MAX_BYTES {
            return Err(Invalid::TooLong);
        }
        let set = Self { old_len, edits };
        for (before, after) in set.by_offset().iter().zip(set.by_offset().iter().skip(1)) {
            if before.range.end > after.range.start {
                return Err(Invalid::Overlap { at: after.range.start });
            }
        }
        Ok(set)
    }

    /// No edits.
    #[must_use]
    pub fn none(old_len: u64) -> Self {
        Self { old_len, edits: Vec::new() }
    }

    /// The edits in the order of writing.
    #[must_use]
    pub fn in_write_order(&self) -> &[Edit] {
        &self.edits
    }

    /// The edits in the order of their ranges.
    #[must_use]
    pub fn by_offset(&self) -> Vec<&Edit> {
        let mut sorted: Vec<&Edit> = self.edits.iter().collect();
        // A stable sort keeps the order of pieces that are appended at the same offset.
        sorted.sort_by_key(|edit| (edit.range.start, edit.range.end));
        sorted
    }

    /// Does the set change nothing?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Length of the old file in bytes.
    #[must_use]
    pub fn old_len(&self) -> u64 {
        self.old_len
    }

    /// Length of the new file in bytes.
    #[must_use]
    pub fn new_len(&self) -> u64 {
        self.edits.iter().fold(self.old_len, |len, edit| {
            len - (edit.range.end - edit.range.start) + edit.new.len()
        })
    }

    /// Bytes of the old file that are replaced.
    #[must_use]
    pub fn bytes_changed(&self) -> u64 {
        self.edits.iter().map(|edit| edit.range.end - edit.range.start).sum()
    }

    /// Bytes by which the file grows.
    #[must_use]
    pub fn bytes_appended(&self) -> u64 {
        self.new_len().saturating_sub(self.old_len)
    }

    /// Does every remaining byte keep its offset, so that the file can be edited in place?
    #[must_use]
    pub fn keeps_offsets(&self) -> bool {
        self.edits.iter().all(|edit| {
            edit.new.len() == edit.range.end - edit.range.start || edit.range.end == self.old_len
        })
    }

    /// The ranges of the new bytes in the new file, in the order of writing.
    #[must_use]
    pub fn new_ranges(&self) -> Vec<Range<u64>> {
        let mut order: Vec<usize> = (0..self.edits.len()).collect();
        order.sort_by_key(|&index| {
            self.edits.get(index).map(|edit| (edit.range.start, edit.range.end))
        });
        let mut ranges = vec![0..0; self.edits.len()];
        let (mut old, mut new) = (0, 0);
        for index in order {
            let Some(edit) = self.edits.get(index) else { continue };
            new += edit.range.start - old;
            old = edit.range.end;
            if let Some(range) = ranges.get_mut(index) {
                *range = new..new + edit.new.len();
            }
            new += edit.new.len();
        }
        ranges
    }

    /// The edits that restore `old` exactly from the new file.
    ///
    /// # Errors
    /// [`Invalid::OutOfRange`] if `old` is not the file that the edits were made for.
    pub fn invert(&self, old: &dyn Source) -> Result<Self, Invalid> {
        let edits = self.edits.iter().zip(self.new_ranges()).map(|(edit, range)| {
            let bytes = old.get(edit.range.clone()).ok_or(Invalid::OutOfRange {
                start: edit.range.start,
                end: edit.range.end,
                len: old.len(),
            })?;
            Ok(Edit { range, new: Content::Bytes(bytes.into_owned()) })
        });
        self.inverse(edits.collect::<Result<_, _>>()?)
    }

    /// The same, without reading the old bytes: they stay in `old`.
    ///
    /// # Errors
    /// As for [`EditSet::invert`].
    pub fn invert_in(&self, old: &Arc<dyn Source>) -> Result<Self, Invalid> {
        let edits = self.edits.iter().zip(self.new_ranges()).map(|(edit, range)| {
            let file = Some(Arc::clone(old));
            Edit { range, new: Content::Kept(Kept { range: edit.range.clone(), file }) }
        });
        self.inverse(edits.collect())
    }

    fn inverse(&self, mut edits: Vec<Edit>) -> Result<Self, Invalid> {
        // Undo the last write first.
        edits.reverse();
        Self::new(self.new_len(), join_deletions(edits))
    }

    /// Sets the file that contains the bytes that edits keep outside of them.
    pub fn keep_in(&mut self, file: &Arc<dyn Source>) {
        for edit in &mut self.edits {
            if let Content::Kept(kept) = &mut edit.new {
                kept.file = Some(Arc::clone(file));
            }
        }
    }

    /// The same edits without their new bytes, which are in the file that the edits produce.
    #[must_use]
    pub fn kept_in_new(&self) -> Self {
        let edits = self.edits.iter().zip(self.new_ranges()).map(|(edit, range)| Edit {
            range: edit.range.clone(),
            new: Content::Kept(Kept::new(range)),
        });
        Self { old_len: self.old_len, edits: edits.collect() }
    }

    /// The same edits, with each content replaced by the result of `place`.
    ///
    /// # Errors
    /// The errors of `place`.
    pub fn with_contents<E>(
        &self,
        mut place: impl FnMut(&Content) -> Result<Content, E>,
    ) -> Result<Self, E> {
        let edits = self.edits.iter().map(|edit| {
            let new = place(&edit.new)?;
            debug_assert_eq!(new.len(), edit.new.len(), "the same bytes in another place");
            Ok(Edit { range: edit.range.clone(), new })
        });
        Ok(Self { old_len: self.old_len, edits: edits.collect::<Result<_, E>>()? })
    }

    /// Does any edit keep its bytes in another file?
    #[must_use]
    pub fn keeps_bytes_elsewhere(&self) -> bool {
        self.edits.iter().any(|edit| matches!(edit.new, Content::Kept(_)))
    }
}

/// Merges deletions of adjacent ranges into one, at the position of the first in the list. Their inverses
/// would be insertions at one offset, whose order the offset does not determine.
fn join_deletions(edits: Vec<Edit>) -> Vec<Edit> {
    let mut joined: Vec<Edit> = Vec::with_capacity(edits.len());
    for edit in edits {
        let neighbour = joined.iter_mut().find(|other| {
            edit.new.is_empty()
                && other.new.is_empty()
                && (other.range.end == edit.range.start || edit.range.end == other.range.start)
        });
        match neighbour {
            Some(other) => {
                other.range =
                    other.range.start.min(edit.range.start)..other.range.end.max(edit.range.end);
            }
            None => joined.push(edit),
        }
    }
    joined
}

/// A file with edits that are not written yet. It borrows or owns the old file.
pub struct Patched<'a, S = &'a dyn Source> {
    old: S,
    /// The pieces of the new file, ascending and without gaps.
    pieces: Vec<(Range<u64>, Piece<'a>)>,
}

enum Piece<'a> {
    /// The piece is in the old file, at this offset.
    Old(u64),
    New(&'a [u8]),
    /// The piece is in another file.
    Kept(&'a Kept),
}

impl<'a, S: Source> Patched<'a, S> {
    /// `old` with `edits` applied, which were made for a file of its length.
    #[must_use]
    pub fn new(old: S, edits: &'a EditSet) -> Self {
        let mut pieces = Vec::new();
        let (mut old_at, mut new_at) = (0, 0);
        let mut push = |len: u64, piece| {
            if len > 0 {
                pieces.push((new_at..new_at + len, piece));
                new_at += len;
            }
        };
        for edit in edits.by_offset() {
            push(edit.range.start - old_at, Piece::Old(old_at));
            match &edit.new {
                Content::Bytes(bytes) => push(bytes.len() as u64, Piece::New(bytes)),
                Content::CopyOf(range) => push(range.end - range.start, Piece::Old(range.start)),
                Content::Kept(kept) => push(kept.len(), Piece::Kept(kept)),
            }
            old_at = edit.range.end;
        }
        push(edits.old_len - old_at, Piece::Old(old_at));
        Self { old, pieces }
    }
}

impl<S: Source> Source for Patched<'_, S> {
    fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |(range, _)| range.end)
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        let first = self.pieces.partition_point(|(piece, _)| piece.end <= range.start);
        let mut joined: Option<Vec<u8>> = None;
        for (piece, content) in self.pieces.get(first..)? {
            if piece.start >= range.end {
                break;
            }
            let start = range.start.max(piece.start);
            let end = range.end.min(piece.end);
            let skip = start - piece.start;
            let part = match content {
                Piece::Old(at) => self.old.get(at + skip..at + skip + (end - start))?,
                Piece::New(bytes) => Source::get(*bytes, skip..skip + (end - start))?,
                Piece::Kept(kept) => kept.get(skip..skip + (end - start))?,
            };
            if start == range.start && end == range.end {
                return Some(part);
            }
            joined.get_or_insert_default().extend_from_slice(&part);
        }
        Some(Cow::Owned(joined.unwrap_or_default()))
    }
}

/// Bytes as base64 in JSON.
pub(crate) mod base64_bytes {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        STANDARD.decode(String::deserialize(from)?).map_err(de::Error::custom)
    }
}

/// Two states of one file. Every byte that is in both has the same offset in both.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    one: &'a dyn Source,
    other: &'a dyn Source,
    /// The edits that produced the second state from the first, if known.
    forth: Option<&'a EditSet>,
    /// The edits that produced the first state from the second, if known.
    back: Option<&'a EditSet>,
}

impl<'a> Pair<'a> {
    /// Two files without known edits.
    #[must_use]
    pub fn new(one: &'a dyn Source, other: &'a dyn Source) -> Self {
        Self { one, other, forth: None, back: None }
    }

    /// A file, and the same file with `edits`, so that only the edited ranges have to be compared. `None` if
    /// the edits move remaining bytes.
    #[must_use]
    pub fn of_edits(
        one: &'a dyn Source,
        other: &'a Patched<'a>,
        edits: &'a EditSet,
    ) -> Option<Self> {
        edits.keeps_offsets().then_some(Self { one, other, forth: Some(edits), back: None })
    }

    /// The same states in reverse order.
    #[must_use]
    pub fn turned(self) -> Self {
        Self { one: self.other, other: self.one, forth: self.back, back: self.forth }
    }

    /// The first state.
    #[must_use]
    pub fn one(&self) -> &'a dyn Source {
        self.one
    }

    /// The second state.
    #[must_use]
    pub fn other(&self) -> &'a dyn Source {
        self.other
    }

    /// Do both contain the same bytes in this range of file offsets?
    #[must_use]
    pub fn is_same_in(&self, range: &Range<u64>) -> bool {
        let inside = |part: &Range<u64>| part.start.max(range.start)..part.end.min(range.end);
        let differing = self.differing();
        let mut parts = differing.iter().map(inside).filter(|part| !part.is_empty());
        parts.all(|part| stands_in_both(self.one, self.other, &part))
    }

    /// Is the second state the result of these edits on the first?
    #[must_use]
    pub fn is_made_by(&self, edits: &EditSet) -> bool {
        if self.forth == Some(edits) {
            return true;
        }
        let made = Patched::new(self.one, edits);
        if !edits.keeps_offsets() || made.len() != self.other.len() {
            return false;
        }
        let mut ranges = self.differing();
        ranges.extend(edits.new_ranges());
        let len = made.len();
        let inside = |range: &Range<u64>| range.start.min(len)..range.end.min(len);
        bytes::joined(&ranges).iter().all(|range| stands_in_both(&made, self.other, &inside(range)))
    }

    /// The file offsets at which the states may differ.
    fn differing(&self) -> Vec<Range<u64>> {
        match self.forth.or(self.back) {
            Some(edits) => {
                let old = edits.in_write_order().iter().map(|edit| edit.range.clone());
                old.chain(edits.new_ranges()).collect()
            }
            None => std::iter::once(0..self.one.len().max(self.other.len())).collect(),
        }
    }
}

/// Do two files contain the same bytes in a range of file offsets?
fn stands_in_both(one: &dyn Source, other: &dyn Source, range: &Range<u64>) -> bool {
    bytes::is_same(one, range.start, other, range.start, range.end - range.start)
}
