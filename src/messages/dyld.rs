//! Messages of dyld, in one line or several: `Library not loaded` with its `Referenced from:` and `Reason:`,
//! the list of searched locations, `Symbol not found` with its `Expected in:` (`dyld/Loader.cpp`,
//! `dyld/JustInTimeLoader.cpp`, `mach_o/Error.cpp`; before macOS 12 `src/ImageLoader.cpp`).

use super::programs;
use super::scanner::{around, behind, between, is_name, unquoted};
use super::{Kind, Message, Speaker, Tried};
use memchr::memmem;

/// The texts with which a message begins.
const BEGINNINGS: &[&[u8]] = &[
    b"Library not loaded: ",
    b"Symbol not found: ",
    b"symbol not found in flat namespace",
    b"no suitable image found",
    b"duplicate LC_RPATH '",
    b"(Code Signature Invalid)",
    b"tried: '",
    b"dlopen(",
];

/// The texts with which a further line begins.
const LABELS: &[&[u8]] = &[b"Referenced from: ", b"Expected in: ", b"Reason: "];

/// The maximum length of a message, in lines and bytes.
const MAX_LINES: usize = 64;
const MAX_BYTES: usize = 256 << 10;

/// The maximum number of locations that are kept of one list.
const MAX_TRIED: usize = 200;

/// The length of the end of a text that is examined to find out whether a list continues.
const TAIL: usize = 4 << 10;

/// A message that may have more lines.
#[derive(Debug)]
pub(super) struct Open {
    /// The lines, joined if the user's terminal broke them.
    text: Vec<u8>,
    lines: usize,
    /// The number of parentheses that are open at the end.
    depth: usize,
    /// The number of its first line.
    pub(super) line: usize,
}

impl Open {
    /// A message that begins in this line.
    pub(super) fn begin(line: &[u8], number: usize) -> Option<Self> {
        BEGINNINGS.iter().any(|words| memmem::find(line, words).is_some()).then(|| {
            let mut open = Self { text: Vec::new(), lines: 0, depth: 0, line: number };
            open.append(line.trim_ascii_end());
            open
        })
    }

    /// Adds a line if it belongs to the message.
    pub(super) fn goes_on(&mut self, line: &[u8]) -> bool {
        if self.lines >= MAX_LINES || self.text.len() + line.len() > MAX_BYTES {
            return false;
        }
        let trimmed = line.trim_ascii();
        if trimmed.is_empty() {
            // Some editors insert blank lines.
            self.lines += 1;
            return self.is_unfinished();
        }
        let label = LABELS.iter().find_map(|label| memmem::find(line, label));
        if let Some(part) = label.and_then(|at| line.get(at..)) {
            self.text.push(b'\n');
            self.append(part.trim_ascii_end());
        } else if trimmed.starts_with(b"in ") || self.lists(line) {
            self.text.push(b'\n');
            self.append(trimmed);
        } else if self.breaks_off() {
            if self.text.ends_with(b":") {
                self.text.push(b' ');
            }
            self.append(line.trim_ascii_start());
        } else {
            return false;
        }
        true
    }

    fn append(&mut self, part: &[u8]) {
        for &byte in part {
            match byte {
                b'(' => self.depth += 1,
                b')' => self.depth = self.depth.saturating_sub(1),
                _ => {}
            }
        }
        self.text.extend_from_slice(part);
        self.lines += 1;
    }

    /// A line of `Did find:`, which may be indented with spaces in a log.
    fn lists(&self, line: &[u8]) -> bool {
        let text = line.trim_ascii_start();
        let is_indented = text.len() < line.len();
        let is_place = text.starts_with(b"/") || memmem::find(text, b": mach-o").is_some();
        behind(&self.text, b"Did find:").is_some()
            && (line.starts_with(b"\t") || is_indented && is_place || text.starts_with(b"..."))
    }

    /// Are there labels that are still missing?
    fn is_unfinished(&self) -> bool {
        let has = |words: &[u8]| memmem::find(&self.text, words).is_some();
        has(b"Library not loaded: ") && !has(b"Reason: ")
            || has(b"Symbol not found: ") && !has(b"Expected in: ")
    }

    /// Was a line broken inside a list or a path?
    fn breaks_off(&self) -> bool {
        let text = self.text.trim_ascii_end();
        if self.depth > 0 || text.ends_with(b",") || text.ends_with(b"tried:") {
            return true;
        }
        let tail = self.text.get(self.text.len().saturating_sub(TAIL)..).unwrap_or(&self.text);
        let starts = [&b", '"[..], b",'", b"tried: '"].into_iter();
        let last = starts.filter_map(|start| Some(memmem::rfind(tail, start)? + start.len()));
        let path = last.max().and_then(|at| tail.get(at..));
        path.is_some_and(|path| memmem::find(path, b"' (").is_none())
    }

