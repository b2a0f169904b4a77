//! Directories that a target has by a link alone: nobody says that everything is well where they were
//! not looked into.

use crate::support::command::{broken_tree, has_store, inner, outer, run, words};
use crate::support::wheels;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A virtual environment with a package that lacks its library, of which `linked` lies on another disk:
/// the link, and where it leads.
fn environment(dir: &Path, linked: &str) -> (PathBuf, PathBuf) {
    let env = dir.join("env");
    let says = "import sys; print(sys.executable); print('%d.%d' % sys.version_info[:2])";
    let said = wheels::python_says(says);
    let (python, version) = said.split_once('\n').unwrap();
    let home = Path::new(python).parent().unwrap().display();
    let site = env.join(format!("lib/python{version}/site-packages"));
    fs::create_dir_all(&site).unwrap();
    fs::create_dir(env.join("bin")).unwrap();
    symlink(python, env.join("bin/python")).unwrap();
    fs::write(env.join("pyvenv.cfg"), format!("home = {home}\nversion = {version}\n")).unwrap();
    broken_tree(&site);
    let linked = match linked {
        "lib" => env.join("lib"),
        "site" => site,
        name => site.join(name),
    };
    let disk = dir.join("disk").join(linked.file_name().unwrap());
    fs::create_dir_all(disk.parent().unwrap()).unwrap();
    fs::rename(&linked, &disk).unwrap();
    symlink(&disk, &linked).unwrap();
    (linked, disk)
}

#[test]
fn what_was_not_followed_is_named_by_doctor_fix_and_verify() {
    for linked in ["lib", "site", "pkg"] {
        let dir = tempfile::tempdir().unwrap();
        let (link, disk) = environment(dir.path(), linked);
        for name in ["doctor", "fix", "verify"] {
            let ran = run(dir.path(), &[name, "env"]);
            let last = ran.out.lines().last().unwrap();
            assert!(last.ends_with("; 1 linked directory was not followed"), "{linked}: {ran:#?}");
            assert!(!ran.out.contains("everything resolves"), "{linked}: {ran:#?}");
            let note = format!("is a link out of the target, to {}; not followed", disk.display());
            assert!(ran.out.contains(&note), "{linked}: {ran:#?}");
            let command = format!("→ tfpatch doctor {}\n", disk.display());
            assert!(ran.out.contains(&command), "{linked}: {ran:#?}");
        }
        for name in ["doctor", "verify"] {
            let ran = run(dir.path(), &[name, "env", "--format", "json"]);
            let report: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
            let link = json!([{"path": link, "target": disk}]);
            assert_eq!(report["not_followed"], link, "{linked}");
        }
        let markdown = run(dir.path(), &["doctor", "env", "--format", "markdown"]);
        assert!(markdown.out.contains("- not followed: "), "{markdown:#?}");
        // It was read only: nothing on the other disk is another.
        assert!(!has_store(&disk));
    }
}

/// Several that lie together may need one another: they are looked at together.
#[test]
fn what_lies_together_is_looked_at_together() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let site = dir.join("site-packages");
    fs::create_dir(&site).unwrap();
    broken_tree(&dir.join("disk"));
    for name in ["pkg", "inner"] {
        symlink(dir.join("disk").join(name), site.join(name)).unwrap();
    }
    let ran = run(dir, &["doctor", "site-packages"]);
    // Nothing was looked at: that is not a success.
    let there = format!("not followed, name what is there: {}\n", dir.join("disk").display());
    assert!(ran.error().ends_with(&there), "{ran:#?}");
    assert!(run(dir, &["doctor", "disk"]).text(1).contains("libinner.so.1 is out of reach"));
}

/// Links inside of the target, and to what has no objects, take nothing away.
#[test]
fn other_links_are_no_news() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let tree = dir.join("tree");
    outer(&tree.join("pkg/outer.so"), "$ORIGIN/../inner");
    inner(&tree.join("inner/libinner.so.1"));
    symlink("pkg", tree.join("again")).unwrap();
    symlink("..", tree.join("pkg/up")).unwrap();
    symlink("../..", tree.join("pkg/out")).unwrap();
    symlink("/", tree.join("root")).unwrap();
    symlink("loop", tree.join("loop")).unwrap();
    fs::create_dir(dir.join("headers")).unwrap();
    fs::write(dir.join("headers/x.h"), "").unwrap();
    symlink("../headers", tree.join("include")).unwrap();
    for arguments in [words(&[&"doctor", &tree]), words(&[&"verify", &tree])] {
        let ran = run(dir, &arguments);
        assert!(ran.text(0).ends_with("everything resolves\n"), "{ran:#?}");
    }
}

/// A file that was named is all that is meant.
#[test]
fn a_named_file_has_no_links_beside_it() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    inner(&dir.join("tree/libinner.so.1"));
    inner(&dir.join("disk/libinner.so.1"));
    symlink(dir.join("disk"), dir.join("tree/more")).unwrap();
    let ran = run(dir, &["doctor", "tree/libinner.so.1"]);
    assert!(ran.text(0).ends_with("everything resolves\n"), "{ran:#?}");
    assert!(run(dir, &["doctor", "tree"]).text(0).contains("not followed"));
}
