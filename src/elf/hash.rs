//! The dynamic symbols that the loader can find: `DT_GNU_HASH`, `DT_HASH` and the part of the
//! symbol table that they leave out.
//!
//! A library may have a million symbols, so nothing here walks the whole table where a lookup
//! serves. Sources of the rules: the gABI ("Hash Table Section"), binutils' `bfd/elflink.c`
//! (`elf_renumber_gnu_hash_syms`), glibc's `elf/dl-lookup.c` (`do_lookup_x`).

mod undefined;

pub use undefined::undefined;

use super::image::{Class, Image};
use super::relocations;
use super::sections::Sections;
use crate::bytes::Error;
use goblin::elf::{dynamic, header, section_header};
use scroll::Pread as _;
use std::ops::{ControlFlow, Range};

/// Steps that one question may take through chains and symbols: far more than a sound table asks
/// for, and little enough to answer at once for a malformed one.
const MOST_STEPS: u64 = 1 << 24;
/// `e_machine` of Alpha, as its tools write it (binutils' `include/elf/common.h`).
const EM_ALPHA: u16 = 0x9026;
/// Bytes of the symbol table that are read at a time.
const PIECE: u64 = 1 << 16;

/// Does the object export a symbol: is it defined there, and would the loader find it by its name
/// (versions left aside)?
///
/// # Errors
/// Where a hash table, the symbol table or a name is malformed.
pub fn exports(image: &Image<'_>, name: &[u8]) -> Result<bool, Error> {
    find(image, name, |symbol| symbol.section != 0)
}

/// For each of `names`, what [`exports`] says of it. Many names are looked up in the order in which the
/// tables have them, so that each part of a table is read once.
///
/// # Errors
/// Where a hash table, the symbol table or a name is malformed.
pub fn exports_each(image: &Image<'_>, names: &[Vec<u8>]) -> Result<Vec<bool>, Error> {
    let mut found = vec![false; names.len()];
    let Some(table) = GnuHash::open(image)? else {
        for (found, name) in found.iter_mut().zip(names) {
            *found = exports(image, name)?;
        }
        return Ok(found);
    };
    let Some(symbols) = Symbols::open(image)? else { return Ok(found) };
    let strings = image.string_table()?;
    let hashed = found.iter_mut().zip(names).map(|(found, name)| (gnu_hash(name), name, found));
    let mut asked: Vec<_> = hashed.collect();
    asked.sort_unstable_by_key(|(hash, ..)| table.bloom_word(*hash));
    let mut possible = Vec::new();
    for one in asked {
        if table.may_hold(one.0)? {
            possible.push(one);
        }
    }
    possible.sort_unstable_by_key(|(hash, ..)| table.bucket(*hash));
    for (hash, name, found) in possible {
        *found = table.any_chained(&symbols, hash, &mut 0, |symbol| {
            Ok(symbol.section != 0 && is_named(image, &strings, symbol.name, name))
        })?;
    }
    Ok(found)
}

/// Does the object import a symbol: does it name it without defining it?
///
/// # Errors
/// Where a hash table, the symbol table or a name is malformed.
pub fn imports(image: &Image<'_>, name: &[u8]) -> Result<bool, Error> {
    let Some(symbols) = Symbols::open(image)? else { return Ok(false) };
    let strings = image.string_table()?;
    let is_import = |symbol: Symbol| -> Result<bool, Error> {
        Ok(symbol.section == 0 && is_named(image, &strings, symbol.name, name))
    };
    let Some(unhashed) = unhashed(image)? else { return Ok(false) };
    if symbols.any(unhashed, is_import)? {
        return Ok(true);
    }
    // An undefined function whose address a program compares is hashed all the same (psABI,
    // "Function Addresses").
    match GnuHash::open(image)? {
        None => Ok(false),
        Some(_) => find(image, name, |symbol| symbol.section == 0),
    }
}

