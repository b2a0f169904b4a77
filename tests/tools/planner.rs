//! Plans on trees of real libraries, judged by the real loader: what is planned loads afterwards,
//! and what would make something else worse is refused with nothing written.

use crate::support::wheels;
use serde_json::Value;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A tree of libraries. Each exports a function of its own name that calls those it needs.
struct Tree {
    dir: TempDir,
}

impl Tree {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Compiles `path`, which needs the libraries at `needs`, with more flags for the linker.
    fn library(&self, path: &str, needs: &[&str], flags: &[&str]) -> &Self {
        let output = self.path(path);
        std::fs::create_dir_all(output.parent().unwrap()).unwrap();
        let function = |path: &str| {
            let name = Path::new(path).file_name().unwrap().to_str().unwrap();
            name.split('.').next().unwrap().to_owned()
        };
        let declarations: String =
            needs.iter().map(|need| format!("int {}(void);\n", function(need))).collect();
        let calls: String = needs.iter().map(|need| format!(" + {}()", function(need))).collect();
        let source = self.path("source.c");
        let text = format!("{declarations}int {}(void) {{ return 1{calls}; }}\n", function(path));
        std::fs::write(&source, text).unwrap();
        let name = output.file_name().unwrap().to_str().unwrap();
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-Wl,--no-as-needed", "-o"]).arg(&output).arg(&source);
        if name.starts_with("lib") {
            cc.arg(format!("-Wl,-soname,{name}"));
        }
        cc.args(needs.iter().map(|need| self.path(need))).args(flags);
        assert!(cc.status().unwrap().success());
        std::fs::remove_file(source).unwrap();
        self
    }

    fn tfpatch(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_tfpatch"))
            .args(arguments)
            .arg(self.dir.path())
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .unwrap()
    }

    fn plan(&self, arguments: &[&str]) -> Value {
        let output = self.tfpatch(&[&["fix", "--format", "json"], arguments].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
    }

    /// Does the real loader load the library?
    fn loads(&self, path: &str) -> bool {
        let script = "import ctypes, sys; ctypes.CDLL(sys.argv[1])";
        let python = wheels::python3()
            .args(["-c", script])
            .arg(self.path(path))
            .env_remove("LD_LIBRARY_PATH")
            .output()
            .unwrap();
        python.status.success()
    }

    fn bytes(&self, path: &str) -> Vec<u8> {
        std::fs::read(self.path(path)).unwrap()
    }
}

fn steps(plan: &Value) -> Vec<&str> {
    plan["steps"].as_array().unwrap().iter().map(|step| step["path"].as_str().unwrap()).collect()
}

fn messages(plan: &Value) -> String {
    plan["unfixable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["message"].as_str().unwrap().to_owned() + "\n")
        .collect()
}

#[test]
fn a_library_that_needs_a_library_that_needs_a_library() {
    let tree = Tree::new();
    tree.library("c/libc3.so", &[], &[]).library("b/libb.so", &["c/libc3.so"], &[]).library(
        "module.so",
        &["b/libb.so"],
        &[],
    );
    assert!(!tree.loads("module.so"));
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), ["b/libb.so", "module.so"]);
    assert_eq!(plan["steps"][0]["after"], serde_json::json!(["$ORIGIN/../c"]));
    assert!(tree.loads("module.so"));
    assert_eq!(steps(&tree.plan(&[])), Vec::<&str>::new(), "twice is once");
}

#[test]
fn an_inherited_rpath_is_not_switched_off() {
    let tree = Tree::new();
    tree.library("libs/libinner.so", &[], &[])
        .library("other/libfar.so", &[], &[])
        .library("libs/libouter.so", &["libs/libinner.so", "other/libfar.so"], &[])
        .library(
            "module.so",
            &["libs/libouter.so"],
            &["-Wl,--disable-new-dtags,-rpath,$ORIGIN/libs", "-Wl,-rpath-link,other"],
        );
    assert!(!tree.loads("module.so"));
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), ["libs/libouter.so"]);
    assert!(tree.loads("module.so"), "a RUNPATH would have taken libinner.so away");
    let show = Command::new(env!("CARGO_BIN_EXE_tfpatch"))
        .args(["show", "--format", "json"])
        .arg(tree.path("libs/libouter.so"))
        .output()
        .unwrap();
    let show: Value = serde_json::from_slice(&show.stdout).unwrap();
    assert_eq!(show["files"][0]["slices"][0]["rpath_kind"], "rpath");
}

