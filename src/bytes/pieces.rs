//! Small reads of a file, answered from larger ones.

use super::{Error, Source, string_of};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A piece that is read around small reads. Headers, the rows of a table and the strings that they
/// name lie close together: where each is a read of its own, a scan makes 40,000, and one edit 1,000.
const PIECE: u64 = 8 << 10;

/// A read of at most this many bytes that begins in the first half of a piece ends within the piece.
const STEP: u64 = PIECE / 2;

/// Most strings are shorter than this, with their NUL.
const USUAL_STRING: u64 = 256;

/// The pieces that are kept of a file: its header, a table, the strings of the table, and one more.
const MAX_PIECES: usize = 4;

/// What was read last around small reads: where it begins, and its bytes.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Mutex<VecDeque<(u64, Vec<u8>)>>);

impl Pieces {
    /// The bytes of a range in a file of `len` bytes; `None` if the range is long, or cannot be read with
    /// what is around it by `read`, which returns as many bytes from an offset on as it is given.
    pub(crate) fn small(
        &self,
        len: u64,
        range: &Range<u64>,
        read: impl FnOnce(usize, u64) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        self.with(len, range, read, |bytes, wanted| bytes.get(..wanted).map(<[u8]>::to_vec))?
    }

    /// The string from `range.start` on without its NUL, if it ends within the range and is read with what is
    /// around it.
    pub(crate) fn string(
        &self,
        len: u64,
        range: &Range<u64>,
        read: impl FnOnce(usize, u64) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let short = range.start..range.end.min(range.start.saturating_add(USUAL_STRING));
        self.with(len, &short, read, |bytes, wanted| {
            let bytes = bytes.get(..wanted)?;
            bytes.get(..memchr::memchr(0, bytes)?).map(<[u8]>::to_vec)
        })?
    }

    /// Shows a piece from the start of a range on, and how many bytes of it the range has.
    fn with<T>(
        &self,
        len: u64,
        range: &Range<u64>,
        read: impl FnOnce(usize, u64) -> Option<Vec<u8>>,
        show: impl Fn(&[u8], usize) -> T,
    ) -> Option<T> {
        if range.start > range.end || range.end > len || range.end - range.start > STEP {
            return None;
        }
        let wanted = usize::try_from(range.end - range.start).ok()?;
        let within = |(start, bytes): &(u64, Vec<u8>)| {
            let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
            let bytes =
                bytes.as_slice().get(from..).filter(|bytes| <[u8]>::len(bytes) >= wanted)?;
            Some(show(bytes, wanted))
        };
        // Pieces are put in whole.
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = pieces.iter().find_map(within) {
            return Some(found);
        }
        let start = range.start - range.start % STEP;
        let piece = read(usize::try_from(PIECE.min(len - start)).ok()?, start)?;
        pieces.truncate(MAX_PIECES - 1);
        pieces.push_front((start, piece));
        pieces.front().and_then(within)
    }
}

/// A file whose pieces are kept as long as one question is asked of it: what others write meanwhile is
/// not seen.
pub(crate) struct Piecewise<'a> {
    source: &'a dyn Source,
    pieces: Pieces,
}

impl<'a> Piecewise<'a> {
    pub(crate) fn new(source: &'a dyn Source) -> Self {
        Self { source, pieces: Pieces::default() }
    }

    fn piece(&self, len: usize, at: u64) -> Option<Vec<u8>> {
        Some(self.source.get(at..at + len as u64)?.into_owned())
    }
}

impl Source for Piecewise<'_> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        match self.pieces.small(self.source.len(), &range, |len, at| self.piece(len, at)) {
            Some(bytes) => Some(Cow::Owned(bytes)),
            None => self.source.get(range),
        }
    }

    fn string(&self, offset: u64, limit: u64, what: &'static str) -> Result<Vec<u8>, Error> {
        let range = offset..limit.min(self.source.len());
        let read = |len, at| self.piece(len, at);
        match self.pieces.string(self.source.len(), &range, read) {
            Some(string) => Ok(string),
            None => string_of(self, offset, limit, what),
        }
    }
}
