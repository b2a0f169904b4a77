//! `.pth` files: directories that join `sys.path` (CPython's `Lib/site.py`, `addpackage`), and the packages of
//! editable installations, for which their code installs a finder.

use super::sources::{self, mappings};
use super::{TooLong, is_directory, is_file, join_lexically, read_whole};
use crate::vfs::Vfs;
use memchr::memmem;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A `.pth` file has a few lines; a longer file is not read.
const MAX_BYTES: u64 = 1 << 20;

/// A package that is imported from a directory that is not on the search path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// The directory of the package, which exists.
    pub directory: PathBuf,
    /// The directory above, from which the whole name of the package is the path to it.
    pub root: PathBuf,
}

/// The content of the `.pth` files of a site-packages directory.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pth {
    /// Directories that they name and that exist, in the order in which they join `sys.path`.
    pub directories: Vec<PathBuf>,
    /// Zip archives that they name, which are not read.
    pub archives: Vec<PathBuf>,
    /// The `.pth` files with an `import` line: what that code adds to `sys.path` is not known.
    pub with_code: Vec<PathBuf>,
    /// Packages that the modules which these import say are in directories elsewhere, by their names.
    pub mapped: Vec<Mapped>,
    /// Does such code refer to `sys.path`, so that the order of the directories is not known?
    pub reorders: bool,
    /// Those that are too long to be read.
    pub too_long: Vec<(PathBuf, TooLong)>,
}

/// Reads the `.pth` files in `site`, which is a directory that `site.py` reads. Unreadable ones are
/// skipped, as by `site.py`.
#[must_use]
pub fn read(vfs: &dyn Vfs, site: &Path) -> Pth {
    let mut found = Pth::default();
    let mut known = HashSet::new();
    for entry in vfs.read_dir(site).unwrap_or_default() {
        let name = entry.name.as_bytes();
        // Hidden ones are ignored since Python 3.12.2.
        if !name.ends_with(b".pth") || name.starts_with(b".") {
            continue;
        }
        let path = site.join(&entry.name);
        match read_whole(vfs, &path, MAX_BYTES) {
            Ok(text) => read_lines(vfs, site, &path, &text, &mut found, &mut known),
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                found.too_long.push((path, TooLong { limit: MAX_BYTES }));
            }
            Err(_) => {}
        }
    }
    found
}

/// `known` are the paths that were already processed.
fn read_lines(
    vfs: &dyn Vfs,
    site: &Path,
    file: &Path,
    text: &[u8],
    found: &mut Pth,
    known: &mut HashSet<PathBuf>,
) {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for line in text.split(|&byte| byte == b'\n' || byte == b'\r') {
        if line.starts_with(b"import ") || line.starts_with(b"import\t") {
            if found.with_code.last().is_none_or(|last| last != file) {
                found.with_code.push(file.to_owned());
            }
            found.reorders |= memmem::find(line, b"sys.path").is_some();
            if let Some(code) = imported_by(vfs, site, line) {
                found.reorders |= changes_search_path(&code);
                found.mapped.extend(mapped_by(vfs, &code));
            }
            continue;
        }
        let named = line.trim_ascii_end();
        if named.is_empty() || named.starts_with(b"#") {
            continue;
        }
        let path = join_lexically(site, Path::new(OsStr::from_bytes(named)));
        if !known.insert(path.clone()) {
            continue;
        }
        if is_directory(vfs, &path) {
            found.directories.push(path);
        } else if is_file(vfs, &path) {
            found.archives.push(path);
        }
    }
}

/// The code of the module in the same directory that a line imports.
fn imported_by(vfs: &dyn Vfs, site: &Path, line: &[u8]) -> Option<Vec<u8>> {
    let code = line.get(b"import ".len()..)?;
    let named = code.split(|byte| b";, \t".contains(byte)).find(|word| !word.is_empty());
    let module = named.filter(|name| !name.contains(&b'/'))?;
    let file = site.join(OsStr::from_bytes(&[module, b".py"].concat()));
    read_whole(vfs, &file, sources::MAX_FILE_BYTES).ok()
}

/// Does code change `sys.path` other than at its end? The finders of editable installations append to it.
fn changes_search_path(code: &[u8]) -> bool {
    const PATH: &[u8] = b"sys.path";
    memmem::find_iter(code, PATH).any(|at| {
        let rest = code.get(at + PATH.len()..).unwrap_or_default().trim_ascii_start();
        let assigned = rest.starts_with(b"[") || rest.starts_with(b"=") && !rest.starts_with(b"==");
        let methods: [&[u8]; 5] = [b".insert(", b".remove(", b".pop(", b".sort(", b".reverse("];
        assigned || methods.iter().any(|method| rest.starts_with(method))
    })
}

/// The packages that a finder with this code knows.
fn mapped_by(vfs: &dyn Vfs, code: &[u8]) -> Vec<Mapped> {
    let named = mappings::mapped(code).into_iter().filter_map(|(module, directory)| {
        let root = directory.ancestors().nth(module.split('.').count())?.to_owned();
        let is_its = root.is_absolute() && root.join(module.replace('.', "/")) == directory;
        (is_its && is_directory(vfs, &directory)).then_some(Mapped { directory, root })
    });
    named.collect()
}
