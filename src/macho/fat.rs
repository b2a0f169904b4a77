//! Universal files: one slice for each architecture, and a header with their positions.
//!
//! The header is big-endian, whatever the slices are (`mach-o/fat.h`).

use super::arch::Arch;
use crate::bytes::{Error, Source};
use goblin::mach::fat::{FAT_MAGIC, SIZEOF_FAT_ARCH, SIZEOF_FAT_HEADER};
use goblin::mach::header::{MH_CIGAM, MH_CIGAM_64, MH_MAGIC, MH_MAGIC_64};
use scroll::{BE, LE, Pread};
use std::borrow::Cow;
use std::ops::Range;

/// `FAT_MAGIC_64`: offsets and sizes of 64 bits.
pub const FAT_MAGIC_64: u32 = 0xcafe_babf;
/// Size of a `fat_arch_64` in bytes.
const SIZEOF_FAT_ARCH_64: u64 = 32;
/// A Java class file has the same magic number, followed by its version, which is at least 45 (`file(1)`
/// distinguishes the two in the same way).
const MAX_SLICES: u32 = 44;

/// How the slices of a file are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Listing {
    /// The file is a single slice without a header.
    Thin,
    /// In `fat_arch` entries with 32-bit offsets.
    Fat32,
    /// In `fat_arch_64` entries.
    Fat64,
}

/// A file with one or several slices.
pub struct Container<'a> {
    /// How the slices are listed.
    pub listing: Listing,
    /// The slices in the order of the header; disjoint.
    pub slices: Vec<Slice<'a>>,
}

/// One slice of a file. It is a [`Source`] with offsets relative to the start of the slice.
///
/// The errors of its reads contain file offsets.
#[derive(Clone)]
pub struct Slice<'a> {
    file: &'a dyn Source,
    arch: Arch,
    range: Range<u64>,
    /// File offset of the slice's entry in the fat header.
    entry: Option<u64>,
}

/// Does a file begin like a Mach-O file, thin or universal?
#[must_use]
pub fn is_macho(file: &dyn Source) -> bool {
    let Some(start) = file.get(0..8) else { return false };
    match start.pread_with::<u32>(0, BE) {
        Ok(FAT_MAGIC | FAT_MAGIC_64) => {
            matches!(start.pread_with::<u32>(4, BE), Ok(1..=MAX_SLICES))
        }
        Ok(MH_MAGIC | MH_CIGAM | MH_MAGIC_64 | MH_CIGAM_64) => true,
        _ => false,
    }
}

impl<'a> Container<'a> {
    /// Reads the fat header, if there is one, or else the architecture of the only slice.
    ///
    /// # Errors
    /// If the file is not a Mach-O file, or a slice is outside it or overlaps another one.
    pub fn parse(file: &'a dyn Source) -> Result<Self, Error> {
        const WHAT: &str = "Mach-O header";
        if !is_macho(file) {
            return Err(Error::invalid(WHAT, 0, "it does not begin like a Mach-O file"));
        }
        let magic = big(file, 0, WHAT)?;
        let listing = match magic {
            FAT_MAGIC => Listing::Fat32,
            FAT_MAGIC_64 => Listing::Fat64,
            _ => {
                let slice =
                    Slice { arch: thin_arch(file)?, file, range: 0..file.len(), entry: None };
                return Ok(Self { listing: Listing::Thin, slices: vec![slice] });
            }
        };
        let mut slices = Vec::new();
        for index in 0..u64::from(big(file, 4, WHAT)?) {
            slices.push(Slice::listed(file, listing, index)?);
        }
        let container = Self { listing, slices };
        container.check_disjoint()?;
        Ok(container)
    }

    /// Is it a universal file, even with only one slice?
    #[must_use]
    pub fn is_universal(&self) -> bool {
        self.listing != Listing::Thin
    }

    fn check_disjoint(&self) -> Result<(), Error> {
        let mut ranges: Vec<_> = self.slices.iter().map(|slice| &slice.range).collect();
        ranges.sort_by_key(|range| (range.start, range.end));
        for (before, after) in ranges.iter().zip(ranges.iter().skip(1)) {
            if before.end > after.start {
                return Err(Error::invalid("fat_arch", after.start, "two slices overlap"));
            }
        }
        Ok(())
    }
}

