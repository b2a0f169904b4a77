//! `/etc/ld.so.cache` of any bytes: no panic, soon, in memory that the file's length bounds, and
//! never a path that does not stand in the file.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use tfpatch::elf::{Class, Endian};
use tfpatch::loader::Target;
use tfpatch::loader::glibc::hwcaps::Hwcaps;
use tfpatch::loader::glibc::ld_so_cache::{LdSoCache, compare_names};
use tfpatch_fuzz::within;

/// Memory for each byte of the cache, and besides.
const FACTOR: usize = 8;
const CONSTANT: usize = 1 << 12;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some(([shape, name_len], rest)) = input.split_first_chunk() else {
        return Corpus::Reject;
    };
    let Some((name, cache)) = rest.split_at_checked((*name_len).into()) else {
        return Corpus::Reject;
    };
    let target = Target {
        class: if shape & 1 == 0 { Class::Elf64 } else { Class::Elf32 },
        endian: if shape & 2 == 0 { Endian::Little } else { Endian::Big },
        machine: [62, 3, 183, 21, 22, 4, 243, 0][usize::from(shape >> 2 & 7)],
    };
    let cache = cache.to_vec();
    let most = CONSTANT + FACTOR * cache.len();
    let read = within(most, "reading a cache", || LdSoCache::parse(&cache, target));
    let Ok(read) = read else { return Corpus::Keep };
    let entries = read.len();
    assert!(read.is_empty() == (entries < 1) && entries <= cache.len() / 24);
    let hwcaps = ["x86-64-v3".to_owned(), "x86-64-v2".to_owned()];
    let version = Some((2, if shape & 32 == 0 { 36 } else { 37 }));
    for levels in [&hwcaps[..], &hwcaps[1..], &[]] {
        let hwcaps = Hwcaps::new(target, version, levels, Some("haswell"));
        for name in [name, b"libx.so"] {
            if let Some(path) = read.lookup(name, &hwcaps) {
                let stands = path.is_empty() || cache.windows(path.len()).any(|part| part == path);
                assert!(stands, "a path that does not stand in the file");
            }
        }
    }
    // The order is one: what is less one way is greater the other way.
    let (a, b) = name.split_at(name.len() / 2);
    assert_eq!(compare_names(a, b), compare_names(b, a).reverse());
    Corpus::Keep
});
