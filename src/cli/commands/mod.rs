//! One command, one file.

pub mod diff;
pub mod doctor;
pub mod fix;
pub mod log;
pub mod revert;
pub mod rpath;
pub mod show;
pub mod trace;
pub mod tree;
pub mod verify;
