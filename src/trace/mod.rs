//! What glibc's loader prints about itself under `LD_DEBUG=libs,files`: which object asked for which
//! name, where it was looked for, and whether anything came of it.
//!
//! The lines are those of `_dl_map_object` and `open_path` in `elf/dl-load.c`, of `_dl_load_cache_lookup`
//! in `elf/dl-cache.c`, and of `elf/dl-init.c`, `elf/dl-close.c` and `csu/libc-start.c`. Each begins with
//! the process's ID. One file holds what one process prints, what its forks print that start no other
//! program, and what it prints after it has become another program by `exec`.

pub mod broken;
pub mod compare;
mod event;
mod line;
pub mod proved;
pub mod replay;

pub use self::event::*;
pub use self::line::Kind;
