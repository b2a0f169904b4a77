//! Programs, modules and environments that do not start here, whatever libraries are found. In each case the
//! interpreter or the kernel says first what is so.

use crate::support::command::run;
use crate::support::environments::{Environment, empty};
use crate::support::scene::tfpatch;
use crate::support::wheels;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The report about an environment that fails.
#[track_caller]
fn doctor(env: &Environment) -> String {
    run(env.prefix.parent().unwrap(), &["doctor", "env"]).text(1).to_owned()
}

#[track_caller]
fn assert_sound(env: &Environment) {
    let said = run(env.prefix.parent().unwrap(), &["doctor", "env"]);
    assert!(said.text(0).contains("all dependencies resolve"), "{said:#?}");
}

#[test]
fn a_program_whose_loader_is_missing_does_not_start() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let command = env.program("bin/tool", &[], &[]);
    let data = env.program(&format!("{}/tools/data/other", env.below()), &[], &[]);
    assert!(Command::new(&command).status().unwrap().success());
    assert_sound(&env);
    let set = |file: &Path| {
        let set = ["interpreter", "set", "/nowhere/ld-other.so.3"];
        wheels::run(tfpatch().args(set).arg(file));
    };
    set(&command);
    assert!(Command::new(&command).status().is_err());
    let said = doctor(&env);
    assert!(said.contains("bin/tool needs /nowhere/ld-other.so.3, which is not found"), "{said}");
    // Nobody starts the other one as a command.
    fs::remove_file(command).unwrap();
    set(&data);
    let said = run(dir.path(), &["doctor", "-v", "env"]);
    assert!(said.text(0).contains("info  /nowhere/ld-other.so.3 is not installed"), "{said:#?}");
}

#[test]
fn an_environment_without_its_configuration_imports_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module("here/_here", &[], &[]);
    assert!(env.runs("import here._here"));
    assert_sound(&env);
    fs::remove_file(env.prefix.join("pyvenv.cfg")).unwrap();
    assert!(!env.runs("import here._here"));
    let said = doctor(&env);
    assert!(said.contains("pyvenv.cfg is missing: bin/python is "), "{said}");
    assert!(said.contains("recreate the environment"), "{said}");
}

/// The interpreter ends before it imports anything.
#[test]
fn a_home_without_a_library_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module("here/_here", &[], &[]);
    let mut python = Command::new(env.prefix.join("bin/python"));
    let starts = python.args(["-c", ""]).env("PYTHONHOME", dir.path()).output().unwrap();
    assert!(!starts.status.success());
    let said = tfpatch().args(["doctor"]).arg(&env.prefix).env("PYTHONHOME", dir.path()).output();
    let said = said.unwrap();
    assert_eq!(said.status.code(), Some(1), "{said:?}");
    assert!(String::from_utf8_lossy(&said.stdout).contains("PYTHONHOME is "), "{said:?}");
}

/// The name of a module for the stable interface shows no version: its tag and the functions that it binds do.
#[test]
fn a_module_for_a_later_python_is_told_by_what_it_binds() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    let files = ["later/__init__.py", "later/_later.abi3.so"];
    let install = |function: &str| {
        env.module_that_calls("later/_later", function);
        let info = env.distribution("later", &[], &files);
        fs::write(info.join("WHEEL"), "Wheel-Version: 1.0\nTag: cp399-abi3-linux_x86_64\n")
            .unwrap();
    };
    install("PyOfLater_NotYet");
    assert!(!env.runs("import later._later"));
    let said = doctor(&env);
    assert!(
        said.contains("later 1.0 was built for Python 3.99 (cp399-abi3-linux_x86_64)"),
        "{said}"
    );
    // Whatever its tag says, one that binds nothing new is imported.
    install("PyErr_CheckSignals");
    assert!(env.runs("import later._later"));
    assert_sound(&env);
}

/// A file of the name of a package comes before it like a directory does.
#[test]
fn a_module_in_the_place_of_a_package_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module("here/_here", &[], &[]);
    assert_sound(&env);
    let scripts = dir.path().join("scripts");
    fs::create_dir(&scripts).unwrap();
    fs::write(scripts.join("here.py"), "").unwrap();
    let mut python = Command::new(env.prefix.join("bin/python"));
    let imports = python.args(["-c", "import here._here"]).env("PYTHONPATH", &scripts).output();
    assert!(!imports.unwrap().status.success());
    let said =
        tfpatch().arg("doctor").arg(&env.prefix).env("PYTHONPATH", &scripts).output().unwrap();
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(
        said.contains("here is imported from there, but its extension module is not there"),
        "{said}"
    );
}

/// glibc replaces tokens in the path of what a program opens.
#[test]
fn modules_below_a_name_with_a_token_are_never_found() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("its $LIB");
    fs::create_dir(&inside).unwrap();
    let env = empty(&inside);
    env.module("here/_here", &[], &[]);
    assert!(!env.runs("import here._here"));
    let said = doctor(&env);
    assert!(said.contains("its path contains `$ORIGIN`, `$LIB` or `$PLATFORM`"), "{said}");
    // Other names with the sign are names.
    let elsewhere = dir.path().join("its $LIBRARY");
    fs::rename(&inside, &elsewhere).unwrap();
    let python =
        Command::new(elsewhere.join("env/bin/python")).args(["-c", "import here._here"]).status();
    assert!(python.unwrap().success());
    let said = run(&elsewhere, &["doctor", "env"]);
    assert!(!said.out.contains("$PLATFORM"), "{said:#?}");
}