    /// The content of the whole message.
    pub(super) fn finish(self) -> Option<Message> {
        let text = in_lines(&plain_quotes(&self.text));
        let message = symbol(&text)
            .or_else(|| older(&text))
            .or_else(|| library(&text))
            .or_else(|| programs::library(&text))?;
        Some(Message { words: text, line: self.line, ..message })
    }
}

/// Restores single quotes as dyld writes them, if an editor replaced them.
fn plain_quotes(text: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = memmem::find(rest, b"\xe2\x80") {
        let (before, quote) = rest.split_at(at);
        plain.extend_from_slice(before);
        match quote.get(2) {
            Some(0x98 | 0x99) => plain.push(b'\''),
            _ => plain.extend_from_slice(quote.get(..3).unwrap_or(quote)),
        }
        rest = quote.get(3..).unwrap_or_default();
    }
    plain.extend_from_slice(rest);
    plain
}

/// The text that programs append to a message of dyld in the same line, such as the class of the error in
/// Ruby.
const ADDED: &[&[u8]] = &[b" (LoadError)"];

/// A message with each label at the start of a line, if a program joined the lines, and without what a
/// program appended.
fn in_lines(text: &[u8]) -> Vec<u8> {
    let mut lines = Vec::with_capacity(text.len());
    let mut rest = text;
    while let [first, after @ ..] = rest {
        if let Some(added) = ADDED.iter().find(|added| rest.starts_with(added)) {
            rest = rest.get(added.len()..).unwrap_or_default();
            continue;
        }
        let is_label = *first == b' ' && LABELS.iter().any(|label| after.starts_with(label));
        lines.push(if is_label { b'\n' } else { *first });
        rest = after;
    }
    lines
}

/// `Incompatible library version: OBJECT requires version A or later, but LIBRARY provides version B`
/// (`src/ImageLoader.cpp`).
fn older(text: &[u8]) -> Option<Message> {
    let rest = behind(text, b"Incompatible library version: ")?;
    let (object, rest) = around(rest, b" requires version ")?;
    let (version, rest) = around(rest, b" or later, but ")?;
    let (library, _) = around(rest, b" provides version ")?;
    let asker = path(text, b"Referenced from: ").unwrap_or(object);
    let named = between(text, b"Library not loaded: ", b'\n').map(unquoted);
    let library = named.filter(|name| name.starts_with(b"/")).unwrap_or(library);
    let message = Message::new(Speaker::Dyld, Kind::VersionNotFound).version(Some(version));
    (is_name(version) && is_name(library)).then(|| message.object(asker).library(library))
}

/// `LC_RPATH ENTRY in OBJECT being ignored in restricted program because it is a relative path`
/// (`src/ImageLoaderMachO.cpp` of dyld2, and `dyld/Loader.cpp`).
pub(super) fn ignored(line: &[u8]) -> Option<Message> {
    let (named, _) = around(behind(line, b"LC_RPATH ")?, b" being ignored in restricted program")?;
    let at = memmem::rfind(named, b" in ")?;
    let (entry, object) = (named.get(..at)?, named.get(at + 4..)?);
    let message = Message::new(Speaker::Dyld, Kind::RpathIgnored);
    Some(message.entry(unquoted(entry)).object(unquoted(object)))
}

/// The path in `dlopen(PATH, MODE): …`.
fn opened(text: &[u8]) -> Option<&[u8]> {
    let (inner, _) = around(behind(text, b"dlopen(")?, b"): ")?;
    let at = memmem::rfind(inner, b", ")?;
    let path = inner.get(..at)?;
    (!path.is_empty()).then_some(path)
}

/// The path after a label, without its UUID, its quotes and its platform.
fn path<'a>(text: &'a [u8], label: &[u8]) -> Option<&'a [u8]> {
    let value = between(text, label, b'\n')?.trim_ascii();
    let value = match value.strip_prefix(b"<") {
        Some(rest) => behind(rest, b"> ")?,
        None => value,
    };
    let built = [&b" (built for "[..], b" (which was built for "];
    let value = built.iter().find_map(|words| around(value, words)).map_or(value, |(path, _)| path);
    let value = unquoted(value);
    (!value.is_empty()).then_some(value)
}

fn symbol(text: &[u8]) -> Option<Message> {
    let message = Message::new(Speaker::Dyld, Kind::SymbolNotFound);
    if let Some(rest) = behind(text, b"symbol not found in flat namespace") {
        let symbol = bare(rest.trim_ascii_start());
        let message = message.symbol(is_name(symbol).then_some(symbol)?);
        return Some(with_object(message, opened(text)));
    }
    let symbol = bare(behind(text, b"Symbol not found: ")?);
    let message = message.symbol(is_name(symbol).then_some(symbol)?);
    let message = with_object(message, path(text, b"Referenced from: ").or_else(|| opened(text)));
    let library = path(text, b"Expected in: ");
    Some(match library.filter(|library| library.starts_with(b"/") || library.starts_with(b"@")) {
        Some(library) => message.library(library),
        None => message,
    })
}

