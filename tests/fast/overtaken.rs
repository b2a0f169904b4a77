//! Somebody else works on the tree at the same time: between any two system calls of an operation a
//! directory is exchanged for a link, a file for another version, or a file gets another name.

use crate::support::operated::{append, edited, library, names, old_times, options, step};
use std::io;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tfpatch::operation::{
    Call, Disk, Error, Gate, Kind, Options, Selection, Store, Write, apply, recover, revert,
};
use tfpatch::plan::{Plan, Seen};

/// Does something at one of the calls.
struct At {
    calls: AtomicUsize,
    call: usize,
    act: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Gate for At {
    fn admit(&self, _: &Call<'_>) -> io::Result<()> {
        if self.calls.fetch_add(1, Ordering::SeqCst) == self.call
            && let Some(act) = self.act.lock().unwrap().take()
        {
            act();
        }
        Ok(())
    }
}

/// What an operation came to that was disturbed at a call.
struct Disturbed {
    outcome: Result<(), Error>,
    /// Was there as many calls?
    was_reached: bool,
}

/// Which operation is disturbed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Apply(Write),
    Revert(Write),
}

const ALL: [What; 4] = [
    What::Apply(Write::Auto),
    What::Apply(Write::Replace),
    What::Revert(Write::Auto),
    What::Revert(Write::Replace),
];

struct Tree {
    _top: tempfile::TempDir,
    root: PathBuf,
    outside: PathBuf,
    plan: Plan,
    old: Vec<u8>,
    new: Vec<u8>,
}

impl Tree {
    fn new() -> Self {
        let top = tempfile::tempdir_in("/dev/shm").unwrap();
        let path = top.path().canonicalize().unwrap();
        let (root, outside) = (path.join("tree"), path.join("outside"));
        std::fs::create_dir(&outside).unwrap();
        let file = library(&root, "pkg/a.so");
        let old = std::fs::read(&file).unwrap();
        let mut edit = step(&root, "pkg/a.so", append(&file));
        let stat = std::fs::metadata(&file).unwrap();
        edit.seen = Some(Seen {
            id: (stat.dev(), stat.ino()),
            len: stat.len(),
            modified: (stat.mtime(), stat.mtime_nsec().try_into().unwrap()),
            directory: Some(root.join("pkg")),
        });
        let new = edited(&old, &edit);
        let plan = Plan::new(vec![edit]);
        Self { _top: top, root, outside, plan, old, new }
    }

    fn file(&self) -> PathBuf {
        self.root.join("pkg/a.so")
    }

    /// Makes `pkg` a link; the plan was made when it was one already.
    fn link_package(&mut self, target: &Path) {
        std::fs::rename(self.root.join("pkg"), self.root.join("real")).unwrap();
        symlink(target, self.root.join("pkg")).unwrap();
        let seen = self.plan.steps.iter_mut().filter_map(|step| step.seen.as_mut());
        seen.for_each(|seen| seen.directory = Some(self.root.join("real")));
    }

    fn disturbed(&self, what: What, call: usize, act: impl FnOnce() + Send + 'static) -> Disturbed {
        let act: Box<dyn FnOnce() + Send> = Box::new(act);
        let gate = At { calls: AtomicUsize::new(0), call, act: Mutex::new(Some(act)) };
        let gate = Arc::new(gate);
        let disk = Disk::gated(Arc::clone(&gate) as Arc<dyn Gate>);
        let outcome = match what {
            What::Apply(write) => {
                let how = Options { write, ..options() };
                let store = Store::open_on(&self.root, disk).unwrap();
                apply(&self.root, &store, &self.plan, Kind::Fix, &how).map(drop)
            }
            What::Revert(write) => {
                let store = Store::open(&self.root).unwrap();
                apply(&self.root, &store, &self.plan, Kind::Fix, &options()).unwrap();
                let how = Options { write, ..options() };
                let store = Store::open_on(&self.root, disk).unwrap();
                revert(&self.root, &store, &Selection::All, &how).map(drop)
            }
        };
        Disturbed { outcome, was_reached: gate.act.lock().unwrap().is_none() }
    }

