//! Broken objects: an error or a sound patch, never a panic, and soon.

use crate::support::elf_builder::{TAGGED, UNTAGGED, Workshop, apply, patch, request};
use crate::support::elf_writer::Elf;
use goblin::elf::dynamic::{
    DT_FINI, DT_FINI_ARRAY, DT_FINI_ARRAYSZ, DT_GNU_HASH, DT_HASH, DT_INIT, DT_INIT_ARRAY,
    DT_INIT_ARRAYSZ, DT_JMPREL, DT_NEEDED, DT_PLTRELSZ, DT_RELA, DT_RELASZ, DT_RPATH, DT_RUNPATH,
    DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERNEED, DT_VERSYM,
};
use goblin::elf::program_header::{PT_GNU_RELRO, PT_LOAD};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use tfpatch::elf::Image;
use tfpatch::elf::edit::{Failure, Refusal};
use tfpatch::elf::hash::{exports, imports};
use tfpatch::elf::search_path::current;
use tfpatch::elf::structs::Structs as _;

/// Everything that the module offers, on bytes that may be anything.
fn ask_everything(bytes: &Vec<u8>) {
    let start = Instant::now();
    if let Ok(image) = Image::parse(bytes) {
        let _ = (current(&image), exports(&image, b"answer"), imports(&image, b"dep"));
        let far_away = "far/away".repeat(100);
        for entries in [&["x"][..], &[&far_away], &[]] {
            if let Ok(patch) = patch(bytes, &request(entries, None)) {
                let new = apply(bytes, &patch.edits);
                let found = current(&Image::parse(&new).unwrap()).unwrap();
                let found = found.map(|found| found.entries).unwrap_or_default();
                assert_eq!(found, request(entries, None).entries());
                assert!(apply(&new, &patch.edits.invert(bytes).unwrap()) == *bytes);
            }
        }
    }
    assert!(start.elapsed() < Duration::from_secs(2), "it took {:?}", start.elapsed());
}

/// Found by the fuzz target `elf_read`: a string was read up to its NUL, wherever that was, and as
/// often as there were entries for it.
#[test]
fn strings_that_never_end_or_that_every_entry_names() {
    let mut endless = Elf::needing(&["libx.so"]).soname(&"a".repeat(2 << 20)).bytes();
    let error = Image::parse(&endless).unwrap().summary().unwrap_err();
    assert!(error.to_string().contains("strings of more than 1 MiB"), "{error}");
    assert!(patch(&endless, &request(&["x"], None)).is_err());
    endless.retain(|&byte| byte != 0);
    ask_everything(&endless);

    let name = "b".repeat(600_000);
    let shared = |needed: usize| {
        let mut file = Elf::needing(&vec!["libx.so"; needed]).soname(&name).bytes();
        let image = Image::parse(&file).unwrap();
        let soname = image.value(14).unwrap();
        let needed: Vec<_> =
            image.dynamic().iter().filter(|entry| entry.tag == 1).copied().collect();
        for entry in needed {
            let at = entry.offset as usize + 8;
            file[at..at + 8].copy_from_slice(&soname.to_le_bytes());
        }
        file
    };
    let once = shared(1);
    assert_eq!(Image::parse(&once).unwrap().needed().unwrap(), [name.as_bytes()]);
    let often = shared(60_000);
    let error = Image::parse(&often).unwrap().needed().unwrap_err();
    assert!(error.to_string().contains("strings of more than 1 MiB"), "{error}");
    ask_everything(&often);
}

#[test]
fn a_file_that_is_cut_off_anywhere() {
    let shop = Workshop::new();
    let whole = shop.build(&TAGGED[8]);
    let lengths = (0..1024).chain((1024..whole.len()).step_by(61));
    for len in lengths {
        let cut = whole[..len].to_vec();
        assert!(patch(&cut, &request(&["x"], None)).is_err(), "{len} of {} bytes", whole.len());
        ask_everything(&cut);
    }
}

#[test]
fn each_byte_of_the_tables_changed() {
    let shop = Workshop::new();
    for flavour in [&TAGGED[2], &TAGGED[3], &UNTAGGED[3]] {
        let whole = shop.build(flavour);
        let image = Image::parse(&whole).unwrap();
        let dynamic = image.segment(2).unwrap();
        let tables = 0..64 + 56 * image.segments().len();
        let dynamic = dynamic.p_offset as usize..(dynamic.p_offset + dynamic.p_filesz) as usize;
        // After the program headers: notes, hash tables, the first symbols.
        let after = tables.end..tables.end + 0x200;
        let sections = image.header().e_shoff as usize;
        let sections = if sections == 0 { 0..0 } else { sections..whole.len() };
        for at in tables.chain(dynamic).chain(after).chain(sections) {
            for change in [0x01, 0x80, 0xff] {
                let mut changed = whole.clone();
                changed[at] ^= change;
                ask_everything(&changed);
            }
        }
    }
}

