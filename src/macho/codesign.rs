//! Code signatures: their kinds, whether the pages match their hashes, and new hashes for pages that an edit
//! changes.
//!
//! A signature is a SuperBlob of blobs. One or several of them are CodeDirectories, each with a hash for
//! every page of the slice, computed with different digests (xnu, `cs_blobs.h`; all fields are big-endian).
//! An ad-hoc signature only identifies the CodeDirectory by its digest, so it stays valid when the hashes are
//! updated.

use super::image::Image;
use crate::bytes::{Error, Source};
use crate::edit::{Content, Edit};
use goblin::mach::load_command::{LC_CODE_SIGNATURE, LinkeditDataCommand};
use scroll::{BE, Pread};
use sha1::Sha1;
use sha2::{Digest, Sha256, Sha384};
use std::ops::Range;

/// `CSMAGIC_EMBEDDED_SIGNATURE`.
pub(super) const SUPER_BLOB: u32 = 0xfade_0cc0;
/// `CSMAGIC_CODEDIRECTORY`.
pub(super) const CODE_DIRECTORY: u32 = 0xfade_0c02;
/// `CSMAGIC_BLOBWRAPPER`.
pub(super) const BLOB_WRAPPER: u32 = 0xfade_0b01;
/// `CSSLOT_CODEDIRECTORY`.
pub(super) const SLOT_DIRECTORY: u32 = 0;
/// `CSSLOT_ALTERNATE_CODEDIRECTORIES`; there are five of these slots.
pub(super) const SLOT_ALTERNATES: Range<u32> = 0x1000..0x1006;
/// `CSSLOT_SIGNATURESLOT`: the CMS signature.
pub(super) const SLOT_SIGNATURE: u32 = 0x10000;
/// `CS_ADHOC`.
pub(super) const ADHOC: u32 = 0x2;
/// `CS_RUNTIME`: the hardened runtime.
pub(super) const RUNTIME: u32 = 0x10000;
/// `CS_LINKER_SIGNED`.
pub(super) const LINKER_SIGNED: u32 = 0x20000;
/// The maximum number of blobs in a signature.
const MAX_BLOBS: u32 = 64;
/// The length in bytes of the fields of a CodeDirectory in the newest known version.
const DIRECTORY_HEADER: u64 = 96;
/// Pages are hashed in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// The digest that a CodeDirectory uses (`hashType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum HashType {
    /// `CS_HASHTYPE_SHA1`.
    Sha1,
    /// `CS_HASHTYPE_SHA256`.
    Sha256,
    /// `CS_HASHTYPE_SHA256_TRUNCATED`: the first 20 bytes of it.
    Sha256Truncated,
    /// `CS_HASHTYPE_SHA384`.
    Sha384,
}

impl HashType {
    fn of(hash_type: u8) -> Option<Self> {
        match hash_type {
            1 => Some(Self::Sha1),
            2 => Some(Self::Sha256),
            3 => Some(Self::Sha256Truncated),
            4 => Some(Self::Sha384),
            _ => None,
        }
    }

    /// Length of a hash in bytes.
    #[must_use]
    pub fn size(self) -> u8 {
        match self {
            Self::Sha1 | Self::Sha256Truncated => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
        }
    }

    /// Its name, as in `codesign`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha256Truncated => "sha256-truncated",
            Self::Sha384 => "sha384",
        }
    }

    /// The hash of a range of a slice.
    ///
    /// # Errors
    /// If the range exceeds the slice.
    pub fn hash(self, slice: &dyn Source, range: Range<u64>) -> Result<Vec<u8>, Error> {
        let mut hash = match self {
            Self::Sha1 => hashed::<Sha1>(slice, range)?,
            Self::Sha256 | Self::Sha256Truncated => hashed::<Sha256>(slice, range)?,
            Self::Sha384 => hashed::<Sha384>(slice, range)?,
        };
        hash.truncate(self.size().into());
        Ok(hash)
    }
}

fn hashed<D: Digest>(slice: &dyn Source, range: Range<u64>) -> Result<Vec<u8>, Error> {
    let mut hasher = D::new();
    let mut at = range.start;
    while at < range.end {
        let piece = slice.read(at, PIECE.min(range.end - at), "signed page")?;
        hasher.update(&piece);
        at += piece.len() as u64;
    }
    Ok(hasher.finalize().to_vec())
}

