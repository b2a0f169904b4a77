//! Extracts the distinct messages from the lines of a log.

use super::dyld::{self, Open};
use super::glibc;
use super::musl;
use super::php;
use super::programs;
use super::python;
use super::scanner::{behind, between};
use super::tensorflow;
use super::translated::Translations;
use super::windows::is_of_windows;
use super::{Kind, Message, Speaker};
use crate::knowledge::{sayings, translations};
use aho_corasick::AhoCorasick;
use memchr::memmem;
use std::io::{self, BufRead, Read as _};

/// The maximum length of a line; the rest is ignored.
const MAX_LINE_BYTES: u64 = 1 << 20;

/// The maximum number of distinct messages.
const MAX_MESSAGES: usize = 200;

/// The distance in lines within which messages are about the same failure.
const NEAR: usize = 12;

/// The words before the error that a long advice of NumPy is about, and the most lines of that advice.
const ORIGINAL: &[u8] = b"Original error was:";
const MAX_ADVICE: usize = 50;

/// The maximum length of the kept text of a message.
const MAX_WORDS: usize = 4 << 10;

/// A line without any of these texts is skipped, unless it continues a message. Thus a long log is searched
/// in one pass. Each text that a parser recognises contains one of these.
const INTERESTING: &[&[u8]] = &[
    b"cannot ",
    b"Cannot ",
    b"Can't find libdevice",
    b"Could not ",
    b"Couldn't ",
    b"Failed to find ptxas",
    b"failed to map segment",
    b"failed call to cuInit",
    b"No PTX compilation",
    b"TF-TRT",
    b"not found",
    b"not defined in file",
    b"not appear to be running",
    b"undefined symbol",
    b"error while loading",
    b"Error loading ",
    b"Error relocating",
    b"No module named",
    b"bad interpreter",
    b"size changed",
    b"compiled ",
    b"Gencode/Runtime",
    b"ELF ",
    b"ET_DYN",
    b"object file has no",
    b"file too short",
    b"dlopen(",
    b"Library not loaded",
    b"no suitable image",
    b"LC_RPATH",
    b"tried: '",
    b"Code Signature Invalid",
    b"Traceback (",
    b"File \"",
    b".py",
    b".dll",
    b"platform plugin \"windows\"",
    b"DLL load failed",
    b"WindowsPath(",
    b"[WinError ",
    b":\\",
    b"nable to ",
    b"NABLE to ",
    b"ailed to ",
    b"ould not ",
    b"ouldn't ",
    b"an't ",
    b"annot ",
    b"o library called",
    b"not manage to locate",
    b"exec /",
    b"DllNotFoundException",
    b"not configured",
    NIX,
];

/// The directory of Nix packages.
const NIX: &[u8] = b"/nix/store/";

/// The messages in a text.
#[derive(Debug, Default)]
pub struct Log {
    /// The distinct messages, the most severe first.
    pub messages: Vec<Message>,
    /// The number of lines.
    pub lines: usize,
    /// Is it from a program on Windows, whose own messages are not parsed?
    pub is_of_windows: bool,
    /// Were there more distinct messages than the maximum?
    pub is_cut: bool,
}

/// Reads a text to its end.
///
/// # Errors
/// The errors of the source.
pub fn read(source: &mut impl BufRead) -> io::Result<Log> {
    let words = || sayings::beginnings().map(str::as_bytes);
    let sayings = AhoCorasick::new(words()).map_err(io::Error::other)?;
    let translated = translations::all().map(|(said, _)| said.as_bytes());
    let interesting =
        AhoCorasick::new(INTERESTING.iter().copied().chain(words()).chain(translated))
            .map_err(io::Error::other)?;
    let translations = Translations::new().map_err(io::Error::other)?;
    let log = Log::default();
    let mut scanner = Scanner {
        interesting,
        sayings,
        translations,
        log,
        open: None,
        originals: Vec::new(),
        near: None,
        names_nix: false,
        in_list: false,
    };
    let mut line = Vec::new();
    loop {
        line.clear();
        if source.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line)? == 0 {
            break;
        }
        if line.last() == Some(&b'\n') {
            line.pop();
        } else {
            source.skip_until(b'\n')?;
        }
        scanner.log.lines += 1;
        scanner.raw_line(&line);
    }
    Ok(scanner.finish())
}

struct Scanner {
    interesting: AhoCorasick,
    /// Finds lines that may contain a saying of the table, which is long.
    sayings: AhoCorasick,
    translations: Translations,
    log: Log,
    open: Option<Open>,
    /// The lines with a known message that an advice names as its original error.
    originals: Vec<usize>,
    /// Does a line name a file of Nix?
    names_nix: bool,
    /// Are the next lines the names of missing libraries?
    in_list: bool,
    /// The file in the last line of a traceback, and the last one that is in a package.
    near: Option<Vec<u8>>,
}

impl Scanner {
    /// A line without colours; a log may contain line feeds as `\n`, which split it.
    fn raw_line(&mut self, raw: &[u8]) {
        let plain;
        let line = match memchr::memchr(0x1b, raw) {
            Some(_) => {
                plain = without_escapes(raw);
                &plain
            }
            None => raw,
        };
        self.log.is_of_windows |= self.interesting.is_match(line) && is_of_windows(line);
        let mut rest = line;
        while let Some(at) = memmem::find(rest, br"\n") {
            let (first, after) = rest.split_at(at);
            self.line(first);
            rest = after.get(2..).unwrap_or_default();
        }
        self.line(rest);
    }