/// Found by the fuzz target `elf_edit`: a section that claims more than its table took the first symbol
/// with it to where there was room, and the other symbols stayed behind.
#[test]
fn a_section_that_claims_a_part_of_the_next_table_does_not_tear_it() {
    const SHT_DYNSYM: u32 = 11;
    const SHT_GNU_HASH: u32 = 0x6fff_fff6;
    let shop = Workshop::new();
    let flavour = TAGGED.first().unwrap();
    let mut file = shop.build(flavour);
    let rows = u64::from_le_bytes(file[0x28..0x30].try_into().unwrap()) as usize;
    let count = u16::from_le_bytes(file[0x3c..0x3e].try_into().unwrap()) as usize;
    let mut changed = 0;
    for row in (0..count).map(|index| rows + index * 64) {
        let kind = u32::from_le_bytes(file[row + 4..row + 8].try_into().unwrap());
        let size = u64::from_le_bytes(file[row + 32..row + 40].try_into().unwrap());
        let claimed = match kind {
            SHT_GNU_HASH => size + 24,
            SHT_DYNSYM => 0,
            _ => continue,
        };
        file[row + 32..row + 40].copy_from_slice(&claimed.to_le_bytes());
        changed += 1;
    }
    assert_eq!(changed, 2);
    let far_away = "far/away".repeat(100);
    let new =
        apply(&file, &patch(&file, &request(&[&far_away, "$ORIGIN/deps"], None)).unwrap().edits);
    let (old, new) = (Image::parse(&file).unwrap(), Image::parse(&new).unwrap());
    for name in [&b"answer"[..], b"dep"] {
        assert_eq!(exports(&new, name), exports(&old, name));
        assert_eq!(imports(&new, name), imports(&old, name));
    }
    assert!(exports(&old, b"answer").unwrap() && imports(&old, b"dep").unwrap());
}

/// Found by the fuzz target `elf_edit`: a hash table that claims more symbols than there are makes
/// symbols of what lies behind them, and the search path is among that.
#[test]
fn symbols_that_lie_in_what_is_edited_are_a_reason_to_refuse() {
    let shop = Workshop::new();
    let flavour = TAGGED.iter().find(|flavour| flavour.name == "sysv").unwrap();
    let mut file = shop.build(flavour);
    let sound = patch(&file, &request(&["$ORIGIN/d"], None));
    assert!(sound.is_ok(), "{sound:?}");
    let rows = u64::from_le_bytes(file[0x28..0x30].try_into().unwrap()) as usize;
    let offset_of = |name: u32| {
        let is_it = |row: &usize| file[row + 4..row + 8] == name.to_le_bytes();
        let row = (0..).map(|index| rows + index * 64).find(is_it).unwrap();
        u64::from_le_bytes(file[row + 24..row + 32].try_into().unwrap()) as usize
    };
    let (hash, dynamic, symbols) = (offset_of(5), offset_of(6), offset_of(11));
    let claimed = ((dynamic - symbols) / 24 + 2) as u32;
    file[hash + 4..hash + 8].copy_from_slice(&claimed.to_le_bytes());
    for entries in [&["$ORIGIN/d"][..], &[&"far/away".repeat(100)], &[]] {
        let refused = patch(&file, &request(entries, None));
        assert!(matches!(refused, Err(Failure::Refused(_))), "{entries:?}: {refused:?}");
    }
}

/// Found by the fuzz target `elf_edit`: a program whose interpreter's name is said to stand in its ELF
/// header, where that tells where the section headers are.
#[test]
fn a_name_that_lies_in_what_is_edited_is_a_reason_to_refuse() {
    let shop = Workshop::new();
    let flavour = TAGGED.iter().find(|flavour| flavour.name == "pie").unwrap();
    let mut file = shop.build(flavour);
    let far_away = "far/away".repeat(100);
    let sound = patch(&file, &request(&[&far_away], None));
    assert!(sound.is_ok(), "{sound:?}");
    let headers = u64::from_le_bytes(file[0x20..0x28].try_into().unwrap()) as usize;
    let count = u16::from_le_bytes(file[0x38..0x3a].try_into().unwrap()) as usize;
    let is_interpreter = |at: &usize| file[*at..at + 4] == 3_u32.to_le_bytes();
    let interpreter = (0..count).map(|index| headers + index * 56).find(is_interpreter).unwrap();
    file[interpreter + 8..interpreter + 16].copy_from_slice(&0x28_u64.to_le_bytes());
    file[interpreter + 32..interpreter + 40].copy_from_slice(&8_u64.to_le_bytes());
    let refused = patch(&file, &request(&[&far_away], None));
    assert!(matches!(refused, Err(Failure::Refused(_))), "{refused:?}");
}

