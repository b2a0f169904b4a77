//! Operations on real files: what changes, what stays, and what is refused.

use crate::support::operated::{
    LIBRARY, append, bytes, edited, fix, inode, library, library_with_path, names, old_times,
    options, relative, revert_all, snapshot, step,
};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;
use tfpatch::operation::{
    self, Change, Error, Kind, Options, Selection, State, Store, apply, drift, recover, revert,
};
use tfpatch::plan::{self, Lock, Method, Plan, Step};
use tfpatch::report::words::operations as words;

#[test]
fn a_hard_link_outside_is_untouched() {
    let top = tempfile::tempdir().unwrap();
    let (root, cache) = (top.path().join("venv"), top.path().join("cache.so"));
    let file = library(&root, "a.so");
    std::fs::hard_link(&file, &cache).unwrap();
    let before = snapshot(&cache);
    old_times(&root);
    let directory = snapshot(&root);
    let step = step(&root, "a.so", append(&file));
    fix(&root, vec![step.clone()]).unwrap();
    assert_eq!(snapshot(&cache), before);
    assert_eq!(snapshot(&file).content, edited(&before.content, &step));
    assert_eq!(snapshot(&file).modified, before.modified);
    assert_eq!(snapshot(&root), directory);
    revert_all(&root);
    assert_eq!(snapshot(&file), before);
    assert_eq!(snapshot(&cache), before);
}

#[test]
fn hard_links_inside_stay_one_file() {
    let top = tempfile::tempdir().unwrap();
    let (root, cache) = (top.path().join("venv"), top.path().join("cache.so"));
    let file = library(&root, "a.so");
    let alias = root.join("b/a.so.1");
    std::fs::create_dir(root.join("b")).unwrap();
    std::fs::hard_link(&file, &alias).unwrap();
    let before = snapshot(&file);
    let mut step = step(&root, "a.so", append(&file));
    step.aliases = vec![relative("b/a.so.1")];

    // All names are the step's: in place. With a name outside: replaced, all together.
    for outside in [false, true] {
        let was = inode(&file);
        if outside {
            std::fs::hard_link(&file, &cache).unwrap();
        }
        fix(&root, vec![step.clone()]).unwrap();
        assert_eq!(snapshot(&alias).content, edited(&before.content, &step));
        assert_eq!(inode(&file), inode(&alias));
        assert_eq!(inode(&file) == was, !outside);
        let reverted = revert_all(&root);
        assert_eq!(reverted.operation.unwrap().steps.len(), 1);
        assert_eq!(inode(&file), inode(&alias));
        assert_eq!((snapshot(&file), snapshot(&alias)), (before.clone(), before.clone()));
        step.lock = Lock::of(&before.content, &step.lock.ranges).unwrap();
        let _ = std::fs::remove_file(&cache);
        assert_eq!(inode(&file) == was, !outside, "cut off in place");
    }
    // An alias that is another file is a contradiction, found before the first write.
    std::fs::remove_file(&alias).unwrap();
    library(&root, "b/a.so.1");
    assert!(matches!(fix(&root, vec![step]), Err(Error::Inconsistent { .. })));
    assert_eq!(snapshot(&file), before);
}

