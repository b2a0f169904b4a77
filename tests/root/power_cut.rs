//! The power goes out: what was not synced is lost, or has reached the disk in another order.
//!
//! An ext4 file system lies in an image that is mounted over a loop device, and is made to write
//! nothing by itself. What the image holds at a moment is what would be left.

use crate::support::crash::{FILES, Tree};
use crate::support::mounts::Mounted;
use std::io;
use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use tfpatch::operation::{Call, Disk, Gate};

/// What reaches the disk without being synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unsynced {
    /// Nothing.
    Lost,
    /// The last write to a file, and nothing before it.
    LastFirst,
    /// What the file system's journal holds: names, lengths and attributes, for somebody else syncs
    /// a file.
    Journal,
}

/// Keeps the image as it is before each call.
struct Cuts {
    image: PathBuf,
    unsynced: Unsynced,
    /// A file that nobody else writes to.
    other: PathBuf,
    /// The last write: of which file, where, how many bytes.
    last: Mutex<Option<(PathBuf, u64, usize)>>,
    kept: Mutex<Vec<(PathBuf, String)>>,
}

impl Cuts {
    fn keep(&self, what: String) -> io::Result<()> {
        if let (Unsynced::LastFirst, Some((path, offset, len))) =
            (self.unsynced, self.last.lock().unwrap().take())
        {
            let [write, wait] = ["-w", "-a"].map(|how| format!("sync_range {how} {offset} {len}"));
            // A temporary file may have got its name meanwhile.
            if std::fs::symlink_metadata(&path).is_ok() {
                let done =
                    Command::new("xfs_io").args(["-c", &write, "-c", &wait]).arg(&path).output()?;
                assert!(done.status.success() && done.stderr.is_empty(), "{done:?}");
            }
        }
        if self.unsynced == Unsynced::Journal {
            std::fs::write(&self.other, [kept_so_far(self)])?;
            std::fs::File::open(&self.other)?.sync_all()?;
        }
        let mut kept = self.kept.lock().unwrap();
        let copy = self.image.with_extension(kept.len().to_string());
        std::fs::copy(&self.image, &copy)?;
        kept.push((copy, what));
        Ok(())
    }
}

/// Another byte each time, so that there is something to sync.
fn kept_so_far(cuts: &Cuts) -> u8 {
    cuts.kept.lock().unwrap().len().to_le_bytes()[0]
}

impl Gate for Cuts {
    fn admit(&self, call: &Call<'_>) -> io::Result<()> {
        self.keep(format!("{:?}: before {} {:?}", self.unsynced, call.operation, call.path))?;
        if let Some((_, bytes, offset)) = call.write {
            *self.last.lock().unwrap() = Some((call.path.to_path_buf(), offset, bytes.len()));
        }
        Ok(())
    }
}

/// Runs `run` on a tree in an image, and looks at what is left of it by a power cut at each call:
/// recovered, everything is old or everything is new, and there are both.
fn cut_everywhere(unsynced: Unsynced, prepare: impl Fn(&Tree), run: impl Fn(&Tree, Disk)) {
    let directory = tempfile::tempdir_in("/dev/shm").unwrap();
    let image = directory.path().join("image");
    let mkfs = ["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0"];
    // Nothing is written but what is asked for: neither every five seconds nor at an unmount.
    let mounted = Mounted::image(&image, 24, "ext4", &mkfs);
    // Nor does ext4 make up for a sync that is missing before a rename, as XFS does not either.
    mounted.remount("commit=3600,noauto_da_alloc");
    let tree = Tree::new_in(mounted.path());
    prepare(&tree);
    assert!(Command::new("sync").arg("-f").arg(mounted.path()).status().unwrap().success());
    let (last, kept) = (Mutex::new(None), Mutex::new(Vec::new()));
    let other = mounted.path().join("other");
    let cuts = Arc::new(Cuts { image, unsynced, other, last, kept });
    run(&tree, Disk::gated(Arc::clone(&cuts) as Arc<dyn Gate>));
    cuts.keep(format!("{unsynced:?}: at the end")).unwrap();

    let name = tree.top.strip_prefix(mounted.path()).unwrap();
    let mut outcomes = [0, 0];
    let kept = cuts.kept.lock().unwrap();
    for (image, what) in kept.iter() {
        let left = Mounted::new("ext4", &["-o", "loop"], &image.display().to_string());
        let left_tree = tree.as_it_is_at(left.path().join(name));
        left_tree.check_each(what);
        check_order(&left_tree, what);
        let recovered = left_tree.recover(Disk::real()).unwrap();
        let left_alone = recovered.map(|recovered| recovered.left_alone).unwrap_or_default();
        assert!(left_alone.is_empty(), "{what}: {left_alone:?}");
        outcomes[usize::from(left_tree.check_all(what))] += 1;
        drop(left);
        std::fs::remove_file(image).unwrap();
    }
    assert!(kept.len() > 40 && outcomes[0] > 4 && outcomes[1] > 4, "{outcomes:?}");
}

/// The file that is edited in place: what is appended is there before anything leads to it, and as
/// long as anything does.
fn check_order(tree: &Tree, what: &str) {
    let (old, new) = tree.contents(FILES[0]);
    let now = std::fs::read(tree.at(FILES[0])).unwrap();
    let is_new = |range: std::ops::Range<usize>| now.get(range.clone()) == new.get(range);
    let edits = tree.plan.steps[0].edits.in_write_order().iter();
    let ranges = edits.map(|edit| edit.range.start as usize..edit.range.end as usize);
    let mut inside = ranges.filter(|range| old[range.clone()] != new[range.clone()]);
    let is_led_to = inside.any(is_new);
    assert!(
        is_new(old.len()..new.len()) || !is_led_to,
        "{what}: a header leads to what is not there"
    );
}

fn fixed(tree: &Tree) {
    tree.apply(Disk::real()).unwrap().unwrap();
}

fn apply(tree: &Tree, disk: Disk) {
    tree.apply(disk).unwrap().unwrap();
}

fn revert(tree: &Tree, disk: Disk) {
    assert!(tree.revert(disk).unwrap().operation.is_some());
}

const ALL: [Unsynced; 3] = [Unsynced::Lost, Unsynced::LastFirst, Unsynced::Journal];

#[test]
fn an_apply_outlasts_a_power_cut() {
    for unsynced in ALL {
        cut_everywhere(unsynced, |_| {}, apply);
    }
}

#[test]
fn a_revert_outlasts_a_power_cut() {
    for unsynced in ALL {
        cut_everywhere(unsynced, fixed, revert);
    }
}
