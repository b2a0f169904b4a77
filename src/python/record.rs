//! `RECORD`: the files of an installed distribution (PEP 376, PEP 627), edited as bytes.
//!
//! The csv crate returns the value of a field and not its place in the file. An edit must not
//! change any other byte, so the rows are split here. The dialect is that of Python's `csv` module,
//! which writes these files: a quote counts only at the start of a field, doubled quotes mean one,
//! and CR, LF and CRLF end a row.

use crate::bytes;
use crate::edit::{self, Content, Edit, EditSet};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;
use std::ops::Range;

/// One row of a RECORD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// The file's path as it is written, any bytes: relative to the site-packages directory, with
    /// `/` between its parts and perhaps with `..`, or absolute.
    pub path: Cow<'a, [u8]>,
    /// The digest of the file's content; `None` if the field is empty, as RECORD's own is.
    pub hash: Option<Hash<'a>>,
    /// The file's length in bytes; `None` if the field is empty or is not a decimal number.
    pub size: Option<u64>,
    /// The row's place in the file without the end of its line, as offsets in bytes.
    pub range: Range<u64>,
    /// The row's bytes, without the end of its line.
    pub raw: &'a [u8],
    /// The places of the second and third field in `raw`, quotes included; missing ones are empty.
    hash_field: Range<usize>,
    size_field: Range<usize>,
}

impl Row<'_> {
    /// Does the file contain Python code that does something? An empty `__init__.py` only makes a directory a
    /// package.
    #[must_use]
    pub fn is_code(&self) -> bool {
        self.path.ends_with(b".py") && self.size.is_some_and(|size| size > 0)
    }
}

impl Row<'_> {
    /// Does another row differ only in a hash and a size, as installers write them?
    #[must_use]
    pub fn differs_in_hash_and_size_alone(&self, other: &Self) -> bool {
        /// The longest hash is SHA-512, and no file has a longer length.
        const MAX_FIELD: usize = 128;
        let rest = |row: &Self| -> Option<[Vec<u8>; 3]> {
            let (hash, size) = (row.hash_field.clone(), row.size_field.clone());
            let parts = [0..hash.start, hash.end..size.start, size.end..row.raw.len()];
            let [path, between, behind] = parts.map(|part| row.raw.get(part).map(<[u8]>::to_vec));
            Some([path?, between?, behind?])
        };
        let is_plain = |row: &Self| {
            let field = |place: &Range<usize>| row.raw.get(place.clone()).unwrap_or_default();
            let (hash, size) = (field(&row.hash_field), field(&row.size_field));
            let is_of_hash = |byte: &u8| byte.is_ascii_alphanumeric() || b"=-_+/\"".contains(byte);
            let is_of_size = |byte: &u8| byte.is_ascii_digit() || *byte == b'"';
            hash.len().max(size.len()) <= MAX_FIELD
                && hash.iter().all(is_of_hash)
                && size.iter().all(is_of_size)
        };
        is_plain(self) && is_plain(other) && rest(self).is_some() && rest(self) == rest(other)
    }
}

/// The hash of a row: `ALGORITHM=VALUE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hash<'a> {
    /// A name of Python's `hashlib`, such as `sha256`; empty where the field has no `=`.
    pub algorithm: Cow<'a, [u8]>,
    /// The digest in URL-safe base64 without padding.
    pub value: Cow<'a, [u8]>,
}

impl Hash<'_> {
    /// The digest, if it is a valid one by SHA-256.
    #[must_use]
    pub fn sha256(&self) -> Option<[u8; 32]> {
        if *self.algorithm != *b"sha256" {
            return None;
        }
        URL_SAFE_NO_PAD.decode(&self.value).ok()?.try_into().ok()
    }
}

/// The longest RECORD that is read, in bytes: the largest known, of 20,000 files, has 3 MB.
pub const MAX_BYTES: u64 = 64 << 20;

/// The most rows of one file that are updated. Installers write one; an edit keeps the old and the
/// new text of each.
pub const MAX_ROWS: usize = 1000;

/// Why rows cannot be edited.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The file is malformed.
    #[error(transparent)]
    Malformed(#[from] bytes::Error),
    /// The row's hash is by another algorithm than SHA-256.
    #[error("RECORD has a {algorithm} hash for {path}; tfpatch can update only sha256")]
    UnsupportedHash {
        /// The path as the row gives it.
        path: String,
        /// The algorithm's name.
        algorithm: String,
    },
    /// The file lists one file too often, as no installer does.
    #[error("RECORD has {rows} rows for {path}; tfpatch updates at most {MAX_ROWS}")]
    Repeated {
        /// The path.
        path: String,
        /// How many rows there are.
        rows: usize,
    },
    /// The file has fewer rows.
    #[error("RECORD has no row {index}: it changed while tfpatch was running")]
    NoSuchRow {
        /// The requested row, from 0.
        index: usize,
    },
    /// A row was named twice.
    #[error(transparent)]
    Edit(#[from] edit::Invalid),
}

/// The new content of a row's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Index of the row, from 0; blank lines do not count.
    pub row: usize,
    /// The SHA-256 digest of the new content.
    pub sha256: [u8; 32],
    /// Its length in bytes.
    pub size: u64,
}

