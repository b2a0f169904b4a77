//! `DT_GNU_HASH`, the hash table of the symbols that an object defines (binutils' `bfd/elflink.c`, glibc's
//! `elf/dl-lookup.c`).

use super::{MAX_STEPS, PIECE, Symbol, Symbols, u32_at};
use crate::bytes::{Error, read_together};
use crate::elf::image::{Class, Image};
use goblin::elf::dynamic;
use scroll::Pread as _;
use std::ops::{ControlFlow, Range};

/// The maximum number of bytes of a Bloom filter that are read for each hash.
const BLOOM_PER_HASH: u64 = 32;

/// The hash of a name in `DT_GNU_HASH` (`dl_new_hash`).
pub(in crate::elf) fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// `DT_GNU_HASH`: header, Bloom filter, buckets, chains.
pub(in crate::elf) struct GnuHash<'i, 'a> {
    image: &'i Image<'a>,
    pub(in crate::elf) offset: u64,
    buckets: u64,
    /// `symoffset`: the first symbol that is hashed.
    pub(in crate::elf) first: u64,
    bloom_words: u64,
    bloom_shift: u32,
    /// Size of a word of the Bloom filter in bytes.
    word: u64,
}

impl<'i, 'a> GnuHash<'i, 'a> {
    const WHAT: &'static str = "DT_GNU_HASH";

    pub(in crate::elf) fn open(image: &'i Image<'a>) -> Result<Option<Self>, Error> {
        let Some(offset) = image.table(dynamic::DT_GNU_HASH, Self::WHAT)? else { return Ok(None) };
        let invalid = |why| Error::invalid(Self::WHAT, offset, why);
        let table = Self {
            image,
            offset,
            buckets: u32_at(image, offset, Self::WHAT)?.into(),
            first: u32_at(image, offset.saturating_add(4), Self::WHAT)?.into(),
            bloom_words: u32_at(image, offset.saturating_add(8), Self::WHAT)?.into(),
            bloom_shift: u32_at(image, offset.saturating_add(12), Self::WHAT)?,
            word: match image.class() {
                Class::Elf64 => 8,
                Class::Elf32 => 4,
            },
        };
        // glibc computes the remainder with a mask (`l_gnu_bitmask_idxbits`) and asserts that the size is a
        // power of two (`_dl_setup_hash`).
        if !table.bloom_words.is_power_of_two() || table.buckets == 0 {
            return Err(invalid("a Bloom filter or buckets of an impossible number"));
        }
        if table.chains_at() > image.source().len() {
            return Err(invalid("larger than the file"));
        }
        Ok(Some(table))
    }

    fn buckets_at(&self) -> u64 {
        self.offset + 16 + self.bloom_words * self.word
    }

    pub(in crate::elf) fn chains_at(&self) -> u64 {
        self.buckets_at() + self.buckets * 4
    }

    /// The hashes that pass the Bloom filter, in the order of their buckets. The filter is read in its own
    /// order, so that each part of it is read once, however many hashes there are. If there are many, the
    /// whole filter is read, which is faster than sorting them.
    pub(in crate::elf) fn possible<T>(
        &self,
        mut asked: Vec<(u32, T)>,
    ) -> Result<Vec<(u32, T)>, Error> {
        let len = self.bloom_words * self.word;
        if len <= (asked.len() as u64).saturating_mul(BLOOM_PER_HASH) {
            let bloom = self.image.source().read(self.offset + 16, len, Self::WHAT)?;
            asked.retain(|(hash, _)| {
                let at = self.bloom_word(*hash) * self.word;
                let word = usize::try_from(at).ok().and_then(|at| bloom.get(at..));
                word.is_some_and(|word| self.lets_pass(*hash, word))
            });
            asked.sort_by_cached_key(|(hash, _)| self.bucket(*hash));
            return Ok(asked);
        }
        asked.sort_by_cached_key(|(hash, _)| self.bloom_word(*hash));
        let words: Vec<Range<u64>> = asked.iter().map(|(hash, _)| self.bloom_at(*hash)).collect();
        let mut passes = Vec::with_capacity(asked.len());
        read_together(self.image.source(), &words, Self::WHAT, |index, bytes| {
            passes.push(asked.get(index).is_some_and(|(hash, _)| self.lets_pass(*hash, bytes)));
            Ok(())
        })?;
        let asked = asked.into_iter().zip(passes);
        let mut possible: Vec<(u32, T)> =
            asked.filter_map(|(one, passes)| passes.then_some(one)).collect();
        possible.sort_by_cached_key(|(hash, _)| self.bucket(*hash));
        Ok(possible)
    }

