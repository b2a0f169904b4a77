//! Parses one line of the loader's trace.

use crate::loader::Rule;
use schemars::JsonSchema;
use serde::Serialize;

/// How a library is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// By `DT_NEEDED`. The trace alone does not distinguish this from `LD_PRELOAD`.
    Needed,
    /// By `LD_PRELOAD`, on behalf of the program, which also starts without it.
    Preload,
    /// By a call of `dlopen`.
    Dlopen,
}

/// The content of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A search, or the opening of a path, begins.
    Asked { kind: Kind, name: &'a [u8], asker: &'a [u8], namespace: u64 },
    /// A list of directories is searched.
    SearchPath { directories: &'a [u8], rule: Option<Rule> },
    /// `ld.so.cache` is searched.
    SearchCache,
    /// A location is tried.
    Trying(&'a [u8]),
    /// The file for a name is mapped.
    Mapped(&'a [u8]),
    /// An object is unloaded.
    Unmapped { path: &'a [u8], namespace: u64 },
    /// The libraries of a program are initialised.
    Initialize(&'a [u8]),
    /// The program gets control.
    Control,
    /// Something was not found in an object.
    Error { object: &'a [u8], message: &'a [u8] },
    /// Irrelevant.
    Other,
}

/// The process ID before a line, and the rest of the line.
pub(super) fn tagged(line: &[u8]) -> Option<(u32, &[u8])> {
    let line = line.trim_ascii_start();
    let digits = line.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (pid, rest) = line.split_at_checked(digits)?;
    Some((number(pid)?.try_into().ok()?, rest.strip_prefix(b":\t")?))
}

impl<'a> Line<'a> {
    /// Parses a line without its tag. Text after a line feed is part of a name, unless the line is complete
    /// without it; then another process interrupted.
    pub(super) fn of(text: &'a [u8]) -> Self {
        let first = text.split(|&byte| byte == b'\n').next().unwrap_or(text);
        match Self::parse(text) {
            Self::Other => Self::parse(first),
            Self::Trying(path) if position(path, b"\t\t(").is_some() => Self::parse(first),
            line => line,
        }
    }

    fn parse(text: &'a [u8]) -> Self {
        let text = text.trim_ascii_start();
        if let Some(rest) = text.strip_prefix(b"file=") {
            return Self::of_file(rest).unwrap_or(Self::Other);
        }
        if let Some(rest) = text.strip_prefix(b"search path=") {
            let Some(at) = last_position(rest, b"\t\t(") else {
                return Self::SearchPath { directories: rest, rule: None };
            };
            let (directories, words) = rest.split_at(at);
            return Self::SearchPath { directories, rule: rule_of(words.get(3..).unwrap_or(b"")) };
        }
        if text.starts_with(b"search cache=") {
            return Self::SearchCache;
        }
        if let Some(path) = text.strip_prefix(b"trying file=") {
            return Self::Trying(path);
        }
        if let Some(program) = text.strip_prefix(b"initialize program: ") {
            return Self::Initialize(program);
        }
        if text.starts_with(b"transferring control: ") {
            return Self::Control;
        }
        if let Some(at) = position(text, b": error: ") {
            let (object, message) = text.split_at(at);
            return Self::Error { object, message: message.get(9..).unwrap_or(b"") };
        }
        Self::Other
    }

    /// `NAME [NAMESPACE];  needed by ASKER [NAMESPACE]` and similar texts.
    fn of_file(rest: &'a [u8]) -> Option<Self> {
        let mut from = 0;
        while let Some(at) = position(rest.get(from..)?, b"];") {
            let (name, words) = rest.split_at_checked(from + at + 1)?;
            from += at + 2;
            let words = words.strip_prefix(b";")?.trim_ascii_start();
            let Some((name, namespace)) = bracketed(name) else { continue };
            for (verb, kind) in
                [(&b"needed by "[..], Kind::Needed), (b"dynamically loaded by ", Kind::Dlopen)]
            {
                if let Some(asker) = words.strip_prefix(verb) {
                    // A relocation dependency is not a request: both objects are loaded.
                    let (asker, _) = bracketed(asker)?;
                    return Some(Self::Asked { kind, name, asker, namespace });
                }
            }
            match words {
                b"generating link map" => return Some(Self::Mapped(name)),
                b"destroying link map" => {
                    return Some(Self::Unmapped { path: name, namespace });
                }
                _ => {}
            }
        }
        None
    }

    /// The approximate number of bytes that the line takes in memory.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Asked { name, asker, .. } => 200 + name.len() + asker.len(),
            Self::Trying(path) | Self::Unmapped { path, .. } => 40 + path.len(),
            Self::SearchPath { directories, rule: Some(Rule::LdLibraryPath) } => directories.len(),
            _ => 0,
        }
    }
}

/// `NAME [NAMESPACE]`
fn bracketed(text: &[u8]) -> Option<(&[u8], u64)> {
    let text = text.strip_suffix(b"]")?;
    let (name, namespace) = text.split_at_checked(last_position(text, b" [")?)?;
    Some((name, number(namespace.get(2..)?)?))
}

fn number(digits: &[u8]) -> Option<u64> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The list that a search path line names: `RUNPATH from file X)`.
fn rule_of(words: &[u8]) -> Option<Rule> {
    [
        (&b"RPATH"[..], Rule::Rpath),
        (b"RUNPATH", Rule::Runpath),
        (b"LD_LIBRARY_PATH", Rule::LdLibraryPath),
        (b"system search path", Rule::DefaultDirs),
    ]
    .into_iter()
    .find_map(|(word, rule)| words.starts_with(word).then_some(rule))
}

/// The `glibc-hwcaps` subdirectories of the first directory of a list.
pub(super) fn hwcaps(directories: &[u8]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for directory in directories.split(|&byte| byte == b':') {
        let Some(at) = last_position(directory, b"glibc-hwcaps/") else { continue };
        let name = directory.get(at + 13..).unwrap_or_default();
        let Ok(name) = std::str::from_utf8(name) else { continue };
        if !found.iter().any(|known| known == name) {
            found.push(name.to_owned());
        }
    }
    found
}

/// The directories of a list without the subdirectories that glibc inserts before each: those of
/// `glibc-hwcaps`, and up to glibc 2.36 `tls` and the names of platforms and capabilities.
pub(super) fn without_hwcaps(list: &[u8]) -> Vec<Vec<u8>> {
    let mut kept: Vec<Vec<u8>> = Vec::new();
    for directory in list.split(|&byte| byte == b':') {
        while let Some(last) = kept.last() {
            let below = last.strip_prefix(directory).and_then(|rest| rest.strip_prefix(b"/"));
            if !below.is_some_and(is_subdirectory) {
                break;
            }
            kept.pop();
        }
        kept.push(directory.to_vec());
    }
    kept
}

/// Does a path consist of names that the loader adds itself?
fn is_subdirectory(path: &[u8]) -> bool {
    const NAMES: &[&[u8]] = &[
        b"tls",
        b"x86_64",
        b"haswell",
        b"xeon_phi",
        b"avx512_1",
        b"i386",
        b"i486",
        b"i586",
        b"i686",
        b"sse2",
        b"aarch64",
        b"atomics",
    ];
    path.starts_with(b"glibc-hwcaps/")
        || path.split(|&byte| byte == b'/').all(|part| NAMES.contains(&part))
}

fn position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
}

fn last_position(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).rposition(|window| window == part)
}
