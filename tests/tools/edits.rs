//! Edits of names and flags, on objects of real linkers: the loader sees what was asked for, before and
//! after strip, and the inverse gives the old bytes.

use crate::support::elf_builder::{
    Flavour, TAGGED, UNTAGGED, Workshop, apply, lint, outcome, patch, patched, tool,
};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use tfpatch::edit::Pair;
use tfpatch::elf::Image;
use tfpatch::elf::edit::counterpart::Beside;
use tfpatch::elf::edit::{Change, Failure, Method, Refusal, Request};
use tfpatch::object::is_own_edit;

fn name(length: usize) -> String {
    format!("lib{}.so", "long".repeat(length))
}

fn replace(old: &str, new: &str) -> Change {
    Change::ReplaceNeeded { old: old.into(), new: new.into() }
}

fn path_of_d() -> Change {
    let entries = vec![b"$ORIGIN/d".to_vec()];
    Change::SearchPath { entries, kind: None }
}

/// The object with the changes, which are undone by their inverse, and known as an edit of our own.
fn changed(old: &Vec<u8>, changes: &[Change]) -> (Method, Vec<u8>) {
    let (patch, new) = patched(old, &Request { changes: changes.to_vec() });
    let own = [OsStr::new("x")];
    let all = Beside { stack: true, names: true };
    assert!(is_own_edit(Pair::new(old, &new), &own, all), "{changes:?} is not known");
    assert!(is_own_edit(Pair::new(&new, old), &own, all), "{changes:?} turned around is not known");
    // Without a word of it only a search path changes, and what tells nothing of libraries.
    let is_plain = |change: &Change| {
        matches!(change, Change::SearchPath { .. } | Change::DebugTag | Change::OsAbi(_))
    };
    if *old != new && !changes.iter().any(is_plain) {
        assert!(!is_own_edit(Pair::new(old, &new), &own, Beside::default()), "{changes:?}");
    }
    (patch.method, new)
}

/// The object as each of the tools that strip leaves it, with it as it is.
fn stripped(shop: &Workshop, bytes: &[u8]) -> Vec<(String, PathBuf)> {
    let mut files = vec![("as it is".to_owned(), shop.place("subject", bytes))];
    let has_sections =
        !Image::parse(&bytes).unwrap().source().get(40..48).unwrap().iter().all(|&byte| byte == 0);
    let tools = [("strip", "-g"), ("objcopy", "--strip-unneeded"), ("eu-strip", "-g")];
    for (program, option) in tools.into_iter().filter(|_| has_sections) {
        let file = shop.place(&format!("subject.{program}"), bytes);
        let (_, complaints) = tool(program, &[option, file.to_str().unwrap()]);
        assert_eq!(complaints, "", "{program}");
        files.push((program.to_owned(), file));
    }
    files
}

fn quiet(file: &Path) {
    let (_, complaints) = tool("readelf", &["-aW", file.to_str().unwrap()]);
    assert_eq!(complaints, "");
}

#[test]
fn names_of_libraries_are_replaced_added_and_removed_in_every_layout() {
    let shop = Workshop::new();
    let other = name(50);
    std::fs::copy(shop.path("d/libdep.so"), shop.path("d").join(&other)).unwrap();
    shop.gcc(&["-shared", "-fPIC", "dep.c", "-Wl,-soname,libmore.so", "-o", "d/libmore.so"]);
    for flavour in TAGGED.iter().chain(UNTAGGED) {
        let old = shop.build(flavour);
        let steps: [&[Change]; 4] = [
            &[path_of_d(), replace("libdep.so", &other)],
            &[path_of_d(), Change::AddNeeded { name: b"libmore.so".to_vec(), first: true }],
            &[path_of_d(), replace("libdep.so", "libmore.so")],
            &[
                path_of_d(),
                Change::AddNeeded { name: b"libmore.so".to_vec(), first: false },
                Change::RemoveNeeded(b"libdep.so".to_vec()),
            ],
        ];
        for changes in steps {
            let (_, new) = changed(&old, changes);
            for (how, file) in stripped(&shop, &new) {
                let loads = shop.loads(&file, flavour);
                assert_eq!(loads, Ok(()), "{}, {changes:?}, {how}", flavour.name);
                quiet(&file);
            }
            // A second edit meets what the first one left.
            let (_, again) =
                changed(&new, &[Change::AddNeeded { name: b"libdl.so.2".to_vec(), first: false }]);
            let file = shop.place("again", &again);
            assert_eq!(shop.loads(&file, flavour), Ok(()), "{}, {changes:?}", flavour.name);
        }
        let (_, new) = changed(&old, &[path_of_d(), replace("libdep.so", "libabsent.so")]);
        let file = shop.place("subject", &new);
        let said = shop.loads(&file, flavour).unwrap_err();
        assert!(said.contains("libabsent.so"), "{}: {said}", flavour.name);
    }
}

