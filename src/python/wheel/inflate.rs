//! A deflated member as a [`Source`]: read piecewise, and no further than requested.
//!
//! A loader reads the first and a few other kilobytes of an object, even of a gigabyte. So no whole
//! member is inflated into memory or onto the disk: requested pieces are kept as long as there is
//! space, and the state of the decoder is saved every few megabytes, so that going back does not
//! start from the beginning.

use super::error::Why;
use crate::bytes::Source;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Length of a piece in bytes; the decoder looks back half as far.
const PIECE: usize = 64 << 10;
/// The decoder's state is saved after this number of pieces.
const PIECES_BETWEEN: u64 = 64;
/// The most pieces that are kept, of all members together: 128 MB.
const MAX_PIECES: usize = 2048;
/// Compressed bytes that are read at once.
const INPUT: u64 = 64 << 10;
/// A read of more pieces than this is one of the whole member, and is not repeated.
const MAX_PIECES_KEPT_OF_ONE: u64 = 4;

/// The kept pieces of all members of a wheel.
#[derive(Default)]
pub(super) struct Pieces(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    pieces: HashMap<(usize, u64), Arc<[u8]>>,
    /// The oldest first.
    order: VecDeque<(usize, u64)>,
}

impl Pieces {
    fn get(&self, key: (usize, u64)) -> Option<Arc<[u8]>> {
        lock(&self.0).pieces.get(&key).cloned()
    }

    fn keep(&self, key: (usize, u64), piece: &Arc<[u8]>) {
        let mut kept = lock(&self.0);
        if kept.pieces.insert(key, Arc::clone(piece)).is_none() {
            kept.order.push_back(key);
        }
        while kept.order.len() > MAX_PIECES {
            if let Some(oldest) = kept.order.pop_front() {
                kept.pieces.remove(&oldest);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The state of the decoder of one member, and saved states.
#[derive(Default)]
pub(super) struct Progress(Mutex<States>);

#[derive(Default)]
struct States {
    now: Option<Decoder>,
    /// Ascending.
    noted: Vec<Decoder>,
}

/// A decoder between two pieces.
#[derive(Clone)]
struct Decoder {
    state: Box<DecompressorOxide>,
    /// The last piece, of which the next one may repeat parts.
    window: Vec<u8>,
    /// Compressed bytes that were consumed.
    used: u64,
    /// Pieces that were made.
    made: u64,
}

impl Decoder {
    fn new() -> Self {
        Self { state: Box::default(), window: vec![0; PIECE], used: 0, made: 0 }
    }

    /// Makes the next piece, which is `wanted` bytes long and the `last` one or not.
    fn next(
        &mut self,
        archive: &dyn Source,
        data: &Range<u64>,
        wanted: usize,
        last: bool,
    ) -> Result<(), Why> {
        let mut filled = 0;
        loop {
            let start = data.start + self.used;
            let input = archive.read(start, INPUT.min(data.end - start), "compressed bytes")?;
            let rest = data.end - start > input.len() as u64;
            let flags = if rest { inflate_flags::TINFL_FLAG_HAS_MORE_INPUT } else { 0 };
            let (status, taken, given) =
                decompress(&mut self.state, &input, &mut self.window, filled, flags);
            self.used += taken as u64;
            filled += given;
            match status {
                TINFLStatus::Done if filled == wanted && last => break,
                TINFLStatus::Done if filled <= wanted => {
                    return Err(Why::Damaged("they end too early"));
                }
                TINFLStatus::HasMoreOutput if !last => break,
                // The end is only seen by asking for more.
                TINFLStatus::HasMoreOutput if filled == wanted && self.is_done(&input, taken) => {
                    break;
                }
                TINFLStatus::Done | TINFLStatus::HasMoreOutput => {
                    return Err(Why::Damaged("they are more than the directory says"));
                }
                TINFLStatus::NeedsMoreInput if rest && (taken > 0 || given > 0) => {}
                _ => return Err(Why::Damaged("they are not a deflate stream")),
            }
        }
        self.made += 1;
        Ok(())
    }
}

impl Decoder {
    /// Is the input at its end after the `taken` bytes?
    fn is_done(&self, input: &[u8], taken: usize) -> bool {
        let mut copy = self.clone();
        let rest = input.get(taken..).unwrap_or_default();
        let (status, _, given) = decompress(&mut copy.state, rest, &mut copy.window, 0, 0);
        status == TINFLStatus::Done && given == 0
    }
}

/// Receives the reason why bytes of a member cannot be read: a [`Source`] can only say that they do
/// not exist.
pub(super) trait Complain: Send + Sync {
    fn complain(&self, member: usize, why: Why);
}

/// A deflated member.
pub(super) struct Deflated<'a> {
    pub(super) archive: &'a dyn Source,
    /// Its compressed bytes.
    pub(super) data: Range<u64>,
    /// Length when inflated.
    pub(super) len: u64,
    /// Which member of the wheel it is.
    pub(super) index: usize,
    pub(super) pieces: &'a Pieces,
    pub(super) progress: &'a Progress,
    /// Receives the reason why bytes cannot be read.
    pub(super) complain: &'a dyn Complain,
}

impl Deflated<'_> {
    fn piece(&self, number: u64, keep: bool) -> Result<Arc<[u8]>, Why> {
        let key = (self.index, number);
        if let Some(piece) = self.pieces.get(key) {
            return Ok(piece);
        }
        let mut states = lock(&self.progress.0);
        let mut decoder = match states.now.take() {
            Some(now) if now.made <= number => now,
            _ => Decoder::new(),
        };
        let noted = states.noted.iter().rfind(|noted| noted.made <= number);
        if let Some(noted) = noted.filter(|noted| noted.made > decoder.made) {
            decoder.clone_from(noted);
        }
        while decoder.made <= number {
            let start = decoder.made * PIECE as u64;
            let left = self.len.saturating_sub(start);
            let last = left <= PIECE as u64;
            let wanted = usize::try_from(left).unwrap_or(PIECE).min(PIECE);
            decoder.next(self.archive, &self.data, wanted, last)?;
            let is_new = states.noted.last().is_none_or(|noted| noted.made < decoder.made);
            if is_new && decoder.made.is_multiple_of(PIECES_BETWEEN) && !last {
                states.noted.push(decoder.clone());
            }
            if decoder.made > number {
                let piece: Arc<[u8]> = decoder.window.iter().take(wanted).copied().collect();
                states.now = Some(decoder).filter(|_| !last);
                drop(states);
                if keep {
                    self.pieces.keep(key, &piece);
                }
                return Ok(piece);
            }
        }
        Err(Why::Damaged("they end too early"))
    }
}

impl Source for Deflated<'_> {
    fn len(&self) -> u64 {
        self.len
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        let len = range.end - range.start;
        let mut bytes = Vec::with_capacity(usize::try_from(len).ok()?);
        let keep = len <= MAX_PIECES_KEPT_OF_ONE * PIECE as u64;
        let mut at = range.start;
        while at < range.end {
            let number = at / PIECE as u64;
            let start = number * PIECE as u64;
            let piece = match self.piece(number, keep) {
                Ok(piece) => piece,
                Err(why) => {
                    self.complain.complain(self.index, why);
                    return None;
                }
            };
            let end = range.end.min(start + piece.len() as u64);
            bytes.extend_from_slice(&Source::get(&*piece, at - start..end - start)?);
            at = end;
        }
        Some(Cow::Owned(bytes))
    }
}
