//! What a target holds: its shared objects and programs, and the distributions that they belong
//! to.

use crate::bytes;
use crate::elf::{self, Kind, Summary};
use crate::python::distribution::{Distribution, Problem};
use crate::vfs::{FileKind, Vfs};
use rayon::prelude::*;
use std::collections::HashMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a program would do with an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// The interpreter imports it.
    ExtensionModule,
    /// It is started.
    Executable,
    /// Others load it.
    Library,
}

/// A shared object or a program in the target.
#[derive(Debug, Clone)]
pub struct Object {
    /// Where it was found; links in the path are not resolved.
    pub path: PathBuf,
    /// Device and inode, equal for all names of one file.
    pub id: (u64, u64),
    /// What the loader reads of it.
    pub summary: Arc<Summary>,
    /// What a program would do with it.
    pub role: Role,
    /// The distribution whose RECORD lists it: an index into [`Inventory::distributions`].
    pub distribution: Option<usize>,
}

impl Object {
    /// The file's name alone.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.path.file_name().map_or(b"", OsStr::as_bytes)
    }

    /// The directory in which it was found.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }
}

/// A place in the tree that could not be read as what it seems to be.
#[derive(Debug)]
pub struct Unreadable {
    /// The file or directory.
    pub path: PathBuf,
    /// Why.
    pub why: Why,
}

/// Why a place could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Why {
    /// The operating system refused.
    #[error("{0}")]
    Io(#[from] io::Error),
    /// The object is malformed.
    #[error("{0}")]
    Malformed(#[from] bytes::Error),
    /// A file that is named as a shared object and is something else.
    #[error("it is named as a shared object, and {0}")]
    NoObject(&'static str),
}

/// What a target holds.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The directories that were walked.
    pub roots: Vec<PathBuf>,
    /// Its objects, by path.
    pub objects: Vec<Object>,
    /// Its distributions.
    pub distributions: Vec<Distribution>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    by_name: HashMap<Vec<u8>, Vec<usize>>,
}

impl Inventory {
    /// Walks `roots` and reads the header of every object below them. Directories that hold
    /// another environment, and tfpatch's own store, are passed over.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, roots: &[PathBuf]) -> Self {
        let (found, unreadable): (Vec<_>, Vec<_>) =
            roots.par_iter().map(|root| walk(vfs, root, true)).unzip();
        let mut candidates: Vec<PathBuf> = found.into_iter().flatten().collect();
        candidates.sort_unstable();
        candidates.dedup();
        let mut inventory = Self { roots: roots.to_vec(), ..Self::default() };
        inventory.unreadable = unreadable.into_iter().flatten().collect();
        let read: Vec<_> = candidates.into_par_iter().map(|path| read(vfs, path)).collect();
        for outcome in read {
            match outcome {
                Ok(Some(object)) => inventory.add(object),
                Ok(None) => {}
                Err(unreadable) => inventory.unreadable.push(unreadable),
            }
        }
        inventory
    }

    /// The objects of that file name.
    pub fn named(&self, name: &[u8]) -> impl Iterator<Item = &Object> {
        let indices = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|&index| self.objects.get(index))
    }

    /// The object at that path.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<&Object> {
        let index = self.objects.binary_search_by(|object| object.path.as_path().cmp(path)).ok()?;
        self.objects.get(index)
    }

    /// The distribution that an object belongs to.
    #[must_use]
    pub fn distribution_of(&self, object: &Object) -> Option<&Distribution> {
        self.distributions.get(object.distribution?)
    }

    /// Notes what could not be read of the distributions. Leftovers of installers are no places
    /// that could not be read.
    pub fn add_problems(&mut self, problems: Vec<Problem>) {
        self.unreadable.extend(problems.into_iter().filter_map(|problem| match problem {
            Problem::Unreadable { path, source } => Some(Unreadable { path, why: source.into() }),
            Problem::MalformedRecord { path, source } => {
                Some(Unreadable { path, why: source.into() })
            }
            Problem::Nameless { .. } | Problem::LeftOver { .. } => None,
        }));
    }

    fn add(&mut self, object: Object) {
        self.by_name.entry(object.name().to_vec()).or_default().push(self.objects.len());
        self.objects.push(object);
    }
}

/// The summary of one object; `None` where it is none or cannot be read.
#[must_use]
pub fn summary_of(vfs: &dyn Vfs, path: &Path) -> Option<Summary> {
    let source = vfs.open(path).ok()?;
    elf::Image::parse(source.as_ref()).ok()?.summary().ok()
}

