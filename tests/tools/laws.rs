//! What holds for every edit of an ELF object, whatever linked it.

use crate::support::elf_builder::{
    Flavour, OLD, TAGGED, UNTAGGED, Workshop, apply, outcome, patch, patched, request, tool,
};
use tfpatch::edit::EditSet;
use tfpatch::elf::Image;
use tfpatch::elf::edit::{Failure, Method, Refusal, edit};
use tfpatch::elf::hash::{Name, exports, exports_each, imports};
use tfpatch::elf::search_path::{RpathKind, current};
use tfpatch::elf::structs::Structs as _;

/// An entry of 3,000 bytes that leads nowhere.
fn far_away() -> String {
    format!("$ORIGIN/{}", "far/away/".repeat(333))
}

/// Loads the object, asks readelf, and does both again after strip and objcopy.
fn must_serve(shop: &Workshop, flavour: &Flavour, bytes: &[u8], path: &str, tag: &str) {
    let what = format!("{} {tag} {}", flavour.name, &path[..path.len().min(60)]);
    let file = shop.place("patched", bytes);
    let check = |step: &str| {
        if let Err(error) = shop.loads(&file, flavour) {
            panic!("{what}: {step}: {error}");
        }
        let (out, complaints) = tool("readelf", &["-aW", file.to_str().unwrap()]);
        assert_eq!(complaints, "", "{what}: {step}");
        assert!(
            out.contains(&format!("({tag})")) && out.contains(&format!("[{path}]")),
            "{what}: {step}"
        );
    };
    check("patched");
    if !flavour.is_sectionless {
        for (name, arguments) in [("strip", &["-g"][..]), ("objcopy", &[])] {
            shop.place("patched", bytes);
            let mut arguments = arguments.to_vec();
            arguments.push(file.to_str().unwrap());
            assert_eq!(tool(name, &arguments).1, "", "{what}");
            check(name);
        }
    }
}

#[test]
fn every_request_is_served_for_everything_that_linkers_write() {
    let shop = Workshop::new();
    let far_away = far_away();
    for flavour in TAGGED {
        let old = shop.build(flavour);
        let control = shop.place("control", &old);
        assert!(shop.loads(&control, flavour).is_err(), "{}: the control must fail", flavour.name);
        let was = current(&Image::parse(&old).unwrap()).unwrap().unwrap();
        assert_eq!(was.entries, [OLD.as_bytes()]);
        let tag = |kind| if kind == RpathKind::Rpath { "RPATH" } else { "RUNPATH" };

        let same = patch(&old, &request(&[OLD], None)).unwrap();
        assert_eq!((same.method, same.edits.is_empty()), (Method::Unchanged, true));

        let (shorter, bytes) = patched(&old, &request(&["$ORIGIN/d"], None));
        assert_eq!((shorter.method, shorter.in_place), (Method::Slot, true), "{}", flavour.name);
        assert_eq!((bytes.len(), shorter.edits.in_write_order().len()), (old.len(), 1));
        must_serve(&shop, flavour, &bytes, "$ORIGIN/d", tag(was.kind));

        for entries in [&[OLD, "$ORIGIN/d"][..], &[OLD, &far_away, "$ORIGIN/d"]] {
            let (longer, bytes) = patched(&old, &request(entries, None));
            assert!(
                matches!(longer.method, Method::NewSegment | Method::ExtendTail),
                "{}: {:?}",
                flavour.name,
                longer.method
            );
            must_serve(&shop, flavour, &bytes, &entries.join(":"), tag(was.kind));
            let (again, bytes) =
                patched(&bytes, &request(&[entries, &["$ORIGIN/more"]].concat(), None));
            assert_eq!(again.method, Method::ExtendTail, "{}", flavour.name);
            let path = format!("{}:$ORIGIN/more", entries.join(":"));
            must_serve(&shop, flavour, &bytes, &path, tag(was.kind));
        }

        for kind in [RpathKind::Rpath, RpathKind::Runpath] {
            for entries in [&["$ORIGIN/d"][..], &[&far_away, "$ORIGIN/d"]] {
                let (_, bytes) = patched(&old, &request(entries, Some(kind)));
                must_serve(&shop, flavour, &bytes, &entries.join(":"), tag(kind));
            }
        }

        let (removed, bytes) = patched(&old, &request(&[], None));
        assert_eq!((removed.method, bytes.len()), (Method::Remove, old.len()));
        let file = shop.place("removed", &bytes);
        let (out, complaints) = tool("readelf", &["-dW", file.to_str().unwrap()]);
        assert_eq!(complaints, "");
        assert!(!out.contains("PATH)"), "{}: {out}", flavour.name);
        assert!(shop.loads(&file, flavour).is_err());
        let mut command = match flavour.is_program {
            true => std::process::Command::new(&file),
            false => shop.loader(&file, &["answer"]),
        };
        outcome(command.env("LD_LIBRARY_PATH", shop.path("d"))).unwrap();
        // What went away leaves room for a new tag.
        let (_, bytes) = patched(&bytes, &request(&["$ORIGIN/d"], None));
        must_serve(&shop, flavour, &bytes, "$ORIGIN/d", "RUNPATH");
    }
}

