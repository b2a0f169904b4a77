//! Python environments: what their files say, against what their interpreters say.

use crate::support::python::{ambient, at};
use std::collections::BTreeSet;
use std::os::unix::fs::symlink;
use std::path::Path;
use tfpatch::python::discovery::Ambient;
use tfpatch::python::distribution::{self, Problem};
use tfpatch::python::environment::{Environment, Kind};
use tfpatch::python::interpreter::Program;
use tfpatch::python::target::{self, Target};
use tfpatch::vfs::{MemVfs, OsVfs};

#[test]
fn a_tree_with_several_pythons_has_an_interpreter_for_each() {
    let elf = b"\x7fELF\x02\x01\x01".to_vec();
    let vfs = MemVfs::new()
        .file("/opt/lib/python3.9/os.py", "")
        .file("/opt/lib/python3.9/site-packages/a.py", "")
        .file("/opt/lib/python3.13/os.py", "")
        .file("/opt/lib/python3.13t/os.py", "")
        .dir("/opt/lib/python3.13t/site-packages")
        .file("/opt/lib64/python3.13/site-packages/a.py", "")
        .file("/opt/lib/python3.12/site-packages/left-behind.py", "")
        .file("/opt/bin/python3.13", elf.clone())
        .file("/opt/bin/python3.13t", elf.clone())
        .file("/opt/bin/python3.9", elf)
        .file("/opt/bin/python3-config", "#!/bin/sh")
        .symlink("/opt/bin/python3", "python3.13");
    let found = Environment::at_prefix(&vfs, Path::new("/opt"), None).unwrap();
    let interpreters: Vec<_> = found
        .interpreters
        .iter()
        .map(|found| (found.version.to_string(), found.path.to_str().unwrap()))
        .collect();
    let expected = [
        ("3.9", "/opt/bin/python3.9"),
        ("3.13", "/opt/bin/python3"),
        ("3.13t", "/opt/bin/python3.13t"),
    ];
    assert_eq!(interpreters, expected.map(|(version, path)| (version.to_owned(), path)));
    let sites: Vec<_> =
        found.site_packages.iter().map(|site| site.path.to_str().unwrap()).collect();
    assert_eq!(
        sites,
        [
            "/opt/lib/python3.9/site-packages",
            "/opt/lib64/python3.13/site-packages",
            "/opt/lib/python3.13t/site-packages",
        ]
    );
}

#[test]
fn a_conda_environment_is_one() {
    let dir = tempfile::tempdir().unwrap();
    let prefix = dir.path().join("conda");
    std::fs::create_dir_all(prefix.join("conda-meta")).unwrap();
    std::fs::create_dir_all(prefix.join("bin")).unwrap();
    std::fs::create_dir_all(prefix.join("lib/python3.11/site-packages")).unwrap();
    std::fs::write(prefix.join("lib/python3.11/os.py"), "").unwrap();
    std::fs::copy("/usr/bin/python3", prefix.join("bin/python3.11")).unwrap();
    symlink("python3.11", prefix.join("bin/python")).unwrap();
    let found = at(&prefix, dir.path());
    assert_eq!((found.kind, &found.prefix), (Kind::Conda, &prefix));
    assert_eq!(found.interpreters[0].path, prefix.join("bin/python"));
    assert_eq!(found.interpreters[0].program, Program::Found(prefix.join("bin/python3.11")));
    assert_eq!(found.site_packages[0].path, prefix.join("lib/python3.11/site-packages"));
    assert_eq!(at(&prefix.join("bin/python"), dir.path()), found);
}

