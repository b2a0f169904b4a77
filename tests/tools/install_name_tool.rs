//! The options of `install_name_tool`: the outcome of LLVM's, on the same files, with signatures that are valid.

use crate::macho::{built, judge};
use crate::support::command::{clean, command, run, snapshot, words};
use std::path::Path;
use std::process::{Command, Output};

const PROGRAM: &str = "llvm-install-name-tool-19";

/// Runs both programs on copies of the same file, named `x`, each in a directory of its own.
fn both(dir: &Path, bytes: &[u8], options: &[&str]) -> [Output; 2] {
    let mut theirs = Command::new(PROGRAM);
    clean(&mut theirs);
    let mut ours = command(dir);
    ours.arg("install-name-tool");
    [("theirs", theirs), ("ours", ours)].map(|(name, mut program)| {
        let place = dir.join(name);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::write(place.join("x"), bytes).unwrap();
        program.current_dir(&place).args(options).output().unwrap()
    })
}

/// A directory with a fixture as `x`, and its bytes.
fn placed(name: &str) -> (tempfile::TempDir, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(built().join(name)).unwrap();
    std::fs::write(dir.path().join("x"), &bytes).unwrap();
    (dir, bytes)
}

/// The search paths and names of a file with their versions, as LLVM prints them. Paths are together here, and at
/// the end there.
fn commands(file: &Path) -> (Vec<String>, Vec<String>) {
    let output = Command::new("llvm-otool-19").args(["-arch", "all", "-l"]).arg(file).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let of = |wanted: fn(&str) -> bool| {
        let blocks = text
            .split("Load command")
            .filter(|block| block.lines().nth(1).is_some_and(|line| wanted(line.trim())));
        let lines = |block: &str| -> String {
            let kept = block.lines().skip(1).filter(|line| !line.contains("cmdsize"));
            kept.take_while(|line| line.starts_with(' ')).collect::<Vec<_>>().join("\n")
        };
        blocks.map(lines).collect::<Vec<_>>()
    };
    (of(|line| line == "cmd LC_RPATH"), of(|line| line.ends_with("_DYLIB")))
}

#[test]
fn what_is_edited_is_what_llvm_makes_of_it() {
    let dir = tempfile::tempdir().unwrap();
    let far = format!("/far/{}lib.dylib", "away/".repeat(60));
    let options: [&[&str]; 24] = [
        &["-id", "@rpath/libnew.dylib", "x"],
        &["-id", &far, "x"],
        &["--id", "/a/libnew.dylib", "x"],
        &["-id", "/first.dylib", "-id", "/last.dylib", "x"],
        &["-change", "@rpath/libb.dylib", "@loader_path/.dylibs/libb.1.dylib", "x"],
        &["-change", "@rpath/libb.dylib", "/b", "x"],
        &["-change", "@rpath/libb.dylib", "/b", "-change", "@rpath/libb.dylib", "/c", "x"],
        &["-change", "@rpath/libb.dylib", "/b", "-change", "/b", "/c", "x"],
        &["-change", "/absent", "/b", "x"],
        &["x", "-change", "/usr/lib/libSystem.B.dylib", &far, "-id", "/i"],
        &["-add_rpath", "/new", "x"],
        &["-add_rpath", "/one", "-add_rpath", "/two", "x"],
        &["-prepend_rpath", "/one", "-prepend_rpath", "/two", "x"],
        &["-add_rpath", "/new", "-add_rpath", "/new", "x"],
        &["-add_rpath", "@loader_path/first", "x"],
        &["-prepend_rpath", "@loader_path/first", "x"],
        &["-delete_rpath", "@loader_path/first", "x"],
        &["-delete_rpath", "/absent", "x"],
        &["-delete_all_rpaths", "x"],
        &["-delete_all_rpaths", "-add_rpath", "/new", "x"],
        &["-rpath", "@loader_path/first", "/a/longer/path/than/before", "x"],
        &["-rpath", "@loader_path/first", "@loader_path/secnd", "x"],
        &["-rpath", "/absent", "/new", "x"],
        &["-id", "/i", "-rpath", "@loader_path/secnd", "/n", "-add_rpath", "/m", "x"],
    ];
    let names = [
        "universal",
        "universal64",
        "arm64/signed",
        "arm64/bundle",
        "arm64/no-rpath",
        "x86_64/classic",
        "x86_64/program",
    ];
    for name in names {
        let bytes = std::fs::read(built().join(name)).unwrap();
        for options in options {
            let what = format!("{name} {options:?}");
            let [theirs, ours] = both(dir.path(), &bytes, options);
            let said = String::from_utf8_lossy(&ours.stderr);
            let edited = dir.path().join("ours/x");
            // LLVM's program would write over the code.
            let has_no_room = said.contains("the first section begins at");
            if has_no_room && ["bundle", "program"].iter().any(|kind| name.ends_with(kind)) {
                assert!(std::fs::read(&edited).unwrap() == bytes, "{what}");
                continue;
            }
            assert_eq!(ours.status.code(), theirs.status.code(), "{what}: {said}");
            if !ours.status.success() {
                assert!(said.starts_with("install_name_tool: error: "), "{what}: {said}");
                assert!(std::fs::read(&edited).unwrap() == bytes, "{what}");
                continue;
            }
            assert_eq!((said.as_ref(), ours.stdout.as_slice()), ("", &b""[..]), "{what}");
            assert_eq!(commands(&edited), commands(&dir.path().join("theirs/x")), "{what}");
            judge(&std::fs::read(&edited).unwrap(), Some(&bytes));
            let left: Vec<_> = std::fs::read_dir(dir.path().join("ours")).unwrap().collect();
            assert_eq!(left.len(), 1, "{what}: {left:?}");
        }
    }
}

