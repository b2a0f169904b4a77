//! The symbols that relocations refer to.

use super::image::Image;
use crate::bytes::Error;
use goblin::elf::dynamic::{
    DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ,
};
use goblin::elf::reloc::Reloc;
use scroll::Pread as _;
use scroll::ctx::SizeWith as _;

/// The number of relocations that are read at a time.
const PIECE: u64 = 1 << 12;
/// An upper limit for the relocations of an object that hashes no symbol.
const MAX: u64 = 1 << 20;

/// One past the highest symbol that a relocation refers to. The loader uses no other symbols of the object,
/// except those that it finds with a hash table. `None` if there are no relocations, or too many.
///
/// # Errors
/// If a table is outside the file.
pub(super) fn symbols_end(image: &Image<'_>) -> Result<Option<u64>, Error> {
    let is_rela = image.value(DT_PLTREL) == Some(DT_RELA);
    let mut end = None;
    for (table, len, is_rela) in
        [(DT_RELA, DT_RELASZ, true), (DT_REL, DT_RELSZ, false), (DT_JMPREL, DT_PLTRELSZ, is_rela)]
    {
        let Some(len) = image.value(len).filter(|&len| len > 0) else { continue };
        let Some(entry) = image.entry(table) else { continue };
        let start = image.offset_of(entry.value).ok_or_else(|| {
            Error::invalid("relocations", entry.offset, "no segment maps their address")
        })?;
        let context = (is_rela, image.ctx());
        let size = Reloc::size_with(&context) as u64;
        let count = len / size;
        if count > MAX {
            return Ok(None);
        }
        for first in (0..count).step_by(PIECE as usize) {
            let len = PIECE.min(count - first) * size;
            let at = start.saturating_add(first * size);
            let piece = image.source().read(at, len, "relocations")?;
            for bytes in piece.chunks_exact(size as usize) {
                let symbol = bytes.pread_with::<Reloc>(0, context).map_or(0, |entry| entry.r_sym);
                end = end.max(Some(symbol as u64 + 1));
            }
        }
    }
    Ok(end)
}
