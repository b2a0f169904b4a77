//! ELF: reading what the loader reads, and editing `DT_RUNPATH` and `DT_RPATH`.
//!
//! Sources of the rules: the System V gABI, glibc's `elf/dl-load.c`, and experiments with binutils.

pub mod image;
pub mod rpath;

pub use image::{Class, DynamicEntry, Endian, Image, Kind, NeededVersion, Summary, VersionNeed};