#[test]
fn what_would_take_another_library_from_elsewhere_is_refused() {
    let tree = Tree::new();
    // The directory of the missing library also has a copy of one that is found elsewhere.
    tree.library("good/libshared.so", &[], &[])
        .library("both/libshared.so", &[], &[])
        .library("both/libmissing.so", &[], &[])
        .library("good/libuser.so", &["good/libshared.so"], &["-Wl,-rpath,$ORIGIN"])
        .library(
            "module.so",
            &["both/libmissing.so", "good/libshared.so"],
            &["-Wl,--disable-new-dtags"],
        );
    // A system library whose name the directory shadows.
    std::fs::copy("/lib/x86_64-linux-gnu/libm.so.6", tree.path("both/libm.so.6")).unwrap();
    tree.library("module.so", &["both/libmissing.so"], &["-lm"]);
    let before = tree.bytes("module.so");
    assert!(!tree.loads("module.so"));
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), Vec::<&str>::new());
    assert!(messages(&plan).contains("libm.so.6 would then be loaded from"), "{}", messages(&plan));
    assert_eq!(tree.bytes("module.so"), before);
    assert_eq!(tree.tfpatch(&["fix"]).status.code(), Some(1));
}

#[test]
fn among_equal_copies_nothing_is_guessed() {
    let tree = Tree::new();
    tree.library("one/libtwin.so", &[], &[])
        .library("two/libtwin.so", &[], &["-Wl,--build-id=none"])
        .library("module.so", &["one/libtwin.so"], &[]);
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), Vec::<&str>::new());
    let causes: Vec<&str> = plan["unfixable"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["cause"].as_str().unwrap())
        .collect();
    assert_eq!(causes, ["path_missing", "duplicate_install"]);
    let two = tree.path("two");
    let plan = tree.plan(&["--search", two.to_str().unwrap()]);
    assert_eq!(plan["steps"][0]["after"], serde_json::json!(["$ORIGIN/two"]));
    assert!(tree.loads("module.so"));
}

#[test]
fn a_directory_that_cannot_be_written_as_an_entry_is_refused() {
    let tree = Tree::new();
    tree.library("a:b/libodd.so", &[], &[]).library("module.so", &["a:b/libodd.so"], &[]);
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), Vec::<&str>::new());
    let cure = plan["unfixable"][0]["cure"].as_str().unwrap();
    assert!(cure.starts_with("rename "), "{cure}");
    assert!(cure.contains("a search path cannot contain ':' or '$'"), "{cure}");
}

#[test]
fn a_library_outside_the_target_needs_permission() {
    let (tree, outside) = (Tree::new(), Tree::new());
    outside.library("libout.so", &[], &[]);
    std::fs::copy(outside.path("libout.so"), tree.path("libout.so")).unwrap();
    tree.library("module.so", &["libout.so"], &[]);
    std::fs::remove_file(tree.path("libout.so")).unwrap();
    let directory = outside.dir.path().to_str().unwrap();
    let plan = tree.plan(&["--search", directory]);
    assert!(messages(&plan).contains("--allow-absolute"), "{}", messages(&plan));
    let plan = tree.plan(&["--search", directory, "--allow-absolute"]);
    assert_eq!(plan["steps"][0]["after"], serde_json::json!([directory]));
    assert!(tree.loads("module.so"));
}

