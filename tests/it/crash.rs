//! Operations that are stopped between any two system calls.

use crate::operated::{
    LIBRARY, Snapshot, append, bytes, child_in, edited, names, old_times, options, relative,
    snapshot, step,
};
use std::io;
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfpatch::edit::EditSet;
use tfpatch::operation::{
    self, Call, Disk, Error, Gate, Kind, Selection, Store, apply, recover, revert,
};
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

/// Kills the process at a call.
struct Kill(AtomicUsize);

impl Gate for Kill {
    fn admit(&self, _: &Call<'_>) -> io::Result<()> {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            let me = rustix::process::getpid();
            rustix::process::kill_process(me, rustix::process::Signal::KILL)?;
        }
        Ok(())
    }
}

/// A disk with which the process is killed after `calls` calls.
pub(crate) fn killing(calls: usize) -> Disk {
    Disk::gated(Arc::new(Kill(AtomicUsize::new(calls))))
}

/// A tree with every kind of step: in place, twice hard-linked inside, linked to a cache by a hard
/// and by a symbolic link, and a RECORD.
#[derive(Clone)]
pub(crate) struct Tree {
    pub(crate) top: PathBuf,
    /// Removes it when the last one is dropped.
    _directory: Arc<tempfile::TempDir>,
    plan: Plan,
    /// Every file of the plan and outside of it, before and after.
    old: Vec<Snapshot>,
    new: Vec<Vec<u8>>,
}

pub(crate) const FILES: [&str; 8] = [
    "tree/lib/place.so",
    "tree/lib/one.so",
    "tree/other/one.so",
    "tree/lib/hard.so",
    "tree/lib/soft.so",
    "tree/RECORD",
    "cache/hard.so",
    "cache/soft.so",
];

/// Those that are edited in place: the second, once it is a private copy, on its way back.
const IN_PLACE: [&str; 2] = ["tree/lib/place.so", "tree/lib/hard.so"];

impl Tree {
    fn new() -> Self {
        Self::new_in(Path::new("/dev/shm"))
    }

    pub(crate) fn new_in(directory: &Path) -> Self {
        let directory = tempfile::tempdir_in(directory).unwrap();
        let top = directory.path().to_path_buf();
        let at = |name: &str| top.join(name);
        let library = std::fs::read(LIBRARY).unwrap();
        for directory in ["tree", "tree/lib", "tree/other", "cache"] {
            std::fs::create_dir(at(directory)).unwrap();
        }
        for file in ["tree/lib/place.so", "tree/lib/one.so", "cache/hard.so", "cache/soft.so"] {
            std::fs::write(at(file), &library).unwrap();
        }
        std::fs::hard_link(at("tree/lib/one.so"), at("tree/other/one.so")).unwrap();
        std::fs::hard_link(at("cache/hard.so"), at("tree/lib/hard.so")).unwrap();
        std::os::unix::fs::symlink("../../cache/soft.so", at("tree/lib/soft.so")).unwrap();
        std::fs::write(at("tree/RECORD"), "lib/place.so,sha256=AA,12\nlib/one.so,,\n").unwrap();
        for name in FILES.iter().chain(&["tree/lib", "tree/other", "tree"]) {
            old_times(&at(name));
        }
        let (root, len) = (at("tree"), library.len() as u64);
        let mut one = step(&root, "lib/one.so", append(len));
        (one.aliases, one.replace) = (vec![relative("other/one.so")], true);
        let mut rows = step(&root, "RECORD", vec![bytes(13..25, b"sha256=BBBBBB,123456")]);
        rows.kind = plan::Kind::Record;
        let plan = Plan::new(vec![
            step(&root, "lib/place.so", append(len)),
            one,
            step(&root, "lib/hard.so", append(len)),
            step(&root, "lib/soft.so", vec![bytes(9..16, b"1234567")]),
            rows,
        ]);
        let old: Vec<_> = FILES.iter().map(|name| snapshot(&at(name))).collect();
        let made = [0, 1, 1, 2, 3, 4];
        let mut new: Vec<_> = made
            .iter()
            .zip(&old)
            .map(|(&index, old): (&usize, _)| edited(&content(old), &plan.steps[index]))
            .collect();
        new.extend([library.clone(), library]);
        Self { plan, old, new, top, _directory: Arc::new(directory) }
    }

    /// A copy of the tree that lies elsewhere.
    pub(crate) fn as_it_is_at(&self, top: PathBuf) -> Self {
        Self { top, ..self.clone() }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.top.join("tree")
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.top.join(name)
    }