/// A library with versions, one like it under another name, and a library that needs it.
fn versioned(shop: &Workshop, flavour: &[&str]) -> Vec<u8> {
    shop.write("map", "V_1 { global: dep; local: *; };\n");
    shop.write("map2", "W_1 { global: other; };\n");
    let soname = |name: &str| format!("-Wl,-soname,{name}");
    for name in ["libver.so", "libnew-and-longer.so"] {
        let out = format!("d/{name}");
        let script = "-Wl,--version-script,map";
        shop.gcc(&["-shared", "-fPIC", "dep.c", script, &soname(name), "-o", &out]);
    }
    shop.write("other.c", "int other(void) { return 0; }\n");
    let script = "-Wl,--version-script,map2";
    shop.gcc(&[
        "-shared",
        "-fPIC",
        "other.c",
        script,
        &soname("libother.so"),
        "-o",
        "d/libother.so",
    ]);
    shop.write(
        "user.c",
        "#include <math.h>\nint dep(void); int other(void);\n\
         int answer(void) { volatile double x = 0; return dep() + other() + (int)sin(x); }\n",
    );
    let rpath = "-Wl,-rpath,$ORIGIN/d";
    let arguments =
        ["-shared", "-fPIC", "user.c", "-o", "user.so", "-Ld", "-lver", "-lother", "-lm", rpath];
    shop.gcc(&[&arguments, flavour].concat());
    std::fs::read(shop.path("user.so")).unwrap()
}

#[test]
fn version_needs_follow_their_library() {
    let shop = Workshop::new();
    let library = Flavour { name: "user", flags: &[], is_program: false, is_sectionless: false };
    for flags in [&[][..], &["-Wl,-z,now"], &["-fuse-ld=gold"], &["-fuse-ld=lld"], &["-s"]] {
        let old = versioned(&shop, flags);
        let (_, new) = changed(&old, &[replace("libver.so", "libnew-and-longer.so")]);
        // glibc stops with an assertion where a need names a library that it has not loaded.
        std::fs::rename(shop.path("d/libver.so"), shop.path("d/hidden")).unwrap();
        for (how, file) in stripped(&shop, &new) {
            assert_eq!(shop.loads(&file, &library), Ok(()), "{flags:?} {how}");
            quiet(&file);
        }
        let removed = [
            Change::AddNeeded { name: b"libnew-and-longer.so".to_vec(), first: false },
            Change::RemoveNeeded(b"libver.so".to_vec()),
            Change::RemoveNeeded(b"libm.so.6".to_vec()),
            Change::AddNeeded { name: b"libm.so.6".to_vec(), first: false },
        ];
        let (_, new) = changed(&old, &removed);
        for (how, file) in stripped(&shop, &new) {
            assert_eq!(shop.loads(&file, &library), Ok(()), "{flags:?} {how}");
            let (versions, complaints) = tool("readelf", &["-VW", file.to_str().unwrap()]);
            assert!(!versions.contains("V_1") && versions.contains("W_1"), "{versions}");
            assert_eq!(complaints, "");
        }
        std::fs::rename(shop.path("d/hidden"), shop.path("d/libver.so")).unwrap();
    }
}

#[test]
fn an_object_may_lose_all_its_version_needs() {
    let shop = Workshop::new();
    let library = Flavour { name: "user", flags: &[], is_program: false, is_sectionless: false };
    versioned(&shop, &[]);
    shop.write("one.c", "int dep(void);\nint answer(void) { return dep(); }\n");
    let rpath = "-Wl,-rpath,$ORIGIN/d";
    shop.gcc(&["-shared", "-fPIC", "-nostdlib", "one.c", "-o", "one.so", "-Ld", "-lver", rpath]);
    let old = std::fs::read(shop.path("one.so")).unwrap();
    assert_eq!(Image::parse(&old).unwrap().version_needs().unwrap().len(), 1);
    let changes = [
        Change::RemoveNeeded(b"libver.so".to_vec()),
        Change::AddNeeded { name: b"libdep.so".to_vec(), first: false },
    ];
    let (_, new) = changed(&old, &changes);
    for (how, file) in stripped(&shop, &new) {
        assert_eq!(shop.loads(&file, &library), Ok(()), "{how}");
        quiet(&file);
    }
}

#[test]
fn a_soname_is_set_and_the_linker_takes_it() {
    let shop = Workshop::new();
    for flavour in TAGGED.iter().chain(UNTAGGED).filter(|flavour| !flavour.is_program) {
        let old = shop.build(flavour);
        for soname in ["libshort.so", &name(100)] {
            let (_, new) = changed(&old, &[path_of_d(), Change::Soname(soname.into())]);
            for (how, file) in stripped(&shop, &new) {
                assert_eq!(shop.loads(&file, flavour), Ok(()), "{} {how}", flavour.name);
                let (told, _) = tool("patchelf", &["--print-soname", file.to_str().unwrap()]);
                let has_sections = !flavour.is_sectionless;
                assert!(!has_sections || told.trim() == soname, "{} {how} {told}", flavour.name);
                quiet(&file);
            }
        }
    }
}

