//! Messages of programs and libraries in their own words: those in the table of sayings, and any line that
//! names a library and states that it was not found or could not be loaded.

use super::scanner::{between, leaf};
use super::{Kind, Message, Speaker, dotnet, glibc};
use crate::bytes::printable;
use crate::knowledge::packages;
use crate::knowledge::saying::{Saying, Subject};
use crate::knowledge::sayings;
use memchr::memmem;

/// Texts that state that something was not found, in lower case.
const NOT_FOUND: &[&str] = &[
    "not found",
    "can't open lib",
    "cannot open shared object",
    "cannot be loaded",
    "cannot find",
    "can't find",
    "cannot load",
    "dllnotfoundexception",
    "can't load",
    "could not be loaded",
    "could not find",
    "could not load",
    "couldn't find",
    "couldn't load",
    "did not manage to locate",
    "error loading",
    "failed to find",
    "failed to load",
    "failed to open",
    "no library called",
    "not configured",
    "unable to find",
    "unable to load",
    "unable to locate",
];

/// Lines in which other tools search for libraries, and report each result.
const LOOKS: &[&[u8]] = &[b"checking for ", b"Looking for ", b"-- "];

/// The maximum length of the name of a library.
const MAX_NAME: usize = 200;

/// The message in the table of sayings that a line contains.
pub(super) fn saying(line: &[u8]) -> Option<Message> {
    of_saying(sayings::find(line)?, line)
}

/// A part of a message, as people write it from memory.
pub(super) fn fragment(line: &[u8]) -> Option<Message> {
    of_saying(sayings::fragment(line)?, line)
}

fn of_saying(saying: &'static Saying, line: &[u8]) -> Option<Message> {
    let kind = match saying.subject {
        Subject::Harmless => Kind::Harmless,
        Subject::NotInstalled | Subject::LeftOut => Kind::LibraryNotFound,
        Subject::Releases => Kind::DistributionsDoNotFit,
        Subject::Driver => Kind::DriverNotFound,
        Subject::Processor => Kind::WrongArchitecture,
        Subject::AsTheLoaderSays => {
            return glibc::read(line).map(|read| Message { saying: Some(saying), ..read });
        }
    };
    Some(Message { saying: Some(saying), ..Message::new(Speaker::Program, kind) })
}

/// A library that was not found according to a line of any program.
pub(super) fn library(line: &[u8]) -> Option<Message> {
    let lower = line.to_ascii_lowercase();
    let says = |words: &&str| memmem::find(&lower, words.as_bytes()).is_some();
    if !NOT_FOUND.iter().any(says) || LOOKS.iter().any(|look| begins(line, look)) {
        return None;
    }
    let message = Message::new(Speaker::Program, Kind::LibraryNotFound);
    let names: Vec<&[u8]> = words(line).filter(|word| is_library(leaf(word))).collect();
    // Of several names of one library, the one with the shortest version is the soname.
    let is_versioned = |name: &&&[u8]| !name.ends_with(b".so");
    let known = names.iter().filter(|name| packages::shipper(leaf(name)).is_some());
    let known = known.min_by_key(|name| (!is_versioned(name), name.len()));
    if let Some(name) = known.or(names.first()) {
        return Some(message.library(name));
    }
    let called = dotnet::library(line).or_else(|| called(line, &lower)).or_else(|| quoted(line));
    called.map(|name| message.library(name.as_bytes()))
}

/// Does a list of missing libraries follow, with one name in each line, as Playwright writes it?
pub(super) fn begins_list(line: &[u8]) -> bool {
    let words = words(line).filter(|word| !word.is_empty());
    words.map(<[u8]>::to_ascii_lowercase).eq([&b"missing"[..], b"libraries"])
}

/// A line of such a list.
pub(super) fn listed(line: &[u8]) -> Option<Message> {
    let mut words = words(line).filter(|word| !word.is_empty());
    let name = words.next().filter(|word| is_library(word))?;
    let message = Message::new(Speaker::Program, Kind::LibraryNotFound);
    words.next().is_none().then(|| message.library(name))
}