#[test]
fn a_tag_is_added_where_there_was_none() {
    let shop = Workshop::new();
    for flavour in UNTAGGED {
        let old = shop.build(flavour);
        assert!(shop.loads(&shop.place("control", &old), flavour).is_err());
        assert_eq!(current(&Image::parse(&old).unwrap()).unwrap(), None);
        let nothing = patch(&old, &request(&[], None)).unwrap();
        assert_eq!(nothing.method, Method::Unchanged);
        for (kind, tag) in [(None, "RUNPATH"), (Some(RpathKind::Rpath), "RPATH")] {
            let (added, bytes) = patched(&old, &request(&["$ORIGIN/d"], kind));
            assert_eq!(added.method, Method::NewSegment, "{}", flavour.name);
            must_serve(&shop, flavour, &bytes, "$ORIGIN/d", tag);
            let entries = ["$ORIGIN/d", "$ORIGIN/more"];
            let (again, bytes) = patched(&bytes, &request(&entries, kind));
            assert_eq!(again.method, Method::ExtendTail, "{}", flavour.name);
            must_serve(&shop, flavour, &bytes, &entries.join(":"), tag);
        }
    }
}

#[test]
fn every_prefix_of_the_writes_loads_where_the_file_is_edited_in_place() {
    let shop = Workshop::new();
    let library = &TAGGED[0];
    let old = shop.build_with_gap();
    let far_away = far_away();
    let mut seen = Vec::new();
    let first = request(&[&far_away, "$ORIGIN/d"], None);
    let (_, grown) = patched(&old, &first);
    // gold gives libraries a PT_PHDR, whose place the new header takes.
    let gold = TAGGED.iter().find(|flavour| flavour.name == "gold").unwrap();
    let without_gap = shop.build(gold);
    let cases = [
        (&old, first.clone()),
        (&without_gap, first),
        (&old, request(&["$ORIGIN/d"], Some(RpathKind::Rpath))),
        (&old, request(&[], None)),
        (&grown, request(&[&far_away, "$ORIGIN/d", "$ORIGIN/more"], Some(RpathKind::Rpath))),
    ];
    for (bytes, request) in cases {
        let (patch, new) = patched(bytes, &request);
        assert!(patch.in_place_unopened, "{:?}", patch.method);
        seen.push((patch.method, patch.in_place));
        let writes = patch.edits.in_write_order();
        for count in 0..=writes.len() {
            let edits = EditSet::new(bytes.len() as u64, writes[..count].to_vec()).unwrap();
            let prefix = apply(bytes, &edits);
            let file = shop.place("prefix", &prefix);
            // The new path counts at the end; until then the library is found by the environment.
            let mut command = shop.loader(&file, &["answer"]);
            let result = outcome(command.env("LD_LIBRARY_PATH", shop.path("d")));
            assert_eq!(result, Ok(()), "{:?} after {count} writes", patch.method);
            let (_, complaints) = tool("readelf", &["-dlW", file.to_str().unwrap()]);
            assert_eq!(complaints, "", "{:?} after {count} writes", patch.method);
        }
        let file = shop.place("whole", &new);
        assert_eq!(shop.loads(&file, library).is_ok(), !request.entries().is_empty());
    }
    assert_eq!(
        seen,
        [
            (Method::NewSegment, true),
            // A process that runs the file would see the header that takes another's place.
            (Method::NewSegment, false),
            (Method::Slot, true),
            (Method::Remove, true),
            (Method::ExtendTail, true),
        ],
        "each way to edit in place was tried"
    );
}