#[test]
fn an_entry_must_lead_there_from_every_name_of_the_object() {
    let tree = Tree::new();
    tree.library("deps/libdep.so", &[], &[]).library("here/module.so", &["deps/libdep.so"], &[]);
    std::fs::create_dir_all(tree.path("far/away")).unwrap();
    std::fs::hard_link(tree.path("here/module.so"), tree.path("far/away/module.so")).unwrap();
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), ["far/away/module.so"], "one file, one step");
    assert_eq!(plan["steps"][0]["aliases"][0]["path"], "here/module.so");
    assert!(tree.loads("here/module.so") && tree.loads("far/away/module.so"));
    let names = ["here/module.so", "far/away/module.so"].map(|name| tree.path(name));
    let inodes = names.map(|name| std::fs::metadata(name).unwrap().ino());
    assert_eq!(inodes[0], inodes[1], "its names stay names of one file");
}

#[test]
fn what_only_a_variable_makes_work_is_made_to_work_without_it() {
    let tree = Tree::new();
    tree.library("deps/libdep.so", &[], &[]).library("module.so", &["deps/libdep.so"], &[]);
    let run = |command: &str, with: bool| -> Value {
        let mut tfpatch = Command::new(env!("CARGO_BIN_EXE_tfpatch"));
        tfpatch.args([command, "--format", "json"]).arg(tree.dir.path());
        match with {
            true => tfpatch.env("LD_LIBRARY_PATH", tree.path("deps")),
            false => tfpatch.env_remove("LD_LIBRARY_PATH"),
        };
        serde_json::from_slice(&tfpatch.output().unwrap().stdout).unwrap()
    };
    let found = run("doctor", true);
    assert_eq!(found["findings"][0]["cause"], "env_override");
    assert_eq!(found["findings"][0]["severity"], "warning");
    assert_eq!(found["findings"].as_array().unwrap().len(), 1);
    assert_eq!(steps(&run("fix", true)), ["module.so"]);
    assert!(tree.loads("module.so"), "without the variable");
    assert_eq!(run("doctor", true)["findings"], serde_json::json!([]));
    assert_eq!(run("doctor", false)["findings"], serde_json::json!([]));
}

#[test]
fn what_a_variable_puts_in_the_place_of_the_right_library_is_said() {
    let (tree, outside) = (Tree::new(), Tree::new());
    tree.library("deps/libdep.so", &[], &[]).library(
        "module.so",
        &["deps/libdep.so"],
        &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/deps"],
    );
    // It has the name and not the function.
    outside.library("source/libother.so", &[], &["-Wl,-soname,libdep.so"]);
    std::fs::create_dir(outside.path("shadow")).unwrap();
    std::fs::rename(outside.path("source/libother.so"), outside.path("shadow/libdep.so")).unwrap();
    let findings = |shadow: &Path| -> Value {
        let mut tfpatch = Command::new(env!("CARGO_BIN_EXE_tfpatch"));
        tfpatch.args(["doctor", "--format", "json"]).arg(tree.dir.path());
        let output = tfpatch.env("LD_LIBRARY_PATH", shadow).output().unwrap();
        let said: Value = serde_json::from_slice(&output.stdout).unwrap();
        said["findings"].clone()
    };
    // The same library by way of the variable is no other one.
    assert_eq!(findings(&tree.path("deps")), serde_json::json!([]));
    let shadow = outside.path("shadow");
    let found = findings(&shadow);
    assert_eq!(found.as_array().unwrap().len(), 1, "{found:#}");
    assert_eq!(found[0]["cause"], "env_override");
    assert_eq!(found[0]["object"], tree.path("module.so").to_str().unwrap());
    assert_eq!(found[0]["fixable"], false);
    let cure = format!("remove {} from LD_LIBRARY_PATH", shadow.display());
    assert_eq!(found[0]["cure"], cure);
    // Nor is a text a library, though a link editor would read it as its script.
    std::fs::write(shadow.join("libdep.so"), "INPUT(libdep.so.1)").unwrap();
    let found = findings(&shadow);
    assert_eq!(found[0]["cause"], "env_override");
    assert_eq!(found[0]["severity"], "error");
    assert_eq!(found[0]["cure"], cure);
}

