//! The object formats.

use crate::bytes::Source;
use crate::macho::fat;
use serde::{Deserialize, Serialize};

/// The format of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// ELF, as on Linux.
    Elf,
    /// Mach-O, as on macOS.
    Macho,
}

impl Format {
    /// The format that a file's first bytes announce, if any.
    #[must_use]
    pub fn of(source: &dyn Source) -> Option<Self> {
        let magic = source.get(0..4)?;
        match magic.as_ref() {
            b"\x7fELF" => Some(Self::Elf),
            _ => fat::is_macho(source).then_some(Self::Macho),
        }
    }
}
