//! Whose store is relied on, and what nobody's record makes an operation do.

use crate::support::command::run;
use crate::support::operated::{append, fix, library, options, step};
use crate::support::trust::{Tree, all_of, open_to_all, record, seal, unsealed};
use crate::support::wheels;
use serde_json::json;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use tfpatch::operation::{Selection, Store, revert};
use tfpatch::plan;

#[test]
fn pipes_devices_and_files_with_two_names_are_no_files_of_a_store() {
    for name in ["lock", "operations/0009-aa.json", "operations/0009-aa.pending.json"] {
        for kind in ["fifo", "device", "link"] {
            let tree = Tree::edited();
            let path = tree.store().join(name);
            let _ = std::fs::remove_file(&path);
            let precious = tree.outside.join("precious");
            std::fs::write(&precious, "precious").unwrap();
            match kind {
                "fifo" => assert!(Command::new("mkfifo").arg(&path).status().unwrap().success()),
                "device" => symlink("/dev/zero", &path).unwrap(),
                _ => std::fs::hard_link(&precious, &path).unwrap(),
            }
            let refused = all_of(&tree.root).iter().filter(|outcome| outcome.is_err()).count();
            // Who only reads does not take the lock, and a recovery reads what is pending alone.
            let expected = match name {
                "lock" => 2,
                "operations/0009-aa.json" => 5,
                _ => 3,
            };
            assert_eq!(refused, expected, "{name}, {kind}");
            assert_eq!(std::fs::read(&precious).unwrap(), b"precious", "{name}, {kind}");
        }
    }
}

/// What an undo changes is held against the object: no constant, no relocation, no right of a page.
#[test]
fn an_undo_changes_nothing_that_a_process_sees_but_the_search_path() {
    // The part of a file, or none for its headers, and a byte in it.
    let places = [
        ("a constant", Some(".rodata"), 0),
        ("a relocation", Some(".rela.dyn"), 16),
        ("the rights of a segment", None, 64 + 4),
    ];
    let directory = tempfile::tempdir().unwrap();
    let source = directory.path().join("x.c");
    std::fs::write(
        &source,
        "static void good(void){} void (*volatile table[1])(void)={good}; \
         const char text[64]=\"the quick brown fox\"; const char *f(void){table[0](); return text;}",
    )
    .unwrap();
    for (what, part, inside) in places {
        let tree = Tree::new();
        let file = tree.root.join("a.so");
        let mut gcc = Command::new("gcc");
        gcc.args(["-shared", "-fPIC", "-O1", "-o"]).arg(&file).arg(&source);
        tree.edit();
        assert!(gcc.status().unwrap().success());
        let now = std::fs::read(&file).unwrap();
        let at = part.map_or(0, |name| section(&now, name).start) + inside;
        let refused = refused_of(&tree.root, "a.so", "elf", (at, now[at] ^ 3));
        assert_eq!(refused, 1, "{what}");
        assert_eq!(std::fs::read(&file).unwrap(), now, "{what}");
    }
}

/// Reverts by the record of a tree, forged to say that one byte of a file was another one before, and
/// counts the files that this is refused for.
fn refused_of(root: &Path, name: &str, kind: &str, (at, before): (usize, u8)) -> usize {
    use base64::Engine as _;
    let now = std::fs::read(root.join(name)).unwrap();
    let mut old = now.clone();
    old[at] = before;
    let edits = |byte: u8| {
        let bytes = base64::engine::general_purpose::STANDARD.encode([byte]);
        json!({"old_len": now.len(), "edits": [
            {"range": {"start": at, "end": at + 1}, "new": {"bytes": bytes}},
        ]})
    };
    let lock = |bytes: &Vec<u8>| {
        let range = at as u64..at as u64 + 1;
        serde_json::to_value(plan::Lock::of(bytes, std::slice::from_ref(&range)).unwrap()).unwrap()
    };
    let path = record(root);
    let mut operation = unsealed(&path);
    let step = &mut operation["steps"][0];
    step["path"] = name.into();
    step["kind"] = kind.into();
    step["old"] = json!({"lock": lock(&old), "metadata": step["old"]["metadata"]});
    step["new"] = json!({"lock": lock(&now), "metadata": step["new"]["metadata"]});
    step["changes"] = json!([{"edits": edits(now[at]), "undo": edits(before)}]);
    seal(&path, &operation);
    let store = Store::open(root).unwrap();
    revert(root, &store, &Selection::All, &options()).unwrap().refused.len()
}

