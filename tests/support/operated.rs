//! Files to operate on, what is known of them before and after, and another process to do it in.

use rustix::fs::{CWD, Timespec, Timestamps};
use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::time::Duration;
use tfpatch::edit::{Content, Edit, EditSet};
use tfpatch::elf::edit::Request;
use tfpatch::elf::{self, Image};
use tfpatch::object;
use tfpatch::operation::{self, Error, Kind, Options, Selection, Store, Write, apply, revert};
use tfpatch::plan::{self, Lock, Plan, RelativePath, Step};
use tfpatch::report::words::operations::error as said;

/// A real library to copy and edit, which every system with glibc has: its resolver. A search path can be added
/// to it in place, because one of its program headers can be spared.
pub(crate) static LIBRARY: LazyLock<&str> = LazyLock::new(|| {
    let places = [
        "/lib/x86_64-linux-gnu/libresolv.so.2",
        "/lib/aarch64-linux-gnu/libresolv.so.2",
        "/lib64/libresolv.so.2",
        "/usr/lib/libresolv.so.2",
    ];
    let found = places.into_iter().find(|place| std::fs::metadata(place).is_ok());
    found.expect("the system has glibc's resolver")
});

pub(crate) fn options() -> Options<'static> {
    Options {
        sync: true,
        write: Write::Auto,
        dry_run: false,
        time: 1_700_000_000,
        wait: Duration::from_secs(10),
        waiting: &|_| {},
    }
}

pub(crate) fn relative(path: impl AsRef<OsStr>) -> RelativePath {
    RelativePath::new(Path::new(path.as_ref())).unwrap()
}

/// A step with `edits` on what `path` leads to beneath `root`.
pub(crate) fn step(root: &Path, path: impl AsRef<OsStr>, edits: Vec<Edit>) -> Step {
    let path = relative(path);
    let old = std::fs::read(root.join(&path)).unwrap();
    let edits = EditSet::new(old.len() as u64, edits).unwrap();
    let header = 0..64.min(old.len() as u64);
    let (lock, left) = Lock::of_step(&old, &edits, std::slice::from_ref(&header)).unwrap();
    Step {
        path,
        aliases: Vec::new(),
        kind: plan::Kind::Elf,
        before: vec!["$ORIGIN".to_owned()],
        after: vec!["$ORIGIN/../nvidia/cusolver/lib".to_owned()],
        fields: Vec::new(),
        method: plan::Method::Other("append".to_owned()),
        reason: "test".to_owned(),
        edits,
        lock,
        left,
        replace: false,
        unopened: false,
        seen: None,
    }
}

/// Bytes in the place of others, in a file that is no object.
pub(crate) fn bytes(range: std::ops::Range<u64>, new: &[u8]) -> Edit {
    Edit { range, new: Content::Bytes(new.to_vec()) }
}

/// The edits by which tfpatch gives the object at `file` this search path.
pub(crate) fn search_path(file: &Path, path: &str) -> Vec<Edit> {
    let content = std::fs::read(file).unwrap();
    let image = Image::parse(&content).unwrap();
    let entries = path.split(':').map(|entry| entry.as_bytes().to_vec()).collect();
    let patch = elf::edit::edit(&image, &Request::search_path(entries, None)).unwrap();
    patch.edits.in_write_order().to_vec()
}

/// Edits by which a file grows, for one more entry: for a [`library`], which has no search path, appended
/// pieces, one of them a copy, and then a few bytes inside.
pub(crate) fn append(file: &Path) -> Vec<Edit> {
    let content = std::fs::read(file).unwrap();
    let entries = object::search_paths(&content).unwrap()[0].entries.len();
    let edits = search_path(file, &vec!["$ORIGIN/../nvidia/cusolver/lib"; entries + 1].join(":"));
    let copies = edits.iter().filter(|edit| matches!(edit.new, Content::CopyOf(_)));
    assert!(entries > 0 || copies.count() > 0, "the string table is copied");
    edits
}

/// Edits of the first rung, for a [`library_with_path`]: a few bytes over the old string.
pub(crate) fn overwrite(file: &Path) -> Vec<Edit> {
    let edits = search_path(file, "$ORIGIN/b");
    assert_eq!(edits.len(), 1, "only the string changes");
    edits
}

pub(crate) fn library(root: &Path, name: impl AsRef<OsStr>) -> PathBuf {
    let path = root.join(Path::new(name.as_ref()));
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, std::fs::read(*LIBRARY).unwrap()).unwrap();
    old_times(&path);
    path
}

/// The same library with a search path.
pub(crate) fn library_with_path(root: &Path, name: impl AsRef<OsStr>) -> PathBuf {
    let path = library(root, name);
    give_path(&path);
    path
}

/// Gives the library at `file` a search path, which [`overwrite`] can change.
pub(crate) fn give_path(file: &Path) {
    let old = std::fs::read(file).unwrap();
    let edits = EditSet::new(old.len() as u64, search_path(file, "$ORIGIN/a")).unwrap();
    std::fs::write(file, patched(&old, &edits)).unwrap();
    old_times(file);
}

