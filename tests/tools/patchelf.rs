//! The options of patchelf: the same output and the same status as the real one, on the same files.

use crate::support::command::{clean, command};
use crate::support::elf_builder::{TAGGED, UNTAGGED, Workshop, outcome};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

/// What both programs said and left of a file, each in a directory of its own.
struct Both {
    theirs: Output,
    ours: Output,
}

/// Runs both on copies of the same file, named `x`.
fn both(dir: &Path, bytes: &[u8], options: &[&str]) -> Both {
    let each = |name: &str, mut program: Command| {
        let place = dir.join(name);
        std::fs::create_dir_all(&place).unwrap();
        let _ = std::fs::remove_file(place.join("x"));
        crate::support::elf_builder::place(&place.join("x"), bytes);
        program.current_dir(&place).args(options).output().unwrap()
    };
    let mut theirs = Command::new("patchelf");
    clean(&mut theirs);
    let mut ours = command(dir);
    ours.arg("patchelf");
    Both { theirs: each("theirs", theirs), ours: each("ours", ours) }
}

fn prints(file: &Path) -> Vec<String> {
    ["--print-rpath", "--print-needed", "--print-soname", "--print-interpreter"]
        .iter()
        .map(|option| {
            let output = Command::new("patchelf").arg(option).arg(file).output().unwrap();
            String::from_utf8_lossy(&output.stdout).into_owned()
        })
        .collect()
}

#[test]
fn what_is_printed_and_what_is_edited_is_what_patchelf_makes_of_it() {
    let shop = Workshop::new();
    let dir = tempfile::tempdir().unwrap();
    let far = format!("/far/{}", "away/".repeat(60));
    let options: [&[&str]; 22] = [
        &["--print-rpath", "x"],
        &["--print-needed", "x"],
        &["--print-soname", "x"],
        &["--print-interpreter", "x"],
        &["--print-rpath", "--print-needed", "x", "x"],
        &["--set-rpath", "/a:$ORIGIN/d", "x"],
        &["--set-rpath", &far, "x"],
        &["--set-rpath", "", "x"],
        &["--force-rpath", "--set-rpath", "/a", "x"],
        &["--remove-rpath", "x"],
        &["--shrink-rpath", "x"],
        &["--add-rpath", "/b", "x"],
        &["--set-soname", "libnew.so.3", "x"],
        &["--add-needed", "libm.so.6", "--add-needed", "libdl.so.2", "x"],
        &["--remove-needed", "libdep.so", "x"],
        &["--replace-needed", "libdep.so", "liblonger-name.so", "x"],
        &["--set-interpreter", "/lib/other.so", "x"],
        &["--set-rpath", "/a", "--output", "y", "x"],
        &["--print-rpath", "absent"],
        &["--set-rpath"],
        &["--print-rpath"],
        &["--set-rpath", "@absent", "x"],
    ];
    let flavours = TAGGED.iter().chain(UNTAGGED).filter(|flavour| !flavour.is_sectionless);
    for flavour in flavours {
        let bytes = shop.build(flavour);
        for options in options {
            let Both { theirs, ours } = both(dir.path(), &bytes, options);
            // Releases of patchelf stop with an assertion at some of these objects.
            if theirs.status.code().is_none() {
                assert!(ours.status.success(), "{} {options:?}", flavour.name);
                continue;
            }
            let what = format!("{} {options:?}", flavour.name);
            let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(
                ours.status.code(),
                theirs.status.code(),
                "{what}: {}{}",
                said(&ours),
                said(&theirs)
            );
            assert_eq!(ours.stdout, theirs.stdout, "{what}");
            let [one, other] =
                ["ours", "theirs"].map(|who| prints(&dir.path().join(who).join("x")));
            assert_eq!(one, other, "{what}");
            let copies = ["ours", "theirs"].map(|who| dir.path().join(who).join("y"));
            if options.contains(&"--output") {
                assert_eq!(prints(&copies[0]), prints(&copies[1]), "{what}");
                copies.iter().for_each(|copy| std::fs::remove_file(copy).unwrap());
            }
        }
    }
}

