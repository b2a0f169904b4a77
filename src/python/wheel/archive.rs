//! The directory of the zip archive of a wheel: where each member's bytes are, and where the fields
//! are that have to be updated with them (PKWARE's APPNOTE.TXT, 6.3.10).
//!
//! The zip crate provides neither: it keeps the last of several members with the same name, and
//! writes its own headers. An edit here keeps every byte that does not describe an edited member.

use super::error::{Error, Why};
use crate::bytes::{self, Source, printable};
use std::collections::HashSet;
use std::ops::Range;

/// Signatures of the structures.
const LOCAL: &[u8] = b"PK\x03\x04";
const CENTRAL: &[u8] = b"PK\x01\x02";
const END: &[u8] = b"PK\x05\x06";
const END_64: &[u8] = b"PK\x06\x06";
const LOCATOR_64: &[u8] = b"PK\x06\x07";
const DESCRIPTOR: &[u8] = b"PK\x07\x08";

/// Their lengths in bytes, without the parts of variable length.
const LOCAL_LEN: u64 = 30;
const CENTRAL_LEN: u64 = 46;
const END_LEN: u64 = 22;
const END_64_LEN: u64 = 56;
const LOCATOR_64_LEN: u64 = 20;
/// A comment at the end of the file is at most that long.
const MAX_COMMENT: u64 = 0xffff;
/// The longest directory that is read, in bytes: that of the largest known wheel takes 2 MB.
const MAX_DIRECTORY: u64 = 256 << 20;

/// The content of a field of 32 bits whose value is in a zip64 field.
const IN_ZIP64: u64 = 0xffff_ffff;
/// The extra field of zip64.
const ZIP64: u16 = 1;

/// Bit 0 of the flags, and bit 6: encrypted. Bit 13: the directory is.
const ENCRYPTED: u16 = 1 | 1 << 6 | 1 << 13;
/// Bit 3 of the flags: checksum and lengths follow the data.
const DESCRIBED: u16 = 1 << 3;

/// The most bytes that deflate can produce from one.
const MAX_RATIO: u64 = 1032;
/// A member that is longer than this, and compressed by more than that factor, is not a real file.
const BOMB_LEN: u64 = 64 << 20;
const BOMB_RATIO: u64 = 250;

/// How a member is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Stored,
    Deflated,
    /// Any other, by its number.
    Other(u16),
}

/// A member of an archive.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) name: Vec<u8>,
    pub(super) method: Method,
    pub(super) crc32: u32,
    /// Its length when inflated.
    pub(super) size: u64,
    /// Its bytes in the archive.
    pub(super) data: Range<u64>,
    /// Where it ends, with the descriptor after its data.
    end: u64,
    /// Its permission bits, if the archive has them.
    pub(super) mode: Option<u32>,
    /// The places of its checksum and lengths.
    pub(super) fields: Vec<Fields>,
    /// The place of the offset of its local header, relative to the directory, and that offset.
    pub(super) offset_at: Field,
    pub(super) header: u64,
}

/// A place in the archive that contains a member's checksum and lengths.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    pub(super) crc32: u64,
    pub(super) compressed: Field,
    pub(super) size: Field,
}

/// A number in the archive: its offset in the file, and whether it takes eight bytes or four.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) at: u64,
    pub(super) wide: bool,
}

impl Field {
    /// Its bytes, as offsets in the file.
    fn range(self) -> Range<u64> {
        self.at..self.at.saturating_add(if self.wide { 8 } else { 4 })
    }

    /// The bytes of a value there; `None` if it does not fit.
    pub(super) fn bytes(self, value: u64) -> Option<Vec<u8>> {
        if self.wide {
            return Some(value.to_le_bytes().to_vec());
        }
        let narrow = u32::try_from(value).ok().filter(|&value| u64::from(value) < IN_ZIP64)?;
        Some(narrow.to_le_bytes().to_vec())
    }
}

/// An archive's directory.
#[derive(Debug)]
pub(super) struct Archive {
    /// In the order of the directory, including directories, whose names end in a slash.
    pub(super) members: Vec<Member>,
    /// Where the directory is, up to the end of the file.
    pub(super) tail: Range<u64>,
    /// The place of the offset of the directory, and, with zip64, that of its end.
    pub(super) directory_at: Vec<Field>,
    pub(super) end_64: Option<(Field, u64)>,
}

