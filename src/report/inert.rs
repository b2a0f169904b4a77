//! The last filter before a terminal, a pipe or a page: only text, line ends and the styles of tfpatch pass.
//!
//! Names are escaped when they are inserted into a line, because only there it is known what belongs to the
//! name: see [`printable`](crate::bytes::printable). This filter is for everything that was forgotten there.

use super::style::SEQUENCES;
use crate::bytes::is_inert;
use std::io::{self, Write};

/// How blocked characters are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// As `\u{202e}`, for people.
    Text,
    /// As `\u202e` inside a JSON string, which is an equivalent string.
    Json,
}

/// An output that only inert text passes.
pub struct Inert<W: Write> {
    inner: W,
    form: Form,
    /// Are the styles of tfpatch written? Otherwise they are left out.
    is_styled: bool,
    /// The start of a character or sequence that is not complete yet.
    pending: Vec<u8>,
}

impl<W: Write> Inert<W> {
    /// An output to which our own styles pass.
    pub fn new(inner: W, form: Form) -> Self {
        Self { inner, form, is_styled: true, pending: Vec::new() }
    }

    /// The same without the styles, if `is_styled` is not set: no other sequence passes anyway, so nobody has
    /// to look for them again.
    pub fn styled(inner: W, form: Form, is_styled: bool) -> Self {
        Self { is_styled, ..Self::new(inner, form) }
    }

    /// Writes the content of `bytes`. An incomplete start is kept, unless `is_all`.
    fn pass(&mut self, bytes: &[u8], is_all: bool) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (before, special) = rest.split_at(passing(rest));
            self.inner.write_all(before)?;
            rest = match Special::of(special) {
                _ if special.is_empty() => special,
                Special::Beginning if !is_all => {
                    self.pending = special.to_vec();
                    return Ok(());
                }
                Special::Sequence(length) => {
                    let (sequence, after) = special.split_at(length);
                    if self.is_styled {
                        self.inner.write_all(sequence)?;
                    }
                    after
                }
                Special::Character(character, length) => {
                    self.write(character)?;
                    special.get(length..).unwrap_or_default()
                }
                Special::Beginning => {
                    let byte = special.first().copied().unwrap_or_default();
                    let is_ascii = byte.is_ascii();
                    self.write(if is_ascii { char::from(byte) } else { '\u{fffd}' })?;
                    special.get(1..).unwrap_or_default()
                }
            };
        }
        Ok(())
    }

    fn write(&mut self, character: char) -> io::Result<()> {
        if is_inert(character) {
            return write!(self.inner, "{character}");
        }
        match self.form {
            Form::Text => write!(self.inner, "{}", character.escape_default()),
            Form::Json => {
                let mut units = [0; 2];
                let units = character.encode_utf16(&mut units);
                units.iter().try_for_each(|unit| write!(self.inner, "\\u{unit:04x}"))
            }
        }
    }
}

impl<W: Write> Write for Inert<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.pending.is_empty() {
            self.pass(bytes, false)?;
        } else {
            let mut all = std::mem::take(&mut self.pending);
            all.extend_from_slice(bytes);
            self.pass(&all, false)?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let rest = std::mem::take(&mut self.pending);
        self.pass(&rest, true)?;
        self.inner.flush()
    }
}

/// Standard error, as inert text.
#[must_use]
pub fn stderr() -> Inert<anstream::AutoStream<io::Stderr>> {
    Inert::new(anstream::stderr(), Form::Text)
}

/// Is a byte complete in itself, whatever follows?
fn is_plain(byte: u8) -> bool {
    matches!(byte, b' '..=b'~' | b'\n')
}

/// The number of bytes at the start that pass unchanged.
fn passing(bytes: &[u8]) -> usize {
    let mut passing = 0;
    loop {
        passing += usual(bytes.get(passing..).unwrap_or_default());
        let rest = bytes.get(passing..).unwrap_or_default();
        if rest.is_empty() {
            return passing;
        }
        match Special::of(rest) {
            // That character may also represent invalid bytes.
            Special::Character(character, length)
                if character != char::REPLACEMENT_CHARACTER && is_inert(character) =>
            {
                passing += length;
            }
            _ => return passing,
        }
    }
}

/// What stands in front of a line of a tree, for each branch around it that goes on.
pub(super) const INDENT: &str = "│   ";
/// Its bytes, whose number is known to the compiler.
const INDENT_BYTES: &[u8; 6] = INDENT.as_bytes().first_chunk().unwrap();

/// The number of bytes at the start that are plain or drawn. Reports have megabytes of them, so eight are compared at
/// once: of each byte the highest bit is set if it is not plain, or follows such a byte.
fn usual(bytes: &[u8]) -> usize {
    const EACH: u64 = 0x0101_0101_0101_0101;
    let mut rest = bytes;
    loop {
        if let Some((eight, after)) = rest.split_first_chunk::<8>() {
            let eight = u64::from_le_bytes(*eight);
            let below_blank = eight.wrapping_sub(EACH * u64::from(b' '));
            let above_tilde = eight.wrapping_add(EACH);
            let odd = (eight | below_blank | above_tilde) & (EACH << 7);
            if odd == 0 {
                rest = after;
                continue;
            }
            rest = rest.get(odd.trailing_zeros() as usize / 8..).unwrap_or_default();
        }
        // Each line of a tree begins with these.
        while let Some((six, after)) = rest.split_first_chunk()
            && six == INDENT_BYTES
        {
            rest = after;
        }
        rest = match rest {
            [byte, after @ ..] if is_plain(*byte) => after,
            _ => match drawn(rest) {
                Some(length) => rest.get(length..).unwrap_or_default(),
                None => return bytes.len() - rest.len(),
            },
        };
    }
}

