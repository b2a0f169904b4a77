//! Every command on real objects, and the names in its JSON.

use crate::support::command::{
    Ran, broken_tree, checked_rows, command, has_store, inner, outer, run, snapshot, words,
};
use crate::support::wheels::{self, Env, LinkMode};
use serde_json::{Value, json};
use std::ffi::OsStr;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names in a JSON object, sorted.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

pub(crate) fn broken_environment(dir: &Path) -> Env {
    let env = wheels::environment(dir, LinkMode::Copy);
    wheels::break_it(&env);
    env
}

/// The extension module of `broken`, and the library that it needs.
pub(crate) fn objects(env: &Env) -> (PathBuf, PathBuf) {
    let library = env.site_packages.join("broken_libs/libinner.so.1");
    (env.site_packages.join(env.extension()), library)
}

pub(crate) fn entries(dir: &Path, object: &Path) -> Vec<String> {
    let ran = run(dir, &words(&[&"rpath", &"print", &object]));
    ran.text(0).lines().map(str::to_owned).collect()
}

#[test]
fn show_tells_what_an_object_says_of_itself() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("outer.so"), "/nowhere:$ORIGIN:/nowhere");
    inner(&dir.join("libinner.so.1"));
    let report = run(dir, &["show", "outer.so", "libinner.so.1", "--format", "json"]).json(0);
    assert_eq!(names(&report), ["files", "schema"]);
    assert_eq!(report["schema"], "tfpatch/show/v1");
    let outer = &report["files"][0];
    assert_eq!(names(outer), ["format", "path", "slices"]);
    assert_eq!(outer["path"], dir.join("outer.so").to_str().unwrap());
    assert_eq!(outer["format"], "elf");
    let slice = &outer["slices"][0];
    for (name, value) in [
        ("arch", json!("x86_64")),
        ("soname", json!(null)),
        ("needed", json!(["libinner.so.1"])),
        ("rpath_kind", json!("runpath")),
        ("rpath", json!(["/nowhere", "$ORIGIN", "/nowhere"])),
        ("dead", json!([0, 2])),
        ("duplicate", json!([2])),
    ] {
        assert_eq!(slice[name], value, "{name}");
    }
    let slice = &report["files"][1]["slices"][0];
    assert_eq!((&slice["soname"], &slice["rpath_kind"]), (&json!("libinner.so.1"), &json!(null)));

    let ran = run(dir, &["show", "outer.so"]);
    let text = ran.text(0);
    assert!(text.starts_with("outer.so\n  format        ELF, x86_64\n"), "{text}");
    assert!(text.contains("RUNPATH       /nowhere  not found\n"), "{text}");
    assert!(text.contains("/nowhere  not found  duplicate\n"), "{text}");
    // The interpreter is a program: it has a loader, and no search path worth the name.
    let python = wheels::python_says("import sys; print(sys.executable)");
    assert!(run(dir, &["show", &python]).text(0).contains("interpreter   /lib64/ld-linux"));
}

#[test]
fn tree_shows_who_is_found_and_every_place_that_was_tried() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    let ran = run(dir, &["tree", "pkg/outer.so"]);
    let text = ran.text(1);
    let tried = dir.join("pkg/gone/with/the/wind/libinner.so.1");
    assert!(text.contains("└── libinner.so.1 not found\n"), "{text}");
    assert!(
        text.contains("    pkg/gone/with/the/wind/libinner.so.1  not found  RUNPATH\n"),
        "{text}"
    );
    assert!(text.contains("/usr/lib/libinner.so.1  not found  default directory\n"), "{text}");

    let report = run(dir, &["tree", "pkg/outer.so", "--format", "json"]).json(1);
    assert_eq!(names(&report), ["objects", "schema"]);
    assert_eq!(report["schema"], "tfpatch/tree/v1");
    let object = &report["objects"][0];
    assert_eq!(names(object), ["needed", "path"]);
    let need = &object["needed"][0];
    assert_eq!(names(need), ["found", "name", "rule", "tried", "via"]);
    assert_eq!(
        (&need["name"], &need["found"], &need["rule"]),
        (&json!("libinner.so.1"), &json!(null), &json!("not_found"))
    );
    let step = json!({"path": tried, "rule": "runpath", "outcome": "absent"});
    assert_eq!(need["tried"][0], step);

    // A variable of the simulated environment leads there; an empty environment does not.
    let inner = dir.join("inner");
    let variable = format!("LD_LIBRARY_PATH={}", inner.display());
    let report =
        run(dir, &["tree", "pkg/outer.so", "--format", "json", "--env", &variable]).json(0);
    let need = &report["objects"][0]["needed"][0];
    assert_eq!(need["rule"], "ld_library_path");
    assert_eq!(need["found"], inner.join("libinner.so.1").to_str().unwrap());
    let found = report["objects"].as_array().unwrap();
    assert!(found.iter().any(|object| object["path"] == need["found"]), "an object for every file");
    let mut inherited = command(dir);
    inherited.args(["tree", "pkg/outer.so"]).env("LD_LIBRARY_PATH", &inner);
    assert_eq!(inherited.output().unwrap().status.code(), Some(0));
    assert_eq!(inherited.arg("--no-env").output().unwrap().status.code(), Some(1));

    // As a list each library stands once.
    let ran = run(dir, &["tree", "--flat", "pkg/outer.so", "--env", &variable]);
    let [first, second, ..] = ran.text(0).lines().collect::<Vec<_>>()[..] else {
        panic!("{ran:?}")
    };
    assert_eq!(first, "pkg/outer.so");
    assert!(
        second.starts_with("  libinner.so.1 → ") && second.ends_with("LD_LIBRARY_PATH"),
        "{second}"
    );
}