    /// The first symbol in the chain of each hash, if the hash has a chain. The input is in the order of the
    /// buckets, and the result is in the order of the symbols.
    pub(in crate::elf) fn chains_of<T>(
        &self,
        asked: Vec<(u32, T)>,
    ) -> Result<Vec<(u64, u32, T)>, Error> {
        let at = |hash: u32| self.buckets_at() + self.bucket(hash) * 4;
        let buckets: Vec<Range<u64>> =
            asked.iter().map(|(hash, _)| at(*hash)..at(*hash) + 4).collect();
        let mut starts = Vec::with_capacity(asked.len());
        read_together(self.image.source(), &buckets, Self::WHAT, |_, bytes| {
            starts.push(u64::from(self.word_at(bytes, 0).unwrap_or(0)));
            Ok(())
        })?;
        let asked = asked.into_iter().zip(starts);
        let chained = asked.filter(|(_, start)| *start >= self.first);
        let mut chains: Vec<(u64, u32, T)> =
            chained.map(|((hash, what), start)| (start, hash, what)).collect();
        chains.sort_unstable_by_key(|(start, ..)| *start);
        Ok(chains)
    }

    /// The first symbol with the right hash among the first `links` of each chain; `None` if the chain is
    /// longer. Chains without such a symbol are omitted. The result is in the order of the symbols.
    pub(in crate::elf) fn first_hits<T>(
        &self,
        chains: Vec<(u64, u32, T)>,
        links: u64,
    ) -> Result<Vec<(Option<u64>, T)>, Error> {
        let file = self.image.source().len();
        let range = |start: u64| {
            let at = self.chains_at() + (start - self.first) * 4;
            at..at.saturating_add(links * 4).min(file).max(at.saturating_add(4))
        };
        let ranges: Vec<Range<u64>> = chains.iter().map(|(start, ..)| range(*start)).collect();
        let mut answers = Vec::with_capacity(chains.len());
        read_together(self.image.source(), &ranges, Self::WHAT, |index, bytes| {
            let answer =
                chains.get(index).and_then(|(start, hash, _)| self.hit(bytes, *start, *hash));
            answers.push(answer);
            Ok(())
        })?;
        let answers = chains.into_iter().zip(answers);
        let hits = answers.filter_map(|((.., what), hit)| Some((hit?, what)));
        let mut hits: Vec<(Option<u64>, T)> = hits.collect();
        hits.sort_unstable_by_key(|(hit, _)| *hit);
        Ok(hits)
    }

    /// The first symbol with the hash among the links of a chain that begins with symbol `start`: `None` if
    /// there is none, `Some(None)` if these links do not decide it.
    fn hit(&self, links: &[u8], start: u64, hash: u32) -> Option<Option<u64>> {
        for (index, link) in (start..).zip(links.chunks_exact(4)) {
            let chained = self.word_at(link, 0)?;
            if (chained ^ hash) | 1 == 1 {
                return Some(Some(index));
            }
            if chained & 1 == 1 {
                return None;
            }
        }
        Some(None)
    }

    fn word_at(&self, bytes: &[u8], at: usize) -> Option<u32> {
        bytes.pread_with(at, self.image.ctx().le).ok()
    }

    /// The word of the Bloom filter for a hash.
    fn bloom_word(&self, hash: u32) -> u64 {
        let bits = (self.word * 8) as u32;
        u64::from(hash / bits) % self.bloom_words
    }

    /// The file offset of that word.
    fn bloom_at(&self, hash: u32) -> Range<u64> {
        let at = self.offset + 16 + self.bloom_word(hash) * self.word;
        at..at + self.word
    }

    /// The bucket of a hash.
    fn bucket(&self, hash: u32) -> u64 {
        u64::from(hash) % self.buckets
    }

