//! `DT_HASH`, the table of all dynamic symbols (gABI, "Hash Table Section").

use super::{Symbol, Symbols, u32_at};
use crate::bytes::Error;
use crate::elf::image::{Class, Image};
use goblin::elf::{dynamic, header};
use scroll::Pread as _;

/// `e_machine` of Alpha as the GNU tools write it (binutils' `include/elf/common.h`).
const EM_ALPHA: u16 = 0x9026;

/// The hash of a name in `DT_HASH` (gABI, `elf_hash`).
pub(in crate::elf) fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

/// `DT_HASH`: the numbers of buckets and chains, followed by both. There is one chain link for each symbol.
pub(in crate::elf) struct SysvHash<'i, 'a> {
    image: &'i Image<'a>,
    pub(in crate::elf) offset: u64,
    pub(in crate::elf) buckets: u64,
    pub(in crate::elf) chains: u64,
    /// Size of a word in bytes.
    pub(in crate::elf) word: u64,
}

impl<'i, 'a> SysvHash<'i, 'a> {
    const WHAT: &'static str = "DT_HASH";

    pub(in crate::elf) fn open(image: &'i Image<'a>) -> Result<Option<Self>, Error> {
        let Some(offset) = image.table(dynamic::DT_HASH, Self::WHAT)? else { return Ok(None) };
        let invalid = |why| Error::invalid(Self::WHAT, offset, why);
        // The two psABIs that use words of 64 bits here.
        let is_wide = matches!(image.header().e_machine, header::EM_S390 | EM_ALPHA)
            && image.class() == Class::Elf64;
        let word = if is_wide { 8 } else { 4 };
        let mut table = Self { image, offset, buckets: 0, chains: 0, word };
        table.buckets = table.word_at(0)?;
        table.chains = table.word_at(1)?;
        let words = table.buckets.checked_add(table.chains).and_then(|sum| sum.checked_add(2));
        let end = words.and_then(|words| words.checked_mul(word)?.checked_add(offset));
        if end.is_none_or(|end| end > image.source().len()) {
            return Err(invalid("larger than the file"));
        }
        Ok(Some(table))
    }

    fn word_at(&self, index: u64) -> Result<u64, Error> {
        let at = self.offset.saturating_add(index.saturating_mul(self.word));
        if self.word == 4 {
            return u32_at(self.image, at, Self::WHAT).map(u64::from);
        }
        let bytes = self.image.source().read(at, 8, Self::WHAT)?;
        Ok(bytes.pread_with(0, self.image.ctx().le).unwrap_or(0))
    }

    /// Does one of the symbols in the bucket of this hash match?
    pub(in crate::elf) fn any(
        &self,
        symbols: &Symbols<'_, '_>,
        hash: u32,
        steps: &mut u64,
        fits: impl Fn(Symbol) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if self.buckets == 0 {
            return Ok(false);
        }
        let mut index = self.word_at(2 + u64::from(hash) % self.buckets)?;
        while index != 0 {
            *steps += 1;
            if *steps > self.chains || index >= self.chains {
                return Err(Error::invalid(Self::WHAT, self.offset, "a chain does not end"));
            }
            if fits(symbols.get(index)?)? {
                return Ok(true);
            }
            index = self.word_at(2 + self.buckets + index)?;
        }
        Ok(false)
    }
}
