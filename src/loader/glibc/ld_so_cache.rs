//! `/etc/ld.so.cache`: what `ldconfig` found, by soname (glibc's elf/dl-cache.c,
//! sysdeps/generic/dl-cache.h).

use super::hwcaps::Hwcaps;
use crate::bytes::{Error, Problem, Source};
use crate::elf::{Class, Endian};
use crate::loader::machine::Target;
use std::cmp::Ordering;

/// The magic of the format of glibc 2.2 and later.
const MAGIC: &[u8] = b"glibc-ld.so.cache1.1";
/// The magic of the older format, which the newer one follows in files that contain both.
const OLD_MAGIC: &[u8] = b"ld.so-1.7.0";
/// `cache_extension_magic`.
const EXTENSION_MAGIC: u32 = 0xEAA4_2174;
/// The section that names the `glibc-hwcaps` subdirectories.
const TAG_HWCAPS: u32 = 1;
/// `DL_CACHE_HWCAP_EXTENSION`, in the upper half of `hwcap`: the lower half is an index of a name.
const HWCAP_EXTENSION: u64 = 1 << 30;
/// `DL_CACHE_HWCAP_ISA_LEVEL_MASK`: the level of x86-64 that the library itself says it needs.
const ISA_LEVEL_MASK: u64 = (1 << 10) - 1;
/// The size of the largest cache that is read: half a million libraries.
const MAX_BYTES: u64 = 64 << 20;
/// More extension sections than any glibc writes.
const MAX_SECTIONS: u32 = 64;

/// The entries of the cache that are for one kind of object, in the file's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LdSoCache {
    /// The file from its new header on. Entries refer to it: their strings may overlap, and copies
    /// of them could need far more memory than the file.
    bytes: Vec<u8>,
    entries: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    key: Text,
    value: Text,
    needs: Needs,
}

/// What the processor needs for an entry to count.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Needs {
    /// Bits from before `glibc-hwcaps`; usually none.
    Legacy(u64),
    /// It is in this `glibc-hwcaps` subdirectory, and needs that level of x86-64.
    Level(Text, u32),
}

/// A string's offset in the cache.
type Text = u32;

/// The string at an offset: up to its NUL or the end of the file, after which the loader maps
/// zeros.
fn text(bytes: &[u8], at: Text) -> &[u8] {
    // No path that can be opened is longer; it limits the work on strings that overlap.
    const PATH_MAX: usize = 4096;
    let rest = bytes.get(at as usize..).unwrap_or_default();
    let rest = rest.get(..PATH_MAX).unwrap_or(rest);
    rest.split(|&byte| byte == 0).next().unwrap_or_default()
}

impl LdSoCache {
    /// Reads the entries for objects of `target`.
    ///
    /// An entry whose name or path is outside the file is left out, as by the loader.
    ///
    /// # Errors
    /// If the file is not a cache, has the other byte order, or is truncated.
    pub fn parse(source: &dyn Source, target: Target) -> Result<Self, Error> {
        const WHAT: &str = "ld.so.cache";
        if source.len() > MAX_BYTES {
            let problem = Problem::TooLong { limit: MAX_BYTES };
            return Err(Error { what: WHAT, offset: 0, problem });
        }
        let bytes = source.read(0, source.len(), WHAT)?;
        let big = target.endian == Endian::Big;
        let start = new_format(&bytes, target, big)
            .ok_or_else(|| Error::invalid(WHAT, 0, "it contains no glibc-ld.so.cache1.1"))?;
        let file = Reader { bytes: bytes.get(start..).unwrap_or_default(), big };
        let cut_off = |at: usize| Error::invalid(WHAT, (start + at) as u64, "it is truncated");

        let count = file.u32(20).ok_or_else(|| cut_off(20))?;
        let order = file.bytes.get(28).copied().unwrap_or(0) & 3;
        if order != 0 && order != if big { 3 } else { 2 } {
            return Err(Error::invalid(WHAT, (start + 28) as u64, "in the other byte order"));
        }
        let end = 48 + u64::from(count) * 24;
        if end > file.bytes.len() as u64 {
            return Err(cut_off(20));
        }
        let hwcaps = file.hwcaps_names();
        let entries = (0..count as usize)
            .filter_map(|index| file.entry(48 + index * 24, target, &hwcaps))
            .collect();
        Ok(Self { bytes: file.bytes.to_vec(), entries })
    }

