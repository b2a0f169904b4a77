//! Directories that a target has by a link alone, or by a line of a `.pth` file: what is imported from
//! them is judged, and nobody says that everything is well where they were not looked into.

use crate::support::command::{
    Ran, broken_tree, command, has_store, inner, outer, run, snapshot, words,
};
use crate::support::environments::{Environment, empty};
use crate::support::wheels;
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A virtual environment with a package that lacks its library, of which `linked` lies on another disk:
/// the link, and where it leads.
fn environment(dir: &Path, linked: &str) -> (PathBuf, PathBuf) {
    let Environment { prefix: env, site, .. } = empty(dir);
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

/// The command by which a report says that a finding is cured.
fn cure(ran: &Ran) -> Vec<String> {
    let line = ran.out.lines().find_map(|line| line.trim().strip_prefix("→ tfpatch ")).unwrap();
    line.split(' ').map(str::to_owned).collect()
}

/// An interpreter follows links wherever they lead: what does not load there is said, whoever it belongs
/// to, and is repaired only where it is named.
#[test]
fn what_an_interpreter_comes_to_by_links_is_judged_and_not_edited() {
    for linked in ["lib", "site", "pkg"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let (_, disk) = environment(dir, linked);
        let before = snapshot(&disk);
        for name in ["doctor", "fix", "verify"] {
            let ran = run(dir, &[name, "env"]);
            assert!(ran.text(1).contains("libinner.so.1"), "{linked}: {ran:#?}");
            assert!(!ran.out.contains("all dependencies resolve"), "{linked}: {ran:#?}");
            assert!(!ran.out.contains("not followed"), "{linked}: {ran:#?}");
        }
        assert_eq!(snapshot(&disk), before, "{linked}");
        assert!(!has_store(&disk));
        let named = cure(&run(dir, &["doctor", "env"]));
        assert_eq!(named[1], disk.to_str().unwrap(), "{named:?}");
        assert_eq!(named.contains(&"--allow-absolute".to_owned()), linked == "pkg", "{named:?}");
        run(dir, &named).text(0);
        for name in ["doctor", "verify"] {
            let ran = run(dir, &[name, "env"]);
            assert!(ran.text(0).contains("all dependencies resolve"), "{linked}: {ran:#?}");
        }
    }
}

/// A `.pth` file and `PYTHONPATH` bring directories from which is imported as from any other: those of
/// packages whole, and of a tree of sources its packages alone.
#[test]
fn what_is_imported_from_other_directories_is_judged_and_not_edited() {
    for (is_variable, is_source) in [(false, false), (true, false), (false, true), (true, true)] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let env = empty(dir);
        let more = dir.join("more");
        broken_tree(&more.join("own"));
        outer(&more.join("build/outer.so"), "$ORIGIN/gone");
        let info = if is_source { "own.egg-info" } else { "own-1.0.dist-info" };
        fs::create_dir(more.join(info)).unwrap();
        let metadata = if is_source { "PKG-INFO" } else { "METADATA" };
        fs::write(more.join(info).join(metadata), "Name: own\nVersion: 1.0\n").unwrap();
        if !is_variable {
            fs::write(env.site.join("own.pth"), format!("{}\n", more.display())).unwrap();
        }
        // Beside sources lies what was built of them, and nobody imports it.
        let unimported = format!("{}/build/outer.so", more.display());
        let package = more.join("own/__init__.py");
        for has_package in [false, true] {
            if has_package {
                fs::write(&package, "").unwrap();
            }
            let ran = |name: &str| {
                let mut command = command(dir);
                let command = command.args([name, "env", "-v"]);
                if is_variable {
                    command.env("PYTHONPATH", &more);
                }
                Ran::of(&command.output().unwrap())
            };
            let before = snapshot(&more);
            for name in ["doctor", "fix", "verify"] {
                let ran = ran(name);
                let is_judged = has_package || !is_source;
                assert_eq!(ran.status, i32::from(is_judged), "{is_source} {has_package}: {ran:#?}");
                assert_eq!(ran.out.contains("libinner.so.1"), is_judged, "{ran:#?}");
                assert_eq!(ran.out.contains(&unimported), !is_source, "{is_source}: {ran:#?}");
            }
            assert_eq!(snapshot(&more), before);
            if is_variable {
                assert_eq!(run(dir, &["doctor", "env"]).status, 0, "no variable, no import");
            }
        }
    }
}

