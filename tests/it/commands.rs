//! Every command on real objects, and the names in its JSON.

use crate::command::{
    broken_tree, checked_rows, command, has_store, inner, outer, run, snapshot, words,
};
use crate::wheels::{self, Env, LinkMode};
use serde_json::{Value, json};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The names in a JSON object, sorted.
fn names(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

fn broken_environment(dir: &Path) -> Env {
    let env = wheels::environment(dir, LinkMode::Copy);
    wheels::break_it(&env);
    env
}

/// The extension module of `broken`, and the library that it needs.
fn objects(env: &Env) -> (PathBuf, PathBuf) {
    let library = env.site_packages.join("broken_libs/libinner.so.1");
    (env.site_packages.join(env.extension()), library)
}

fn entries(dir: &Path, object: &Path) -> Vec<String> {
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
    assert!(text.contains("RUNPATH       /nowhere  leads nowhere\n"), "{text}");
    assert!(text.contains("/nowhere  leads nowhere  again\n"), "{text}");
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
    assert!(text.contains(&format!("    {}  absent  RUNPATH\n", tried.display())), "{text}");
    assert!(text.contains("/usr/lib/libinner.so.1  absent  default directory\n"), "{text}");

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
    assert_eq!(first, dir.join("pkg/outer.so").to_str().unwrap());
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

#[test]
fn doctor_and_fix_keep_the_names_of_their_reports() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    broken_tree(dir);
    let report = run(dir, &["doctor", ".", "--format", "json"]).json(1);
    assert_eq!(names(&report), ["findings", "objects", "schema", "targets", "unresolved"]);
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
    assert!(more.error().contains("name one target"), "{more:?}");

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
    for (edit, expected) in edits {
        let arguments = [&["rpath"], edit, &["outer.so"]].concat();
        let then = (entries(dir, &object), snapshot(dir));
        let ran = run(dir, &[arguments.as_slice(), &["--dry-run"]].concat());
        assert!(ran.text(0).ends_with("outer.so would be edited\n"), "{ran:#?}");
        assert_eq!((entries(dir, &object), snapshot(dir)), then, "{edit:?}");
        let ran = run(dir, &arguments);
        assert!(
            ran.text(0).contains("outer.so edited   undo: tfpatch revert outer.so"),
            "{ran:#?}"
        );
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
    assert!(run(dir, &["revert", "outer.so"]).text(0).starts_with("1 file put back (operation "));
    assert_eq!(snapshot(dir), before);

    // Usage that makes no sense is refused.
    let ran = run(dir, &["rpath", "set", "outer.so", "--entry", "a:b"]);
    assert!(ran.error().contains("':'"), "{ran:?}");
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

#[test]
fn a_store_may_lie_elsewhere() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = broken_environment(dir);
    let (module, _) = objects(&env);
    let before = snapshot(&env.prefix);
    std::fs::create_dir(dir.join("backups")).unwrap();
    run(dir, &["fix", ".venv", "--store", "backups"]).text(0);
    assert!(!has_store(&env.prefix));
    assert!(has_store(&dir.join("backups")));
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    assert_eq!(run(dir, &["log", ".venv"]).text(0), "no operations yet\n");
    assert!(run(dir, &["log", ".venv", "--store", "backups"]).text(0).contains("fix, 2 files"));
    let ran = run(dir, &["verify", ".venv", "--store", "backups"]);
    assert_eq!(ran.text(0), "1 file as it was left, everything resolves\n");
    // A single file is found in it too.
    let ran = run(dir, &words(&[&"verify", &module, &"--store", &"backups"]));
    assert_eq!(ran.text(0), "1 file as it was left, everything resolves\n");
    let ran = run(dir, &words(&[&"revert", &module, &"--store", &"backups"]));
    assert!(ran.text(0).starts_with("2 files put back"), "with its RECORD: {ran:#?}");
    assert_eq!(snapshot(&env.prefix), before);
}

/// Of two edited files of one distribution one is put back: RECORD says what is true of both.
#[test]
fn one_file_is_put_back_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = broken_environment(dir);
    let (module, library) = objects(&env);
    let rows = checked_rows(&env);
    let before = snapshot(&env.prefix);
    run(dir, &["fix", ".venv"]).text(0);
    run(dir, &words(&[&"rpath", &"add", &library, &"--entry", &"$ORIGIN"])).text(0);
    assert_eq!(checked_rows(&env), rows);

    let planned = run(dir, &words(&[&"revert", &module, &"--dry-run"]));
    assert!(planned.text(0).starts_with("1 file would be put back\n  lib/python"), "{planned:?}");
    assert!(planned.out.ends_with("RECORD: the rows of these files would be brought up to date\n"));
    assert_eq!(planned.out.lines().count(), 2);
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    let ran = run(dir, &words(&[&"revert", &module]));
    assert!(
        ran.text(0).contains("RECORD: the rows of these files are brought up to date"),
        "{ran:#?}"
    );
    assert!(wheels::imports(&env).is_err());
    assert_eq!(entries(dir, &library), ["$ORIGIN"], "the other stays as it is");
    assert_eq!(checked_rows(&env), rows);

    let ran = run(dir, &words(&[&"revert", &library]));
    assert!(
        ran.text(0).starts_with("2 files put back"),
        "the last one takes RECORD along: {ran:#?}"
    );
    assert_eq!(snapshot(&env.prefix), before);
}

#[test]
fn one_operation_is_put_back_alone() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = broken_environment(dir);
    let (_, library) = objects(&env);
    let rows = checked_rows(&env);
    let before = snapshot(&env.prefix);
    let fix = run(dir, &["fix", ".venv", "--format", "json"]).json(0);
    run(dir, &words(&[&"rpath", &"add", &library, &"--entry", &"$ORIGIN"])).text(0);
    let unknown = run(dir, &["revert", ".venv", "--operation", "0123456789ab"]);
    assert!(unknown.error().contains("tfpatch log"), "{unknown:?}");

    let id = fix["operation"].as_str().unwrap();
    for dry_run in [true, false] {
        let mut arguments = vec!["revert", ".venv", "--operation", id];
        arguments.extend(dry_run.then_some("--dry-run"));
        run(dir, &arguments).text(0);
        assert_eq!(wheels::imports(&env).is_ok(), dry_run);
    }
    assert_eq!(entries(dir, &library), ["$ORIGIN"]);
    assert_eq!(checked_rows(&env), rows);
    run(dir, &["revert", ".venv"]).text(0);
    assert_eq!(snapshot(&env.prefix), before);
}

