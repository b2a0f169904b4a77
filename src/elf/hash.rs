//! The dynamic symbols that the loader can find: `DT_GNU_HASH`, `DT_HASH`, and the part of the symbol table
//! that they do not cover.
//!
//! A library may have a million symbols, so nothing here walks the whole table if a lookup is enough. Sources
//! of the rules: the gABI ("Hash Table Section"), binutils' `bfd/elflink.c` (`elf_renumber_gnu_hash_syms`),
//! glibc's `elf/dl-lookup.c` (`do_lookup_x`).

mod each;
mod gnu;
mod sysv;
mod undefined;

pub use each::{Name, exports_each};
pub use undefined::undefined;

use self::gnu::{GnuHash, gnu_hash};
use self::sysv::{SysvHash, sysv_hash};
use super::image::{Class, Image};
use super::relocations;
use super::sections::Sections;
use crate::bytes::{Error, read_together};
use goblin::elf::{dynamic, section_header};
use scroll::Pread as _;
use std::ops::Range;

/// The maximum number of steps through chains and symbols for one lookup: far more than a valid table needs,
/// and few enough to give up quickly on a malformed one.
const MAX_STEPS: u64 = 1 << 24;
/// Bytes of the symbol table that are read at a time.
const PIECE: u64 = 1 << 16;

/// Does the object export a symbol: does it define it, and would the loader find it by name? Versions are
/// ignored.
///
/// # Errors
/// If a hash table, the symbol table or a name is malformed.
pub fn exports(image: &Image<'_>, name: &[u8]) -> Result<bool, Error> {
    find(image, name, |symbol| symbol.section != 0)
}

/// Does the object import a symbol: does it refer to it without defining it?
///
/// # Errors
/// If a hash table, the symbol table or a name is malformed.
pub fn imports(image: &Image<'_>, name: &[u8]) -> Result<bool, Error> {
    let Some(symbols) = Symbols::open(image)? else { return Ok(false) };
    let strings = image.string_table()?;
    let Some(unhashed) = unhashed(image)? else { return Ok(false) };
    let mut starts = Vec::new();
    symbols.any(unhashed, |symbol| {
        if symbol.section == 0 {
            starts.extend(strings.start.checked_add(symbol.name.into()));
        }
        Ok(false)
    })?;
    // In the order of the string table, so that each part of it is read once.
    starts.sort_unstable();
    starts.dedup();
    let end = |start: u64| start.saturating_add(name.len() as u64 + 1);
    let ranges = starts.into_iter().map(|start| start..end(start));
    let ranges: Vec<Range<u64>> = ranges.filter(|range| range.end <= strings.end).collect();
    let mut is_there = false;
    read_together(image.source(), &ranges, "symbol name", |_, bytes| {
        is_there |= bytes.split_last() == Some((&0, name));
        Ok(())
    })?;
    if is_there {
        return Ok(true);
    }
    // An undefined function whose address a program compares is hashed nevertheless (psABI, "Function
    // Addresses").
    match GnuHash::open(image)? {
        None => Ok(false),
        Some(_) => find(image, name, |symbol| symbol.section == 0),
    }
}

/// What is known about the names of the dynamic symbols.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    /// No symbol's name begins in the range.
    None,
    /// The name of a symbol begins there.
    Symbol,
    /// The number of symbols is unknown.
    Unknown,
}

/// Does the name of a dynamic symbol begin in `slot`, a range of offsets in the string table? The slot
/// contains `text`, followed by NULs only.
///
/// Such a name is a suffix of `text`, or empty. Therefore a few hash lookups cover every hashed symbol,
/// however many there are.
///
/// # Errors
/// If a hash table or the symbol table is malformed.
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
    let asked = suffix_hashes(text).map(|hash| (hash, ()));
    let mut steps = 0;
    for (hash, ()) in table.possible(asked.collect())? {
        if table.any_chained(&symbols, hash, &mut steps, begins_there)? {
            return Ok(Reference::Symbol);
        }
    }
    Ok(Reference::None)
}

