//! tfpatch.
pub mod bytes;
pub mod edit;
pub mod elf;
pub mod operation;
pub mod plan;
pub mod vfs;