#[test]
fn a_link_that_leaves_becomes_a_private_copy_and_the_same_link_again() {
    let top = tempfile::tempdir().unwrap();
    let (root, cache) = (top.path().join("venv"), top.path().join("cache"));
    library(&cache, "a.so");
    std::fs::create_dir(&root).unwrap();
    let link = root.join("a.so");
    symlink("../cache/a.so", &link).unwrap();
    old_times(&link);
    // A link inside is followed to the one that leaves.
    symlink("a.so", root.join("inner.so")).unwrap();
    let (before, original) = (snapshot(&link), snapshot(&cache.join("a.so")));

    let step = step(&root, "inner.so", append(&root.join("inner.so")));
    let done = fix(&root, vec![step.clone()]).unwrap().unwrap();
    assert_eq!(done.steps[0].path, relative("a.so"));
    assert_eq!(snapshot(&cache.join("a.so")), original);
    assert_eq!(snapshot(&link).content, edited(&original.content, &step));
    assert_eq!(snapshot(&link).link, None);
    assert_eq!(std::fs::read_link(root.join("inner.so")).unwrap(), Path::new("a.so"));

    let reverted = revert_all(&root).operation.unwrap();
    assert_eq!(reverted.steps[0].method, Method::Link);
    assert_eq!(snapshot(&link), before);

    // A revert of the revert makes the private copy anew.
    let store = Store::open(&root).unwrap();
    revert(&root, &store, &Selection::Operation(reverted.id), &options()).unwrap();
    assert_eq!(snapshot(&link).content, edited(&original.content, &step));

    // Without the cache the link would lead nowhere: the copy gets its old bytes.
    std::fs::remove_dir_all(&cache).unwrap();
    assert_eq!(revert_all(&root).operation.unwrap().steps[0].method, Method::OldBytes);
    assert_eq!(std::fs::symlink_metadata(&link).unwrap().len(), original.content.len() as u64);
    assert_eq!(std::fs::read(&link).unwrap(), original.content);
}

#[test]
fn a_path_through_a_directory_link_out_of_the_target_is_refused() {
    let top = tempfile::tempdir().unwrap();
    let (root, cache) = (top.path().join("venv"), top.path().join("cache"));
    library(&cache, "a.so");
    std::fs::create_dir(&root).unwrap();
    symlink("../cache", root.join("lib")).unwrap();
    let step = step(&root, "lib/a.so", append(&root.join("lib/a.so")));
    assert!(matches!(fix(&root, vec![step.clone()]), Err(Error::Outside { .. })));
    assert!(std::fs::symlink_metadata(root.join(".tfpatch")).is_err());
    // Nor can a plan name such a path.
    let json = serde_json::to_string(&step).unwrap();
    assert!(serde_json::from_str::<Step>(&json).is_ok());
    let json = json.replace("lib/a.so", "../cache/a.so");
    assert!(serde_json::from_str::<Step>(&json).is_err());
}

#[test]
fn rows_of_a_record_change_length_and_come_back() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let old = b"a/__init__.py,sha256=AAAA,120\na/x.so,sha256=BBBB,99\na/y.so,,\n";
    std::fs::write(root.join("RECORD"), old).unwrap();
    old_times(&root.join("RECORD"));
    let before = snapshot(&root.join("RECORD"));
    let file = library(root, "a/x.so");
    let mut row = step(root, "RECORD", vec![bytes(30..52, b"a/x.so,sha256=CCCCCCCC,100099\n")]);
    row.kind = plan::Kind::Record;
    fix(root, vec![step(root, "a/x.so", append(&file)), row]).unwrap();
    let new = std::fs::read(root.join("RECORD")).unwrap();
    assert_eq!(new, b"a/__init__.py,sha256=AAAA,120\na/x.so,sha256=CCCCCCCC,100099\na/y.so,,\n");
    revert_all(root);
    assert_eq!(snapshot(&root.join("RECORD")), before);
}