    fn line(&mut self, said: &[u8]) {
        if let Some(open) = &mut self.open {
            if open.goes_on(said) {
                return;
            }
            self.close();
        }
        if self.in_list {
            let listed = programs::listed(said);
            self.in_list = listed.is_some();
            if let Some(message) = listed {
                return self.add_line(said, message);
            }
        }
        self.in_list = programs::begins_list(said);
        if !self.interesting.is_match(said) {
            return;
        }
        self.names_nix |= memmem::find(said, NIX).is_some();
        self.note_frame(said);
        let line = &*self.translations.in_english(said);
        let saying = self.sayings.is_match(line).then(|| programs::saying(line)).flatten();
        let found = php::read(line)
            .or(saying)
            .or_else(|| tensorflow::read(line))
            .or_else(|| musl::read(line))
            .or_else(|| glibc::read(line))
            .or_else(|| python::read(line))
            .or_else(|| dyld::ignored(line));
        match found {
            Some(message) => {
                if memmem::find(line, ORIGINAL).is_some() {
                    self.originals.push(self.log.lines);
                }
                self.add_line(said, message);
            }
            None => {
                self.open = Open::begin(line, self.log.lines);
                if self.open.is_none()
                    && let Some(message) =
                        programs::library(line).or_else(|| programs::fragment(line))
                {
                    self.add_line(said, message);
                }
            }
        }
    }

    /// Records the position of a traceback: `File "PATH", line N`, or IPython's `PATH in NAME`.
    fn note_frame(&mut self, line: &[u8]) {
        let start = line.trim_ascii_start();
        if memmem::find(start, b"Traceback (most recent call last)").is_some() {
            self.near = None;
        }
        let opened = between(start, b"unable to load shared object '", b'\'');
        let path = match start.strip_prefix(b"File \"") {
            _ if opened.is_some() => opened,
            Some(rest) => rest.split(|&byte| byte == b'"').next(),
            None if start.starts_with(b"/")
                || start.starts_with(b"~/")
                || start.starts_with(b"[/") =>
            {
                let path = start.strip_prefix(b"[").unwrap_or(start);
                memmem::find(path, b".py").and_then(|at| path.get(..at + 3))
            }
            None => None,
        };
        let Some(path) = path.filter(|path| path.starts_with(b"/") || path.starts_with(b"~/"))
        else {
            return;
        };
        let is_packaged = |path: &[u8]| {
            memmem::find(path, b"/site-packages/").is_some()
                || memmem::find(path, b"/dist-packages/").is_some()
        };
        let keep = self.near.as_deref().is_some_and(is_packaged) && !is_packaged(path);
        if !keep {
            self.near = Some(path.to_vec());
        }
    }

    fn close(&mut self) {
        if let Some(message) = self.open.take().and_then(Open::finish) {
            self.add(message);
        }
    }

    /// Adds the message of the current line.
    fn add_line(&mut self, said: &[u8], message: Message) {
        let words = said.trim_ascii().to_vec();
        self.add(Message { words, line: self.log.lines, ..message });
    }

    fn add(&mut self, mut message: Message) {
        message.words.truncate(MAX_WORDS);
        message.near.clone_from(&self.near);
        let messages = &mut self.log.messages;
        let room = messages.len() < MAX_MESSAGES;
        match messages.iter_mut().find(|known| known.is_same(&message)) {
            Some(known) => known.times += 1,
            None if room => messages.push(message),
            None => self.log.is_cut = true,
        }
    }

    /// Removes a program's own message about a library if a loader gives the reason in a nearby line. Of a
    /// text from Windows, everything that is not from a loader is removed.
    fn drop_what_says_less(&mut self) {
        let is_of_loader = |message: &Message| {
            matches!(message.speaker, Speaker::Glibc | Speaker::Musl | Speaker::Dyld)
        };
        let messages = &mut self.log.messages;
        if self.log.is_of_windows {
            messages.retain(is_of_loader);
        }
        let lines: Vec<usize> =
            messages.iter().filter(|one| is_of_loader(one)).map(|one| one.line).collect();
        messages.retain(|message| {
            let is_vague = message.speaker == Speaker::Program
                && message.kind == Kind::LibraryNotFound
                && message.saying.is_none()
                && message.object.is_none();
            !is_vague || !lines.iter().any(|line| line.abs_diff(message.line) <= NEAR)
        });
    }

    /// Removes an advice of NumPy if the error that it is about is known, which is the cause.
    fn drop_advice(&mut self) {
        let originals = &self.originals;
        self.log.messages.retain(|message| {
            let is_of_numpy = message.saying.is_some_and(|saying| saying.about == "numpy");
            let after = message.line + 1..=message.line + MAX_ADVICE;
            !(is_of_numpy && originals.iter().any(|line| after.contains(line)))
        });
    }

    fn finish(mut self) -> Log {
        self.close();
        self.drop_what_says_less();
        self.drop_advice();
        for message in &mut self.log.messages {
            message.in_nix = self.names_nix;
        }
        // A message that names the library comes before one that does not.
        let is_vague = |message: &Message| message.kind == Kind::GpuLibrariesNotLoaded;
        let rank = |message: &Message| {
            (message.weight(), is_vague(message), message.cause(), message.line)
        };
        self.log.messages.sort_by_key(rank);
        self.log
    }
}

/// A line without the escape sequences of a terminal (ECMA-48: `ESC [ … letter`).
fn without_escapes(line: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = memchr::memchr(0x1b, rest) {
        let (before, sequence) = rest.split_at(at);
        plain.extend_from_slice(before);
        let parameters = behind(sequence, b"\x1b").unwrap_or_default();
        rest = match parameters.strip_prefix(b"[") {
            Some(parameters) => {
                let end = parameters.iter().position(|byte| (0x40..=0x7e).contains(byte));
                end.and_then(|end| parameters.get(end + 1..)).unwrap_or_default()
            }
            None => parameters,
        };
    }
    plain.extend_from_slice(rest);
    plain
}
