//! Operations that are stopped between any two system calls.

use crate::support::crash::{FILES, Tree, content};
use crate::support::operated::{
    LIBRARY, bytes, edited, names, old_times, options, relative, snapshot, step,
};
use crate::support::wheels::stored_wheel;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfpatch::edit::EditSet;
use tfpatch::operation::{Call, Disk, Error, Gate, Kind, Selection, Store, apply, recover, revert};
use tfpatch::plan::{self, Lock, Plan};
use tfpatch::python::wheel::{Change, Wheel};
use tfpatch::vfs::{OsVfs, Vfs as _};

/// What happens at one of the calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    /// The process ends: no further call succeeds.
    Stop,
    /// It ends in the middle of a write.
    Tear,
    /// That call alone fails.
    Fail,
}

/// Lets `limit` calls pass.
struct Limit {
    passed: AtomicUsize,
    limit: usize,
    fault: Fault,
}

impl Gate for Limit {
    fn admit(&self, call: &Call<'_>) -> io::Result<()> {
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        if number < self.limit || (self.fault == Fault::Fail && number > self.limit) {
            return Ok(());
        }
        if let (true, Fault::Tear, Some((file, bytes, offset))) =
            (number == self.limit, self.fault, call.write)
        {
            file.write_all_at(&bytes[..bytes.len() / 2], offset)?;
        }
        Err(io::Error::from_raw_os_error(28))
    }
}

fn limited(limit: usize, fault: Fault) -> (Disk, Arc<Limit>) {
    let gate = Arc::new(Limit { passed: AtomicUsize::new(0), limit, fault });
    (Disk::gated(Arc::clone(&gate) as Arc<dyn Gate>), gate)
}

/// Runs `run` with every number of calls, until it passes. The operation that is stopped must then
/// be recovered, and recovery itself is stopped at `inner` calls before it may finish.
fn stop_everywhere(
    fault: Fault,
    prepare: impl Fn(&Tree),
    run: impl Fn(&Tree, Disk) -> Result<(), Error>,
    inner: &[usize],
) {
    let mut outcomes = [0, 0];
    for limit in 0.. {
        let tree = Tree::new();
        prepare(&tree);
        let (disk, gate) = limited(limit, fault);
        let result = run(&tree, disk);
        let what = format!("{fault:?} at call {limit}");
        tree.check_each(&what);
        if fault == Fault::Fail {
            // The process lives on: it has put everything back by itself.
            outcomes[usize::from(tree.check_all(&what))] += 1;
        } else {
            for inner in inner {
                let _ = tree.recover(limited(*inner, fault).0);
                tree.check_each(&format!("{what}, recovery stopped at call {inner}"));
            }
            let recovered = tree.recover(Disk::real()).unwrap();
            assert!(recovered.is_none_or(|recovered| recovered.left_alone.is_empty()));
            outcomes[usize::from(tree.check_all(&what))] += 1;
        }
        // Nothing is in the way of doing it again.
        if result.is_err() {
            let _ = run(&tree, Disk::real());
        }
        if gate.passed.load(Ordering::SeqCst) <= limit {
            assert!(limit > 40, "{limit} calls are too few for this tree");
            assert!(result.is_ok());
            assert!(outcomes[0] > 0 && outcomes[1] > 0, "{outcomes:?}");
            return;
        }
    }
}

fn fixed(tree: &Tree) {
    tree.apply(Disk::real()).unwrap().unwrap();
    assert!(tree.check_all("the control"));
}

fn apply_with(tree: &Tree, disk: Disk) -> Result<(), Error> {
    tree.apply(disk).map(|_| ())
}

#[test]
fn the_whole_operation_is_exact_without_a_fault() {
    let tree = Tree::new();
    fixed(&tree);
    let reverted = tree.revert(Disk::real()).unwrap();
    assert!(reverted.refused.is_empty(), "{:?}", reverted.refused);
    assert!(!tree.check_all("reverted"));
}