/// What is known of the dynamic symbols' names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// No symbol's name begins in the range.
    None,
    /// A symbol's name begins there.
    Symbol,
    /// How many symbols there are cannot be known.
    Unknown,
}

/// Does a dynamic symbol's name begin in `slot`, offsets in the string table? What stands there
/// from its start on is `text`, and then NULs alone.
///
/// Such a name is a suffix of `text`, the empty one included, so that the hash table answers for
/// every hashed symbol, however many there are.
///
/// # Errors
/// Where a hash table or the symbol table is malformed.
pub(super) fn names_in(
    image: &Image<'_>,
    slot: &Range<u64>,
    text: &[u8],
) -> Result<Reference, Error> {
    let Some(symbols) = Symbols::open(image)? else { return Ok(Reference::Unknown) };
    let begins_there = |symbol: Symbol| Ok(slot.contains(&u64::from(symbol.name)));
    let Some(unhashed) = unhashed(image)? else { return Ok(Reference::Unknown) };
    if symbols.any(unhashed, begins_there)? {
        return Ok(Reference::Symbol);
    }
    let Some(table) = GnuHash::open(image)? else { return Ok(Reference::None) };
    let mut steps = 0;
    for hash in suffix_hashes(text) {
        if table.any(&symbols, hash, &mut steps, begins_there)? {
            return Ok(Reference::Symbol);
        }
    }
    Ok(Reference::None)
}

/// The number of dynamic symbols, the empty first one included; `None` where nothing tells it.
///
/// # Errors
/// Where a hash table is malformed.
pub(super) fn symbol_count(image: &Image<'_>) -> Result<Option<u64>, Error> {
    let gnu = GnuHash::open(image)?;
    match (SysvHash::open(image), &gnu) {
        (Ok(Some(table)), _) => return Ok(Some(table.chains)),
        // glibc does not look at DT_HASH where there is the other one, and lld writes it for s390x
        // in words of another size than the psABI says.
        (Err(error), None) => return Err(error),
        (Err(_), Some(_)) | (Ok(None), _) => {}
    }
    match gnu {
        Some(table) => match table.end()? {
            Some(end) => Ok(Some(end)),
            // Where nothing is hashed, bfd writes 1 for the first hashed symbol whatever their
            // number is; other linkers write the number.
            None if table.first > 1 => Ok(Some(table.first)),
            None => Ok(count_of_section(image)),
        },
        None => Ok(count_of_section(image)),
    }
}

/// File offsets of the `DT_GNU_HASH` table.
///
/// # Errors
/// Where it is malformed.
pub(super) fn gnu_table(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    let Some(table) = GnuHash::open(image)? else { return Ok(None) };
    let hashed = table.end()?.map_or(0, |end| end - table.first);
    Ok(Some(table.offset..table.chains_at() + hashed * 4))
}

/// File offsets of the `DT_HASH` table.
///
/// # Errors
/// Where it is malformed.
pub(super) fn sysv_table(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    let Some(table) = SysvHash::open(image)? else { return Ok(None) };
    Ok(Some(table.offset..table.offset + (2 + table.buckets + table.chains) * table.word))
}

/// File offsets of the dynamic symbol table, where its length can be known.
///
/// # Errors
/// Where a table is malformed.
pub(super) fn symbol_table(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    let (Some(symbols), Some(count)) = (Symbols::open(image)?, symbol_count(image)?) else {
        return Ok(None);
    };
    let end = symbols.end(count)?;
    Ok(Some(symbols.offset..end))
}

/// The hash of a name in `DT_GNU_HASH` (`dl_new_hash`).
fn gnu_hash(name: &[u8]) -> u32 {
    name.iter().fold(5381, |hash: u32, &byte| hash.wrapping_mul(33).wrapping_add(byte.into()))
}

/// The hash of a name in `DT_HASH` (gABI, `elf_hash`).
fn sysv_hash(name: &[u8]) -> u32 {
    name.iter().fold(0, |hash: u32, &byte| {
        let hash = (hash << 4).wrapping_add(byte.into());
        let high = hash & 0xf000_0000;
        (hash ^ (high >> 24)) & !high
    })
}

