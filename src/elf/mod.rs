//! ELF: reads what the loader reads, and edits search paths, names of libraries, the interpreter and the
//! executable stack.
//!
//! Sources of the rules: the System V gABI, glibc's `elf/dl-load.c`, and experiments with binutils.

mod dynamic_table;
pub mod edit;
pub mod hash;
pub mod headers;
pub mod image;
mod interpreter;
mod layout;
mod notes;
pub mod opens_by_note;
mod relocations;
pub mod search_path;
mod sections;
mod segments;
pub mod strings;
#[cfg(feature = "testing")]
pub mod structs;
pub mod trampolines;
mod versions;

pub use headers::Headers;
pub use image::{Class, Endian, Image, Kind, NeededVersion, Summary, VersionNeed};
pub use layout::DynamicEntry;