    /// The paths of all entries.
    pub fn paths(&self) -> impl Iterator<Item = &[u8]> {
        self.entries.iter().map(|entry| text(&self.bytes, entry.value))
    }

    /// The number of entries that are for the target.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Is it empty?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The path that the cache has for a name: the only one that the loader tries.
    #[must_use]
    pub fn lookup(&self, name: &[u8], hwcaps: &Hwcaps) -> Option<&[u8]> {
        let order = |entry: &Entry| compare_names(name, text(&self.bytes, entry.key));
        // The table is in descending order.
        let first = self.entries.partition_point(|entry| order(entry) == Ordering::Less);
        let mut best: Option<(usize, &Entry)> = None;
        for entry in self.entries.get(first..)? {
            if order(entry) != Ordering::Equal {
                break;
            }
            match entry.needs {
                Needs::Level(level, isa) => {
                    let rank = hwcaps.rank(text(&self.bytes, level));
                    if let Some(rank) = rank.filter(|_| hwcaps.can_run(1 << isa.min(31)))
                        && best.is_none_or(|(best_rank, _)| rank < best_rank)
                    {
                        best = Some((rank, entry));
                    }
                }
                // The others come after all entries with a level.
                Needs::Legacy(_) if best.is_some() => break,
                Needs::Legacy(bits) if hwcaps.allows(bits) => {
                    return Some(text(&self.bytes, entry.value));
                }
                Needs::Legacy(_) => {}
            }
        }
        best.map(|(_, entry)| text(&self.bytes, entry.value))
    }
}

/// The order of the cache's keys, in which runs of digits are compared as numbers: `.so.01` is
/// `.so.1` (`_dl_cache_libcmp`).
#[must_use]
pub fn compare_names(a: &[u8], b: &[u8]) -> Ordering {
    let (mut a, mut b) = (a.iter().copied().peekable(), b.iter().copied().peekable());
    loop {
        match (a.peek().copied(), b.peek().copied()) {
            (None, None) => return Ordering::Equal,
            (None, Some(_)) => return Ordering::Less,
            (Some(byte), other) if byte.is_ascii_digit() => {
                if !other.is_some_and(|other| other.is_ascii_digit()) {
                    return Ordering::Greater;
                }
                let unequal = number(&mut a).cmp(&number(&mut b));
                if unequal.is_ne() {
                    return unequal;
                }
            }
            (Some(_), None) => return Ordering::Greater,
            (Some(_), Some(other)) if other.is_ascii_digit() => return Ordering::Less,
            (Some(byte), Some(other)) if byte != other => {
                // `char` is signed on the machines that matter.
                return byte.cast_signed().cmp(&other.cast_signed());
            }
            (Some(_), Some(_)) => {
                a.next();
                b.next();
            }
        }
    }
}

