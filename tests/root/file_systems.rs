//! What real file systems do: clones, access control lists, attributes, full and read-only disks.

use crate::support::mounts::Mounted;
use crate::support::operated::{
    Snapshot, append, bytes, edited, fix, inode, library, library_with_path, names, old_times,
    options, overwrite, revert_all, snapshot, step,
};
use rustix::fs::XattrFlags;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use tfpatch::operation::{
    self, Call, Disk, Error, Gate, Kind, Options, Selection, Store, Write, apply, revert,
};
use tfpatch::plan::{self, Plan, Step};
use tfpatch::report::words::operations::error as said;

const BIG: u64 = 48 << 20;

/// A library with 48 MB of data that do not repeat, and the step that grows it and has it replaced.
fn big(root: &Path) -> (PathBuf, Step) {
    let file = root.join("big.so");
    let bytes: Vec<u8> = (0..BIG / 8).flat_map(|word| (word ^ 0x5bd1_e995).to_le_bytes()).collect();
    let sources = tempfile::tempdir().unwrap();
    std::fs::write(sources.path().join("big"), bytes).unwrap();
    std::fs::write(sources.path().join("big.s"), ".data\n.incbin \"big\"\n").unwrap();
    let mut gcc = Command::new("gcc");
    gcc.args(["-shared", "-nostdlib", "big.s", "-o"]).arg(&file).current_dir(sources.path());
    assert!(gcc.status().unwrap().success());
    std::fs::File::open(&file).unwrap().sync_all().unwrap();
    let mut step = step(root, "big.so", append(&file));
    step.replace = true;
    (file, step)
}

fn used(root: &Path) -> u64 {
    std::fs::File::open(root).unwrap().sync_all().unwrap();
    let space = rustix::fs::statvfs(root).unwrap();
    (space.f_blocks - space.f_bfree) * space.f_frsize
}

/// The bytes of a file that stand in extents which another file has too, by filefrag(8).
fn shared_bytes(file: &Path) -> u64 {
    let output = Command::new("filefrag").args(["-b1", "-v"]).arg(file).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let lines = text.lines().filter(|line| line.contains("shared"));
    lines.map(|line| line.split(':').nth(3).unwrap().trim().parse::<u64>().unwrap()).sum()
}

fn a_clone_is_made_on(kind: &str, mkfs: &[&str]) {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Mounted::image(&dir.path().join("image"), 512, kind, mkfs);
    let root = mounted.path();
    let (file, step) = big(root);
    let cache = root.join("cache.so");
    std::fs::hard_link(&file, &cache).unwrap();
    let (before, was) = (std::fs::read(&file).unwrap(), used(root));
    fix(root, vec![step.clone()]).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), edited(&before, &step));
    assert_eq!(std::fs::read(&cache).unwrap(), before);
    assert!(shared_bytes(&file) > BIG * 9 / 10, "{kind}: {} bytes shared", shared_bytes(&file));
    assert!(used(root) < was + (16 << 20), "{kind}: {} bytes more", used(root) - was);
    revert_all(root);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    assert!(used(root) < was + (16 << 20), "{kind}: {} bytes more", used(root) - was);
}

#[test]
fn a_replaced_file_is_a_clone_on_btrfs() {
    a_clone_is_made_on("btrfs", &["mkfs.btrfs", "--quiet"]);
}

#[test]
fn a_replaced_file_is_a_clone_on_xfs() {
    a_clone_is_made_on("xfs", &["mkfs.xfs", "-q"]);
}

#[test]
fn a_replaced_file_is_copied_where_there_are_no_clones() {
    let dir = tempfile::tempdir().unwrap();
    let mounted = Mounted::image(&dir.path().join("image"), 256, "ext4", &["mkfs.ext4", "-q"]);
    let (file, step) = big(mounted.path());
    let before = std::fs::read(&file).unwrap();
    fix(mounted.path(), vec![step.clone()]).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), edited(&before, &step));
    revert_all(mounted.path());
    assert_eq!(std::fs::read(&file).unwrap(), before);
}

/// On each kind of file system a file that nobody has open is cut off in place: nothing of it is
/// written anew.
#[test]
fn leases_are_granted_on_disks_too() {
    let dir = tempfile::tempdir().unwrap();
    let kinds: [(&str, &[&str]); 3] = [
        ("btrfs", &["mkfs.btrfs", "--quiet"]),
        ("xfs", &["mkfs.xfs", "-q"]),
        ("ext4", &["mkfs.ext4", "-q"]),
    ];
    for (kind, mkfs) in kinds {
        let mounted = Mounted::image(&dir.path().join(kind), 512, kind, mkfs);
        let root = mounted.path();
        let file = library(root, "a.so");
        let (before, was) = (snapshot(&file), inode(&file));
        fix(root, vec![step(root, "a.so", append(&file))]).unwrap();
        revert_all(root);
        assert_eq!((snapshot(&file), inode(&file)), (before, was), "{kind}");
    }
}