#[test]
fn targets_are_told_apart_and_faults_named() {
    let vfs = MemVfs::new()
        .file("/w/a.whl", "PK")
        .file("/w/a.so", "")
        .dir("/w/site-packages")
        .symlink("/w/dangling", "nothing")
        .special("/w/pipe")
        .dir("/w/locked")
        .unreadable("/w/locked")
        .file("/w/locked.so", "")
        .unreadable("/w/locked.so");
    let ambient = Ambient { working_directory: "/w".into(), ..Ambient::default() };
    let at = |path: &str| target::at(&vfs, &ambient, Path::new(path));
    let found = |path| at(path).unwrap();
    assert_eq!(found("a.whl"), Target::Wheel("/w/a.whl".into()));
    assert_eq!(found("./a.so"), Target::File("/w/a.so".into()));
    assert_eq!(found("."), Target::Directory("/w".into()));
    assert_eq!(found("../w/a.so"), Target::File("/w/a.so".into()));
    assert_eq!(found("site-packages/.."), Target::Directory("/w".into()));
    let site = Target::SitePackages { path: "/w/site-packages".into(), environment: None };
    assert_eq!(found("site-packages/"), site);
    let fault = |path| at(path).unwrap_err().to_string();
    for (path, words) in [
        ("none", "/w/none not found; name an environment, a directory"),
        ("dangling", "/w/dangling not found"),
        ("pipe", "/w/pipe is not a file or a directory"),
        ("locked", "cannot read /w/locked: "),
        ("locked.so", "cannot read /w/locked.so: "),
    ] {
        assert!(fault(path).starts_with(words), "{}", fault(path));
    }
}

#[test]
fn inside_a_root_the_hosts_files_are_not_looked_at() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    let prefix = root.join("app/.venv");
    std::fs::create_dir_all(prefix.join("bin")).unwrap();
    std::fs::create_dir_all(prefix.join("lib/python3.12/site-packages")).unwrap();
    std::fs::create_dir_all(root.join("usr/local/bin")).unwrap();
    std::fs::copy("/usr/bin/python3", root.join("usr/local/bin/python3.12")).unwrap();
    std::fs::write(prefix.join("pyvenv.cfg"), "home = /usr/local/bin\nversion = 3.12.1\n").unwrap();
    symlink("/usr/local/bin/python3.12", prefix.join("bin/python")).unwrap();
    let vfs = OsVfs::with_root(root.to_owned());
    let found = target::at(&vfs, &ambient(Path::new("/root")), Path::new("/app/.venv")).unwrap();
    let Target::Environment(found) = found else { panic!("{found:?}") };
    let program = Program::Found("/usr/local/bin/python3.12".into());
    assert_eq!(found.interpreters[0].program, program);
    assert_eq!(found.site_packages[0].path, Path::new("/app/.venv/lib/python3.12/site-packages"));
}

#[test]
fn half_installed_and_doubled_distributions_are_told() {
    let vfs = MemVfs::new()
        .file("/s/a-1.dist-info/METADATA", "Name: A.b\nVersion: 1\n")
        .file("/s/a-2.dist-info/METADATA", "Name: a_B\nVersion: 2\n")
        .file("/s/c-1.dist-info/METADATA", "\n\nName: in the body\n")
        .file("/s/d-1.dist-info/RECORD", "")
        .file("/s/~umpy-1.dist-info/METADATA", "Name: numpy\n")
        .file("/s/e.egg-info/PKG-INFO", "Name: e\nVersion: 3\n")
        .file("/s/e.egg-info/top_level.txt", "e\n_e\n");
    let (found, problems) = distribution::distributions(&vfs, Path::new("/s"));
    let names: Vec<_> = found.iter().map(|found| (&*found.normalized, &*found.version)).collect();
    assert_eq!(names, [("a-b", "1"), ("a-b", "2"), ("e", "3")]);
    assert_eq!(found[2].top_level(&vfs), BTreeSet::from([b"_e".to_vec(), b"e".to_vec()]));
    use Problem::{LeftOver, Nameless, Unreadable};
    assert!(
        matches!(&problems[..], [Nameless { .. }, Unreadable { .. }, LeftOver { .. }]),
        "{problems:?}"
    );
    let (found, problems) = distribution::distributions(&vfs, Path::new("/none"));
    assert!(found.is_empty() && matches!(&problems[..], [Unreadable { .. }]));
}
