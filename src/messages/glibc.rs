//! Messages of `ld.so` of the GNU C library: `elf/dl-load.c`, `elf/dl-version.c`, `elf/dl-lookup.c`,
//! `elf/dl-reloc.c`, `elf/dl-open.c`, `elf/rtld.c`.

use super::scanner::{around, behind, between, is_name, is_object, subject, unquoted};
use super::{Kind, Message, Speaker, dotnet};
use crate::bytes::printable;
use crate::knowledge::packages;

/// Texts after the name of a file, with their meanings.
const VERDICTS: &[(&[u8], Kind)] = &[
    (b": cannot allocate memory in static TLS block", Kind::StaticTls),
    (b": cannot enable executable stack as shared object requires", Kind::ExecStack),
    (b": wrong ELF class: ELFCLASS", Kind::WrongArchitecture),
    (b": ELF file data encoding not ", Kind::WrongArchitecture),
    (b": file too short", Kind::ObjectUnreadable),
    (b": invalid ELF header", Kind::ObjectUnreadable),
    (b": failed to map segment from shared object", Kind::ObjectUnreadable),
    (b": cannot read file data", Kind::ObjectUnreadable),
    (b": ELF load command ", Kind::ObjectUnreadable),
    (b": ELF file version does not match", Kind::ObjectUnreadable),
    (b": ELF file OS ABI invalid", Kind::ObjectUnreadable),
    (b": ELF file ABI version invalid", Kind::ObjectUnreadable),
    (b": only ET_DYN and ET_EXEC can be loaded", Kind::ObjectUnreadable),
    (b": object file has no dynamic section", Kind::ObjectUnreadable),
    (b": object file has no loadable segments", Kind::ObjectUnreadable),
    (b": cannot dynamically load ", Kind::ObjectUnreadable),
];

/// The reasons why an existing file is not opened, as in strerror(3). NVIDIA's container tools write them in
/// lower case.
const UNREADABLE: &[&[u8]] = &[
    b"Permission denied",
    b"permission denied",
    b"Operation not permitted",
    b"operation not permitted",
    b"Input/output error",
    b"Too many open files",
    b"Too many levels of symbolic links",
    b"File name too long",
    b"Is a directory",
    b"Cannot allocate memory",
    b"No such device",
    b"Stale file handle",
    b"Transport endpoint is not connected",
    b"Exec format error",
    b"Error ",
];

/// The message of a program that cannot be started.
const STARTING: &[u8] = b": error while loading shared libraries: ";

pub(super) fn read(line: &[u8]) -> Option<Message> {
    not_opened(line).or_else(|| version(line)).or_else(|| symbol(line)).or_else(|| verdict(line))
}

/// `NAME: cannot open shared object file: REASON`
fn not_opened(line: &[u8]) -> Option<Message> {
    let (before, reason) = around(line, b": cannot open shared object file")?;
    // The kernel appends this to the path of a file that was removed while a process used it.
    let before = before.strip_suffix(b" (deleted)").unwrap_or(before);
    let name = subject(before)?;
    let reason = reason.strip_prefix(b": ").unwrap_or(reason);
    let asker = around(line, STARTING).and_then(|(program, _)| subject(program));
    // Ruby appends the name of the required file to the reason.
    let required = behind(reason, b" - /").and_then(|_| behind(reason, b" - "));
    let required =
        required.map(|path| path.split(|byte| b" )".contains(byte)).next().unwrap_or(path));
    let asker = asker.or_else(|| opener(before)).or(required).filter(|asker| *asker != name);
    if reason.starts_with(b"Not a directory") {
        return Some(Message::new(Speaker::Glibc, Kind::ObjectNotFound).object(name));
    }
    // A truncated or wrapped reason is unknown; most files that cannot be opened do not exist.
    if UNREADABLE.iter().any(|words| reason.starts_with(words)) {
        return Some(Message::new(Speaker::Glibc, Kind::ObjectUnreadable).object(name));
    }
    if name.contains(&b'/') {
        return Some(Message::new(Speaker::Glibc, Kind::ObjectNotFound).object(name));
    }
    if is_garbled(name) {
        let message = Message::new(Speaker::Glibc, Kind::ObjectUnreadable).library(name);
        return Some(match asker {
            Some(asker) => message.object(asker),
            None => message,
        });
    }
    // cffi and ctypes pass names that no file has, such as those of a Windows build.
    let called = printable(name);
    let called = (!is_object(name))
        .then(|| dotnet::library(line).or_else(|| packages::library_called(&called)))
        .flatten();
    let name = called.as_deref().map_or(name, str::as_bytes);
    let message = Message::new(Speaker::Glibc, Kind::LibraryNotFound).library(name);
    Some(match asker {
        Some(asker) => message.object(asker),
        None => message,
    })
}