/// Nobody says that a tree is imported from: links out of it are named, and not followed.
#[test]
fn what_was_not_followed_is_named_by_doctor_fix_and_verify() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (tree, disk) = (dir.join("tree"), dir.join("disk"));
    inner(&tree.join("inner/libinner.so.1"));
    broken_tree(&disk);
    symlink(&disk, tree.join("more")).unwrap();
    for name in ["doctor", "fix", "verify"] {
        let ran = run(dir, &[name, "tree"]);
        let last = ran.text(0).lines().last().unwrap();
        assert!(last.ends_with("; 1 linked directory was not followed"), "{ran:#?}");
        assert!(!ran.out.contains("all dependencies resolve"), "{ran:#?}");
        let note =
            format!("more is a link to {}, outside the target; not followed", disk.display());
        assert!(ran.out.contains(&note), "{ran:#?}");
        assert!(ran.out.contains(&format!("→ tfpatch doctor {}\n", disk.display())), "{ran:#?}");
    }
    for name in ["doctor", "verify"] {
        let report = run(dir, &[name, "tree", "--format", "json"]).json(0);
        assert_eq!(
            report["not_followed"],
            json!([{"path": tree.join("more"), "target": disk}]),
            "{name}"
        );
    }
    let markdown = run(dir, &["doctor", "tree", "--format", "markdown"]);
    assert!(markdown.out.contains("- not followed: "), "{markdown:#?}");
    // It was read only: nothing on the other disk is another.
    assert!(!has_store(&disk));
}

/// Several that lie together may need one another: they are looked at together.
#[test]
fn what_lies_together_is_looked_at_together() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let site = dir.join("tree");
    fs::create_dir(&site).unwrap();
    broken_tree(&dir.join("disk"));
    for name in ["pkg", "inner"] {
        symlink(dir.join("disk").join(name), site.join(name)).unwrap();
    }
    let ran = run(dir, &["doctor", "tree"]);
    // Nothing was looked at: that is not a success.
    let there = format!("not followed; name their target: {}\n", dir.join("disk").display());
    assert!(ran.error().ends_with(&there), "{ran:#?}");
    assert!(
        run(dir, &["doctor", "disk"]).text(1).contains("libinner.so.1 is not found by the loader")
    );
}

/// Hash and size of a file as a RECORD has them.
fn recorded(file: &Path) -> String {
    let code = "import base64, hashlib, sys; data = open(sys.argv[1], 'rb').read(); \
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).decode(); \
                print('sha256=%s,%d' % (digest.rstrip('='), len(data)))";
    wheels::run(wheels::python3().args(["-c", code]).arg(file)).trim().to_owned()
}

/// A directory of packages, or a package, that is a link to another place inside of the environment: the
/// rows of its RECORD are of those very files.
#[test]
fn a_record_is_followed_through_links() {
    for linked in ["site", "pkg"] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let Environment { prefix: env, site, .. } = empty(dir);
        broken_tree(&site);
        let info = site.join("pkg-1.0.dist-info");
        fs::create_dir(&info).unwrap();
        fs::write(info.join("METADATA"), "Name: pkg\nVersion: 1.0\n").unwrap();
        let row = format!("pkg/outer.so,{}\n", recorded(&site.join("pkg/outer.so")));
        fs::write(info.join("RECORD"), &row).unwrap();
        let link = if linked == "site" { site.clone() } else { site.join("pkg") };
        let there = env.join("there");
        fs::rename(&link, &there).unwrap();
        symlink(&there, &link).unwrap();
        run(dir, &["fix", "env"]).text(0);
        let now = format!("pkg/outer.so,{}\n", recorded(&site.join("pkg/outer.so")));
        assert_ne!(now, row);
        assert_eq!(fs::read_to_string(info.join("RECORD")).unwrap(), now, "{linked}");
        run(dir, &["doctor", "env", "--deep"]).text(0);
        run(dir, &["revert", "env"]).text(0);
        assert_eq!(fs::read_to_string(info.join("RECORD")).unwrap(), row, "{linked}");
    }
}

/// A RECORD outside of the target is not written, though it lists a file inside: that is said, and a size that it does
/// not have is no fault.
#[test]
fn a_record_outside_of_the_target_is_left_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (site, disk) = environment(dir, "site");
    let info = disk.join("pkg-1.0.dist-info");
    fs::create_dir(&info).unwrap();
    fs::write(info.join("METADATA"), "Name: pkg\nVersion: 1.0\n").unwrap();
    let row = format!("pkg/outer.so,{}\n", recorded(&disk.join("pkg/outer.so")));
    fs::write(info.join("RECORD"), &row).unwrap();
    let inside = dir.join("env/inside");
    fs::rename(disk.join("pkg"), &inside).unwrap();
    symlink(&inside, disk.join("pkg")).unwrap();
    let before = snapshot(&disk);
    let ran = run(dir, &["fix", "--allow-absolute", "env"]);
    assert!(
        ran.text(0).contains("keeps the old hashes, because it is outside the target"),
        "{ran:#?}"
    );
    assert_eq!(snapshot(&disk), before);
    let told = run(dir, &["doctor", "env"]);
    assert!(told.text(0).contains("all dependencies resolve"), "{told:#?}");
    let edited = recorded(&site.join("pkg/outer.so"));
    assert_ne!(edited, row.trim().split_once(',').unwrap().1);
    run(dir, &["revert", "env"]).text(0);
    assert_eq!(recorded(&site.join("pkg/outer.so")), row.trim().split_once(',').unwrap().1);
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
        assert!(ran.text(0).ends_with("all dependencies resolve\n"), "{ran:#?}");
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
    assert!(ran.text(0).ends_with("all dependencies resolve\n"), "{ran:#?}");
    assert!(run(dir, &["doctor", "tree"]).text(0).contains("not followed"));
}

