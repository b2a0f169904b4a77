//! Modules whose libraries are all found, and that the loader refuses. Each time the interpreter says it first.

use crate::support::command::{Ran, run};
use crate::support::environments::{Environment, empty};
use crate::support::wheels;
use std::fs;
use std::path::Path;
use std::process::Command;

fn doctor(env: &Environment) -> Ran {
    run(env.prefix.parent().unwrap(), &["doctor", "env"])
}

#[track_caller]
fn assert_sound(env: &Environment) {
    let said = doctor(env);
    assert!(said.text(0).contains("all dependencies resolve"), "{said:#?}");
}

/// The error of the interpreter when it runs a line of code.
#[track_caller]
fn error(env: &Environment, code: &str) -> String {
    let ran = Command::new(env.prefix.join("bin/python")).args(["-c", code]).output().unwrap();
    assert!(!ran.status.success(), "{code} works");
    String::from_utf8(ran.stderr).unwrap()
}

/// The report has the words of the loader about the module.
#[track_caller]
fn assert_refused(env: &Environment, words: &str) {
    let said = error(env, "import here._here");
    assert!(said.contains(words), "{said}");
    let report = doctor(env);
    let text = report.text(1);
    assert!(text.contains("here/_here.abi3.so cannot be loaded"), "{report:#?}");
    assert!(text.contains(&format!("the loader refuses it: {words}")), "{report:#?}");
}

#[test]
fn a_module_that_is_refused_by_its_header_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let module = env.module("here/_here", &[], &[]);
    assert!(env.runs("import here._here"));
    assert_sound(&env);
    let whole = fs::read(&module).unwrap();
    // The operating system, its version, the version of the format, and two other types of objects.
    for (at, byte, words) in [
        (7, 9, "ELF file OS ABI invalid"),
        (8, 5, "ELF file ABI version invalid"),
        (20, 2, "ELF file version does not match current one"),
        (16, 1, "only ET_DYN and ET_EXEC can be loaded"),
        (16, 2, "cannot dynamically load executable"),
    ] {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        fs::write(&module, bytes).unwrap();
        assert_refused(&env, words);
    }
}

/// An entry leads to its library, and it is not loaded all the same.
#[test]
fn what_must_not_be_opened_is_not_repaired() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.library(&format!("{}/libs/libhere.so.1", env.below()), "libhere.so.1", &[], &[]);
    let module = env.module("here/_here", &["libhere.so.1"], &["-Wl,-z,nodlopen"]);
    env.distribution("here", &[], &["here/__init__.py", "here/_here.abi3.so", "libs/libhere.so.1"]);
    assert_refused(&env, "shared object cannot be dlopen()ed");
    let before = fs::read(&module).unwrap();
    let fixed = run(dir.path(), &["fix", "env"]);
    assert!(fixed.text(1).contains("shared object cannot be dlopen()ed"), "{fixed:#?}");
    assert_eq!(fs::read(&module).unwrap(), before);
    // A library that is needed is not opened either.
    let library = env.library(
        &format!("{}/here/libhere.so.1", env.below()),
        "libhere.so.1",
        &[],
        &["-Wl,-z,nodlopen"],
    );
    env.module("here/_here", &["libhere.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    assert!(error(&env, "import here._here").contains("cannot be dlopen()ed"));
    let said = doctor(&env);
    assert!(said.text(1).contains("libhere.so.1 cannot be loaded"), "{said:#?}");
    assert!(fs::metadata(library).is_ok());
}

/// The loader takes it for a fault of its own, and ends the process.
#[test]
fn a_version_of_a_library_that_is_not_needed_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let script = dir.path().join("versions");
    fs::write(&script, "HERE_1 { libhere; };").unwrap();
    let at = format!("{}/here/libhere.so.1", env.below());
    let versions = format!("-Wl,--version-script={}", script.display());
    env.library(&at, "libhere.so.1", &[], &[&versions]);
    let module = env.module("here/_here", &["libhere.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    assert!(env.runs("import here._here"));
    assert_sound(&env);
    wheels::run(Command::new("patchelf").args(["--remove-needed", "libhere.so.1"]).arg(&module));
    assert_refused(&env, "Assertion `needed != NULL' failed!");
}

#[test]
fn a_symbol_that_nothing_defines_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module_that_calls("here/_here", "libelsewhere");
    assert!(error(&env, "import here._here").contains("undefined symbol: libelsewhere"));
    let said = doctor(&env);
    let text = said.text(1);
    assert!(text.contains("here/_here.abi3.so has undefined symbols"), "{said:#?}");
    assert!(text.contains("(libelsewhere)"), "{said:#?}");
    let message = error(&env, "import here._here");
    let explained = run(dir.path(), &["explain", &message, "env"]);
    assert!(explained.out.contains("libelsewhere"), "{explained:#?}");
    // A library of the target that defines it may be loaded before, for all to see.
    let library = format!("{}/here/libelsewhere.so", env.below());
    let library = env.library(&library, "libelsewhere.so", &[], &[]);
    let code = format!("import ctypes; ctypes.CDLL({:?}, ctypes.RTLD_GLOBAL)", shown(&library));
    // The module says that it does not start where the function returns something.
    let said = error(&env, &format!("{code}; import here._here"));
    assert!(!said.contains("undefined symbol"), "{said}");
    assert_sound(&env);
}

fn shown(path: &Path) -> &str {
    path.to_str().unwrap()
}
