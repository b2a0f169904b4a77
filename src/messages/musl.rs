//! Messages of musl's `ld.so` (`ldso/dynlink.c`).

use super::scanner::{around, between, is_name, is_object};
use super::{Kind, Message, Speaker};

pub(super) fn read(line: &[u8]) -> Option<Message> {
    not_loaded(line).or_else(|| not_relocated(line))
}

/// `Error loading shared library NAME: REASON (needed by OBJECT)`
fn not_loaded(line: &[u8]) -> Option<Message> {
    let (_, rest) = around(line, b"Error loading shared library ")?;
    let (name, reason) = around(rest, b": ")?;
    if name.is_empty() {
        return None;
    }
    let asker = between(reason, b"(needed by ", b')');
    let is_absent = reason.starts_with(b"No such file or directory");
    let message = match (is_absent, name.contains(&b'/')) {
        (false, _) => Message::new(Speaker::Musl, Kind::ObjectUnreadable).object(name),
        (true, true) => Message::new(Speaker::Musl, Kind::ObjectNotFound).object(name),
        (true, false) => Message::new(Speaker::Musl, Kind::LibraryNotFound).library(name),
    };
    Some(match asker {
        Some(asker) if message.object.is_none() => message.object(asker),
        _ => message,
    })
}

/// `Error relocating OBJECT: SYMBOL: symbol not found`, or `…: initial-exec TLS resolves to dynamic
/// definition in LIBRARY`.
fn not_relocated(line: &[u8]) -> Option<Message> {
    let (_, rest) = around(line, b"Error relocating ")?;
    if let Some((before, _)) = around(rest, b": initial-exec TLS resolves to dynamic definition") {
        let object = around(before, b": ").map_or(before, |(object, _)| object);
        return Some(Message::new(Speaker::Musl, Kind::StaticTls).object(object));
    }
    let (before, _) = around(rest, b": symbol not found")?;
    let at = memchr::memmem::rfind(before, b": ")?;
    let (object, symbol) = (before.get(..at)?, before.get(at + 2..)?);
    if !is_object(object) || !is_name(symbol) {
        return None;
    }
    Some(Message::new(Speaker::Musl, Kind::SymbolNotFound).object(object).symbol(symbol))
}