/// Found by the fuzz target `elf_edit`: a string table that is said to hold the headers. The search path
/// is the size of the ELF header here.
#[test]
fn a_string_table_that_holds_the_headers_is_a_reason_to_refuse() {
    let shop = Workshop::new();
    let mut file = shop.build(&TAGGED[0]);
    let image = Image::parse(&file).unwrap();
    let end_of_headers = 64 + 56 * image.segments().len() as u64;
    let changed = |tag: u64| match tag {
        DT_NEEDED | DT_SONAME => Some(0),
        DT_RPATH | DT_RUNPATH => Some(4),
        DT_STRTAB => Some(0x30),
        DT_STRSZ => Some(end_of_headers - 0x30),
        _ => None,
    };
    let entries: Vec<_> = image.dynamic().to_vec();
    for entry in entries {
        if let Some(value) = changed(entry.tag) {
            let at = entry.offset as usize + 8;
            file[at..at + 8].copy_from_slice(&u64::to_le_bytes(value));
        }
    }
    let read = current(&Image::parse(&file).unwrap()).unwrap().unwrap();
    assert_eq!(read.entries, [b"@"]);
    for entries in [&["x"][..], &[&"far/away".repeat(100)], &[]] {
        let refused = patch(&file, &request(entries, None));
        assert!(matches!(refused, Err(Failure::Malformed(_))), "{entries:?}: {refused:?}");
    }
}

/// Found by the fuzz target `elf_edit`: `DT_GNU_HASH` that claims more symbols than `DT_HASH`. The symbol
/// table was moved to the end of the file by the lower number, and no longer had the others.
#[test]
fn a_symbol_table_moves_with_all_that_any_hash_table_claims() {
    let shop = Workshop::new();
    shop.write("tiny.c", "int dep(void);\nint answer(void) { return dep(); }\n");
    // No library that is started, and nothing but the symbols after the program headers.
    let flags = "-Wl,--hash-style=both,--build-id=none,--dynamic-linker=/x";
    let form = ["-pie", "-fPIE", "-nostdlib", "-fuse-ld=lld", flags];
    shop.gcc(&[&form[..], &["tiny.c", "-o", "tiny", "-Ld", "-ldep"]].concat());
    let sound = std::fs::read(shop.path("tiny")).unwrap();
    let image = Image::parse(&sound).unwrap();
    let hash = image.offset_of(image.value(DT_GNU_HASH).unwrap()).unwrap() as usize;
    let symbols = image.value(DT_SYMTAB).unwrap();
    let mut claiming = sound.clone();
    // symoffset; a Bloom filter that lets nothing pass; a bucket.
    claiming[hash + 4..hash + 8].copy_from_slice(&23_u32.to_le_bytes());
    claiming[hash + 16..hash + 24].fill(0);
    claiming[hash + 24..hash + 28].copy_from_slice(&23_u32.to_le_bytes());
    for (file, is_sound) in [(sound, true), (claiming, false)] {
        let image = Image::parse(&file).unwrap();
        let patch = patch(&file, &request(&["$ORIGIN/d"], None)).unwrap();
        let new = apply(&file, &patch.edits);
        let new = Image::parse(&new).unwrap();
        assert_eq!(new.value(DT_SYMTAB) != Some(symbols), is_sound, "only what is whole moves");
        for name in [&b"dep"[..], b"absent"] {
            assert!(imports(&image, name).is_ok());
            assert_eq!(imports(&image, name), imports(&new, name), "{is_sound} {name:?}");
        }
    }
}

