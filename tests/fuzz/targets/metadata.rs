//! A virtual environment whose files hold any bytes: `METADATA`, `RECORD`, a `.pth` file,
//! `pyvenv.cfg` and `top_level.txt`, separated by the byte 0x1e in the input.

#![no_main]

use libfuzzer_sys::{Corpus, fuzz_target};
use std::path::Path;
use tfpatch::python::distribution::{distributions, normalized, requirement};
use tfpatch::python::environment::Environment;
use tfpatch::python::owners::Owners;
use tfpatch::vfs::{FileKind, MemVfs, Vfs as _};
use tfpatch_fuzz::within;

/// Memory for each byte of the files, and besides.
const FACTOR: usize = 1000;
const CONSTANT: usize = 1 << 20;
const SITE: &str = "/e/lib/python3.11/site-packages";

fuzz_target!(|input: &[u8]| -> Corpus {
    let mut files = input.split(|&byte| byte == 0x1e);
    let mut next = || files.next().unwrap_or_default();
    let (metadata, record, pth, cfg, top_level) = (next(), next(), next(), next(), next());
    let site = Path::new(SITE);
    let info = site.join("a-1.dist-info");
    let vfs = MemVfs::new()
        .file("/base/bin/python3.11", *b"\x7fELF")
        .symlink("/e/bin/python", "/base/bin/python3.11")
        .file("/e/pyvenv.cfg", cfg)
        .file("/e/src/module.py", *b"")
        .file(info.join("METADATA"), metadata)
        .file(info.join("RECORD"), record)
        .file(site.join("b.egg-info/PKG-INFO"), metadata)
        .file(site.join("b.egg-info/top_level.txt"), top_level)
        .file(site.join("c.pth"), pth);
    let most = CONSTANT + FACTOR * input.len();

    let found =
        within(most, "the environment", || Environment::at_prefix(&vfs, Path::new("/e"), None));
    let found = found.expect("a directory with a pyvenv.cfg is an environment");
    for directory in &found.python_paths {
        let kind = vfs.metadata(directory).map(|metadata| metadata.kind);
        assert_eq!(kind.ok(), Some(FileKind::Directory), "{}", directory.display());
    }

    let (found, problems) = within(most, "the distributions", || distributions(&vfs, site));
    assert_eq!(found.len() + problems.len(), 2, "a distribution is there, or a problem with it");
    for distribution in &found {
        assert_eq!(normalized(&distribution.normalized), distribution.normalized);
        within(most, "the top level", || distribution.top_level(&vfs));
        for required in &distribution.requires {
            let line =
                format!("{}[{}] {}", required.name, required.extras.join(","), required.specifier);
            let again = requirement(&line).expect("a requirement can be written and read again");
            assert_eq!(again.name, required.name);
        }
    }
    let (owners, problems) = within(most, "the owners", || Owners::new(&vfs, &found, |_| true));
    assert!(problems.len() <= found.len());
    for (path, rows) in owners.files() {
        assert!(path.is_absolute() && owners.of(path) == rows, "{}", path.display());
    }
    Corpus::Keep
});