#[test]
fn a_file_at_which_the_loader_gives_up_is_not_called_absent() {
    let tree = Tree::new();
    tree.library("deps/libdep.so", &[], &[]).library(
        "module.so",
        &["deps/libdep.so"],
        &["-Wl,-rpath,$ORIGIN/deps"],
    );
    std::fs::rename(tree.path("deps/libdep.so"), tree.path("deps/libdep.so.1")).unwrap();
    std::fs::create_dir(tree.path("deps/libdep.so")).unwrap();
    assert!(!tree.loads("module.so"));
    let plan = tree.plan(&[]);
    let unfixable = plan["unfixable"].as_array().unwrap();
    assert_eq!(unfixable.len(), 1, "{unfixable:#?}");
    assert_eq!(unfixable[0]["cause"], "unreadable");
    let message = "the loader stops at deps/libdep.so: cannot read file data\n";
    assert!(messages(&plan).ends_with(message), "{}", messages(&plan));
}

#[test]
fn a_newer_copy_is_reached_where_the_systems_lacks_a_version() {
    let tree = Tree::new();
    let asked = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    // A newer release of a library defines all versions of the older one, and more.
    let system = asked("cc", &["-print-file-name=libgomp.so.1"]);
    let versions = asked("readelf", &["-V", system.trim()]);
    let (_, defined) = versions.split_once("Version definition section").unwrap();
    let defined = defined.split("Version needs section").next().unwrap();
    let names = defined.split("Name: ").skip(2).map(|rest| rest.split_whitespace().next().unwrap());
    let mut script: String = names.map(|name| format!("{name} {{ }};\n")).collect();
    assert!(script.contains("GOMP_"), "{versions}");
    script += "GOMP_99 { libgomp; };\n";
    std::fs::write(tree.path("versions"), script).unwrap();
    let flag = format!("-Wl,--version-script={}", tree.path("versions").display());
    tree.library("newer/libgomp.so.1", &[], &[&flag]);
    tree.library("module.so", &["newer/libgomp.so.1"], &[]);
    assert!(!tree.loads("module.so"), "the system's libgomp.so.1 has GOMP_99");
    let said = tree.tfpatch(&["doctor", "--format", "json", "--no-env"]).stdout;
    let said: Value = serde_json::from_slice(&said).unwrap();
    let found = said["findings"].as_array().unwrap();
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0]["cause"], "symbol_version");
    assert_eq!(found[0]["library"], "libgomp.so.1");
    assert_eq!(found[0]["cure"], format!("tfpatch fix {}", tree.dir.path().display()));
    assert_eq!(steps(&tree.plan(&[])), ["module.so"]);
    assert!(tree.loads("module.so"));
    assert_eq!(tree.plan(&[])["unfixable"], serde_json::json!([]));
}

/// A library that is found by an entry brings along a need that the loaded copy of another one does not meet.
#[test]
fn an_entry_that_ends_in_a_clash_of_versions_is_refused() {
    let tree = Tree::new();
    let with_versions = |path: &str, versions: &str| {
        std::fs::write(tree.path("versions"), versions).unwrap();
        let flag = format!("-Wl,--version-script={}", tree.path("versions").display());
        tree.library(path, &[], &[&flag]);
    };
    with_versions("newer/libbase.so", "V1 { other; };\nV2 { libbase; };\n");
    tree.library("newer/libmore.so", &["newer/libbase.so"], &["-Wl,-rpath,$ORIGIN"]);
    with_versions("libbase.so", "V1 { libbase; };\n");
    let needs = ["libbase.so", "newer/libmore.so"];
    tree.library("module.so", &needs, &["-Wl,-rpath,$ORIGIN", "-Wl,--disable-new-dtags"]);
    assert!(!tree.loads("module.so"));
    let before = tree.bytes("module.so");
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), Vec::<&str>::new(), "{plan:#}");
    let said = messages(&plan);
    assert!(said.contains("skipped, because libbase.so lacks version V2, which"), "{said}");
    assert!(tree.bytes("module.so") == before);
    // The entry alone would not do.
    let set = ["rpath", "set", "--entry", "$ORIGIN", "--entry", "$ORIGIN/newer"];
    let set = Command::new(env!("CARGO_BIN_EXE_tfpatch"))
        .args(set)
        .arg(tree.path("module.so"))
        .output()
        .unwrap();
    assert!(set.status.success(), "{set:?}");
    assert!(!tree.loads("module.so"));
}

