//! How often files are opened, whatever asks for them: counted, and not timed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use tfpatch::bytes::Source;
use tfpatch::diagnosis::diagnose::diagnose;
use tfpatch::loader::Settings;
use tfpatch::vfs::{DirEntry, MemVfs, Metadata, Vfs};
use tfpatch::world::World;
use tfpatch::world::inventory::Inventory;

/// Files that count how often each is opened, and how often anything is asked of all of them.
struct Counted {
    files: MemVfs,
    opened: Mutex<BTreeMap<PathBuf, usize>>,
    calls: AtomicUsize,
}

impl Counted {
    fn new(files: MemVfs) -> Self {
        Self { files, opened: Mutex::default(), calls: AtomicUsize::new(0) }
    }

    fn counted(&self) -> &MemVfs {
        self.calls.fetch_add(1, Ordering::Relaxed);
        &self.files
    }

    /// The number of calls of a diagnosis of a directory.
    fn calls_for(self, directory: &str) -> usize {
        let world = World::of_directory(&self, Path::new(directory), None, Settings::default());
        let _ = diagnose(&self, &world);
        self.calls.into_inner()
    }
}

impl Vfs for Counted {
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.counted().symlink_metadata(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.counted().metadata(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.counted().read_link(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.counted().read_dir(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.counted().canonicalize(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        let real = self.files.canonicalize(path).unwrap_or_else(|_| path.to_owned());
        *self.opened.lock().unwrap().entry(real).or_default() += 1;
        self.counted().open(path)
    }
}

fn tiny(name: &str) -> Vec<u8> {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tiny");
    fs::read(fixtures.join(name)).unwrap()
}

#[test]
fn a_library_is_opened_as_often_for_a_hundred_objects_as_for_one() {
    let opened = |objects: usize| {
        let mut files = MemVfs::new().file("/app/deps/libdep.so", tiny("libdep.so"));
        for number in 0..objects {
            // Each comes to the library by a path of its own, `/app/NUMBER/lib/../../../build/deps`.
            files = files.file(format!("/app/{number}/lib/libapp.so"), tiny("libapp.so"));
        }
        let files = files.symlink("/build", "/app");
        let files = Counted::new(files);
        let world = World::of_directory(&files, Path::new("/app"), None, Settings::default());
        assert_eq!(world.inventory.objects.len(), objects + 1);
        // Two threads may open a file at once, before either has read it.
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
        let _ = pool.install(|| diagnose(&files, &world));
        let opened = files.opened.into_inner().unwrap();
        let library = opened.get(Path::new("/app/deps/libdep.so")).copied();
        assert!(opened.values().all(|times| *times <= 4), "{opened:?}");
        library.unwrap()
    };
    assert_eq!(opened(1), opened(100));
}

#[test]
fn calls_grow_no_faster_than_objects() {
    let calls = |objects: usize| {
        let mut files = MemVfs::new().file("/app/deps/libdep.so", tiny("libdep.so"));
        for number in 0..objects {
            files = files.file(format!("/app/{}/libapp{number}.so", number % 8), tiny("libapp.so"));
        }
        Counted::new(files).calls_for("/app")
    };
    let of_one = calls(100) - calls(50);
    for objects in [100, 200, 400] {
        let more = calls(2 * objects) - calls(objects);
        assert!(more * 50 <= of_one * objects * 105 / 100, "{objects}: {more}, {of_one}");
    }
}

#[test]
fn nothing_is_asked_of_files_that_cannot_be_objects() {
    let calls = |files_of_each: usize| {
        let names = ["py", "txt", "pyc", "h", "json", "PNG", "dist-info.txt"];
        let all = (0..files_of_each * 50).map(|number| {
            let ending = names[number % names.len()];
            format!("/app/{}/module_{number}.{ending}", number % 50)
        });
        let files = all.fold(MemVfs::new(), |files, path| files.file(path, "text"));
        Counted::new(files).calls_for("/app")
    };
    assert_eq!(calls(1), calls(200));
}

#[test]
fn an_object_is_found_by_every_spelling_of_its_path_and_also_when_others_come_later() {
    let files = MemVfs::new()
        .file("/app/a-b/libx.so.1", tiny("libdep.so"))
        .file("/app/a/libx.so.2", tiny("libdep.so"))
        .file("/app/libx.so", tiny("libdep.so"))
        .file("/app/a/file.txt", tiny("libdep.so"))
        .file("/b/libx.so.3", tiny("libdep.so"));
    let mut inventory = Inventory::of(&files, &["/app".into()]);
    let at = |inventory: &Inventory, path: &str| {
        inventory.at(Path::new(path)).map(|object| object.path.display().to_string())
    };
    for spelling in ["/app/a/libx.so.2", "/app//a/libx.so.2", "/app/./a/libx.so.2/"] {
        assert_eq!(at(&inventory, spelling).as_deref(), Some("/app/a/libx.so.2"));
    }
    assert_eq!(at(&inventory, "/app/a/libx.so.1"), None);
    for named in ["/app/a/file.txt", "/b/libx.so.3"] {
        assert_eq!(at(&inventory, named), None);
        inventory.add_named(&files, Path::new(named));
        assert_eq!(at(&inventory, named).as_deref(), Some(named));
        assert_eq!(at(&inventory, "/app/libx.so").as_deref(), Some("/app/libx.so"));
    }
}