    fn recover(&self) {
        recover(&self.root, &Store::open(&self.root).unwrap(), &options()).unwrap();
    }

    fn left(&self) -> Vec<String> {
        names(&self.root).into_iter().filter(|name| name.ends_with(".tmp")).collect()
    }
}

#[test]
fn a_directory_that_becomes_a_link_leads_no_write_outside() {
    for what in ALL {
        for call in 0.. {
            let tree = Tree::new();
            // A file of the same name, of the same bytes even.
            let victim = tree.outside.join("a.so");
            std::fs::copy(tree.file(), &victim).unwrap();
            old_times(&victim);
            let before = crate::support::operated::snapshot(&victim);
            let (root, outside) = (tree.root.clone(), tree.outside.clone());
            let done = tree.disturbed(what, call, move || {
                std::fs::rename(root.join("pkg"), root.join("was")).unwrap();
                symlink(outside, root.join("pkg")).unwrap();
            });
            assert_eq!(
                crate::support::operated::snapshot(&victim),
                before,
                "{what:?} at call {call}"
            );
            let listed = std::fs::read_dir(&tree.outside).unwrap().count();
            assert_eq!(listed, 1, "{what:?} at call {call}");
            if !done.was_reached {
                break;
            }
            let now = std::fs::read(tree.root.join("was/a.so")).unwrap();
            assert!(now == tree.old || now == tree.new, "{what:?} at call {call}");
        }
    }
}

/// What is elsewhere for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Away {
    Directory,
    /// And a link that leads outside is there instead.
    DirectoryAndLink,
    File,
}

/// What was edited already cannot be found for a moment. Its record is kept.
#[test]
fn what_was_moved_for_a_moment_can_be_reverted() {
    let aways = [Away::Directory, Away::DirectoryAndLink, Away::File];
    for (what, away) in ALL.into_iter().flat_map(|what| aways.map(|away| (what, away))) {
        for call in 0.. {
            let mut tree = Tree::new();
            let second = library(&tree.root, "pkg/b.so");
            tree.plan.steps.push(step(&tree.root, "pkg/b.so", append(&second)));
            let said = format!("{what:?} at call {call}: {away:?}");
            for file in [tree.file(), second.clone()] {
                std::fs::copy(&file, tree.outside.join(file.file_name().unwrap())).unwrap();
            }
            let moved = tree.root.join(if away == Away::File { "pkg/a.so" } else { "pkg" });
            let (from, was, outside) = (moved.clone(), tree.root.join("was"), tree.outside.clone());
            let done = tree.disturbed(what, call, move || {
                std::fs::rename(&from, was).unwrap();
                if away == Away::DirectoryAndLink {
                    symlink(outside, from).unwrap();
                }
            });
            if !done.was_reached {
                break;
            }
            if away == Away::DirectoryAndLink {
                std::fs::remove_file(&moved).unwrap();
            }
            std::fs::rename(tree.root.join("was"), moved).unwrap();
            tree.recover();
            let store = Store::open(&tree.root).unwrap();
            revert(&tree.root, &store, &Selection::All, &options()).unwrap();
            for file in [tree.file(), second] {
                assert!(std::fs::read(&file).unwrap() == tree.old, "{said}: {file:?}");
            }
            assert_eq!(tree.left(), Vec::<String>::new(), "{said}");
        }
    }
}

#[test]
fn what_an_installer_puts_there_meanwhile_stays_as_it_is() {
    for what in ALL {
        let mut refused = 0;
        for call in 0.. {
            let tree = Tree::new();
            let version = tree.outside.join("v2.so");
            // The same size and the same headers: only the file is another one.
            let mut other = tree.old.clone();
            other[60_000] ^= 1;
            std::fs::write(&version, &other).unwrap();
            let file = tree.file();
            let done = tree.disturbed(what, call, move || std::fs::rename(version, file).unwrap());
            if !done.was_reached {
                break;
            }
            let said = format!("{what:?} at call {call}: {:?}", done.outcome);
            assert_eq!(std::fs::read(tree.file()).unwrap(), other, "{said}");
            assert_eq!(tree.left(), Vec::<String>::new(), "{said}");
            tree.recover();
            assert_eq!(std::fs::read(tree.file()).unwrap(), other, "{said}");
            if let Err(error) = done.outcome {
                assert!(error.is_overtaken(), "{error:?}");
                refused += 1;
            }
        }
        assert!(refused > 3, "{what:?}: {refused}");
    }
}

