//! Files that are not those of the installation, and packages that are not those of the interpreter: what is
//! reported about them, and what cures it.

use crate::support::command::{open_directory, run, set_mode, words};
use crate::support::environments::{Environment, empty};
use serde_json::Value;
use std::fs;
use std::path::Path;

fn findings(dir: &Path, status: i32) -> Vec<Value> {
    let report = run(dir, &words(&[&"doctor", &"--json", &"env"])).json(status);
    report["findings"].as_array().unwrap().clone()
}

fn errors(findings: &[Value]) -> Vec<&Value> {
    findings.iter().filter(|found| found["severity"] == "error").collect()
}

/// A module of `one`, which needs a library of `core`, and `core`.
fn of_two_distributions(env: &Environment) {
    let site = env.below();
    env.library(&format!("{site}/core/libcore7.so.1"), "libcore7.so.1", &[], &[]);
    env.module("one/first", &["libcore7.so.1"], &["-Wl,-rpath,$ORIGIN/../core"]);
    env.distribution("one", &["core"], &["one/first.abi3.so", "one/__init__.py"]);
    env.distribution("core", &[], &["core/libcore7.so.1"]);
}

/// Another build in the place of a library needs what nobody has heard of. Installing that would not help.
#[test]
fn a_library_that_was_replaced_is_installed_again() {
    let dir = open_directory();
    let env = empty(dir.path());
    of_two_distributions(&env);
    assert!(env.runs("import one.first"));
    let lost = env.library("lost.so", "libmadeup7base.so.9", &[], &[]);
    let site = env.below();
    let path = format!("{site}/core/libcore7.so.1");
    env.library(&path, "libcore7.so.1", &["libmadeup7base.so.9"], &[]);
    fs::remove_file(lost).unwrap();
    assert!(!env.runs("import one.first"));
    let all = findings(dir.path(), 1);
    for error in errors(&all) {
        let cure = error["cure"].as_str().unwrap();
        assert!(cure.contains("--force-reinstall --no-deps 'core==1.0'"), "{error}");
    }
}

/// Both distributions are installed in the releases that fit. The file is of another one.
#[test]
fn a_replaced_library_without_a_symbol_is_no_mismatch_of_releases() {
    let dir = open_directory();
    let env = empty(dir.path());
    of_two_distributions(&env);
    let site = env.below();
    let other = env.library(&format!("{site}/core/other.so"), "libother7.so.1", &[], &[]);
    fs::rename(other, env.site.join("core/libcore7.so.1")).unwrap();
    // A changed size is what shows it.
    let mut bytes = fs::read(env.site.join("core/libcore7.so.1")).unwrap();
    bytes.push(0);
    fs::write(env.site.join("core/libcore7.so.1"), bytes).unwrap();
    assert!(!env.runs("import one.first"));
    let all = findings(dir.path(), 1);
    for error in errors(&all) {
        let cure = error["cure"].as_str().unwrap();
        assert_ne!(error["cause"], "version_mismatch", "{error}");
        assert!(cure.contains("--force-reinstall --no-deps 'core==1.0'"), "{error}");
    }
}

/// A package was moved to a directory of a `.pth` file, and another distribution has filled its old directory again.
/// Python imports the package, and not the directory without `__init__.py`.
#[test]
fn what_is_left_of_a_package_is_not_the_package() {
    let dir = open_directory();
    let env = empty(dir.path());
    env.module("one/first", &[], &[]);
    env.distribution("one", &[], &["one/first.abi3.so", "one/__init__.py"]);
    let more = dir.path().join("more");
    fs::create_dir(&more).unwrap();
    fs::rename(env.site.join("one"), more.join("one")).unwrap();
    fs::write(env.site.join("more.pth"), format!("{}\n", more.display())).unwrap();
    env.library(&format!("{}/one/lib/libdata7.so.1", env.below()), "libdata7.so.1", &[], &[]);
    env.distribution("data", &[], &["one/lib/libdata7.so.1"]);
    assert!(env.runs("import one.first"));
    assert!(errors(&findings(dir.path(), 0)).is_empty());
    // Without the other directory, it is incomplete.
    fs::remove_file(env.site.join("more.pth")).unwrap();
    assert!(!env.runs("import one.first"));
    assert!(!errors(&findings(dir.path(), 1)).is_empty());
}

