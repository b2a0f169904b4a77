//! Checked reads of a file's bytes.
//!
//! Everything that looks at an object goes through a [`Source`]: a file, a buffer, or a file seen
//! through edits that are not written yet. A read names what it wants, so that malformed input becomes
//! an [`Error`] with a file offset and never a panic.

mod pieces;
mod together;
mod wildcards;

pub(crate) use pieces::{Pieces, Piecewise};
pub(crate) use together::read_together;
pub(crate) use wildcards::fits_wildcards;

use std::borrow::Cow;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Malformed input: what was being read, where, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} at offset {offset:#x}: {problem}")]
pub struct Error {
    /// The structure that was being read, in the format's own words.
    pub what: &'static str,
    /// File offset in bytes.
    pub offset: u64,
    /// What is wrong there.
    pub problem: Problem,
}

/// What can be wrong with a structure of a file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The structure reaches past the end of the file.
    #[error("needs {needed} bytes, the file has {available} from there on")]
    Truncated {
        /// Bytes that the structure takes.
        needed: u64,
        /// Bytes from its offset to the end of the file.
        available: u64,
    },
    /// The file is longer than any of its kind, and is not read.
    #[error("it exceeds the limit of {limit} bytes")]
    TooLong {
        /// The most bytes that are read.
        limit: u64,
    },
    /// There is more of it than is read: how much that is.
    #[error("{0}")]
    TooMuch(Excess),
    /// A string has no terminating NUL inside its table.
    #[error("the string does not end within its table")]
    Unterminated,
    /// A field holds a value that the format does not allow, or that is not supported.
    #[error("{0}")]
    Invalid(&'static str),
}

/// What there is more of than is read, with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// Entries of a table.
    #[error("more than {0} entries")]
    Entries(u64),
    /// Strings of a table, in bytes.
    #[error("strings of more than {} MiB", .0 >> 20)]
    Strings(u64),
    /// Load commands, in bytes.
    #[error("more than {} MiB of load commands", .0 >> 20)]
    LoadCommands(u64),
    /// A table, in bytes.
    #[error("more than {} MiB", .0 >> 20)]
    Table(u64),
}

impl Error {
    /// An [`Error`] about a field's value.
    #[must_use]
    pub fn invalid(what: &'static str, offset: u64, why: &'static str) -> Self {
        Self { what, offset, problem: Problem::Invalid(why) }
    }
}

/// The bytes of one file, read piecewise.
pub trait Source: Send + Sync {
    /// Length in bytes.
    fn len(&self) -> u64;

    /// The bytes of `range`, or `None` where it is not wholly inside the file. Borrowed where the
    /// bytes lie together in memory.
    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>>;

