//! Interpreters of an environment: found and described by their files, never executed.

use super::read_start;
use crate::vfs::Vfs;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// A Python version as the names of its files give it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// `3` of `3.13`.
    pub major: u8,
    /// `13` of `3.13`.
    pub minor: u8,
    /// Is it the build without the global interpreter lock, `3.13t` (PEP 703)?
    pub free_threaded: bool,
}

impl fmt::Display for Version {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}{}", self.major, self.minor, if self.free_threaded { "t" } else { "" })
    }
}

impl Version {
    /// The version that a text starts with: `3.11`, `3.11.7`, `3.13t`; `None` if it has no minor
    /// version.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (major, rest) = text.trim().split_once('.')?;
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (minor, rest) = rest.split_at(digits);
        Some(Self {
            major: major.parse().ok()?,
            minor: minor.parse().ok()?,
            free_threaded: rest == "t",
        })
    }

    /// The version in the name of a program or of a directory, such as `python3.11`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let rest = name.strip_prefix("python")?;
        let version = Self::parse(rest)?;
        (version.to_string() == rest).then_some(version)
    }
}

/// Is this the name of an interpreter: `python`, `python3`, `python3.11`, `python3.13t`?
#[must_use]
pub fn is_interpreter_name(name: &str) -> bool {
    matches!(name, "python" | "python2" | "python3") || Version::of_name(name).is_some()
}

/// The paths in `bin` that have the name of an interpreter, in the order of their names.
pub fn in_bin(vfs: &dyn Vfs, prefix: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let bin = prefix.join("bin");
    let mut entries = vfs.read_dir(&bin).unwrap_or_default();
    entries.retain(|entry| entry.name.to_str().is_some_and(is_interpreter_name));
    entries.into_iter().map(move |entry| bin.join(entry.name))
}

/// The file that an interpreter's path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Program {
    /// An ELF file, links resolved: the main program of the loader.
    Found(PathBuf),
    /// Nothing: the base interpreter was removed or moved, so the environment does not run.
    Missing {
        /// The target of the first dangling link, or the path itself.
        wanted: PathBuf,
    },
    /// It may not be read or accessed.
    Closed {
        /// The file, or the first link or path to it.
        wanted: PathBuf,
    },
    /// Something that is not an ELF program, such as a shell script.
    Other(PathBuf),
}

/// A Python interpreter of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interpreter {
    /// Its path as the environment names it: `PREFIX/bin/python`.
    pub path: PathBuf,
    /// The file of that path.
    pub program: Program,
    /// Its version.
    pub version: Version,
    /// The endings by which it knows an extension module, in the order in which it tries them:
    /// `.cpython-311-x86_64-linux-gnu.so`, `.abi3.so`, `.so`. Without the first if the program is
    /// missing or its machine is not known.
    pub extension_suffixes: Vec<String>,
}

impl Interpreter {
    /// The main program, links resolved, if there is one.
    #[must_use]
    pub fn main_program(&self) -> Option<&Path> {
        match &self.program {
            Program::Found(program) => Some(program),
            Program::Missing { .. } | Program::Closed { .. } | Program::Other(_) => None,
        }
    }

    /// The directory of the standard library that its program was installed with (`STDLIB_SUBDIR` in CPython's
    /// `Modules/getpath.py`), whether it exists or not.
    #[must_use]
    pub fn standard_library(&self) -> Option<PathBuf> {
        let prefix = self.main_program()?.parent()?.parent()?;
        Some(prefix.join(format!("lib/python{}", self.version)))
    }

    pub(super) fn new(vfs: &dyn Vfs, path: PathBuf, version: Version) -> Self {
        let program = program(vfs, &path);
        let tag = match &program {
            Program::Found(program) => multiarch(vfs, program),
            Program::Missing { .. } | Program::Closed { .. } | Program::Other(_) => None,
        };
        let extension_suffixes = extension_suffixes(version, tag.as_deref());
        Self { path, program, version, extension_suffixes }
    }
}

/// The program that a path leads to.
#[must_use]
pub fn program(vfs: &dyn Vfs, path: &Path) -> Program {
    let is_denied = |error: &io::Error| error.kind() == io::ErrorKind::PermissionDenied;
    match vfs.canonicalize(path) {
        Err(error) if is_denied(&error) => Program::Closed { wanted: end_of_links(vfs, path) },
        Err(_) => Program::Missing { wanted: end_of_links(vfs, path) },
        Ok(program) => match read_start(vfs, &program, 4) {
            Ok(magic) if magic == b"\x7fELF" => Program::Found(program),
            Err(error) if is_denied(&error) => Program::Closed { wanted: program },
            _ => Program::Other(program),
        },
    }
}

/// Where the links at the end of a path lead, at most 40 as the kernel follows them.
fn end_of_links(vfs: &dyn Vfs, path: &Path) -> PathBuf {
    let mut at = path.to_owned();
    for _ in 0..40 {
        let Ok(target) = vfs.read_link(&at) else { break };
        at = super::join_lexically(at.parent().unwrap_or(Path::new("/")), &target);
    }
    at
}

