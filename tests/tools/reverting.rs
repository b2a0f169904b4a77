//! What is put back, alone or with others, and what is left alone.

use crate::commands::{broken_environment, entries, objects};
use crate::support::command::{checked_rows, outer, run, snapshot, words};
use crate::support::wheels::{self, LinkMode};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::path::PathBuf;

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
    assert_eq!(planned.text(0), "1 file and 1 RECORD would be restored\n");
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    let ran = run(dir, &words(&[&"revert", &module]));
    assert!(ran.text(0).starts_with("1 file and 1 RECORD restored (operation "), "{ran:#?}");
    assert!(wheels::imports(&env).is_err());
    assert_eq!(entries(dir, &library), ["$ORIGIN"], "the other stays as it is");
    assert_eq!(checked_rows(&env), rows);
    // In one operation, which is taken back as one.
    let log = run(dir, &["log", ".venv", "--format", "json"]).json(0);
    let last = &log["operations"][0];
    assert_eq!(last["kind"], "revert");
    assert_eq!(last["steps"].as_array().unwrap().len(), 2, "{last}");
    let id = last["id"].as_str().unwrap();
    run(dir, &["revert", ".venv", "--operation", id]).text(0);
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    assert_eq!(checked_rows(&env), rows);
    run(dir, &words(&[&"revert", &module])).text(0);
    assert_eq!(checked_rows(&env), rows);

    let ran = run(dir, &words(&[&"revert", &library]));
    assert!(
        ran.text(0).starts_with("1 file and 1 RECORD restored"),
        "the last one takes RECORD along: {ran:#?}"
    );
    assert_eq!(snapshot(&env.prefix), before);
}

/// What another program did between two operations cannot be undone, and neither can the first of them.
#[test]
fn what_was_changed_between_two_operations_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let file = dir.join("x.so");
    outer(&file, "$ORIGIN/first");
    let add = |entry: &str| run(dir, &["rpath", "add", "x.so", "--entry", entry]).text(0).len();
    add("$ORIGIN/second");
    let changed = |from: &str, to: &str| {
        let mut bytes = std::fs::read(&file).unwrap();
        let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        std::fs::write(&file, &bytes).unwrap();
        bytes
    };
    let between = changed("/second", "/other1");
    add("$ORIGIN/third");
    let ran = run(dir, &["revert", "x.so"]);
    let note =
        "note  x.so was changed by another program between two operations; it has the content";
    assert!(ran.text(0).contains(note), "{ran:#?}");
    assert!(std::fs::read(&file).unwrap() == between);
    // A file that was reinstalled in between is restored to its reinstalled content.
    outer(&file, "$ORIGIN/first");
    let original = std::fs::read(&file).unwrap();
    add("$ORIGIN/second");
    std::fs::write(&file, &original).unwrap();
    add("$ORIGIN/third");
    let ran = run(dir, &["revert", "x.so"]);
    assert!(ran.text(0).starts_with("1 file restored"), "{ran:#?}");
    assert!(!ran.out.contains("note"), "{ran:#?}");
    assert!(std::fs::read(&file).unwrap() == original);
}

