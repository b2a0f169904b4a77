//! Finds texts in a line, and the name or path before or after them.

use memchr::memmem;

/// The parts before and after the first occurrence of `words`.
pub(super) fn around<'a>(line: &'a [u8], words: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem::find(line, words)?;
    Some((line.get(..at)?, line.get(at + words.len()..)?))
}

/// The part after the first occurrence of `words`.
pub(super) fn behind<'a>(line: &'a [u8], words: &[u8]) -> Option<&'a [u8]> {
    around(line, words).map(|(_, behind)| behind)
}

/// The part after `words`, up to the next `end`, or to the end of the line without one.
pub(super) fn between<'a>(line: &'a [u8], words: &[u8], end: u8) -> Option<&'a [u8]> {
    let rest = behind(line, words)?;
    Some(rest.split(|&byte| byte == end).next().unwrap_or(rest))
}

/// The name or path at the end of a text, which the following message is about. A path may contain spaces.
pub(super) fn subject(before: &[u8]) -> Option<&[u8]> {
    let before = before.trim_ascii_end();
    let tail = match memmem::rfind(before, b": ") {
        Some(at) => before.get(at + 2..)?,
        None => before,
    };
    let tail = tail.trim_ascii();
    let tail = match memchr::memrchr3(b'\'', b'"', b'`', tail) {
        // An opening quote; one at the end is a closing quote.
        Some(at) if at + 1 < tail.len() => tail.get(at + 1..)?,
        _ => unquoted(tail),
    };
    let subject = if begins_a_path(tail) {
        tail
    } else if let Some(at) = memmem::find(tail, b" /") {
        tail.get(at + 1..)?
    } else {
        tail.rsplit(u8::is_ascii_whitespace).next()?
    };
    let subject = subject.strip_prefix(b"(").unwrap_or(subject);
    (!subject.is_empty()).then_some(subject)
}

fn begins_a_path(text: &[u8]) -> bool {
    [&b"/"[..], b"./", b"../", b"~/", b"@"].iter().any(|start| text.starts_with(start))
}

/// A text without the quotes around it: straight quotes, backquotes, and typographic quotes of word
/// processors.
pub(super) fn unquoted(text: &[u8]) -> &[u8] {
    const QUOTES: [&[u8]; 7] = [
        b"'",
        b"\"",
        b"`",
        "\u{2018}".as_bytes(),
        "\u{2019}".as_bytes(),
        "\u{201c}".as_bytes(),
        "\u{201d}".as_bytes(),
    ];
    let mut text = text.trim_ascii();
    while let Some(rest) = QUOTES.iter().find_map(|quote| text.strip_prefix(*quote)) {
        text = rest;
    }
    while let Some(rest) = QUOTES.iter().find_map(|quote| text.strip_suffix(*quote)) {
        text = rest;
    }
    text
}

/// Is it a single word: without spaces and control characters, and not empty?
pub(super) fn is_name(text: &[u8]) -> bool {
    !text.is_empty()
        && !text.iter().any(|byte| byte.is_ascii_whitespace() || byte.is_ascii_control())
}

/// Can it be an object in a message of a loader: a path, or the name of a library?
pub(super) fn is_object(text: &[u8]) -> bool {
    !text.is_empty()
        && (text.contains(&b'/')
            || memmem::find(text, b".so").is_some()
            || memmem::find(text, b".dylib").is_some())
}

/// The part of a name after its last slash.
#[must_use]
pub fn leaf(name: &[u8]) -> &[u8] {
    name.rsplit(|&byte| byte == b'/').next().unwrap_or(name)
}

/// Is it a path of the system itself, whose package manager is responsible for the file?
pub(super) fn is_of_system(path: &[u8]) -> bool {
    let starts: [&[u8]; 6] =
        [b"/usr/lib", b"/lib", b"/usr/bin/", b"/bin/", b"/usr/sbin/", b"/sbin/"];
    starts.iter().any(|start| path.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_subject_is_the_name_or_path_that_stands_last() {
        let subject = |before: &str| {
            String::from_utf8_lossy(subject(before.as_bytes()).unwrap()).into_owned()
        };
        assert_eq!(subject("ImportError: libGL.so.1"), "libGL.so.1");
        assert_eq!(subject("app  | libnvrtc.so"), "libnvrtc.so");
        assert_eq!(subject("OSError: /a b/c d.so"), "/a b/c d.so");
        assert_eq!(subject("(Actor pid=1) /a b/c.so"), "/a b/c.so");
        assert_eq!(subject("messages: ['/a/c.so"), "/a/c.so");
        assert_eq!(subject("libx.so"), "libx.so");
        assert_eq!(subject("x: error while loading: `./a/c.so'"), "./a/c.so");
    }
}
