//! ELF: reading what the loader reads, and editing `DT_RUNPATH` and `DT_RPATH`.
//!
//! Sources of the rules: the System V gABI, glibc's `elf/dl-load.c`, and experiments with binutils.

mod carried;
mod check;
pub mod counterpart;
mod dynamic_table;
pub mod hash;
pub mod image;
mod layout;
mod new_segment;
mod notes;
mod refusal;
mod relocations;
pub mod rpath;
mod sections;
mod slot;
mod soundness;
mod symbols;
mod tables;
mod tail;

pub use image::{Class, DynamicEntry, Endian, Image, Kind, NeededVersion, Summary, VersionNeed};
