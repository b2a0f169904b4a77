//! Mach-O: reading what dyld reads, and editing `LC_RPATH` with the code signature that covers it.
//!
//! Sources of the rules: `mach-o/loader.h` and `mach-o/fat.h` of Apple's cctools, dyld's
//! `Header.cpp` and `Validation.cpp`, `cs_blobs.h` of xnu, and experiments with the wheels on PyPI.

mod adhoc;
mod arch;
mod check;
pub mod codesign;
mod commands;
pub mod counterpart;
pub mod fat;
mod headerpad;
pub mod image;
mod refusal;
pub mod rpath;
pub mod symbols;

pub use arch::Arch;
pub use fat::{Container, Slice};
pub use headerpad::HeaderPad;
pub use image::{BuildVersion, Command, Image, Kind, Needed, Section, Segment, Summary, Version};