/// A file that something else has changed is neither put back nor called well.
#[test]
fn what_others_changed_is_drift() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = broken_environment(dir);
    let (module, _) = objects(&env);
    run(dir, &["fix", ".venv"]).text(0);
    let patched = std::fs::read(&module).unwrap();
    let foreign = [patched.as_slice(), b"more"].concat();
    std::fs::write(&module, &foreign).unwrap();

    let ran = run(dir, &["verify", ".venv"]);
    assert!(ran.text(1).starts_with("drift  lib/python"), "{ran:?}");
    assert!(ran.out.contains(&format!(
        "it has {} bytes, expected {}",
        foreign.len(),
        patched.len()
    )));
    let report = run(dir, &["verify", ".venv", "--format", "json"]).json(1);
    let states: Vec<&Value> =
        report["files"].as_array().unwrap().iter().map(|file| &file["state"]).collect();
    assert!(
        states.contains(&&json!("changed")) && states.contains(&&json!("as_left")),
        "{states:?}"
    );

    for arguments in [words(&[&"revert", &module]), words(&[&"revert", &".venv"])] {
        let ran = run(dir, &arguments);
        assert!(ran.text(1).contains("left alone  lib/python"), "{ran:?}");
        assert_eq!(std::fs::read(&module).unwrap(), foreign);
    }
    std::fs::remove_file(&module).unwrap();
    assert!(run(dir, &["verify", ".venv"]).text(1).contains("is gone"));
}

/// An upgrade by pip puts the old bytes back: verify says so, and fix repairs them again.
#[test]
fn what_pip_installs_anew_is_seen_and_repaired_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = wheels::environment(dir, LinkMode::Pip);
    wheels::break_it(&env);
    run(dir, &["fix", ".venv"]).text(0);
    let mut pip = Command::new("python3");
    pip.args(["-m", "pip", "--isolated", "--disable-pip-version-check", "--python"])
        .arg(&env.python);
    pip.args(["install", "--quiet", "--no-index", "--no-deps", "--force-reinstall"]);
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "whl");
    let mut files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    wheels::run(pip.arg(files.find(is_wheel).unwrap()));

    let module = env.extension();
    let ran = run(dir, &["verify", ".venv"]);
    let line = format!("{} has its old bytes again: it was installed anew", module.display());
    assert!(ran.text(1).contains(&line), "{ran:?}");
    // pip brought the library back to where it is found; it is moved away again.
    std::fs::create_dir_all(env.site_packages.join("broken_libs")).unwrap();
    wheels::break_it(&env);
    assert!(wheels::imports(&env).is_err());
    assert!(run(dir, &["fix", ".venv"]).text(0).contains("1 file repaired"));
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    assert_eq!(
        run(dir, &["verify", ".venv"]).text(0),
        "1 file as it was left, everything resolves\n"
    );
    run(dir, &["revert", ".venv"]).text(0);
    assert!(wheels::imports(&env).is_err());
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
    let mut note = [0; 43];
    waits.stderr.as_mut().unwrap().read_exact(&mut note).unwrap();
    assert_eq!(String::from_utf8_lossy(&note), "tfpatch: waiting for another tfpatch to end");
    assert_eq!(entries(dir, Path::new("two.so")), ["$ORIGIN"]);
    // Who only reads does not wait.
    assert!(run(dir, &["verify", "."]).out.contains("1 file as it was left"));
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
            let verified = "1 file as it was left, everything resolves\n";
            assert_eq!(ran.text(0), verified, "{part:?} {other:?}");
        }
        let ran = run(dir, &words(&[&"revert", &part]));
        assert!(ran.text(0).starts_with("2 files put back"), "{part:?}: {ran:?}");
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
        ran.text(1).contains("→ tfpatch fix 'a tree'      (1 file, undo: tfpatch revert 'a tree')"),
        "{ran:?}"
    );
    let ran = run(dir, &["fix", "a tree"]);
    assert!(
        ran.text(0).contains("check: tfpatch verify 'a tree'   undo: tfpatch revert 'a tree'"),
        "{ran:?}"
    );
}
