//! Files that belong to a package of the system. They are edited only if they are named on the
//! command line, because the package manager replaces them silently.

use crate::vfs::Vfs;
use std::collections::HashMap;
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
    by_path: HashMap<Vec<u8>, String>,
}

impl Packages {
    /// Reads dpkg's lists; without them no file has an owner.
    #[must_use]
    pub fn read(vfs: &dyn Vfs) -> Self {
        let mut by_path = HashMap::new();
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
            let objects = text
                .split(|&byte| byte == b'\n')
                .filter(|line| line.windows(3).any(|part| part == b".so"));
            by_path.extend(objects.map(|line| (line.to_vec(), package.to_owned())));
        }
        Self { by_path }
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
            .map(String::as_str)
    }
}