    /// Is the file empty?
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// `len` bytes at `offset`.
    ///
    /// # Errors
    /// [`Problem::Truncated`] where they reach past the end.
    fn read(&self, offset: u64, len: u64, what: &'static str) -> Result<Cow<'_, [u8]>, Error> {
        offset.checked_add(len).and_then(|end| self.get(offset..end)).ok_or_else(|| Error {
            what,
            offset,
            problem: Problem::Truncated {
                needed: len,
                available: self.len().saturating_sub(offset),
            },
        })
    }

    /// The NUL-terminated string at `offset`, without its NUL, which must stand before file offset
    /// `limit`.
    ///
    /// # Errors
    /// [`Problem::Unterminated`] where no NUL stands before `limit` or the end of the file.
    fn string(&self, offset: u64, limit: u64, what: &'static str) -> Result<Vec<u8>, Error> {
        string_of(self, offset, limit, what)
    }
}

/// The NUL-terminated string at `offset` of a file, read piece by piece.
pub(crate) fn string_of(
    source: &(impl Source + ?Sized),
    offset: u64,
    limit: u64,
    what: &'static str,
) -> Result<Vec<u8>, Error> {
    // Names are short: small pieces keep the pages touched few in a string table of 70 MB.
    const PIECE: u64 = 256;
    let limit = limit.min(source.len());
    let mut found = Vec::new();
    let mut at = offset;
    while at < limit {
        let piece = source.read(at, PIECE.min(limit - at), what)?;
        if let Some(end) = memchr::memchr(0, &piece) {
            found.extend(piece.iter().take(end));
            return Ok(found);
        }
        at += piece.len() as u64;
        found.extend_from_slice(&piece);
    }
    Err(Error { what, offset, problem: Problem::Unterminated })
}

/// The ranges in ascending order, overlapping and neighbouring ones as one, empty ones left out.
#[must_use]
pub fn joined(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut sorted: Vec<_> =
        ranges.iter().filter(|range| range.start < range.end).cloned().collect();
    sorted.sort_by_key(|range| range.start);
    let mut joined: Vec<Range<u64>> = Vec::with_capacity(sorted.len());
    for range in sorted {
        match joined.last_mut() {
            Some(last) if last.end >= range.start => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}

impl Source for [u8] {
    fn len(&self) -> u64 {
        <[u8]>::len(self) as u64
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        let start = usize::try_from(range.start).ok()?;
        let end = usize::try_from(range.end).ok()?;
        <[u8]>::get(self, start..end).map(Cow::Borrowed)
    }
}

impl Source for Vec<u8> {
    fn len(&self) -> u64 {
        Source::len(self.as_slice())
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        Source::get(self.as_slice(), range)
    }
}

impl<S: Source + ?Sized> Source for &S {
    fn len(&self) -> u64 {
        S::len(self)
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        S::get(self, range)
    }

    fn string(&self, offset: u64, limit: u64, what: &'static str) -> Result<Vec<u8>, Error> {
        S::string(self, offset, limit, what)
    }
}

impl<S: Source + ?Sized> Source for Box<S> {
    fn len(&self) -> u64 {
        S::len(self)
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        S::get(self, range)
    }

    fn string(&self, offset: u64, limit: u64, what: &'static str) -> Result<Vec<u8>, Error> {
        S::string(self, offset, limit, what)
    }
}

/// Files are compared in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// Do two files hold the same `len` bytes, the one from `at` on and the other from `other_at`? What cannot
/// be read is not the same.
#[must_use]
pub fn is_same(one: &dyn Source, at: u64, other: &dyn Source, other_at: u64, len: u64) -> bool {
    let mut done = 0;
    while done < len {
        let size = PIECE.min(len - done);
        let read = |source: &dyn Source, at: u64| -> Option<Vec<u8>> {
            let start = at.checked_add(done)?;
            Some(source.get(start..start.checked_add(size)?)?.into_owned())
        };
        match (read(one, at), read(other, other_at)) {
            (Some(one), Some(other)) if one == other => done += size,
            _ => return false,
        }
    }
    true
}

/// A path as it is in a line for people.
#[must_use]
pub fn shown(path: &Path) -> String {
    printable(path.as_os_str().as_bytes())
}

/// A name, a path or a text of any bytes as part of one line for people: what is not UTF-8 is
/// replaced, and what [`is_inert`] refuses is escaped, so that no file name breaks a line, commands a
/// terminal, or looks like another one.
#[must_use]
pub fn printable(bytes: &[u8]) -> String {
    printed(bytes).into_owned()
}

/// The same, borrowed where nothing is escaped.
pub(crate) fn printed(bytes: &[u8]) -> Cow<'_, str> {
    // Nearly every name is plain, and is used unchanged. It is short: without a way out in the middle many of its bytes
    // are compared at once.
    let is_odd = bytes.iter().fold(false, |odd, byte| odd | !matches!(byte, b' '..=b'~'));
    if !is_odd && let Ok(plain) = str::from_utf8(bytes) {
        return Cow::Borrowed(plain);
    }
    let mut shown = String::with_capacity(bytes.len());
    for character in String::from_utf8_lossy(bytes).chars() {
        if is_inert(character) {
            shown.push(character);
        } else {
            shown.extend(character.escape_default());
        }
    }
    Cow::Owned(shown)
}

/// Does a character only ever print itself? Control characters (C0, DEL and C1) command terminals, line
/// and paragraph separators break lines, bidirectional controls change the order in which the others
/// are read, and what has no width hides (Unicode's `Default_Ignorable_Code_Point` and the interlinear
/// annotations).
#[must_use]
pub fn is_inert(character: char) -> bool {
    !character.is_control()
        && !matches!(
            character,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

/// A word of a command as a shell takes it: as it is, or [`in_shell_quotes`].
#[must_use]
pub fn shell_word(word: &[u8]) -> String {
    let is_plain = |c: char| {
        c.is_ascii_alphanumeric() || "/._-+@%,:=".contains(c) || (!c.is_ascii() && is_inert(c))
    };
    match str::from_utf8(word) {
        Ok(text) if !text.is_empty() && text.chars().all(is_plain) => text.to_owned(),
        _ => in_shell_quotes(word),
    }
}

/// A word in single quotes as a shell takes it. What is not [`is_inert`] becomes an escape that bash and
/// zsh know, so that a command can be pasted, and means what it looks like.
#[must_use]
pub fn in_shell_quotes(word: &[u8]) -> String {
    match str::from_utf8(word) {
        Ok(text) if text.chars().all(is_inert) => format!("'{}'", text.replace('\'', r"'\''")),
        _ => {
            let escaped = |byte: &u8| match byte {
                b'\'' | b'\\' => format!("\\{}", char::from(*byte)),
                b' '..=b'~' => char::from(*byte).to_string(),
                _ => format!("\\x{byte:02x}"),
            };
            format!("$'{}'", word.iter().map(escaped).collect::<String>())
        }
    }
}

/// `value` rounded up to a multiple of `alignment`, which must be a power of two; `None` where
/// that does not fit into 64 bits.
#[must_use]
pub fn align_up(value: u64, alignment: u64) -> Option<u64> {
    debug_assert!(alignment.is_power_of_two(), "alignments of both formats are powers of two");
    Some(value.checked_add(alignment - 1)? & !(alignment - 1))
}