/// The run of digits that comes next, as the `int` that the loader computes.
fn number(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> i32 {
    let mut value = 0_i32;
    while let Some(digit) = bytes.next_if(u8::is_ascii_digit) {
        value = value.wrapping_mul(10).wrapping_add(i32::from(digit - b'0'));
    }
    value
}

/// Where the new format begins.
fn new_format(bytes: &[u8], target: Target, big: bool) -> Option<usize> {
    if bytes.starts_with(MAGIC) {
        return Some(0);
    }
    bytes.starts_with(OLD_MAGIC).then_some(())?;
    let count = Reader { bytes, big }.u32(12)? as usize;
    let alignment = match (target.class, target.machine) {
        (Class::Elf64, _) => 8,
        // EM_386 and EM_68K align 64-bit integers to less.
        (Class::Elf32, 3) => 4,
        (Class::Elf32, 4) => 2,
        (Class::Elf32, _) => 8,
    };
    let start = count.checked_mul(12)?.checked_add(16)?.checked_next_multiple_of(alignment)?;
    bytes.get(start..)?.starts_with(MAGIC).then_some(start)
}

/// The cache from its new header on, from which all offsets count.
struct Reader<'a> {
    bytes: &'a [u8],
    big: bool,
}

impl Reader<'_> {
    fn u32(&self, at: usize) -> Option<u32> {
        let field: [u8; 4] = self.bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.big { u32::from_be_bytes(field) } else { u32::from_le_bytes(field) })
    }

    fn u64(&self, at: usize) -> Option<u64> {
        let field: [u8; 8] = self.bytes.get(at..at.checked_add(8)?)?.try_into().ok()?;
        Some(if self.big { u64::from_be_bytes(field) } else { u64::from_le_bytes(field) })
    }

    /// A string's offset, if it is one in the file.
    fn text(&self, at: usize) -> Option<Text> {
        self.u32(at).filter(|&offset| (offset as usize) < self.bytes.len())
    }

    fn entry(&self, at: usize, target: Target, hwcaps: &[Text]) -> Option<Entry> {
        let flags = self.u32(at)?;
        if !fits(flags, target) {
            return None;
        }
        let hwcap = self.u64(at + 16)?;
        let isa = (hwcap >> 32) & ISA_LEVEL_MASK;
        let needs = match (hwcap >> 32) & !ISA_LEVEL_MASK {
            HWCAP_EXTENSION => {
                let level = *hwcaps.get((hwcap & 0xFFFF_FFFF) as usize)?;
                Needs::Level(level, u32::try_from(isa).ok()?)
            }
            _ => Needs::Legacy(hwcap),
        };
        Some(Entry { key: self.text(at + 4)?, value: self.text(at + 8)?, needs })
    }

    /// The names that entries refer to by index; none where the extension is absent or malformed.
    fn hwcaps_names(&self) -> Vec<Text> {
        let read = || -> Option<Vec<Text>> {
            let at = self.u32(32).filter(|&at| at != 0)? as usize;
            if self.u32(at)? != EXTENSION_MAGIC {
                return None;
            }
            let sections = self.u32(at + 4)?.min(MAX_SECTIONS) as usize;
            let section = (0..sections)
                .map(|index| at + 8 + index * 16)
                .find(|&section| self.u32(section) == Some(TAG_HWCAPS))?;
            let (offset, size) =
                (self.u32(section + 8)? as usize, self.u32(section + 12)? as usize);
            let list = self.bytes.get(offset..offset.checked_add(size)?)?;
            (0..list.len() / 4).map(|index| self.text(offset + index * 4)).collect()
        };
        read().unwrap_or_default()
    }
}

/// Are an entry's flags those of the target (`_DL_CACHE_DEFAULT_ID`)?
fn fits(flags: u32, target: Target) -> bool {
    /// `FLAG_ELF_LIBC6`.
    const LIBC6: u32 = 3;
    let is_64 = target.class == Class::Elf64;
    let abi = match (target.machine, is_64) {
        // EM_386.
        (3, _) => 0,
        // EM_X86_64, and x32.
        (62, true) => 0x0300,
        (62, false) => 0x0800,
        // EM_AARCH64.
        (183, true) => 0x0a00,
        // EM_PPC64.
        (21, true) => 0x0500,
        // EM_S390.
        (22, true) => 0x0400,
        // The ABI of the others depends on more than the machine; class and machine of the file
        // itself are still checked when it is opened.
        _ => return flags & 0xff == LIBC6,
    };
    flags == abi | LIBC6
}