#[test]
fn an_apply_stopped_anywhere_is_recovered() {
    stop_everywhere(Fault::Stop, |_| {}, apply_with, &[]);
}

#[test]
fn an_apply_torn_anywhere_is_recovered() {
    stop_everywhere(Fault::Tear, |_| {}, apply_with, &[]);
}

#[test]
fn a_recovery_stopped_anywhere_is_recovered() {
    stop_everywhere(Fault::Tear, |_| {}, apply_with, &[3, 4, 5, 6, 7, 9, 12, 16, 21, 27, 34]);
}

#[test]
fn an_apply_in_which_any_call_fails_puts_everything_back() {
    stop_everywhere(Fault::Fail, |_| {}, apply_with, &[]);
}

fn revert_with(tree: &Tree, disk: Disk) -> Result<(), Error> {
    tree.revert(disk).map(|_| ())
}

#[test]
fn a_revert_stopped_anywhere_is_recovered() {
    stop_everywhere(Fault::Stop, fixed, revert_with, &[]);
}

#[test]
fn a_revert_torn_anywhere_is_recovered() {
    stop_everywhere(Fault::Tear, fixed, revert_with, &[]);
}

#[test]
fn the_recovery_of_a_revert_stopped_anywhere_is_recovered() {
    stop_everywhere(Fault::Tear, fixed, revert_with, &[3, 4, 5, 6, 8, 11, 15, 20, 26]);
}

#[test]
fn a_revert_in_which_any_call_fails_puts_everything_back() {
    stop_everywhere(Fault::Fail, fixed, revert_with, &[]);
}

/// The record is on the disk before the first byte of the target changes.
#[test]
fn the_record_is_synced_before_the_first_change() {
    struct Log(std::sync::Mutex<Vec<(String, PathBuf)>>);
    impl Gate for Log {
        fn admit(&self, call: &Call<'_>) -> io::Result<()> {
            self.0.lock().unwrap().push((call.operation.to_owned(), call.path.to_path_buf()));
            Ok(())
        }
    }
    let tree = Tree::new();
    let log = Arc::new(Log(Vec::new().into()));
    tree.apply(Disk::gated(Arc::clone(&log) as Arc<dyn Gate>)).unwrap();
    let calls = log.0.lock().unwrap();
    let of_store = |path: &Path| path.components().any(|part| part.as_os_str() == ".tfpatch");
    let first =
        calls.iter().position(|(_, path)| !of_store(path) && !path.ends_with("tree")).unwrap();
    let before: Vec<_> = calls[..first].iter().rev().take(3).collect();
    assert_eq!(before[0].0, "sync");
    assert!(before[0].1.ends_with("operations"), "{before:?}");
    assert_eq!(before[1].0, "replace");
    assert!(before[1].1.to_string_lossy().ends_with(".pending.json"), "{before:?}");
    assert_eq!(before[2].0, "sync");
}

/// What another process changed after the crash is not ours any more.
#[test]
fn a_file_changed_after_the_crash_is_left_alone() {
    let tree = Tree::new();
    // Stopped once the first file has been changed.
    for limit in 10.. {
        let _ = tree.apply(limited(limit, Fault::Stop).0);
        if std::fs::read(tree.at(FILES[3])).unwrap() == tree.new[3] {
            break;
        }
        tree.recover(Disk::real()).unwrap();
    }
    std::fs::write(tree.at(FILES[3]), "upgraded").unwrap();
    let recovered = tree.recover(Disk::real()).unwrap().unwrap();
    assert!(!recovered.finished);
    assert_eq!(recovered.left_alone.len(), 1);
    assert_eq!(recovered.left_alone[0].path, relative("lib/hard.so"));
    assert_eq!(std::fs::read(tree.at(FILES[3])).unwrap(), b"upgraded");
    assert_eq!(std::fs::read(tree.at(FILES[0])).unwrap(), content(&tree.old[0]));
    assert_eq!(Store::open(&tree.root()).unwrap().pending().unwrap(), None);
}

