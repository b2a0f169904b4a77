//! How a directory is written as an entry of a search path.

use crate::object::Format;
use crate::vfs::{FileKind, Vfs};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// The entry for a directory in an object: `$ORIGIN`, or `@loader_path` of Mach-O, and the relative
/// path.
///
/// Both directories are taken with their links resolved, because the kernel resolves `..` after the
/// links before it; the object's own name may be a link, whose directory is what `$ORIGIN` means
/// (glibc, `_dl_get_origin` and `l_origin`).
///
/// dyld identifies an image by its real path, with links of its own name resolved.
///
/// `None` if the path cannot be written: glibc splits entries at `:` and expands `$`.
#[must_use]
pub fn relative_entry(
    vfs: &dyn Vfs,
    format: Format,
    object: &Path,
    directory: &Path,
) -> Option<Vec<u8>> {
    let real = match format {
        Format::Elf => None,
        Format::Macho => vfs.canonicalize(object).ok(),
    };
    let from = vfs.canonicalize(real.as_deref().unwrap_or(object).parent()?).ok()?;
    let to = vfs.canonicalize(directory).ok()?;
    let way = way_between(&from, &to);
    let mut entry = match format {
        Format::Elf => b"$ORIGIN".to_vec(),
        Format::Macho => b"@loader_path".to_vec(),
    };
    if !way.as_os_str().is_empty() {
        entry.push(b'/');
        entry.extend_from_slice(way.as_os_str().as_bytes());
    }
    is_plain(format, way.as_os_str().as_bytes()).then_some(entry)
}

/// A directory as an entry with its absolute path; `None` if it cannot be written.
#[must_use]
pub fn absolute_entry(format: Format, directory: &Path) -> Option<Vec<u8>> {
    let bytes = directory.as_os_str().as_bytes();
    (directory.is_absolute() && is_plain(format, bytes)).then(|| bytes.to_vec())
}

/// Is a path used literally? glibc splits entries at `:` and expands `$`; dyld does neither.
fn is_plain(format: Format, path: &[u8]) -> bool {
    format == Format::Macho || !path.iter().any(|byte| matches!(byte, b':' | b'$'))
}

/// The directory that an entry means for an object in `origin`; `None` if it uses a token whose
/// value depends on the machine.
#[must_use]
pub fn directory_of(entry: &[u8], origin: &Path) -> Option<PathBuf> {
    let rest = entry.strip_prefix(b"$ORIGIN").or_else(|| entry.strip_prefix(b"${ORIGIN}"));
    match rest {
        Some(b"") => Some(origin.to_owned()),
        Some([b'/', way @ ..]) if !way.contains(&b'$') => Some(origin.join(OsStr::from_bytes(way))),
        None if entry.first() == Some(&b'/') && !entry.contains(&b'$') => {
            Some(PathBuf::from(OsStr::from_bytes(entry)))
        }
        _ => None,
    }
}

/// The relative path from one absolute directory to another, both free of links.
fn way_between(from: &Path, to: &Path) -> PathBuf {
    let mut up: Vec<Component<'_>> = from.components().collect();
    let mut down: Vec<Component<'_>> = to.components().collect();
    let shared = up.iter().zip(&down).take_while(|(a, b)| a == b).count();
    up.drain(..shared);
    down.drain(..shared);
    up.iter().map(|_| Component::ParentDir).chain(down).collect()
}

/// The names of the directories of Bazel's sandboxes.
const BAZEL: [&str; 3] = ["/_solib_", ".runfiles/", "/bazel-out/"];

/// Does an entry name a directory in a sandbox of Bazel, where nothing is ever installed?
#[must_use]
pub fn is_of_bazel(entry: &[u8]) -> bool {
    let text = String::from_utf8_lossy(entry);
    BAZEL.iter().any(|mark| text.contains(mark))
}

/// Does an entry name a directory, seen from any of the object's names? Entries that depend on the
/// machine (`$LIB`, `$PLATFORM`) or on the working directory are assumed to do so.
#[must_use]
pub fn leads_somewhere(vfs: &dyn Vfs, entry: &[u8], directories: &[&Path]) -> bool {
    directories.iter().any(|directory| {
        directory_of(entry, directory).is_none_or(|directory| {
            vfs.metadata(&directory).is_ok_and(|metadata| metadata.kind == FileKind::Directory)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_goes_up_to_what_is_shared_and_down_again() {
        let way = |from: &str, to: &str| way_between(Path::new(from), Path::new(to));
        assert_eq!(
            way("/e/lib/site/tensorflow/python", "/e/lib/moved"),
            Path::new("../../../moved")
        );
        assert_eq!(way("/e/a", "/e/a/libs"), Path::new("libs"));
        assert_eq!(way("/e/a", "/e/a"), Path::new(""));
        assert_eq!(way("/e/ab", "/e/a"), Path::new("../a"));
    }

    #[test]
    fn an_entry_means_a_directory_beside_the_object() {
        let origin = Path::new("/e/pkg");
        assert_eq!(directory_of(b"$ORIGIN/../libs", origin), Some("/e/pkg/../libs".into()));
        assert_eq!(directory_of(b"${ORIGIN}", origin), Some("/e/pkg".into()));
        assert_eq!(directory_of(b"/opt/lib", origin), Some("/opt/lib".into()));
        assert_eq!(directory_of(b"$ORIGIN/$LIB", origin), None);
        assert_eq!(directory_of(b"relative", origin), None);
        assert_eq!(directory_of(b"", origin), None);
    }

    #[test]
    fn what_glibc_would_split_or_expand_is_not_written() {
        assert_eq!(absolute_entry(Format::Elf, Path::new("/opt/a:b")), None);
        assert_eq!(absolute_entry(Format::Elf, Path::new("/opt/$LIB")), None);
        assert_eq!(
            absolute_entry(Format::Macho, Path::new("/opt/$LIB")),
            Some(b"/opt/$LIB".to_vec())
        );
        assert_eq!(absolute_entry(Format::Elf, Path::new("/opt/a b")), Some(b"/opt/a b".to_vec()));
    }
}