/// An editable installation by setuptools has a finder that knows where its packages are, and no directory on the
/// search path: the packages are judged where they are, and what is beside them is not.
#[test]
fn packages_of_editable_installations_are_judged_where_they_are() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let env = empty(dir);
    let source = dir.join("source");
    env.library("lib/libdep.so.1", "libdep.so.1", &[], &[]);
    env.module("own/_own", &["libdep.so.1"], &[]);
    fs::create_dir(&source).unwrap();
    fs::rename(env.site.join("own"), source.join("own")).unwrap();
    fs::write(source.join("own/__init__.py"), "from . import _own\n").unwrap();
    fs::create_dir(source.join("build")).unwrap();
    fs::write(source.join("build/__init__.py"), "").unwrap();
    fs::copy(source.join("own/_own.abi3.so"), source.join("build/_own.abi3.so")).unwrap();
    let finder = format!(
        "import sys\n\
         from importlib.util import spec_from_file_location\n\
         MAPPING: dict[str, str] = {{'own': {:?}}}\n\
         class Finder:\n    \
             @classmethod\n    \
             def find_spec(cls, name, path=None, target=None):\n        \
                 if name in MAPPING:\n            \
                     return spec_from_file_location(name, MAPPING[name] + '/__init__.py')\n\
         def install():\n    \
             sys.meta_path.append(Finder)\n",
        source.join("own")
    );
    fs::write(env.site.join("__editable___own_1_0_finder.py"), finder).unwrap();
    let line = "import __editable___own_1_0_finder; __editable___own_1_0_finder.install()";
    fs::write(env.site.join("__editable__.own-1.0.pth"), line).unwrap();
    assert!(!env.runs("import own"), "its library is not on its search path");
    let before = snapshot(&source);
    for name in ["doctor", "fix", "verify"] {
        let ran = run(dir, &[name, "env"]);
        assert!(ran.text(1).contains("source/own/_own.abi3.so"), "{ran:#?}");
        assert!(!ran.out.contains("source/build"), "{ran:#?}");
    }
    assert_eq!(snapshot(&source), before);
    run(dir, &cure(&run(dir, &["doctor", "env"]))).text(0);
    assert!(env.runs("import own"));
    for name in ["doctor", "verify"] {
        assert!(run(dir, &[name, "env"]).text(0).contains("all dependencies resolve"));
    }
}

/// The loader searches from the link by which a module is opened: what the file would lack under its own name,
/// which is in no package, is no finding. If the library is moved, the repair is for the link.
#[test]
fn a_module_that_is_a_link_is_judged_where_it_is_imported() {
    for store in ["store".to_owned(), "lib/store".to_owned()] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let env = empty(dir);
        let site = env.below();
        let library = env.library(&format!("{site}/pkg.libs/libown.so.1"), "libown.so.1", &[], &[]);
        let module = env.module("pkg/_own", &["libown.so.1"], &["-Wl,-rpath,$ORIGIN/../pkg.libs"]);
        let moved = env.prefix.join(&store).join("_own.abi3.so");
        fs::create_dir_all(moved.parent().unwrap()).unwrap();
        fs::rename(&module, &moved).unwrap();
        symlink(&moved, &module).unwrap();
        assert!(env.runs("import pkg._own"));
        let told = run(dir, &["doctor", "env", "-v"]);
        assert!(told.text(0).contains("ok") && !told.out.contains("libown.so.1"), "{told:#?}");
        fs::create_dir(env.prefix.join("libs")).unwrap();
        fs::rename(&library, env.prefix.join("libs/libown.so.1")).unwrap();
        assert!(!env.runs("import pkg._own"));
        let fixed = run(dir, &["fix", "env"]);
        assert!(fixed.text(0).contains("searches libs\n"), "{fixed:#?}");
        assert!(env.runs("import pkg._own"));
        let verified = run(dir, &["verify", "env"]);
        assert!(verified.text(0).contains("all dependencies resolve"), "{verified:#?}");
    }
}
