//! What is broken, hostile, or out of reach: the run goes on, says what is the matter, and ends with
//! the right status.

use crate::support::bad_input::{OUTER, about};
use crate::support::command::{
    Ran, broken_tree, clean, has_store, open_directory, outer, run, set_mode, snapshot,
};
use crate::support::mounts::Mounted;
use crate::support::wheels;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

/// tfpatch, run by a user who owns nothing. The binary is copied to where that user may start it.
fn run_as_nobody(dir: &Path, arguments: &[&str]) -> Ran {
    let bin = open_directory();
    let binary = bin.path().join("tfpatch");
    // Not by this process: what it forks meanwhile would hold the copy open for writing, and a file
    // that is written to cannot be started.
    let mut install = Command::new("install");
    wheels::run(install.arg(assert_cmd::cargo::cargo_bin!("tfpatch")).arg(&binary));
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "--"]).arg(&binary);
    clean(&mut setpriv);
    Ran::of(&setpriv.args(arguments).current_dir(dir).output().unwrap())
}

/// The kernel maps no code of a file system that is mounted `noexec`, not even for root.
#[test]
fn a_file_system_without_code_is_said() {
    let mounted = Mounted::new("tmpfs", &[], "none");
    let dir = mounted.path();
    broken_tree(dir);
    let inner = dir.join("inner/libinner.so.1");
    let loads = || {
        let mut python = Command::new("python3");
        python.args(["-c", &format!("import ctypes; ctypes.CDLL({inner:?})")]);
        python.output().unwrap().status.success()
    };
    let doctor = || run(dir, &["doctor", "inner"]);
    assert!(loads());
    doctor().text(0);
    mounted.remount("noexec");
    assert!(!loads());
    let told = doctor();
    assert!(told.text(1).contains("cannot be loaded"), "{told:#?}");
    assert!(told.out.contains("mounted noexec"), "{told:#?}");
    // What is looked at as another system's files may be mounted otherwise there.
    run(dir, &["doctor", "--root", ".", "/inner"]).text(0);
}

#[test]
fn what_may_not_be_read_is_said() {
    let dir = open_directory();
    let dir = dir.path();
    broken_tree(dir);
    std::fs::create_dir(dir.join("closed")).unwrap();
    for name in ["secret.so", "closed/inside.so"] {
        std::fs::copy(dir.join("inner/libinner.so.1"), dir.join(name)).unwrap();
        set_mode(&dir.join(name), 0);
    }
    set_mode(&dir.join("closed"), 0);

    let report = run_as_nobody(dir, &["doctor", ".", "--format", "json"]).json(1);
    for name in ["secret.so", "closed"] {
        let found = about(&report, &dir.join(name));
        let [finding] = found.as_slice() else { panic!("{name}: {found:#?}") };
        assert_eq!(finding["cause"], "unreadable");
        assert!(finding["message"].as_str().unwrap().contains("Permission denied"), "{finding:#}");
        assert_eq!(finding["cure"], "run tfpatch as a user who can read it");
    }
    assert_eq!(about(&report, &dir.join(OUTER)).len(), 1, "and the rest is looked at");

    for name in ["secret.so", "closed", "closed/inside.so"] {
        for command in ["doctor", "fix", "verify"] {
            let ran = run_as_nobody(dir, &[command, name]);
            assert!(ran.error().contains(name), "{ran:#?}");
            assert!(ran.error().contains("Permission denied"), "{ran:#?}");
        }
    }
    let ran = run_as_nobody(dir, &["show", "secret.so", OUTER]);
    assert!(ran.error().contains("cannot read secret.so: Permission denied"), "{ran:#?}");
    assert!(ran.out.starts_with("pkg/outer.so\n"), "{ran:#?}");
}