/// A CodeDirectory. Offsets are relative to the start of the slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeDirectory {
    /// Its range.
    pub range: Range<u64>,
    /// `version`, which determines the fields that it has.
    pub version: u32,
    /// `flags`.
    pub flags: u32,
    /// The offset of the hash of page 0.
    pub hashes: u64,
    /// The number of hashes before that one, for other parts of the signature.
    pub special_slots: u32,
    /// The number of pages.
    pub code_slots: u32,
    /// The end of the signed bytes: `codeLimit64` if it is not 0.
    pub code_limit: u64,
    /// The digest.
    pub hash_type: HashType,
    /// `pageSize`: the logarithm of the page size; 0 if everything is one page.
    pub page_log2: u8,
    /// The identifier.
    pub identifier: Vec<u8>,
    /// The signer's team.
    pub team: Option<Vec<u8>>,
    /// `runtime`: the version of the hardened runtime; since version 0x20500.
    pub runtime: u32,
    /// `execSegBase`, `execSegLimit`, `execSegFlags`; since version 0x20400.
    pub exec_segment: [u64; 3],
}

impl CodeDirectory {
    fn parse(image: &Image<'_>, blob: &Range<u64>) -> Result<Self, Error> {
        const WHAT: &str = "CodeDirectory";
        let slice = image.slice();
        // The hashes behind the fields are megabytes in a large library, so they are not read here.
        let header = (blob.end - blob.start).min(DIRECTORY_HEADER);
        let bytes = slice.read(blob.start, header, WHAT)?;
        let invalid = |at: u64, why| slice.invalid(WHAT, blob.start + at, why);
        let word = |at: usize| {
            bytes.pread_with::<u32>(at, BE).map_err(|_| invalid(at as u64, "it is truncated"))
        };
        let long = |at: usize| {
            bytes.pread_with::<u64>(at, BE).map_err(|_| invalid(at as u64, "it is truncated"))
        };
        let version = word(8)?;
        let from = |first: u32, at: usize| if version >= first { word(at) } else { Ok(0) };
        if from(0x20100, 44)? != 0 {
            return Err(invalid(44, "it hashes scattered pages, which is not supported"));
        }
        let code_limit = match if version >= 0x20300 { long(56)? } else { 0 } {
            0 => word(32)?.into(),
            limit => limit,
        };
        let [hash_size, hash_type, _, page_log2] = word(36)?.to_be_bytes();
        let hash_type = HashType::of(hash_type)
            .filter(|hash_type| hash_type.size() == hash_size)
            .ok_or_else(|| invalid(36, "its hash type is unknown"))?;
        let text = |at: u32| slice.string(blob.start + u64::from(at), blob.end, WHAT);
        let (hash_offset, special_slots, code_slots) = (word(16)?, word(24)?, word(28)?);
        let offset = u64::from(hash_offset);
        if !has_hashes(blob, offset, (special_slots, code_slots), hash_type.size()) {
            return Err(invalid(16, "its hashes are outside it"));
        }
        if page_log2 > 32 {
            return Err(invalid(39, "its page size is invalid"));
        }
        let team = from(0x20200, 48)?;
        let directory = Self {
            range: blob.clone(),
            version,
            flags: word(12)?,
            hashes: blob.start + offset,
            special_slots,
            code_slots,
            code_limit,
            hash_type,
            page_log2,
            identifier: text(word(20)?)?,
            team: if team == 0 { None } else { Some(text(team)?) },
            runtime: from(0x20500, 88)?,
            exec_segment: match version {
                0x20400.. => [long(64)?, long(72)?, long(80)?],
                _ => [0; 3],
            },
        };
        if directory.pages_below(code_limit) != u64::from(code_slots) {
            return Err(invalid(28, "its number of pages does not match the signed bytes"));
        }
        Ok(directory)
    }

    /// The page size in bytes; all signed bytes if there is only one page.
    #[must_use]
    pub fn page_size(&self) -> u64 {
        if self.page_log2 == 0 { self.code_limit.max(1) } else { 1 << self.page_log2 }
    }

    /// The number of pages that begin below an offset of the slice.
    #[must_use]
    pub fn pages_below(&self, end: u64) -> u64 {
        end.min(self.code_limit).div_ceil(self.page_size())
    }

    /// The range of a page, as offsets in the slice.
    #[must_use]
    pub fn page(&self, page: u64) -> Range<u64> {
        let start = page.saturating_mul(self.page_size());
        start..start.saturating_add(self.page_size()).min(self.code_limit)
    }