#[test]
fn the_edited_file_works_and_no_backup_is_left() {
    let shop = Workshop::new();
    for flavour in TAGGED.iter().chain(UNTAGGED) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("x");
        crate::support::elf_builder::place(&file, &shop.build(flavour));
        std::fs::create_dir(dir.path().join("d")).unwrap();
        std::fs::copy(shop.path("d/libdep.so"), dir.path().join("d/libdep.so")).unwrap();
        let mode = std::fs::metadata(&file).unwrap().mode();
        let ran = command(dir.path()).args(["patchelf", "--set-rpath", "$ORIGIN/d", "x"]).output();
        assert!(ran.unwrap().status.success());
        let loads = match flavour.is_program {
            true => outcome(&mut Command::new(&file)),
            false => outcome(&mut shop.loader(&file, &["answer"])),
        };
        assert_eq!(loads, Ok(()), "{}", flavour.name);
        assert_eq!(std::fs::metadata(&file).unwrap().mode(), mode);
        let mut left: Vec<_> = std::fs::read_dir(dir.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["d", "x"]);
    }
}

#[test]
fn the_name_by_which_it_is_called_decides_and_a_store_is_kept_where_one_is_named() {
    let shop = Workshop::new();
    let dir = tempfile::tempdir().unwrap();
    let old = shop.build(&TAGGED[0]);
    crate::support::elf_builder::place(&dir.path().join("x"), &old);
    let link = dir.path().join("patchelf");
    std::os::unix::fs::symlink(command(dir.path()).get_program(), &link).unwrap();
    let called = |options: &[&str]| {
        let mut program = Command::new(&link);
        clean(&mut program);
        program.current_dir(dir.path()).env("TFPATCH_STORE", dir.path().join("kept")).args(options);
        program.output().unwrap()
    };
    let version = called(&["--version"]);
    assert!(version.stdout.starts_with(b"patchelf 0.19.3 (tfpatch "), "{version:?}");
    assert_eq!(called(&[]).status.code(), Some(1));
    assert!(called(&["--set-soname", "libkept.so", "x"]).status.success());
    assert!(std::fs::read(dir.path().join("x")).unwrap() != old);
    let mut revert = command(dir.path());
    let reverted = revert.args(["revert", "x", "--store", "kept"]).output().unwrap();
    assert!(reverted.status.success(), "{reverted:?}");
    assert!(std::fs::read(dir.path().join("x")).unwrap() == old);
}

#[test]
fn a_directory_of_names_is_made_and_nothing_is_replaced() {
    let shop = Workshop::new();
    let dir = tempfile::tempdir().unwrap();
    crate::support::elf_builder::place(&dir.path().join("x"), &shop.build(&TAGGED[0]));
    for _ in 0..2 {
        let made = command(dir.path()).args(["shims", "a b"]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        // A shell takes the line as it is, and finds the name.
        let line = String::from_utf8(made.stdout).unwrap();
        let script = format!("{line}patchelf --version && patchelf --print-rpath x");
        let ran =
            Command::new("sh").args(["-c", &script]).current_dir(dir.path()).output().unwrap();
        let said = String::from_utf8(ran.stdout).unwrap();
        assert!(said.contains("(tfpatch ") && said.ends_with("nothing/is/there\n"), "{said}");
    }
    std::fs::create_dir(dir.path().join("taken")).unwrap();
    std::fs::write(dir.path().join("taken/patchelf"), "another's").unwrap();
    let refused = command(dir.path()).args(["shims", "taken"]).output().unwrap();
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    assert_eq!(std::fs::read(dir.path().join("taken/patchelf")).unwrap(), b"another's");
}

#[test]
fn what_is_no_object_is_told_as_patchelf_tells_it() {
    let dir = tempfile::tempdir().unwrap();
    for bytes in [&b""[..], b"#!/bin/sh\nexit 0\n", b"!<arch>\n"] {
        let Both { theirs, ours } = both(dir.path(), bytes, &["--print-rpath", "x"]);
        let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!((ours.status.code(), said(&ours)), (theirs.status.code(), said(&theirs)));
    }
}
