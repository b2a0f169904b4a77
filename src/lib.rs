//! tfpatch.
pub mod bytes;
pub mod edit;
pub mod elf;
pub mod python;
pub mod vfs;