/// The edits of a wheel that give the first of its objects another search path.
fn repacked(archive: &Path) -> EditSet {
    use tfpatch::elf::{Image, edit};
    let vfs = OsVfs::new();
    let wheel = Wheel::open(&vfs, archive).unwrap();
    let mut members = wheel.members().map(|(_, path, _)| path);
    let path = members.find(|path| path.to_str().unwrap().ends_with(".so")).unwrap();
    let member = wheel.open(&path).unwrap();
    let entries = vec![b"$ORIGIN/a/longer/way".to_vec()];
    let request = edit::Request::search_path(entries, None);
    let patch = edit::edit(&Image::parse(member.as_ref()).unwrap(), &request).unwrap();
    let mut scratch = Vec::new();
    let changes = [Change { path: &path, edits: &patch.edits }];
    let mut edits = wheel.repack(&changes, &mut scratch).unwrap();
    let held: Arc<dyn tfpatch::bytes::Source> = Arc::new(scratch);
    edits.keep_in(&held);
    edits
}

/// An archive is written anew, and its old bytes lie beside the record.
#[test]
fn an_archive_is_old_or_new_wherever_it_is_stopped() {
    let member = std::fs::read(*LIBRARY).unwrap();
    let wheel = stored_wheel(&[("x/lib.so", &member), ("x-1.0.dist-info/RECORD", b"")]);
    for fault in [Fault::Stop, Fault::Tear, Fault::Fail] {
        let mut outcomes = [0, 0];
        for limit in 0.. {
            let directory = tempfile::tempdir_in("/dev/shm").unwrap();
            let root = directory.path();
            let archive = root.join("x.whl");
            std::fs::write(&archive, &wheel).unwrap();
            old_times(&archive);
            let old = snapshot(&archive);
            // Many new bytes, that are held in another file, of another length than the old ones.
            let mut step = step(root, "x.whl", vec![bytes(0..4, b"abcde")]);
            step.kind = plan::Kind::Wheel;
            step.replace = true;
            step.edits = repacked(&archive);
            let len = old.content.len() as u64;
            let whole = 0..len;
            (step.lock, step.left) =
                Lock::of_step(&old.content, &step.edits, std::slice::from_ref(&whole)).unwrap();
            let new = edited(&old.content, &step);
            let plan = Plan::new(vec![step]);

            let store = |disk| Store::open_on(root, disk).unwrap();
            let (disk, gate) = limited(limit, fault);
            let first = apply(root, &store(disk), &plan, Kind::Fix, &options());
            if first.is_ok() {
                assert_eq!(std::fs::read(&archive).unwrap(), new);
                // On the way back it is stopped as well, at as many calls.
                let (disk, gate) = limited(limit.saturating_sub(20), fault);
                let _ = revert(root, &store(disk), &Selection::All, &options());
                drop(gate);
            }
            let what = format!("{fault:?} at call {limit}");
            let now = std::fs::read(&archive).unwrap();
            assert!(now == old.content || now == new, "{what}: neither old nor new");
            recover(root, &store(Disk::real()), &options()).unwrap();
            let now = snapshot(&archive);
            assert!(now == old || now.content == new, "{what}: neither old nor new");
            assert_eq!(now.modified, old.modified, "{what}");
            outcomes[usize::from(now.content == new)] += 1;
            revert(root, &store(Disk::real()), &Selection::All, &options()).unwrap();
            assert!(snapshot(&archive) == old, "{what}: not as it was");
            let left = names(root).into_iter().find(|name| name.ends_with(".tmp"));
            assert_eq!(left, None, "{what}");
            if first.is_ok() && limit > gate.passed.load(Ordering::SeqCst) + 40 {
                break;
            }
        }
        assert!(outcomes[0] > 10 && outcomes[1] > 3, "{fault:?}: {outcomes:?}");
    }
}
