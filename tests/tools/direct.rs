//! Direct edits of names: print, edit, dry run, diff, log, revert, and what others read afterwards.

use crate::support::command::{inner, outer, run, snapshot};
use crate::support::elf_builder::{outcome, tool};
use std::path::Path;
use std::process::Command;

fn printed(dir: &Path, what: &str, file: &str) -> String {
    run(dir, &[what, "print", file]).text(0).to_owned()
}

#[test]
fn names_are_printed_edited_and_reverted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("outer.so"), "$ORIGIN");
    let before = snapshot(dir);
    assert_eq!(printed(dir, "needed", "outer.so"), "libinner.so.1\n");
    let long = format!("lib{}.so", "x".repeat(200));
    let edits: [(&[&str], &str, &str); 6] = [
        (&["needed", "add", "libm.so.6"], "needed", "libinner.so.1\nlibm.so.6\n"),
        (
            &["needed", "add", "--first", "libdl.so.2"],
            "needed",
            "libdl.so.2\nlibinner.so.1\nlibm.so.6\n",
        ),
        (
            &["needed", "replace", "libm.so.6", &long],
            "needed",
            &format!("libdl.so.2\nlibinner.so.1\n{long}\n"),
        ),
        (&["needed", "remove", &long], "needed", "libdl.so.2\nlibinner.so.1\n"),
        (&["soname", "set", "libouter.so.7"], "soname", "libouter.so.7\n"),
        (&["soname", "set", "libouter.so"], "soname", "libouter.so\n"),
    ];
    for (index, (edit, what, expected)) in edits.into_iter().enumerate() {
        let arguments = [edit, &["outer.so"]].concat();
        let then = snapshot(dir);
        let ran = run(dir, &[arguments.as_slice(), &["--dry-run"]].concat());
        assert!(ran.text(0).ends_with("outer.so would be edited\n"), "{ran:#?}");
        assert_eq!(snapshot(dir), then, "{edit:?}");
        let ran = run(dir, &arguments);
        assert!(ran.text(0).contains(&format!("+{what}: ")) || edit[1] == "remove", "{ran:#?}");
        let undo = match index {
            0 => "outer.so edited   undo: tfpatch revert outer.so",
            _ => "outer.so edited   undo: tfpatch revert --operation ",
        };
        assert!(ran.text(0).contains(undo), "{ran:#?}");
        assert_eq!(printed(dir, what, "outer.so"), expected, "{edit:?}");
        // What binutils read there.
        let (said, complaints) = tool("readelf", &["-dW", dir.join("outer.so").to_str().unwrap()]);
        assert_eq!(complaints, "");
        let names = said.lines().filter_map(|line| line.split_once("[")).map(|(_, name)| name);
        let names: Vec<&str> = names.map(|name| name.trim_end_matches(']')).collect();
        assert!(expected.lines().all(|name| names.contains(&name)), "{said}");
        let ran = run(dir, &arguments);
        assert_eq!(ran.text(0), "outer.so: nothing to change\n", "{edit:?}: twice is once");
    }
    let diff = run(dir, &["diff", "outer.so"]);
    assert!(
        diff.text(0).contains("+soname: libouter.so\n+needed: libdl.so.2\n")
            || diff.out.contains("+needed: libdl.so.2\n"),
        "{diff:#?}"
    );
    assert!(run(dir, &["log", "outer.so"]).text(0).contains("edit, 1 file"));
    assert!(run(dir, &["revert", "outer.so"]).text(0).starts_with("1 file restored (operation "));
    assert_eq!(snapshot(dir), before);
}

#[test]
fn an_interpreter_is_set_and_a_library_has_none() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("main.c"), "int main(void) { return 0; }\n").unwrap();
    let built = Command::new("gcc").current_dir(dir).args(["main.c", "-o", "main"]).status();
    assert!(built.unwrap().success());
    let usual = printed(dir, "interpreter", "main");
    let link = dir.join("a-loader-with-a-name-that-is-longer-than-the-usual-one");
    std::os::unix::fs::symlink(usual.trim_end(), &link).unwrap();
    run(dir, &["interpreter", "set", link.to_str().unwrap(), "main"]).text(0);
    assert_eq!(printed(dir, "interpreter", "main"), format!("{}\n", link.display()));
    assert_eq!(outcome(&mut Command::new(dir.join("main"))), Ok(()));
    inner(&dir.join("libinner.so.1"));
    let ran = run(dir, &["interpreter", "set", "/lib/ld.so", "libinner.so.1"]);
    assert_eq!(ran.status, 2);
    assert!(ran.err.contains("it has no interpreter"), "{ran:#?}");
    assert_eq!(printed(dir, "interpreter", "libinner.so.1"), "");
    run(dir, &["revert", "main"]).text(0);
    assert_eq!(printed(dir, "interpreter", "main"), usual);
}