    /// The range of the hashes of the first `pages` pages, as offsets in the slice.
    #[must_use]
    pub fn slots(&self, pages: u64) -> Range<u64> {
        self.hashes..self.hashes + pages * u64::from(self.hash_type.size())
    }

    /// The first of `pages` whose content does not match its hash.
    ///
    /// # Errors
    /// If a page exceeds the slice.
    pub fn first_bad_page(
        &self,
        slice: &dyn Source,
        pages: Range<u64>,
    ) -> Result<Option<u64>, Error> {
        let size = u64::from(self.hash_type.size());
        for page in pages {
            let slot = slice.read(self.hashes + page * size, size, "page hash")?;
            if *slot != self.hash_type.hash(slice, self.page(page))? {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }

    /// The edit that updates the hashes of the first `pages` pages of `slice`, with offsets in the slice;
    /// `None` if they are up to date.
    fn rehash(&self, slice: &dyn Source, pages: u64) -> Result<Option<Edit>, Error> {
        let slots = self.slots(pages);
        let mut new = Vec::new();
        for page in 0..pages {
            new.extend(self.hash_type.hash(slice, self.page(page))?);
        }
        let old = slice.read(slots.start, slots.end - slots.start, "page hashes")?;
        Ok((*old != new).then_some(Edit { range: slots, new: Content::Bytes(new) }))
    }
}

/// Are the hashes inside the CodeDirectory: those of special slots before the given offset, and those of
/// pages behind it?
fn has_hashes(blob: &Range<u64>, offset: u64, (special, code): (u32, u32), hash_size: u8) -> bool {
    let size = |slots: u32| u64::from(slots) * u64::from(hash_size);
    size(special) <= offset && offset + size(code) <= blob.end - blob.start
}

/// A code signature with its CodeDirectories. Offsets are relative to the start of the slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    /// The range in `LC_CODE_SIGNATURE`, including the space behind the SuperBlob.
    pub range: Range<u64>,
    /// The slots of the SuperBlob and the ranges of their blobs.
    pub blobs: Vec<(u32, Range<u64>)>,
    /// The CodeDirectories: the first one, and the alternates. There is at least one.
    pub directories: Vec<CodeDirectory>,
}

/// A page that does not match its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPage {
    /// The number of the page.
    pub page: u64,
    /// Its start, as an offset in the slice.
    pub offset: u64,
    /// The digest of the hash.
    pub hash_type: HashType,
}

impl Signature {
    /// The signature of a slice; `None` if it has none.
    ///
    /// # Errors
    /// If it is malformed, or uses an unsupported feature.
    pub fn read(image: &Image<'_>) -> Result<Option<Self>, Error> {
        const WHAT: &str = "code signature";
        let command: Option<LinkeditDataCommand> =
            image.command_as(LC_CODE_SIGNATURE, "LC_CODE_SIGNATURE")?;
        let Some(command) = command else { return Ok(None) };
        let slice = image.slice();
        let start = u64::from(command.dataoff);
        let invalid = |at: u64, why| slice.invalid(WHAT, start + at, why);
        let range = start..start + u64::from(command.datasize);
        if range.end > slice.len() {
            return Err(invalid(0, "it extends past the end"));
        }
        let word = |at: u64| {
            if at + 4 > range.end - start {
                return Err(invalid(0, "it is truncated"));
            }
            let bytes = slice.read(start + at, 4, WHAT)?;
            bytes.pread_with::<u32>(0, BE).map_err(|_| invalid(0, "it is truncated"))
        };
        if word(0)? != SUPER_BLOB {
            return Err(invalid(0, "it does not begin like a SuperBlob"));
        }
        let (length, count) = (u64::from(word(4)?), word(8)?);
        if length > range.end - range.start || count > MAX_BLOBS {
            return Err(invalid(4, "the SuperBlob extends beyond its space"));
        }
        let mut blobs = Vec::new();
        let mut directories = Vec::new();
        for index in 0..u64::from(count) {
            let (slot, at) = (word(12 + 8 * index)?, u64::from(word(16 + 8 * index)?));
            let (magic, len) = (word(at)?, u64::from(word(at + 4)?));
            if at + len > length || len < 8 {
                return Err(invalid(at, "a blob extends beyond the SuperBlob"));
            }
            let blob = start + at..start + at + len;
            if slot == SLOT_DIRECTORY || SLOT_ALTERNATES.contains(&slot) {
                if magic != CODE_DIRECTORY {
                    return Err(invalid(at, "it does not begin like a CodeDirectory"));
                }
                directories.push(CodeDirectory::parse(image, &blob)?);
            }
            blobs.push((slot, blob));
        }
        if directories.is_empty() {
            return Err(invalid(0, "it has no CodeDirectory"));
        }
        if directories.iter().any(|directory| directory.code_limit > start) {
            return Err(invalid(0, "it signs itself"));
        }
        Ok(Some(Self { range, blobs, directories }))
    }

