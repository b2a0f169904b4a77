//! Repairs of programs that musl's real loader starts, and what comes of them.

use crate::support::command::{Ran, command};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tfpatch::loader::{Libc, Loader, Settings, System};
use tfpatch::vfs::{OsVfs, Vfs as _};

/// A directory of objects that musl-gcc has linked.
struct Tree {
    dir: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// Links `path` from `source`; one without `.so` becomes a program.
    fn link(&self, path: &str, source: &str, flags: &[&str]) -> &Self {
        let output = self.path(path);
        let name = output.file_name().unwrap().to_str().unwrap();
        fs::create_dir_all(output.parent().unwrap()).unwrap();
        fs::write(self.path("source.c"), source).unwrap();
        let mut gcc = Command::new("musl-gcc");
        if name.ends_with(".so") {
            gcc.args(["-shared", "-fPIC", "-nostdlib", &format!("-Wl,-soname,{name}")]);
        }
        gcc.args(["-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-o"]).arg(&output);
        gcc.arg("source.c").args(flags).current_dir(self.path(""));
        let built = gcc.output().unwrap();
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        fs::remove_file(self.path("source.c")).unwrap();
        self
    }

    fn start(&self, arguments: &[&str]) -> Output {
        Command::new(self.path("main")).args(arguments).env_clear().output().unwrap()
    }

    fn tfpatch(&self, arguments: &[&str]) -> Ran {
        let output = command(self.dir.path()).args(arguments).arg(".").output().unwrap();
        Ran::of(&output)
    }
}

#[test]
fn one_entry_serves_all_that_the_object_loads_since_musl_inherits_it() {
    let tree = Tree::new();
    tree.link("deps/libb.so", "int b(void) { return 42; }", &[])
        .link("deps/liba.so", "int b(void); int a(void) { return b(); }", &["-Ldeps", "-lb"])
        .link("main", "int a(void); int main(void) { return a() != 42; }", &["-Ldeps", "-la"]);
    let before = tree.start(&[]);
    assert!(
        String::from_utf8_lossy(&before.stderr).contains("Error loading shared library liba.so")
    );
    let plan = tree.tfpatch(&["fix", "--format", "json"]).json(0);
    // With glibc the DT_RUNPATH would serve the program alone, and liba.so would need one too.
    let steps: Vec<&str> = plan["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["path"].as_str().unwrap())
        .collect();
    assert_eq!(steps, ["main"]);
    assert!(tree.start(&[]).status.success());
    tree.tfpatch(&["verify"]).text(0);
    tree.tfpatch(&["revert"]).text(0);
    assert_eq!(tree.start(&[]).status.code(), before.status.code());
}

#[test]
fn an_entry_beside_a_token_that_musl_does_not_know_is_not_planned() {
    let tree = Tree::new();
    tree.link("deps/liba.so", "int a(void) { return 42; }", &[]).link(
        "main",
        "int a(void); int main(void) { return a() != 42; }",
        &["-Ldeps", "-la", "-Wl,-rpath,/none/$LIB"],
    );
    let plan = tree.tfpatch(&["fix", "--format", "json"]).json(1);
    assert_eq!(plan["steps"].as_array().unwrap().len(), 0);
    assert!(!tree.start(&[]).status.success());
}

#[test]
fn dlopen_is_asked_by_the_main_program_and_not_by_the_caller() {
    let program = "#include <stdio.h>\nint call(const char *);\n\
        int main(int argc, char **argv) { return !call(argv[1]); }";
    let caller = "void *dlopen(const char *, int);\nint call(const char *name) { return dlopen(name, 2) != 0; }";
    let tree = Tree::new();
    tree.link("caller/libplugin.so", "int plugin;", &[])
        .link("own/libother.so", "int other;", &[])
        .link("own/libcaller.so", caller, &["-Wl,-rpath,$ORIGIN/../caller"])
        .link("main", program, &["-Lown", "-lcaller", "-Wl,-rpath,$ORIGIN/own"]);
    let vfs = OsVfs::new();
    let main = tree.path("main");
    let source = vfs.open(&main).unwrap();
    let summary = tfpatch::elf::Image::parse(&source).unwrap().summary().unwrap();
    let system = System::read(&vfs, &summary);
    assert_eq!((system.libc, system.assumptions.len()), (Libc::Musl, 0));
    let settings = Settings { working_directory: "/".into(), ..Settings::default() };
    let loader = Loader::new(&vfs, system, settings);
    let started = loader.program(&main);
    assert!(started.loads());
    let caller = started.objects.iter().find(|object| object.path.ends_with("libcaller.so"));
    for (name, found) in [("libplugin.so", false), ("libother.so", true)] {
        assert_eq!(tree.start(&[name]).status.success(), found, "{name}");
        let opened = loader.find(&[&started], &caller.unwrap().path, name.as_bytes()).unwrap();
        assert_eq!(opened.root.found.is_some(), found, "{name}");
    }
}

#[test]
fn the_real_loader_tells_its_directories() {
    let loader = fs::read("/lib/ld-musl-x86_64.so.1").unwrap();
    let vfs = tfpatch::vfs::MemVfs::new().file("/lib/ld-musl-x86_64.so.1", loader);
    let source = vfs.open(Path::new("/lib/ld-musl-x86_64.so.1")).unwrap();
    let summary = tfpatch::elf::Image::parse(&source).unwrap().summary().unwrap();
    let system = System::read_as(&vfs, &summary, Some(Libc::Musl));
    let dirs: Vec<&[u8]> = system.default_dirs.iter().map(Vec::as_slice).collect();
    assert_eq!(dirs, [&b"/lib"[..], b"/usr/local/lib", b"/usr/lib"]);
    assert_eq!((system.path_file, system.assumptions), (None, Vec::new()));
}