/// The end of an archive, which names the place of its directory.
struct End {
    directory: Range<u64>,
    count: u64,
    directory_at: Vec<Field>,
    end_64: Option<(Field, u64)>,
}

impl Archive {
    /// Reads the directory and every local header.
    ///
    /// # Errors
    /// If the archive is truncated or malformed, a member's headers differ, members overlap, or a
    /// member is encrypted, a link, a duplicate, or too large for its compressed data.
    pub(super) fn read(source: &dyn Source) -> Result<Self, Error> {
        let end = End::find(source)?;
        let len = end.directory.end - end.directory.start;
        if len > MAX_DIRECTORY {
            return Err(Why::Directory("its directory is too large").into());
        }
        let bytes = source.read(end.directory.start, len, "central directory")?;
        let mut members = Vec::new();
        let mut seen = HashSet::new();
        let mut at = 0;
        for _ in 0..end.count {
            let (member, next) = central(&bytes, at, end.directory.start)?;
            at = next;
            if !seen.insert(member.name.clone()) {
                return Err(member.refused(Why::Twice));
            }
            members.push(member);
        }
        if at != len {
            return Err(
                Why::Directory("its central directory has a different size than recorded").into()
            );
        }
        for member in &mut members {
            member.read_local(source, end.directory.start)?;
        }
        check_order(&members)?;
        Ok(Self {
            members,
            tail: end.directory.start..source.len(),
            directory_at: end.directory_at,
            end_64: end.end_64,
        })
    }

    /// The parts of an archive of `len` bytes that stay when members are compressed again, except the data of
    /// members: the checksums and lengths of the `changed` ones are removed, and every offset. As ranges of the
    /// file, ascending.
    pub(super) fn kept(&self, len: u64, changed: impl Fn(usize) -> bool) -> Vec<Range<u64>> {
        let mut others = Vec::new();
        for (index, member) in self.members.iter().enumerate() {
            others.push(member.data.clone());
            others.push(member.offset_at.range());
            for fields in member.fields.iter().filter(|_| changed(index)) {
                let crc32 = fields.crc32..fields.crc32.saturating_add(4);
                others.extend([crc32, fields.compressed.range(), fields.size.range()]);
            }
        }
        others.extend(self.directory_at.iter().map(|field| field.range()));
        others.extend(self.end_64.iter().map(|(field, _)| field.range()));
        let mut kept = Vec::new();
        let mut at = 0;
        for range in bytes::joined(&others) {
            kept.push(at..range.start.max(at));
            at = range.end;
        }
        kept.push(at..len.max(at));
        kept
    }
}

impl Member {
    pub(super) fn refused(&self, why: Why) -> Error {
        Error { member: Some(printable(&self.name)), why }
    }

    /// Reads the local header and the descriptor after the data, which must agree with the
    /// directory. `limit` is the start of the directory.
    fn read_local(&mut self, source: &dyn Source, limit: u64) -> Result<(), Error> {
        let differs = |what| self.refused(Why::Differs(what));
        let cut_off = |error: bytes::Error| self.refused(Why::Malformed(error));
        let header = source.read(self.header, LOCAL_LEN, "local header").map_err(cut_off)?;
        if !header.starts_with(LOCAL) {
            return Err(differs("signature"));
        }
        let half = |at| u64::from(u16_at(&header, at));
        let (name_len, extra_len) = (half(26), half(28));
        let start = self.header + LOCAL_LEN;
        let name = source.read(start, name_len, "local header").map_err(cut_off)?;
        if *name != *self.name {
            return Err(differs("name"));
        }
        let extra_at = start + name_len;
        let extra = source.read(extra_at, extra_len, "local header").map_err(cut_off)?;
        let flags = u16_at(&header, 6);
        let method = method_of(u16_at(&header, 8));
        if method != self.method || flags & ENCRYPTED != 0 {
            return Err(differs("method"));
        }
        let data = extra_at + extra_len;
        let compressed = self.data.end;
        let Some(end) = data.checked_add(compressed).filter(|&end| end <= limit) else {
            let available = limit.saturating_sub(data);
            let problem = bytes::Problem::Truncated { needed: compressed, available };
            return Err(cut_off(bytes::Error { what: "compressed bytes", offset: data, problem }));
        };
        let local = Local::read(&header, &extra, self.header, extra_at).map_err(differs)?;
        let described = flags & DESCRIBED != 0;
        let is_blank = described && local.lengths() == (0, 0, 0);
        if !is_blank && local.lengths() != self.lengths() {
            return Err(differs("checksum or lengths"));
        }
        let mut fields: Vec<Fields> = (!is_blank).then_some(local.fields).into_iter().collect();
        let mut member_end = end;
        if described {
            let lengths = self.lengths();
            let described = descriptor(source, end, limit, local.is_wide, lengths)
                .or_else(|| descriptor(source, end, limit, !local.is_wide, lengths))
                .ok_or_else(|| differs("data descriptor"))?;
            member_end = described.size.at + if described.size.wide { 8 } else { 4 };
            fields.push(described);
        }
        self.fields.append(&mut fields);
        self.end = member_end;
        self.data = data..end;
        Ok(())
    }