/// The rows of a RECORD, held in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record<'a> {
    /// In the order of the file, without blank lines.
    pub rows: Vec<Row<'a>>,
}

impl<'a> Record<'a> {
    /// Reads a whole RECORD.
    ///
    /// # Errors
    /// If a quoted field does not end.
    pub fn parse(record: &'a [u8]) -> Result<Self, bytes::Error> {
        Ok(Self { rows: rows(record).collect::<Result<_, _>>()? })
    }
}

/// The rows of a RECORD one by one, without blank lines. After an error nothing follows.
#[must_use]
pub fn rows(record: &[u8]) -> Rows<'_> {
    // Text editors on Windows add a byte order mark, which is not part of a path.
    let at = if record.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    Rows { record, at }
}

/// The iterator of [`rows`].
#[derive(Debug, Clone)]
pub struct Rows<'a> {
    record: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Rows<'a> {
    type Item = Result<Row<'a>, bytes::Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while matches!(self.record.get(self.at), Some(b'\r' | b'\n')) {
            self.at += 1;
        }
        if self.at >= self.record.len() {
            return None;
        }
        match split(self.record, self.at) {
            Ok((fields, end)) => {
                let row = row(self.record, self.at, &fields, end);
                self.at = end;
                Some(Ok(row))
            }
            Err(error) => {
                self.at = self.record.len();
                Some(Err(error))
            }
        }
    }
}

/// The places of a row's first three fields, and the end of the row.
fn split(record: &[u8], start: usize) -> Result<([Range<usize>; 3], usize), bytes::Error> {
    let mut fields = [start..start, start..start, start..start];
    let mut at = start;
    let mut places = fields.iter_mut();
    loop {
        let field = at;
        if record.get(at) == Some(&b'"') {
            at = after_quotes(record, at)?;
        }
        let rest = record.get(at..).unwrap_or_default();
        at += memchr::memchr3(b',', b'\r', b'\n', rest).unwrap_or(rest.len());
        // Fields after the third have no meaning, and are unchanged.
        if let Some(place) = places.next() {
            *place = field..at;
        }
        if record.get(at) != Some(&b',') {
            break;
        }
        at += 1;
    }
    for place in places {
        *place = at..at;
    }
    Ok((fields, at))
}

/// The offset after the quote that closes the field at `start`.
fn after_quotes(record: &[u8], start: usize) -> Result<usize, bytes::Error> {
    let mut at = start + 1;
    while let Some(&byte) = record.get(at) {
        at += 1;
        if byte == b'"' {
            if record.get(at) != Some(&b'"') {
                return Ok(at);
            }
            at += 1;
        }
    }
    Err(bytes::Error::invalid("RECORD row", start as u64, "a quoted field does not end"))
}

fn row<'a>(record: &'a [u8], start: usize, fields: &[Range<usize>; 3], end: usize) -> Row<'a> {
    let [path, hash, size] = fields.clone();
    let value = |field: Range<usize>| unquoted(record.get(field).unwrap_or_default());
    let inside = |field: Range<usize>| field.start - start..field.end - start;
    Row {
        path: value(path),
        hash: split_hash(value(hash.clone())),
        size: str::from_utf8(&value(size.clone())).ok().and_then(|digits| digits.parse().ok()),
        range: start as u64..end as u64,
        raw: record.get(start..end).unwrap_or_default(),
        hash_field: inside(hash),
        size_field: inside(size),
    }
}

/// The value of a field.
fn unquoted(field: &[u8]) -> Cow<'_, [u8]> {
    let Some(inner) = field.strip_prefix(b"\"") else { return Cow::Borrowed(field) };
    if let Some(plain) = inner.strip_suffix(b"\"")
        && !plain.contains(&b'"')
    {
        return Cow::Borrowed(plain);
    }
    let mut value = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'"' {
            value.push(byte);
        } else if bytes.next_if_eq(&b'"').is_some() {
            value.push(b'"');
        } else {
            // The quotes are closed; the rest up to the comma is part of the field, unchanged.
            value.extend(bytes);
            break;
        }
    }
    Cow::Owned(value)
}