impl<'a> Slice<'a> {
    /// The slice in entry `index` of a fat header.
    fn listed(file: &'a dyn Source, listing: Listing, index: u64) -> Result<Self, Error> {
        const WHAT: &str = "fat_arch";
        let first = SIZEOF_FAT_HEADER as u64;
        let is_64 = listing == Listing::Fat64;
        let size = if is_64 { SIZEOF_FAT_ARCH_64 } else { SIZEOF_FAT_ARCH as u64 };
        let entry = first + index * size;
        let bytes = file.read(entry, size, WHAT)?;
        let unreadable = |_| Error::invalid(WHAT, entry, "its fields cannot be read");
        let word = |at: usize| bytes.pread_with::<u32>(at, BE).map_err(unreadable);
        let long = |at: usize| bytes.pread_with::<u64>(at, BE).map_err(unreadable);
        let (start, len) =
            if is_64 { (long(8)?, long(16)?) } else { (word(8)?.into(), word(12)?.into()) };
        let end = start
            .checked_add(len)
            .filter(|end| *end <= file.len())
            .ok_or_else(|| Error::invalid(WHAT, entry, "the slice is outside the file"))?;
        if start < entry + size {
            return Err(Error::invalid(WHAT, entry, "the slice overlaps the header"));
        }
        Ok(Self {
            file,
            arch: Arch::new(word(0)?, word(4)?),
            range: start..end,
            entry: Some(entry),
        })
    }

    /// Its architecture.
    #[must_use]
    pub fn arch(&self) -> Arch {
        self.arch
    }

    /// Its file range in bytes.
    #[must_use]
    pub fn range(&self) -> Range<u64> {
        self.range.clone()
    }

    /// The file that contains it.
    #[must_use]
    pub fn file(&self) -> &'a dyn Source {
        self.file
    }

    /// File offset of its entry in the fat header; `None` for a thin file.
    #[must_use]
    pub fn entry(&self) -> Option<u64> {
        self.entry
    }

    /// Converts an offset in the slice to a file offset.
    #[must_use]
    pub fn in_file(&self, offset: u64) -> u64 {
        self.range.start.saturating_add(offset)
    }

    /// An error about a field at an offset in the slice.
    pub(super) fn invalid(&self, what: &'static str, offset: u64, why: &'static str) -> Error {
        Error::invalid(what, self.in_file(offset), why)
    }
}

impl Source for Slice<'_> {
    fn len(&self) -> u64 {
        self.range.end - self.range.start
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if range.end > self.len() {
            return None;
        }
        self.file.get(self.in_file(range.start)..self.in_file(range.end))
    }

    fn read(&self, offset: u64, len: u64, what: &'static str) -> Result<Cow<'_, [u8]>, Error> {
        offset.checked_add(len).and_then(|end| self.get(offset..end)).ok_or_else(|| Error {
            what,
            offset: self.in_file(offset),
            problem: crate::bytes::Problem::Truncated {
                needed: len,
                available: self.len().saturating_sub(offset),
            },
        })
    }
}

fn big(file: &dyn Source, at: u64, what: &'static str) -> Result<u32, Error> {
    let bytes = file.read(at, 4, what)?;
    bytes.pread_with(0, BE).map_err(|_| Error::invalid(what, at, "it cannot be read"))
}

/// `cputype` and `cpusubtype` of a thin file, in the byte order of its magic number.
fn thin_arch(file: &dyn Source) -> Result<Arch, Error> {
    let bytes = file.read(0, 12, "Mach-O header")?;
    let order = match bytes.pread_with::<u32>(0, LE) {
        Ok(MH_MAGIC | MH_MAGIC_64) => LE,
        _ => BE,
    };
    match (bytes.pread_with(4, order), bytes.pread_with(8, order)) {
        (Ok(cputype), Ok(cpusubtype)) => Ok(Arch::new(cputype, cpusubtype)),
        _ => Err(Error::invalid("Mach-O header", 0, "its fields cannot be read")),
    }
}