    /// The values of the directory: checksum, compressed length and length. Until the local header is
    /// read, `data` holds only the length.
    fn lengths(&self) -> Lengths {
        (self.crc32, self.data.end - self.data.start, self.size)
    }
}

/// A checksum, a compressed length and a length.
type Lengths = (u32, u64, u64);

/// What a local header says about its member's bytes.
struct Local {
    crc32: u32,
    compressed: u64,
    size: u64,
    /// The place of these values.
    fields: Fields,
    /// Is one of the lengths in a zip64 field?
    is_wide: bool,
}

impl Local {
    /// Reads the header at `base` of the file, whose extra fields are at `extra_at`; otherwise returns
    /// the part of it that is wrong.
    fn read(header: &[u8], extra: &[u8], base: u64, extra_at: u64) -> Result<Self, &'static str> {
        let narrow = [field_at(header, 22, false), field_at(header, 18, false)];
        let values = zip64(extra, &narrow, extra_at).ok_or("zip64 field")?;
        let [size, compressed] = values.as_slice() else { return Err("zip64 field") };
        let place = |found: &Found, narrow: u64| {
            found.at.unwrap_or(Field { at: base + narrow, wide: false })
        };
        Ok(Self {
            crc32: u32_at(header, 14),
            compressed: compressed.value,
            size: size.value,
            fields: Fields {
                crc32: base + 14,
                compressed: place(compressed, 18),
                size: place(size, 22),
            },
            is_wide: size.at.is_some() || compressed.at.is_some(),
        })
    }

    fn lengths(&self) -> Lengths {
        (self.crc32, self.compressed, self.size)
    }
}

/// The descriptor after a member's data: its checksum and `lengths`, usually after a signature.
fn descriptor(
    source: &dyn Source,
    end: u64,
    limit: u64,
    wide: bool,
    lengths: Lengths,
) -> Option<Fields> {
    let width = if wide { 8 } else { 4 };
    [4, 0].into_iter().find_map(|skip| {
        let len = skip + 4 + 2 * width;
        let bytes = source.get(end..end.checked_add(len).filter(|&to| to <= limit)?)?;
        if skip > 0 && !bytes.starts_with(DESCRIPTOR) {
            return None;
        }
        let skipped = usize::try_from(skip).ok()?;
        let second = skipped + 4 + usize::try_from(width).ok()?;
        let (compressed, size) =
            (field_at(&bytes, skipped + 4, wide), field_at(&bytes, second, wide));
        let start = end + skip;
        ((u32_at(&bytes, skipped), compressed, size) == lengths).then_some(Fields {
            crc32: start,
            compressed: Field { at: start + 4, wide },
            size: Field { at: start + 4 + width, wide },
        })
    })
}

