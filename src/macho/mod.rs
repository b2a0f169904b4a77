//! Mach-O: reads what dyld reads, and edits `LC_RPATH` along with the code signature that covers it.
//!
//! Sources of the rules: `mach-o/loader.h` and `mach-o/fat.h` of Apple's cctools, dyld's
//! `Header.cpp` and `Validation.cpp`, `cs_blobs.h` of xnu, and experiments with the wheels on PyPI.

mod adhoc;
mod arch;
pub mod codesign;
mod commands;
pub mod edit;
pub mod fat;
pub mod image;
mod names;
pub mod symbols;

pub use self::edit::HeaderPad;
pub use arch::Arch;
pub use fat::{Container, Slice};
pub use image::{BuildVersion, Command, Image, Kind, Needed, Section, Segment, Summary, Version};
pub use names::Names;