/// Found by `scripts/corpus/mutants`: relocations, or a function to be called at the start, lay above all
/// segments, where by luck something else was mapped; after an edit that was the new segment.
#[test]
fn what_the_loader_reads_outside_of_every_segment_is_refused() {
    let shop = Workshop::new();
    let mut seen = BTreeSet::new();
    for flavour in TAGGED {
        let whole = shop.build(flavour);
        let image = Image::parse(&whole).unwrap();
        let loads = image.segments().iter().filter(|segment| segment.p_type == PT_LOAD);
        let end = loads.map(|load| load.p_vaddr + load.p_memsz).max().unwrap();
        let sizes = [DT_RELASZ, DT_PLTRELSZ, DT_INIT_ARRAYSZ, DT_FINI_ARRAYSZ];
        for entry in image.dynamic() {
            let is_pointer = [
                DT_JMPREL,
                DT_RELA,
                DT_INIT_ARRAY,
                DT_FINI_ARRAY,
                DT_INIT,
                DT_FINI,
                DT_VERSYM,
                DT_VERNEED,
                DT_HASH,
                DT_GNU_HASH,
                DT_SYMTAB,
            ]
            .contains(&entry.tag);
            // Just above all segments, on a page of its own, and beyond what is mapped whole.
            let values = match (is_pointer, sizes.contains(&entry.tag)) {
                (true, _) => vec![end, (end + 0x1fff) & !0xfff, u64::MAX, u64::MAX - 8],
                (_, true) => vec![end, u64::MAX],
                _ => continue,
            };
            for value in values {
                let mut file = whole.clone();
                let at = entry.offset as usize + 8;
                file[at..at + 8].copy_from_slice(&value.to_le_bytes());
                let refusal = patch(&file, &request(&["x"], None)).unwrap_err();
                let Failure::Refused(Refusal::TableElsewhere { tag, address, .. }) = refusal else {
                    // Before that a table that says where strings are is read.
                    let reads = matches!(refusal, Failure::Malformed(_));
                    assert!(reads, "{:#x} {value:#x}: {refusal}", entry.tag);
                    continue;
                };
                let of_table = image.value(tag);
                assert!(address == value || Some(address) == of_table, "{tag:#x} {address:#x}");
                seen.insert(entry.tag);
            }
        }
    }
    for tag in [DT_JMPREL, DT_RELA, DT_INIT_ARRAY, DT_PLTRELSZ, DT_RELASZ, DT_INIT, DT_SYMTAB] {
        assert!(seen.contains(&tag), "{tag:#x} was not tried: {seen:x?}");
    }
}

/// The same of what the program headers lead to: a template of thread-local storage, and memory that is
/// made read-only.
#[test]
fn a_segment_outside_of_every_loaded_one_is_refused() {
    let shop = Workshop::new();
    let whole = shop.build(TAGGED.first().unwrap());
    let image = Image::parse(&whole).unwrap();
    let index = image.segments().iter().position(|it| it.p_type == PT_GNU_RELRO).unwrap();
    let mut file = whole.clone();
    let at = 64 + 56 * index;
    file[at + 16..at + 24].copy_from_slice(&0x700_0000_u64.to_le_bytes());
    // Only whole pages are made read-only.
    file[at + 40..at + 48].copy_from_slice(&0x2000_u64.to_le_bytes());
    let refusal = patch(&file, &request(&["x"], None)).unwrap_err();
    let expected = Refusal::SegmentElsewhere {
        index,
        p_type: PT_GNU_RELRO,
        p_vaddr: 0x700_0000,
        size: 0x2000,
    };
    assert_eq!(refusal, Failure::Refused(expected));
}

/// Found by `scripts/corpus/mutants`: a version's name, or its record, lay behind the tables, and loaded by luck.
#[test]
fn versions_outside_of_their_tables_are_refused() {
    let shop = Workshop::new();
    let whole = std::fs::read(shop.path("load")).unwrap();
    let image = Image::parse(&whole).unwrap();
    patch(&whole, &request(&["x"], None)).unwrap();
    let needs = image.offset_of(image.value(DT_VERNEED).unwrap()).unwrap() as usize;
    let strings = image.string_table().unwrap();
    let size = u32::try_from(strings.end - strings.start).unwrap();
    let load = image.segments().iter().find(|segment| segment.p_type == PT_LOAD).unwrap();
    let beyond = u32::try_from(load.p_offset + load.p_filesz).unwrap() - needs as u32;
    // vn_file, vn_aux and vn_next of the first record, vna_name of its first version.
    for (at, value) in [(4, size), (8, beyond), (12, beyond), (16 + 8, size), (4, u32::MAX)] {
        let mut file = whole.clone();
        file[needs + at..needs + at + 4].copy_from_slice(&value.to_le_bytes());
        let failure = patch(&file, &request(&["x"], None)).unwrap_err();
        assert!(matches!(failure, Failure::Malformed(_)), "{at} {value}: {failure}");
    }
}
