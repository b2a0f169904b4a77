//! What fits into one process: the machine, and the C library.

use crate::elf::{Class, Endian, Summary};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Which objects can be loaded into one process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Target {
    /// 32 or 64 bits.
    pub class: Class,
    /// Byte order.
    pub endian: Endian,
    /// `e_machine`.
    pub machine: u16,
}

impl Target {
    /// What fits beside an object.
    #[must_use]
    pub fn of(summary: &Summary) -> Self {
        Self { class: summary.class, endian: summary.endian, machine: summary.machine }
    }

    /// The interpreter and the directories that the ABI documents name, in case no program names an
    /// interpreter or it cannot be read. `None` for machines without such a document here.
    pub(super) fn usual(self) -> Option<(&'static str, &'static str)> {
        match (self.machine, self.class) {
            (62, Class::Elf64) => Some(("/lib64/ld-linux-x86-64.so.2", "lib64")),
            (3, _) => Some(("/lib/ld-linux.so.2", "lib")),
            (183, Class::Elf64) => Some(("/lib/ld-linux-aarch64.so.1", "lib64")),
            (21, Class::Elf64) => Some(("/lib64/ld64.so.2", "lib64")),
            (22, Class::Elf64) => Some(("/lib/ld64.so.1", "lib64")),
            (243, Class::Elf64) => Some(("/lib/ld-linux-riscv64-lp64d.so.1", "lib64")),
            _ => None,
        }
    }
}

/// The C library that a loader belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Libc {
    /// The GNU C library.
    Glibc,
    /// musl.
    Musl,
}

impl Libc {
    /// The C library that an object was built for: by the loader that it names, else by the library
    /// that it needs. musl's own programs need `libc.so`, those of Alpine, and wheels for
    /// musllinux, `libc.musl-ARCH.so.1`.
    #[must_use]
    pub fn of(object: &Summary) -> Option<Self> {
        if let Some(interpreter) = &object.interpreter {
            let is_musl = is_named_as_musl(Path::new(OsStr::from_bytes(interpreter)));
            return Some(if is_musl { Self::Musl } else { Self::Glibc });
        }
        object.needed.iter().find_map(|name| match name.as_slice() {
            b"libc.so" => Some(Self::Musl),
            name if name.starts_with(b"libc.musl-") => Some(Self::Musl),
            // The libc of most machines, and of Alpha and IA-64.
            b"libc.so.6" | b"libc.so.6.1" => Some(Self::Glibc),
            _ => None,
        })
    }
}

/// A version of glibc, such as (2, 36).
pub type GlibcVersion = (u32, u32);

/// Is a path that of musl's loader, by its name?
pub(super) fn is_named_as_musl(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"ld-musl-"))
}