/// The GNU hashes of all suffixes of `text`, from the empty one to the whole.
///
/// A hash is `5381 * 33^n` plus a polynomial in 33, and a byte put in front of a suffix of `n`
/// bytes adds just `byte * 33^n` to the polynomial.
fn suffix_hashes(text: &[u8]) -> impl Iterator<Item = u32> {
    let mut power = 1_u32;
    let mut sum = 0_u32;
    let longer = text.iter().rev().map(move |&byte| {
        sum = sum.wrapping_add(u32::from(byte).wrapping_mul(power));
        power = power.wrapping_mul(33);
        power.wrapping_mul(5381).wrapping_add(sum)
    });
    std::iter::once(5381).chain(longer)
}

/// Is there a symbol of this name, reached as the loader reaches it, that fits?
fn find(image: &Image<'_>, name: &[u8], fits: impl Fn(Symbol) -> bool) -> Result<bool, Error> {
    let Some(symbols) = Symbols::open(image)? else { return Ok(false) };
    let strings = image.string_table()?;
    let matches = |symbol: Symbol| Ok(fits(symbol) && is_named(image, &strings, symbol.name, name));
    let mut steps = 0;
    if let Some(table) = GnuHash::open(image)? {
        return table.any(&symbols, gnu_hash(name), &mut steps, matches);
    }
    match SysvHash::open(image)? {
        Some(table) => table.any(&symbols, sysv_hash(name), &mut steps, matches),
        // Without a hash table the loader finds nothing.
        None => Ok(false),
    }
}

/// Is the string at `offset` of the table `strings` this name? A name outside the table is none.
fn is_named(image: &Image<'_>, strings: &Range<u64>, offset: u32, name: &[u8]) -> bool {
    let Some(start) = strings.start.checked_add(offset.into()) else { return false };
    let end = start.saturating_add(name.len() as u64 + 1);
    if end > strings.end {
        return false;
    }
    let found = image.source().get(start..end);
    found.is_some_and(|bytes| bytes.split_last() == Some((&0, name)))
}

/// The symbols that no GNU hash lookup reaches: those below the first hashed one, or all of them
/// where there is only `DT_HASH` or no hashed symbol; where nothing tells their number, those that
/// the loader may look up. `None` where these are unknown too.
fn unhashed(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    if let Some(table) = GnuHash::open(image)?
        && !table.is_empty()?
    {
        return Ok(Some(1..table.first.max(1)));
    }
    let count = match symbol_count(image)? {
        None => relocations::symbols_end(image)?,
        count => count,
    };
    Ok(count.map(|count| 1..count.max(1)))
}

/// The number of symbols by the section headers: the row that stands at `DT_SYMTAB`.
fn count_of_section(image: &Image<'_>) -> Option<u64> {
    let address = image.value(dynamic::DT_SYMTAB)?;
    let sections = Sections::read(image).ok()??;
    let row = sections
        .rows()
        .iter()
        .find(|row| row.sh_type == section_header::SHT_DYNSYM && row.sh_addr == address)?;
    Some(row.sh_size / symbol_size(image))
}

fn symbol_size(image: &Image<'_>) -> u64 {
    goblin::elf::sym::Sym::size(image.ctx().container) as u64
}

/// What matters of an `Elf64_Sym`.
#[derive(Clone, Copy)]
struct Symbol {
    /// `st_name`.
    name: u32,
    /// `st_shndx`; 0 is `SHN_UNDEF`.
    section: u16,
    /// The upper half of `st_info`.
    binding: u8,
}

/// The symbol table, whose length it does not tell.
struct Symbols<'i, 'a> {
    image: &'i Image<'a>,
    offset: u64,
    size: u64,
}

impl<'i, 'a> Symbols<'i, 'a> {
    const WHAT: &'static str = "dynamic symbol table";