fn split_hash(field: Cow<'_, [u8]>) -> Option<Hash<'_>> {
    if field.is_empty() {
        return None;
    }
    let Some(equals) = field.iter().position(|&byte| byte == b'=') else {
        return Some(Hash { algorithm: Cow::Borrowed(b""), value: field });
    };
    let part = |range: Range<usize>| match &field {
        Cow::Borrowed(bytes) => Cow::Borrowed(bytes.get(range).unwrap_or_default()),
        Cow::Owned(bytes) => Cow::Owned(bytes.get(range).unwrap_or_default().to_vec()),
    };
    Some(Hash { algorithm: part(0..equals), value: part(equals + 1..field.len()) })
}

/// A field's place in its row, and its new bytes.
type Replacement = (Range<usize>, Vec<u8>);

impl Row<'_> {
    /// The new bytes of the changed fields, by their places in the row. An empty field stays empty,
    /// and a quoted one quoted.
    fn replacements(&self, sha256: &[u8; 32], size: u64) -> Result<Vec<Replacement>, Error> {
        if let Some(hash) = &self.hash
            && *hash.algorithm != *b"sha256"
        {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let algorithm = if hash.algorithm.is_empty() {
                "nameless".to_owned()
            } else {
                text(&hash.algorithm)
            };
            return Err(Error::UnsupportedHash { path: text(&self.path), algorithm });
        }
        let hash = format!("sha256={}", URL_SAFE_NO_PAD.encode(sha256));
        let mut changed = Vec::new();
        for (field, new) in [(&self.hash_field, hash), (&self.size_field, size.to_string())] {
            let old = self.raw.get(field.clone()).unwrap_or_default();
            let new = if old.starts_with(b"\"") { format!("\"{new}\"") } else { new };
            if !unquoted(old).is_empty() && old != new.as_bytes() {
                changed.push((field.clone(), new.into_bytes()));
            }
        }
        Ok(changed)
    }
}

/// The bytes of `row`, without the end of its line, for a file of another content.
///
/// # Errors
/// [`Error::UnsupportedHash`] where the row's hash is not by SHA-256.
pub fn updated_row(row: &Row<'_>, sha256: &[u8; 32], size: u64) -> Result<Vec<u8>, Error> {
    let mut updated = row.raw.to_vec();
    // From the last to the first, so that the places hold.
    for (field, new) in row.replacements(sha256, size)?.into_iter().rev() {
        updated.splice(field, new);
    }
    Ok(updated)
}

/// A RECORD with other hashes and sizes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rewritten {
    /// What changes in the file.
    pub edits: EditSet,
    /// The old rows, to be shown.
    pub before: Vec<String>,
    /// The new rows, to be shown.
    pub after: Vec<String>,
}

/// The edits of a RECORD for the files that change, and the rows concerned.
///
/// # Errors
/// As for [`edits`].
pub fn rewrite(record: &[u8], changes: &[Change]) -> Result<Rewritten, Error> {
    let edits = edits(record, changes)?;
    let mut wanted: Vec<(usize, &Change)> = changes.iter().enumerate().collect();
    wanted.sort_by_key(|(_, change)| change.row);
    let mut wanted = wanted.into_iter().peekable();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    // In the order of the changes, and not of the rows.
    let mut texts: Vec<(String, String)> = vec![Default::default(); changes.len()];
    for (index, row) in rows(record).enumerate() {
        let row = row?;
        while let Some((place, change)) = wanted.next_if(|(_, change)| change.row == index) {
            if let Some(texts) = texts.get_mut(place) {
                let updated = updated_row(&row, &change.sha256, change.size)?;
                *texts = (text(row.raw), text(&updated));
            }
        }
    }
    let (before, after) = texts.into_iter().unzip();
    Ok(Rewritten { edits, before, after })
}

/// The SHA-256 digest of a file, as its row has it.
///
/// # Errors
/// If the file has become shorter.
pub fn sha256(source: &dyn bytes::Source) -> Result<[u8; 32], bytes::Error> {
    const PIECE: u64 = 1 << 20;
    let mut hasher = Sha256::new();
    let mut at = 0;
    while at < source.len() {
        let piece = source.read(at, PIECE.min(source.len() - at), "file")?;
        hasher.update(&piece);
        at += piece.len() as u64;
    }
    Ok(hasher.finalize().into())
}

/// The edits of a RECORD for the files that change: only hashes and sizes are touched, and only
/// where they differ.
///
/// # Errors
/// If the file is malformed, has no such row, has another hash there than SHA-256, or a row is
/// named twice.
pub fn edits(record: &[u8], changes: &[Change]) -> Result<EditSet, Error> {
    let mut wanted: Vec<&Change> = changes.iter().collect();
    wanted.sort_by_key(|change| change.row);
    let mut wanted = wanted.into_iter().peekable();
    let mut edits = Vec::new();
    for (index, row) in rows(record).enumerate() {
        let row = row?;
        while let Some(change) = wanted.next_if(|change| change.row == index) {
            for (field, new) in row.replacements(&change.sha256, change.size)? {
                let start = row.range.start + field.start as u64;
                let end = row.range.start + field.end as u64;
                edits.push(Edit { range: start..end, new: Content::Bytes(new) });
            }
        }
    }
    if let Some(change) = wanted.next() {
        return Err(Error::NoSuchRow { index: change.row });
    }
    Ok(EditSet::new(record.len() as u64, edits)?)
}
