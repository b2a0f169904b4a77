//! tfpatch.
pub mod bytes;
pub mod cli;
pub mod edit;
pub mod elf;
pub mod loader;
pub mod object;
pub mod operation;
pub mod plan;
pub mod python;
pub mod repair;
pub mod report;
pub mod vfs;