/// The file that a linker would take for a library with a name in quotes, as `ctypes.util.find_library` does.
fn quoted(line: &[u8]) -> Option<String> {
    let name = ["library called '", "library called \""].iter().find_map(|words| {
        let quote = *words.as_bytes().last()?;
        between(line, words.as_bytes(), quote)
    })?;
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-+".contains(byte);
    (!name.is_empty() && name.len() < MAX_NAME && name.iter().all(is_plain))
        .then(|| format!("lib{}.so", printable(name)))
}

/// A library with a special name, such as `cuSPARSE` or `gobject-2.0-0`, in a line about libraries.
fn called(line: &[u8], lower: &[u8]) -> Option<String> {
    let speaks_of_it = ["library", "libraries", "unable to load cu", "failed to find lib"];
    if !speaks_of_it.iter().any(|words| memmem::find(lower, words.as_bytes()).is_some()) {
        return None;
    }
    words(line).find_map(|word| packages::library_called(&printable(word)))
}

fn begins(line: &[u8], look: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(look)
}

/// The words of a line that may be names or paths, without punctuation.
fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"_.-+/@~".contains(byte);
    line.split(move |byte| !is_part(byte)).map(|word| {
        let end = word.iter().rposition(|byte| !b".-".contains(byte)).map_or(0, |at| at + 1);
        word.get(..end).unwrap_or(word)
    })
}

/// Is it the file name of a library: `libNAME.so`, with or without a version, or `libNAME.dylib`?
#[must_use]
pub fn is_library(name: &[u8]) -> bool {
    if !name.starts_with(b"lib") || name.len() > MAX_NAME {
        return false;
    }
    if let Some(stem) = name.strip_suffix(b".dylib") {
        return stem.len() > 3;
    }
    let Some(at) = memmem::find(name, b".so").filter(|&at| at > 3) else { return false };
    let version = name.get(at + 3..).unwrap_or_default();
    version.is_empty()
        || version.starts_with(b".")
            && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
}

#[cfg(test)]
mod tests {
    use super::{begins_list, library, listed};

    #[test]
    fn a_list_of_missing_libraries_may_stand_in_a_frame() {
        assert!(begins_list("║ Missing libraries:                ║".as_bytes()));
        assert!(!begins_list(b"Missing libraries are listed below"));
        let listed = |line: &str| listed(line.as_bytes())?.library;
        assert_eq!(listed("║     libgtk-3.so.0  ║").as_deref(), Some(&b"libgtk-3.so.0"[..]));
        assert_eq!(listed("libgtk-3.so.0 is one"), None);
        assert_eq!(listed("╚════╝"), None);
    }

    fn missing(line: &str) -> Option<String> {
        let name = library(line.as_bytes())?.library?;
        Some(String::from_utf8(name).unwrap())
    }

    #[test]
    fn a_missing_library_is_read_whoever_speaks() {
        for (line, name) in [
            ("Library libcublas.so.12 is not found or cannot be loaded", "libcublas.so.12"),
            ("Unable to load any of {libcudnn_x.so.9.1.0, libcudnn_x.so.9}", "libcudnn_x.so.9"),
            ("libfoo.so.1 => not found", "libfoo.so.1"),
            ("OSError: PortAudio library not found", "libportaudio.so.2"),
            ("cannot load library 'pango-1.0-0'", "libpango-1.0.so.0"),
            (
                "find_library() did not manage to locate a library called 'sndfile'",
                "libsndfile.so.1",
            ),
            ("find_library() did not manage to locate a library called 'odd'", "libodd.so"),
            ("no library called \"cairo-2\" was found", "libcairo.so.2"),
            ("operation f(MAJOR) failed: The cuSPARSE library was not found.", "libcusparse.so.12"),
            ("RuntimeError: cannot load /opt/x/libodd-name.dylib.", "/opt/x/libodd-name.dylib"),
        ] {
            assert_eq!(missing(line).as_deref(), Some(name), "{line}");
        }
        for line in [
            "bash: libfoo: command not found",
            "ld: library not found for -lomp",
            "/usr/bin/ld: cannot find -lcudart: No such file or directory",
            "checking for libfoo.so... not found",
            "The library could not be found in the newspaper.",
            "cannot find libfoo.sources",
            "loaded libfoo.so.1",
        ] {
            assert_eq!(missing(line), None, "{line}");
        }
    }
}