#[test]
fn a_program_is_given_another_loader() {
    let shop = Workshop::new();
    let long = shop.path(&"far/".repeat(30));
    std::fs::create_dir_all(&long).unwrap();
    for flavour in TAGGED.iter().chain(UNTAGGED).filter(|flavour| flavour.is_program) {
        let old = shop.build(flavour);
        let usual = Image::parse(&old).unwrap().interpreter().unwrap().unwrap();
        let usual = PathBuf::from(String::from_utf8(usual).unwrap());
        for directory in [&shop.path(""), &long] {
            let link = directory.join("l");
            let _ = std::fs::remove_file(&link);
            std::os::unix::fs::symlink(&usual, &link).unwrap();
            let loader = link.to_str().unwrap().as_bytes().to_vec();
            let (_, new) = changed(&old, &[path_of_d(), Change::Interpreter(loader.clone())]);
            for (how, file) in stripped(&shop, &new) {
                assert_eq!(shop.loads(&file, flavour), Ok(()), "{} {how}", flavour.name);
                quiet(&file);
                let bytes = std::fs::read(&file).unwrap();
                assert_eq!(
                    Image::parse(&bytes).unwrap().interpreter().unwrap(),
                    Some(loader.clone())
                );
            }
            let (_, absent) = changed(&new, &[Change::Interpreter(b"/nowhere/ld.so".to_vec())]);
            let file = shop.place("absent", &absent);
            // Another test's child may hold a new program open for a moment; see `outcome`.
            let kind = loop {
                match Command::new(&file).spawn().unwrap_err().kind() {
                    std::io::ErrorKind::ExecutableFileBusy => {
                        std::thread::sleep(std::time::Duration::from_millis(10));
                    }
                    kind => break kind,
                }
            };
            assert_eq!(kind, std::io::ErrorKind::NotFound);
            std::fs::remove_file(&link).unwrap();
        }
    }
    let library = shop.build(&TAGGED[0]);
    let request = Request::of(Change::Interpreter(b"/lib/ld.so".to_vec()));
    assert_eq!(patch(&library, &request), Err(Failure::Refused(Refusal::NoInterpreter)));
}

#[test]
fn the_flag_of_the_stack_is_one_edit() {
    let shop = Workshop::new();
    for flavour in TAGGED.iter().chain(UNTAGGED) {
        let old = shop.build(flavour);
        let wants = |bytes: &Vec<u8>| {
            Image::parse(bytes).unwrap().summary().unwrap().wants_executable_stack()
        };
        assert!(!wants(&old));
        let (method, new) = changed(&old, &[Change::ExecutableStack(true)]);
        assert_eq!((method, new.len()), (Method::Fields, old.len()));
        assert!(wants(&new), "{}", flavour.name);
        let (_, back) = changed(&new, &[Change::ExecutableStack(false)]);
        assert!(back == old, "{}", flavour.name);
        // With a longer path in one edit, through a new segment.
        let (_, both) = changed(
            &old,
            &[path_of_d(), Change::Soname(name(50).into()), Change::ExecutableStack(true)],
        );
        assert!(wants(&both), "{}", flavour.name);
    }
}

#[test]
fn what_lies_behind_the_sections_stays_where_no_byte_moves() {
    let shop = Workshop::new();
    let mut old = shop.build(&TAGGED[0]);
    old.extend(b"a payload that is found by its distance from the end");
    let (method, new) = changed(&old, &[path_of_d()]);
    assert_eq!((method, new.len()), (Method::Slot, old.len()));
    let file = shop.place("subject", &new);
    assert_eq!(outcome(&mut shop.loader(&file, &["answer"])), Ok(()));
    let none = Change::SearchPath { entries: Vec::new(), kind: None };
    assert_eq!(changed(&old, &[none]).0, Method::Remove);
    assert_eq!(changed(&old, &[Change::ExecutableStack(true)]).0, Method::Fields);
    let longer = Request::of(Change::Soname(name(100).into()));
    let refused = patch(&old, &longer);
    assert!(
        matches!(refused, Err(Failure::Refused(Refusal::AppendedPayload { .. }))),
        "{refused:?}"
    );
}

#[test]
fn flags_and_tags_of_a_fixed_size_are_set() {
    let shop = Workshop::new();
    for flavour in TAGGED.iter().chain(UNTAGGED) {
        let old = shop.build(flavour);
        let changes = [path_of_d(), Change::NoDefaultLibraries, Change::DebugTag, Change::OsAbi(3)];
        let (_, new) = changed(&old, &changes);
        let file = shop.place("subject", &new);
        let (told, complaints) = tool("readelf", &["-hdW", file.to_str().unwrap()]);
        assert_eq!(complaints, "");
        assert!(told.contains("NODEFLIB") && told.contains("(DEBUG)"), "{told}");
        assert!(told.contains("UNIX - GNU") || told.contains("UNIX - Linux"), "{told}");
        assert!(
            lint(&file).is_subset(&lint(&shop.place("old", &old))) || flavour.is_sectionless,
            "{}: {:?}",
            flavour.name,
            lint(&file)
        );
        assert!(
            apply(&new, &patch(&new, &Request { changes: changes.to_vec() }).unwrap().edits) == new
        );
    }
}
