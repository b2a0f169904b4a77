//! The architectures of slices.

use goblin::mach::constants::cputype as cpu;

/// `CPU_SUBTYPE_ARM64E`.
const ARM64E: u32 = 2;

/// The architecture of a slice: `cputype`, and `cpusubtype` without its capability bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Arch {
    /// `cputype`.
    pub cputype: u32,
    /// `cpusubtype`, without the capability bits of its highest byte.
    pub cpusubtype: u32,
}

impl Arch {
    /// From the fields of a header, which may contain capability bits.
    #[must_use]
    pub fn new(cputype: u32, cpusubtype: u32) -> Self {
        Self { cputype, cpusubtype: cpusubtype & !cpu::CPU_SUBTYPE_MASK }
    }

    /// Its name, as in `arch(1)` and `lipo`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match (self.cputype, self.cpusubtype) {
            (cpu::CPU_TYPE_X86_64, cpu::CPU_SUBTYPE_X86_64_H) => "x86_64h",
            (cpu::CPU_TYPE_X86_64, _) => "x86_64",
            (cpu::CPU_TYPE_ARM64, ARM64E) => "arm64e",
            (cpu::CPU_TYPE_ARM64, _) => "arm64",
            (cpu::CPU_TYPE_ARM64_32, _) => "arm64_32",
            (cpu::CPU_TYPE_I386, _) => "i386",
            (cpu::CPU_TYPE_ARM, _) => "arm",
            (cpu::CPU_TYPE_POWERPC, _) => "ppc",
            (cpu::CPU_TYPE_POWERPC64, _) => "ppc64",
            _ => "an unknown machine",
        }
    }

    /// Does the kernel require a code signature to run this?
    #[must_use]
    pub fn must_be_signed(self) -> bool {
        self.cputype == cpu::CPU_TYPE_ARM64
    }
}

impl std::fmt::Display for Arch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