#[test]
fn two_operations_on_a_file_are_reverted_together_or_one_by_one() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "a.so");
    let original = snapshot(&file);
    let first = fix(root, vec![step(root, "a.so", append(&file))]).unwrap().unwrap();
    let middle = snapshot(&file);
    let second = fix(root, vec![step(root, "a.so", append(&file))]).unwrap().unwrap();
    let last = snapshot(&file);
    assert_ne!(first.id, second.id);
    let store = Store::open(root).unwrap();

    // The first cannot be reverted beneath the second.
    let one = revert(root, &store, &Selection::Operation(first.id.clone()), &options()).unwrap();
    assert!(one.operation.is_none());
    let later = Change::Later { operations: vec![second.id.clone()] };
    assert_eq!(one.refused[0].change, later);
    assert_eq!(words::change(&later), format!("{} changed it later; revert that first", second.id));
    assert_eq!(snapshot(&file), last);

    let dry = Options { dry_run: true, ..options() };
    let would = revert(root, &store, &Selection::All, &dry).unwrap().operation.unwrap();
    assert_eq!(snapshot(&file), last);
    let all = revert_all(root).operation.unwrap();
    assert_eq!(all, would);
    assert_eq!(all.reverts, [second.id.as_str(), first.id.as_str()]);
    assert_eq!(snapshot(&file), original);
    assert_eq!(drift(root, &store).unwrap()[0].state, State::Reverted);
    assert!(revert_all(root).operation.is_none(), "twice is once");

    // And back, and one by one.
    revert(root, &store, &Selection::Operation(all.id), &options()).unwrap();
    assert_eq!(snapshot(&file), last);
    assert_eq!(drift(root, &store).unwrap()[0].state, State::AsLeft);
    revert(root, &store, &Selection::Operation(second.id), &options()).unwrap();
    assert_eq!(snapshot(&file), middle);
    let paths = Selection::Paths(vec![PathBuf::from("a.so")]);
    revert(root, &store, &paths, &options()).unwrap();
    assert_eq!(snapshot(&file), original);
    assert_eq!(operation::log(&store).unwrap().len(), 6);
    assert!(operation::diff(root, &store).unwrap().is_empty());
}

#[test]
fn fix_revert_fix_has_three_ids_and_the_same_history_the_same() {
    let ids = || {
        let root = tempfile::tempdir().unwrap();
        let file = library(root.path(), "a.so");
        let one = step(root.path(), "a.so", append(&file));
        let first = fix(root.path(), vec![one.clone()]).unwrap().unwrap().id;
        let second = revert_all(root.path()).operation.unwrap().id;
        let third = fix(root.path(), vec![one]).unwrap().unwrap().id;
        [first, second, third]
    };
    let [first, second, third] = ids();
    assert!(first != second && second != third && first != third);
    assert_eq!(ids(), [first, second, third]);
}

#[test]
fn what_something_else_changed_is_refused_with_nothing_written() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let (one, two) = (library(root, "one.so"), library(root, "two.so"));
    let original = snapshot(&one);
    let steps = vec![step(root, "one.so", append(&one)), step(root, "two.so", append(&two))];
    fix(root, steps.clone()).unwrap();
    // Twice is refused: the plan is for the old file.
    assert!(matches!(fix(root, steps), Err(Error::Changed { change: Change::Size { .. }, .. })));

    let mut content = std::fs::read(&two).unwrap();
    content[17] ^= 1;
    std::fs::write(&two, &content).unwrap();
    let changed = snapshot(&two);
    let store = Store::open(root).unwrap();
    let states = drift(root, &store).unwrap();
    assert_eq!(states[0].state, State::AsLeft);
    assert!(matches!(states[1].state, State::Changed(Change::Digest { .. })));
    let reverted = revert_all(root);
    assert_eq!(reverted.operation.unwrap().steps.len(), 1);
    assert_eq!(reverted.refused[0].path, relative("two.so"));
    assert_eq!((snapshot(&one), snapshot(&two)), (original, changed));

    // Installed anew: there is nothing to put back. Gone: it is said.
    library(root, "two.so");
    let reverted = revert_all(root);
    assert_eq!((reverted.operation, reverted.already), (None, vec![relative("two.so")]));
    std::fs::remove_file(&two).unwrap();
    assert_eq!(drift(root, &store).unwrap()[1].state, State::Gone);
    assert_eq!(revert_all(root).refused[0].change, Change::Gone);
}

