//! Messages of the interpreter and of extension modules, and of the shell that cannot start an interpreter.

use super::scanner::{around, behind, between, is_name, subject, unquoted};
use super::{Kind, Message, Speaker, shadow};

/// Texts about a distribution from another release than the one that a module was built for.
const BUILT_FOR: &[(&[u8], &[u8])] = &[
    (b"A module that was compiled using NumPy ", b"numpy"),
    (b"module compiled against API version ", b"numpy"),
    (b"module compiled against ABI version ", b"numpy"),
    (b"module was compiled against NumPy C-API version ", b"numpy"),
    (b"VersionError: Detected mismatched Protobuf Gencode/Runtime ", b"protobuf"),
    (b"VersionError: Detected incompatible Protobuf Gencode/Runtime ", b"protobuf"),
    (b"Descriptors cannot be created directly", b"protobuf"),
    (b"Descriptors cannot not be created directly", b"protobuf"),
];

pub(super) fn read(line: &[u8]) -> Option<Message> {
    no_module(line)
        .or_else(|| no_name(line))
        .or_else(|| built_for(line))
        .or_else(|| interpreter(line))
}

/// `ModuleNotFoundError: No module named 'NAME'`; Python 2 omits the quotes.
fn no_module(line: &[u8]) -> Option<Message> {
    let (before, rest) = around(line, b"No module named ")?;
    let before = before.trim_ascii_end();
    if !before.ends_with(b"Error:") {
        return None;
    }
    let name = rest.split(|byte| byte.is_ascii_whitespace() || *byte == b';').next()?;
    let name = unquoted(name);
    let is_module = |name: &[u8]| {
        name.iter()
            .all(|&byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte) || byte >= 0x80)
    };
    (is_name(name) && is_module(name))
        .then(|| Message::new(Speaker::Python, Kind::ModuleNotFound).module(name))
}

/// `cannot import name 'NAME' from 'MODULE' (FILE)`, or `… from partially initialized module 'MODULE' …`. If
/// the module is not in a package, incompatible releases are not the reason: something moved within the
/// standard library, or a script shadows a module.
fn no_name(line: &[u8]) -> Option<Message> {
    let name = between(line, b"cannot import name '", b'\'')?;
    let rest = behind(line, b"cannot import name '")?;
    let module = between(rest, b"' from '", b'\'')
        .or_else(|| between(rest, b"' from partially initialized module '", b'\''))?;
    let message = Message::new(Speaker::Python, Kind::NameNotFound).symbol(name).module(module);
    let parenthesis = memchr::memmem::rfind(rest, b" (").and_then(|at| rest.get(at + 2..));
    let file = parenthesis.map(|file| {
        let end = memchr::memrchr(b')', file).unwrap_or(file.len());
        file.get(..end).unwrap_or(file)
    });
    let is_of_a_package = |file: &[u8]| {
        [&b"/site-packages/"[..], b"/dist-packages/"].iter().any(|it| behind(file, it).is_some())
    };
    let is_outside = file.is_some_and(|file| file.ends_with(b".py") && !is_of_a_package(file));
    let may_shadow = file.is_some_and(|file| shadow::is_own_file(module, file));
    if !is_name(name) || !is_name(module) || is_outside && !may_shadow && !name.starts_with(b"_") {
        return None;
    }
    Some(match file.filter(|file| file.starts_with(b"/") || file.starts_with(b"~")) {
        Some(file) => message.object(file),
        None => message,
    })
}

fn built_for(line: &[u8]) -> Option<Message> {
    // The message of Cython for a type of another module, `numpy.dtype size changed, …`.
    if let Some((before, _)) = around(line, b" size changed, may indicate binary incompatibility") {
        let name = before.rsplit(u8::is_ascii_whitespace).next()?;
        let module = name.split(|&byte| byte == b'.').next().filter(|module| is_name(module))?;
        return Some(Message::new(Speaker::Python, Kind::DistributionsDoNotFit).module(module));
    }
    let (_, module) = BUILT_FOR.iter().find(|(words, _)| behind(line, words).is_some())?;
    Some(Message::new(Speaker::Python, Kind::DistributionsDoNotFit).module(module))
}

/// `SHELL: SCRIPT: INTERPRETER: bad interpreter: No such file or directory`; in zsh `SHELL: SCRIPT: bad
/// interpreter: INTERPRETER: no such file or directory`.
fn interpreter(line: &[u8]) -> Option<Message> {
    // bash 5.2 does not name the interpreter.
    if let Some((before, _)) = around(line, b": cannot execute: required file not found") {
        return Some(
            Message::new(Speaker::Python, Kind::InterpreterNotFound).object(subject(before)?),
        );
    }
    // A container runtime reports this for a program that exists.
    let program = line.trim_ascii().strip_prefix(b"exec /").map(|_| line.trim_ascii());
    if let Some(program) = program.and_then(|it| it.strip_suffix(b": no such file or directory")) {
        let program = program.strip_prefix(b"exec ").unwrap_or(program);
        return Some(Message::new(Speaker::Python, Kind::InterpreterNotFound).object(program));
    }
    let (before, rest) = around(line, b": bad interpreter: ")?;
    let message = Message::new(Speaker::Python, Kind::InterpreterNotFound);
    if rest.starts_with(b"/") {
        let end = memchr::memmem::rfind(rest, b": ").unwrap_or(rest.len());
        let script = subject(before)?;
        return Some(message.object(script).entry(unquoted(rest.get(..end)?)));
    }
    let at = memchr::memmem::rfind(before, b": ")?;
    let script = subject(before.get(..at)?)?;
    let entry = unquoted(before.get(at + 2..)?);
    entry.starts_with(b"/").then(|| message.object(script).entry(entry))
}