#[test]
fn what_contradicts_itself_is_refused_in_the_same_words() {
    let dir = tempfile::tempdir().unwrap();
    let options: [&[&str]; 17] = [
        &["-id"],
        &["-change", "a"],
        &["-add_rpath"],
        &["-unknown", "x"],
        &["-id", "a"],
        &["-id", "a", "x", "x"],
        &["-id", "a", "absent"],
        &["-add_rpath", "a", "-delete_rpath", "a", "x"],
        &["-prepend_rpath", "a", "-delete_rpath", "a", "x"],
        &["-rpath", "a", "b", "-rpath", "a", "c", "x"],
        &["-rpath", "a", "b", "-rpath", "c", "b", "x"],
        &["-rpath", "a", "b", "-rpath", "b", "c", "x"],
        &["-delete_rpath", "a", "-rpath", "a", "b", "x"],
        &["-add_rpath", "b", "-rpath", "a", "b", "x"],
        &["-prepend_rpath", "b", "-rpath", "a", "b", "x"],
        &["-add_rpath", "@loader_path/first", "x"],
        &["-delete_rpath", "/absent", "x"],
    ];
    let bytes = std::fs::read(built().join("x86_64/chained")).unwrap();
    for options in options {
        let [theirs, ours] = both(dir.path(), &bytes, options);
        let [theirs, ours] = [theirs, ours].map(|output| {
            assert_eq!(output.status.code(), Some(1), "{options:?}");
            String::from_utf8(output.stderr).unwrap()
        });
        let words = theirs.replace("llvm-install-name-tool-19", "install_name_tool");
        let words = words.replace("llvm-install-name-tool", "install_name_tool");
        // Of a file that can be read, the slice is named too.
        let end = words.rsplit(": ").next().unwrap().trim_end();
        assert!(
            ours == words || options.contains(&"x") && ours.trim_end().ends_with(end),
            "{ours}{words}"
        );
    }
}

/// LLVM's program would write over the code.
#[test]
fn without_room_nothing_is_written() {
    let dir = tempfile::tempdir().unwrap();
    for arch in ["arm64", "x86_64"] {
        let bytes = std::fs::read(built().join(arch).join("no-room")).unwrap();
        let far = format!("/far/{}lib.dylib", "away/".repeat(60));
        let [_, ours] = both(dir.path(), &bytes, &["-id", &far, "x"]);
        assert_eq!(ours.status.code(), Some(1));
        let said = String::from_utf8(ours.stderr).unwrap();
        assert!(said.contains("the first section begins at"), "{said}");
        assert!(std::fs::read(dir.path().join("ours/x")).unwrap() == bytes);
        // A shorter name fits, and is signed.
        let [_, ours] = both(dir.path(), &bytes, &["-id", "/i.dylib", "x"]);
        assert!(ours.status.success());
        judge(&std::fs::read(dir.path().join("ours/x")).unwrap(), Some(&bytes));
    }
}

#[test]
fn a_signer_s_signature_gives_way_to_a_valid_one() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(built().join("certified")).unwrap();
    let [_, ours] = both(dir.path(), &bytes, &["-id", "/i.dylib", "x"]);
    let said = String::from_utf8(ours.stderr).unwrap();
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.starts_with("install_name_tool: warning: 'x': "), "{said}");
    judge(&std::fs::read(dir.path().join("ours/x")).unwrap(), None);
}