/// Lists, labels and attributes, whether the file is edited in place or replaced, also where the
/// directory would give new files a list of its own.
#[test]
fn lists_and_attributes_stay() {
    let setfacl = |arguments: &[&str], path: &Path| {
        assert!(Command::new("setfacl").args(arguments).arg(path).status().unwrap().success());
    };
    for write in [Write::Auto, Write::Replace] {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        let (with, without) = (library(root, "lib/with.so"), library(root, "lib/without.so"));
        crate::support::command::set_mode(&without, 0o640);
        crate::support::command::set_mode(&with, 0o751);
        setfacl(&["-m", "u:1234:rw,g:4321:r"], &with);
        setfacl(&["-d", "-m", "u:77:rwx,g::-,o::-"], &root.join("lib"));
        for (name, value) in
            [("user.note", "kept"), ("security.selinux", "system_u:object_r:lib_t:s0")]
        {
            rustix::fs::setxattr(&with, name, value.as_bytes(), XattrFlags::empty()).unwrap();
        }
        old_times(&with);
        let before = [snapshot(&with), snapshot(&without)];
        let attributes: Vec<_> =
            before[0].attributes.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(attributes.len(), 3, "{attributes:?}");
        let steps: Vec<_> = [&with, &without]
            .map(|file| {
                let name = file.strip_prefix(root).unwrap();
                step(root, name, append(file))
            })
            .into();
        let how = Options { write, ..options() };
        let store = Store::open(root).unwrap();
        apply(root, &store, &Plan::new(steps), Kind::Fix, &how).unwrap().unwrap();
        for (file, before) in [&with, &without].into_iter().zip(&before) {
            let after = snapshot(file);
            assert_ne!(after.content, before.content);
            assert_eq!(Snapshot { content: before.content.clone(), ..after }, *before);
        }
        revert(root, &store, &Selection::All, &how).unwrap();
        assert_eq!([snapshot(&with), snapshot(&without)], before);
    }
}

#[test]
fn a_disk_without_room_is_found_before_the_first_write() {
    let mounted = Mounted::new("tmpfs", &["-o", "size=96m"], "none");
    let root = mounted.path();
    let (file, step) = big(root);
    std::fs::write(root.join("ballast"), vec![1; 8 << 20]).unwrap();
    let was = inode(&file);
    let error = fix(root, vec![step]).unwrap_err();
    assert!(matches!(error, Error::NoSpace { .. }), "{error:?}");
    assert!(said(&error).contains("free some space"), "{error:?}");
    assert_eq!((inode(&file), names(root).len()), (was, 3));
}

/// Fills the disk to the last block at the given call.
struct Fill {
    ballast: PathBuf,
    calls_left: Mutex<usize>,
}

impl Gate for Fill {
    fn admit(&self, _: &Call<'_>) -> io::Result<()> {
        let mut left = self.calls_left.lock().unwrap();
        if *left == 0 {
            let mut file = std::fs::File::create(&self.ballast)?;
            while file.write_all(&[1; 4096]).is_ok() {}
        }
        *left = left.wrapping_sub(1);
        Ok(())
    }
}

/// Removes what fills the disk. Its blocks go first: a process that another test starts may hold the file open for a
/// moment.
fn give_room(ballast: &Path) {
    if std::fs::symlink_metadata(ballast).is_ok() {
        std::fs::File::create(ballast).unwrap();
        std::fs::remove_file(ballast).unwrap();
    }
}