/// A program that was linked with a newer release of a library than the one that is there.
#[test]
fn a_program_is_not_led_to_a_library_without_its_symbols() {
    let tree = Tree::new();
    tree.library("libtool.so", &[], &[]);
    std::fs::write(
        tree.path("main.c"),
        "int libtool(void);\nint main(void) { return libtool(); }\n",
    )
    .unwrap();
    let linked = Command::new("cc")
        .args(["-o".as_ref(), tree.path("tool").as_os_str(), tree.path("main.c").as_os_str()])
        .arg(tree.path("libtool.so"))
        .status()
        .unwrap();
    assert!(linked.success());
    tree.library("lib/libother.so", &[], &["-Wl,-soname,libtool.so"]);
    std::fs::remove_file(tree.path("libtool.so")).unwrap();
    std::fs::rename(tree.path("lib/libother.so"), tree.path("lib/libtool.so")).unwrap();
    let before = tree.bytes("tool");
    let plan = tree.plan(&[]);
    assert_eq!(steps(&plan), Vec::<&str>::new(), "{plan:#}");
    let said = messages(&plan);
    assert!(said.contains("tool needs 1 symbol that neither lib/libtool.so nor"), "{said}");
    assert!(tree.bytes("tool") == before);
}

#[test]
fn fix_says_which_variable_is_needed_no_more() {
    let tree = Tree::new();
    tree.library("deps/libdep.so", &[], &[]).library("module.so", &["deps/libdep.so"], &[]);
    let mut tfpatch = Command::new(env!("CARGO_BIN_EXE_tfpatch"));
    tfpatch.arg("fix").arg(tree.dir.path()).env("LD_LIBRARY_PATH", tree.path("deps"));
    let said = String::from_utf8(tfpatch.output().unwrap().stdout).unwrap();
    assert!(said.contains("LD_LIBRARY_PATH is no longer needed for these libraries.\n"), "{said}");
    assert!(tree.loads("module.so"), "without the variable");
}

#[test]
fn the_variable_that_matters_is_named_and_no_other() {
    let tree = Tree::new();
    tree.library("deps/libdep.so", &[], &[]).library("module.so", &["deps/libdep.so"], &[]);
    tree.library("elsewhere/libother.so", &[], &[]);
    let said = |first: &Path, preload: &Path| -> String {
        let mut tfpatch = Command::new(env!("CARGO_BIN_EXE_tfpatch"));
        tfpatch.args(["doctor", "--format", "json"]).arg(tree.dir.path());
        tfpatch.arg("--no-env").arg("--env").arg(format!("LD_LIBRARY_PATH={}", first.display()));
        tfpatch.arg("--env").arg(format!("LD_PRELOAD={}", preload.display()));
        let said: Value = serde_json::from_slice(&tfpatch.output().unwrap().stdout).unwrap();
        said["findings"][0]["message"].as_str().unwrap().to_owned()
    };
    let (deps, other) = (tree.path("deps"), tree.path("elsewhere/libother.so"));
    let only = |variable: &str| {
        format!("module.so finds libdep.so only through {variable}; it is in deps")
    };
    assert_eq!(said(&deps, &other), only("LD_LIBRARY_PATH"));
    assert_eq!(said(&tree.path("elsewhere"), &deps.join("libdep.so")), only("LD_PRELOAD"));
    // Each of them would do, so neither alone is to blame.
    assert_eq!(said(&deps, &deps.join("libdep.so")), only("LD_LIBRARY_PATH or LD_PRELOAD"));
}
