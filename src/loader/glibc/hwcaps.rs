//! What the processor adds to a search: subdirectories of every directory, and which entries of
//! `/etc/ld.so.cache` count (glibc's elf/dl-hwcaps.c, elf/dl-cache.c, sysdeps/x86/cpu-features.c).

use crate::elf::Class;
use crate::loader::machine::{GlibcVersion, Target};

/// `EM_386`, `EM_S390`, `EM_PPC64`, `EM_X86_64`, `EM_AARCH64`.
const I386: u16 = 3;
const S390: u16 = 22;
const PPC64: u16 = 21;
const X86_64: u16 = 62;
const AARCH64: u16 = 183;

/// Since this version there are `glibc-hwcaps` subdirectories.
const LEVELS_SINCE: GlibcVersion = (2, 33);
/// Since this version the older subdirectories are not searched.
const NO_LEGACY_SINCE: GlibcVersion = (2, 37);

/// The levels of x86-64 (its psABI), each including all before it.
const X86_LEVELS: [&str; 3] = ["x86-64-v2", "x86-64-v3", "x86-64-v4"];
const POWER_LEVELS: [&str; 2] = ["power9", "power10"];
const S390_LEVELS: [&str; 4] = ["z13", "z14", "z15", "z16"];

/// The `glibc-hwcaps` subdirectories that a processor can use, the best first: of `x86-64-v3` that
/// and `x86-64-v2`. `None` for a name that is not a level.
#[must_use]
pub fn levels_up_to(name: &str) -> Option<Vec<String>> {
    let up_to = |levels: &[&str]| {
        let at = levels.iter().position(|level| *level == name)?;
        Some(levels.get(..=at)?.iter().rev().map(|&level| level.to_owned()).collect())
    };
    match name {
        "x86-64" => Some(Vec::new()),
        _ => up_to(&X86_LEVELS).or_else(|| up_to(&POWER_LEVELS)).or_else(|| up_to(&S390_LEVELS)),
    }
}

/// What a processor adds to the searches of one version of glibc.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hwcaps {
    /// The `glibc-hwcaps` levels, the best first.
    pub levels: Vec<String>,
    /// The subdirectories of every directory, relative, in the order of the search.
    pub subdirectories: Vec<String>,
    /// `AT_PLATFORM`, or what the loader uses instead; the value of `$PLATFORM`.
    pub platform: Option<String>,
    /// The bits of old cache entries that may be set; 0 since glibc 2.37.
    legacy_bits: u64,
    /// The one bit among those of platforms that may be set.
    platform_bit: u64,
}

impl Hwcaps {
    /// What `levels` and `platform` of a processor mean to the loader of a system for `target`, of that
    /// version of glibc; an unknown version counts as new. Those of other architectures are ignored.
    #[must_use]
    pub fn new(
        target: Target,
        version: Option<GlibcVersion>,
        levels: &[String],
        platform: Option<&str>,
    ) -> Self {
        let is_at_least = |needed| version.is_none_or(|own| own >= needed);
        let platform = platform.and_then(|platform| platform_of(target, platform));
        let mut levels: Vec<String> =
            levels.iter().filter(|level| is_level(target, level)).cloned().collect();
        // Intel's processors of level 4 have it, except Xeon Phi.
        let has_avx512 = platform.as_deref() == Some("haswell")
            && levels.first().is_some_and(|level| level == "x86-64-v4");
        if !is_at_least(LEVELS_SINCE) {
            levels.clear();
        }
        let mut subdirectories: Vec<String> =
            levels.iter().map(|level| format!("glibc-hwcaps/{level}")).collect();
        let is_legacy = !is_at_least(NO_LEGACY_SINCE);
        if is_legacy {
            subdirectories.extend(legacy(target, platform.as_deref(), has_avx512));
        }
        let avx512 = if has_avx512 { AVX512_1_BIT } else { 0 };
        let (legacy_bits, platform_bit) = match (is_legacy, target.machine) {
            (true, X86_64) => {
                (TLS | PLATFORMS | X86_64_BIT | avx512, platform_bit(platform.as_deref()))
            }
            (true, _) => (TLS, 0),
            _ => (0, 0),
        };
        Self { levels, subdirectories, platform, legacy_bits, platform_bit }
    }

