//! `@loader_path`, `@executable_path` and `@rpath` (`Loader::forEachResolvedAtPathVar`).

use super::variants::in_cryptex;
use super::version::Version;
use crate::loader::Rule;
use std::path::{Path, PathBuf};

/// An image of the chain, as far as expansion needs it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link<'c> {
    /// The image's path.
    pub(super) path: &'c Path,
    /// Its `LC_RPATH`s, in order.
    pub(super) rpaths: &'c [Vec<u8>],
}

/// What paths are expanded with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expansion<'c> {
    /// The rules.
    pub(super) version: Version,
    /// May `@` and relative paths be used freely?
    pub(super) hardened: bool,
    /// The main program's path.
    pub(super) executable: Option<&'c Path>,
    /// The requester, what loaded it, and so on; the main program last.
    pub(super) chain: &'c [Link<'c>],
}

/// A path to examine.
#[derive(Debug, Clone)]
pub(super) struct Expanded {
    /// The path; relative only if the name or the entry was.
    pub(super) path: Vec<u8>,
    /// By an `LC_RPATH`, by a path of the cryptex, or neither.
    pub(super) rule: Option<Rule>,
    /// The image whose `LC_RPATH` was used.
    pub(super) via: Option<PathBuf>,
}

impl Expansion<'_> {
    /// The paths that a name expands to; none for an `@rpath` without any `LC_RPATH`.
    pub(super) fn expand(&self, name: &[u8]) -> Vec<Expanded> {
        let plain = |path| vec![Expanded { path, rule: None, via: None }];
        let requester = self.chain.first().map(|link| link.path);
        if let Some(path) = requester.and_then(|requester| at_loader_path(name, requester)) {
            return plain(path);
        }
        if let Some(path) = self.at_executable_path(name) {
            return plain(path);
        }
        match name.strip_prefix(b"@rpath") {
            Some(tail) if tail.first() == Some(&b'/') => self.at_rpath(tail),
            _ if name.first() == Some(&b'@') => Vec::new(),
            _ => plain(name.to_vec()),
        }
    }

    /// `tail` begins with its slash.
    fn at_rpath(&self, tail: &[u8]) -> Vec<Expanded> {
        let mut found = Vec::new();
        for link in self.chain {
            let mut push = |directory: Vec<u8>, rule| {
                found.push(Expanded {
                    path: joined(directory, tail),
                    rule: Some(rule),
                    via: Some(link.path.to_owned()),
                });
            };
            for entry in link.rpaths {
                let directory =
                    at_loader_path(entry, link.path).or_else(|| self.at_executable_path(entry));
                if let Some(directory) = directory {
                    push(directory, Rule::Rpath);
                } else if entry.first() == Some(&b'/') {
                    push(entry.clone(), Rule::Rpath);
                    if self.version.has_cryptex() {
                        push(in_cryptex(entry), Rule::Cryptex);
                    }
                } else if entry.first() != Some(&b'@') && !self.hardened {
                    push(entry.clone(), Rule::Rpath);
                }
            }
        }
        found
    }

    fn at_executable_path(&self, name: &[u8]) -> Option<Vec<u8>> {
        let mut rest = after(name, b"@executable_path")?;
        let mut directory = parent(self.executable?)?;
        if rest.is_empty() {
            return Some([directory, b"/"].concat());
        }
        if self.version.normalises_executable_path() {
            while let Some(less) = rest.strip_prefix(b"/..") {
                match directory.iter().rposition(|&byte| byte == b'/') {
                    None | Some(0) => break,
                    Some(slash) => {
                        directory = directory.get(..slash)?;
                        rest = less;
                    }
                }
            }
        }
        Some([directory, rest].concat())
    }
}

/// `@loader_path` is the directory of the image's path, and `..` is kept.
fn at_loader_path(name: &[u8], image: &Path) -> Option<Vec<u8>> {
    let rest = after(name, b"@loader_path")?;
    Some([parent(image)?, rest].concat())
}

/// What follows a token that ends there or before a slash.
fn after<'n>(name: &'n [u8], token: &[u8]) -> Option<&'n [u8]> {
    name.strip_prefix(token).filter(|rest| rest.is_empty() || rest.first() == Some(&b'/'))
}

/// The directory of a path, without a slash at its end.
fn parent(path: &Path) -> Option<&[u8]> {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes = path.as_os_str().as_bytes();
    bytes.get(..bytes.iter().rposition(|&byte| byte == b'/')?)
}

/// A directory and a tail that begins with a slash, without a doubled one.
fn joined(mut directory: Vec<u8>, tail: &[u8]) -> Vec<u8> {
    if directory.last() == Some(&b'/') {
        directory.pop();
    }
    directory.extend_from_slice(tail);
    directory
}