/// The number of dynamic symbols, including the empty first one; `None` if it is unknown. If the two hash
/// tables disagree, the higher number is used.
///
/// # Errors
/// If a hash table is malformed.
pub(super) fn symbol_count(image: &Image<'_>) -> Result<Option<u64>, Error> {
    let gnu = GnuHash::open(image)?;
    let sysv = match SysvHash::open(image) {
        Ok(table) => table.map(|table| table.chains),
        Err(error) if gnu.is_none() => return Err(error),
        // glibc ignores DT_HASH if DT_GNU_HASH exists, and for s390x lld writes DT_HASH with another word
        // size than the psABI specifies.
        Err(_) => None,
    };
    let hashed = match gnu {
        Some(table) => match table.end()? {
            // If no symbol is hashed, bfd writes 1 as the first hashed symbol, whatever their number is.
            // Other linkers write the number of symbols.
            None => (table.first > 1).then_some(table.first),
            end => end,
        },
        None => None,
    };
    Ok(sysv.max(hashed).or_else(|| count_of_section(image)))
}

/// The file offsets of the `DT_GNU_HASH` table.
///
/// # Errors
/// If it is malformed.
pub(super) fn gnu_table(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    let Some(table) = GnuHash::open(image)? else { return Ok(None) };
    let hashed = table.end()?.map_or(0, |end| end - table.first);
    Ok(Some(table.offset..table.chains_at() + hashed * 4))
}

/// The file offsets of the `DT_HASH` table.
///
/// # Errors
/// If it is malformed.
pub(super) fn sysv_table(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    let Some(table) = SysvHash::open(image)? else { return Ok(None) };
    Ok(Some(table.offset..table.offset + (2 + table.buckets + table.chains) * table.word))
}

/// The file offsets of the dynamic symbol table, if its length is known.
///
/// # Errors
/// If a table is malformed.
pub(super) fn symbol_table(image: &Image<'_>) -> Result<Option<Range<u64>>, Error> {
    let (Some(symbols), Some(count)) = (Symbols::open(image)?, symbol_count(image)?) else {
        return Ok(None);
    };
    let end = symbols.end(count)?;
    Ok(Some(symbols.offset..end))
}

/// The GNU hashes of all suffixes of `text`, from the empty one to the whole text.
///
/// A hash is `5381 * 33^n` plus a polynomial in 33. Prepending a byte to a suffix of `n` bytes adds `byte *
/// 33^n` to the polynomial.
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

/// Is there a matching symbol with this name that the loader would find?
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
        // Without a hash table, the loader finds no symbol.
        None => Ok(false),
    }
}

/// Is the string at `offset` of the table `strings` this name? A name outside the table is not.
fn is_named(image: &Image<'_>, strings: &Range<u64>, offset: u32, name: &[u8]) -> bool {
    let Some(start) = strings.start.checked_add(offset.into()) else { return false };
    let end = start.saturating_add(name.len() as u64 + 1);
    if end > strings.end {
        return false;
    }
    let found = image.source().get(start..end);
    found.is_some_and(|bytes| bytes.split_last() == Some((&0, name)))
}

/// The symbols that no GNU hash lookup finds: those below the first hashed one, or all of them if there is
/// only `DT_HASH` or no symbol is hashed. If their number is unknown, those that the loader may look up;
/// `None` if these are unknown too.
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

/// The number of symbols according to the section headers: the section at the address of `DT_SYMTAB`.
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

/// The relevant fields of an `Elf64_Sym`.
#[derive(Clone, Copy)]
struct Symbol {
    /// `st_name`.
    name: u32,
    /// `st_shndx`; 0 is `SHN_UNDEF`.
    section: u16,
    /// The upper half of `st_info`.
    binding: u8,
}

/// The symbol table. It does not contain its own length.
struct Symbols<'i, 'a> {
    image: &'i Image<'a>,
    offset: u64,
    size: u64,
}

impl<'i, 'a> Symbols<'i, 'a> {
    const WHAT: &'static str = "dynamic symbol table";

    fn open(image: &'i Image<'a>) -> Result<Option<Self>, Error> {
        let table = image.table(dynamic::DT_SYMTAB, Self::WHAT)?;
        Ok(table.map(|offset| Self { image, offset, size: symbol_size(image) }))
    }

    /// The file offset of symbol `index`.
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

    /// Does one of the symbols match?
    fn any(
        &self,
        indices: Range<u64>,
        mut fits: impl FnMut(Symbol) -> Result<bool, Error>,
    ) -> Result<bool, Error> {
        if indices.end.saturating_sub(indices.start) > MAX_STEPS {
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
        // Values from glibc's tests and from the example in the gABI.
        assert_eq!(gnu_hash(b""), 5381);
        assert_eq!(gnu_hash(b"printf"), 0x156b_2bb8);
        assert_eq!(sysv_hash(b"printf"), 0x077_905a6);
    }
}
