//! What a diagnosis promises, beside what a repair does.

use crate::support::command::{open_directory, run, set_mode, words};
use crate::support::environments::{self, Environment};
use std::path::{Path, PathBuf};

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