#[test]
fn by_its_name_and_with_a_store() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(built().join("universal")).unwrap();
    std::fs::create_dir(dir.path().join("lib")).unwrap();
    std::fs::write(dir.path().join("lib/x"), &bytes).unwrap();
    run(dir.path(), &["shims", "bin"]).text(0);
    let before = snapshot(dir.path());
    let mut called = Command::new(dir.path().join("bin/install_name_tool"));
    clean(&mut called);
    called.env("TFPATCH_STORE", dir.path().join("store")).current_dir(dir.path());
    let done = called.args(["-id", "/i.dylib", "-add_rpath", "/new", "lib/x"]).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    let store = dir.path().join("store");
    let list = run(dir.path(), &words(&[&"log", &"--json", &"--store", &store, &"lib/x"])).json(0);
    assert_eq!(list["operations"].as_array().unwrap().len(), 1, "{list}");
    run(dir.path(), &words(&[&"revert", &"--store", &store, &"lib/x"])).text(0);
    std::fs::remove_dir_all(&store).unwrap();
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn names_are_edited_by_our_own_commands_too() {
    let (dir, bytes) = placed("universal");
    let before = snapshot(dir.path());
    run(dir.path(), &["soname", "set", "/new/libi.dylib", "x"]).text(0);
    run(dir.path(), &["needed", "replace", "@rpath/libb.dylib", "@rpath/libc.dylib", "x"]).text(0);
    assert_eq!(run(dir.path(), &["soname", "print", "x"]).text(0), "/new/libi.dylib\n".repeat(2));
    let shown = run(dir.path(), &["diff", "x"]).text(0).to_owned();
    for line in ["@rpath/liba.dylib", "/new/libi.dylib", "@rpath/libb.dylib", "@rpath/libc.dylib"] {
        assert!(shown.contains(line), "{shown}");
    }
    judge(&std::fs::read(dir.path().join("x")).unwrap(), Some(&bytes));
    run(dir.path(), &["needed", "add", "/more", "x"]).error();
    run(dir.path(), &["revert", "x"]).text(0);
    assert_eq!(snapshot(dir.path()), before);
}

#[test]
fn an_option_of_tfpatch_before_the_name_is_refused() {
    let (dir, bytes) = placed("x86_64/chained");
    for words in [
        ["-q", "install-name-tool", "-id", "/i.dylib", "x"],
        ["--json", "patchelf", "--set-rpath", "/i", "x"],
    ] {
        let ran = run(dir.path(), &words);
        assert_eq!(ran.status, 2, "{ran:?}");
        let said = format!("{}{}", ran.out, ran.err);
        assert!(said.contains("has the options of that program"), "{ran:?}");
        assert!(std::fs::read(dir.path().join("x")).unwrap() == bytes);
    }
    let listed = run(dir.path(), &["install-name-tool"]);
    assert!(listed.err.lines().skip(1).all(|line| line.starts_with("  -")), "{listed:?}");
}

/// LLVM's program edits neither: the first has no name, the other one is truncated.
#[test]
fn what_has_no_name_or_no_end_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let bundle = std::fs::read(built().join("x86_64/bundle")).unwrap();
    std::fs::write(dir.path().join("x"), &bundle).unwrap();
    let said = run(dir.path(), &["soname", "set", "/i.dylib", "x"]);
    assert!(said.error().contains("it has no install name"), "{said:?}");
    let whole = std::fs::read(built().join("x86_64/unsigned")).unwrap();
    let half = &whole[..whole.len() / 2];
    let [theirs, ours] = both(dir.path(), half, &["-add_rpath", "/new", "x"]);
    assert!(!theirs.status.success());
    let said = String::from_utf8(ours.stderr).unwrap();
    assert!(!ours.status.success() && said.contains("the file is truncated"), "{said}");
}

#[test]
fn names_of_any_bytes_are_told_apart() {
    use std::os::unix::ffi::OsStrExt as _;
    let (dir, _) = placed("x86_64/chained");
    let before = snapshot(dir.path());
    for name in [&b"/x\xff"[..], b"/x\xfe"] {
        let name = std::ffi::OsStr::from_bytes(name);
        run(dir.path(), &words(&[&"soname", &"set", &name, &"x"])).text(0);
    }
    let shown = run(dir.path(), &["diff", "x"]).text(0).to_owned();
    assert!(shown.contains(r"/x\xfe") || shown.contains(r"/x\\xfe"), "{shown}");
    run(dir.path(), &["revert", "x"]).text(0);
    assert_eq!(snapshot(dir.path()), before);
}

/// Each name of a file with several is judged when it is selected.
#[test]
fn a_second_name_of_a_file_lacks_what_the_first_one_lacks() {
    let dir = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(built().join("x86_64/chained")).unwrap();
    std::fs::write(dir.path().join("a.dylib"), &bytes).unwrap();
    std::fs::hard_link(dir.path().join("a.dylib"), dir.path().join("b.dylib")).unwrap();
    for name in ["a.dylib", "b.dylib"] {
        let ran = run(dir.path(), &["doctor", name]);
        assert_eq!(ran.status, 1, "{name}: {ran:?}");
        assert!(ran.out.contains("libb.dylib"), "{name}: {ran:?}");
    }
}