#[test]
fn entries_are_replaced_split_and_shrunk() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("outer.so"), "/old:$ORIGIN/lib");
    run(dir, &["rpath", "replace", "/old", "/new:/newer", "outer.so"]).text(0);
    assert_eq!(printed(dir, "rpath", "outer.so"), "/new\n/newer\n$ORIGIN/lib\n");
    run(dir, &["rpath", "add", "--entry", "/a:$ORIGIN/b", "outer.so"]).text(0);
    assert_eq!(printed(dir, "rpath", "outer.so"), "/new\n/newer\n$ORIGIN/lib\n/a\n$ORIGIN/b\n");
    run(dir, &["rpath", "remove", "--entry", "/a:/new", "outer.so"]).text(0);
    std::fs::create_dir(dir.join("lib")).unwrap();
    inner(&dir.join("lib/libinner.so.1"));
    run(dir, &["rpath", "shrink", "outer.so"]).text(0);
    assert_eq!(printed(dir, "rpath", "outer.so"), "$ORIGIN/lib\n");
    run(dir, &["rpath", "shrink", "--allowed-prefix", "/opt", "outer.so"]).text(0);
    assert_eq!(printed(dir, "rpath", "outer.so"), "");
}

#[test]
fn an_entry_for_a_library_that_is_opened_is_not_shrunk_away() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::create_dir(dir.join("plugins")).unwrap();
    inner(&dir.join("plugins/libplugin.so"));
    let text = "#include <dlfcn.h>\nvoid *open_it(void) { return dlopen(\"libplugin.so\", 2); }\n";
    std::fs::write(dir.join("x.c"), text).unwrap();
    let flags =
        ["-shared", "-fPIC", "x.c", "-o", "x.so", "-Wl,-rpath,$ORIGIN/plugins:$ORIGIN/none"];
    assert!(Command::new("gcc").current_dir(dir).args(flags).status().unwrap().success());
    run(dir, &["rpath", "shrink", "x.so"]).text(0);
    assert_eq!(printed(dir, "rpath", "x.so"), "$ORIGIN/plugins\n");
}

#[test]
fn a_copy_is_edited_and_the_original_stays() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("outer.so"), "$ORIGIN");
    let before = snapshot(dir);
    let ran =
        run(dir, &["soname", "set", "libcopy.so", "outer.so", "--output", "copy.so", "--dry-run"]);
    assert_eq!((ran.status, snapshot(dir)), (0, before.clone()));
    let ran = run(dir, &["soname", "set", "libcopy.so", "outer.so", "--output", "copy.so"]);
    assert!(
        ran.text(0).ends_with("outer.so edited, written to copy.so\n")
            || ran.out.contains("written to"),
        "{ran:#?}"
    );
    assert_eq!(printed(dir, "soname", "copy.so"), "libcopy.so\n");
    std::fs::create_dir(dir.join("out")).unwrap();
    run(dir, &["rpath", "set", "--entry", "/x", "outer.so", "--output", "out"]).text(0);
    assert_eq!(printed(dir, "rpath", "out/outer.so"), "/x\n");
    let absent = run(dir, &["soname", "set", "other.so", "outer.so", "--output", "absent/"]);
    assert!(absent.error().contains("mkdir -p absent/"), "{absent:#?}");
    let taken = run(dir, &["soname", "set", "other.so", "outer.so", "--output", "copy.so"]);
    assert_eq!(taken.status, 2, "{taken:#?}");
    std::fs::remove_file(dir.join("copy.so")).unwrap();
    std::fs::remove_dir_all(dir.join("out")).unwrap();
    assert_eq!(snapshot(dir), before, "and no backup was made");
}

#[test]
fn a_directory_for_backups_is_made() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("outer.so"), "$ORIGIN");
    let store = ["--store", "kept/here"];
    let edit = ["rpath", "set", "--entry", "/x", "outer.so"];
    run(dir, &[&edit[..], &store].concat()).text(0);
    assert!(std::fs::metadata(dir.join("kept/here/.tfpatch")).is_ok());
    run(dir, &[&["revert", "outer.so"][..], &store].concat()).text(0);
    assert_eq!(printed(dir, "rpath", "outer.so"), "$ORIGIN\n");
}
