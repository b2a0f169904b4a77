//! Messages of PHP about an extension that it could not load (`ext/standard/dl.c`): each searched path, with
//! the message of the loader.

use super::scanner::{around, behind, between};
use super::{Kind, Message, Speaker, glibc};
use memchr::memmem;

/// `Unable to load dynamic library 'NAME' (tried: PATH (WORDS), PATH (WORDS)) in FILE on line N`, or, up to PHP 7.1,
/// `Unable to load dynamic library 'PATH' - WORDS in FILE on line N`.
pub(super) fn read(line: &[u8]) -> Option<Message> {
    let rest = behind(line, b"Unable to load dynamic library '")?;
    let Some(tried) = behind(rest, b"(tried: ") else {
        let path = between(line, b"Unable to load dynamic library '", b'\'')?;
        let words = behind(rest, b"' - ")?;
        // A message of dyld continues in the following lines, and has its own parser.
        return (!words.starts_with(b"dlopen("))
            .then(|| glibc::read(words))
            .flatten()
            .map(|read| at(path, read));
    };
    let attempts = attempts(tried);
    let told = attempts.iter().find_map(|(path, words)| {
        let read = glibc::read(words)?;
        // PHP tries two names, one of which usually does not exist.
        (read.kind != Kind::ObjectNotFound).then(|| at(path, read))
    });
    told.or_else(|| {
        let (first, _) = attempts.first()?;
        Some(Message::new(Speaker::Glibc, Kind::ObjectNotFound).object(first))
    })
}

/// A message about the extension at a path.
fn at(path: &[u8], read: Message) -> Message {
    match read.object {
        None => read.object(path),
        Some(_) => read,
    }
}

/// The searched paths, each with the message of the loader.
fn attempts(mut tried: &[u8]) -> Vec<(&[u8], &[u8])> {
    let mut attempts = Vec::new();
    while let Some((path, rest)) = around(tried, b" (") {
        let end = [&b"), /"[..], b")) in ", b")"].iter().find_map(|end| memmem::find(rest, end));
        let end = end.unwrap_or(rest.len());
        attempts.push((path, rest.get(..end).unwrap_or(rest)));
        match rest.get(end..).and_then(|rest| rest.strip_prefix(b"), ")) {
            Some(next) => tried = next,
            None => break,
        }
    }
    attempts
}

#[cfg(test)]
mod tests {
    use super::read;
    use crate::messages::Kind;

    #[test]
    fn the_place_that_tells_why_is_read() {
        let line = |first: &str| {
            format!(
                "PHP Warning:  PHP Startup: Unable to load dynamic library 'a.so' (tried: /p/a.so ({first}), /p/a.so.so \
                 (/p/a.so.so: cannot open shared object file: No such file or directory)) in Unknown on line 0"
            )
        };
        let missing = read(
            line("libx.so.1: cannot open shared object file: No such file or directory").as_bytes(),
        );
        let missing = missing.unwrap();
        assert_eq!(
            (missing.kind, missing.library.as_deref()),
            (Kind::LibraryNotFound, Some(&b"libx.so.1"[..]))
        );
        assert_eq!(missing.object.as_deref(), Some(&b"/p/a.so"[..]));
        let symbol = read(line("/p/a.so: undefined symbol: f").as_bytes()).unwrap();
        assert_eq!(
            (symbol.kind, symbol.symbol.as_deref()),
            (Kind::SymbolNotFound, Some(&b"f"[..]))
        );
        let gone = read(
            line("/p/a.so: cannot open shared object file: No such file or directory").as_bytes(),
        )
        .unwrap();
        assert_eq!(
            (gone.kind, gone.object.as_deref()),
            (Kind::ObjectNotFound, Some(&b"/p/a.so"[..]))
        );
        let old = b"Unable to load dynamic library '/p/a.so' - libx.so.1: cannot open shared object file: No such file or directory in Unknown on line 0";
        assert_eq!(read(old).unwrap().object.as_deref(), Some(&b"/p/a.so"[..]));
    }
}