    /// The blob of a slot.
    #[must_use]
    pub fn blob(&self, slot: u32) -> Option<&Range<u64>> {
        self.blobs.iter().find(|(found, _)| *found == slot).map(|(_, range)| range)
    }

    /// Was it signed with a key and a certificate? Ad-hoc signatures have no CMS blob or an empty one.
    #[must_use]
    pub fn has_signer(&self) -> bool {
        self.blob(SLOT_SIGNATURE).is_some_and(|blob| blob.end - blob.start > 8)
    }

    /// The first page that does not match its hash, among those that begin below `end`, an offset in the
    /// slice; [`u64::MAX`] checks all pages.
    ///
    /// # Errors
    /// If a page exceeds the slice.
    pub fn first_bad_page(&self, slice: &dyn Source, end: u64) -> Result<Option<BadPage>, Error> {
        for directory in &self.directories {
            let bad = directory.first_bad_page(slice, 0..directory.pages_below(end))?;
            if let Some(page) = bad {
                let (offset, hash_type) = (directory.page(page).start, directory.hash_type);
                return Ok(Some(BadPage { page, offset, hash_type }));
            }
        }
        Ok(None)
    }

    /// The edits that update the hashes of all pages that begin below `end`, in every CodeDirectory. `slice`
    /// has the new bytes; offsets are relative to its start.
    ///
    /// # Errors
    /// If a page exceeds the slice.
    pub fn rehash(&self, slice: &dyn Source, end: u64) -> Result<Vec<Edit>, Error> {
        let mut edits = Vec::new();
        for directory in &self.directories {
            edits.extend(directory.rehash(slice, directory.pages_below(end))?);
        }
        Ok(edits)
    }

    /// A description for users.
    #[must_use]
    pub fn describe(&self) -> Description {
        let first = self.directories.first();
        let flags = first.map_or(0, |directory| directory.flags);
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Description {
            signer: match (self.has_signer(), flags & LINKER_SIGNED) {
                (true, _) => Signer::Certificate,
                (false, 0) => Signer::AdHoc,
                (false, _) => Signer::Linker,
            },
            identifier: first.map(|directory| lossy(&directory.identifier)).unwrap_or_default(),
            team: first.and_then(|directory| directory.team.as_deref().map(lossy)),
            hash_types: self.directories.iter().map(|directory| directory.hash_type).collect(),
            page_size: first.map_or(0, CodeDirectory::page_size),
            has_runtime: flags & RUNTIME != 0,
        }
    }
}

/// The signer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// None: the linker added hashes.
    Linker,
    /// None: `codesign -s -` added hashes.
    AdHoc,
    /// The owner of a key with a certificate.
    Certificate,
}

/// The description of a signature.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The signer.
    pub signer: Signer,
    /// The identifier.
    pub identifier: String,
    /// The signer's team.
    pub team: Option<String>,
    /// The digests of its CodeDirectories.
    pub hash_types: Vec<HashType>,
    /// The page size in bytes.
    pub page_size: u64,
    /// `CS_RUNTIME`: is the hardened runtime requested?
    pub has_runtime: bool,
}

impl std::fmt::Display for Description {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.signer {
            Signer::Linker => f.write_str("ad hoc, by the linker")?,
            Signer::AdHoc => f.write_str("ad hoc")?,
            Signer::Certificate => f.write_str("by a certificate")?,
        }
        if let Some(team) = &self.team {
            write!(f, " of team {team}")?;
        }
        if self.has_runtime {
            f.write_str(", hardened runtime")?;
        }
        let hashes: Vec<&str> = self.hash_types.iter().map(|hash| hash.name()).collect();
        write!(f, ", {}", hashes.join(" and "))?;
        match self.page_size {
            size if size.is_multiple_of(1024) => write!(f, ", pages of {} KiB", size / 1024),
            size => write!(f, ", one page of {size} bytes"),
        }
    }
}