/// The endings of extension modules: CPython's `Python/dynload_shlib.c`.
fn extension_suffixes(version: Version, multiarch: Option<&str>) -> Vec<String> {
    let Version { major, minor, free_threaded } = version;
    let mut suffixes = Vec::new();
    if let Some(multiarch) = multiarch
        && major >= 3
    {
        // Up to 3.7 the name included pymalloc too.
        let flags = if free_threaded {
            "t"
        } else if minor < 8 {
            "m"
        } else {
            ""
        };
        suffixes.push(format!(".cpython-{major}{minor}{flags}-{multiarch}.so"));
    }
    // A free-threaded build cannot load modules of the old stable ABI.
    if major >= 3 && !free_threaded {
        suffixes.push(".abi3.so".to_owned());
    }
    suffixes.push(".so".to_owned());
    suffixes
}

/// The platform's name in the names of extension modules (CPython's `Misc/platform_triplet.c`), by
/// the program's ELF header.
fn multiarch(vfs: &dyn Vfs, program: &Path) -> Option<String> {
    // PT_INTERP is in the first page of every program that was written by a common linker.
    let start = read_start(vfs, program, 4096).ok()?;
    let is_64 = start.get(4) == Some(&2);
    let is_little = start.get(5) == Some(&1);
    let &[first, second] = start.get(18..20)?.first_chunk::<2>()?;
    let machine = if is_little {
        u16::from_le_bytes([first, second])
    } else {
        u16::from_be_bytes([first, second])
    };
    let musl = start.windows(9).any(|bytes| bytes == b"/ld-musl-");
    let libc = if musl { "musl" } else { "gnu" };
    // The names of goblin::elf::header::EM_*.
    let (machine, libc) = match (machine, is_64, is_little) {
        (62, true, _) => ("x86_64", libc.to_owned()),
        (62, false, _) => ("x86_64", format!("{libc}x32")),
        (3, _, _) => ("i386", libc.to_owned()),
        (183, _, true) => ("aarch64", libc.to_owned()),
        // EF_ARM_ABI_FLOAT_HARD in e_flags of a file of 32 bits.
        (40, _, true) => {
            let hard = start.get(37).is_some_and(|flags| flags & 0x04 != 0);
            ("arm", format!("{libc}eabi{}", if hard { "hf" } else { "" }))
        }
        (21, true, true) => ("powerpc64le", libc.to_owned()),
        (21, true, false) => ("powerpc64", libc.to_owned()),
        (22, true, false) => ("s390x", libc.to_owned()),
        (243, true, true) => ("riscv64", libc.to_owned()),
        (258, true, true) => ("loongarch64", libc.to_owned()),
        _ => return None,
    };
    Some(format!("{machine}-linux-{libc}"))
}

/// The version of Python that a path names: `pythonX.Y` as a directory of it, or `cpython-XY` in the
/// name of an extension module (PEP 3149).
#[must_use]
pub fn version_in(path: &Path) -> Option<(u8, u8)> {
    let name = path.file_name()?.to_string_lossy();
    if let Some((_, tag)) = name.split_once(".cpython-") {
        let digits: String = tag.chars().take_while(char::is_ascii_digit).collect();
        let (major, minor) = digits.split_at_checked(1)?;
        return Some((major.parse().ok()?, minor.parse().ok()?));
    }
    path.iter().find_map(|part| {
        let (major, minor) = part.to_str()?.strip_prefix("python")?.split_once('.')?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    })
}

/// The version of a program by its name, or by the name of its link's target, even if that is
/// missing.
pub fn version_of_path(vfs: &dyn Vfs, path: &Path) -> Option<Version> {
    let of = |path: &Path| Version::of_name(path.file_name()?.to_str()?);
    of(path).or_else(|| match program(vfs, path) {
        Program::Found(end)
        | Program::Missing { wanted: end }
        | Program::Closed { wanted: end } => of(&end),
        Program::Other(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Version, is_interpreter_name, version_in};
    use std::path::Path;

    #[test]
    fn versions_are_read_from_names_and_texts() {
        let of_name = |name| Version::of_name(name).map(|version| version.to_string());
        assert_eq!(of_name("python3.11").as_deref(), Some("3.11"));
        assert_eq!(of_name("python3.13t").as_deref(), Some("3.13t"));
        for other in ["python", "python3", "python3.11-config", "python3.11.7", "pythonw"] {
            assert_eq!(of_name(other), None, "{other}");
        }
        assert_eq!(Version::parse("3.11.7.final.0").map(|v| (v.major, v.minor)), Some((3, 11)));
        assert_eq!(Version::parse("3"), None);
        assert!(is_interpreter_name("python3") && !is_interpreter_name("python3-config"));
    }

    #[test]
    fn a_path_may_name_a_version_of_python() {
        let version = |path: &str| version_in(Path::new(path));
        assert_eq!(version("/e/x.cpython-311-x86_64-linux-gnu.so"), Some((3, 11)));
        assert_eq!(version("/e/lib/python3.9/site-packages/x.abi3.so"), Some((3, 9)));
        assert_eq!(version("/usr/lib/python3/dist-packages/x.so"), None);
        assert_eq!(version("/e/x.cpython-311d-x86_64-linux-gnu.so"), Some((3, 11)));
    }
}
