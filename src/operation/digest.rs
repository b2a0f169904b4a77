//! Digests of whole files, which prove that no byte outside the edits has changed.

use crate::bytes::Source;
use crate::object::hex;
use crate::python::record;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Larger files are not read completely just for a digest, so that the time of an edit depends only on the
/// headers. The SHA-256 of a file that is listed in a RECORD is known anyway.
pub(super) const MAX_BYTES: u64 = 16 << 20;

/// Files are hashed in pieces of this many bytes. The allocator reuses a buffer of this size, and it fits
/// into the processor's cache. For each allocation of a larger buffer, the kernel would have to clear all its
/// pages.
const PIECE: u64 = 64 << 10;

/// The digest of all bytes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) enum Digest {
    /// In the format of a RECORD.
    Sha256([u8; 32]),
    /// For files that no RECORD lists.
    Blake3([u8; 32]),
}

impl Digest {
    /// The BLAKE3 digest of `source`; `None` if it cannot be read.
    pub(super) fn of(source: &dyn Source) -> Option<Self> {
        let mut hasher = blake3::Hasher::new();
        let mut at = 0;
        while at < source.len() {
            let piece = source.get(at..source.len().min(at + PIECE))?;
            hasher.update(&piece);
            at += piece.len() as u64;
        }
        Some(Self::Blake3(*hasher.finalize().as_bytes()))
    }

    /// The digest of `source`, computed with the same function as this one.
    pub(super) fn of_same_kind(&self, source: &dyn Source) -> Option<Self> {
        match self {
            Self::Sha256(_) => record::sha256(source).ok().map(Self::Sha256),
            Self::Blake3(_) => Self::of(source),
        }
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sha256(bytes) => write!(to, "sha256:{}", hex(bytes)),
            Self::Blake3(bytes) => write!(to, "blake3:{}", hex(bytes)),
        }
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.to_string()
    }
}

impl TryFrom<String> for Digest {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = |digits: &str| -> Option<[u8; 32]> {
            let mut bytes = [0; 32];
            if digits.len() != 64 || !digits.is_ascii() {
                return None;
            }
            for (index, byte) in bytes.iter_mut().enumerate() {
                *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
            }
            Some(bytes)
        };
        let found = match text.split_once(':') {
            Some(("sha256", digits)) => bytes(digits).map(Self::Sha256),
            Some(("blake3", digits)) => bytes(digits).map(Self::Blake3),
            _ => None,
        };
        found.ok_or_else(|| format!("{text:?} is not a digest"))
    }
}
