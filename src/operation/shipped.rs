//! Detects whether a package installed a store. Such a store was made elsewhere, and says nothing about the
//! files here.

use crate::python::{join_lexically, record};
use rustix::fs::{Mode, OFlags};
use std::ffi::OsStr;
use std::fs;
use std::io::Read as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The maximum length of a list of installed files that is read, in bytes.
const MAX_LIST_BYTES: u64 = 256 << 20;

/// The list of a package's files that contains the store in `directory`: a RECORD of the environment in
/// `directory`, of the site-packages that is `directory` or contains it, or a list of conda.
pub(super) fn lists(directory: &Path) -> Option<PathBuf> {
    let store = directory.join(super::home::NAME);
    sites(directory)
        .into_iter()
        .find_map(|site| {
            let mut records = below(&site).into_iter().filter(|path| is_metadata(path));
            records.find_map(|metadata| {
                let record = metadata.join("RECORD");
                lists_store(&record, &site, &store).then_some(record)
            })
        })
        .or_else(|| conda(directory))
}

/// Directories in which distributions with files in or around `directory` may be installed.
fn sites(directory: &Path) -> Vec<PathBuf> {
    let mut sites: Vec<PathBuf> = directory.ancestors().map(Path::to_path_buf).collect();
    for lib in ["lib", "lib64"] {
        for python in below(&directory.join(lib)) {
            sites.extend(["site-packages", "dist-packages"].map(|name| python.join(name)));
        }
    }
    sites
}

fn below(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(directory) else { return Vec::new() };
    entries.filter_map(Result::ok).map(|entry| entry.path()).collect()
}

fn is_metadata(path: &Path) -> bool {
    path.extension() == Some(OsStr::new("dist-info"))
}

fn read(path: &Path) -> Option<Vec<u8>> {
    // Do not block on a named pipe.
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = fs::File::from(rustix::fs::open(path, flags, Mode::empty()).ok()?);
    let metadata = file.metadata().ok().filter(fs::Metadata::is_file)?;
    // A RECORD has megabytes, which are read at once and not in growing pieces.
    let mut bytes =
        Vec::with_capacity(usize::try_from(metadata.len().min(MAX_LIST_BYTES)).ok()? + 1);
    file.take(MAX_LIST_BYTES).read_to_end(&mut bytes).ok()?;
    let mentions = memchr::memmem::find(&bytes, super::home::NAME.as_bytes());
    mentions.map(|_| bytes)
}

fn lists_store(record: &Path, site: &Path, store: &Path) -> bool {
    let Some(text) = read(record) else { return false };
    record::rows(&text)
        .map_while(Result::ok)
        .any(|row| join_lexically(site, Path::new(OsStr::from_bytes(&row.path))).starts_with(store))
}

/// conda lists the files of a package relative to the prefix of the environment.
fn conda(directory: &Path) -> Option<PathBuf> {
    let entry = format!("\"{}/", super::home::NAME);
    let lists = below(&directory.join("conda-meta")).into_iter();
    lists.filter(|path| path.extension() == Some(OsStr::new("json"))).find(|path| {
        read(path).is_some_and(|text| memchr::memmem::find(&text, entry.as_bytes()).is_some())
    })
}
