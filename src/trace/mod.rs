//! The output of glibc's loader with `LD_DEBUG=libs,files`: which object requested which name, where it was
//! searched, and what was found.
//!
//! The lines are those of `_dl_map_object` and `open_path` in `elf/dl-load.c`, of `_dl_load_cache_lookup` in
//! `elf/dl-cache.c`, and of `elf/dl-init.c`, `elf/dl-close.c` and `csu/libc-start.c`. Each begins with the
//! process ID. One file contains the output of one process, of its forks that start no other program, and of
//! the program that it becomes by `exec`.

pub mod broken;
pub mod compare;
mod event;
mod line;
pub mod proved;
pub mod replay;

pub use self::event::*;
pub use self::line::Kind;