/// Is a name not text? Python writes bytes that are no UTF-8 as `\udcXX`, each for one byte (PEP 383).
fn is_garbled(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_err()
        || name.iter().any(u8::is_ascii_control)
        || memchr::memmem::find(name, b"\\udc").is_some()
}

/// A library that could not be opened because another one is missing, in messages of programs that quote the
/// loader: `Failed to load library OBJECT with error: NAME`, `Cannot load library OBJECT: (NAME`.
fn opener(before: &[u8]) -> Option<&[u8]> {
    let quoting: [(&[u8], &[u8]); 4] = [
        (b"an't load ", b" for module "),
        (b"ailed to load library ", b" with error: "),
        (b"annot load library ", b": ("),
        (b"nable to load library ", b": "),
    ];
    let object =
        quoting.iter().find_map(|(words, end)| Some(around(behind(before, words)?, end)?.0))?;
    Some(unquoted(object)).filter(|object| is_object(object))
}

/// ``LIBRARY: version `VERSION' not found (required by OBJECT)``
fn version(line: &[u8]) -> Option<Message> {
    // With LD_DEBUG, ld.so prints it in the form of its other errors.
    let (before, rest) = around(line, b": error: version lookup error: version ")
        .or_else(|| around(line, b": version "))?;
    let rest = rest.trim_ascii_end();
    let rest = rest.strip_suffix(b" (fatal)").unwrap_or(rest);
    let (version, rest) = around(rest, b" not found")?;
    let (library, version) = (subject(before)?, unquoted(version));
    if !is_object(library) || !is_name(version) {
        return None;
    }
    let message = Message::new(Speaker::Glibc, Kind::VersionNotFound);
    let message = message.library(library).version(Some(version));
    let asker = rest.trim_ascii_start().strip_prefix(b"(required by ").map(before_closing);
    Some(match asker {
        Some(asker) => message.object(asker),
        None => message,
    })
}

/// The part before the parenthesis that closes one which is open at the start. The path may contain others, and the
/// whole message may be in parentheses.
fn before_closing(text: &[u8]) -> &[u8] {
    let mut depth = 1;
    let end = text.iter().position(|byte| {
        depth += match byte {
            b'(' => 1,
            b')' => -1,
            _ => 0,
        };
        depth == 0
    });
    text.get(..end.unwrap_or(text.len())).unwrap_or(text)
}

/// `OBJECT: undefined symbol: SYMBOL, version VERSION`, or
/// `OBJECT: symbol SYMBOL, version VERSION not defined in file LIBRARY with link time reference`.
fn symbol(line: &[u8]) -> Option<Message> {
    let message = Message::new(Speaker::Glibc, Kind::SymbolNotFound);
    if let Some((before, rest)) = around(line, b"undefined symbol: ") {
        let before = before.strip_suffix(b": ").unwrap_or(before);
        let (symbol, version) = with_version(rest);
        // What people copy may begin behind the object.
        if before.trim_ascii().is_empty() || before.ends_with(b"Error") {
            return is_name(symbol).then(|| message.symbol(symbol).version(version));
        }
        let object = subject(before)?;
        // The name of a program may have no slash.
        let is_program = behind(line, b"symbol lookup error: ").is_some();
        if !is_object(object) && !is_program || !is_name(symbol) {
            return None;
        }
        return Some(message.object(object).symbol(symbol).version(version));
    }
    let (before, rest) = around(line, b" not defined in file ")?;
    let library = rest.split(u8::is_ascii_whitespace).next()?;
    behind(rest, b"with link time reference")?;
    let (before, named) = around(before, b": symbol ")?;
    let (symbol, version) = with_version(named);
    let message = message.object(subject(before)?).library(library);
    is_name(symbol).then(|| message.symbol(symbol).version(version))
}

/// `SYMBOL, version VERSION`; older releases omit the comma.
fn with_version(text: &[u8]) -> (&[u8], Option<&[u8]>) {
    let symbol = text.split(u8::is_ascii_whitespace).next().unwrap_or(text);
    let symbol = symbol.strip_suffix(b",").unwrap_or(symbol);
    let version = between(text, b" version ", b' ').map(unquoted).filter(|name| is_name(name));
    (trimmed(symbol), version.map(trimmed))
}

/// Removes the quotes, brackets and full stops after a name in a list or a sentence.
fn trimmed(name: &[u8]) -> &[u8] {
    let end = name.iter().rposition(|byte| !b"'\")],;.".contains(byte)).map_or(0, |at| at + 1);
    name.get(..end).unwrap_or(name)
}

fn verdict(line: &[u8]) -> Option<Message> {
    VERDICTS.iter().find_map(|(words, kind)| {
        let (before, _) = around(line, words)?;
        let object = subject(before).filter(|object| is_object(object))?;
        Some(Message::new(Speaker::Glibc, *kind).object(object))
    })
}