#[test]
fn a_slot_that_a_name_ends_in_is_not_overwritten() {
    let shop = Workshop::new();
    shop.write(
        "tail.c",
        "int dep(void); int dep_tail(void);\nint answer(void) { return dep_tail(); }\n\
         int defined_tail(void) { return 42; }\n\
         int puts(const char *);\nint says(void) { return puts(\"\"); }\n",
    );
    shop.write("tail.map", "the_version_tail { global: *; };\n");
    for style in ["gnu", "sysv", "both"] {
        for (path, extra) in [
            ("/not/here/defined_tail", ""),
            ("/not/here/dep_tail", ""),
            ("/not/here/soname_tail.so", "-Wl,-soname,soname_tail.so"),
            ("/not/here/libdep.so", ""),
            ("/not/here/the_version_tail", "-Wl,--version-script=tail.map"),
            ("/not/here/GLIBC_2.2.5", ""),
            ("/not/here/aux_tail.so", "-Wl,--auxiliary=aux_tail.so"),
        ] {
            let rpath = format!("-Wl,-rpath,{path}");
            let hash = format!("-Wl,--hash-style={style}");
            let mut arguments = vec!["-shared", "-fPIC", "tail.c", "-o", "tail.so", &hash, &rpath];
            arguments.extend(["-Ld", "-ldep"]);
            arguments.extend(Some(extra).filter(|extra| !extra.is_empty()));
            shop.gcc(&arguments);
            let old = std::fs::read(shop.path("tail.so")).unwrap();
            let (shorter, bytes) = patched(&old, &request(&["$ORIGIN/d"], None));
            assert_eq!(shorter.method, Method::NewSegment, "{style} {path}");
            let file = shop.place("tail", &bytes);
            outcome(&mut shop.loader(&file, &["answer", "defined_tail"])).unwrap();
        }
    }
}

#[test]
fn a_wanted_string_that_stands_in_the_table_is_pointed_at() {
    let shop = Workshop::new();
    let flags = ["-Wl,-rpath,/not/here/dep:$ORIGIN/d", "-Wl,-soname,not/here/dep:$ORIGIN/d"];
    shop.gcc(
        &[&["-shared", "-fPIC", "library.c", "-o", "x.so", "-Ld", "-ldep"], &flags[..]].concat(),
    );
    let old = std::fs::read(shop.path("x.so")).unwrap();
    let (repointed, bytes) = patched(&old, &request(&["$ORIGIN/d"], None));
    assert_eq!((repointed.method, repointed.in_place), (Method::Repoint, true));
    assert_eq!(repointed.edits.bytes_changed(), 8);
    must_serve(&shop, &TAGGED[0], &bytes, "$ORIGIN/d", "RUNPATH");
}

#[test]
fn a_hundred_edits_to_and_fro_grow_the_file_once() {
    let shop = Workshop::new();
    let mut bytes = shop.build(&TAGGED[0]);
    let far_away = far_away();
    let (_, grown) = patched(&bytes, &request(&[&far_away], None));
    for _ in 0..50 {
        bytes = patched(&bytes, &request(&[&far_away], None)).1;
        bytes = patched(&bytes, &request(&["$ORIGIN/d"], None)).1;
    }
    assert_eq!(bytes.len(), grown.len());
    must_serve(&shop, &TAGGED[0], &bytes, "$ORIGIN/d", "RUNPATH");
}

#[test]
fn with_both_tags_the_runpath_counts_and_both_go() {
    let shop = Workshop::new();
    // Two tags: a DT_SONAME that is made a DT_RPATH.
    shop.gcc(&[
        "-shared",
        "-fPIC",
        "library.c",
        "-o",
        "x.so",
        "-Ld",
        "-ldep",
        "-Wl,-soname,/rpath",
        "-Wl,-rpath,/runpath",
    ]);
    let mut old = std::fs::read(shop.path("x.so")).unwrap();
    let soname = Image::parse(&old).unwrap().entry(14).unwrap().offset as usize;
    old[soname] = 15;
    let kind_of = |bytes: &Vec<u8>| current(&Image::parse(bytes).unwrap()).unwrap();
    assert_eq!(kind_of(&old).unwrap().entries, [b"/runpath"]);
    let (_, as_rpath) = patched(&old, &request(&["$ORIGIN/d"], Some(RpathKind::Rpath)));
    must_serve(&shop, &TAGGED[0], &as_rpath, "$ORIGIN/d", "RPATH");
    let (_, bytes) = patched(&old, &request(&["$ORIGIN/d"], None));
    must_serve(&shop, &TAGGED[0], &bytes, "$ORIGIN/d", "RUNPATH");
    let (_, bytes) = patched(&old, &request(&[], None));
    assert_eq!(kind_of(&bytes), None);
}