/// The RPATH of the main program counts for what it opens, and for nothing else.
#[test]
fn tree_may_ask_for_another_main_program() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    // An object with a RUNPATH does not inherit: its own search path goes.
    run(dir, &["rpath", "prune", "pkg/outer.so"]).text(0);
    std::fs::write(dir.join("main.c"), "int main(void) { return 0; }\n").unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-Wl,--disable-new-dtags,-rpath,$ORIGIN/inner", "-o"]).arg(dir.join("main"));
    wheels::run(gcc.arg(dir.join("main.c")));
    assert_eq!(run(dir, &["tree", "pkg/outer.so"]).status, 1);
    let report = run(dir, &["tree", "--main", "main", "pkg/outer.so", "--format", "json"]).json(0);
    assert_eq!(report["objects"][0]["path"], dir.join("pkg/outer.so").to_str().unwrap());
    assert_eq!(report["objects"][0]["needed"][0]["rule"], "rpath");
    assert!(run(dir, &["tree", "--main", "none", "pkg/outer.so"]).error().contains("none"));
}

/// What the program itself needs is not loaded again when it is opened: its tree is that of the
/// program from there on, whatever else the program misses.
#[test]
fn tree_of_what_the_main_program_has_loaded_already() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    inner(&dir.join("deep/libinner.so.1"));
    outer(&dir.join("deep/libouter.so"), "$ORIGIN");
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-nostdlib", "-Wl,-soname,libgone.so", "-x", "c", "/dev/null", "-o"]);
    wheels::run(gcc.arg(dir.join("libgone.so")));
    std::fs::write(dir.join("main.c"), "int main(void) { return 0; }\n").unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-Wl,--no-as-needed,--allow-shlib-undefined,-rpath,$ORIGIN/deep", "-o"]);
    gcc.arg(dir.join("main")).arg(dir.join("main.c")).arg(dir.join("libgone.so"));
    wheels::run(gcc.arg("-L").arg(dir.join("deep")).arg("-louter"));
    assert_eq!(run(dir, &["tree", "main"]).status, 1);
    let arguments = ["tree", "--main", "main", "deep/libouter.so", "--format", "json"];
    let report = run(dir, &arguments).json(0);
    let objects = report["objects"].as_array().unwrap();
    let paths: Vec<&str> = objects.iter().map(|one| one["path"].as_str().unwrap()).collect();
    let inner = dir.join("deep/libinner.so.1");
    assert_eq!(paths[0], dir.join("deep/libouter.so").to_str().unwrap());
    assert_eq!(paths[1], inner.to_str().unwrap());
    assert!(!paths.contains(&dir.join("main").to_str().unwrap()), "{paths:?}");
    assert_eq!(objects[0]["needed"][0]["found"], inner.to_str().unwrap());
    // Where it is incomplete itself, that is told as ever.
    std::fs::remove_file(inner).unwrap();
    assert_eq!(run(dir, &arguments).json(1)["objects"][0]["path"], paths[0]);
}

