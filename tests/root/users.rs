//! Trees and backups of several users, worked on by the real binary: root first and then the user, the
//! user first and then root, others, and user namespaces.

use crate::support::command::{
    Ran, broken_tree, command, inner, open_directory, set_mode, snapshot,
};
use crate::support::operated::copy_program;
use crate::support::wheels;
use std::ffi::OsStr;
use std::os::unix::fs::{MetadataExt as _, lchown};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Two users of no other rights. The tests run as root.
const ALICE: &str = "12345";
const BOB: &str = "23456";

/// A broken tree of Alice's, and a tfpatch that everybody may start.
struct World {
    dir: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { dir: open_directory() };
        broken_tree(&world.tree());
        for entry in walkdir::WalkDir::new(world.tree()) {
            let uid = ALICE.parse().unwrap();
            lchown(entry.unwrap().path(), Some(uid), Some(uid)).unwrap();
        }
        copy_program(assert_cmd::cargo::cargo_bin!("tfpatch"), &world.program());
        set_mode(&world.program(), 0o755);
        world
    }

    fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    fn program(&self) -> PathBuf {
        self.dir.path().join("tfpatch")
    }

    fn root(&self, words: &[&str]) -> Ran {
        let mut command = command(self.dir.path());
        Ran::of(&command.args(words).output().unwrap())
    }

    /// Runs tfpatch by way of another program.
    fn through(&self, prefix: &[&str], words: &[&str]) -> Ran {
        let (first, rest) = prefix.split_first().unwrap();
        let mut command = Command::new(first);
        crate::support::command::clean(&mut command);
        command.args(rest).arg(self.program()).args(words).current_dir(self.dir.path());
        Ran::of(&command.output().unwrap())
    }

    fn user(&self, user: &str, words: &[&str]) -> Ran {
        let (uid, gid) = (format!("--reuid={user}"), format!("--regid={user}"));
        self.through(&["setpriv", &uid, &gid, "--clear-groups"], words)
    }
}

fn owners(tree: &Path) -> Vec<u32> {
    let entries = walkdir::WalkDir::new(tree).into_iter().map(|entry| entry.unwrap());
    let mut owners: Vec<_> = entries.map(|entry| entry.metadata().unwrap().uid()).collect();
    owners.sort_unstable();
    owners.dedup();
    owners
}

#[test]
fn what_root_repaired_the_user_takes_back_and_the_other_way_round() {
    let world = World::new();
    let before = snapshot(&world.tree());
    for _ in 0..2 {
        world.root(&["fix", "tree"]).text(0);
        assert_eq!(owners(&world.tree()), [12_345]);
        assert_ne!(snapshot(&world.tree()), before);
        world.user(ALICE, &["verify", "tree"]).text(0);
        world.user(ALICE, &["revert", "tree"]).text(0);
        assert_eq!(snapshot(&world.tree()), before);
        world.user(ALICE, &["fix", "tree"]).text(0);
        world.root(&["verify", "tree"]).text(0);
        world.root(&["revert", "tree"]).text(0);
        assert_eq!(snapshot(&world.tree()), before);
        assert_eq!(owners(&world.tree()), [12_345]);
    }
}

#[test]
fn what_belongs_to_root_others_read_and_do_not_change() {
    let world = World::new();
    for entry in walkdir::WalkDir::new(world.tree()) {
        lchown(entry.unwrap().path(), Some(0), Some(0)).unwrap();
    }
    let dry = world.user(BOB, &["fix", "tree", "--dry-run"]);
    assert!(dry.error().contains("belongs to root; run tfpatch as root"), "{dry:?}");
    world.root(&["fix", "tree"]).text(0);
    let after = snapshot(&world.tree());
    world.user(BOB, &["verify", "tree"]).text(0);
    assert!(world.user(BOB, &["log", "tree"]).text(0).contains("fix, 1 file"));
    world.user(BOB, &["diff", "tree"]).text(0);
    let refused = world.user(BOB, &["revert", "tree"]);
    assert!(refused.error().contains("root"), "{refused:?}");
    assert_eq!(snapshot(&world.tree()), after);
}

