//! glibc's ld.so.

pub mod hwcaps;
pub mod ld_so_cache;
pub mod ld_so_conf;
pub(super) mod search;
pub(super) mod versions;
