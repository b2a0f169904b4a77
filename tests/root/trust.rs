//! Whose store is relied on, and what nobody's record makes an operation do.

use crate::support::operated::{append, fix, library, revert_all, snapshot, step};
use crate::support::trust::{MALLORY, Tree, is_refused, record};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt, chown, symlink};
use std::path::Path;
use tfpatch::operation::{Store, log};
use tfpatch::report::words::operations::error as said;

/// Two users of no other rights. The tests run as root.
const ALICE: u32 = 12_345;

fn own(path: &Path, uid: u32) {
    for entry in walkdir::WalkDir::new(path) {
        std::os::unix::fs::lchown(entry.unwrap().path(), Some(uid), Some(uid)).unwrap();
    }
}

#[test]
fn another_users_store_is_named_and_left_alone() {
    for level in [".tfpatch", ".tfpatch/operations"] {
        let tree = Tree::edited();
        let path = tree.root.join(level);
        chown(&path, Some(MALLORY), Some(MALLORY)).unwrap();
        is_refused(&tree.root, &format!("user {MALLORY}"));
        // Whoever knows better says so.
        let store = Store::open(&tree.root).unwrap().trusted();
        assert_eq!(log(&store).unwrap().len(), 1);
    }
    let tree = Tree::edited();
    chown(record(&tree.root), Some(MALLORY), Some(MALLORY)).unwrap();
    is_refused(&tree.root, &format!("user {MALLORY}"));
}

#[test]
fn a_strangers_store_in_a_directory_for_everybody_is_passed_over() {
    let top = tempfile::tempdir().unwrap();
    std::fs::set_permissions(top.path(), PermissionsExt::from_mode(0o1777)).unwrap();
    let root = top.path().join("tree");
    let file = library(&root, "a.so");
    let store = top.path().join(".tfpatch");
    std::fs::create_dir_all(store.join("operations")).unwrap();
    own(&store, MALLORY);
    assert!(Store::find(&root).unwrap().is_none());
    fix(&root, vec![step(&root, "a.so", append(&file))]).unwrap();
    assert_eq!(Store::find(&root).unwrap().unwrap().directory(), root.canonicalize().unwrap());
    // Where only its owner may write, it was somebody of his who put it there.
    std::fs::set_permissions(top.path(), PermissionsExt::from_mode(0o755)).unwrap();
    std::fs::remove_dir_all(root.join(".tfpatch")).unwrap();
    assert!(Store::find(&root).unwrap().unwrap().pending().is_err());
}

/// Root works on a tree of a user's as that user, and leaves it to him.
#[test]
fn what_root_does_in_a_users_tree_is_the_users() {
    let tree = Tree::new();
    own(&tree.root, ALICE);
    let before = snapshot(&tree.root.join("a.so"));
    tree.edit();
    for entry in walkdir::WalkDir::new(&tree.root) {
        let entry = entry.unwrap();
        let stat = entry.metadata().unwrap();
        assert_eq!((stat.uid(), stat.gid()), (ALICE, ALICE), "{}", entry.path().display());
    }
    assert_ne!(snapshot(&tree.root.join("a.so")), before);
    revert_all(&tree.root);
    assert_eq!(snapshot(&tree.root.join("a.so")), before);
}

#[test]
fn root_may_do_no_more_in_a_users_tree_than_the_user() {
    let tree = Tree::new();
    let secret = tree.outside.join("secret.so");
    std::fs::copy(*crate::support::operated::LIBRARY, &secret).unwrap();
    std::fs::set_permissions(&secret, PermissionsExt::from_mode(0o600)).unwrap();
    symlink(&secret, tree.root.join("b.so")).unwrap();
    own(&tree.root, ALICE);
    let edit = step(&tree.root, "b.so", append(&secret));
    let error = fix(&tree.root, vec![edit]).unwrap_err();
    assert!(said(&error).contains("ermission denied"), "{error:?}");
    assert!(tree.root.join("b.so").symlink_metadata().unwrap().is_symlink());
    // Nor is what another user owns inside of it written.
    chown(tree.root.join("a.so"), Some(0), Some(0)).unwrap();
    let file = tree.root.join("a.so");
    let error = fix(&tree.root, vec![step(&tree.root, "a.so", append(&file))]).unwrap_err();
    assert!(said(&error).contains("belongs to root"), "{error:?}");
}

#[test]
fn a_store_that_group_or_others_may_write_is_tightened_once_its_records_pass() {
    for mode in [0o775, 0o777] {
        let tree = Tree::edited();
        for directory in [tree.store(), tree.store().join("operations")] {
            std::fs::set_permissions(directory, PermissionsExt::from_mode(mode)).unwrap();
        }
        revert_all(&tree.root);
        for directory in [tree.store(), tree.store().join("operations")] {
            let mode = std::fs::metadata(directory).unwrap().mode() & 0o777;
            assert_eq!(mode, 0o755);
        }
        // What another put there meanwhile is not one of ours.
        std::fs::set_permissions(tree.store(), PermissionsExt::from_mode(mode)).unwrap();
        chown(record(&tree.root), Some(MALLORY), None).unwrap();
        is_refused(&tree.root, &format!("user {MALLORY}"));
    }
}
