//! The commands, one file for each.

pub mod apply;
pub mod completions;
pub mod diff;
pub mod doctor;
pub mod explain;
pub mod fields;
pub mod fix;
pub mod help;
pub mod log;
pub mod man;
pub mod probe;
pub mod prove;
pub mod revert;
pub mod rpath;
pub mod shims;
pub mod show;
pub mod trace;
pub mod tree;
pub mod verify;