/// Reads an entry of the directory, at `at` of its bytes, which start at `base` of the file; and
/// returns the place of the next one. Until its local header is read, `data` holds only the length.
fn central(directory: &[u8], at: u64, base: u64) -> Result<(Member, u64), Error> {
    let header = directory.read(at, CENTRAL_LEN, "central directory")?;
    if !header.starts_with(CENTRAL) {
        return Err(Why::Directory(
            "its central directory has a different number of entries than recorded",
        )
        .into());
    }
    let half = |at| u64::from(u16_at(&header, at));
    let (name_len, extra_len, comment_len) = (half(28), half(30), half(32));
    let name = directory.read(at + CENTRAL_LEN, name_len, "central directory")?.into_owned();
    let extra_at = at + CENTRAL_LEN + name_len;
    let extra = directory.read(extra_at, extra_len, "central directory")?;
    let next = extra_at + extra_len + comment_len;
    let unreadable = |why| Error { member: Some(printable(&name)), why };
    let field = |at| field_at(&header, at, false);
    let narrow = [field(24), field(20), field(42)];
    let values = zip64(&extra, &narrow, base + extra_at)
        .ok_or_else(|| unreadable(Why::Differs("zip64 field")))?;
    let [size, compressed, offset] = values.as_slice() else {
        return Err(unreadable(Why::Differs("zip64 field")));
    };
    let place = |found: &Found, narrow: u64| {
        found.at.unwrap_or(Field { at: base + at + narrow, wide: false })
    };
    let fields =
        Fields { crc32: base + at + 16, compressed: place(compressed, 20), size: place(size, 24) };
    // The upper half is st_mode if the archive was created on Unix.
    let made_on_unix = header.get(5) == Some(&3);
    let attributes = u32_at(&header, 38) >> 16;
    let mode = (made_on_unix && attributes != 0).then_some(attributes);
    let member = Member {
        method: method_of(u16_at(&header, 10)),
        crc32: u32_at(&header, 16),
        size: size.value,
        data: 0..compressed.value,
        end: 0,
        mode: mode.map(|mode| mode & 0o7777),
        fields: vec![fields],
        offset_at: place(offset, 42),
        header: offset.value,
        name,
    };
    if u16_at(&header, 8) & ENCRYPTED != 0 {
        return Err(member.refused(Why::Encrypted));
    }
    if mode.is_some_and(|mode| mode & 0o170_000 == 0o120_000) {
        return Err(member.refused(Why::Link));
    }
    if ![0, 0xffff].contains(&u16_at(&header, 34)) {
        return Err(member.refused(Why::Directory("it is on another disk")));
    }
    let is_stored = member.method == Method::Stored;
    let (size, packed) = (size.value, compressed.value);
    let is_bomb = size > BOMB_LEN && size / BOMB_RATIO > packed;
    if is_bomb || size / MAX_RATIO > packed.saturating_add(1) || (is_stored && size != packed) {
        return Err(member.refused(Why::Bomb { packed, size }));
    }
    Ok((member, next))
}

/// No byte may belong to two members.
fn check_order(members: &[Member]) -> Result<(), Error> {
    let mut sorted: Vec<&Member> = members.iter().collect();
    sorted.sort_by_key(|member| member.header);
    for (one, next) in sorted.iter().zip(sorted.iter().skip(1)) {
        if one.end > next.header {
            return Err(next.refused(Why::Overlap(printable(&one.name))));
        }
    }
    Ok(())
}

