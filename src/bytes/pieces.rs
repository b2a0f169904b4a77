//! Small reads of a file, answered from larger ones.

use super::{Error, Source, string_of};
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, OnceLock, PoisonError};

/// A piece that is read around small reads. Headers, the rows of a table and the strings that they
/// name lie close together: where each is a read of its own, a scan makes 40,000, and one edit 1,000.
const PIECE: u64 = 8 << 10;

/// A read of at most this many bytes that begins in the first half of a piece ends within the piece.
const STEP: u64 = PIECE / 2;

/// Most strings are shorter than this, with their NUL.
const USUAL_STRING: u64 = 256;

/// The first pieces of a file, which are kept: what small reads find in them is lent, and not copied.
const MAX_LENT: usize = 8;

/// The pieces that are kept beside these, in turn: the header of a large file, a table, the strings of the table,
/// and one more.
const MAX_RECENT: usize = 4;

/// Where a piece begins, and its bytes.
type Piece = (u64, Vec<u8>);

/// What was read around small reads.
#[derive(Debug, Default)]
pub(crate) struct Pieces {
    lent: [OnceLock<Piece>; MAX_LENT],
    recent: Mutex<VecDeque<Piece>>,
}

/// A small range of a file.
struct Small {
    start: u64,
    len: usize,
}

impl Small {
    /// `None` if the range is not in a file of `len` bytes, or is long.
    fn of(range: &Range<u64>, len: u64) -> Option<Self> {
        if range.start > range.end || range.end > len || range.end - range.start > STEP {
            return None;
        }
        Some(Self { start: range.start, len: usize::try_from(range.end - range.start).ok()? })
    }

    fn within<'p>(&self, (start, bytes): &'p Piece) -> Option<&'p [u8]> {
        let from = usize::try_from(self.start.checked_sub(*start)?).ok()?;
        bytes.as_slice().get(from..from.checked_add(self.len)?)
    }

    /// Reads the piece around it from a file of `len` bytes.
    fn read(&self, len: u64, read: impl Fn(usize, u64) -> Option<Vec<u8>>) -> Option<Piece> {
        let start = self.start - self.start % STEP;
        Some((start, read(usize::try_from(PIECE.min(len - start)).ok()?, start)?))
    }
}

impl Pieces {
    /// The bytes of a range in a file of `len` bytes; `None` if the range is long, or cannot be read with
    /// what is around it by `read`, which returns as many bytes from an offset on as it is given.
    pub(crate) fn small(
        &self,
        len: u64,
        range: &Range<u64>,
        read: impl Fn(usize, u64) -> Option<Vec<u8>>,
    ) -> Option<Cow<'_, [u8]>> {
        let wanted = Small::of(range, len)?;
        for place in &self.lent {
            if place.get().is_none() {
                // If another thread was faster, its piece is kept, and may be another one.
                let _ = place.set(wanted.read(len, &read)?);
            }
            if let Some(bytes) = place.get().and_then(|piece| wanted.within(piece)) {
                return Some(Cow::Borrowed(bytes));
            }
        }
        // Pieces are put in whole.
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = recent.iter().find_map(|piece| wanted.within(piece)) {
            return Some(Cow::Owned(found.to_vec()));
        }
        let piece = wanted.read(len, &read)?;
        recent.truncate(MAX_RECENT - 1);
        recent.push_front(piece);
        let found = recent.front().and_then(|piece| wanted.within(piece))?;
        Some(Cow::Owned(found.to_vec()))
    }

    /// The string from `range.start` on without its NUL, if it ends within the range and is read with what is
    /// around it.
    pub(crate) fn string(
        &self,
        len: u64,
        range: &Range<u64>,
        read: impl Fn(usize, u64) -> Option<Vec<u8>>,
    ) -> Option<Vec<u8>> {
        let short = range.start..range.end.min(range.start.saturating_add(USUAL_STRING));
        let bytes = self.small(len, &short, read)?;
        bytes.get(..memchr::memchr(0, &bytes)?).map(<[u8]>::to_vec)
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
            Some(bytes) => Some(bytes),
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