#[test]
fn doctor_and_fix_keep_the_names_of_their_reports() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    let report = run(dir, &["doctor", ".", "--format", "json"]).json(1);
    let expected = ["findings", "not_followed", "objects", "schema", "targets", "unresolved"];
    assert_eq!(names(&report), expected);
    assert_eq!(report["schema"], "tfpatch/doctor/v1");
    assert_eq!((&report["objects"], &report["unresolved"]), (&json!(2), &json!(1)));
    let finding = &report["findings"][0];
    for name in ["severity", "cause", "object", "library", "fixable", "message", "cure"] {
        assert!(finding.get(name).is_some(), "{name}");
    }

    std::fs::remove_file(dir.join("inner/libinner.so.1")).unwrap();
    let plan = run(dir, &["fix", ".", "--dry-run", "--format", "json"]).json(1);
    assert_eq!(plan["steps"], json!([]));
    assert_eq!(names(&plan["unfixable"][0]), names(finding));
    assert_eq!(plan["unfixable"][0]["cause"], "not_installed");

    inner(&dir.join("inner/libinner.so.1"));
    let planned = run(dir, &["fix", ".", "--dry-run", "--format", "json"]).json(0);
    let done = run(dir, &["fix", ".", "--format", "json"]).json(0);
    for (plan, dry_run) in [(&planned, true), (&done, false)] {
        assert_eq!(names(plan), ["dry_run", "operation", "schema", "steps", "unfixable"]);
        assert_eq!(plan["schema"], "tfpatch/plan/v1");
        assert_eq!(plan["dry_run"], dry_run);
        assert_eq!(plan["operation"].is_null(), dry_run);
        let step = &plan["steps"][0];
        for name in ["method", "bytes_changed", "bytes_appended", "reason", "edits"] {
            assert!(step.get(name).is_some(), "{name}");
        }
        assert_eq!((&step["path"], &step["kind"]), (&json!("pkg/outer.so"), &json!("elf")));
        assert_eq!(step["before"], json!(["$ORIGIN/gone/with/the/wind"]));
        assert_eq!(step["after"], json!(["$ORIGIN/../inner"]), "a dead entry makes room");
        for name in ["size", "build_id", "digest"] {
            assert!(step["lock"].get(name).is_some(), "{name}");
        }
    }
    assert_eq!(planned["steps"], done["steps"], "a dry run plans what is done");
    let more = run(dir, &["fix", "pkg", "inner", "--format", "json"]);
    assert!(more.error().contains("name one TARGET"), "{more:?}");

    for (command, list) in [("log", "operations"), ("diff", "files"), ("verify", "files")] {
        let report = run(dir, &[command, ".", "--format", "json"]).json(0);
        assert_eq!(report["schema"], format!("tfpatch/{command}/v1"));
        assert_eq!(report[list].as_array().unwrap().len(), 1, "{command}");
    }
    let report = run(dir, &["revert", ".", "--format", "json"]).json(0);
    assert_eq!(report["schema"], "tfpatch/revert/v1");
    assert_eq!(report["targets"][0]["operation"]["reverts"], json!([done["operation"]]));
}