    fn open(image: &'i Image<'a>) -> Result<Option<Self>, Error> {
        let Some(entry) = image.entry(dynamic::DT_SYMTAB) else { return Ok(None) };
        let offset = image.offset_of(entry.value).ok_or_else(|| {
            Error::invalid(Self::WHAT, entry.offset, "no segment maps its address")
        })?;
        Ok(Some(Self { image, offset, size: symbol_size(image) }))
    }

    /// Where symbol `index` begins, in the file.
    fn end(&self, index: u64) -> Result<u64, Error> {
        let end = index.checked_mul(self.size).and_then(|size| self.offset.checked_add(size));
        end.filter(|&end| end <= self.image.source().len()).ok_or_else(|| {
            Error::invalid(Self::WHAT, self.offset, "more symbols than the file can hold")
        })
    }

    fn decode(&self, bytes: &[u8]) -> Option<Symbol> {
        let (info, section) = match self.image.class() {
            Class::Elf64 => (4, 6),
            Class::Elf32 => (12, 14),
        };
        let endian = self.image.ctx().le;
        Some(Symbol {
            name: bytes.pread_with(0, endian).ok()?,
            section: bytes.pread_with(section, endian).ok()?,
            binding: bytes.get(info)? >> 4,
        })
    }

    fn get(&self, index: u64) -> Result<Symbol, Error> {
        let start = self.end(index)?;
        let bytes = self.image.source().read(start, self.size, Self::WHAT)?;
        self.decode(&bytes)
            .ok_or_else(|| Error::invalid(Self::WHAT, start, "a symbol cannot be read"))
    }

    /// Does one of the symbols fit?
    fn any(
        &self,
        indices: Range<u64>,
        fits: impl Fn(Symbol) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if indices.end.saturating_sub(indices.start) > MOST_STEPS {
            return Err(Error::invalid(Self::WHAT, self.offset, "more symbols than are looked at"));
        }
        let end = self.end(indices.end)?;
        let mut at = self.end(indices.start)?;
        while at < end {
            let len = (PIECE - PIECE % self.size).min(end - at);
            let piece = self.image.source().read(at, len, Self::WHAT)?;
            for bytes in piece.chunks_exact(self.size as usize) {
                if let Some(symbol) = self.decode(bytes)
                    && fits(symbol)?
                {
                    return Ok(true);
                }
            }
            at += len;
        }
        Ok(false)
    }
}

/// `DT_GNU_HASH`: header, Bloom filter, buckets, chains.
struct GnuHash<'i, 'a> {
    image: &'i Image<'a>,
    offset: u64,
    buckets: u64,
    /// `symoffset`: the first symbol that is hashed.
    first: u64,
    bloom_words: u64,
    bloom_shift: u32,
    /// Size of a word of the Bloom filter in bytes.
    word: u64,
}

impl<'i, 'a> GnuHash<'i, 'a> {
    const WHAT: &'static str = "DT_GNU_HASH";

