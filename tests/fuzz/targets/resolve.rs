//! The loader's walk over a tree of objects: it ends, in bounded memory, gives the same answer
//! twice, and finds nothing that is not there.
//!
//! Each line of the input is an object or a link:
//!
//! ```text
//! /app/main;n=liba.so;n=libb.so;r=$ORIGIN/lib;R=$ORIGIN;s=SONAME;v=liba.so:V1;d=V1;f
//! /lib/liba.so>libb.so
//! ```
//!
//! `n` is `DT_NEEDED`, `r` is `DT_RPATH`, `R` is `DT_RUNPATH`, `v` and `d` are versions needed and
//! defined, and `f` is `DF_1_NODEFLIB`. A line `P=` or `L=` is `LD_PRELOAD` or `LD_LIBRARY_PATH`.

#![no_main]

#[path = "../../support/elf_writer.rs"]
#[allow(dead_code, reason = "the integration tests use more of it")]
mod elf_writer;

use elf_writer::Elf;
use libfuzzer_sys::{Corpus, fuzz_target};
use std::collections::HashSet;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use tfpatch::elf::Image;
use tfpatch::loader::{Loader, Resolution, Settings, System};
use tfpatch::vfs::{FileKind, MemVfs, Vfs as _};
use tfpatch_fuzz::{leaving_nothing, within};

const MAIN: &str = "/app/main";
/// Searches are a product: of what is needed and where it may be. Both are parts of the input.
const MAX_INPUT: usize = 4096;
const MAX_MEMORY: usize = 64 << 20;

fuzz_target!(|input: &[u8]| -> Corpus {
    if input.len() > MAX_INPUT {
        return Corpus::Reject;
    }
    let mut settings = Settings {
        working_directory: "/cwd".into(),
        hwcaps: vec!["x86-64-v2".to_owned()],
        ..Settings::default()
    };
    let mut vfs = MemVfs::new().file(MAIN, Elf::program(&["liba.so"]).bytes());
    let mut opened = Vec::new();
    for line in input.split(|&byte| byte == b'\n') {
        if let Some(variable) = line.strip_prefix(b"P=") {
            settings.preload = Some(variable.to_vec());
        } else if let Some(variable) = line.strip_prefix(b"L=") {
            settings.library_path = Some(variable.to_vec());
        } else if !line.starts_with(b"/") || line.contains(&0) {
            continue;
        } else if let Some(at) = line.iter().position(|&byte| byte == b'>') {
            vfs = vfs.symlink(path(&line[..at]), path(&line[at + 1..]));
        } else {
            let mut fields = line.split(|&byte| byte == b';');
            let name = path(fields.next().unwrap_or_default());
            vfs = vfs.file(name, object(name == Path::new(MAIN), fields).bytes());
            opened.push(name);
        }
    }
    let Ok(source) = vfs.open(Path::new(MAIN)) else { return Corpus::Reject };
    let Ok(summary) = Image::parse(&source).and_then(|image| image.summary()) else {
        return Corpus::Reject;
    };
    let answer = |settings: &Settings| {
        let loader = Loader::new(&vfs, System::read(&vfs, &summary), settings.clone());
        let mut loaded = vec![loader.program(Path::new(MAIN))];
        for path in opened.iter().take(4) {
            let all: Vec<&Resolution> = loaded.iter().collect();
            loaded.push(loader.dlopen(&all, path));
        }
        loaded
    };
    let first = within(MAX_MEMORY, "the walk", || answer(&settings));
    check(&vfs, &first);
    leaving_nothing("the walk", || {
        for (first, second) in first.iter().zip(answer(&settings)) {
            assert_eq!(paths(first), paths(&second), "two answers to one question");
            assert_eq!(first.loads(), second.loads());
        }
    });
    Corpus::Keep
});

fn path(bytes: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(bytes))
}

fn paths(resolution: &Resolution) -> Vec<&Path> {
    resolution.objects.iter().map(|object| &*object.path).collect()
}

fn object<'a>(is_main: bool, fields: impl Iterator<Item = &'a [u8]>) -> Elf {
    let mut elf = if is_main { Elf::program(&[]) } else { Elf::default() };
    for field in fields {
        let Some((&key, value)) = field.split_first() else { continue };
        let value = value.strip_prefix(b"=").unwrap_or(value).to_vec();
        match key {
            b'n' => elf.needed.push(value),
            b'r' => elf.rpath.push(value),
            b'R' => elf.runpath.push(value),
            b's' => elf.soname = Some(value),
            b'd' => elf.version_definitions.push(value),
            b'v' => {
                let at = value.iter().position(|&byte| byte == b':').unwrap_or(value.len());
                let version = value.get(at + 1..).unwrap_or_default().to_vec();
                elf.version_needs.push((value[..at].to_vec(), vec![(version, false)]));
            }
            b'f' => elf.flags_1 |= 0x800,
            _ => {}
        }
    }
    elf
}

/// What holds for every answer.
fn check(vfs: &MemVfs, loaded: &[Resolution]) {
    let mut ids = HashSet::new();
    for resolution in loaded {
        for object in &resolution.objects {
            let metadata = vfs.metadata(&object.path).expect("what is loaded is there");
            assert_eq!((metadata.kind, metadata.id), (FileKind::File, object.id));
            assert_eq!(vfs.canonicalize(&object.path).ok().as_deref(), Some(&*object.real));
            // The loader does not know the main program's inode, and may load it once more.
            let is_main = *object.real == *Path::new(MAIN);
            assert!(ids.insert(object.id) || is_main, "loaded twice: {}", object.path.display());
        }
        let known = loaded.iter().flat_map(paths).collect::<HashSet<_>>();
        let needs = resolution.objects.iter().flat_map(|object| &object.needed);
        for dependency in needs.chain(&resolution.preload).chain([&resolution.root]) {
            assert!(dependency.found.as_deref().is_none_or(|found| known.contains(found)));
        }
    }
}
