//! The rules of the ladder that failing experiments taught: a test for each, on real objects.

use crate::support::command;
use crate::support::elf_builder::{
    OLD, TAGGED, UNTAGGED, Workshop, lint, outcome, patch, patched, request, tool,
};
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_PLTRELSZ, DT_RELASZ, DT_RUNPATH, DT_SONAME, DT_STRTAB, DT_SYMTAB,
};
use goblin::elf::program_header::{
    PF_W, PT_GNU_EH_FRAME, PT_GNU_PROPERTY, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL, PT_PHDR, PT_TLS,
    ProgramHeader,
};
use std::process::Command;
use tfpatch::elf::Image;
use tfpatch::elf::edit::{Failure, Method, Refusal};
use tfpatch::elf::search_path::{RpathKind, current};
use tfpatch::elf::structs::Structs as _;

/// A path that is longer than any slot here.
fn far_away() -> String {
    format!("$ORIGIN/{}", "far/away/".repeat(333))
}

/// A library with [`OLD`] as its `DT_RUNPATH`, linked with more flags.
fn library(shop: &Workshop, flags: &[&str]) -> Vec<u8> {
    let rpath = format!("-Wl,-rpath,{OLD}");
    let arguments = ["-shared", "-fPIC", "library.c", "-o", "x.so", "-Ld", "-ldep", &rpath];
    shop.gcc(&[&arguments[..], flags].concat());
    std::fs::read(shop.path("x.so")).unwrap()
}

/// The object with a longer path, which makes it load.
fn grown(shop: &Workshop, old: &Vec<u8>, is_program: bool) -> (Method, Vec<u8>) {
    let (patch, bytes) = patched(old, &request(&[&far_away(), "$ORIGIN/d"], None));
    must_load(shop, &bytes, is_program);
    (patch.method, bytes)
}

fn must_load(shop: &Workshop, bytes: &[u8], is_program: bool) {
    // The kernel goes by the offsets of segments, and the loader by their addresses.
    let loads = segments(bytes).into_iter().filter(|segment| segment.p_type == PT_LOAD);
    for load in loads {
        for part in segments(bytes).iter().filter(|part| part.p_filesz > 0) {
            if (load.p_vaddr..load.p_vaddr + load.p_memsz).contains(&part.p_vaddr) {
                assert_eq!(part.p_offset - load.p_offset, part.p_vaddr - load.p_vaddr, "{part:?}");
            }
        }
    }
    let file = shop.place("subject", bytes);
    let mut command = match is_program {
        true => Command::new(&file),
        false => shop.loader(&file, &["answer"]),
    };
    assert_eq!(outcome(&mut command), Ok(()));
    let (_, complaints) = tool("readelf", &["-aW", file.to_str().unwrap()]);
    assert_eq!(complaints, "");
}

fn segments(bytes: &[u8]) -> Vec<ProgramHeader> {
    Image::parse(&bytes).unwrap().segments().to_vec()
}

fn segment(bytes: &[u8], p_type: u32) -> Option<ProgramHeader> {
    segments(bytes).into_iter().find(|segment| segment.p_type == p_type)
}

fn last_load(bytes: &[u8]) -> ProgramHeader {
    segments(bytes).into_iter().rfind(|segment| segment.p_type == PT_LOAD).unwrap()
}

fn value(bytes: &[u8], tag: u64) -> Option<u64> {
    Image::parse(&bytes).unwrap().value(tag)
}

/// Tags and values of the dynamic table.
fn entries(bytes: &[u8]) -> Vec<(u64, u64)> {
    let image = Image::parse(&bytes).unwrap();
    image.dynamic().iter().map(|entry| (entry.tag, entry.value)).collect()
}

/// File offset of the first entry of a tag.
fn entry_at(bytes: &[u8], tag: u64) -> usize {
    let image = Image::parse(&bytes).unwrap();
    image.dynamic().iter().find(|entry| entry.tag == tag).unwrap().offset as usize
}

/// File offset of the first program header of a type.
fn header_at(bytes: &[u8], p_type: u32) -> usize {
    let index = segments(bytes).iter().position(|segment| segment.p_type == p_type).unwrap();
    64 + 56 * index
}

/// The file with bytes replaced.
fn with(bytes: &[u8], at: usize, new: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[at..at + new.len()].copy_from_slice(new);
    bytes
}

