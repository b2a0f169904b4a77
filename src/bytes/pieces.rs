//! Small reads of a file, answered from larger ones.

use super::Source;
use std::borrow::Cow;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

/// A piece that is read around small reads. Headers, the rows of a table and the strings that they
/// name lie close together: where each is a read of its own, a scan makes 40,000, and one edit 1,000.
const PIECE: u64 = 8 << 10;

/// A read of at most this many bytes that begins in the first half of a piece ends within the piece.
const STEP: u64 = PIECE / 2;

/// The pieces that are kept of a file: its header, a table, the strings of the table, and one more.
const MAX_PIECES: usize = 4;

/// What was read last around small reads: where it begins, and its bytes.
#[derive(Debug, Default)]
pub(crate) struct Pieces(Mutex<VecDeque<(u64, Vec<u8>)>>);

impl Pieces {
    /// The bytes of a range in a file of `len` bytes; `None` if the range is long, or cannot be read with
    /// what is around it by `read`, which fills a buffer with the bytes from an offset on.
    pub(crate) fn small(
        &self,
        len: u64,
        range: &Range<u64>,
        read: impl FnOnce(&mut [u8], u64) -> Option<()>,
    ) -> Option<Vec<u8>> {
        if range.start > range.end || range.end > len || range.end - range.start > STEP {
            return None;
        }
        let within = |(start, bytes): &(u64, Vec<u8>)| {
            let from = usize::try_from(range.start.checked_sub(*start)?).ok()?;
            let to = usize::try_from(range.end - *start).ok()?;
            bytes.as_slice().get(from..to).map(<[u8]>::to_vec)
        };
        // Pieces are put in whole.
        let mut pieces = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = pieces.iter().find_map(within) {
            return Some(found);
        }
        let start = range.start - range.start % STEP;
        let mut piece = vec![0; usize::try_from(PIECE.min(len - start)).ok()?];
        read(&mut piece, start)?;
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
}

impl Source for Piecewise<'_> {
    fn len(&self) -> u64 {
        self.source.len()
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        let read = |piece: &mut [u8], at: u64| {
            let bytes = self.source.get(at..at + piece.len() as u64)?;
            piece.copy_from_slice(&bytes);
            Some(())
        };
        match self.pieces.small(self.source.len(), &range, read) {
            Some(bytes) => Some(Cow::Owned(bytes)),
            None => self.source.get(range),
        }
    }
}
