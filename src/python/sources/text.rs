//! The text of a source file, by the encoding that it names (PEP 263).

use std::borrow::Cow;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The text; `None` if the encoding is not UTF-8, ASCII or Latin-1, or the bytes are not valid in it.
pub(super) fn decoded(file: &[u8]) -> Option<Cow<'_, str>> {
    if let Some(file) = file.strip_prefix(BYTE_ORDER_MARK) {
        return str::from_utf8(file).ok().map(Cow::Borrowed);
    }
    match named(file).as_deref() {
        None | Some(b"utf-8" | b"utf8" | b"utf-8-sig" | b"ascii" | b"us-ascii") => {
            str::from_utf8(file).ok().map(Cow::Borrowed)
        }
        // Each byte is the character of that number.
        Some(b"latin-1" | b"latin1" | b"iso-8859-1" | b"iso8859-1" | b"l1") => {
            Some(Cow::Owned(file.iter().copied().map(char::from).collect()))
        }
        Some(_) => None,
    }
}

/// The encoding that a comment in one of the first two lines names, in small letters and with hyphens.
fn named(file: &[u8]) -> Option<Vec<u8>> {
    let lines = file.split(|&byte| byte == b'\n').take(2).map(<[u8]>::trim_ascii_start);
    for line in lines.take_while(|line| line.is_empty() || line.starts_with(b"#")) {
        let at = memchr::memmem::find(line, b"coding");
        let Some([b':' | b'=', name @ ..]) = at.and_then(|at| line.get(at + 6..)) else { continue };
        let name = name.trim_ascii_start();
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        let name = name.iter().copied().take_while(is_part);
        let name = name.map(|byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() });
        return Some(name.collect());
    }
    None
}