/// The first word of a text, without quotes or parentheses.
fn bare(text: &[u8]) -> &[u8] {
    let word = text.split(u8::is_ascii_whitespace).next().unwrap_or(text);
    let word = word.strip_prefix(b"(").unwrap_or(word);
    unquoted(word.strip_suffix(b")").unwrap_or(word))
}

fn with_object(message: Message, object: Option<&[u8]>) -> Message {
    match object {
        Some(object) => message.object(object),
        None => message,
    }
}

fn library(text: &[u8]) -> Option<Message> {
    let name = between(text, b"Library not loaded: ", b'\n').map(unquoted);
    let name = name.filter(|name| !name.is_empty());
    let tried = tried(text);
    let verdict = tried.iter().find_map(|tried| Some((tried, verdict(&tried.note)?)));
    let message = if let Some((tried, kind)) = verdict {
        let message = Message::new(Speaker::Dyld, kind).object(&tried.path);
        match entry(&tried.note).filter(|_| kind == Kind::DuplicateRpath) {
            Some(entry) => message.entry(entry),
            None => message,
        }
    } else if let Some(name) = name {
        let asker = path(text, b"Referenced from: ").or_else(|| opened(text));
        with_object(Message::new(Speaker::Dyld, Kind::LibraryNotFound), asker).library(name)
    } else if let Some(entry) = entry(text) {
        let message = Message::new(Speaker::Dyld, Kind::DuplicateRpath).entry(entry);
        with_object(message, between(text, b"\nin ", b'\n').map(<[u8]>::trim_ascii))
    } else if behind(text, b"(Code Signature Invalid)").is_some() {
        Message::new(Speaker::Dyld, Kind::BadSignature)
    } else if let Some(object) = between(text, b"missing compatible arch in ", b'\n') {
        Message::new(Speaker::Dyld, Kind::WrongArchitecture).object(object)
    } else {
        let path = opened(text).filter(|_| !tried.is_empty())?;
        match path.contains(&b'/') {
            true => Message::new(Speaker::Dyld, Kind::ObjectNotFound).object(path),
            false => Message::new(Speaker::Dyld, Kind::LibraryNotFound).library(path),
        }
    };
    let message = match name {
        Some(name) => message.library(name),
        None => message,
    };
    Some(Message { tried, ..message })
}

/// The entry in `duplicate LC_RPATH 'ENTRY'`.
fn entry(text: &[u8]) -> Option<&[u8]> {
    between(text, b"duplicate LC_RPATH '", b'\'').filter(|entry| !entry.is_empty())
}

/// The state of a file according to a note; `None` if the file just does not exist.
fn verdict(note: &[u8]) -> Option<Kind> {
    let says = |words: &[u8]| memmem::find(note, words).is_some();
    if says(b"no such file")
        || says(b"not in dyld cache")
        || says(b"relative path not allowed")
        || says(b"stat() failed")
        || says(b"image not found")
        || says(b"not allowed in hardened")
    {
        None
    } else if says(b"incompatible architecture")
        || says(b"wrong architecture")
        || says(b"missing compatible arch")
        || says(b"incompatible cpu")
    {
        Some(Kind::WrongArchitecture)
    } else if says(b"code signature") || says(b"not valid for use in process") {
        Some(Kind::BadSignature)
    } else if says(b"duplicate LC_RPATH") {
        Some(Kind::DuplicateRpath)
    } else {
        Some(Kind::ObjectUnreadable)
    }
}

/// The locations in `tried: 'PATH' (NOTE), …`, or in the lines after `Did find:`.
fn tried(text: &[u8]) -> Vec<Tried> {
    if let Some(lines) = behind(text, b"Did find:") {
        let lines = lines.split(|&byte| byte == b'\n').filter_map(|line| around(line, b": "));
        let places = lines.map(|(path, note)| Tried {
            path: path.trim_ascii().to_vec(),
            note: note.trim_ascii().to_vec(),
        });
        return places.take(MAX_TRIED).collect();
    }
    let mut places = Vec::new();
    let Some(mut rest) = behind(text, b"tried: ") else { return places };
    while places.len() < MAX_TRIED {
        let Some((_, quoted)) = around(rest, b"'") else { break };
        let Some((path, note)) = around(quoted, b"' (") else { break };
        let end = closing(note);
        let (note, after) = note.split_at(end);
        places.push(Tried { path: path.to_vec(), note: note.to_vec() });
        rest = after;
    }
    places
}

/// The position at which the parenthesis that is open at the start of a text is closed, or else the end of
/// the text.
fn closing(text: &[u8]) -> usize {
    let mut depth = 1_usize;
    for (at, byte) in text.iter().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => continue,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}
