//! Files that belong to a package of the system. They are edited only if they are named on the
//! command line, because the package manager replaces them silently.

use crate::hashing::QuickMap;
use crate::vfs::Vfs;
use memchr::{memchr, memmem, memrchr};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// dpkg's lists of the files of each package (dpkg(1), "FILES").
const LISTS: &str = "/var/lib/dpkg/info";

/// The longest list that is read, in bytes: the longest known take 2 MB.
const MAX_LIST_BYTES: u64 = 16 << 20;

/// The shared objects that dpkg has installed.
#[derive(Debug, Default)]
pub struct Packages {
    names: Vec<String>,
    /// The places of their names in the list, by the paths of their objects.
    by_path: QuickMap<Vec<u8>, usize>,
}

impl Packages {
    /// Reads dpkg's lists; without them no file has an owner.
    #[must_use]
    pub fn read(vfs: &dyn Vfs) -> Self {
        let (mut names, mut by_path) = (Vec::new(), QuickMap::default());
        for entry in vfs.read_dir(Path::new(LISTS)).unwrap_or_default() {
            let Some(package) = entry.name.to_str().and_then(|name| name.strip_suffix(".list"))
            else {
                continue;
            };
            let path = Path::new(LISTS).join(&entry.name);
            let Ok(source) = vfs.open(&path) else { continue };
            if source.len() > MAX_LIST_BYTES {
                continue;
            }
            let Some(text) = source.get(0..source.len()) else { continue };
            by_path.extend(objects_in(&text).map(|line| (line.to_vec(), names.len())));
            names.push(package.to_owned());
        }
        Self { names, by_path }
    }

    /// The package that a file belongs to. Lists written before `/lib` became a link to `/usr/lib`
    /// name files there.
    #[must_use]
    pub fn owner(&self, vfs: &dyn Vfs, file: &Path) -> Option<&str> {
        let real = vfs.canonicalize(file).ok()?;
        let before_merge = Path::new("/").join(real.strip_prefix("/usr").unwrap_or(&real));
        [file, &real, &before_merge]
            .into_iter()
            .find_map(|path| self.by_path.get(OsStr::as_bytes(path.as_os_str())))
            .and_then(|&package| self.names.get(package))
            .map(String::as_str)
    }
}

/// The lines of a list that name shared objects, which are few.
fn objects_in(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let at = memmem::find(rest, b".so")?;
        let (before, after) = rest.split_at(at);
        let start = memrchr(b'\n', before).map_or(0, |end| end + 1);
        let end = at + memchr(b'\n', after).unwrap_or(after.len());
        let line = rest.get(start..end)?;
        rest = rest.get(end..)?;
        Some(line)
    })
}
