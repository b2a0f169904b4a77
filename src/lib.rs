//! tfpatch.
pub mod bytes;
pub mod edit;
pub mod elf;
pub mod loader;
pub mod vfs;