#[test]
fn names_of_any_bytes() {
    let root = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"caf\xe9/lib\xff\n.so");
    let file = library(root.path(), name);
    let before = snapshot(&file);
    let edit = step(root.path(), name, append(&file));
    let json = serde_json::to_string(&edit).unwrap();
    assert!(json.contains("path_bytes"));
    assert_eq!(serde_json::from_str::<Step>(&json).unwrap(), edit);
    fix(root.path(), vec![edit.clone()]).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), edited(&before.content, &edit));
    let states = drift(root.path(), &Store::open(root.path()).unwrap()).unwrap();
    assert_eq!((states[0].path.as_path(), &states[0].state), (Path::new(name), &State::AsLeft));
    revert_all(root.path());
    assert_eq!(snapshot(&file), before);
}

#[test]
fn stores_are_found_upwards_and_never_nested() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "lib/site-packages/a.so");
    let inner = file.parent().unwrap();
    assert!(Store::find(&file).unwrap().is_none());
    let edit = step(inner, "a.so", append(&file));
    // A target beneath the store's directory: paths are relative to the latter.
    let store = Store::open(root).unwrap();
    apply(inner, &store, &Plan::new(vec![edit.clone()]), Kind::Rpath, &options()).unwrap();
    let found = Store::find(&file).unwrap().unwrap();
    assert_eq!(found.directory(), root.canonicalize().unwrap());
    assert_eq!(drift(inner, &found).unwrap()[0].path, relative("lib/site-packages/a.so"));
    assert!(matches!(Store::open(inner), Err(Error::NestedStore { .. })));
    revert(inner, &found, &Selection::Paths(vec!["a.so".into()]), &options()).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(*LIBRARY).unwrap());

    std::fs::rename(root.join(".tfpatch"), inner.join(".tfpatch")).unwrap();
    let above =
        apply(inner, &Store::open(root).unwrap(), &Plan::new(vec![edit]), Kind::Fix, &options());
    assert!(matches!(above, Err(Error::NestedStore { .. })), "{above:?}");
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(*LIBRARY).unwrap());
}

/// A store beside a target, and one in a directory beside that target, have no file in common.
#[test]
fn stores_of_other_files_are_no_obstacle() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let (inner, file) = (root.join("env"), library(root, "a.so"));
    let other = library(&inner, "b.so");
    fix(&inner, vec![step(&inner, "b.so", append(&other))]).unwrap();
    fix(root, vec![step(root, "a.so", append(&file))]).unwrap();
    // The closest store is responsible, and each is reverted alone.
    assert_eq!(Store::find(&other).unwrap().unwrap().directory(), inner.canonicalize().unwrap());
    fix(&inner, vec![step(&inner, "b.so", append(&other))]).unwrap();
    let both = vec![step(root, "a.so", append(&file)), step(root, "env/b.so", append(&other))];
    assert!(matches!(fix(root, both), Err(Error::NestedStore { .. })));
    revert_all(root);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(*LIBRARY).unwrap());
    revert_all(&inner);
    assert_eq!(std::fs::read(&other).unwrap(), std::fs::read(*LIBRARY).unwrap());
}

#[test]
fn a_second_tfpatch_waits_and_then_gives_up() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "a.so");
    fix(root, vec![step(root, "a.so", append(&file))]).unwrap();
    let lock = root.join(".tfpatch/lock");
    assert_eq!(std::fs::read(&lock).unwrap(), b"", "no process ID stays");
    let edit = step(root, "a.so", append(&file));
    let held = std::fs::File::open(&lock).unwrap();
    rustix::fs::flock(&held, rustix::fs::FlockOperation::LockExclusive).unwrap();
    std::fs::write(&lock, "4711\n").unwrap();
    let told = Mutex::new(Vec::new());
    let told_of = |pid| told.lock().unwrap().push(pid);
    let wait = Duration::from_millis(120);
    let options = Options { wait, waiting: &told_of, ..options() };
    let store = Store::open(root).unwrap();
    let plan = Plan::new(vec![edit]);
    let locked = apply(root, &store, &plan, Kind::Fix, &options).unwrap_err();
    assert!(matches!(locked, Error::Locked { pid: Some(4711), .. }));
    assert!(words::error(&locked).contains("4711"), "{locked:?}");
    assert_eq!(*told.lock().unwrap(), [Some(4711)]);
    drop(held);
    apply(root, &store, &plan, Kind::Fix, &options).unwrap().unwrap();
}