fn refusal(bytes: &[u8]) -> Refusal {
    match patch(&bytes, &request(&[&far_away()], None)) {
        Err(Failure::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_search_path_inside_another_string_is_not_overwritten() {
    let shop = Workshop::new();
    let soname = format!("not/here:{OLD}");
    let old = library(&shop, &[&format!("-Wl,-soname,{soname}")]);
    let distance = value(&old, DT_RUNPATH).unwrap() - value(&old, DT_SONAME).unwrap();
    assert_eq!(distance, "not/here:".len() as u64, "the linker merges tails");
    let (shorter, bytes) = patched(&old, &request(&["$ORIGIN/d"], None));
    assert_eq!(shorter.method, Method::NewSegment);
    let kept = Image::parse(&bytes).unwrap().string_of(DT_SONAME, "DT_SONAME").unwrap();
    assert_eq!(kept, Some(soname.into_bytes()));
    must_load(&shop, &bytes, false);
}

#[test]
fn a_table_that_holds_names_for_others_is_not_written_into() {
    let shop = Workshop::new();
    let old = library(&shop, &[]);
    let strings = |row: &[u64; 6]| row[1] == 3 && row[2] & 2 != 0;
    let index = rows(&old).iter().position(strings).unwrap() as u8;
    let symtab = rows(&old).iter().position(|row| row[1] == 2).unwrap();
    let sections = u64::from_le_bytes(old[40..48].try_into().unwrap()) as usize;
    let names_of_symbols = with(&old, sections + 64 * symtab + 40, &[index]);
    let names_of_sections = with(&old, 62, &[index]);
    for bytes in [names_of_symbols, names_of_sections] {
        assert_ne!(patch(&bytes, &request(&["/d"], None)).unwrap().method, Method::Slot);
    }
}

#[test]
fn the_rest_of_the_slot_is_zeroed() {
    let shop = Workshop::new();
    let old = library(&shop, &[]);
    let (_, bytes) = patched(&old, &request(&["/d"], None));
    let image = Image::parse(&bytes).unwrap();
    let table = image.string_table().unwrap();
    let start = (table.start + image.value(DT_RUNPATH).unwrap()) as usize;
    assert_eq!(bytes[start..start + 2], *b"/d");
    assert_eq!(bytes[start + 2..start + OLD.len()], vec![0; OLD.len() - 2]);
    assert_eq!(bytes[..start], old[..start]);
    assert_eq!(bytes[start + OLD.len()..], old[start + OLD.len()..]);
}

#[test]
fn a_gnu_hash_without_symbols_is_believed_by_the_relocations() {
    let shop = Workshop::new();
    // A program that exports nothing, and that has no section headers which would tell the number
    // of its symbols.
    let rpath = format!("-Wl,-rpath,{OLD},--hash-style=gnu");
    let strip = |name: &str| {
        let path = shop.path(name);
        tool("llvm-strip-19", &["--strip-sections", path.to_str().unwrap()]);
        std::fs::read(&path).unwrap()
    };
    shop.gcc(&["program.c", "-no-pie", "-o", "x", "-Ld", "-ldep", &rpath]);
    let old = strip("x");
    let shorter = request(&["$ORIGIN/d"], None);
    let (slot, bytes) = patched(&old, &shorter);
    assert_eq!(slot.method, Method::Slot);
    must_load(&shop, &bytes, true);
    // Without relocations nothing tells which symbols there are.
    let mut blind = with(&old, entry_at(&old, DT_RELASZ) + 8, &[0; 8]);
    blind = with(&blind, entry_at(&old, DT_PLTRELSZ) + 8, &[0; 8]);
    assert_eq!(patched(&blind, &shorter).0.method, Method::NewSegment);
    // A symbol whose name ends the search path.
    shop.gcc(&[
        "program.c",
        "-no-pie",
        "-o",
        "y",
        "-Ld",
        "-ldep",
        "-Wl,-rpath,/not/here/dep,--hash-style=gnu",
    ]);
    let (shared, bytes) = patched(&strip("y"), &shorter);
    assert_eq!(shared.method, Method::NewSegment);
    must_load(&shop, &bytes, true);
}

#[test]
fn a_new_header_takes_the_place_of_one_that_says_nothing() {
    let shop = Workshop::new();
    // A PT_NOTE that says what PT_GNU_PROPERTY says, as Debian's start files bring it.
    let old = shop.build(&TAGGED[10]);
    let property = segment(&old, PT_GNU_PROPERTY).unwrap();
    let (_, bytes) = grown(&shop, &old, true);
    assert_eq!(segments(&bytes).len(), segments(&old).len());
    let notes = |bytes: &Vec<u8>| -> Vec<u64> {
        let all = segments(bytes);
        all.iter().filter(|s| s.p_type == PT_NOTE).map(|s| s.p_offset).collect()
    };
    assert!(
        notes(&old).contains(&property.p_offset) && !notes(&bytes).contains(&property.p_offset)
    );
    assert_eq!(notes(&bytes).len() + 1, notes(&old).len());
    // PT_NULL goes before it.
    let null = with(&old, header_at(&old, PT_GNU_PROPERTY), &[0; 4]);
    let (_, bytes) = grown(&shop, &null, true);
    assert_eq!((notes(&bytes), segment(&bytes, PT_NULL).is_none()), (notes(&old), true));
    // PT_PHDR is of no use to a library.
    let old = library(&shop, &["-fuse-ld=mold"]);
    assert!(segment(&old, PT_PHDR).is_some());
    let (_, bytes) = grown(&shop, &old, false);
    assert_eq!(segments(&bytes).len(), segments(&old).len());
    assert!(segment(&bytes, PT_PHDR).is_none());
}

#[test]
fn what_stands_after_the_program_headers_moves() {
    let shop = Workshop::new();
    shop.gcc(&["-c", "-fPIC", "-fcf-protection=none", "library.c", "-o", "library.o"]);
    let build = |flags: &[&str]| {
        let arguments = ["-shared", "-nostartfiles", "library.o", "-o", "x.so", "-Ld", "-ldep"];
        let rpath = format!("-Wl,-rpath,{OLD}");
        shop.gcc(&[&arguments[..], &[&rpath], flags].concat());
        std::fs::read(shop.path("x.so")).unwrap()
    };
    for (flags, tag) in [
        (&["-Wl,--build-id=none,--hash-style=gnu"][..], DT_GNU_HASH),
        (&["-Wl,--build-id=none,--hash-style=sysv"], DT_HASH),
        (&["-Wl,--build-id=none", "-fuse-ld=gold"], DT_SYMTAB),
    ] {
        let mut old = build(flags);
        if segment(&old, PT_PHDR).is_some() {
            // Which would make room; a type that nobody knows does not.
            old = with(&old, header_at(&old, PT_PHDR), &0x6abc_def0_u32.to_le_bytes());
        }
        let (_, bytes) = grown(&shop, &old, false);
        assert_eq!(segments(&bytes).len(), segments(&old).len() + 1, "{flags:?}");
        assert!(value(&bytes, tag) >= Some(last_load(&bytes).p_vaddr), "{flags:?}");
        let before = lint(&shop.place("control", &old));
        assert!(lint(&shop.path("subject")).is_subset(&before), "{flags:?}");
    }
    let old = build(&["-Wl,--build-id=sha1"]);
    let (_, bytes) = grown(&shop, &old, false);
    let note = segment(&bytes, PT_NOTE).unwrap();
    assert!(note.p_vaddr >= last_load(&bytes).p_vaddr);
    let id = |bytes: &Vec<u8>| Image::parse(bytes).unwrap().build_id().unwrap();
    assert_eq!(id(&bytes), id(&old));
    // A program, in which .interp comes first.
    let rpath = format!("-Wl,-rpath,{OLD}");
    for mode in ["-pie", "-no-pie"] {
        shop.gcc(&["program.c", mode, "-o", "x", "-Ld", "-ldep", "-fuse-ld=mold", &rpath]);
        let old = std::fs::read(shop.path("x")).unwrap();
        let (_, bytes) = grown(&shop, &old, true);
        let interp = segment(&bytes, PT_INTERP).unwrap();
        assert!(interp.p_vaddr >= last_load(&bytes).p_vaddr, "{mode}");
        let order: Vec<u32> = segments(&bytes).iter().map(|segment| segment.p_type).collect();
        let first_load = order.iter().position(|&p_type| p_type == PT_LOAD).unwrap();
        assert_eq!(order[0], PT_PHDR);
        assert!(order[..first_load].contains(&PT_INTERP));
        let phdr = segment(&bytes, PT_PHDR).unwrap();
        assert_eq!(phdr.p_filesz, 56 * order.len() as u64);
        let patch = patch(&old, &request(&[&far_away()], None)).unwrap();
        assert!(!patch.in_place, "what moves is missed by a process that runs it");
    }
}

#[test]
fn in_a_gap_the_new_header_comes_last() {
    let shop = Workshop::new();
    let old = shop.build_with_gap();
    let (_, bytes) = grown(&shop, &old, false);
    let (before, after) = (segments(&old), segments(&bytes));
    assert_eq!((&after[..before.len()], after.len()), (&*before, before.len() + 1));
    assert_eq!(after[before.len()], last_load(&bytes));
}

/// Sections of the start of an object that cannot move.
const FIXED: &str = ".fixed : { KEEP (*(.fixed)) }";

/// Links an object after whose program headers something stands that cannot move.
fn build_without_room(shop: &Workshop, mode: &str, more: &[&str]) -> Vec<u8> {
    build_with_first(shop, FIXED, mode, more)
}

/// Links an object whose first sections are these.
fn build_with_first(shop: &Workshop, first: &str, mode: &str, more: &[&str]) -> Vec<u8> {
    let verbose = Command::new("ld").args([mode, "--verbose"]).output().unwrap();
    let text = String::from_utf8(verbose.stdout).unwrap();
    let script = text.split("==================================================").nth(1).unwrap();
    let place = script.find("SIZEOF_HEADERS;").unwrap() + "SIZEOF_HEADERS;".len();
    let (before, after) = script.split_at(place);
    let after = after.replacen("/DISCARD/ : {", "/DISCARD/ : { *(.note.gnu.property)", 1);
    shop.write("fixed.ld", &format!("{before}\n{first}\n{after}"));
    shop.write("fixed.c", "__attribute__((section(\".fixed\"))) const int fixed[64] = {42};\n");
    let source = if mode == "-shared" { "library.c" } else { "program.c" };
    let script = format!("-Wl,-rpath,{OLD},-T,fixed.ld");
    let arguments = [source, "fixed.c", "-fPIC", mode, "-o", "fixed", "-Ld", "-ldep", &script];
    shop.gcc(&[&arguments[..], more].concat());
    std::fs::read(shop.path("fixed")).unwrap()
}

#[test]
fn the_program_headers_move_where_nothing_else_makes_room() {
    let shop = Workshop::new();
    // What is not loaded may make the file larger than the memory it takes.
    shop.write("large.s", ".section .large,\"\",@progbits\n.zero 1000000\n");
    let modes = [("-shared", &[][..]), ("-pie", &[]), ("-no-pie", &[]), ("-pie", &["large.s"])];
    for (mode, more) in modes {
        let is_program = mode != "-shared";
        let old = build_without_room(&shop, mode, more);
        let (method, bytes) = grown(&shop, &old, is_program);
        assert_eq!(method, Method::NewSegmentWithHeaders, "{mode}");
        let file = shop.path("subject");
        assert!(lint(&file).is_empty(), "{mode}");
        let load = last_load(&bytes);
        let e_phoff = Image::parse(&bytes).unwrap().header().e_phoff;
        assert!((load.p_offset..load.p_offset + load.p_filesz).contains(&e_phoff), "{mode}");
        if is_program {
            // As kernels before 5.18 reckon AT_PHDR, and qemu still does.
            let first = segment(&bytes, PT_LOAD).unwrap();
            let distance = first.p_vaddr - first.p_offset;
            assert_eq!(load.p_vaddr - load.p_offset, distance, "{mode}");
            assert_eq!(segment(&bytes, PT_PHDR).unwrap().p_vaddr, e_phoff + distance);
            assert_eq!(outcome(Command::new("qemu-x86_64").arg(&file)), Ok(()), "{mode}");
        }
        let (tail, longer) =
            patched(&bytes, &request(&[&far_away(), "$ORIGIN/d", "$ORIGIN/more"], None));
        assert_eq!(tail.method, Method::ExtendTail);
        must_load(&shop, &longer, is_program);
        for tool_name in ["llvm-strip-19", "eu-strip"] {
            let file = shop.place("subject", &longer);
            tool(tool_name, &[file.to_str().unwrap()]);
            let stripped = std::fs::read(&file).unwrap();
            must_load(&shop, &stripped, is_program);
        }
    }
    // It would grow by its .bss.
    shop.write("bss.c", "char bss[40000000] = {0};\n");
    let old = build_without_room(&shop, "-pie", &["bss.c"]);
    assert!(matches!(refusal(&old), Refusal::NoHeaderRoom { needed: 56, .. }));
}

#[test]
fn what_somebody_owns_is_no_gap_and_does_not_move_in_part() {
    let shop = Workshop::new();
    shop.write("zeros.c", "__attribute__((section(\".zeros\"))) const int zeros[64] = {0};\n");
    let zeros = ".fixed : { KEEP (*(.zeros)) KEEP (*(.fixed)) }";
    // A note is shorter than a program header, and what follows it cannot move.
    let note = format!(".note.gnu.build-id : {{ *(.note.gnu.build-id) }}\n{FIXED}");
    for (first, source) in [(zeros, "zeros.c"), (&note, "dep.c")] {
        let old = build_with_first(&shop, first, "-shared", &[source]);
        assert_eq!(grown(&shop, &old, false).0, Method::NewSegmentWithHeaders, "{source}");
    }
    // A segment of which only a part stands in what would move.
    let hash = format!(".gnu.hash : {{ *(.gnu.hash) }}\n{FIXED}");
    let old = build_with_first(&shop, &hash, "-shared", &["dep.c", "-Wl,--hash-style=gnu"]);
    assert_eq!(grown(&shop, &old, false).0, Method::NewSegment);
    let at = header_at(&old, PT_GNU_EH_FRAME) + 8;
    let row = rows(&old).into_iter().find(|row| row[1] == 0x6fff_fff6).unwrap();
    let straddling = with(&old, at, &(row[4] + row[5] - 4).to_le_bytes());
    let straddling = with(&straddling, at + 24, &8_u64.to_le_bytes());
    let patch = patch(&straddling, &request(&[&far_away()], None)).unwrap();
    assert_eq!(patch.method, Method::NewSegmentWithHeaders);
}

#[test]
fn who_moves_the_program_headers_is_warned() {
    let shop = Workshop::new();
    let old = build_without_room(&shop, "-shared", &[]);
    let file = shop.place("subject.so", &old);
    let dir = file.parent().unwrap();
    let ran = command::run(dir, &["rpath", "set", "--entry", &far_away(), file.to_str().unwrap()]);
    let text = ran.text(0);
    assert!(text.contains("its program headers were moved; GNU strip"), "{text}");
    let other = shop.place("other.so", &library(&shop, &[]));
    let ran = command::run(dir, &["rpath", "set", "--entry", &far_away(), other.to_str().unwrap()]);
    assert!(!ran.text(0).contains("warning"));
}

#[test]
fn a_program_does_not_grow_by_its_bss() {
    let shop = Workshop::new();
    shop.write("bss.c", "char bss[40000000] = {0};\n");
    let rpath = format!("-Wl,-rpath,{OLD}");
    shop.gcc(&["program.c", "bss.c", "-o", "x", "-Ld", "-ldep", &rpath]);
    let old = std::fs::read(shop.path("x")).unwrap();
    let (_, bytes) = grown(&shop, &old, true);
    assert!(bytes.len() < old.len() + 16384);
}

#[test]
fn a_segment_that_holds_a_table_to_be_edited_stays() {
    let shop = Workshop::new();
    let far_away = far_away();
    let with_dynamic = shop.build(&UNTAGGED[2]);
    let with_headers = build_without_room(&shop, "-shared", &[]);
    for (old, strip) in [(with_dynamic, "strip"), (with_headers, "llvm-strip-19")] {
        let (_, bytes) = grown(&shop, &old, false);
        let file = shop.path("subject");
        tool(strip, &["-g", file.to_str().unwrap()]);
        let stripped = std::fs::read(&file).unwrap();
        let longer = request(&[&far_away, &far_away, "$ORIGIN/d"], None);
        let (patch, again) = patched(&stripped, &longer);
        assert_ne!(patch.method, Method::ExtendTail);
        assert!(last_load(&again).p_vaddr > last_load(&bytes).p_vaddr);
        must_load(&shop, &again, false);
    }
}

#[test]
fn a_segment_with_more_memory_than_bytes_does_not_grow() {
    let shop = Workshop::new();
    let (_, tail) = grown(&shop, &library(&shop, &[]), false);
    let file = shop.path("subject");
    tool("strip", &["-g", file.to_str().unwrap()]);
    let carried = std::fs::read(&file).unwrap();
    for bytes in [tail, carried] {
        let method = |bytes: &[u8]| {
            let far_away = far_away();
            patch(&bytes, &request(&[&far_away, &far_away], None)).unwrap().method
        };
        assert_eq!(method(&bytes), Method::ExtendTail);
        let index = segments(&bytes).iter().rposition(|s| s.p_type == PT_LOAD).unwrap();
        let p_memsz = last_load(&bytes).p_memsz + 16;
        let zeroed = with(&bytes, 64 + 56 * index + 40, &p_memsz.to_le_bytes());
        assert_ne!(method(&zeroed), Method::ExtendTail);
    }
}

#[test]
fn an_object_that_is_edited_and_stripped_in_turns_gets_one_segment() {
    let shop = Workshop::new();
    let count = |bytes: &Vec<u8>| {
        segments(bytes).iter().filter(|segment| segment.p_type == PT_LOAD).count()
    };
    let rpath = format!("-Wl,-rpath,{OLD}");
    shop.gcc(&["program.c", "-o", "x", "-Ld", "-ldep", "-fuse-ld=mold", &rpath]);
    let mold = std::fs::read(shop.path("x")).unwrap();
    for (name, old) in [
        ("library", shop.build(&TAGGED[0])),
        ("pie", shop.build(&TAGGED[10])),
        ("no_pie", shop.build(&TAGGED[11])),
        ("mold", mold),
    ] {
        let is_program = name != "library";
        for strip in ["strip", "llvm-strip-19", "eu-strip"] {
            let mut bytes = old.clone();
            let mut path = far_away();
            for turn in 0..4 {
                path.push_str("/more");
                bytes = patched(&bytes, &request(&[&path, "$ORIGIN/d"], None)).1;
                must_load(&shop, &bytes, is_program);
                assert_eq!(count(&bytes), count(&old) + 1, "{name} {strip} {turn}");
                let file = shop.path("subject");
                tool(strip, &["-g", file.to_str().unwrap()]);
                bytes = std::fs::read(&file).unwrap();
            }
            // What was abandoned goes with the next strip, but for those that leave alone where
            // loaded sections stand.
            let len = old.len() + 3 * path.len();
            assert!(strip != "strip" || bytes.len() < len + 16384, "{strip} {}", bytes.len());
        }
    }
}

/// patchelf gives up on a program that is no PIE unless a section follows the string table.
#[test]
fn patchelf_can_edit_a_program_that_was_edited_and_stripped() {
    let shop = Workshop::new();
    let old = shop.build(&TAGGED[11]);
    let by_patchelf = |bytes: &[u8], what: &str| {
        let file = shop.place("subject", bytes);
        let path = format!("$ORIGIN/d:{}", "/nowhere".repeat(1000));
        let (_, complaints) = tool("patchelf", &["--set-rpath", &path, file.to_str().unwrap()]);
        assert!(complaints.is_empty(), "{what}: {complaints}");
        must_load(&shop, &std::fs::read(&file).unwrap(), true);
    };
    by_patchelf(&old, "untouched");
    let far_away = far_away();
    let (_, new) = grown(&shop, &old, true);
    by_patchelf(&new, "a new segment");
    let longer = request(&[&far_away, &far_away, "$ORIGIN/d"], None);
    let (tail, grown) = patched(&new, &longer);
    assert_eq!(tail.method, Method::ExtendTail);
    by_patchelf(&grown, "extended");
    for strip in ["strip", "llvm-strip-19", "eu-strip"] {
        let file = shop.place("subject", &new);
        tool(strip, &["-g", file.to_str().unwrap()]);
        let stripped = std::fs::read(&file).unwrap();
        by_patchelf(&stripped, strip);
        let (again, longer) = patched(&stripped, &longer);
        assert_eq!(again.method, Method::ExtendTail, "{strip}");
        by_patchelf(&longer, &format!("{strip}, and extended"));
    }
}

#[test]
fn the_dynamic_table_is_copied_only_where_it_has_no_spare_entry() {
    let shop = Workshop::new();
    for (flavour, is_copied) in [(&UNTAGGED[0], false), (&UNTAGGED[2], true)] {
        let old = shop.build(flavour);
        let (_, bytes) = patched(&old, &request(&["$ORIGIN/d"], None));
        must_load(&shop, &bytes, false);
        let dynamic = segment(&bytes, 2).unwrap();
        let load = last_load(&bytes);
        assert_eq!(dynamic.p_vaddr >= load.p_vaddr, is_copied, "{}", flavour.name);
        assert_eq!(load.p_flags & PF_W != 0, is_copied, "{}", flavour.name);
    }
}

#[test]
fn the_symbol_of_the_dynamic_table_follows_it() {
    let shop = Workshop::new();
    for (name, compiler) in [("x86_64", "gcc"), ("aarch64", "aarch64-linux-gnu-gcc")] {
        let file = shop.path(name);
        let path = file.to_str().unwrap();
        let source = shop.path("dep.c");
        let source = source.to_str().unwrap();
        let arguments = ["-shared", "-fPIC", source, "-o", path, "-Wl,--spare-dynamic-tags=0"];
        assert_eq!(tool(compiler, &arguments).1, "");
        let old = std::fs::read(&file).unwrap();
        let before = lint(&file);
        let (_, bytes) = patched(&old, &request(&["$ORIGIN/d"], None));
        assert_ne!(segment(&bytes, 2).unwrap().p_offset, segment(&old, 2).unwrap().p_offset);
        let after = lint(&shop.place(name, &bytes));
        assert!(after.is_subset(&before), "{name}: {after:?}");
    }
}

#[test]
fn garbage_after_the_end_of_the_dynamic_table_is_no_room() {
    let shop = Workshop::new();
    let old = shop.build(&UNTAGGED[0]);
    let end = entry_at(&old, 0x6fff_fff9) + 16;
    assert!(old[end..end + 48].iter().all(|&byte| byte == 0), "DT_RELACOUNT comes last");
    // A value under the DT_NULL that becomes the new entry: both words are written.
    let garbage = with(&old, end + 8, &[0xff; 8]);
    let (_, bytes) = patched(&garbage, &request(&["$ORIGIN/d"], None));
    assert_eq!(segment(&bytes, 2).unwrap().p_offset, segment(&old, 2).unwrap().p_offset);
    must_load(&shop, &bytes, false);
    // A tag after the DT_NULL: a new entry in its place would bring it to life.
    let garbage = with(&old, end + 16, &[0xff; 16]);
    let (_, bytes) = patched(&garbage, &request(&["$ORIGIN/d"], None));
    assert_ne!(segment(&bytes, 2).unwrap().p_offset, segment(&old, 2).unwrap().p_offset);
    must_load(&shop, &bytes, false);
}

#[test]
fn a_new_tag_is_written_value_first() {
    let shop = Workshop::new();
    let old = library(&shop, &["-Wl,--disable-new-dtags"]);
    let patch = patch(&old, &request(&[OLD], Some(RpathKind::Runpath))).unwrap();
    // The string stays, and of the entry the tag alone.
    assert_eq!((patch.method, patch.edits.bytes_changed()), (Method::Slot, 8));
    let untagged = shop.build(&UNTAGGED[0]);
    let added = self::patch(&untagged, &request(&["$ORIGIN/d"], None)).unwrap();
    let writes = added.edits.in_write_order();
    let end = entry_at(&untagged, 0x6fff_fff9) as u64 + 16;
    let last: Vec<_> = writes[writes.len() - 2..].iter().map(|edit| edit.range.clone()).collect();
    assert_eq!(last, [end + 8..end + 16, end..end + 8]);
}

#[test]
fn of_several_tags_the_last_counts_and_all_go() {
    let shop = Workshop::new();
    let old = library(&shop, &["-Wl,-soname,/first"]);
    let twice = with(&old, entry_at(&old, DT_SONAME), &DT_RUNPATH.to_le_bytes());
    let found = current(&Image::parse(&twice).unwrap()).unwrap().unwrap();
    assert_eq!(found.entries, [OLD.as_bytes()]);
    let (_, bytes) = patched(&twice, &request(&["$ORIGIN/d"], None));
    must_load(&shop, &bytes, false);
    // A DT_RUNPATH that stayed would switch the DT_RPATH off.
    let (_, bytes) = patched(&twice, &request(&["$ORIGIN/d"], Some(RpathKind::Rpath)));
    must_load(&shop, &bytes, false);
    let (_, bytes) = patched(&twice, &request(&[], None));
    let left: Vec<_> = entries(&twice).into_iter().filter(|&(tag, _)| tag != DT_RUNPATH).collect();
    assert_eq!(entries(&bytes), left, "no DT_NULL in the middle");
}

#[test]
fn an_empty_runpath_is_a_tag_that_switches_rpath_off() {
    let shop = Workshop::new();
    let old = library(&shop, &["-Wl,-rpath,$ORIGIN/d", "-Wl,--disable-new-dtags"]);
    must_load(&shop, &old, false);
    let (_, bytes) = patched(&old, &request(&[""], Some(RpathKind::Runpath)));
    let found = current(&Image::parse(&bytes).unwrap()).unwrap().unwrap();
    assert_eq!((found.kind, found.entries), (RpathKind::Runpath, vec![vec![]]));
    let file = shop.place("subject", &bytes);
    assert!(outcome(&mut shop.loader(&file, &["answer"])).is_err());
    let unchanged = patch(&bytes, &request(&[""], None)).unwrap();
    assert_eq!(unchanged.method, Method::Unchanged);
    let (removed, bytes) = patched(&bytes, &request(&[], None));
    assert_eq!(removed.method, Method::Remove);
    assert_eq!(current(&Image::parse(&bytes).unwrap()).unwrap(), None);
}

#[test]
fn a_new_runpath_switches_off_what_is_inherited_and_a_new_rpath_does_not() {
    let shop = Workshop::new();
    let inner = shop.build(&UNTAGGED[0]);
    shop.place("libinner.so", &inner);
    shop.write("user.c", "int answer(void);\nint main(void) { return answer() != 42; }\n");
    let rpath = "-Wl,-rpath,$ORIGIN:$ORIGIN/d,--disable-new-dtags,-rpath-link,d";
    shop.gcc(&["user.c", "./libinner.so", "-o", "user", rpath]);
    // The program needs it by the name that it was linked with.
    let mut user = Command::new(shop.path("user"));
    user.current_dir(shop.path(""));
    assert_eq!(outcome(&mut user), Ok(()), "the library is found by the program's DT_RPATH");
    for (kind, loads) in [(RpathKind::Runpath, false), (RpathKind::Rpath, true)] {
        let (_, bytes) = patched(&inner, &request(&["/elsewhere"], Some(kind)));
        shop.place("libinner.so", &bytes);
        assert_eq!(outcome(&mut user).is_ok(), loads, "{kind:?}");
    }
}

#[test]
fn a_dynamic_table_that_is_mapped_from_the_file_is_not_edited_in_place() {
    let shop = Workshop::new();
    for (flag, in_place) in [("-Wl,-z,relro", true), ("-Wl,-z,rodynamic", false)] {
        let old = library(&shop, &[flag, "-B/usr/lib/llvm-19/bin", "-fuse-ld=lld"]);
        let wanted = request(&["$ORIGIN/d"], Some(RpathKind::Rpath));
        let (converted, bytes) = patched(&old, &wanted);
        let expected = (Method::Slot, in_place);
        assert_eq!((converted.method, converted.in_place), expected, "{flag}");
        must_load(&shop, &bytes, false);
        // The string alone may be written.
        let (shorter, _) = patched(&old, &request(&["$ORIGIN/d"], None));
        assert_eq!((shorter.method, shorter.in_place), (Method::Slot, true), "{flag}");
    }
}

#[test]
fn the_new_segment_is_aligned_as_the_other_ones_and_nothing_else() {
    let shop = Workshop::new();
    shop.write("tls.c", "_Thread_local int tls = 1;\nint *at(void) { return &tls; }\n");
    let old = library(&shop, &["tls.c"]);
    let aligned = with(&old, header_at(&old, PT_TLS) + 48, &0x4000_u64.to_le_bytes());
    let (_, bytes) = patched(&aligned, &request(&[&far_away()], None));
    let load = last_load(&bytes);
    assert_eq!((load.p_align, load.p_paddr), (4096, load.p_vaddr));
    let old = library(&shop, &["-Wl,-z,max-page-size=65536"]);
    let (_, bytes) = patched(&old, &request(&[&far_away()], None));
    let load = last_load(&bytes);
    assert_eq!((load.p_align, load.p_vaddr % 65536), (65536, load.p_offset % 65536));
}

/// The section headers: `sh_type`, `sh_flags`, address, offset, size; and the same of the segments.
fn rows(bytes: &[u8]) -> Vec<[u64; 6]> {
    let word = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap());
    let half = |at: usize| u64::from(u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap()));
    let start = word(40) as usize;
    let count = usize::from(bytes[60]);
    let row = |index: usize| {
        let at = start + 64 * index;
        [half(at), half(at + 4), word(at + 8), word(at + 16), word(at + 24), word(at + 32)]
    };
    (0..count).map(row).collect()
}

#[test]
fn no_segment_is_left_without_a_section_and_no_index_changes() {
    let shop = Workshop::new();
    for (flavour, entries) in [
        (&TAGGED[0], &[&*far_away()][..]),
        (&UNTAGGED[2], &["$ORIGIN/d"]),
        (&TAGGED[10], &["/x", OLD]),
    ] {
        let old = shop.build(flavour);
        let (_, bytes) = patched(&old, &request(entries, None));
        let (before, after) = (rows(&old), rows(&bytes));
        assert!(after.len() > before.len());
        for (index, (before, after)) in before.iter().zip(&after).enumerate() {
            assert_eq!(before[..2], after[..2], "{}: row {index}", flavour.name);
        }
        for load in segments(&bytes).iter().filter(|segment| segment.p_type == PT_LOAD) {
            let is_in = |row: &&[u64; 6]| {
                let address = load.p_vaddr..load.p_vaddr + load.p_memsz;
                row[2] & 2 != 0 && row[5] > 0 && address.contains(&row[3])
            };
            assert!(after.iter().any(|row| is_in(&row)), "{}: {load:?}", flavour.name);
        }
        // The names of the sections are not loaded, and the table of strings ends the file.
        let names = after[usize::from(bytes[62])];
        let load = last_load(&bytes);
        assert!(names[4] + names[5] <= load.p_offset);
        assert_eq!(load.p_offset + load.p_filesz, bytes.len() as u64);
        let dynstr = after.iter().find(|row| row[1] == 3 && row[2] & 2 != 0).unwrap();
        assert_eq!(dynstr[4] + dynstr[5], bytes.len() as u64);
        assert_eq!(Some(dynstr[3]), value(&bytes, DT_STRTAB));
    }
}

#[test]
fn a_table_of_names_that_symbols_share_is_not_copied() {
    let shop = Workshop::new();
    let old = library(&shop, &["-s"]);
    // The names of the sections double as those of a table of symbols.
    let mut shared = old.clone();
    let (start, count) = (u64::from_le_bytes(old[40..48].try_into().unwrap()), old[60]);
    let comment = rows(&old).iter().rposition(|row| row[1] == 1 && row[2] & 2 == 0).unwrap();
    assert!(comment < usize::from(count));
    let at = start as usize + 64 * comment;
    shared[at + 4] = 2;
    shared[at + 32..at + 40].copy_from_slice(&24_u64.to_le_bytes());
    shared[at + 40] = old[62];
    shared[at + 56] = 24;
    let table = rows(&shared)[usize::from(old[62])];
    let (_, bytes) = patched(&shared, &request(&[&far_away(), "$ORIGIN/d"], None));
    assert_eq!(rows(&bytes)[usize::from(bytes[62])], table);
    let file = shop.place("subject", &bytes);
    assert_eq!(outcome(&mut shop.loader(&file, &["answer"])), Ok(()));
    let (out, _) = tool("readelf", &["-SW", file.to_str().unwrap()]);
    assert_eq!(out.matches(" dynstr ").count(), 2, "the end of a name has to do: {out}");
}

#[test]
fn what_cannot_be_foreseen_is_refused_by_name() {
    let shop = Workshop::new();
    let old = library(&shop, &[]);
    let dynamic = header_at(&old, 2);
    let segment_of = |p_type| segment(&old, p_type).unwrap();
    let table = segment_of(2);

    let another = with(&old, header_at(&old, PT_NOTE), &2_u32.to_le_bytes());
    assert_eq!(refusal(&another), Refusal::SeveralDynamicTables { count: 2 });

    let elsewhere = with(&old, dynamic + 16, &(table.p_vaddr - 8).to_le_bytes());
    let p_vaddr = table.p_vaddr - 8;
    let expected = Refusal::DynamicTableElsewhere { p_offset: table.p_offset, p_vaddr };
    assert_eq!(refusal(&elsewhere), expected);

    let at = entry_at(&old, DT_SYMTAB) + 8;
    let inside = value(&old, DT_STRTAB).unwrap() + 1;
    let overlapping = with(&old, at, &inside.to_le_bytes());
    assert_eq!(refusal(&overlapping), Refusal::StringTableOverlap { tag: DT_SYMTAB });

    let last = 64 + 56 * segments(&old).iter().rposition(|s| s.p_type == PT_LOAD).unwrap();
    let huge = with(&old, last + 40, &(u64::MAX / 2).to_le_bytes());
    assert!(matches!(refusal(&huge), Refusal::NoAddressRoom { .. }));

    let sections = u64::from_le_bytes(old[40..48].try_into().unwrap()) as usize;
    let dynstr = rows(&old).iter().position(|row| row[1] == 3 && row[2] & 2 != 0).unwrap();
    let row = sections + 64 * dynstr;
    let moved = with(&old, row + 24, &(rows(&old)[dynstr][4] + 8).to_le_bytes());
    assert_eq!(refusal(&moved), Refusal::SectionsDisagree { what: ".dynstr" });
    let index = rows(&old).iter().position(|row| row[1] == 6).unwrap();
    let row = sections + 64 * index;
    let moved = with(&old, row + 24, &(rows(&old)[index][4] + 16).to_le_bytes());
    assert_eq!(refusal(&moved), Refusal::SectionsDisagree { what: ".dynamic" });

    let mut many = old.clone();
    let count = 0xfeff_u16;
    let offset = many.len() as u64;
    many.resize(many.len() + 64 * usize::from(count), 0);
    let table = old[sections..sections + 64 * usize::from(old[60])].to_vec();
    many[offset as usize..offset as usize + table.len()].copy_from_slice(&table);
    many[40..48].copy_from_slice(&offset.to_le_bytes());
    many[60..62].copy_from_slice(&count.to_le_bytes());
    assert_eq!(refusal(&many), Refusal::TooManySections { count: usize::from(count) });
}

#[test]
fn the_tag_is_converted_only_when_that_is_asked_for() {
    let shop = Workshop::new();
    let file = shop.place("x.so", &library(&shop, &["-Wl,--disable-new-dtags"]));
    let path = file.to_str().unwrap();
    let dir = file.parent().unwrap();
    let kind = || {
        let bytes = std::fs::read(&file).unwrap();
        current(&Image::parse(&bytes).unwrap()).unwrap().unwrap().kind
    };
    for arguments in [
        &["rpath", "set", "--entry", "$ORIGIN/d", path][..],
        &["rpath", "add", "--entry", "/more", path],
        &["rpath", "add", "--entry", &far_away(), path],
        &["rpath", "remove", "--entry", "/more", path],
    ] {
        command::run(dir, arguments).text(0);
        assert_eq!(kind(), RpathKind::Rpath, "{arguments:?}");
    }
    command::run(dir, &["rpath", "add", "--entry", "/x", path, "--rpath-kind", "runpath"]).text(0);
    assert_eq!(kind(), RpathKind::Runpath);
    command::run(dir, &["rpath", "add", "--entry", "/y", path]).text(0);
    assert_eq!(kind(), RpathKind::Runpath);
}