    /// May a symbol with this hash exist, according to the Bloom filter?
    fn may_hold(&self, hash: u32) -> Result<bool, Error> {
        let Range { start, end } = self.bloom_at(hash);
        let bytes = self.image.source().read(start, end - start, Self::WHAT)?;
        Ok(self.lets_pass(hash, &bytes))
    }

    /// The same, given the word of the filter for the hash.
    fn lets_pass(&self, hash: u32, bytes: &[u8]) -> bool {
        let bits = (self.word * 8) as u32;
        let word = match self.word {
            8 => bytes.pread_with::<u64>(0, self.image.ctx().le).ok(),
            _ => self.word_at(bytes, 0).map(u64::from),
        };
        let shifted = hash.checked_shr(self.bloom_shift).unwrap_or(0);
        let mask = 1_u64 << (hash % bits) | 1_u64 << (shifted % bits);
        word.is_some_and(|word| word & mask == mask)
    }

    /// Does one of the symbols with this hash match?
    pub(in crate::elf) fn any(
        &self,
        symbols: &Symbols<'_, '_>,
        hash: u32,
        steps: &mut u64,
        fits: impl Fn(Symbol) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        Ok(self.may_hold(hash)? && self.any_chained(symbols, hash, steps, fits)?)
    }

    /// The same, for a hash that passed the Bloom filter.
    pub(in crate::elf) fn any_chained(
        &self,
        symbols: &Symbols<'_, '_>,
        hash: u32,
        steps: &mut u64,
        fits: impl Fn(Symbol) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        let bucket = self.buckets_at() + self.bucket(hash) * 4;
        let start = u64::from(u32_at(self.image, bucket, Self::WHAT)?);
        if start < self.first {
            return Ok(false);
        }
        let mut found = false;
        self.walk(start, steps, |index, chained| {
            if (chained ^ hash) | 1 == 1 && fits(symbols.get(index)?)? {
                found = true;
                return Ok(ControlFlow::Break(()));
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok(found)
    }

    /// Visits a chain, beginning with symbol `index`, and returns the symbol at its end.
    fn walk(
        &self,
        mut index: u64,
        steps: &mut u64,
        mut visit: impl FnMut(u64, u32) -> Result<ControlFlow<()>, Error>,
    ) -> Result<u64, Error> {
        loop {
            *steps += 1;
            if *steps > MAX_STEPS {
                return Err(Error::invalid(Self::WHAT, self.offset, "a chain does not end"));
            }
            let at = self.chains_at() + (index - self.first) * 4;
            let chained = u32_at(self.image, at, Self::WHAT)?;
            if visit(index, chained)?.is_break() || chained & 1 == 1 {
                return Ok(index);
            }
            index += 1;
        }
    }

    /// Visits the buckets that are not empty.
    fn buckets(&self, mut visit: impl FnMut(u64) -> ControlFlow<()>) -> Result<(), Error> {
        let (mut at, end) = (self.buckets_at(), self.chains_at());
        while at < end {
            let len = PIECE.min(end - at);
            let piece = self.image.source().read(at, len, Self::WHAT)?;
            for bytes in piece.chunks_exact(4) {
                let bucket = bytes.pread_with::<u32>(0, self.image.ctx().le).unwrap_or(0);
                if bucket != 0 && visit(bucket.into()).is_break() {
                    return Ok(());
                }
            }
            at += len;
        }
        Ok(())
    }

    /// Are no symbols hashed at all?
    pub(in crate::elf) fn is_empty(&self) -> Result<bool, Error> {
        let mut is_empty = true;
        self.buckets(|first| {
            is_empty = first < self.first;
            if is_empty { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(is_empty)
    }

    /// One past the highest hashed symbol; `None` if none is hashed.
    pub(in crate::elf) fn end(&self) -> Result<Option<u64>, Error> {
        let mut highest = 0;
        self.buckets(|first| {
            highest = highest.max(first);
            ControlFlow::Continue(())
        })?;
        if highest == 0 || highest < self.first {
            return Ok(None);
        }
        let last = self.walk(highest, &mut 0, |_, _| Ok(ControlFlow::Continue(())))?;
        Ok(Some(last + 1))
    }
}
