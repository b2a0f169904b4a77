//! The file systems: a rooted one against the kernel's own, and one in memory against both.

use rustix::fs::{Mode, OFlags, ResolveFlags};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use tfpatch::edit::{Content, Edit, EditSet};
use tfpatch::vfs::{FileKind, MemVfs, OsVfs, Overlay, Vfs};

/// Links, the way they point, relative to the tree's root.
const LINKS: [(&str, &str); 12] = [
    ("/a/to_file", "file"),
    ("/a/absolute", "/a/file"),
    ("/a/escape", "../../../../a/file"),
    ("/a/up", ".."),
    ("/a/loop", "loop"),
    ("/a/ping", "pong"),
    ("/a/pong", "ping"),
    ("/a/dangling", "nothing"),
    ("/a/to_dir", "/b/c/"),
    ("/a/file_as_directory", "file/"),
    ("/outside", "/etc/passwd"),
    ("/a/chain", "/a/to_dir/../../a/absolute"),
];

const PATHS: [&str; 28] = [
    "/a/file",
    "/a/to_file",
    "/a/absolute",
    "/a/escape",
    "/a/up",
    "/a/up/a/file",
    "/a/loop",
    "/a/ping",
    "/a/dangling",
    "/a/to_dir",
    "/a/to_dir/inner",
    "/a/file_as_directory",
    "/outside",
    "/a/chain",
    "/",
    "/..",
    "/../..",
    "/../a/file",
    "/a/../a/file",
    "/a/file/",
    "/a/file/..",
    "/a/to_file/.",
    "/a/",
    "/a/nothing/../file",
    "/b/c/../c/./inner",
    "/a/to_dir/",
    "/a//file",
    "/a/loop/..",
];

fn on_disk() -> tempfile::TempDir {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir_all(tree.path().join("a")).unwrap();
    fs::create_dir_all(tree.path().join("b/c")).unwrap();
    fs::write(tree.path().join("a/file"), "file").unwrap();
    fs::write(tree.path().join("b/c/inner"), "inner").unwrap();
    for (name, target) in LINKS {
        symlink(target, tree.path().join(&name[1..])).unwrap();
    }
    tree
}

fn in_memory() -> MemVfs {
    let tree = MemVfs::new().file("/a/file", "file").file("/b/c/inner", "inner");
    LINKS.iter().fold(tree, |tree, (name, target)| tree.symlink(name, target))
}

#[test]
fn what_is_remembered_is_what_the_system_says() {
    let tree = on_disk();
    let files = OsVfs::new();
    let remembering = files.remembering();
    // Asked twice, in both orders, the answers are the same.
    for path in PATHS.iter().chain(PATHS.iter().rev()) {
        let path = PathBuf::from(format!("{}{path}", tree.path().display()));
        let both = |vfs: &dyn Vfs| {
            let number = |error: std::io::Error| error.raw_os_error();
            (
                vfs.metadata(&path).map_err(number),
                vfs.symlink_metadata(&path).map_err(number),
                vfs.canonicalize(&path).map_err(number),
            )
        };
        assert_eq!(both(&remembering), both(&files), "{}", path.display());
    }
}

/// What a path leads to, as far as two file systems can agree on it.
fn seen(vfs: &dyn Vfs, path: &Path) -> Result<(PathBuf, FileKind), Option<i32>> {
    let metadata = vfs.metadata(path).map_err(|error| error.raw_os_error())?;
    Ok((vfs.canonicalize(path).unwrap(), metadata.kind))
}

#[test]
fn a_rooted_tree_is_what_the_kernel_shows_in_a_root() {
    let tree = on_disk();
    let root = tree.path().canonicalize().unwrap();
    let rooted = OsVfs::with_root(root.clone());
    let dir = rustix::fs::open(&root, OFlags::PATH | OFlags::DIRECTORY, Mode::empty()).unwrap();
    for path in PATHS {
        let opened = rustix::fs::openat2(
            &dir,
            path,
            OFlags::PATH | OFlags::CLOEXEC,
            Mode::empty(),
            ResolveFlags::IN_ROOT,
        );
        let kernel = opened
            .map(|fd| {
                use std::os::fd::AsRawFd as _;
                let real = fs::read_link(format!("/proc/self/fd/{}", fd.as_raw_fd())).unwrap();
                Path::new("/").join(real.strip_prefix(&root).unwrap())
            })
            .map_err(|error| Some(error.raw_os_error()));
        assert_eq!(seen(&rooted, Path::new(path)).map(|(real, _)| real), kernel, "{path}");
    }
}

