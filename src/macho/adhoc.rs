//! New ad-hoc signatures, for a slice that needs one and has none, or as a replacement of a signer's.
//!
//! The layout is that of `codesign -s -`: one SHA-256 CodeDirectory, an empty set of requirements, the
//! entitlements of the old signature, and an empty CMS wrapper.

use super::codesign::{
    ADHOC, BLOB_WRAPPER, CODE_DIRECTORY, CodeDirectory, HashType, LINKER_SIGNED, RUNTIME,
    SLOT_ALTERNATES, SLOT_DIRECTORY, SLOT_SIGNATURE, SUPER_BLOB, Signature,
};
use crate::bytes::{Error, Source};
use std::ops::Range;

/// `CSSLOT_REQUIREMENTS`.
const SLOT_REQUIREMENTS: u32 = 2;
/// An empty set of requirements: `CSMAGIC_REQUIREMENTS`, its length, no entries.
const NO_REQUIREMENTS: [u8; 12] = [0xfa, 0xde, 0x0c, 0x01, 0, 0, 0, 12, 0, 0, 0, 0];
/// `CS_SUPPORTSEXECSEG`: version of the first CodeDirectory with the `execSeg` fields.
const WITH_EXEC_SEGMENT: u32 = 0x20400;
/// `CS_SUPPORTSRUNTIME`: version of the first CodeDirectory with `runtime`.
const WITH_RUNTIME: u32 = 0x20500;
/// The page size that linkers hash, as a logarithm.
const PAGE_LOG2: u8 = 12;
/// The digest that every macOS since 10.12 supports.
const HASH: HashType = HashType::Sha256;

/// The content of a new CodeDirectory.
struct Contents {
    flags: u32,
    identifier: Vec<u8>,
    code_limit: u64,
    page_log2: u8,
    exec_segment: [u64; 3],
    runtime: u32,
    /// Hashes of the special slots, the last slot first. They precede those of the pages.
    special: Vec<[u8; 32]>,
}

/// The signature of a slice that has none, as a linker would write it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unsigned {
    /// The identifier: the name of the file.
    pub(super) identifier: Vec<u8>,
    /// The offset of the signature, where the signed bytes end.
    pub(super) code_limit: u64,
    /// The file range of `__TEXT`.
    pub(super) text: Range<u64>,
    /// Is it a program?
    pub(super) is_main: bool,
}

impl Unsigned {
    /// Length of the signature in bytes, a multiple of 16.
    pub(super) fn size(&self) -> u64 {
        let contents = self.contents();
        let pages = self.code_limit.div_ceil(1 << PAGE_LOG2);
        // The header and index of a SuperBlob with one blob.
        (20 + contents.hash_offset() + pages * u64::from(HASH.size())).next_multiple_of(16)
    }

    /// The signature of `slice`, whose bytes are final except for the signature itself.
    pub(super) fn build(&self, slice: &dyn Source) -> Result<Vec<u8>, Error> {
        let directory = self.contents().build(slice)?;
        let mut blob = super_blob(&[(SLOT_DIRECTORY, directory)]);
        blob.resize(blob.len().max(self.size() as usize), 0);
        Ok(blob)
    }

    fn contents(&self) -> Contents {
        const EXECSEG_MAIN_BINARY: u64 = 1;
        Contents {
            flags: ADHOC | LINKER_SIGNED,
            identifier: self.identifier.clone(),
            code_limit: self.code_limit,
            page_log2: PAGE_LOG2,
            exec_segment: [
                self.text.start,
                self.text.end - self.text.start,
                if self.is_main { EXECSEG_MAIN_BINARY } else { 0 },
            ],
            runtime: 0,
            special: Vec::new(),
        }
    }
}

/// The reason why a signer's signature cannot be replaced.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The new signature is larger than the space of the old one.
    #[error("it needs {needed} bytes, and {available} are available")]
    NoRoom {
        /// Size of the new signature in bytes.
        needed: u64,
        /// Size of the old space in bytes.
        available: u64,
    },
    /// The hash of a file outside the slice exists only as SHA-1.
    #[error("only SHA-1 hashes of files beside it are there")]
    Sha1Only,
}

/// An ad-hoc signature of the same length that replaces a signer's. `slice` has its final bytes except for
/// the signature.
pub(super) fn replace(
    signature: &Signature,
    slice: &dyn Source,
) -> Result<Result<Vec<u8>, Obstacle>, Error> {
    let Some(old) = best_directory(signature) else { return Ok(Err(Obstacle::Sha1Only)) };
    let mut blobs: Vec<(u32, Vec<u8>)> = Vec::new();
    for (slot, range) in &signature.blobs {
        let is_dropped =
            matches!(*slot, SLOT_DIRECTORY | SLOT_SIGNATURE) || SLOT_ALTERNATES.contains(slot);
        let bytes = match *slot {
            _ if is_dropped => continue,
            SLOT_REQUIREMENTS => NO_REQUIREMENTS.to_vec(),
            _ => slice.read(range.start, range.end - range.start, "signature blob")?.into_owned(),
        };
        blobs.push((*slot, bytes));
    }
    if !blobs.iter().any(|(slot, _)| *slot == SLOT_REQUIREMENTS) {
        blobs.push((SLOT_REQUIREMENTS, NO_REQUIREMENTS.to_vec()));
    }
    let Some(special) = special_hashes(old, slice, &blobs)? else {
        return Ok(Err(Obstacle::Sha1Only));
    };
    let contents = Contents {
        flags: (old.flags & !LINKER_SIGNED) | ADHOC,
        identifier: old.identifier.clone(),
        code_limit: old.code_limit,
        page_log2: old.page_log2,
        exec_segment: old.exec_segment,
        runtime: if old.flags & RUNTIME == 0 { 0 } else { old.runtime },
        special,
    };
    blobs.push((SLOT_DIRECTORY, contents.build(slice)?));
    blobs.push((SLOT_SIGNATURE, [BLOB_WRAPPER.to_be_bytes(), 8u32.to_be_bytes()].concat()));
    blobs.sort_by_key(|(slot, _)| *slot);
    let mut new = super_blob(&blobs);
    let available = signature.range.end - signature.range.start;
    if new.len() as u64 > available {
        return Ok(Err(Obstacle::NoRoom { needed: new.len() as u64, available }));
    }
    new.resize(available as usize, 0);
    Ok(Ok(new))
}

