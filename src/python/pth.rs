//! `.pth` files: directories that join `sys.path` (CPython's `Lib/site.py`, `addpackage`).

use super::{is_directory, is_file, join_lexically, read_start};
use crate::vfs::Vfs;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A `.pth` file holds a few lines; more than this is none.
const MOST_BYTES: u64 = 1 << 20;

/// What the `.pth` files of a site-packages directory say.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pth {
    /// Directories that they name and that exist, in the order in which they join `sys.path`.
    pub directories: Vec<PathBuf>,
    /// Zip archives that they name, which are not looked into.
    pub archives: Vec<PathBuf>,
    /// The `.pth` files with an `import` line: what that code adds to `sys.path` is not known.
    pub with_code: Vec<PathBuf>,
}

/// Reads the `.pth` files in `site`, which is a directory that `site.py` looks into. Those that
/// cannot be read are passed over, as `site.py` does.
#[must_use]
pub fn read(vfs: &dyn Vfs, site: &Path) -> Pth {
    let mut found = Pth::default();
    for entry in vfs.read_dir(site).unwrap_or_default() {
        let name = entry.name.as_bytes();
        // Hidden ones are ignored since Python 3.12.2.
        if !name.ends_with(b".pth") || name.starts_with(b".") {
            continue;
        }
        let path = site.join(&entry.name);
        if let Ok(text) = read_start(vfs, &path, MOST_BYTES) {
            read_lines(vfs, site, &path, &text, &mut found);
        }
    }
    found
}

fn read_lines(vfs: &dyn Vfs, site: &Path, file: &Path, text: &[u8], found: &mut Pth) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for line in text.split(|&byte| byte == b'\n' || byte == b'\r') {
        if line.starts_with(b"import ") || line.starts_with(b"import\t") {
            if found.with_code.last().is_none_or(|last| last != file) {
                found.with_code.push(file.to_owned());
            }
            continue;
        }
        let named = line.trim_ascii_end();
        if named.is_empty() || named.starts_with(b"#") {
            continue;
        }
        let path = join_lexically(site, Path::new(OsStr::from_bytes(named)));
        let list = if is_directory(vfs, &path) {
            &mut found.directories
        } else if is_file(vfs, &path) {
            &mut found.archives
        } else {
            continue;
        };
        if !list.contains(&path) {
            list.push(path);
        }
    }
}