#[test]
fn another_name_of_a_file_is_no_change_of_it() {
    for what in ALL {
        for call in 0.. {
            let tree = Tree::new();
            let (file, name) = (tree.file(), tree.outside.join("a.so"));
            let done = tree.disturbed(what, call, move || std::fs::hard_link(file, name).unwrap());
            done.outcome.unwrap_or_else(|error| panic!("{what:?} at call {call}: {error:?}"));
            let expected = if matches!(what, What::Apply(_)) { &tree.new } else { &tree.old };
            assert_eq!(&std::fs::read(tree.file()).unwrap(), expected, "{what:?} at call {call}");
            if !done.was_reached {
                break;
            }
        }
    }
}

/// The way to a file is the plan's: where links lead is looked at when it is judged and when it is
/// written.
#[test]
fn a_link_that_points_elsewhere_meanwhile_is_another_way() {
    for call in 0.. {
        let mut tree = Tree::new();
        tree.link_package(Path::new("real"));
        let real = tree.root.join("real");
        let other = library(&tree.root, "other/a.so");
        let (root, before) = (tree.root.clone(), std::fs::read(&other).unwrap());
        let done = tree.disturbed(What::Apply(Write::Auto), call, move || {
            std::fs::remove_file(root.join("pkg")).unwrap();
            symlink("other", root.join("pkg")).unwrap();
        });
        assert_eq!(std::fs::read(&other).unwrap(), before, "at call {call}");
        let now = std::fs::read(real.join("a.so")).unwrap();
        assert!(now == tree.old || now == tree.new, "at call {call}");
        if !done.was_reached {
            assert_eq!(now, tree.new);
            break;
        }
    }
}

/// Relative entries that were spelled from another directory lead elsewhere.
#[test]
fn a_plan_that_was_made_by_another_way_is_not_carried_out() {
    let mut tree = Tree::new();
    let seen = tree.plan.steps[0].seen.as_mut().unwrap();
    seen.directory = Some(tree.outside.clone());
    let store = Store::open(&tree.root).unwrap();
    let error = apply(&tree.root, &store, &tree.plan, Kind::Fix, &options()).unwrap_err();
    assert!(matches!(error, Error::Overtaken { .. }), "{error:?}");
    assert_eq!(std::fs::read(tree.file()).unwrap(), tree.old);
}

/// Links lead where they lead, absolute ones too, as long as it is inside.
#[test]
fn links_inside_of_the_tree_are_followed() {
    for target in ["real", "../tree/real", "./real/../real", "ABSOLUTE"] {
        let mut tree = Tree::new();
        let target = match target {
            "ABSOLUTE" => tree.root.join("real"),
            target => Path::new(target).to_path_buf(),
        };
        tree.link_package(&target);
        let store = Store::open(&tree.root).unwrap();
        apply(&tree.root, &store, &tree.plan, Kind::Fix, &options()).unwrap();
        assert_eq!(std::fs::read(tree.root.join("real/a.so")).unwrap(), tree.new);
        revert(&tree.root, &store, &Selection::All, &options()).unwrap();
        assert_eq!(std::fs::read(tree.file()).unwrap(), tree.old);
    }
    // Forty in a row are too many, as for the kernel.
    let tree = Tree::new();
    symlink("loop", tree.root.join("loop")).unwrap();
    std::fs::rename(tree.root.join("pkg"), tree.root.join("real")).unwrap();
    symlink("loop", tree.root.join("pkg")).unwrap();
    let store = Store::open(&tree.root).unwrap();
    assert!(apply(&tree.root, &store, &tree.plan, Kind::Fix, &options()).is_err());
}
