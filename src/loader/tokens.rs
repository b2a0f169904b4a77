//! Dynamic string tokens: `$ORIGIN`, `$LIB`, `$PLATFORM` (glibc's `is_dst` and
//! `_dl_dst_substitute` in elf/dl-load.c).

/// The values of the tokens when they are expanded for one object.
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a> {
    /// `$ORIGIN`: the directory of the object. `None` if it is not known.
    pub origin: Option<&'a [u8]>,
    /// `$LIB`, such as `lib64`.
    pub lib: Option<&'a [u8]>,
    /// `$PLATFORM`: `AT_PLATFORM`, such as `x86_64`.
    pub platform: Option<&'a [u8]>,
    /// Of a set-user-ID program: only an `$ORIGIN` that begins the path is expanded.
    pub secure: bool,
    /// Directories that must contain the result if it came from `$ORIGIN`: those of the loader, for
    /// the main program of a secure process.
    pub trusted: Option<&'a [Vec<u8>]>,
}

/// Is there a token in `input` that the loader knows?
#[must_use]
pub fn has_token(input: &[u8]) -> bool {
    memchr::memchr_iter(b'$', input)
        .any(|at| NAMES.iter().any(|name| token(input.get(at + 1..).unwrap_or_default(), name) > 0))
}

/// The names, in the order in which the loader compares them.
const NAMES: [&[u8]; 3] = [b"ORIGIN", b"PLATFORM", b"LIB"];

/// `input` with every known token replaced; an unknown `$FOO` stays as it is. `None` if a known
/// token has no value, or the result would not be trusted: then the whole path is ignored.
#[must_use]
pub fn expand(input: &[u8], tokens: &Tokens<'_>) -> Option<Vec<u8>> {
    let origin = tokens.origin.map_or(0, <[u8]>::len);
    let mut expanded = Vec::with_capacity(input.len() + origin);
    let mut at = 0;
    let mut used_origin = false;
    while let Some(left) = input.get(at..).filter(|left| !left.is_empty()) {
        let plain = memchr::memchr(b'$', left).unwrap_or(left.len());
        expanded.extend_from_slice(left.get(..plain).unwrap_or_default());
        at += plain;
        if at == input.len() {
            break;
        }
        at += 1;
        let rest = input.get(at..).unwrap_or_default();
        let Some((name, len)) = NAMES.iter().find_map(|&name| match token(rest, name) {
            0 => None,
            len => Some((name, len)),
        }) else {
            expanded.push(b'$');
            continue;
        };
        let value = match name {
            b"ORIGIN" => {
                used_origin = true;
                let leads = at == 1 && matches!(rest.get(len), None | Some(b'/'));
                tokens.origin.filter(|_| !tokens.secure || leads)
            }
            b"PLATFORM" => tokens.platform,
            _ => tokens.lib,
        };
        expanded.extend_from_slice(value?);
        at += len;
    }
    let untrusted = tokens.trusted.is_some_and(|dirs| used_origin && !lies_in(&expanded, dirs));
    (!untrusted).then_some(expanded)
}

/// May `input` be expanded to a directory, or to one above it that has the subdirectories for processors? The values of
/// the tokens are not compared.
#[must_use]
pub fn leads_to(input: &[u8], directory: &[u8]) -> bool {
    let (mut rest, mut at, mut start) = (directory, 0, 0);
    let mut is_open = false;
    // What is between two tokens has to be in the directory, in order.
    let mut skip = |literal: &[u8], is_open: bool| {
        let literal = literal.strip_suffix(b"/").unwrap_or(literal);
        let found = match is_open {
            true => memchr::memmem::find(rest, literal),
            false => rest.starts_with(literal).then_some(0),
        };
        rest = found.and_then(|at| rest.get(at + literal.len()..)).unwrap_or_default();
        found.is_some()
    };
    while let Some(&byte) = input.get(at) {
        at += 1;
        let after = input.get(at..).unwrap_or_default();
        let len = NAMES.iter().map(|name| token(after, name)).find(|&len| len > 0);
        if let Some(len) = len.filter(|_| byte == b'$') {
            if !skip(input.get(start..at - 1).unwrap_or_default(), is_open) {
                return false;
            }
            at += len;
            (start, is_open) = (at, true);
        }
    }
    let is_there = skip(input.get(start..).unwrap_or_default(), is_open);
    is_there && (is_open || rest.is_empty() || rest.starts_with(b"/glibc-hwcaps/"))
}

/// The length of token `name` at the beginning of what follows a `$`, braces included; 0 if there
/// is another token or none. A name ends where no letter, digit or `_` follows.
fn token(rest: &[u8], name: &[u8]) -> usize {
    let (curly, inner) = match rest.strip_prefix(b"{") {
        Some(inner) => (true, inner),
        None => (false, rest),
    };
    let Some(after) = inner.strip_prefix(name) else { return 0 };
    match (curly, after.first()) {
        (true, Some(b'}')) => name.len() + 2,
        (true, _) => 0,
        (false, Some(byte)) if byte.is_ascii_alphanumeric() || *byte == b'_' => 0,
        (false, _) => name.len(),
    }
}

/// Is a path in one of `dirs`, after its `.`, `..` and double slashes are removed without looking
/// at the disk? (glibc's `is_trusted_path_normalize`.)
fn lies_in(path: &[u8], dirs: &[Vec<u8>]) -> bool {
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split(|&byte| byte == b'/') {
        match part {
            b"" | b"." => {}
            b".." => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    let mut normal = vec![b'/'];
    for part in parts {
        normal.extend_from_slice(part);
        normal.push(b'/');
    }
    path.starts_with(b"/") && dirs.iter().any(|dir| normal.starts_with(dir))
}