/// Times long ago, with nanoseconds.
pub(crate) fn old_times(path: &Path) {
    let times = Timestamps {
        last_access: Timespec { tv_sec: 1_500_000_001, tv_nsec: 123_456_789 },
        last_modification: Timespec { tv_sec: 1_500_000_002, tv_nsec: 987_654_321 },
    };
    rustix::fs::utimensat(CWD, path, &times, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).unwrap();
}

/// Everything of a file that a revert gives back: bytes, mode, owner, time, attributes, link.
#[derive(Debug, PartialEq, Eq, Clone)]
pub(crate) struct Snapshot {
    pub(crate) content: Vec<u8>,
    pub(crate) mode: u32,
    pub(crate) owner: (u32, u32),
    pub(crate) modified: (i64, i64),
    pub(crate) attributes: Vec<(String, Vec<u8>)>,
    pub(crate) link: Option<PathBuf>,
}

pub(crate) fn snapshot(path: &Path) -> Snapshot {
    let stat = std::fs::symlink_metadata(path).unwrap();
    let mut names = vec![0; 4096];
    let len = rustix::fs::llistxattr(path, &mut names).unwrap();
    let names = names[..len].split(|&byte| byte == 0).filter(|name| !name.is_empty());
    let attributes = names.map(|name| {
        let name = String::from_utf8(name.to_vec()).unwrap();
        let mut value = vec![0; 4096];
        let len = rustix::fs::lgetxattr(path, name.as_str(), &mut value).unwrap();
        value.truncate(len);
        (name, value)
    });
    Snapshot {
        attributes: attributes.collect(),
        content: std::fs::read(path).unwrap_or_default(),
        mode: stat.mode(),
        owner: (stat.uid(), stat.gid()),
        modified: (stat.mtime(), stat.mtime_nsec()),
        link: std::fs::read_link(path).ok(),
    }
}

pub(crate) fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

pub(crate) fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}

pub(crate) fn fix(root: &Path, steps: Vec<Step>) -> Result<Option<operation::Operation>, Error> {
    apply(root, &Store::open(root).unwrap(), &Plan::new(steps), Kind::Fix, &options())
}

pub(crate) fn revert_all(root: &Path) -> operation::Reverted {
    revert(root, &Store::open(root).unwrap(), &Selection::All, &options()).unwrap()
}

pub(crate) fn names(root: &Path) -> Vec<String> {
    let mut names: Vec<_> = walkdir::WalkDir::new(root)
        .into_iter()
        .filter_entry(|entry| entry.file_name() != operation::NAME)
        .map(|entry| entry.unwrap().path().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// What the step's edits make of `old`.
pub(crate) fn edited(old: &[u8], step: &Step) -> Vec<u8> {
    patched(old, &step.edits)
}

fn patched(old: &[u8], edits: &EditSet) -> Vec<u8> {
    use tfpatch::bytes::Source as _;
    let patched = tfpatch::edit::Patched::new(old, edits);
    patched.get(0..patched.len()).unwrap().into_owned()
}

/// Carries out `plan.json` on the directory `tree`, both in the working directory: run by tests
/// that need another process, as another user or to be killed.
pub(crate) fn carry_out() {
    let plan: Plan = serde_json::from_slice(&std::fs::read("plan.json").unwrap()).unwrap();
    let root = Path::new("tree");
    let disk = match std::fs::read_to_string("stop-at") {
        Ok(text) => crate::support::crash::killing(text.parse().unwrap()),
        Err(_) => operation::Disk::real(),
    };
    let store = Store::open_on(root, disk).unwrap();
    match apply(root, &store, &plan, Kind::Fix, &options()) {
        Ok(_) => println!("RESULT done"),
        Err(error) => println!("RESULT {}", said(&error)),
    }
}

/// Copies a program that is going to be started. A process of its own does it: while we write a file,
/// children that other tests fork hold it open for writing, and the kernel does not start it then
/// (ETXTBSY).
pub(crate) fn copy_program(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg(from).arg(to).status().unwrap().success());
}

/// The command that runs [`carry_out`] in `directory`.
pub(crate) fn child_in(directory: &Path, prefix: &[&str]) -> Command {
    start(directory, prefix, "child::carries_out_a_plan")
}

/// The command that runs an ignored test in `directory`, on the main thread of a process.
pub(crate) fn start(directory: &Path, prefix: &[&str], test: &str) -> Command {
    // The build's directory may be closed to other users.
    let program = directory.join("child");
    if std::fs::symlink_metadata(&program).is_err() {
        copy_program(&std::env::current_exe().unwrap(), &program);
    }
    let arguments = [test, "--exact", "--ignored", "--nocapture", "--test-threads=1"];
    let mut words = prefix.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().unwrap());
    command.args(words).args(arguments).current_dir(directory);
    command
}
