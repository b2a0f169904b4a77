//! ELF: reading what the loader reads, and editing `DT_RUNPATH` and `DT_RPATH`.
//!
//! Sources of the rules: the System V gABI, glibc's `elf/dl-load.c`, and experiments with binutils.

#[allow(dead_code, reason = "the edit engine, which asks for the rest, follows")]
pub mod hash;
pub mod image;
pub mod rpath;
#[allow(dead_code, reason = "the edit engine, which asks for the rest, follows")]
mod sections;

pub use image::{Class, DynamicEntry, Endian, Image, Kind, NeededVersion, Summary, VersionNeed};