/// The CodeDirectory whose special hashes are used: one with SHA-256, or else any.
fn best_directory(signature: &Signature) -> Option<&CodeDirectory> {
    let mut all = signature.directories.iter();
    all.clone().find(|directory| directory.hash_type == HASH).or_else(|| all.next())
}

/// The hashes of the special slots, the last slot first: computed for existing blobs, and copied from `old`
/// for external files (`Info.plist`, resources). `None` if `old` has them only with another digest.
fn special_hashes(
    old: &CodeDirectory,
    slice: &dyn Source,
    blobs: &[(u32, Vec<u8>)],
) -> Result<Option<Vec<[u8; 32]>>, Error> {
    let slots = blobs.iter().map(|(slot, _)| *slot).filter(|slot| *slot < SLOT_ALTERNATES.start);
    let count = slots.fold(old.special_slots, u32::max);
    let mut special = Vec::new();
    for slot in (1..=count).rev() {
        let hash = if let Some((_, blob)) = blobs.iter().find(|(found, _)| *found == slot) {
            HASH.hash(blob, 0..blob.len() as u64)?
        } else if slot <= old.special_slots {
            let size = u64::from(old.hash_type.size());
            let at = old.hashes - u64::from(slot) * size;
            let hash = slice.read(at, size, "special hash")?.into_owned();
            if hash.iter().all(|&byte| byte == 0) {
                vec![0; 32]
            } else if old.hash_type == HASH {
                hash
            } else {
                return Ok(None);
            }
        } else {
            vec![0; 32]
        };
        special.push(<[u8; 32]>::try_from(hash).unwrap_or([0; 32]));
    }
    Ok(Some(special))
}

impl Contents {
    fn version(&self) -> u32 {
        if self.flags & RUNTIME == 0 { WITH_EXEC_SEGMENT } else { WITH_RUNTIME }
    }

    /// The length of the fields before the identifier.
    fn header_len(&self) -> u64 {
        if self.version() == WITH_RUNTIME { 96 } else { 88 }
    }

    fn hash_offset(&self) -> u64 {
        let special = self.special.len() as u64 * u64::from(HASH.size());
        self.header_len() + self.identifier.len() as u64 + 1 + special
    }

    fn build(&self, slice: &dyn Source) -> Result<Vec<u8>, Error> {
        let page_size =
            if self.page_log2 == 0 { self.code_limit.max(1) } else { 1 << self.page_log2 };
        let pages = self.code_limit.div_ceil(page_size);
        let length = self.hash_offset() + pages * u64::from(HASH.size());
        // A limit beyond 32 bits is stored in codeLimit64.
        let (limit, limit_64) = match u32::try_from(self.code_limit) {
            Ok(limit) => (limit, 0),
            Err(_) => (u32::MAX, self.code_limit),
        };
        let mut out = Vec::new();
        let mut put = |bytes: &[u8]| out.extend_from_slice(bytes);
        for word in [
            CODE_DIRECTORY,
            length as u32,
            self.version(),
            self.flags,
            self.hash_offset() as u32,
            self.header_len() as u32,
            self.special.len() as u32,
            pages as u32,
            limit,
        ] {
            put(&word.to_be_bytes());
        }
        // hashSize, hashType (SHA-256), platform, pageSize; spare2, scatterOffset, teamOffset,
        // spare3.
        put(&[HASH.size(), 2, 0, self.page_log2]);
        put(&[0; 16]);
        put(&limit_64.to_be_bytes());
        for field in self.exec_segment {
            put(&field.to_be_bytes());
        }
        if self.version() == WITH_RUNTIME {
            put(&self.runtime.to_be_bytes());
            put(&[0; 4]);
        }
        put(&self.identifier);
        put(&[0]);
        for hash in &self.special {
            put(hash);
        }
        for page in 0..pages {
            let start = page * page_size;
            let end = (start + page_size).min(self.code_limit);
            put(&HASH.hash(slice, start..end)?);
        }
        Ok(out)
    }
}

fn super_blob(blobs: &[(u32, Vec<u8>)]) -> Vec<u8> {
    let index_len = 12 + 8 * blobs.len();
    let length = index_len + blobs.iter().map(|(_, blob)| blob.len()).sum::<usize>();
    let mut out = Vec::with_capacity(length);
    for word in [SUPER_BLOB, length as u32, blobs.len() as u32] {
        out.extend_from_slice(&word.to_be_bytes());
    }
    let mut at = index_len;
    for (slot, blob) in blobs {
        out.extend_from_slice(&slot.to_be_bytes());
        out.extend_from_slice(&(at as u32).to_be_bytes());
        at += blob.len();
    }
    for (_, blob) in blobs {
        out.extend_from_slice(blob);
    }
    out
}
