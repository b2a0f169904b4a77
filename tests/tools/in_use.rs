//! Files that a process has mapped, or opens just then, while they are edited or made shorter again.

use crate::support::in_use::Mapper;
use crate::support::operated::{
    LIBRARY, append, fix, inode, library, options, revert_all, search_path, snapshot, start, step,
};
use crate::support::wheels;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tfpatch::operation::{Call, Disk, Gate, Kind, Options, Selection, Store, Write, apply, revert};
use tfpatch::plan::{Plan, Step};
use tfpatch::report::words::operations::error as said;

#[test]
fn a_file_that_nobody_has_open_is_cut_off_in_place() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "a.so");
    let before = snapshot(&file);
    // Three edits that grow, and one that does not, put back at once. A process that another test
    // starts may have the file open for a moment: then it is tried again.
    let mut is_in_place = false;
    for _ in 0..20 {
        let was = inode(&file);
        for _ in 0..3 {
            fix(root, vec![step(root, "a.so", append(&file))]).unwrap();
        }
        let shorter = search_path(&file, "$ORIGIN/../nvidia/cusolver/lib");
        fix(root, vec![step(root, "a.so", shorter)]).unwrap();
        assert_eq!(revert_all(root).operation.unwrap().reverts.len(), 4);
        assert!(snapshot(&file) == before);
        is_in_place |= inode(&file) == was;
        if is_in_place {
            break;
        }
    }
    assert!(is_in_place);
}

#[test]
fn a_mapped_file_is_never_cut_off() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "a.so");
    let before = snapshot(&file);
    fix(root, vec![step(root, "a.so", append(&file))]).unwrap();
    let (grown, was) = (snapshot(&file), inode(&file));

    // The control: cut off under a process that has it mapped, the file kills it.
    let copy = root.join("copy.so");
    std::fs::write(&copy, &grown.content).unwrap();
    let mapper = Mapper::of(&copy);
    std::fs::File::options().write(true).open(&copy).unwrap().set_len(4096).unwrap();
    assert_eq!(mapper.reads_the_same(), None);

    let mapper = Mapper::of(&file);
    let store = Store::open(root).unwrap();
    let strict = Options { write: Write::InPlace, ..options() };
    let error = revert(root, &store, &Selection::All, &strict).unwrap_err();
    assert!(said(&error).contains("another process may have it open"), "{error:?}");
    assert_eq!(snapshot(&file), grown);
    revert_all(root);
    assert_eq!(snapshot(&file), before);
    assert_ne!(inode(&file), was);
    assert_eq!(mapper.reads_the_same(), Some(true));
}

/// What every process that runs the file would see is written into it only where there is none.
#[test]
fn a_mapped_file_is_not_edited_in_place_where_processes_would_see_it() {
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "a.so");
    let before = snapshot(&file);
    let unopened = |edits| Step { unopened: true, ..step(root, "a.so", edits) };

    let was = inode(&file);
    fix(root, vec![unopened(append(&file))]).unwrap();
    assert_eq!(inode(&file), was, "nobody has it open");
    let grown = snapshot(&file);

    let mapper = Mapper::of(&file);
    let store = Store::open(root).unwrap();
    let strict = Options { write: Write::InPlace, ..options() };
    let plan = Plan::new(vec![unopened(append(&file))]);
    let error = apply(root, &store, &plan, Kind::Fix, &strict).unwrap_err();
    assert!(said(&error).contains("another process may have it open"), "{error:?}");
    assert_eq!(snapshot(&file), grown);
    fix(root, vec![unopened(append(&file))]).unwrap();
    assert_ne!(inode(&file), was, "somebody has it open");
    assert_eq!(mapper.reads_the_same(), Some(true));
    revert_all(root);
    assert_eq!(snapshot(&file), before);
}

/// Waits where a file gets its new length, when the lease is held.
struct HoldsTheLease;

impl Gate for HoldsTheLease {
    fn admit(&self, call: &Call<'_>) -> io::Result<()> {
        if call.operation == "set the length of" && call.path.ends_with("a.so") {
            std::fs::write("held", "")?;
            while std::fs::symlink_metadata("opening").is_err() {
                std::thread::sleep(Duration::from_millis(5));
            }
            std::thread::sleep(Duration::from_millis(1000));
        }
        Ok(())
    }
}

/// Reverts `tree` and waits in the middle: a process of its own, on its main thread, for that is
/// where the kernel sends the signal that somebody waits.
#[test]
#[ignore = "run by another test, in a process of its own"]
fn holding_child() {
    let root = Path::new("tree");
    let store = Store::open_on(root, Disk::gated(Arc::new(HoldsTheLease))).unwrap();
    assert!(revert(root, &store, &Selection::All, &options()).unwrap().operation.is_some());
    std::fs::write("reverted", "").unwrap();
}

/// Opens a library twice, and says how long the first time took.
const OPENS: &str = "
import ctypes, os, sys, time
open(sys.argv[2], 'w').close()
start = time.monotonic()
file = os.open(sys.argv[1], os.O_RDONLY)
print(time.monotonic() - start)
ctypes.CDLL(sys.argv[1]).__b64_ntop
";

/// Whoever opens the library while it is cut off waits, and loads it then.
#[test]
fn a_library_that_is_opened_meanwhile_is_waited_for_and_loads() {
    let top = tempfile::tempdir().unwrap();
    let root = top.path().join("tree");
    let file = library(&root, "a.so");
    let was = inode(&file);
    let edits = search_path(&file, &"x".repeat(100_000));
    fix(&root, vec![step(&root, "a.so", edits)]).unwrap();

    let mut child = start(top.path(), &[], "in_use::holding_child").spawn().unwrap();
    while std::fs::symlink_metadata(top.path().join("held")).is_err() {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it cut the file off");
        std::thread::sleep(Duration::from_millis(5));
    }
    let mut python = wheels::python3();
    python.args(["-c", OPENS]).arg(&file).arg(top.path().join("opening"));
    let output = python.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let waited: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    assert!(waited > 0.2, "it waited for {waited} s");
    assert!(child.wait().unwrap().success(), "the signal did not end it");
    std::fs::symlink_metadata(top.path().join("reverted")).unwrap();
    assert_eq!(inode(&file), was);
    assert_eq!(std::fs::read(&file).unwrap(), std::fs::read(*LIBRARY).unwrap());
}

/// Who opens it between the look before the first write and the cut has it replaced.
#[test]
fn a_file_that_is_opened_between_two_writes_is_replaced() {
    struct AtTheFirstSync(Mutex<Option<std::fs::File>>, std::path::PathBuf);
    impl Gate for AtTheFirstSync {
        fn admit(&self, call: &Call<'_>) -> io::Result<()> {
            if call.operation == "sync" && call.path.ends_with("a.so") {
                self.0.lock().unwrap().get_or_insert(std::fs::File::open(&self.1)?);
            }
            Ok(())
        }
    }
    let root = tempfile::tempdir().unwrap();
    let root = root.path();
    let file = library(root, "a.so");
    let (before, was) = (snapshot(&file), inode(&file));
    fix(root, vec![step(root, "a.so", append(&file))]).unwrap();
    let gate = Arc::new(AtTheFirstSync(Mutex::new(None), file.clone()));
    let store = Store::open_on(root, Disk::gated(Arc::clone(&gate) as Arc<dyn Gate>)).unwrap();
    revert(root, &store, &Selection::All, &options()).unwrap();
    assert!(gate.0.lock().unwrap().is_some());
    assert_eq!(snapshot(&file), before);
    assert_ne!(inode(&file), was);
}