/// A directory without an `__init__.py` is imported too, and has what an empty one has. One with content is missed.
#[test]
fn an_empty_beginning_of_a_package_is_not_missed() {
    for (content, is_missed) in [("", false), ("from one import first\n", true)] {
        let dir = open_directory();
        let env = empty(dir.path());
        env.module("one/first", &[], &[]);
        fs::write(env.site.join("one/__init__.py"), content).unwrap();
        env.distribution("one", &[], &["one/first.abi3.so", "one/__init__.py"]);
        fs::remove_file(env.site.join("one/__init__.py")).unwrap();
        assert!(env.runs("import one.first"));
        let all = findings(dir.path(), i32::from(is_missed));
        assert_eq!(!errors(&all).is_empty(), is_missed, "{all:?}");
    }
}

/// The packages of a Python inside a package are on no search path of the interpreter.
#[test]
fn modules_of_a_python_inside_a_package_are_only_worth_knowing() {
    let dir = open_directory();
    let env = empty(dir.path());
    let lost = env.library("lost.so", "libmadeup7core.so.1", &[], &[]);
    env.module("host/first", &[], &[]);
    let inner = "host/5.0/python/lib/python3.11/site-packages/inner";
    env.module(&format!("{inner}/second"), &["libmadeup7core.so.1"], &[]);
    fs::remove_file(lost).unwrap();
    let all = findings(dir.path(), 0);
    assert_eq!(all.iter().filter(|it| it["library"] == "libmadeup7core.so.1").count(), 1);
    // With the directory on the search path, the module fails.
    let site = env.site.join(inner).parent().unwrap().display().to_string();
    fs::write(env.site.join("more.pth"), format!("{site}\n")).unwrap();
    assert!(!env.runs("import inner.second"));
    assert_eq!(errors(&findings(dir.path(), 1)).len(), 1);
}

/// A program that does not start is named, although a library lacks what it needs. Nobody starts one without the right
/// to do so.
#[test]
fn a_program_that_nobody_may_execute_does_not_count() {
    let dir = open_directory();
    let env = empty(dir.path());
    let site = env.below();
    env.library(&format!("{site}/one/lib/libbase7.so.1"), "libbase7.so.1", &[], &[]);
    let own = format!("{site}/one/own/libown7.so.1");
    env.library(&own, "libown7.so.1", &["libbase7.so.1"], &[]);
    env.module("one/first", &[], &[]);
    let rpath = "-Wl,-rpath,$ORIGIN/../own";
    let program = env.program(&format!("{site}/one/data/helper"), &["libown7.so.1"], &[rpath]);
    assert!(!std::process::Command::new(&program).status().unwrap().success());
    let all = findings(dir.path(), 1);
    let [error] = errors(&all)[..] else { panic!("{all:?}") };
    let message = error["message"].as_str().unwrap();
    let wanted = "one/data/helper cannot start: one/own/libown7.so.1 needs libbase7.so.1";
    assert!(message.starts_with(wanted), "{message}");
    set_mode(&program, 0o644);
    assert!(errors(&findings(dir.path(), 0)).is_empty());
}

/// Of a distribution of libraries, modules load one, and nothing names the other. What the first one opens by its
/// name is missed.
#[test]
fn a_library_that_nothing_names_is_only_worth_knowing() {
    for is_named in [false, true] {
        let dir = open_directory();
        let env = empty(dir.path());
        let site = env.below();
        let more = env.library(&format!("{site}/core/libcore7w.so.1"), "libcore7w.so.1", &[], &[]);
        env.library(&format!("{site}/core/libcore7.so.1"), "libcore7.so.1", &[], &[]);
        let rpath = "-Wl,-rpath,$ORIGIN/../core";
        env.module("one/first", &["libcore7.so.1"], &[rpath]);
        let opener = env.module_that_opens("one/second", "libcore7w.so.1", &[rpath]);
        if !is_named {
            fs::remove_file(opener).unwrap();
        }
        let modules = ["one/first.abi3.so", "one/second.abi3.so", "one/__init__.py"];
        let modules = modules.iter().filter(|file| is_named || !file.contains("second"));
        env.distribution("one", &["core"], &modules.copied().collect::<Vec<_>>());
        env.distribution("core", &[], &["core/libcore7.so.1", "core/libcore7w.so.1"]);
        fs::rename(&more, more.with_extension("elsewhere")).unwrap();
        assert!(env.runs("import one.first"));
        let all = findings(dir.path(), i32::from(is_named));
        assert_eq!(!errors(&all).is_empty(), is_named, "{all:?}");
    }
}
