//! Checks of one kind of fault each.

pub mod by_code;
pub mod by_name;
pub mod cuda;
pub mod dlopen;
pub mod files;
pub mod installed;
pub mod interpreters;
pub mod macos;
pub mod process_limits;
pub mod program_loaders;
pub mod refused;
pub mod rpath_entries;
pub mod sought;
pub mod symbol_version;
pub mod variables;
pub mod wheel;