/// The disk becomes full at any call: in place or as a copy, on the way there and back, the file is
/// whole again by the time that tfpatch ends, or as soon as there is room.
#[test]
fn a_disk_that_becomes_full_at_any_call_loses_nothing() {
    let mounted = Mounted::new("tmpfs", &["-o", "size=2m"], "none");
    let mut outcomes = [0, 0];
    for write in [Write::Auto, Write::Replace] {
        for calls in 0..40 {
            let root = tempfile::tempdir_in(mounted.path()).unwrap();
            let root = root.path();
            let file = library(root, "a.so");
            let before = snapshot(&file);
            let plan = Plan::new(vec![step(root, "a.so", append(&file))]);
            let new = edited(&before.content, &plan.steps[0]);
            let ballast = root.join("ballast");
            let full = || {
                let gate = Fill { ballast: ballast.clone(), calls_left: Mutex::new(calls) };
                Store::open_on(root, Disk::gated(Arc::new(gate))).unwrap()
            };
            let how = Options { write, ..options() };
            let what = format!("{write:?}, full at call {calls}");
            let applied = apply(root, &full(), &plan, Kind::Fix, &how);
            let now = snapshot(&file);
            if applied.is_err() {
                assert!(now == before, "{what}: {applied:?}");
                give_room(&ballast);
                fix(root, plan.steps).unwrap();
            } else {
                assert_eq!(now.content, new, "{what}");
                give_room(&ballast);
            }
            let reverted = revert(root, &full(), &Selection::All, &how);
            outcomes[usize::from(reverted.is_ok())] += 1;
            let now = snapshot(&file);
            assert!(now == before || (reverted.is_err() && now.content == new), "{what}");
            give_room(&ballast);
            operation::recover(root, &Store::open(root).unwrap(), &options()).unwrap();
            revert_all(root);
            assert!(snapshot(&file) == before, "{what}");
            assert_eq!(names(root).len(), 2, "{what}");
        }
    }
    assert!(outcomes[0] > 4 && outcomes[1] > 4, "{outcomes:?}");
}

#[test]
fn a_read_only_file_system_is_found_before_the_first_write() {
    let mounted = Mounted::new("tmpfs", &["-o", "size=8m"], "none");
    let root = mounted.path();
    let file = library_with_path(root, "a.so");
    fix(root, vec![step(root, "a.so", overwrite(&file))]).unwrap();
    let before = (snapshot(&file), names(root));
    mounted.remount("ro");
    let error = fix(root, vec![step(root, "a.so", append(&file))]).unwrap_err();
    assert!(said(&error).contains("Read-only file system"), "{error:?}");
    let store = Store::open(root).unwrap();
    assert!(revert(root, &store, &Selection::All, &options()).is_err());
    assert_eq!(operation::drift(root, &store).unwrap()[0].state, operation::State::AsLeft);
    assert_eq!((snapshot(&file), names(root)), before);
    mounted.remount("rw");
    revert_all(root);
    assert_ne!(snapshot(&file).content, before.0.content);
}

/// A revert takes no room where it shrinks: it works on a disk without a free byte, the record of it
/// and a RECORD that is written anew included. On XFS a new file takes more room than an edit gives back:
/// there it works where no RECORD has to follow.
#[test]
fn a_revert_works_on_a_full_disk() {
    let dir = tempfile::tempdir().unwrap();
    let image = |kind: &str, mkfs: &[&str]| Mounted::image(&dir.path().join(kind), 320, kind, mkfs);
    let disks = [
        ("tmpfs", Mounted::new("tmpfs", &["-o", "size=2m"], "none")),
        ("ext4", image("ext4", &["mkfs.ext4", "-q"])),
        ("xfs", image("xfs", &["mkfs.xfs", "-q"])),
    ];
    for (kind, mounted) in &disks {
        let root = mounted.path().join("tree");
        let root = root.as_path();
        let file = library(root, "a.so");
        let list = root.join("a-1.0.dist-info/RECORD");
        std::fs::create_dir(list.parent().unwrap()).unwrap();
        std::fs::write(&list, "a.so,sha256=AA,12\n").unwrap();
        old_times(&list);
        let before = [snapshot(&file), snapshot(&list)];
        let mut rows = step(root, "a-1.0.dist-info/RECORD", vec![bytes(12..14, b"CCCC")]);
        rows.kind = plan::Kind::Record;
        rows.replace = true;
        let mut steps = vec![step(root, "a.so", append(&file)), rows];
        steps.truncate(if *kind == "xfs" { 1 } else { 2 });
        fix(root, steps).unwrap();
        fill(&mounted.path().join("ballast"));
        let store = Store::open(root).unwrap();
        let undone = revert(root, &store, &Selection::All, &options());
        undone.unwrap_or_else(|error| panic!("{kind}: {error:?}"));
        assert_eq!([snapshot(&file), snapshot(&list)], before, "{kind}");
    }
}

/// Writes to a file until not a byte more has room, for root neither.
fn fill(ballast: &Path) {
    let mut file = std::fs::File::create(ballast).unwrap();
    for len in [1 << 20, 4096, 512, 1] {
        while file.write_all(&vec![1; len]).is_ok() && file.sync_data().is_ok() {}
    }
}