#[test]
fn direct_edits_do_what_they_say_and_are_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("outer.so"), "$ORIGIN/a:$ORIGIN/b:$ORIGIN/a");
    std::fs::create_dir(dir.join("a")).unwrap();
    let object = dir.join("outer.so");
    let before = snapshot(dir);
    let edits: [(&[&str], &[&str]); 8] = [
        (&["dedupe"], &["$ORIGIN/a", "$ORIGIN/b"]),
        (&["prune"], &["$ORIGIN/a"]),
        (
            &["add", "--entry", "/opt/absent/for/now", "--entry", "$ORIGIN/a"],
            &["$ORIGIN/a", "/opt/absent/for/now"],
        ),
        (
            &["add", "--first", "--entry", "$ORIGIN"],
            &["$ORIGIN", "$ORIGIN/a", "/opt/absent/for/now"],
        ),
        (&["remove", "--entry", "$ORIGIN/a"], &["$ORIGIN", "/opt/absent/for/now"]),
        (
            &["add", "--entry", "a long way/to/a/directory/that/no/old/string/has/room/for"],
            &[
                "$ORIGIN",
                "/opt/absent/for/now",
                "a long way/to/a/directory/that/no/old/string/has/room/for",
            ],
        ),
        (
            &["set", "--entry", "$ORIGIN/a", "--entry", "$ORIGIN/../lib"],
            &["$ORIGIN/a", "$ORIGIN/../lib"],
        ),
        (&["remove", "--entry", "$ORIGIN/a", "--entry", "$ORIGIN/../lib"], &[]),
    ];
    for (index, (edit, expected)) in edits.iter().copied().enumerate() {
        let arguments = [&["rpath"], edit, &["outer.so"]].concat();
        let then = (entries(dir, &object), snapshot(dir));
        let ran = run(dir, &[arguments.as_slice(), &["--dry-run"]].concat());
        assert!(ran.text(0).ends_with("outer.so would be edited\n"), "{ran:#?}");
        assert_eq!((entries(dir, &object), snapshot(dir)), then, "{edit:?}");
        let ran = run(dir, &arguments);
        // A revert of the file would undo the earlier edits, too.
        let undo = match index {
            0 => "outer.so edited   undo: tfpatch revert outer.so",
            _ => "outer.so edited   undo: tfpatch revert --operation ",
        };
        assert!(ran.text(0).contains(undo), "{ran:#?}");
        assert_eq!(entries(dir, &object), expected, "{edit:?}");
        // A judge that is not ours: what binutils read there.
        let said = wheels::run(Command::new("readelf").args(["-d", "-W"]).arg(&object));
        let read: Vec<&str> = said
            .lines()
            .filter_map(|line| line.split_once("runpath: ["))
            .map(|(_, path)| path)
            .collect();
        let joined = expected.join(":") + "]";
        assert_eq!(read, if expected.is_empty() { vec![] } else { vec![joined.as_str()] });
        let ran = run(dir, &arguments);
        assert_eq!(ran.text(0), "outer.so: nothing to change\n", "{edit:?}: twice is once");
    }
    let log = run(dir, &["log", "outer.so", "--format", "json"]).json(0);
    assert_eq!(log["operations"].as_array().unwrap().len(), edits.len());
    assert!(run(dir, &["revert", "outer.so"]).text(0).starts_with("1 file restored (operation "));
    assert_eq!(snapshot(dir), before);

    // A colon separates entries.
    run(dir, &["rpath", "set", "outer.so", "--entry", "a:b", "--dry-run"]).text(0);
    let report = run(dir, &["rpath", "print", "outer.so", "--format", "json"]).json(0);
    assert_eq!(report["schema"], "tfpatch/show/v1");
    inner(&dir.join("libinner.so.1"));
    let ran = run(dir, &["rpath", "print", "outer.so", "libinner.so.1"]);
    assert_eq!(ran.text(0).lines().next(), Some("outer.so: $ORIGIN/a"));
    // Another tag.
    run(dir, &["rpath", "dedupe", "outer.so", "--rpath-kind", "rpath"]).text(0);
    let show = run(dir, &["show", "outer.so", "--format", "json"]).json(0);
    assert_eq!(show["files"][0]["slices"][0]["rpath_kind"], "rpath");
}

/// Runs the command that an edit names as its undoing.
fn undo(dir: &Path, ran: &Ran) -> Ran {
    let text = ran.text(0);
    let (_, undo) = text.split_once("undo: tfpatch ").unwrap();
    let (undo, _) = undo.split_once("   operation").unwrap();
    run(dir, &undo.split(' ').collect::<Vec<_>>())
}

#[test]
fn a_link_means_what_it_leads_to() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("tree/libouter.so.1"), "$ORIGIN/a");
    outer(&dir.join("cache/outer.so"), "$ORIGIN/a");
    // The one stays in the tree, and the other leaves it by its second link.
    for (link, to) in [
        ("libouter.so", "libouter.so.1"),
        ("libcached.so.1", "../cache/outer.so"),
        ("libcached.so", "libcached.so.1"),
    ] {
        std::os::unix::fs::symlink(to, dir.join("tree").join(link)).unwrap();
    }
    let before = snapshot(dir);
    for (link, edited) in
        [("tree/libouter.so", "libouter.so.1"), ("tree/libcached.so", "libcached.so.1")]
    {
        let ran = run(dir, &["rpath", "set", link, "--entry", "$ORIGIN/b"]);
        assert!(ran.text(0).contains(&format!("--- {edited}\n")), "{ran:#?}");
        assert_eq!(entries(dir, &dir.join(link)), ["$ORIGIN/b"]);
        assert!(dir.join(link).is_symlink() && !dir.join("tree").join(edited).is_symlink());
        let verified = run(dir, &["verify", link]);
        assert!(verified.out.contains("1 patched file unchanged"), "{verified:#?}");
        assert!(run(dir, &["diff", link]).text(0).contains("+$ORIGIN/b"));
        let undone = undo(dir, &ran);
        assert!(undone.text(0).starts_with("1 file restored"), "{undone:#?}");
        assert_eq!(snapshot(dir), before);
    }
}