#[test]
fn a_tree_in_memory_resolves_as_one_on_disk() {
    let tree = on_disk();
    let rooted = OsVfs::with_root(tree.path().to_owned());
    let memory = in_memory();
    for path in PATHS {
        assert_eq!(seen(&memory, Path::new(path)), seen(&rooted, Path::new(path)), "{path}");
        assert_eq!(
            memory.symlink_metadata(Path::new(path)).map(|found| found.kind).ok(),
            rooted.symlink_metadata(Path::new(path)).map(|found| found.kind).ok(),
            "{path}"
        );
    }
    assert_eq!(
        memory.read_dir(Path::new("/a")).unwrap(),
        rooted.read_dir(Path::new("/a")).unwrap()
    );
    assert_eq!(memory.read_link(Path::new("/a/loop")).unwrap(), Path::new("loop"));
}

#[test]
fn nothing_outside_the_root_is_looked_at() {
    let tree = on_disk();
    let rooted = OsVfs::with_root(tree.path().to_owned());
    assert!(Path::new("/etc/passwd").metadata().is_ok());
    for path in ["/outside", "/etc/passwd", "/../etc/passwd", "/a/up/../../etc/passwd"] {
        assert!(rooted.open(Path::new(path)).is_err(), "{path}");
    }
    assert_eq!(&*rooted.open(Path::new("/a/escape")).unwrap().get(0..4).unwrap(), b"file");
}

#[test]
fn opening_waits_for_no_pipe_and_maps_no_empty_file() {
    let tree = tempfile::tempdir().unwrap();
    let pipe = tree.path().join("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        Mode::from_raw_mode(0o600),
        0,
    )
    .unwrap();
    fs::write(tree.path().join("empty"), "").unwrap();
    let vfs = OsVfs::new();
    for path in [&pipe, Path::new("/dev/null"), tree.path()] {
        let error = vfs.open(path).err().unwrap();
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{}", path.display());
    }
    assert!(vfs.open(&tree.path().join("empty")).unwrap().is_empty());
}

#[test]
fn names_are_bytes() {
    let tree = tempfile::tempdir().unwrap();
    let name = OsStr::from_bytes(b"lib\xff\xfe.so");
    fs::write(tree.path().join(name), "disk").unwrap();
    let rooted = OsVfs::with_root(tree.path().to_owned());
    let memory = MemVfs::new().file(Path::new("/").join(name), "disk");
    for vfs in [&rooted as &dyn Vfs, &memory] {
        assert_eq!(vfs.read_dir(Path::new("/")).unwrap()[0].name, name);
        assert_eq!(vfs.open(&Path::new("/").join(name)).unwrap().len(), 4);
    }
}

#[test]
fn permissions_in_memory_are_those_of_an_ordinary_user() {
    let vfs = MemVfs::new()
        .file("/closed", "x")
        .unreadable("/closed")
        .file("/dark/file", "x")
        .mode("/dark", 0o444)
        .file("/blind/file", "x")
        .mode("/blind", 0o111);
    let denied = Some(rustix::io::Errno::ACCESS.raw_os_error());
    assert_eq!(vfs.open(Path::new("/closed")).err().unwrap().raw_os_error(), denied);
    assert_eq!(vfs.metadata(Path::new("/dark/file")).unwrap_err().raw_os_error(), denied);
    assert_eq!(vfs.read_dir(Path::new("/dark")).unwrap().len(), 1);
    assert_eq!(vfs.read_dir(Path::new("/blind")).unwrap_err().raw_os_error(), denied);
    assert!(vfs.open(Path::new("/blind/file")).is_ok());
}

#[test]
fn an_overlay_shows_the_edits_under_every_name_of_the_file() {
    let base = MemVfs::new()
        .file("/a", "old file")
        .link("/a", "/hard")
        .symlink("/soft", "a")
        .file("/other", "old file");
    assert_eq!(base.metadata(Path::new("/a")).unwrap().links, 2);
    let mut overlay = Overlay::new(&base);
    let edits = [Edit { range: 0..3, new: Content::Bytes(b"newer".to_vec()) }];
    overlay.patch(Path::new("/soft"), EditSet::new(8, edits.to_vec()).unwrap()).unwrap();
    for name in ["/a", "/hard", "/soft"] {
        let source = overlay.open(Path::new(name)).unwrap();
        assert_eq!(&*source.get(0..source.len()).unwrap(), b"newer file", "{name}");
        assert_eq!(overlay.metadata(Path::new(name)).unwrap().len, 10);
    }
    assert_eq!(overlay.open(Path::new("/other")).unwrap().len(), 8);
    assert!(overlay.patch(Path::new("/other"), EditSet::none(7)).is_err());
    assert!(overlay.patch(Path::new("/"), EditSet::none(0)).is_err());
}
