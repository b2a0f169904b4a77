//! How often files are opened, whatever asks for them: counted, and not timed.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use tfpatch::bytes::Source;
use tfpatch::diagnosis::diagnose::diagnose;
use tfpatch::loader::Settings;
use tfpatch::vfs::{DirEntry, MemVfs, Metadata, Vfs};
use tfpatch::world::World;
use tfpatch::world::inventory::Inventory;

/// Files that count how often each is opened.
struct Counted {
    files: MemVfs,
    opened: Mutex<BTreeMap<PathBuf, usize>>,
}

impl Vfs for Counted {
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.files.symlink_metadata(path)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.files.metadata(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.read_link(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        self.files.read_dir(path)
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.files.canonicalize(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        let real = self.files.canonicalize(path).unwrap_or_else(|_| path.to_owned());
        *self.opened.lock().unwrap().entry(real).or_default() += 1;
        self.files.open(path)
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
        let files = Counted { files, opened: Mutex::default() };
        let world = World::of_directory(&files, Path::new("/app"), None, Settings::default());
        assert_eq!(world.inventory.objects.len(), objects + 1);
        let _ = diagnose(&files, &world);
        let opened = files.opened.into_inner().unwrap();
        let library = opened.get(Path::new("/app/deps/libdep.so")).copied();
        assert!(opened.values().all(|times| *times <= 4), "{opened:?}");
        library.unwrap()
    };
    assert_eq!(opened(1), opened(100));
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