/// Its name stands for an environment elsewhere.
#[test]
fn an_interpreter_is_edited_as_the_program_that_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, how) in [("copied", "--copies"), ("linked", "--symlinks")] {
        let venv = ["-m", "venv", "--without-pip", how, name];
        wheels::run(Command::new("/usr/bin/python3").args(venv).current_dir(dir));
        let before = snapshot(&dir.join(name));
        let python = format!("{name}/bin/python");
        let ran = run(dir, &["rpath", "add", &python, "--entry", "$ORIGIN/../lib"]);
        assert_eq!(entries(dir, &dir.join(&python)), ["$ORIGIN/../lib"], "{ran:#?}");
        let prefix = ["-c", "import os, sys; print(os.path.basename(sys.prefix))"];
        let said = wheels::run(Command::new(dir.join(&python)).args(prefix));
        assert_eq!(said.trim(), name);
        let undone = undo(dir, &ran);
        assert!(undone.text(0).starts_with("1 file restored"), "{undone:#?}");
        assert_eq!(snapshot(&dir.join(name)), before);
        let ran = run(dir, &["rpath", "add", name, "--entry", "x"]);
        assert!(ran.error().contains("not a shared library or a program"), "{ran:#?}");
    }
}

#[test]
fn a_store_may_lie_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = broken_environment(dir);
    let (module, _) = objects(&env);
    let before = snapshot(&env.prefix);
    std::fs::create_dir(dir.join("backups")).unwrap();
    let ran = run(dir, &["fix", ".venv", "--store", "backups"]);
    let undo = "undo: tfpatch revert --store backups .venv ";
    assert!(ran.text(0).contains(undo), "the command can be pasted: {ran:#?}");
    assert!(!has_store(&env.prefix));
    assert!(has_store(&dir.join("backups")));
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    assert_eq!(run(dir, &["log", ".venv"]).text(0), "no operations yet\n");
    assert!(
        run(dir, &["log", ".venv", "--store", "backups"])
            .text(0)
            .contains("fix, 1 file and 1 RECORD")
    );
    let ran = run(dir, &["verify", ".venv", "--store", "backups"]);
    assert_eq!(ran.text(0), "1 patched file unchanged; all dependencies resolve\n");
    // A single file is found in it too.
    let ran = run(dir, &words(&[&"verify", &module, &"--store", &"backups"]));
    assert_eq!(ran.text(0), "1 patched file unchanged; all dependencies resolve\n");
    let ran = run(dir, &words(&[&"revert", &module, &"--store", &"backups"]));
    assert!(ran.text(0).starts_with("1 file and 1 RECORD restored"), "with its RECORD: {ran:#?}");
    assert_eq!(snapshot(&env.prefix), before);
}