#[test]
fn another_users_backups_are_named_with_their_owner() {
    let world = World::new();
    world.user(ALICE, &["fix", "tree"]).text(0);
    let after = snapshot(&world.tree());
    // Everybody may write there, so that nothing but the owner is in the way.
    for words in [["log", "tree"], ["verify", "tree"], ["revert", "tree"], ["diff", "tree"]] {
        let refused = world.user(BOB, &words);
        assert!(refused.error().contains(&format!("user {ALICE}")), "{refused:?}");
    }
    let trusted = world.user(BOB, &["log", "tree", "--trust-store", "tree"]);
    assert!(trusted.text(0).contains("fix, 1 file"));
    assert_eq!(snapshot(&world.tree()), after);
}

/// What lies in a tree can do no more by a command than its owner could.
#[test]
fn a_command_for_a_users_tree_has_the_users_rights() {
    let world = World::new();
    // A program that loads something of the tree, for another proves nothing.
    let inner = world.tree().join("inner/libinner.so.1");
    let loads = format!("LD_PRELOAD={} /bin/true", inner.display());
    let probe = format!("test \"$(id -u):$(id -g):$(id -G)\" = 12345:12345:12345 && {loads}");
    let probe = probe.as_str();
    let proved = world.root(&["fix", "--format", "json", "tree", "--", "sh", "-c", probe]);
    assert_eq!(proved.status, 0, "{proved:#?}");
    assert!(proved.err.contains("run 2, after the repair, as user 12345: sh -c"), "{proved:#?}");
    let report: serde_json::Value = serde_json::from_str(&proved.out).unwrap();
    assert_eq!(report["verdict"], "works_still");
    // Its traces are written and read all the same.
    let processes = report["runs"][1]["processes"].as_u64().unwrap();
    assert!(processes > 1, "{report:#}");
    assert_eq!(owners(&world.tree()), [12_345]);
    // A user runs it as himself, and root on his own tree as root.
    let user = world.user(ALICE, &["verify", "tree", "--", "sh", "-c", probe]);
    assert_eq!(user.status, 0, "{user:#?}");
    for entry in walkdir::WalkDir::new(world.tree()) {
        lchown(entry.unwrap().path(), Some(0), Some(0)).unwrap();
    }
    let own = format!("test $(id -u) = 0 && {loads}");
    let own = world.root(&["verify", "tree", "--", "sh", "-c", &own]);
    assert_eq!(own.status, 0, "{own:#?}");
}

/// So are imports, which run the code of whatever lies there.
#[test]
fn imports_for_a_users_environment_have_the_users_rights() {
    let dir = open_directory();
    let prefix = dir.path().join("env");
    // The system's own Python is one that every user may start.
    wheels::run(
        Command::new("/usr/bin/python3").args(["-m", "venv", "--without-pip"]).arg(&prefix),
    );
    let code = "import sysconfig; print(sysconfig.get_path('platlib'))";
    let site = wheels::run(Command::new(prefix.join("bin/python")).args(["-c", code]));
    let package = Path::new(site.trim()).join("demo");
    std::fs::create_dir(&package).unwrap();
    let init =
        "import os\nassert (os.getuid(), os.getgid(), os.getgroups()) == (12345, 12345, [12345])\n";
    std::fs::write(package.join("__init__.py"), init).unwrap();
    inner(&package.join("_native.abi3.so"));
    for entry in walkdir::WalkDir::new(&prefix) {
        lchown(entry.unwrap().path(), Some(12_345), Some(12_345)).unwrap();
    }
    let mut probe = command(dir.path());
    let probed =
        Ran::of(&probe.args(["doctor", "--probe", "--format", "json", "env"]).output().unwrap());
    assert!(probed.err.contains(", as user 12345\n"), "{probed:#?}");
    let report: serde_json::Value = serde_json::from_str(&probed.out).unwrap();
    let modules = &report["probes"][0]["packages"][0]["modules"];
    assert_eq!((&modules[0]["name"], &modules[0]["outcome"]), (&"demo".into(), &"imported".into()));
}

/// Only one number is mapped there: who runs tfpatch is root, and everybody else nobody.
#[test]
fn in_a_user_namespace_ones_own_files_are_roots() {
    let world = World::new();
    let before = snapshot(&world.tree());
    let own = ["setpriv", "--reuid=12345", "--regid=12345", "--clear-groups", "unshare", "-r"];
    let fixed = world.through(&own, &["fix", "tree"]);
    fixed.text(0);
    assert_eq!(owners(&world.tree()), [12_345]);
    world.user(ALICE, &["revert", "tree"]).text(0);
    assert_eq!(snapshot(&world.tree()), before);
    // Of a tree of somebody else's nothing is known there but that it is another's.
    world.user(ALICE, &["fix", "tree"]).text(0);
    let others = ["setpriv", "--reuid=23456", "--regid=23456", "--clear-groups", "unshare", "-r"];
    let refused = world.through(&others, &["verify", "tree"]);
    assert!(refused.error().contains("belong to user 65534"), "{refused:?}");
}

