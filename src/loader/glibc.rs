//! glibc's ld.so.

pub mod hwcaps;
pub mod ld_so_cache;
pub(super) mod search;
pub(super) mod versions;