/// The files below `directory` that may be objects, and what could not be read.
fn walk(vfs: &dyn Vfs, directory: &Path, is_root: bool) -> (Vec<PathBuf>, Vec<Unreadable>) {
    let entries = match vfs.read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            let path = directory.to_owned();
            return (Vec::new(), vec![Unreadable { path, why: error.into() }]);
        }
    };
    if !is_root && entries.iter().any(|entry| entry.name == "pyvenv.cfg") {
        return (Vec::new(), Vec::new());
    }
    let mut files = Vec::new();
    let mut directories = Vec::new();
    for entry in entries {
        let path = directory.join(&entry.name);
        match entry.kind {
            FileKind::Directory if !is_passed_over(&entry.name) => directories.push(path),
            FileKind::File | FileKind::Symlink if may_be_object(&entry.name) => files.push(path),
            _ => {}
        }
    }
    let (below, mut unreadable): (Vec<_>, Vec<_>) =
        directories.par_iter().map(|directory| walk(vfs, directory, false)).unzip();
    files.extend(below.into_iter().flatten());
    let mut problems: Vec<Unreadable> = unreadable.drain(..).flatten().collect();
    problems.sort_by(|a, b| a.path.cmp(&b.path));
    (files, problems)
}

/// Directories that hold no objects of the target.
fn is_passed_over(name: &OsStr) -> bool {
    name == "__pycache__" || name == ".tfpatch" || name == ".git"
}

/// May a file of that name be an object? Tens of thousands of files in an environment are not, and
/// opening each would take longer than all the rest. Objects have `.so` in their name, or, as
/// programs mostly do, no suffix or a number as one.
#[must_use]
pub fn may_be_object(name: &OsStr) -> bool {
    let name = name.as_bytes();
    if is_named_as_object(name) {
        return true;
    }
    match name.iter().rposition(|&byte| byte == b'.') {
        None | Some(0) => true,
        Some(dot) => name
            .get(dot + 1..)
            .is_some_and(|suffix| !suffix.is_empty() && suffix.iter().all(u8::is_ascii_digit)),
    }
}

/// Is the file named as a shared object: `*.so`, or `*.so.` and a version?
fn is_named_as_object(name: &[u8]) -> bool {
    name.ends_with(b".so") || name.windows(4).any(|part| part == b".so.")
}

/// Reads an object; `None` for what is none and does not claim to be one.
fn read(vfs: &dyn Vfs, path: PathBuf) -> Result<Option<Object>, Unreadable> {
    match try_read(vfs, &path) {
        Ok(object) => Ok(object.map(|(id, summary)| {
            let role = role_of(&path, &summary);
            Object { path, id, summary: Arc::new(summary), role, distribution: None }
        })),
        // A name without `.so` announces nothing: what cannot be read there is no finding.
        Err(_) if !is_named_as_object(path.file_name().map_or(b"", OsStr::as_bytes)) => Ok(None),
        Err(why) => Err(Unreadable { path, why }),
    }
}

type Identified = ((u64, u64), Summary);

fn try_read(vfs: &dyn Vfs, path: &Path) -> Result<Option<Identified>, Why> {
    let metadata = match vfs.metadata(path) {
        // A link that leads nowhere is no object; who needs it will say so.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    match metadata.kind {
        FileKind::File => {}
        // A directory or a socket may be called what it likes.
        _ => return Ok(None),
    }
    let source = vfs.open(path)?;
    let magic = source.get(0..source.len().min(64)).unwrap_or_default();
    if !magic.starts_with(b"\x7fELF") {
        return match magic.as_ref() {
            b"" => Err(Why::NoObject("is empty")),
            bytes if bytes.iter().all(|&byte| byte == 0) => {
                Err(Why::NoObject("begins with zeros where an ELF header should be"))
            }
            bytes if is_linker_script(bytes) => Ok(None),
            _ => Err(Why::NoObject("does not begin as an ELF file does")),
        };
    }
    let image = elf::Image::parse(source.as_ref())?;
    Ok(Some((metadata.id, image.summary()?)))
}

/// Does the file begin as a GNU ld script does? Those are for the link editor; no program loads
/// them.
fn is_linker_script(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    [b"/*".as_slice(), b"INPUT", b"GROUP", b"OUTPUT_FORMAT"].iter().any(|s| start.starts_with(s))
}

/// What a program would do with the object, by its kind and its name: `X.so`, `X.abi3.so` and
/// `X.cpython-311-….so` are what Python's import looks for (PEP 3149), `libX.so` is not.
fn role_of(path: &Path, summary: &Summary) -> Role {
    let name = path.file_name().map_or(b"".as_slice(), OsStr::as_bytes);
    match summary.kind {
        Kind::Executable => Role::Executable,
        Kind::Shared if summary.interpreter.is_some() && !is_named_as_object(name) => {
            Role::Executable
        }
        _ if name.ends_with(b".so") && summary.soname.is_none() => Role::ExtensionModule,
        _ if name.windows(9).any(|part| part == b".cpython-") || name.ends_with(b".abi3.so") => {
            Role::ExtensionModule
        }
        _ => Role::Library,
    }
}
