//! Packages in several directories of the search path: an import reaches the first one, and the interpreter says
//! so before the doctor is asked.

use crate::support::command::{Ran, command, run, snapshot};
use crate::support::environments::{Environment, empty};
use crate::support::wheels;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A package whose module lacks a library, installed into `more`; whether its metadata list the library decides what
/// is reported. `env` is empty then.
fn broken_in_more(dir: &Path, is_listed: bool) -> (Environment, PathBuf) {
    let env = empty(dir);
    let site = env.below();
    let own = env.library(&format!("{site}/pkg.libs/libown.so.1"), "libown.so.1", &[], &[]);
    env.module("pkg/_fast", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN/../pkg.libs"]);
    let library = if is_listed { "pkg.libs/libown.so.1" } else { "pkg/__init__.py" };
    env.distribution("pkg", &[], &["pkg/__init__.py", "pkg/_fast.abi3.so", library]);
    fs::remove_file(own).unwrap();
    let more = dir.join("more");
    fs::rename(&env.site, &more).unwrap();
    fs::create_dir(&env.site).unwrap();
    (env, more)
}

fn sound(env: &Environment) {
    env.module("pkg/_fast", &[], &[]);
    env.distribution("pkg", &[], &["pkg/__init__.py", "pkg/_fast.abi3.so"]);
}

fn doctor(dir: &Path, python_path: Option<&Path>) -> Ran {
    let mut command = command(dir);
    command.args(["doctor", "env"]);
    command.envs(python_path.map(|path| ("PYTHONPATH", path)));
    Ran::of(&command.output().unwrap())
}

const IMPORT: &str = "import pkg._fast";

#[test]
fn what_no_import_reaches_is_only_worth_knowing() {
    for is_listed in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (env, more) = broken_in_more(dir, is_listed);
        fs::write(env.site.join("more.pth"), format!("{}\n", more.display())).unwrap();
        assert!(!env.runs(IMPORT));
        assert_eq!(doctor(dir, None).status, 1, "it is imported");
        sound(&env);
        assert!(env.runs(IMPORT));
        let told = doctor(dir, None);
        assert!(told.text(0).contains("info  "), "{told:#?}");
        assert!(told.out.contains("no action needed: shadowed by "), "{told:#?}");
        let before = snapshot(dir);
        run(dir, &["fix", "env"]).text(0);
        assert_eq!(snapshot(dir), before);
        // Named itself, it is judged.
        assert_eq!(run(dir, &["doctor", "more"]).status, 1);
    }
}

#[test]
fn the_order_of_the_directories_decides() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (env, more) = broken_in_more(dir, true);
    sound(&env);
    let mut python = Command::new(env.prefix.join("bin/python"));
    let python = python.args(["-c", IMPORT]).env("PYTHONPATH", &more);
    assert!(!python.output().unwrap().status.success());
    assert_eq!(doctor(dir, Some(&more)).status, 1);
    // Code that changes the order makes it unknown.
    let code = "import sys; sys.path.sort(key=lambda it: not it.endswith('/more'))\n";
    fs::write(env.site.join("more.pth"), format!("{}\n{code}", more.display())).unwrap();
    assert!(!env.runs(IMPORT));
    assert_eq!(doctor(dir, None).status, 1);
    // So does that of a module that the line imports.
    let code = code.replace(';', "\n").replace("\n ", "\n");
    fs::write(env.site.join("sorts.py"), code).unwrap();
    fs::write(env.site.join("more.pth"), format!("{}\nimport sorts\n", more.display())).unwrap();
    assert!(!env.runs(IMPORT));
    assert_eq!(doctor(dir, None).status, 1);
}

/// A directory without code is joined with others of its name, and so is a package that says so.
#[test]
fn parts_of_one_package_do_not_shadow_each_other() {
    for init in [None, Some("__path__ = __import__('pkgutil').extend_path(__path__, __name__)\n")] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (env, more) = broken_in_more(dir, true);
        fs::write(env.site.join("more.pth"), format!("{}\n", more.display())).unwrap();
        fs::create_dir(env.site.join("pkg")).unwrap();
        fs::write(env.site.join("pkg/other.py"), "").unwrap();
        match init {
            Some(init) => fs::write(env.site.join("pkg/__init__.py"), init).unwrap(),
            None => fs::remove_file(more.join("pkg/__init__.py")).unwrap(),
        }
        assert!(env.runs("import pkg.other") && !env.runs(IMPORT));
        assert_eq!(doctor(dir, None).status, 1, "{init:?}");
        fs::write(env.site.join("pkg/_fast.py"), "").unwrap();
        assert!(env.runs(IMPORT));
    }
}

/// Tools that build programs come with copies of modules of the standard library, which every import finds in the
/// installation first.
#[test]
fn copies_of_standard_modules_are_not_imported() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = empty(dir);
    let says = "import os, sysconfig; print(os.path.join(sysconfig.get_path('platstdlib'), 'lib-dynload'))";
    let modules = fs::read_dir(wheels::python_says(says)).unwrap();
    let name =
        modules.map(|entry| entry.unwrap().file_name().into_string().unwrap()).min().unwrap();
    let module = name.split('.').next().unwrap();
    let gone = env.library("lib/libgone.so.3", "libgone.so.3", &[], &[]);
    let copy = env.module(&format!("deployed/{module}"), &["libgone.so.3"], &[]);
    fs::remove_file(gone).unwrap();
    fs::rename(&copy, copy.with_file_name(&name)).unwrap();
    assert!(
        !env.runs(&format!("import deployed.{module}")) && env.runs(&format!("import {module}"))
    );
    assert_eq!(doctor(dir, None).status, 1, "it is in a package");
    fs::remove_file(env.site.join("deployed/__init__.py")).unwrap();
    let told = doctor(dir, None);
    assert!(told.text(0).contains("no action needed: shadowed by "), "{told:#?}");
}

/// Where code of a `.pth` file leads is not known, so a package that is gone may be there.
#[test]
fn a_package_may_be_in_a_directory_that_code_adds() {
    let dir = tempfile::tempdir().unwrap();
    let env = empty(dir.path());
    env.module("pkg/_fast", &[], &[]);
    fs::write(env.site.join("pkg/__init__.py"), "").unwrap();
    env.distribution("pkg", &[], &["pkg/__init__.py", "pkg/_fast.abi3.so"]);
    let more = dir.path().join("more");
    fs::create_dir(&more).unwrap();
    fs::rename(env.site.join("pkg"), more.join("pkg")).unwrap();
    assert!(!env.runs("import pkg._fast"));
    assert_eq!(doctor(dir.path(), None).status, 1);
    let code = format!("import sys; sys.path.append({:?})\n", more.to_str().unwrap());
    fs::write(env.site.join("more.pth"), code).unwrap();
    assert!(env.runs("import pkg._fast"));
    let said = doctor(dir.path(), None);
    assert!(said.text(0).contains("warning  pkg/"), "{said:#?}");
}