/// An interpreter that is gone, and one that a user may not reach, are two things.
#[test]
fn an_interpreter_out_of_reach_is_not_called_gone() {
    let dir = open_directory();
    let dir = dir.path();
    let prefix = dir.join(".venv");
    wheels::empty_environment(&prefix, wheels::LinkMode::Copy);
    let python = prefix.join("bin/python");
    std::fs::create_dir(dir.join("closed")).unwrap();
    std::fs::copy(std::fs::canonicalize(&python).unwrap(), dir.join("closed/python")).unwrap();
    std::fs::remove_file(&python).unwrap();
    symlink(dir.join("closed/python"), &python).unwrap();
    assert_eq!(run(dir, &["doctor", ".venv"]).status, 0);
    for mode in [0, 0o755] {
        // First the way to it is closed, then the file.
        set_mode(&dir.join("closed"), mode);
        set_mode(&dir.join("closed/python"), 0o711);
        let report = run_as_nobody(dir, &["doctor", ".venv", "--format", "json"]).json(1);
        let found = about(&report, &dir.join(".venv/bin/python"));
        let [finding] = found.as_slice() else { panic!("{report:#}") };
        assert_eq!(finding["cause"], "unreadable");
        assert!(finding["message"].as_str().unwrap().ends_with("which is not readable"));
        assert_eq!(finding["cure"], "run tfpatch as a user who can read it");
    }

    std::fs::remove_dir_all(dir.join("closed")).unwrap();
    let ran = run(dir, &["fix", ".venv"]);
    let why = ".venv/bin/python points to a missing file, ";
    assert!(ran.error().contains(why) && ran.err.contains("closed/python; "), "{ran:#?}");
}

/// What cannot be written is refused before anything is written: no store, no file.
#[test]
fn what_may_not_be_written_is_refused_before_the_first_write() {
    let dir = open_directory();
    let dir = dir.path();
    broken_tree(dir);
    // A second object, which sorts first and which the user could write.
    outer(&dir.join("mine/outer.so"), "$ORIGIN/gone/with/the/wind");
    let chown =
        |path: &str| std::os::unix::fs::chown(dir.join(path), Some(65534), Some(65534)).unwrap();
    ["mine", "."].into_iter().for_each(chown);
    let before = snapshot(dir);

    // Of no file that has to be edited is the user the owner.
    let ran = run_as_nobody(dir, &["fix", "."]);
    assert!(ran.error().contains("outer.so"), "{ran:#?}");
    assert!(ran.error().contains("belongs to root"), "{ran:#?}");
    assert!(ran.error().contains("chown --no-dereference 65534"), "the cure is named: {ran:#?}");
    assert_eq!((ran.out.as_str(), snapshot(dir)), ("", before.clone()));
    let ran = run_as_nobody(dir, &["fix", ".", "--dry-run"]);
    assert_eq!(ran.status, 2, "a dry run finds it too: {ran:#?}");

    // A file of another owner is skipped with its reason, and what is left is repaired.
    chown("mine/outer.so");
    let ran = run_as_nobody(dir, &["fix", ".", "--dry-run"]);
    assert!(ran.text(1).contains("it belongs to root, but the target"), "{ran:#?}");
    assert_eq!(snapshot(dir), before);
    let theirs = std::fs::read(dir.join(OUTER)).unwrap();
    let ran = run_as_nobody(dir, &["fix", "."]);
    assert!(ran.text(1).contains("1 file repaired; 1 error remains"), "{ran:#?}");
    assert!(std::fs::read(dir.join(OUTER)).unwrap() == theirs);
    run_as_nobody(dir, &["revert", "."]).text(0);
    std::fs::remove_dir_all(dir.join(".tfpatch")).unwrap();
    assert_eq!(snapshot(dir), before);

    // A directory of the user's own in which nothing may be written.
    ["pkg", OUTER].into_iter().for_each(chown);
    for path in ["pkg", "mine", "."] {
        set_mode(&dir.join(path), 0o555);
    }
    let before = snapshot(dir);
    for arguments in [["fix", "."].as_slice(), &["rpath", "add", OUTER, "--entry", "$ORIGIN/x"]] {
        let ran = run_as_nobody(dir, arguments);
        assert!(ran.error().contains("Permission denied"), "{ran:#?}");
        assert!(ran.err.contains("hint: run tfpatch as a user who can write there"), "{ran:#?}");
    }
    assert_eq!(snapshot(dir), before);
    assert!(!has_store(dir));
    // Reading needs no permission to write.
    assert_eq!(run_as_nobody(dir, &["doctor", "."]).status, 1);
    assert_eq!(run_as_nobody(dir, &["verify", "."]).status, 1);
}