    pub(crate) fn apply(&self, disk: Disk) -> Result<Option<operation::Operation>, Error> {
        let store = Store::open_on(&self.root(), disk).unwrap();
        apply(&self.root(), &store, &self.plan, Kind::Fix, &options())
    }

    pub(crate) fn revert(&self, disk: Disk) -> Result<operation::Reverted, Error> {
        let store = Store::open_on(&self.root(), disk).unwrap();
        revert(&self.root(), &store, &Selection::All, &options())
    }

    pub(crate) fn recover(&self, disk: Disk) -> Result<Option<operation::Recovered>, Error> {
        recover(&self.root(), &Store::open_on(&self.root(), disk).unwrap(), &options())
    }

    /// Between two calls: every name holds the old bytes or the new ones; a file that is edited in
    /// place, each byte the old one or the new one.
    pub(crate) fn check_each(&self, what: &str) {
        for (index, name) in FILES.iter().enumerate() {
            let (old, new) = (content(&self.old[index]), &self.new[index]);
            let now = std::fs::read(self.at(name)).unwrap();
            if IN_PLACE.contains(name) {
                assert!((old.len()..=new.len()).contains(&now.len()), "{what}: {name}");
                // A power cut may leave zeros of what is appended: its length, and not its bytes.
                let is_known = |(at, byte): (usize, &u8)| {
                    new[at] == *byte || *old.get(at).unwrap_or(&0) == *byte
                };
                assert!(now.iter().enumerate().all(is_known), "{what}: {name}");
            } else {
                assert!(now == old || now == *new, "{what}: {name} is neither old nor new");
            }
        }
    }

    /// The old and the new bytes of a file.
    pub(crate) fn contents(&self, name: &str) -> (Vec<u8>, Vec<u8>) {
        let index = FILES.iter().position(|file| *file == name).unwrap();
        (content(&self.old[index]), self.new[index].clone())
    }

    /// After a recovery: all old, or all new; and nothing else has changed. True where all is new.
    pub(crate) fn check_all(&self, what: &str) -> bool {
        let is_new = |index: usize| {
            let now = std::fs::read(self.at(FILES[index])).unwrap();
            now == self.new[index] && now != content(&self.old[index])
        };
        let new = is_new(0);
        for (index, name) in FILES.iter().enumerate() {
            let now = snapshot(&self.at(name));
            if new {
                assert_eq!(content(&now), self.new[index], "{what}: {name} is not new");
            } else {
                assert!(now == self.old[index], "{what}: {name} is not as it was");
            }
            let stat = std::fs::symlink_metadata(self.at(name)).unwrap();
            assert_eq!(
                (stat.mtime(), stat.mtime_nsec()),
                (1_500_000_002, 987_654_321),
                "{what}: {name}"
            );
        }
        let id = |name| std::fs::metadata(self.at(name)).unwrap().ino();
        assert_eq!(id(FILES[1]), id(FILES[2]), "{what}: two files of one");
        for directory in ["tree/lib", "tree/other"] {
            let stat = std::fs::metadata(self.at(directory)).unwrap();
            assert_eq!(stat.mtime_nsec(), 987_654_321, "{what}: {directory}");
        }
        let left = names(&self.root()).into_iter().find(|name| name.ends_with(".tmp"));
        assert_eq!(left, None, "{what}");
        assert_eq!(Store::open(&self.root()).unwrap().pending().unwrap(), None, "{what}");
        new
    }
}

/// The bytes that a name leads to.
fn content(snapshot: &Snapshot) -> Vec<u8> {
    snapshot.content.clone()
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

#[test]
fn a_killed_process_is_recovered_from() {
    use std::os::unix::process::ExitStatusExt as _;
    let (mut killed, mut limit) = (0, 4);
    loop {
        let tree = Tree::new();
        let plan = serde_json::to_vec(&tree.plan).unwrap();
        std::fs::write(tree.at("plan.json"), plan).unwrap();
        std::fs::write(tree.at("stop-at"), limit.to_string()).unwrap();
        let output = child_in(&tree.top, &[]).output().unwrap();
        tree.recover(Disk::real()).unwrap();
        let new = tree.check_all(&format!("killed at call {limit}"));
        if output.status.signal() != Some(9) {
            assert!(output.status.success() && new);
            break;
        }
        killed += 1;
        limit += 7;
    }
    assert!(killed > 5, "killed {killed} times");
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
    let request = edit::Request { entries, kind: None };
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
    let made = tempfile::tempdir().unwrap();
    let wheel = std::fs::read(crate::wheels::broken_wheel(made.path())).unwrap();
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
