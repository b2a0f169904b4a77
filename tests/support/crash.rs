//! Operations that are stopped between any two system calls.

use crate::support::operated::{
    LIBRARY, Snapshot, append, bytes, edited, give_path, names, old_times, options, overwrite,
    relative, snapshot, step,
};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfpatch::operation::{
    self, Call, Disk, Error, Gate, Kind, Selection, Store, apply, recover, revert,
};
use tfpatch::plan::{self, Plan};

/// Kills the process at a call.
pub(crate) struct Kill(AtomicUsize);

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
    pub(crate) _directory: Arc<tempfile::TempDir>,
    pub(crate) plan: Plan,
    /// Every file of the plan and outside of it, before and after.
    pub(crate) old: Vec<Snapshot>,
    pub(crate) new: Vec<Vec<u8>>,
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
pub(crate) const IN_PLACE: [&str; 2] = ["tree/lib/place.so", "tree/lib/hard.so"];

impl Tree {
    pub(crate) fn new() -> Self {
        Self::new_in(Path::new("/dev/shm"))
    }

    pub(crate) fn new_in(directory: &Path) -> Self {
        let directory = tempfile::tempdir_in(directory).unwrap();
        let top = directory.path().to_path_buf();
        let at = |name: &str| top.join(name);
        let library = std::fs::read(*LIBRARY).unwrap();
        for directory in ["tree", "tree/lib", "tree/other", "cache"] {
            std::fs::create_dir(at(directory)).unwrap();
        }
        for file in ["tree/lib/place.so", "tree/lib/one.so", "cache/hard.so", "cache/soft.so"] {
            std::fs::write(at(file), &library).unwrap();
        }
        give_path(&at("cache/soft.so"));
        std::fs::hard_link(at("tree/lib/one.so"), at("tree/other/one.so")).unwrap();
        std::fs::hard_link(at("cache/hard.so"), at("tree/lib/hard.so")).unwrap();
        std::os::unix::fs::symlink("../../cache/soft.so", at("tree/lib/soft.so")).unwrap();
        std::fs::write(at("tree/RECORD"), "lib/place.so,sha256=AA,12\nlib/one.so,,\n").unwrap();
        for name in FILES.iter().chain(&["tree/lib", "tree/other", "tree"]) {
            old_times(&at(name));
        }
        let root = at("tree");
        let grown = |name: &str| step(&root, name, append(&root.join(name)));
        let mut one = grown("lib/one.so");
        (one.aliases, one.replace) = (vec![relative("other/one.so")], true);
        let mut rows = step(&root, "RECORD", vec![bytes(13..25, b"sha256=BBBBBB,123456")]);
        rows.kind = plan::Kind::Record;
        let plan = Plan::new(vec![
            grown("lib/place.so"),
            one,
            grown("lib/hard.so"),
            step(&root, "lib/soft.so", overwrite(&at("cache/soft.so"))),
            rows,
        ]);
        let old: Vec<_> = FILES.iter().map(|name| snapshot(&at(name))).collect();
        let made = [0, 1, 1, 2, 3, 4];
        let mut new: Vec<_> = made
            .iter()
            .zip(&old)
            .map(|(&index, old): (&usize, _)| edited(&content(old), &plan.steps[index]))
            .collect();
        new.extend(["cache/hard.so", "cache/soft.so"].map(|name| std::fs::read(at(name)).unwrap()));
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
pub(crate) fn content(snapshot: &Snapshot) -> Vec<u8> {
    snapshot.content.clone()
}