/// A second tfpatch waits for the first, and both do what they are asked for.
#[test]
fn of_two_at_once_one_waits() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    outer(&dir.join("one.so"), "$ORIGIN");
    outer(&dir.join("two.so"), "$ORIGIN");
    // The store has to be there, to be locked.
    run(dir, &["rpath", "add", "one.so", "--entry", "/a"]).text(0);
    let lock = std::fs::File::open(dir.join(".tfpatch/lock")).unwrap();
    lock.lock().unwrap();
    let mut waits = command(dir)
        .args(["rpath", "add", "two.so", "--entry", "/b"])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut note = [0; 46];
    waits.stderr.as_mut().unwrap().read_exact(&mut note).unwrap();
    assert_eq!(String::from_utf8_lossy(&note), "tfpatch: waiting for another tfpatch to finish");
    assert_eq!(entries(dir, Path::new("two.so")), ["$ORIGIN"]);
    // Who only reads does not wait.
    assert!(run(dir, &["verify", "."]).out.contains("1 patched file unchanged"));
    lock.unlock().unwrap();
    assert_eq!(waits.wait().unwrap().code(), Some(0));
    assert_eq!(entries(dir, Path::new("two.so")), ["$ORIGIN", "/b"]);

    // Two that start at the same moment, with no store there yet.
    let fresh = tempfile::tempdir().unwrap();
    let fresh = fresh.path();
    outer(&fresh.join("one.so"), "$ORIGIN");
    outer(&fresh.join("two.so"), "$ORIGIN");
    let start = |object: &str| {
        command(fresh)
            .args(["rpath", "add", object, "--entry", "/c"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    for mut child in [start("one.so"), start("two.so")] {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
    let log = run(fresh, &["log", ".", "--format", "json"]).json(0);
    assert_eq!(log["operations"].as_array().unwrap().len(), 2);
}

/// Two that edit the same files: the second does its work on what the first has left.
#[test]
fn of_two_at_once_on_the_same_files_the_second_plans_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let start = |arguments: &[&str]| {
        let mut tfpatch = command(dir);
        tfpatch.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        tfpatch.spawn().unwrap()
    };
    let both_end_well = |one: &[&str], other: &[&str]| {
        for child in [start(one), start(other)] {
            let ran = Ran::of(&child.wait_with_output().unwrap());
            assert_eq!(ran.status, 0, "{ran:#?}");
        }
    };
    for round in 0..10 {
        outer(&dir.join("one.so"), "$ORIGIN/some/place/that/is/long/enough");
        let add = |entry| ["rpath", "add", "one.so", "--entry", entry];
        both_end_well(&add("/a"), &add("/b"));
        let mut added = entries(dir, Path::new("one.so")).split_off(1);
        added.sort();
        assert_eq!(added, ["/a", "/b"], "round {round}");
        std::fs::remove_dir_all(dir.join(".tfpatch")).unwrap();
    }
    let env = broken_environment(dir);
    for _ in 0..5 {
        both_end_well(&["fix", ".venv"], &["fix", ".venv"]);
        assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
        both_end_well(&["revert", ".venv"], &["revert", ".venv"]);
        assert!(wheels::imports(&env).is_err());
    }
}

/// However a part of an environment is named, it is the environment's store and RECORD that count.
#[test]
fn a_part_of_an_environment_belongs_to_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = broken_environment(dir);
    let rows = checked_rows(&env);
    let before = snapshot(&env.prefix);
    let link = dir.join("shortcut");
    std::os::unix::fs::symlink(env.site_packages.join("broken"), &link).unwrap();
    let lib64 = env.prefix.join("lib64");
    let by_lib64 = lib64.join(env.site_packages.strip_prefix(env.prefix.join("lib")).unwrap());
    assert!(std::fs::metadata(by_lib64.join("broken")).is_ok(), "venvs have a link lib64");
    let (module, _) = objects(&env);
    let parts = [
        env.site_packages.clone(),
        env.site_packages.join("broken"),
        module,
        by_lib64.join("broken"),
        by_lib64.join(env.extension()),
        link,
    ];
    for part in &parts {
        let report = run(dir, &words(&[&"doctor", &part, &"--format", &"json"])).json(1);
        assert_eq!(report["findings"][0]["cause"], "path_missing", "{part:?}");
        run(dir, &words(&[&"fix", &part])).text(0);
        assert_eq!(wheels::imports(&env), Ok("42".to_owned()), "{part:?}");
        assert_eq!(checked_rows(&env), rows);
        assert!(has_store(&env.prefix) && !has_store(&env.site_packages));
        for other in parts.iter().chain([&env.prefix]) {
            let ran = run(dir, &words(&[&"verify", &other]));
            let verified = "1 patched file unchanged; all dependencies resolve\n";
            assert_eq!(ran.text(0), verified, "{part:?} {other:?}");
        }
        let ran = run(dir, &words(&[&"revert", &part]));
        assert!(ran.text(0).starts_with("1 file and 1 RECORD restored"), "{part:?}: {ran:?}");
        assert_eq!(snapshot(&env.prefix), before, "{part:?}");
    }
    // What lies elsewhere in the environment is not touched for a part.
    let elsewhere = env.site_packages.join("broken_libs");
    assert!(run(dir, &words(&[&"fix", &elsewhere])).text(0).contains("nothing to do"));
    assert!(wheels::imports(&env).is_err());
}

/// The commands that a report proposes are for the target that was named.
#[test]
fn proposed_commands_can_be_copied() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(&dir.join("a tree"));
    let ran = run(dir, &["doctor", "a tree"]);
    assert!(
        ran.text(1).contains("→ tfpatch fix 'a tree'      (1 file; undo: tfpatch revert 'a tree')"),
        "{ran:?}"
    );
    let ran = run(dir, &["fix", "a tree"]);
    assert!(
        ran.text(0).contains("check: tfpatch verify 'a tree'   undo: tfpatch revert 'a tree'"),
        "{ran:?}"
    );
    for name in [&b"caf\xe9's \\"[..], b"li\nne", b"$HOME", b"it's"] {
        let name = OsStr::from_bytes(name);
        broken_tree(&dir.join(name));
        let ran = run(dir, &words(&[&"doctor", &name]));
        let (_, command) = ran.text(1).split_once("→ tfpatch fix ").unwrap();
        let (word, _) = command.split_once("      (1 file").unwrap();
        let mut bash = Command::new("bash");
        let said = bash.args(["-c", &format!("printf %s {word}")]).output().unwrap();
        assert_eq!(OsStr::from_bytes(&said.stdout), name, "{word}");
    }
}