/// A file that something else changed stays as it is, and so does its row in RECORD.
#[test]
fn what_is_left_alone_keeps_its_row() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = broken_environment(dir);
    let (module, library) = objects(&env);
    run(dir, &["fix", ".venv"]).text(0);
    run(dir, &words(&[&"rpath", &"add", &library, &"--entry", &"$ORIGIN"])).text(0);
    let row_of = |file: &PathBuf| {
        let name = file.file_name().unwrap().to_str().unwrap();
        let record = env.site_packages.join("broken-1.0.dist-info/RECORD");
        let rows = std::fs::read_to_string(record).unwrap();
        rows.lines().find(|row| row.contains(name)).unwrap().to_owned()
    };
    let rows = [&module, &library].map(row_of);
    let path = dir.join(&library);
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let ran = run(dir, &["revert", ".venv"]);
    assert!(ran.text(1).contains("skipped"), "{ran:?}");
    let now = [&module, &library].map(row_of);
    assert_ne!(now[0], rows[0], "the row of what was put back");
    assert_eq!(now[1], rows[1], "the row of what was left alone");
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
    let old = std::fs::read(&module).unwrap();
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
        assert!(ran.text(1).contains("skipped  lib/python"), "{ran:?}");
        assert_eq!(std::fs::read(&module).unwrap(), foreign);
    }
    // RECORD tells where an installer was at work.
    let record = env.site_packages.join("broken-1.0.dist-info/RECORD");
    let digest = URL_SAFE_NO_PAD.encode(Sha256::digest(&foreign));
    let name = env.extension().display().to_string();
    let text = std::fs::read_to_string(&record).unwrap();
    let rows = text.lines().map(|row| match row.starts_with(&name) {
        true => format!("{name},sha256={digest},{}\n", foreign.len()),
        false => format!("{row}\n"),
    });
    std::fs::write(&record, rows.collect::<String>()).unwrap();
    let ran = run(dir, &["verify", ".venv"]);
    let line = format!("{name} was reinstalled with broken 1.0; it needs no repair\n");
    assert!(ran.text(0).contains(&line), "{ran:?}");
    let ran = run(dir, &["revert", ".venv"]);
    let note = "  broken 1.0 reinstalled it; nothing to restore\n";
    assert!(ran.text(1).contains(note), "{ran:?}");
    assert_eq!(std::fs::read(&module).unwrap(), foreign);

    // Of the same length: it is said from where on.
    let mut other = patched.clone();
    let changed = (0..patched.len()).rfind(|&at| old.get(at) != Some(&patched[at])).unwrap();
    other[changed] ^= 0xff;
    std::fs::write(&module, &other).unwrap();
    let ran = run(dir, &words(&[&"revert", &module]));
    assert!(ran.text(1).contains(&format!("its bytes differ from offset {changed:#x} on; ")));
    let diff = format!("  `tfpatch diff {}` shows what a revert would have", module.display());
    assert!(ran.out.contains(&diff), "{ran:#?}");

    std::fs::remove_file(&module).unwrap();
    assert!(run(dir, &["verify", ".venv"]).text(1).contains("is missing"));
}

/// An upgrade by pip puts the old bytes back: verify says so, and fix repairs them again.
#[test]
fn what_pip_installs_anew_is_seen_and_repaired_again() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = wheels::environment(dir, LinkMode::Pip);
    wheels::break_it(&env);
    run(dir, &["fix", ".venv"]).text(0);
    let mut pip = wheels::python3();
    pip.args(["-m", "pip", "--isolated", "--disable-pip-version-check", "--python"])
        .arg(&env.python);
    pip.args(["install", "--quiet", "--no-index", "--no-deps", "--force-reinstall"]);
    let is_wheel = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "whl");
    let mut files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    wheels::run(pip.arg(files.find(is_wheel).unwrap()));

    let module = env.extension();
    let ran = run(dir, &["verify", ".venv"]);
    let what =
        "was reinstalled with broken 1.0 and has its original content again; it needs no repair";
    let line = format!("{} {what}\n", module.display());
    assert!(ran.text(0).contains(&line), "{ran:?}");
    let files = "1 patched file has its original content again; all dependencies resolve\n";
    assert!(ran.out.ends_with(files), "{ran:?}");
    // pip brought the library back to where it is found; it is moved away again.
    std::fs::create_dir_all(env.site_packages.join("broken_libs")).unwrap();
    wheels::break_it(&env);
    assert!(wheels::imports(&env).is_err());
    assert!(run(dir, &["fix", ".venv"]).text(0).contains("1 file and 1 RECORD repaired"));
    assert_eq!(wheels::imports(&env), Ok("42".to_owned()));
    assert_eq!(
        run(dir, &["verify", ".venv"]).text(0),
        "1 patched file unchanged; all dependencies resolve\n"
    );
    run(dir, &["revert", ".venv"]).text(0);
    assert!(wheels::imports(&env).is_err());
}
