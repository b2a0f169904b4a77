//! Reading `/etc/ld.so.cache`: caches of all shapes, made here.

use tfpatch::loader::glibc::hwcaps::Hwcaps;
use tfpatch::loader::glibc::ld_so_cache::{LdSoCache, compare_names};
use tfpatch::loader::{GlibcVersion, Target};

/// A cache of entries (flags, key, path, hwcap), in the order given.
pub(crate) fn cache(entries: &[(u32, &str, &str, u64)], hwcaps: &[&str]) -> Vec<u8> {
    let word = |value: usize| (value as u32).to_le_bytes();
    let strings_at = 48 + 24 * entries.len();
    let mut strings = Vec::new();
    let mut add = |text: &str| {
        let offset = strings_at + strings.len();
        strings.extend(text.bytes());
        strings.push(0);
        word(offset)
    };
    let mut table = Vec::new();
    for (flags, key, path, hwcap) in entries {
        table.extend(flags.to_le_bytes());
        table.extend([add(key), add(path), [0; 4]].concat());
        table.extend(hwcap.to_le_bytes());
    }
    let names: Vec<[u8; 4]> = hwcaps.iter().map(|name| add(name)).collect();
    let extension_at = (strings_at + strings.len()).next_multiple_of(4);
    strings.resize(extension_at - strings_at, 0);
    let mut file = b"glibc-ld.so.cache1.1".to_vec();
    file.extend(
        [word(entries.len()), word(strings.len()), [2, 0, 0, 0], word(extension_at)].concat(),
    );
    file.extend([0; 12]);
    file.extend([table, strings].concat());
    file.extend(0xEAA4_2174_u32.to_le_bytes());
    file.extend(
        [word(1), word(1), word(0), word(extension_at + 24), word(names.len() * 4)].concat(),
    );
    file.extend(names.concat());
    file
}

const X86_64: Target =
    Target { class: tfpatch::elf::Class::Elf64, endian: tfpatch::elf::Endian::Little, machine: 62 };

/// What a processor of x86-64 means to a version of glibc.
fn hwcaps(version: GlibcVersion, levels: &[&str], platform: &str) -> Hwcaps {
    let levels: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
    Hwcaps::new(X86_64, Some(version), &levels, Some(platform))
}

#[test]
fn rule_3d_keys_are_compared_with_numbers_as_numbers() {
    use std::cmp::Ordering;
    assert_eq!(compare_names(b"libx.so.01", b"libx.so.1"), Ordering::Equal);
    assert_eq!(compare_names(b"libx.so.9", b"libx.so.10"), Ordering::Less);
    assert_eq!(compare_names(b"libx.so", b"libx.so.1"), Ordering::Less);
    assert_eq!(compare_names(b"lib1", b"liba"), Ordering::Greater);
    let listed = cache(&[(0x303, "libx.so.1", "/opt/libx.so.1", 0)], &[]);
    let cache = LdSoCache::parse(&listed, X86_64).unwrap();
    let found = cache.lookup(b"libx.so.01", &Hwcaps::default());
    assert_eq!(found, Some(&b"/opt/libx.so.1"[..]));
}

#[test]
fn rule_3d_entries_are_filtered_by_flags_and_hwcaps() {
    let named = |index: u64| (1 << 62) | index;
    let listed = cache(
        &[
            (0x803, "libx.so", "/x32/libx.so", 0),
            (0x303, "libx.so", "/v2/libx.so", named(0)),
            (0x303, "libx.so", "/v3/libx.so", named(1)),
            (0x303, "libx.so", "/plain/libx.so", 0),
            (0x003, "liba.so", "/i386/liba.so", 0),
        ],
        &["x86-64-v2", "x86-64-v3"],
    );
    let cache = LdSoCache::parse(&listed, X86_64).unwrap();
    let with = |version, levels: &[&str]| hwcaps(version, levels, "x86_64");
    let best = with((2, 36), &["x86-64-v3", "x86-64-v2"]);
    assert_eq!(cache.lookup(b"libx.so", &best), Some(&b"/v3/libx.so"[..]));
    let second = with((2, 36), &["x86-64-v2"]);
    assert_eq!(cache.lookup(b"libx.so", &second), Some(&b"/v2/libx.so"[..]));
    for plain in [with((2, 36), &[]), with((2, 32), &["x86-64-v3", "x86-64-v2"])] {
        assert_eq!(cache.lookup(b"libx.so", &plain), Some(&b"/plain/libx.so"[..]));
    }
    assert_eq!(cache.lookup(b"liba.so", &best), None);
}

#[test]
fn rule_3d_a_level_that_the_library_itself_needs_must_be_there() {
    let listed = cache(
        &[
            (0x303, "libx.so", "/v3/libx.so", (1 << 62) | (3 << 32)),
            (0x303, "libx.so", "/plain/libx.so", 0),
        ],
        &["x86-64-v3"],
    );
    let cache = LdSoCache::parse(&listed, X86_64).unwrap();
    let v3 = hwcaps((2, 36), &["x86-64-v3", "x86-64-v2"], "x86_64");
    assert_eq!(cache.lookup(b"libx.so", &v3), Some(&b"/plain/libx.so"[..]));
    let v4 = hwcaps((2, 36), &["x86-64-v4", "x86-64-v3", "x86-64-v2"], "x86_64");
    assert_eq!(cache.lookup(b"libx.so", &v4), Some(&b"/v3/libx.so"[..]));
}

#[test]
fn rule_3d_old_hwcaps_count_before_2_37() {
    const TLS: u64 = 1 << 63;
    const HASWELL: u64 = 1 << 50;
    const UNKNOWN: u64 = 1 << 5;
    let listed = cache(
        &[
            (0x303, "libx.so", "/unknown/libx.so", UNKNOWN),
            (0x303, "libx.so", "/tls/haswell/libx.so", TLS | HASWELL),
            (0x303, "libx.so", "/tls/libx.so", TLS),
            (0x303, "libx.so", "/plain/libx.so", 0),
        ],
        &[],
    );
    let cache = LdSoCache::parse(&listed, X86_64).unwrap();
    let found = |version, platform| cache.lookup(b"libx.so", &hwcaps(version, &[], platform));
    assert_eq!(found((2, 36), "haswell"), Some(&b"/tls/haswell/libx.so"[..]));
    assert_eq!(found((2, 36), "x86_64"), Some(&b"/tls/libx.so"[..]));
    assert_eq!(found((2, 37), "haswell"), Some(&b"/plain/libx.so"[..]));
}

#[test]
fn no_change_of_a_byte_makes_the_reader_fail() {
    let good = cache(&[(0x303, "libx.so", "/opt/libx.so", 0)], &[]);
    for len in 0..good.len() {
        let _ = LdSoCache::parse(&good[..len].to_vec(), X86_64);
    }
    for at in 0..good.len() {
        let mut bad = good.clone();
        bad[at] ^= 0xff;
        if let Ok(cache) = LdSoCache::parse(&bad, X86_64) {
            let _ = cache.lookup(b"libx.so", &Hwcaps::default());
        }
    }
}

#[test]
fn the_new_format_is_read_behind_the_old_one() {
    let good = cache(&[(0x303, "libx.so", "/opt/libx.so", 0)], &[]);
    let mut behind_old = b"ld.so-1.7.0\0".to_vec();
    behind_old.extend(1_u32.to_le_bytes());
    behind_old.extend([0; 12]);
    behind_old.extend([0; 4]);
    behind_old.extend(good);
    assert_eq!(LdSoCache::parse(&behind_old, X86_64).unwrap().len(), 1);
}