/// The length of an arrow or of a box-drawing character (U+2190 to U+21BF, U+2500 to U+257F), which are frequent in
/// reports.
fn drawn(bytes: &[u8]) -> Option<usize> {
    matches!(bytes, [0xe2, 0x86 | 0x94 | 0x95, 0x80..=0xbf, ..]).then_some(3)
}

/// The length in bytes of the longest style of tfpatch.
const MAX_SEQUENCE: usize = 5;

/// The meaning of bytes that begin with one that is not plain.
enum Special {
    /// One of the styles of tfpatch, of this length.
    Sequence(usize),
    /// A character of that many bytes.
    Character(char, usize),
    /// Not decided yet.
    Beginning,
}

impl Special {
    fn of(bytes: &[u8]) -> Self {
        if bytes.is_empty() || bytes.starts_with(b"\x1b") {
            let end = bytes.iter().take(MAX_SEQUENCE).position(|&byte| byte == b'm');
            let whole = end.and_then(|end| bytes.get(..=end)).unwrap_or_default();
            // These two are in each line of a tree.
            let is_usual = matches!(whole, [0x1b, b'[', b'0' | b'2', b'm']);
            if is_usual || SEQUENCES.iter().any(|own| own.as_bytes() == whole) {
                return Self::Sequence(whole.len());
            }
            if SEQUENCES.iter().any(|own| own.as_bytes().starts_with(bytes)) {
                return Self::Beginning;
            }
        }
        // A character has at most four bytes.
        let start = bytes.get(..bytes.len().min(4)).unwrap_or_default();
        let valid = match str::from_utf8(start) {
            Ok(text) => text,
            Err(error) if error.valid_up_to() > 0 => {
                str::from_utf8(start.get(..error.valid_up_to()).unwrap_or_default())
                    .unwrap_or_default()
            }
            Err(error) => {
                return match error.error_len() {
                    Some(length) => Self::Character('\u{fffd}', length),
                    None => Self::Beginning,
                };
            }
        };
        match valid.chars().next() {
            Some(character) => Self::Character(character, character.len_utf8()),
            None => Self::Beginning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::style::{ERROR, paint};

    fn passed(pieces: &[&[u8]], form: Form) -> String {
        let mut out = Inert::new(Vec::new(), form);
        pieces.iter().for_each(|piece| out.write_all(piece).unwrap());
        out.flush().unwrap();
        String::from_utf8(out.inner).unwrap()
    }

    #[test]
    fn what_commands_a_terminal_or_hides_is_escaped() {
        let raw = "a\x1b]0;t\x07\u{9b}31m\u{202e}\u{e0041}\t\x7fé\n".as_bytes();
        let text = r"a\u{1b}]0;t\u{7}\u{9b}31m\u{202e}\u{e0041}\t\u{7f}é";
        assert_eq!(passed(&[raw], Form::Text), format!("{text}\n"));
        let json = r"\u009b\u202e\udb40\udc41\u007f";
        assert_eq!(passed(&["\u{9b}\u{202e}\u{e0041}\x7f".as_bytes()], Form::Json), json);
        assert_eq!(passed(&[b"\x9b1m \xff\xc3"], Form::Text), "\u{fffd}1m \u{fffd}\u{fffd}");
    }

    #[test]
    fn our_own_styles_pass_however_they_are_cut() {
        let styled = paint(ERROR, "ä\u{202e}");
        let wanted = paint(ERROR, r"ä\u{202e}");
        for cut in 0..styled.len() {
            let (one, two) = styled.as_bytes().split_at(cut);
            assert_eq!(passed(&[one, two], Form::Text), wanted);
        }
        assert_eq!(passed(&[b"\x1b[41m"], Form::Text), r"\u{1b}[41m");
        assert_eq!(passed(&[b"\x1b[3"], Form::Text), r"\u{1b}[3");
    }

    #[test]
    fn without_styles_the_text_passes_alone() {
        let mut out = Inert::styled(Vec::new(), Form::Text, false);
        let text = format!("├── {} \u{202e}\n", paint(ERROR, "→ ä"));
        out.write_all(text.as_bytes()).unwrap();
        out.flush().unwrap();
        assert_eq!(String::from_utf8(out.inner).unwrap(), "├── → ä \\u{202e}\n");
    }

    #[test]
    fn what_passes_as_drawn_is_inert() {
        for character in ('\u{2180}'..='\u{21bf}').chain('\u{2500}'..='\u{257f}') {
            let text = character.to_string();
            assert!(drawn(text.as_bytes()).is_none_or(|length| length == text.len()));
            assert!(is_inert(character));
        }
    }
}
