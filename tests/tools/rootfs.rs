//! `--root`: the root of another system answers for itself. Nothing of this one is looked at, and
//! nothing leads out of it.

use crate::support::command::{Ran, command};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A directory of the host with a root in it: `/app/lib/libapp.so` needs `libdep.so`.
struct Host {
    dir: tempfile::TempDir,
}

impl Host {
    /// `search` is the search path of libapp.so; `@` stands for the host's directory.
    fn new(search: &str) -> Self {
        let host = Self { dir: tempfile::tempdir().unwrap() };
        host.library("libdep.so", &[]);
        let search = format!("-Wl,-rpath,{}", search.replace('@', host.path("").to_str().unwrap()));
        host.library(
            "root/app/lib/libapp.so",
            &["-L.", "-ldep", "-Wl,--enable-new-dtags", &search],
        );
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// The path of something of the host, as it would be inside the root.
    fn in_root(&self, name: &str) -> PathBuf {
        let path = self.path(name);
        self.path("root").join(path.strip_prefix("/").unwrap())
    }

    fn library(&self, name: &str, flags: &[&str]) {
        let output = self.path(name);
        fs::create_dir_all(output.parent().unwrap()).unwrap();
        let source = self.path("source.c");
        fs::write(&source, "int value;\n").unwrap();
        let mut gcc = Command::new("gcc");
        let soname = format!("-Wl,-soname,{}", output.file_name().unwrap().to_str().unwrap());
        gcc.args(["-shared", "-fPIC", "-nostdlib", "-Wl,--no-as-needed", &soname, "-o"]);
        gcc.arg(&output).arg(&source).args(flags).current_dir(self.path(""));
        assert!(gcc.status().unwrap().success());
    }

    fn tfpatch(&self, arguments: &[&str]) -> Ran {
        let mut command = command(&self.path(""));
        command.args(arguments).args(["--root", "root"]);
        // A variable of this system is none of another one's.
        command.env("LD_LIBRARY_PATH", self.path(""));
        Ran::of(&command.output().unwrap())
    }

    fn need(&self, status: i32) -> Value {
        let tree = self.tfpatch(&["tree", "--format", "json", "/app/lib/libapp.so"]).json(status);
        assert_eq!(tree["objects"][0]["path"], "/app/lib/libapp.so");
        tree["objects"][0]["needed"][0].clone()
    }
}

#[test]
fn the_hosts_copy_of_a_library_does_not_serve_a_root_that_lacks_it() {
    // By an absolute entry, and by one that leads up beyond the root.
    for search in ["@", "$ORIGIN/../../..", "$ORIGIN/../../../../../../../../../@"] {
        let host = Host::new(search);
        let need = host.need(1);
        assert_eq!(
            (&need["found"], &need["rule"]),
            (&Value::Null, &"not_found".into()),
            "{search}"
        );
        assert!(need["tried"].as_array().unwrap().iter().all(|step| step["outcome"] == "absent"));
    }
    let host = Host::new("@");
    fs::create_dir_all(host.in_root("")).unwrap();
    fs::copy(host.path("libdep.so"), host.in_root("libdep.so")).unwrap();
    assert_eq!(host.need(0)["rule"], "runpath");
    assert_eq!(host.need(0)["found"], host.path("libdep.so").to_str().unwrap());
}

#[test]
fn links_of_the_root_stay_inside() {
    let host = Host::new("$ORIGIN/linked");
    // What they name is there on the host, and is not in the root.
    for target in [host.path("libdep.so"), "../../../../libdep.so".into()] {
        let link = host.path("root/app/lib/linked/libdep.so");
        fs::create_dir_all(link.parent().unwrap()).unwrap();
        symlink(&target, &link).unwrap();
        assert_eq!(host.need(1)["found"], Value::Null, "{}", target.display());
        fs::remove_file(link).unwrap();
    }
    fs::remove_dir(host.path("root/app/lib/linked")).unwrap();
    symlink(host.path(""), host.path("root/app/lib/linked")).unwrap();
    assert_eq!(host.need(1)["found"], Value::Null);
    // The same link leads somewhere in a root that has it.
    fs::create_dir_all(host.in_root("")).unwrap();
    fs::copy(host.path("libdep.so"), host.in_root("libdep.so")).unwrap();
    assert_eq!(host.need(0)["found"], "/app/lib/linked/libdep.so");
}

#[test]
fn a_repair_in_a_root_writes_there_alone() {
    let host = Host::new("$ORIGIN/none");
    host.library("root/app/deps/libdep.so", &[]);
    // A store of the host that lies above the root is none of the root's.
    let before = fs::read(host.path("root/app/lib/libapp.so")).unwrap();
    let plan = host.tfpatch(&["fix", "--format", "json", "/app"]).json(0);
    assert_eq!(plan["steps"][0]["path"], "lib/libapp.so");
    assert_eq!(host.need(0)["found"], "/app/lib/../deps/libdep.so");
    assert!(fs::read_dir(host.path("root/app/.tfpatch")).is_ok());
    assert!(fs::symlink_metadata(host.path(".tfpatch")).is_err());
    host.tfpatch(&["verify", "/app"]).text(0);
    host.tfpatch(&["revert", "/app"]).text(0);
    assert_eq!(fs::read(host.path("root/app/lib/libapp.so")).unwrap(), before);
}

#[test]
fn a_link_that_leaves_the_target_of_a_root_is_left_alone() {
    let host = Host::new("$ORIGIN/none");
    host.library("root/app/deps/libdep.so", &[]);
    // In the root it leads to the root's file; this system would follow it to its own.
    let file = host.path("libapp.so");
    fs::copy(host.path("root/app/lib/libapp.so"), &file).unwrap();
    fs::create_dir_all(host.in_root("")).unwrap();
    fs::rename(host.path("root/app/lib/libapp.so"), host.in_root("libapp.so")).unwrap();
    symlink(&file, host.path("root/app/lib/libapp.so")).unwrap();
    let read = |path: &Path| fs::read(path).unwrap();
    let before = (read(&file), read(&host.in_root("libapp.so")));
    let plan = host.tfpatch(&["fix", "--format", "json", "/app"]).json(1);
    assert_eq!(plan["steps"].as_array().unwrap().len(), 0);
    let message = plan["unfixable"][0]["message"].as_str().unwrap();
    assert!(message.contains("is a link to a file outside the target"), "{message}");
    assert_eq!((read(&file), read(&host.in_root("libapp.so"))), before);
    assert!(host.path("root/app/lib/libapp.so").is_symlink());
}
