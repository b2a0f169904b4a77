//! What a system's musl searches by default: the directories in `/etc/ld-musl-ARCH.path`, or the
//! built-in ones.

use super::super::machine::{Target, is_named_as_musl};
use crate::elf::{Class, Endian, Image};
use crate::vfs::{FileKind, Vfs};
use goblin::elf::header;
use memchr::memmem;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The part before the architecture in the path of the file.
const PATH_FILE: &[u8] = b"/etc/ld-musl-";

/// Longer lists of directories are not read.
const MAX_BYTES: u64 = 1 << 20;

/// Does a loader's content show that it is musl's?
pub(in super::super) fn is_musl(loader: &[u8]) -> bool {
    architecture(loader).is_some()
}

/// The loader of a root that has one for `target`: `/lib/ld-musl-ARCH.so.1`.
pub(in super::super) fn of_root(vfs: &dyn Vfs, target: Target) -> Option<PathBuf> {
    let directory = Path::new("/lib");
    let entries = vfs.read_dir(directory).ok()?;
    let named = entries.into_iter().map(|entry| directory.join(entry.name));
    named.filter(|path| is_named_as_musl(path)).find(|path| {
        let Ok(source) = vfs.open(path) else { return false };
        let summary = Image::parse(source.as_ref()).and_then(|image| image.summary());
        summary.is_ok_and(|summary| Target::of(&summary) == target)
    })
}

/// The loader by the name that musl's build gives it for a machine. `None` for machines whose name
/// depends on more than the number of the machine.
pub(in super::super) fn usual(target: Target) -> Option<PathBuf> {
    let little = target.endian == Endian::Little;
    let name = match (target.machine, target.class) {
        (header::EM_X86_64, Class::Elf64) => "x86_64",
        (header::EM_X86_64, Class::Elf32) => "x32",
        (header::EM_386, _) => "i386",
        (header::EM_AARCH64, _) if little => "aarch64",
        (header::EM_PPC64, _) if little => "powerpc64le",
        (header::EM_S390, Class::Elf64) => "s390x",
        (header::EM_RISCV, Class::Elf64) => "riscv64",
        (header::EM_LOONGARCH, Class::Elf64) => "loongarch64",
        _ => return None,
    };
    Some(PathBuf::from(format!("/lib/ld-musl-{name}.so.1")))
}

/// What musl at `interpreter`, whose content is `loader`, searches by default: its directories, and the
/// file that lists them, if there is one. What is only assumed is added to `assumptions`.
pub(in super::super) fn directories(
    vfs: &dyn Vfs,
    interpreter: Option<&Path>,
    loader: &[u8],
    assumptions: &mut Vec<String>,
) -> (Vec<Vec<u8>>, Option<PathBuf>) {
    let built_in = built_in_dirs(loader).unwrap_or_else(|| {
        assumptions.push("the loader's default directories are assumed".into());
        [&b"/lib"[..], b"/usr/local/lib", b"/usr/lib"].map(<[u8]>::to_vec).into()
    });
    let file = interpreter.and_then(|interpreter| path_file(interpreter, loader));
    match file.map(|file| (read(vfs, &file), file)) {
        Some((Ok(list), file)) => (entries(&list), Some(file)),
        Some((Err(error), file)) if error.kind() != io::ErrorKind::NotFound => {
            assumptions.push(format!("{} is ignored: {error}", file.display()));
            (Vec::new(), Some(file))
        }
        _ => (built_in, None),
    }
}

/// The directories of a list, up to the first NUL.
fn entries(list: &[u8]) -> Vec<Vec<u8>> {
    let list = list.split(|&byte| byte == 0).next().unwrap_or_default();
    let entries = list.split(|byte| b":\n".contains(byte)).filter(|entry| !entry.is_empty());
    entries.map(<[u8]>::to_vec).collect()
}

fn read(vfs: &dyn Vfs, file: &Path) -> io::Result<Vec<u8>> {
    if vfs.metadata(file)?.kind == FileKind::Directory {
        return Err(rustix::io::Errno::ISDIR.into());
    }
    let source = vfs.open(file)?;
    let range = Some(0..source.len()).filter(|range| range.end <= MAX_BYTES);
    match range.and_then(|range| source.get(range)) {
        Some(bytes) => Ok(bytes.into_owned()),
        None => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "too large for a list of directories"))
        }
    }
}

/// Where the list of directories is: below the prefix of the loader, which is the part before its
/// last directory.
fn path_file(interpreter: &Path, loader: &[u8]) -> Option<PathBuf> {
    let path = interpreter.as_os_str().as_bytes();
    let mut above = path.rsplitn(3, |&byte| byte == b'/');
    let name = above.next()?;
    let prefix = above.nth(1).filter(|_| path.starts_with(b"/")).unwrap_or_default();
    let named = name.strip_prefix(b"ld-musl-").and_then(|name| name.strip_suffix(b".so.1"));
    let architecture = architecture(loader).or(named)?;
    let file = [prefix, PATH_FILE, architecture, b".path"].concat();
    Some(PathBuf::from(OsStr::from_bytes(&file)))
}

/// The architecture in the name of the list, which is in the loader.
fn architecture(loader: &[u8]) -> Option<&[u8]> {
    let rest = loader.get(memmem::find(loader, PATH_FILE)? + PATH_FILE.len()..)?;
    let text = rest.split(|&byte| byte == 0).next()?;
    text.strip_suffix(b".path").filter(|name| name.iter().all(u8::is_ascii_graphic))
}

/// The list that is built in: a string of absolute paths, each of a directory for libraries.
fn built_in_dirs(loader: &[u8]) -> Option<Vec<Vec<u8>>> {
    let is_directory = |entry: &[u8]| {
        let last = entry.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
        entry.starts_with(b"/")
            && last.starts_with(b"lib")
            && entry.iter().all(u8::is_ascii_graphic)
            && !entry.contains(&b'.')
    };
    let mut texts = loader.split(|&byte| byte == 0);
    let list = texts
        .find(|text| text.contains(&b':') && text.split(|&byte| byte == b':').all(is_directory))?;
    Some(entries(list))
}
