//! `/etc/ld.so.conf`: the directories that `ldconfig` makes the cache of (`parse_conf` and
//! `parse_conf_include` in glibc's elf/ldconfig.c).

use crate::bytes::{Source as _, fits_wildcards};
use crate::vfs::Vfs;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

const FILE: &str = "/etc/ld.so.conf";
/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;
/// The greatest depth of files that include one another; more is a circle.
const MAX_DEPTH: usize = 10;

/// The directories, in order.
#[must_use]
pub fn directories(vfs: &dyn Vfs) -> Vec<PathBuf> {
    let mut found = Vec::new();
    read(vfs, Path::new(FILE), MAX_DEPTH, &mut found);
    found
}

fn read(vfs: &dyn Vfs, file: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Ok(source) = vfs.open(file) else { return };
    if source.len() > MAX_BYTES {
        return;
    }
    let text = source.get(0..source.len()).unwrap_or_default();
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
        if let Some(patterns) = line.strip_prefix(b"include") {
            let patterns = patterns.split(u8::is_ascii_whitespace).filter(|it| !it.is_empty());
            for included in patterns.flat_map(|pattern| matching(vfs, file, pattern)) {
                if let Some(depth) = depth.checked_sub(1) {
                    read(vfs, &included, depth, found);
                }
            }
        } else if line.starts_with(b"/") {
            // `DIRECTORY=TYPE` names the C library that it is for.
            let directory = line.split(|&byte| byte == b'=').next().unwrap_or(line);
            found.push(PathBuf::from(OsStr::from_bytes(directory.trim_ascii_end())));
        }
    }
}

/// The files that a pattern matches, with wildcards in its last part, relative to the directory of the
/// file that contains it.
fn matching(vfs: &dyn Vfs, file: &Path, pattern: &[u8]) -> Vec<PathBuf> {
    let path = file.parent().unwrap_or(file).join(OsStr::from_bytes(pattern));
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Vec::new();
    };
    let entries = vfs.read_dir(directory).unwrap_or_default();
    let named =
        entries.into_iter().filter(|entry| fits_wildcards(entry.name.as_bytes(), name.as_bytes()));
    named.map(|entry| directory.join(entry.name)).collect()
}

#[cfg(test)]
mod tests {
    use super::directories;
    use crate::vfs::MemVfs;
    use std::path::PathBuf;

    #[test]
    fn files_include_others_by_patterns() {
        let all = "# all\ninclude /etc/ld.so.conf.d/*.conf\ninclude none.d/x?\n/opt/last # too\n";
        let vfs = MemVfs::new()
            .file("/etc/ld.so.conf", all)
            .file("/etc/ld.so.conf.d/b.conf", "/b/lib=libc6\nrelative\n")
            .file("/etc/ld.so.conf.d/a.conf", "/a/lib\n\nhwcap 1 nosegneg\n")
            .file("/etc/ld.so.conf.d/c.txt", "/c/lib\n");
        let found = ["/a/lib", "/b/lib", "/opt/last"].map(PathBuf::from);
        assert_eq!(directories(&vfs), found);
    }

    #[test]
    fn a_circle_of_files_has_an_end() {
        let vfs = MemVfs::new().file("/etc/ld.so.conf", "/a/lib\ninclude ld.so.conf\n");
        assert_eq!(directories(&vfs).len(), super::MAX_DEPTH + 1);
    }
}
