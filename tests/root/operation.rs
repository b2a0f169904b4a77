//! Operations on real files: what changes, what stays, and what is refused.

use crate::support::operated::{
    Snapshot, append, child_in, edited, fix, inode, library, library_with_path, old_times,
    overwrite, relative, revert_all, snapshot, step,
};
use rustix::fs::XattrFlags;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use tfpatch::operation::Error;
use tfpatch::plan::{Plan, Step};

#[test]
fn a_private_file_is_edited_in_place_and_reverted_exactly() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "lib/a.so");
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o640)).unwrap();
    std::os::unix::fs::chown(&file, Some(1234), Some(2345)).unwrap();
    rustix::fs::setxattr(&file, "user.note", b"kept", XattrFlags::empty()).unwrap();
    old_times(&file);
    old_times(file.parent().unwrap());
    old_times(root);
    let (before, directory) = (snapshot(&file), snapshot(file.parent().unwrap()));
    let (was, top) = (inode(&file), snapshot(root));

    let step = step(root, "lib/a.so", append(&file));
    let done = fix(root, vec![step.clone()]).unwrap().unwrap();
    assert_eq!(done.steps[0].bytes_changed, step.edits.bytes_changed());
    let after = snapshot(&file);
    assert_eq!(after.content, edited(&before.content, &step));
    assert_eq!(Snapshot { content: before.content.clone(), ..after }, before);
    assert_eq!(inode(&file), was, "in place");
    assert_eq!(snapshot(file.parent().unwrap()), directory);
    assert_eq!(snapshot(root), top);

    let reverted = revert_all(root);
    assert!(reverted.refused.is_empty(), "{:?}", reverted.refused);
    assert_eq!(reverted.operation.unwrap().reverts, [done.id.as_str()]);
    assert_eq!(snapshot(&file), before);
    assert_eq!(snapshot(file.parent().unwrap()), directory);
    let record = std::fs::read_dir(root.join(".tfpatch/operations")).unwrap();
    for record in record {
        assert!(record.unwrap().metadata().unwrap().len() < 32_768, "records stay small");
    }
}

#[test]
fn capabilities_outlast_an_edit() {
    let root = tempfile::tempdir().unwrap();
    let file = library_with_path(root.path(), "a.so");
    let done = Command::new("setcap").arg("cap_net_raw+ep").arg(&file).status().unwrap();
    assert!(done.success());
    old_times(&file);
    let before = snapshot(&file);
    assert_eq!(before.attributes[0].0, "security.capability");
    let was = inode(&file);
    fix(root.path(), vec![step(root.path(), "a.so", overwrite(&file))]).unwrap();
    let after = snapshot(&file);
    assert_ne!(after.content, before.content);
    assert_eq!(Snapshot { content: before.content.clone(), ..after }, before);
    // Writing into the file would take them away, and a kill at that moment would lose them.
    assert_ne!(inode(&file), was);
    revert_all(root.path());
    assert_eq!(snapshot(&file), before);
}

#[test]
fn a_plan_that_fails_anywhere_writes_nothing() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let (one, two) = (library(root, "one.so"), library(root, "two.so"));
    let before = [snapshot(&one), snapshot(&two)];
    let good = step(root, "one.so", append(&one));
    let bad = step(root, "two.so", append(&two));
    let refused = |bad: Step| {
        let error = fix(root, vec![good.clone(), bad]).unwrap_err();
        assert_eq!([snapshot(&one), snapshot(&two)], before, "{error:?}");
        assert!(std::fs::symlink_metadata(root.join(".tfpatch")).is_err());
        error
    };
    let mut wrong = bad.clone();
    wrong.left.digest = good.lock.digest.clone();
    assert!(matches!(refused(wrong), Error::Inconsistent { .. }));
    let wrong = Step { path: relative("one.so"), ..bad.clone() };
    assert!(matches!(refused(wrong), Error::Inconsistent { .. }));
    let wrong = Step { path: relative("none.so"), ..bad.clone() };
    assert!(matches!(refused(wrong), Error::Path(_)));
    std::fs::set_permissions(&two, PermissionsExt::from_mode(0o4755)).unwrap();
    assert!(matches!(fix(root, vec![good.clone(), bad.clone()]), Err(Error::Refused { .. })));
    std::fs::set_permissions(&two, PermissionsExt::from_mode(0o644)).unwrap();
    assert_eq!([snapshot(&one).content, snapshot(&two).content].concat(), {
        [before[0].content.clone(), before[1].content.clone()].concat()
    });
    assert!(Command::new("chattr").arg("+i").arg(&two).status().unwrap().success());
    let immutable = fix(root, vec![good, bad]);
    assert!(Command::new("chattr").arg("-i").arg(&two).status().unwrap().success());
    assert!(matches!(immutable, Err(Error::Refused { .. })));
}

#[test]
fn another_user_is_refused_before_the_first_write_and_may_replace_what_is_his() {
    let top = tempfile::tempdir().unwrap();
    std::fs::set_permissions(top.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let root = top.path().join("tree");
    let file = library(&root, "lib/a.so");
    let plan = Plan::new(vec![step(&root, "lib/a.so", append(&file))]);
    std::fs::write(top.path().join("plan.json"), serde_json::to_vec(&plan).unwrap()).unwrap();
    let run = || {
        let nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
        let output = child_in(top.path(), &nobody).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        text.lines().find_map(|line| line.split_once("RESULT ")).unwrap().1.to_owned()
    };
    let own = |path: &Path| std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
    let before = std::fs::read(&file).unwrap();
    assert!(run().contains("belongs to root"));
    own(&file);
    assert!(run().contains("write in the directory"), "no room for the store");
    own(&root);
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o444)).unwrap();
    assert!(run().contains("write in the directory"), "neither the file nor its directory");
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(std::fs::symlink_metadata(root.join(".tfpatch")).is_err());
    own(&root.join("lib"));
    assert_eq!(run(), "done");
    assert_eq!(std::fs::read(&file).unwrap(), edited(&before, &plan.steps[0]));
    assert_eq!(snapshot(&file).owner, (65534, 65534));
    assert_eq!(snapshot(&file).mode & 0o7777, 0o444);
}