/// File offsets of a section of an ELF file of 64 bits.
fn section(file: &[u8], name: &str) -> std::ops::Range<usize> {
    let number = |at: usize, len: usize| {
        let bytes = &file[at..at + len];
        bytes.iter().rev().fold(0_usize, |all, &byte| all << 8 | usize::from(byte))
    };
    let (rows, count, names) = (number(40, 8), number(60, 2), number(62, 2));
    let names = number(rows + 64 * names + 24, 8);
    let found = (0..count).map(|index| rows + 64 * index).find(|&row| {
        let text = &file[names + number(row, 4)..];
        text.starts_with(name.as_bytes()) && text[name.len()] == 0
    });
    let row = found.unwrap();
    let start = number(row + 24, 8);
    start..start + number(row + 32, 8)
}

/// An archive is no exception: of its members only search paths change, and rows.
#[test]
fn an_undo_of_a_wheel_changes_no_other_member() {
    let top = tempfile::tempdir().unwrap();
    open_to_all(top.path());
    let made = wheels::broken_wheel(top.path());
    let root = top.path().join("dist");
    std::fs::create_dir(&root).unwrap();
    let wheel = root.join(made.file_name().unwrap());
    std::fs::copy(&made, &wheel).unwrap();
    let name = wheel.file_name().unwrap().to_str().unwrap().to_owned();
    let now = std::fs::read(&wheel).unwrap();
    // The first byte of the first member's data, whatever it is.
    let at = now.windows(4).position(|part| part == b"PK\x03\x04").unwrap();
    let lens = [at + 26, at + 28].map(|at| usize::from(now[at]) | usize::from(now[at + 1]) << 8);
    let data = at + 30 + lens[0] + lens[1];
    let entry = now.windows(4).position(|part| part == b"PK\x01\x02").unwrap();
    library(&root, "a.so");
    let file = root.join("a.so");
    fix(&root, vec![step(&root, "a.so", append(&file))]).unwrap();
    for (what, at, bit) in [
        ("data", data, 1),
        ("a time in the local header", at + 10, 1),
        ("a time in the directory", entry + 12, 1),
        ("the system that made it", entry + 5, 2),
        ("the type of a file", entry + 41, 0x40),
    ] {
        assert_eq!(refused_of(&root, &name, "wheel", (at, now[at] ^ bit)), 1, "{what}");
        assert_eq!(std::fs::read(&wheel).unwrap(), now, "{what}");
    }
}

/// What a record does not declare, and so `log` does not show, is not undone: another soname, another needed library.
#[test]
fn an_undo_changes_no_name_that_its_record_does_not_declare() {
    let commands: [&[&str]; 2] =
        [&["soname", "set", "libother.so.9"], &["needed", "add", "libm.so.6"]];
    for words in commands {
        for is_declared in [true, false] {
            let top = tempfile::tempdir().unwrap();
            let root = top.path();
            library(root, "a.so");
            let file = root.join("a.so");
            let old = std::fs::read(&file).unwrap();
            run(root, &[words, &["a.so"]].concat()).text(0);
            let new = std::fs::read(&file).unwrap();
            assert!(old != new, "{words:?}");
            let path = record(root);
            let mut operation = unsealed(&path);
            if !is_declared {
                let about = operation["steps"][0].as_object_mut().unwrap();
                assert!(about.remove("fields").is_some(), "{about:?}");
            }
            seal(&path, &operation);
            run(root, &["revert", "."]).text(i32::from(!is_declared));
            let expected = if is_declared { &old } else { &new };
            assert!(std::fs::read(&file).unwrap() == *expected, "{words:?} {is_declared}");
        }
    }
}
