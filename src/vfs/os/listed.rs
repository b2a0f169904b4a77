//! What a directory contains. An environment has thousands of directories, whose entries are not copied more
//! often than once.

use crate::vfs::DirEntry;
use std::io;
use std::path::Path;

/// The entries of a directory, in no order.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn entries(path: &Path) -> io::Result<Vec<DirEntry>> {
    use crate::vfs::FileKind;
    use rustix::fs::{AtFlags, FileType, Mode, OFlags, RawDir};
    use std::ffi::OsStr;
    use std::mem::MaybeUninit;
    use std::os::unix::ffi::OsStrExt as _;

    /// How much the kernel lists at once, in bytes.
    const AT_ONCE: usize = 1 << 14;

    let kind = |file_type| match file_type {
        FileType::RegularFile => FileKind::File,
        FileType::Directory => FileKind::Directory,
        FileType::Symlink => FileKind::Symlink,
        _ => FileKind::Other,
    };
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty()))?;
    let mut entries = Vec::new();
    let mut buffer = [MaybeUninit::uninit(); AT_ONCE];
    let mut listed = RawDir::new(&directory, &mut buffer);
    while let Some(entry) = listed.next() {
        let entry = entry?;
        let name = entry.file_name();
        if name == c"." || name == c".." {
            continue;
        }
        let kind = match entry.file_type() {
            // Some file systems do not tell.
            FileType::Unknown => {
                let stat = rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW)?;
                kind(FileType::from_raw_mode(stat.st_mode))
            }
            known => kind(known),
        };
        entries.push(DirEntry { name: OsStr::from_bytes(name.to_bytes()).to_owned(), kind });
    }
    Ok(entries)
}

/// The same by the standard library, where the kernel's own lists are not known.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn entries(path: &Path) -> io::Result<Vec<DirEntry>> {
    let entries = std::fs::read_dir(path)?.map(|entry| {
        let entry = entry?;
        Ok(DirEntry { name: entry.file_name(), kind: super::kind_of(entry.file_type()?) })
    });
    entries.collect()
}