#[test]
fn symbols_are_found_by_every_kind_of_table() {
    let shop = Workshop::new();
    for flavour in TAGGED.iter().chain(UNTAGGED).filter(|flavour| !flavour.is_program) {
        let bytes = shop.build(flavour);
        let image = Image::parse(&bytes).unwrap();
        let ask = |name: &str| {
            let name = name.as_bytes();
            (exports(&image, name).unwrap(), imports(&image, name).unwrap())
        };
        assert_eq!(ask("answer"), (true, false), "{}", flavour.name);
        assert_eq!(ask("dep"), (false, true), "{}", flavour.name);
        assert_eq!(ask("answe"), (false, false), "{}", flavour.name);
        assert_eq!(ask(""), (false, false), "{}", flavour.name);
        // Asked for all at once, in any order, the answers are the same.
        let names = ["", "dep", "answer", "answe"].map(|name| Name::new(name.as_bytes()));
        let all = exports_each(&image, &names).unwrap();
        assert_eq!(all, [false, false, true, false], "{}", flavour.name);
    }
    // A program may export nothing, which leaves its GNU hash table empty.
    let bytes = shop.build(&TAGGED[10]);
    let image = Image::parse(&bytes).unwrap();
    assert!(imports(&image, b"dep").unwrap() && !exports(&image, b"dep").unwrap());
}

#[test]
fn what_is_no_library_to_edit_is_refused_by_name() {
    let shop = Workshop::new();
    let wanted = request(&["$ORIGIN/d", &far_away()], None);
    let refusal = |bytes: &Vec<u8>| match patch(bytes, &wanted) {
        Err(Failure::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    };
    let built = |arguments: &[&str]| {
        shop.gcc(&[&["program.c", "dep.c", "-o", "refused"], arguments].concat());
        std::fs::read(shop.path("refused")).unwrap()
    };
    assert_eq!(refusal(&built(&["-static"])), Refusal::NotDynamic);
    assert_eq!(refusal(&built(&["-static-pie"])), Refusal::StaticPie);
    assert_eq!(refusal(&built(&["-r", "-nostdlib"])), Refusal::NotDynamic);

    let old = shop.build(&TAGGED[0]);
    let image = Image::parse(&old).unwrap();
    let loads: Vec<usize> = image
        .segments()
        .iter()
        .enumerate()
        .filter(|(_, segment)| segment.p_type == 1)
        .map(|(index, _)| index)
        .collect();
    let header = |index: usize| 64 + 56 * index;
    let with = |at: usize, new: &[u8]| {
        let mut bytes = old.clone();
        bytes[at..at + new.len()].copy_from_slice(new);
        bytes
    };
    assert_eq!(refusal(&with(18, &[8, 0])), Refusal::Mips { machine: 8 });
    let index = loads[1];
    let align = header(index) + 48;
    assert_eq!(
        refusal(&with(align, &[0x10, 0x30])),
        Refusal::BadAlignment { index, p_align: 0x3010 }
    );
    assert!(matches!(refusal(&with(align + 3, &[1, 0])), Refusal::BadAlignment { .. }));
    assert!(matches!(refusal(&with(header(index) + 16, &[8])), Refusal::Incongruent { .. }));
    assert!(matches!(
        refusal(&with(header(index) + 17, &[0])),
        Refusal::OverlappingSegments { .. }
    ));
    let mut swapped = old.clone();
    for at in 0..56 {
        swapped.swap(header(loads[1]) + at, header(loads[2]) + at);
    }
    assert!(matches!(refusal(&swapped), Refusal::UnsortedSegments { .. }));

    let len = old.len() as u64;
    let mut payload = old.clone();
    payload.extend(b"PK\x03\x04");
    assert_eq!(refusal(&payload), Refusal::AppendedPayload { start: len, len: 4 });
    let mut cut = old.clone();
    cut.pop();
    assert_eq!(refusal(&cut), Refusal::Truncated { end: len, len: len - 1 });

    let colon = edit(&image, &request(&["$ORIGIN", "a:b"], None));
    assert_eq!(colon, Err(Failure::Refused(Refusal::EntryHolds { index: 1, byte: ':' })));
    let nul = edit(&image, &request(&["a\0"], None));
    assert_eq!(nul, Err(Failure::Refused(Refusal::EntryHolds { index: 0, byte: '\0' })));

    let (interpreter, _) = tool("gcc", &["-print-file-name=libc.so.6"]);
    let libc = std::fs::read(interpreter.trim()).unwrap();
    let libc_image = Image::parse(&libc).unwrap();
    let loader = libc_image.summary().unwrap().interpreter.unwrap();
    let loader = std::fs::read(String::from_utf8(loader).unwrap()).unwrap();
    assert!(matches!(refusal(&loader), Refusal::DynamicLoader { .. }));
    assert!(exports(&libc_image, b"malloc").unwrap());
}
