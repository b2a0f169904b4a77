//! What a distribution ships and what it requires, where a part of that is somewhere else, is another, or is
//! gone. In each case the interpreter says first what is so.

use crate::support::command::{Ran, run};
use crate::support::environments::{Environment, empty};
use std::fs;

const MODULE: &str = "pkg/_fast.abi3.so";
const GUARDED: &str = "try:\n    from . import _fast\nexcept ImportError:\n    _fast = None\n";

fn doctor(env: &Environment) -> Ran {
    run(env.prefix.parent().unwrap(), &["doctor", "env"])
}

/// An environment whose package has a module that finds its library in `pkg/libs`.
fn package(dir: &std::path::Path) -> Environment {
    let env = empty(dir);
    library(&env, "libs/libown.so.1", &[]);
    env.module("pkg/_fast", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN/libs"]);
    env.distribution("pkg", &[], &["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1"]);
    env
}

/// A build of the package's library, at a path in the package.
fn library(env: &Environment, path: &str, flags: &[&str]) {
    let site = env.site.strip_prefix(&env.prefix).unwrap().display();
    env.library(&format!("{site}/pkg/{path}"), "libown.so.1", &[], flags);
}

/// The copy that is there has the name and nothing that is bound to it: leading there cures nothing.
#[test]
fn a_copy_without_the_symbols_is_none_to_lead_to() {
    for in_reach in [false, true] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        fs::remove_file(env.site.join("pkg/libs/libown.so.1")).unwrap();
        let directory = if in_reach { "libs" } else { "other" };
        library(&env, &format!("{directory}/libown.so.1"), &["-fvisibility=hidden"]);
        let listed = ["pkg/__init__.py", MODULE, "pkg/other/libown.so.1"];
        env.distribution("pkg", &[], &listed);
        assert!(!env.runs("import pkg._fast"));
        let told = doctor(&env);
        assert!(told.text(1).contains("missing_symbol"), "{told:#?}");
        let fixed = run(dir.path(), &["fix", "env"]);
        assert!(fixed.text(1).contains("nothing is repaired"), "{fixed:#?}");
    }
}

/// A guard is there for what others may not have installed: what the distribution itself brought is meant to
/// be loaded, and is repaired.
#[test]
fn a_guard_does_not_excuse_what_the_distribution_ships() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    fs::write(env.site.join("pkg/__init__.py"), GUARDED).unwrap();
    assert!(env.runs("import pkg._fast") && doctor(&env).status == 0);
    fs::rename(env.site.join("pkg/libs"), env.site.join("pkg/moved")).unwrap();
    assert!(env.runs("import pkg") && !env.runs("import pkg._fast"));
    assert!(doctor(&env).text(1).contains("path_missing"));
    run(dir.path(), &["fix", "env"]).text(0);
    assert!(env.runs("import pkg._fast"));
}

/// The loader ends its search at a file that is no library; another distribution's copy does not help.
#[test]
fn a_flattened_link_is_told_where_others_ship_the_library() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let site = env.site.strip_prefix(&env.prefix).unwrap().display().to_string();
    env.library(&format!("{site}/more/libown.so.1"), "libown.so.1", &[], &[]);
    env.module("more/_more", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN"]);
    env.distribution("more", &[], &["more/__init__.py", "more/_more.abi3.so", "more/libown.so.1"]);
    let libs = env.site.join("pkg/libs");
    fs::rename(libs.join("libown.so.1"), libs.join("libown.so.1.2")).unwrap();
    fs::write(libs.join("libown.so.1"), "libown.so.1.2").unwrap();
    assert!(!env.runs("import pkg._fast"));
    assert!(doctor(&env).text(1).contains("dropped_link"));
}

/// That something of a distribution is gone hides nothing of what a module needs besides.
#[test]
fn what_is_gone_does_not_hide_what_is_out_of_reach() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let inner = "libinner.so.1";
    let site = env.site.strip_prefix(&env.prefix).unwrap().display().to_string();
    env.library(&format!("{site}/pkg/moved/{inner}"), inner, &[], &[]);
    env.library(&format!("{site}/pkg/libs/libown.so.1"), "libown.so.1", &[inner], &[]);
    let gone = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", "pkg/libs/libgone.so.1"];
    env.distribution("pkg", &[], &gone);
    assert!(!env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert!(told.text(1).contains("partial_install"), "{told:#?}");
    assert!(told.out.contains("libinner.so.1 is out of reach"), "{told:#?}");
    run(dir.path(), &["fix", "env"]);
    assert!(env.runs("import pkg._fast"));
}

/// What is required and not installed counts where the code imports it whatever happens.
#[test]
fn what_is_imported_and_not_installed_is_an_error() {
    let imports = "from . import first\n";
    for (first, works) in [
        ("import absent_one\n", false),
        ("from absent_one.part import x\n", false),
        ("try:\n    import absent_one\nexcept ImportError:\n    pass\n", true),
        ("def f():\n    import absent_one\n", true),
        ("x = 1\n", true),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let env = package(dir.path());
        fs::write(env.site.join("pkg/__init__.py"), imports).unwrap();
        fs::write(env.site.join("pkg/first.py"), first).unwrap();
        let files = ["pkg/__init__.py", "pkg/first.py", MODULE, "pkg/libs/libown.so.1"];
        env.distribution("pkg", &["absent-one (>=2)", "another ; extra == 'more'"], &files);
        assert_eq!(env.runs("import pkg"), works, "{first}");
        let told = doctor(&env);
        assert_eq!(told.status == 0, works, "{first} {told:#?}");
        let says = "pkg 1.0 requires absent-one, which is not installed";
        assert_eq!(told.out.contains(says), !works, "{first} {told:#?}");
        // A module of that name does, whoever has put it there.
        fs::write(env.site.join("absent_one.py"), "").unwrap();
        assert_eq!(doctor(&env).status, 0, "{first}");
    }
}

/// A directory inside of the environment that a `.pth` file names is one of packages as any other.
#[test]
fn a_named_directory_inside_is_one_of_packages() {
    let dir = tempfile::tempdir().unwrap();
    let env = package(dir.path());
    let site = env.site.strip_prefix(&env.prefix).unwrap().display().to_string();
    // A plugin that a program of the package opens once the library is loaded.
    env.library(&format!("{site}/pkg/plugins/plugin.so"), "plugin.so", &["libown.so.1"], &[]);
    let files = ["pkg/__init__.py", MODULE, "pkg/libs/libown.so.1", "pkg/plugins/plugin.so"];
    env.distribution("pkg", &[], &files);
    assert_eq!(doctor(&env).status, 0);
    let other = env.prefix.join("share/site");
    fs::create_dir_all(&other).unwrap();
    for name in ["pkg", "pkg-1.0.dist-info"] {
        fs::rename(env.site.join(name), other.join(name)).unwrap();
    }
    fs::write(env.site.join("more.pth"), format!("{}\n", other.display())).unwrap();
    assert!(env.runs("import pkg._fast"));
    let told = doctor(&env);
    assert_eq!(told.status, 0, "{told:#?}");
}