impl End {
    fn find(source: &dyn Source) -> Result<Self, Error> {
        let len = source.len();
        let start = len.saturating_sub(END_LEN + MAX_COMMENT);
        let tail = source.read(start, len - start, "end of the central directory")?;
        let end_len = usize::try_from(END_LEN).unwrap_or(usize::MAX);
        // The last place from which the comment extends exactly to the end of the file.
        let is_end = |at: &usize| {
            let rest = tail.get(*at..).unwrap_or_default();
            rest.starts_with(END)
                && rest.len() >= end_len
                && rest.len() - end_len == usize::from(u16_at(rest, 20))
        };
        let at = (0..tail.len()).rev().find(is_end).ok_or(Why::NoEnd)?;
        let end = tail.get(at..).unwrap_or_default();
        let end_at = start + at as u64;
        if u16_at(end, 4) != 0 || u16_at(end, 6) != 0 {
            return Err(Why::Directory("it is one of several disks").into());
        }
        let mut found = Self {
            directory: 0..0,
            count: u64::from(u16_at(end, 10)),
            directory_at: vec![Field { at: end_at + 16, wide: false }],
            end_64: None,
        };
        let (mut size, mut offset) = (field_at(end, 12, false), field_at(end, 16, false));
        let mut directory_end = end_at;
        let locator_at = end_at.checked_sub(LOCATOR_64_LEN);
        let locator = locator_at.and_then(|at| source.get(at..end_at));
        if let (Some(locator), Some(locator_at)) = (locator, locator_at)
            && locator.starts_with(LOCATOR_64)
        {
            let end_64_at = field_at(&locator, 8, true);
            let end_64 = source.read(end_64_at, END_64_LEN, "zip64 end")?;
            let follows = field_at(&end_64, 4, true).checked_add(12 + end_64_at);
            if follows != Some(locator_at) || !tells_the_same(&end_64, end) {
                return Err(Why::Directory("its zip64 end is not where it should be").into());
            }
            found.count = field_at(&end_64, 32, true);
            (size, offset) = (field_at(&end_64, 40, true), field_at(&end_64, 48, true));
            let narrow_is_used = field_at(end, 16, false) != IN_ZIP64;
            found.directory_at.retain(|_| narrow_is_used);
            found.directory_at.push(Field { at: end_64_at + 48, wide: true });
            found.end_64 = Some((Field { at: locator_at + 8, wide: true }, end_64_at));
            directory_end = end_64_at;
        }
        if offset.checked_add(size) != Some(directory_end) {
            return Err(Why::Directory(
                "its central directory is not where it should be: bytes are missing, or there is data before it",
            )
            .into());
        }
        found.directory = offset..directory_end;
        Ok(found)
    }
}

/// Is it the zip64 end of an end? Every reader has to find the same directory: some use the locator, some
/// search for the end before it, and some read the narrow fields.
fn tells_the_same(end_64: &[u8], end: &[u8]) -> bool {
    let agrees = |narrow: u64, none: u64, wide: usize| {
        narrow == none || narrow == field_at(end_64, wide, true)
    };
    end_64.starts_with(END_64)
        && agrees(u64::from(u16_at(end, 10)), 0xffff, 32)
        && agrees(field_at(end, 12, false), IN_ZIP64, 40)
        && agrees(field_at(end, 16, false), IN_ZIP64, 48)
}

/// A value, and its place if that is in a zip64 field.
struct Found {
    value: u64,
    at: Option<Field>,
}

/// The values of fields of 32 bits. Values that are too large are taken from the zip64 field among
/// the extra fields at `base` of the file. `None` if that is truncated.
fn zip64(extra: &[u8], narrow: &[u64], base: u64) -> Option<Vec<Found>> {
    let mut field: Option<(usize, &[u8])> = None;
    let mut at = 0;
    // Some tools pad the rest with zeros.
    while at + 4 <= extra.len() {
        let len = usize::from(u16_at(extra, at + 2));
        let body = extra.get(at + 4..at + 4 + len)?;
        if u16_at(extra, at) == ZIP64 {
            field = Some((at + 4, body));
        }
        at += 4 + len;
    }
    let mut used = 0;
    let found = narrow.iter().map(|&value| {
        if value != IN_ZIP64 {
            return Some(Found { value, at: None });
        }
        let (start, body) = field?;
        let place = used..used + 8;
        let bytes = body.get(place.clone())?;
        used = place.end;
        let at = Field { at: base + (start + place.start) as u64, wide: true };
        Some(Found { value: field_at(bytes, 0, true), at: Some(at) })
    });
    found.collect()
}

fn method_of(number: u16) -> Method {
    match number {
        0 => Method::Stored,
        8 => Method::Deflated,
        other => Method::Other(other),
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    let field = bytes.get(at..at + 2).and_then(|field| field.try_into().ok());
    field.map_or(0, u16::from_le_bytes)
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    let field = bytes.get(at..at + 4).and_then(|field| field.try_into().ok());
    field.map_or(0, u32::from_le_bytes)
}

fn field_at(bytes: &[u8], at: usize, wide: bool) -> u64 {
    if !wide {
        return u64::from(u32_at(bytes, at));
    }
    let field = bytes.get(at..at + 8).and_then(|field| field.try_into().ok());
    field.map_or(0, u64::from_le_bytes)
}
