//! What a diagnosis promises, beside what a repair does.

use crate::support::command::{open_directory, run, set_mode, words};
use crate::support::environments::{self, Environment};
use crate::support::wheels;
use std::path::{Path, PathBuf};
use std::process::Command;

/// An environment with modules whose library is in a directory that is not searched.
fn broken(dir: &Path, modules: &[&str]) -> (Environment, Vec<PathBuf>) {
    let env = environments::empty(dir);
    let below = env.below();
    env.library(&format!("{below}/libs/libneeded.so.1"), "libneeded.so.1", &[], &[]);
    let modules: Vec<PathBuf> =
        modules.iter().map(|name| env.module(name, &["libneeded.so.1"], &[])).collect();
    (env, modules)
}

/// A file that may not be edited is skipped with its reason, and the others are repaired, as many as were
/// counted before.
#[test]
fn a_file_that_may_not_be_edited_does_not_keep_others_from_their_repair() {
    let dir = open_directory();
    let (env, modules) = broken(dir.path(), &["one/first", "one/second"]);
    let [first, second] = &modules[..] else { panic!("{modules:?}") };
    set_mode(first, 0o4755);
    let before = std::fs::read(first).unwrap();

    let doctor = run(dir.path(), &words(&[&"doctor", &env.prefix]));
    assert!(doctor.text(1).contains("(1 file; undo"), "{doctor:#?}");
    assert!(doctor.out.contains("it is setuid or setgid"), "{doctor:#?}");
    let report = run(dir.path(), &words(&[&"doctor", &"--format", &"json", &env.prefix])).json(1);
    for finding in report["findings"].as_array().unwrap() {
        let is_second = finding["object"] == *second.to_str().unwrap();
        assert_eq!(finding["fixable"], is_second, "{finding:#}");
    }

    let dry = run(dir.path(), &words(&[&"fix", &"--dry-run", &env.prefix]));
    assert!(dry.text(1).contains("1 file would be repaired"), "{dry:#?}");
    let fixed = run(dir.path(), &words(&[&"fix", &env.prefix]));
    assert!(fixed.text(1).contains("1 file repaired; 1 error remains"), "{fixed:#?}");
    assert!(fixed.out.contains("it is setuid or setgid"), "{fixed:#?}");
    assert_eq!(std::fs::read(first).unwrap(), before);
    assert!(env.runs("import one.second"));

    // Nothing else is promised then, and nothing is done.
    let again = run(dir.path(), &words(&[&"doctor", &env.prefix]));
    assert!(!again.text(1).contains("tfpatch fix"), "{again:#?}");
    let twice = run(dir.path(), &words(&[&"fix", &env.prefix]));
    assert!(twice.text(1).contains("nothing to repair; 1 error remains"), "{twice:#?}");
}

/// The variable is to blame for the copy that it leads to, and not the right library that is not found. An entry
/// that is searched before the variable gets the right one; one that is searched after it does not.
#[test]
fn a_copy_without_symbols_is_blamed_on_the_variable_that_leads_to_it() {
    for (tags, is_cured) in [("-Wl,--disable-new-dtags", true), ("-Wl,--enable-new-dtags", false)] {
        let dir = open_directory();
        let env = environments::empty(dir.path());
        let below = env.below();
        env.library(&format!("{below}/libs/libneeded.so.1"), "libneeded.so.1", &[], &[]);
        let flags = [tags, "-Wl,-rpath,$ORIGIN/../gone"];
        env.module("one/first", &["libneeded.so.1"], &flags);
        env.distribution("one", &[], &["one/first.abi3.so", "libs/libneeded.so.1"]);
        let stub = dir.path().join("stub");
        std::fs::create_dir(&stub).unwrap();
        let stub_file = stub.join("libneeded.so.1");
        wheels::run(
            Command::new("gcc")
                .args(["-shared", "-xc", "/dev/null", "-Wl,-soname,libneeded.so.1", "-o"])
                .arg(&stub_file),
        );
        let variable = format!("LD_LIBRARY_PATH={}", stub.display());
        let asked = |command: &str| words(&[&command, &"--env", &variable, &env.prefix]);

        let doctor = run(dir.path(), &asked("doctor"));
        let said = doctor.text(1);
        assert!(said.contains("env_override") && !said.contains("missing_symbol"), "{said}");
        assert!(said.contains("stub/libneeded.so.1 because of LD_LIBRARY_PATH"), "{said}");
        assert_eq!(said.contains("tfpatch fix"), is_cured, "{said}");
        assert_ne!(said.contains("from LD_LIBRARY_PATH"), is_cured, "{said}");
        let fixed = run(dir.path(), &asked("fix"));
        fixed.text(i32::from(!is_cured));
        let mut python = Command::new(env.prefix.join("bin/python"));
        python.args(["-c", "import one.first"]).env("LD_LIBRARY_PATH", &stub);
        assert_eq!(python.output().unwrap().status.success(), is_cured, "{fixed:#?}");
    }
}

/// Each of several copies with the same bytes is right, and the nearest is chosen. Between different ones nobody
/// but the user can choose.
#[test]
fn one_of_several_equal_copies_is_chosen() {
    for is_same in [true, false] {
        let dir = open_directory();
        let env = environments::empty(dir.path());
        let below = env.below();
        let path = format!("{below}/one/libs/libneeded.so.1");
        let copy = env.library(&path, "libneeded.so.1", &[], &[]);
        env.module("one/first", &["libneeded.so.1"], &[]);
        let other = env.site.join("a/libneeded.so.1");
        std::fs::create_dir(env.site.join("a")).unwrap();
        std::fs::copy(&copy, &other).unwrap();
        if !is_same {
            let mut bytes = std::fs::read(&other).unwrap();
            bytes.push(0);
            std::fs::write(&other, bytes).unwrap();
        }
        let fixed = run(dir.path(), &words(&[&"fix", &env.prefix]));
        let said = fixed.text(i32::from(!is_same));
        assert!(!is_same || said.contains("one/libs"), "{said}");
        assert_eq!(said.contains("choose one"), !is_same, "{said}");
        assert_eq!(env.runs("import one.first"), is_same);
    }
}