/// A container may take from root what it needs to act as somebody else.
#[test]
fn root_that_may_become_nobody_else_is_told_what_to_do() {
    let world = World::new();
    let before = snapshot(&world.tree());
    let bounded = ["setpriv", "--bounding-set=-setuid,-setgid", "--inh-caps=-all"];
    let refused = world.through(&bounded, &["fix", "tree"]);
    assert!(refused.error().contains(&format!("as user {ALICE}")), "{refused:?}");
    assert!(refused.error().contains("SETUID"), "{refused:?}");
    assert_eq!(snapshot(&world.tree()), before);
}

/// A store is made with the modes that are asked for, whatever the process masks.
#[test]
fn what_a_process_masks_changes_no_mode_of_a_store() {
    for mask in ["000", "002", "022", "077"] {
        let world = World::new();
        let words = format!("umask {mask}; exec \"$0\" \"$@\"");
        let fixed = world.through(&["sh", "-c", &words], &["fix", "tree"]);
        fixed.text(0);
        let store = world.tree().join(".tfpatch");
        for entry in walkdir::WalkDir::new(&store) {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().mode() & 0o7777;
            let expected = if entry.file_type().is_dir() { 0o755 } else { 0o644 };
            assert_eq!(mode, expected, "{mask}: {}", entry.path().display());
        }
    }
}

/// A plan that root writes down, in an image build, is carried out with the user's rights.
#[test]
fn a_plan_is_carried_out_with_the_rights_of_the_trees_owner() {
    let world = World::new();
    world.root(&["fix", "tree", "--dry-run", "-o", "plan.json"]).text(0);
    world.root(&["apply", "plan.json", "tree"]).text(0);
    assert_eq!(owners(&world.tree()), [12_345]);
    let store = OsStr::new("elsewhere");
    std::fs::create_dir(world.dir.path().join(store)).unwrap();
    let before = snapshot(&world.tree());
    world.root(&["revert", "tree"]).text(0);
    world.root(&["fix", "tree", "--store", "elsewhere"]).text(0);
    assert_eq!(snapshot(&world.tree()), before);
}

/// Backups of root's own, elsewhere: root writes in them, and in the tree nobody but the tree's owner.
#[test]
fn with_backups_of_its_own_root_changes_a_tree_with_the_rights_of_its_owner() {
    let world = World::new();
    let before = snapshot(&world.tree());
    std::fs::create_dir(world.dir.path().join("backups")).unwrap();
    set_mode(&world.dir.path().join("backups"), 0o700);
    let kept = ["--store", "backups"];
    let fix = [&["fix", "tree"], &kept[..]].concat();
    let revert = [&["revert", "tree"], &kept[..]].concat();
    world.root(&fix).text(0);
    assert_eq!(owners(&world.tree()), [12_345]);
    assert_eq!(owners(&world.dir.path().join("backups")), [0]);
    assert_ne!(snapshot(&world.tree()), before);
    world.root(&revert).text(0);
    assert_eq!(snapshot(&world.tree()), before);

    // What the owner may not change root does not change either.
    for entry in walkdir::WalkDir::new(world.tree()).min_depth(1) {
        lchown(entry.unwrap().path(), Some(0), Some(0)).unwrap();
    }
    let refused = world.root(&fix);
    assert!(
        refused.error().contains("belongs to root, but the target belongs to user 12345"),
        "{refused:?}"
    );
    assert_eq!(snapshot(&world.tree()), before);
    world.root(&["fix", "tree", "--store", "backups", "--trust-store", "backups"]).text(0);
    assert_ne!(snapshot(&world.tree()), before);
}

/// A library that the user may not read is there: it is not reported as missing.
#[test]
fn a_library_that_a_user_may_not_read_is_not_missing() {
    let world = World::new();
    world.root(&["fix", "tree"]).text(0);
    let library = world.tree().join("inner/libinner.so.1");
    set_mode(&library, 0o600);
    let said = world.user(BOB, &["doctor", "tree"]);
    assert!(said.text(1).contains("libinner.so.1 is not readable for this user"), "{said:#?}");
    assert!(!said.out.contains("not_installed"), "{said:#?}");
    world.root(&["doctor", "tree"]).text(0);
}