    /// The place of a level among those that can be used; `None` for one that cannot.
    pub(in crate::loader) fn rank(&self, level: &[u8]) -> Option<usize> {
        self.levels.iter().position(|own| own.as_bytes() == level)
    }

    /// May an entry of the cache with these bits be used that is not in a `glibc-hwcaps`
    /// subdirectory?
    pub(in crate::loader) fn allows(&self, bits: u64) -> bool {
        let platform = bits & PLATFORMS;
        bits & !self.legacy_bits == 0 && (platform == 0 || platform == self.platform_bit)
    }

    /// Can the processor run what needs the levels in `GNU_PROPERTY_X86_ISA_1_NEEDED`? If nothing
    /// is known about the processor, this is assumed.
    pub(in crate::loader) fn can_run(&self, isa_needed: u32) -> bool {
        let mut bits = 1;
        for (index, level) in X86_LEVELS.iter().enumerate() {
            if self.levels.iter().any(|own| own == level) {
                bits |= 2 << index;
            }
        }
        self.levels.is_empty() || isa_needed & !bits == 0
    }
}

/// `_DL_HWCAP_TLS_MASK`.
const TLS: u64 = 1 << 63;
/// `_DL_HWCAP_PLATFORM` of x86.
const PLATFORMS: u64 = 0xf << 48;
/// `HWCAP_X86_64`, which every x86-64 has.
const X86_64_BIT: u64 = 1 << 1;
/// `HWCAP_X86_AVX512_1`.
const AVX512_1_BIT: u64 = 1 << 2;

/// The bit of a platform in old cache entries; for other platforms a bit that no entry has.
fn platform_bit(platform: Option<&str>) -> u64 {
    match platform {
        Some("haswell") => 1 << 50,
        Some("xeon_phi") => 1 << 51,
        _ => 0,
    }
}

fn is_level(target: Target, level: &str) -> bool {
    let levels: &[&str] = match (target.machine, target.class) {
        (X86_64, Class::Elf64) => &X86_LEVELS,
        (PPC64, Class::Elf64) => &POWER_LEVELS,
        (S390, Class::Elf64) => &S390_LEVELS,
        _ => &[],
    };
    levels.contains(&level)
}

/// The platform for a system: the processor's own if it belongs to the architecture, else the usual
/// one.
fn platform_of(target: Target, platform: &str) -> Option<String> {
    let (names, usual): (&[&str], _) = match target.machine {
        X86_64 => (&["x86_64", "haswell", "xeon_phi"], Some("x86_64")),
        I386 => (&["i386", "i486", "i586", "i686"], Some("i686")),
        AARCH64 => (&["aarch64"], Some("aarch64")),
        PPC64 if platform.starts_with("power") => return Some(platform.to_owned()),
        S390 if platform.starts_with('z') => return Some(platform.to_owned()),
        _ => return None,
    };
    names.contains(&platform).then_some(platform).or(usual).map(str::to_owned)
}

/// The subdirectories before `glibc-hwcaps`: every combination of the processor's names, those with
/// names later in the list first.
fn legacy(target: Target, platform: Option<&str>, has_avx512: bool) -> Vec<String> {
    let capability = match (target.machine, target.class) {
        (X86_64, Class::Elf64) => Some("x86_64"),
        (I386, _) => Some("sse2"),
        _ => None,
    };
    let avx512 = has_avx512.then_some("avx512_1");
    let tls = std::iter::once("tls");
    let names: Vec<&str> =
        capability.into_iter().chain(avx512).chain(platform).chain(tls).collect();
    let sets = (1..1_u32 << names.len()).rev();
    let directories = sets.map(|set| {
        let chosen = names.iter().enumerate().rev().filter(|(bit, _)| set & (1 << bit) != 0);
        chosen.map(|(_, name)| *name).collect::<Vec<_>>().join("/")
    });
    directories.collect()
}