/// The object that a program fails for may be in another directory, and so may the library that it needs. The
/// directory around both is proposed.
#[test]
fn a_program_is_repaired_by_the_command_that_is_proposed_for_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().canonicalize().unwrap();
    broken_tree(&dir);
    std::fs::write(dir.join("main.c"), "int main(void) { return 0; }").unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["main.c", "-o", "main", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined"]);
    gcc.args(["-Lpkg", "-l:outer.so", "-Wl,-rpath,$ORIGIN/pkg"]).current_dir(&dir);
    assert!(gcc.status().unwrap().success());
    let starts = || Command::new(dir.join("main")).output().unwrap().status.success();
    assert!(!starts());
    let doctor = run(&dir, &["doctor", "main"]);
    assert!(doctor.text(1).contains(&format!("→ tfpatch fix {}\n", dir.display())), "{doctor:?}");
    run(&dir, &["fix", dir.to_str().unwrap()]).text(0);
    assert!(starts());
    run(&dir, &["doctor", "main"]).text(0);
}

/// A library outside the target: the directory may be named from here, the reason for a refusal is
/// said of several objects as of one, and what is proposed does it.
#[test]
fn a_library_elsewhere_is_used_if_that_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(&dir.join("tree"));
    let (one, two) = (dir.join("tree/pkg/outer.so"), dir.join("tree/pkg/other.so"));
    std::fs::copy(&one, two).unwrap();
    std::fs::rename(dir.join("tree/inner"), dir.join("away")).unwrap();
    let ran = run(dir, &["fix", "tree", "--search", "nowhere"]);
    assert!(ran.error().contains("--search nowhere: directory not found"), "{ran:?}");

    let doctor = run(dir, &["doctor", "tree", "--search", "away"]);
    let proposed = "→ tfpatch fix --search away --allow-absolute tree  ";
    assert!(doctor.text(1).contains(proposed), "{doctor:?}");
    let ran = run(dir, &["fix", "tree", "--search", "away"]);
    let away = dir.canonicalize().unwrap().join("away");
    let reason = "is outside the target; --allow-absolute permits an entry for it\n";
    assert!(ran.text(1).contains(&format!("  → {} {reason}", away.display())), "{ran:?}");
    assert!(ran.out.ends_with("nothing to repair; 1 error remains\n"), "{ran:?}");

    let options = ["fix", "tree", "--search", "away", "--allow-absolute"];
    let ran = run(dir, &[&options[..], &["--dry-run", "--diff"]].concat());
    assert!(ran.text(0).ends_with(&format!("→ tfpatch {}\n", options.join(" "))), "{ran:?}");
    assert_eq!(run(dir, &options).status, 0);
    assert_eq!(entries(dir, &one).last(), Some(&away.display().to_string()));
}

/// `--quiet` says only what is wrong.
#[test]
fn a_sound_tree_is_nothing_to_speak_of() {
    let dir = tempfile::tempdir().unwrap();
    inner(&dir.path().join("libinner.so.1"));
    for command in ["doctor", "fix", "verify"] {
        assert_ne!(run(dir.path(), &[command, "."]).text(0), "", "{command}");
        assert_eq!(run(dir.path(), &[command, ".", "-q"]).text(0), "", "{command}");
    }
}