    fn open(image: &'i Image<'a>) -> Result<Option<Self>, Error> {
        let Some(entry) = image.entry(dynamic::DT_GNU_HASH) else { return Ok(None) };
        let invalid = |why| Error::invalid(Self::WHAT, entry.offset, why);
        let offset =
            image.offset_of(entry.value).ok_or_else(|| invalid("no segment maps its address"))?;
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
        // glibc takes the remainder by a mask (`l_gnu_bitmask_idxbits`) and asserts the power of
        // two (`_dl_setup_hash`).
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

    fn chains_at(&self) -> u64 {
        self.buckets_at() + self.buckets * 4
    }

    /// The word of the Bloom filter that tells of a hash.
    fn bloom_word(&self, hash: u32) -> u64 {
        let bits = (self.word * 8) as u32;
        u64::from(hash / bits) % self.bloom_words
    }

    /// The bucket of a hash.
    fn bucket(&self, hash: u32) -> u64 {
        u64::from(hash) % self.buckets
    }

    /// May a symbol of this hash be there, by the Bloom filter?
    fn may_hold(&self, hash: u32) -> Result<bool, Error> {
        let bits = (self.word * 8) as u32;
        let at = self.offset + 16 + self.bloom_word(hash) * self.word;
        let bytes = self.image.source().read(at, self.word, Self::WHAT)?;
        let endian = self.image.ctx().le;
        let word: Option<u64> = match self.word {
            8 => bytes.pread_with(0, endian).ok(),
            _ => bytes.pread_with::<u32>(0, endian).ok().map(u64::from),
        };
        let shifted = hash.checked_shr(self.bloom_shift).unwrap_or(0);
        let mask = 1_u64 << (hash % bits) | 1_u64 << (shifted % bits);
        Ok(word.is_some_and(|word| word & mask == mask))
    }

    /// Does one of the symbols that have this hash fit?
    fn any(
        &self,
        symbols: &Symbols<'_, '_>,
        hash: u32,
        steps: &mut u64,
        fits: impl Fn(Symbol) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        Ok(self.may_hold(hash)? && self.any_chained(symbols, hash, steps, fits)?)
    }

    /// The same, without a look at the Bloom filter.
    fn any_chained(
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

    /// Visits a chain from symbol `index` on, and returns the symbol at which it ended.
    fn walk(
        &self,
        mut index: u64,
        steps: &mut u64,
        mut visit: impl FnMut(u64, u32) -> Result<ControlFlow<()>, Error>,
    ) -> Result<u64, Error> {
        loop {
            *steps += 1;
            if *steps > MOST_STEPS {
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

    /// Is no symbol hashed at all?
    fn is_empty(&self) -> Result<bool, Error> {
        let mut is_empty = true;
        self.buckets(|first| {
            is_empty = first < self.first;
            if is_empty { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(is_empty)
    }

    /// One past the highest hashed symbol; `None` where none is hashed.
    fn end(&self) -> Result<Option<u64>, Error> {
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

/// `DT_HASH`: the numbers of buckets and chains, then both; there is a chain link for each symbol.
struct SysvHash<'i, 'a> {
    image: &'i Image<'a>,
    offset: u64,
    buckets: u64,
    chains: u64,
    /// Size of a word in bytes.
    word: u64,
}

impl<'i, 'a> SysvHash<'i, 'a> {
    const WHAT: &'static str = "DT_HASH";

    fn open(image: &'i Image<'a>) -> Result<Option<Self>, Error> {
        let Some(entry) = image.entry(dynamic::DT_HASH) else { return Ok(None) };
        let invalid = |why| Error::invalid(Self::WHAT, entry.offset, why);
        let offset =
            image.offset_of(entry.value).ok_or_else(|| invalid("no segment maps its address"))?;
        // The two psABIs with words of 64 bits here.
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

    /// Does one of the symbols in the bucket of this hash fit?
    fn any(
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

fn u32_at(image: &Image<'_>, offset: u64, what: &'static str) -> Result<u32, Error> {
    let bytes = image.source().read(offset, 4, what)?;
    Ok(bytes.pread_with(0, image.ctx().le).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::{gnu_hash, suffix_hashes, sysv_hash};

    #[test]
    fn the_hashes_of_all_suffixes_are_the_hashes_of_each() {
        let text = b"$ORIGIN/../nvidia/cublas/lib:\xff";
        let one_by_one: Vec<u32> =
            (0..=text.len()).rev().map(|start| gnu_hash(&text[start..])).collect();
        assert_eq!(suffix_hashes(text).collect::<Vec<_>>(), one_by_one);
    }

    #[test]
    fn known_hashes() {
        // Values that glibc's tests and the gABI's example give.
        assert_eq!(gnu_hash(b""), 5381);
        assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
        assert_eq!(sysv_hash(b"printf"), 0x077_905a6);
    }
}