#[test]
fn empty_plans_and_dry_runs_create_nothing() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "a.so");
    let before = (names(root), snapshot(&file));
    let store = Store::open(root).unwrap();
    assert_eq!(fix(root, vec![step(root, "a.so", Vec::new())]).unwrap(), None);
    let plan = Plan::new(vec![step(root, "a.so", append(&file))]);
    let dry = Options { dry_run: true, ..options() };
    let would = apply(root, &store, &plan, Kind::Fix, &dry).unwrap().unwrap();
    assert_eq!(would.id, plan.id(None));
    assert!(operation::log(&store).unwrap().is_empty());
    assert!(drift(root, &store).unwrap().is_empty());
    assert_eq!(recover(root, &store, &options()).unwrap(), None);
    assert_eq!(revert_all(root).operation, None);
    assert!(!store.is_created());
    assert_eq!((names(root), snapshot(&file)), before);
    assert_eq!(apply(root, &store, &plan, Kind::Fix, &options()).unwrap().unwrap(), would);
}

/// A store elsewhere may be named for more than one target: files of one name in two of them are two
/// files, and what was interrupted in one is finished there.
#[test]
fn one_store_serves_several_targets() {
    let dir = tempfile::tempdir().unwrap();
    let [one, two, home] = ["one", "two", "home"].map(|name| dir.path().join(name));
    std::fs::create_dir(&home).unwrap();
    let store = Store::open(&home).unwrap();
    let files = [library(&one, "a.so"), library_with_path(&two, "a.so")];
    let before = files.each_ref().map(|file| snapshot(file));
    for (root, file) in [&one, &two].into_iter().zip(&files) {
        let plan = Plan::new(vec![step(root, "a.so", append(file))]);
        apply(root, &store, &plan, Kind::Fix, &options()).unwrap();
    }
    for root in [&one, &two] {
        let states = drift(root, &store).unwrap();
        assert_eq!(states.iter().map(|file| &file.state).collect::<Vec<_>>(), [&State::AsLeft]);
        assert_eq!(operation::diff(root, &store).unwrap().len(), 1);
    }

    // As if the first operation had been interrupted when all its files were written.
    let records = home.join(".tfpatch/operations");
    let mut records = std::fs::read_dir(&records).unwrap().map(|entry| entry.unwrap().path());
    let is_first = |path: &PathBuf| path.to_str().unwrap().contains("/0001-");
    let first = records.find(is_first).unwrap();
    std::fs::rename(&first, first.with_extension("pending.json")).unwrap();
    // A record never says where to write: the target that it is about has to be named.
    let error = recover(&two, &store, &options()).unwrap_err();
    assert!(
        matches!(&error, Error::PendingElsewhere { target, .. } if *target == one),
        "{error:?}"
    );
    let recovered = recover(&one, &store, &options()).unwrap().unwrap();
    assert!(recovered.finished && recovered.left_alone.is_empty(), "{recovered:?}");

    let undone = revert(&one, &store, &Selection::All, &options()).unwrap();
    assert!(undone.refused.is_empty(), "{undone:?}");
    assert_eq!(snapshot(&files[0]), before[0]);
    assert_ne!(snapshot(&files[1]), before[1]);
    // A target that was moved is still the one that was edited.
    let moved = dir.path().join("moved");
    std::fs::rename(&two, &moved).unwrap();
    revert(&moved, &store, &Selection::All, &options()).unwrap();
    assert_eq!(snapshot(&moved.join("a.so")), before[1]);
}
