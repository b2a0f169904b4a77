//! The processor of this machine, as the loader sees it.

use crate::loader::glibc::hwcaps;

/// The `glibc-hwcaps` subdirectories that it supports, the best first (the levels of the x86-64 psABI;
/// glibc's sysdeps/x86/get-isa-level.h).
#[must_use]
pub fn levels() -> Vec<String> {
    best().and_then(hwcaps::levels_up_to).unwrap_or_default()
}

#[cfg(target_arch = "x86_64")]
fn best() -> Option<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    // LAHF is not checked, because every processor with the other features has it.
    let v2 = has!("cmpxchg16b")
        && has!("popcnt")
        && has!("sse3")
        && has!("ssse3")
        && has!("sse4.1")
        && has!("sse4.2");
    let v3 = v2
        && has!("avx")
        && has!("avx2")
        && has!("bmi1")
        && has!("bmi2")
        && has!("f16c")
        && has!("fma")
        && has!("lzcnt")
        && has!("movbe");
    let v4 = v3
        && has!("avx512f")
        && has!("avx512bw")
        && has!("avx512cd")
        && has!("avx512dq")
        && has!("avx512vl");
    match (v2, v3, v4) {
        (_, _, true) => Some("x86-64-v4"),
        (_, true, _) => Some("x86-64-v3"),
        (true, ..) => Some("x86-64-v2"),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn best() -> Option<&'static str> {
    None
}

/// The value of `$PLATFORM`: `AT_PLATFORM`, or `haswell` if glibc detects such a processor of Intel. `None`
/// if it depends on the processor within the architecture.
#[must_use]
pub fn platform() -> Option<String> {
    let is_intel = || {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        information.lines().any(|line| line.ends_with(": GenuineIntel"))
    };
    let is_haswell = || matches!(best(), Some("x86-64-v3" | "x86-64-v4")) && is_intel();
    let platform = if cfg!(target_arch = "x86_64") {
        if is_haswell() { "haswell" } else { "x86_64" }
    } else if cfg!(target_arch = "x86") {
        // AT_PLATFORM of a 32-bit kernel names the generation of the processor.
        "i686"
    } else if cfg!(target_arch = "aarch64") {
        "aarch64"
    } else {
        return None;
    };
    Some(platform.to_owned())
}
