//! The object formats.

use crate::bytes::Source;
use serde::{Deserialize, Serialize};

/// The format of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// ELF, as on Linux.
    Elf,
}

impl Format {
    /// The format that a file's first bytes announce, if any.
    #[must_use]
    pub fn of(source: &dyn Source) -> Option<Self> {
        let magic = source.get(0..4)?;
        (magic.as_ref() == b"\x7fELF").then_some(Self::Elf)
    }
}
