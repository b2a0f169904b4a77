//! The content of a target: its shared objects and programs, and the distributions that they belong
//! to.

use super::imported::Imported;
use super::linked_directories::{Linked, Links};
use super::object_names::is_named_as_object;
use super::unreadable::{Instead, Unreadable, Why, flattened};
use super::walk::Tree;
use crate::bytes::Source;
use crate::elf::{Image, Kind, Summary, hash};
use crate::hashing::QuickMap;
use crate::knowledge::tensorflow;
use crate::macho::{self, Container, fat, symbols};
use crate::python::distribution::{Distribution, Problem};
use crate::vfs::{FileKind, Vfs};
use memchr::memmem;
use rayon::prelude::*;
use rustix::io::Errno;
use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::hash::Hash;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// How a pointer of Git LFS begins (its specification, `docs/spec.md`).
const LFS_POINTER: &[u8] = b"version https://git-lfs.github.com/spec/";

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
    /// What a loader reads of it.
    pub facts: Facts,
    /// What a program would do with it.
    pub role: Role,
    /// The distribution whose RECORD lists it: an index into [`Inventory::distributions`].
    pub distribution: Option<usize>,
}

/// What a loader reads of an object, by its format.
#[derive(Debug, Clone)]
pub enum Facts {
    /// Of an ELF file.
    Elf(Arc<Summary>),
    /// Of a Mach-O file: each slice.
    Macho(Arc<[macho::Summary]>),
}

impl Object {
    /// What ld.so reads of it; `None` for an object of another format.
    #[must_use]
    pub fn elf(&self) -> Option<&Summary> {
        match &self.facts {
            Facts::Elf(summary) => Some(summary),
            Facts::Macho(_) => None,
        }
    }

    /// Its slices, as dyld reads them; none for an object of another format.
    #[must_use]
    pub fn slices(&self) -> &[macho::Summary] {
        match &self.facts {
            Facts::Elf(_) => &[],
            Facts::Macho(slices) => slices,
        }
    }

    /// Its `DT_NEEDED`, in order; empty for an object of another format.
    #[must_use]
    pub fn needed(&self) -> &[Vec<u8>] {
        self.elf().map_or(&[], |summary| &summary.needed)
    }

    /// The name by which others need an ELF object: its soname, else the file's.
    #[must_use]
    pub fn soname(&self) -> &[u8] {
        self.elf().and_then(|summary| summary.soname.as_deref()).unwrap_or_else(|| self.name())
    }

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

/// The content of a target.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The directories that were walked.
    pub roots: Vec<PathBuf>,
    /// Directories outside of these that were examined, because an interpreter imports from them.
    pub beyond: Vec<PathBuf>,
    /// The directories of packages among all of these.
    pub sites: Vec<PathBuf>,
    /// Its objects, by path.
    pub objects: Vec<Object>,
    /// Its distributions.
    pub distributions: Vec<Distribution>,
    /// What could not be read.
    pub unreadable: Vec<Unreadable>,
    /// Linked directories outside that were examined, because an interpreter imports from them.
    pub followed: Vec<Linked>,
    /// Linked directories inside, under the names by which they were walked.
    pub inside: Vec<Linked>,
    /// Linked directories outside that contain objects and were not examined.
    pub not_followed: Vec<Linked>,
    /// The metadata of distributions that an upgrade has renamed and not removed.
    pub leftovers: Vec<PathBuf>,
    by_name: QuickMap<Vec<u8>, Vec<usize>>,
    /// Computed once all objects are read.
    looked_up: LookedUp,
}

/// The places of objects in the list, by what they are looked up by.
#[derive(Debug, Default)]
struct LookedUp {
    /// By their paths, byte for byte.
    by_path: OnceLock<QuickMap<OsString, usize>>,
    /// By the stems of their names.
    by_stem: OnceLock<QuickMap<Vec<u8>, Vec<usize>>>,
    /// By their sonames, if these differ from their names.
    by_soname: OnceLock<QuickMap<Vec<u8>, Vec<usize>>>,
    /// By device and inode.
    by_id: OnceLock<QuickMap<(u64, u64), Vec<usize>>>,
}

/// The places of what has a key, in order.
fn indexed<'a, T, K: Hash + Eq>(
    things: &'a [T],
    key: impl Fn(&'a T) -> Option<K>,
) -> QuickMap<K, Vec<usize>> {
    let mut index: QuickMap<K, Vec<usize>> = QuickMap::default();
    for (at, thing) in things.iter().enumerate() {
        if let Some(key) = key(thing) {
            index.entry(key).or_default().push(at);
        }
    }
    index
}

impl Inventory {
    /// Walks `roots` and reads the header of every object below them. Directories that contain
    /// another environment, and tfpatch's own store, are skipped.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, roots: &[PathBuf]) -> Self {
        Self::importing(vfs, roots, &Imported::default())
    }

    /// The same for a target from whose directories an interpreter imports: directories that these
    /// link to are examined as well.
    #[must_use]
    pub fn importing(vfs: &dyn Vfs, roots: &[PathBuf], imported: &Imported) -> Self {
        // Starting threads takes longer than everything else in an edit of one file.
        if roots.is_empty() {
            return Self::default();
        }
        let Tree { files, links, unreadable } = Tree::walk(vfs, roots, imported);
        let Links { followed, inside, not_followed, .. } = links;
        let roots = roots.to_vec();
        let beyond = imported.beyond().cloned().collect();
        let sites = imported.sites.iter().chain(&imported.packages).cloned().collect();
        let mut inventory = Self {
            roots,
            beyond,
            sites,
            unreadable,
            followed,
            inside,
            not_followed,
            ..Self::default()
        };
        let read: Vec<_> = files.into_par_iter().map(|path| read(vfs, path)).collect();
        for outcome in read {
            match outcome {
                Ok(Some(object)) => inventory.add(object),
                Ok(None) => {}
                Err(unreadable) => inventory.unreadable.push(unreadable),
            }
        }
        inventory
    }

    /// Adds an object that was named on the command line, whatever its name and directory.
    pub fn add_named(&mut self, vfs: &dyn Vfs, path: &Path) {
        let Err(index) = self.objects.binary_search_by(|object| object.path.as_path().cmp(path))
        else {
            return;
        };
        self.unreadable.retain(|unreadable| unreadable.path != path);
        match try_read(vfs, path) {
            Ok(None) => {}
            Ok(Some((id, facts, role))) => {
                let path = path.to_owned();
                self.objects.insert(index, Object { path, id, facts, role, distribution: None });
                self.looked_up = LookedUp::default();
                self.by_name.clear();
                for (index, object) in self.objects.iter().enumerate() {
                    self.by_name.entry(object.name().to_vec()).or_default().push(index);
                }
            }
            Err(why) => self.unreadable.push(Unreadable { path: path.to_owned(), why }),
        }
    }

    /// The objects of that file name.
    pub fn named(&self, name: &[u8]) -> impl Iterator<Item = &Object> {
        let indices = self.by_name.get(name).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|&index| self.objects.get(index))
    }

    /// The objects of that file name, and those of that soname.
    pub(crate) fn known_as(&self, name: &[u8]) -> impl Iterator<Item = &Object> {
        let by_soname = self.looked_up.by_soname.get_or_init(|| {
            let differs = |object: &&Object| object.soname() != object.name();
            indexed(&self.objects, |object| {
                Some(object).filter(differs).map(|object| object.soname().to_vec())
            })
        });
        let indices = by_soname.get(name).map(Vec::as_slice).unwrap_or_default();
        self.named(name).chain(indices.iter().filter_map(|&index| self.objects.get(index)))
    }

    /// The objects that are the file with that device and inode, by path.
    pub(crate) fn of_file(&self, id: (u64, u64)) -> impl Iterator<Item = &Object> {
        let by_id =
            self.looked_up.by_id.get_or_init(|| indexed(&self.objects, |object| Some(object.id)));
        let indices = by_id.get(&id).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|&index| self.objects.get(index))
    }

    /// The names of libraries in the headers of objects, each with these objects.
    #[must_use]
    pub fn needed(&self) -> HashMap<&[u8], Vec<&Object>> {
        let mut needed: HashMap<&[u8], Vec<&Object>> = HashMap::new();
        for object in &self.objects {
            for name in object.needed() {
                needed.entry(name).or_default().push(object);
            }
        }
        needed
    }

    /// The object at that path.
    #[must_use]
    pub fn at(&self, path: &Path) -> Option<&Object> {
        let by_path = self.looked_up.by_path.get_or_init(|| {
            let paths = self.objects.iter().map(|object| object.path.clone().into_os_string());
            paths.zip(0..).collect()
        });
        if let Some(&index) = by_path.get(path.as_os_str()) {
            return self.objects.get(index);
        }
        // Another spelling of a path, with a doubled slash or a dot, is the same path.
        let bytes = path.as_os_str().as_bytes();
        let is_plain = |part: &[u8]| memmem::find(bytes, part).is_none();
        if is_plain(b"//") && is_plain(b"/.") && !bytes.ends_with(b"/") {
            return None;
        }
        let index = self.objects.binary_search_by(|object| object.path.as_path().cmp(path)).ok()?;
        self.objects.get(index)
    }

    /// The objects whose names begin with `stem` and `.so.`.
    pub(crate) fn of_stem(&self, stem: &[u8]) -> impl Iterator<Item = &Object> {
        let by_stem = self.looked_up.by_stem.get_or_init(|| {
            indexed(&self.objects, |object| stem_of(object.name()).map(<[u8]>::to_vec))
        });
        let indices = by_stem.get(stem).map(Vec::as_slice).unwrap_or_default();
        indices.iter().filter_map(|&index| self.objects.get(index))
    }

    /// The objects in a directory itself.
    pub fn in_directory(&self, directory: &Path) -> impl Iterator<Item = &Object> {
        // Sorted by path, everything below a directory is consecutive.
        let first = self.objects.partition_point(|object| object.path.as_path() < directory);
        let rest = self.objects.get(first..).unwrap_or_default().iter();
        let below = rest.take_while(move |object| object.path.starts_with(directory));
        below.filter(move |object| object.directory() == directory)
    }

    /// The distribution that an object belongs to.
    #[must_use]
    pub fn distribution_of(&self, object: &Object) -> Option<&Distribution> {
        self.distributions.get(object.distribution?)
    }

    /// Was the TensorFlow with that index among the distributions built for GPUs, according to its
    /// objects?
    #[must_use]
    pub fn is_for_gpu(&self, index: usize) -> bool {
        let mut objects = self.objects.iter().filter(|it| it.distribution == Some(index));
        objects.any(|object| {
            let path = object.elf().and_then(|elf| elf.runpath.as_ref().or(elf.rpath.as_ref()));
            path.is_some_and(|path| tensorflow::names_gpu_libraries(path))
        })
    }

    /// Records what could not be read of the distributions. Leftovers of installers are not
    /// unreadable places.
    pub fn add_problems(&mut self, problems: Vec<Problem>) {
        for problem in problems {
            match problem {
                Problem::Unreadable { path, source } => {
                    self.unreadable.push(Unreadable { path, why: source.into() });
                }
                Problem::MalformedRecord { path, source } => {
                    self.unreadable.push(Unreadable { path, why: source.into() });
                }
                Problem::LeftOver { path } => self.leftovers.push(path),
                Problem::Nameless { .. } => {}
            }
        }
    }

    /// Drops dangling links that no distribution lists: a name without a file is the same as no
    /// name, and is reported with the object that needs it. So is an empty file among programs, unless
    /// a distribution lists it with a length. `length` is that of the file at a path, if one lists it.
    pub fn forget_unlisted(&mut self, length: impl Fn(&Path) -> Option<Option<u64>>) {
        self.unreadable.retain(|Unreadable { path, why }| match why {
            Why::Dangling(_) => length(path).is_some(),
            Why::NoObject(Instead::Empty) if !is_named_as_object(file_name(path)) => {
                length(path).flatten().is_some_and(|length| length > 0)
            }
            _ => true,
        });
    }

    fn add(&mut self, object: Object) {
        self.looked_up = LookedUp::default();
        self.by_name.entry(object.name().to_vec()).or_default().push(self.objects.len());
        self.objects.push(object);
    }
}

/// The name up to `.so.`: `libcudart` of `libcudart.so.12`.
pub(crate) fn stem_of(name: &[u8]) -> Option<&[u8]> {
    name.get(..memmem::find(name, b".so.")?)
}

/// The summary of one object; `None` if it is not an object or cannot be read.
#[must_use]
pub fn summary_of(vfs: &dyn Vfs, path: &Path) -> Option<Arc<Summary>> {
    let headers = vfs.headers(path, vfs.metadata(path).ok()?.id, None).ok()?;
    Some(Arc::clone(&headers.object().ok()?.summary))
}

/// Reads an object; `None` for a file that is not an object and does not claim to be one.
fn read(vfs: &dyn Vfs, path: PathBuf) -> Result<Option<Object>, Unreadable> {
    match try_read(vfs, &path) {
        Ok(object) => {
            Ok(object.map(|(id, facts, role)| Object { path, id, facts, role, distribution: None }))
        }
        // A name without `.so` does not claim to be an object: it is not a finding if it cannot be
        // read.
        Err(why) if !is_named_as_object(file_name(&path)) && !is_damaged_program(&path, &why) => {
            Ok(None)
        }
        Err(why) => Err(Unreadable { path, why }),
    }
}

/// Is a file among programs, and what a truncated or interrupted write leaves of one?
fn is_damaged_program(path: &Path, why: &Why) -> bool {
    let is_damage = match why {
        Why::Malformed(_) => true,
        Why::NoObject(instead) => *instead != Instead::Other,
        _ => false,
    };
    is_damage && path.parent().is_some_and(|directory| directory.ends_with("bin"))
}

fn file_name(path: &Path) -> &[u8] {
    path.file_name().map_or(b"", OsStr::as_bytes)
}

type Identified = ((u64, u64), Facts, Role);

fn try_read(vfs: &dyn Vfs, path: &Path) -> Result<Option<Identified>, Why> {
    let metadata = || vfs.metadata(path).map_err(|error| why_not(vfs, path, error));
    let source = match vfs.open(path) {
        Ok(source) => source,
        Err(error) => {
            return match metadata()?.kind {
                FileKind::File => Err(error.into()),
                // A directory or a socket may have any name.
                _ => Ok(None),
            };
        }
    };
    let magic = source.get(0..source.len().min(64)).unwrap_or_default();
    if !magic.starts_with(b"\x7fELF") {
        return match magic.as_ref() {
            _ if fat::is_macho(source.as_ref()) => {
                read_macho(source.as_ref(), path).and_then(|found| {
                    let Some((facts, role)) = found else { return Ok(None) };
                    Ok(Some((metadata()?.id, facts, role)))
                })
            }
            b"" => Err(Why::NoObject(Instead::Empty)),
            bytes if bytes.iter().all(|&byte| byte == 0) => Err(Why::NoObject(Instead::Zeros)),
            bytes if is_linker_script(bytes) => Ok(None),
            bytes if bytes.starts_with(LFS_POINTER) => Err(Why::LfsPointer),
            _ => Err(match flattened(vfs, path, source.as_ref()) {
                Some(named) => Why::Flattened(named),
                None => Why::NoObject(Instead::Other),
            }),
        };
    }
    let id = metadata()?.id;
    let headers = vfs.headers(path, id, Some(source.as_ref()))?;
    let object = headers.object()?;
    object.whole.clone()?;
    let image = headers.image(source.as_ref())?;
    let role = role_of(path, &image, &object.summary);
    Ok(Some((id, Facts::Elf(Arc::clone(&object.summary)), role)))
}

/// Reads every slice of a Mach-O file that dyld could load, and what a program would do with it; `None`
/// for debugging information and the like, of which it loads nothing.
fn read_macho(source: &dyn Source, path: &Path) -> Result<Option<(Facts, Role)>, Why> {
    let name = path.file_name().map_or(b"".as_slice(), OsStr::as_bytes);
    let function = name.strip_suffix(b".so").map(|module| [b"_PyInit_", module].concat());
    let mut slices = Vec::new();
    let mut role = Role::Library;
    let mut is_loaded = false;
    for slice in Container::parse(source)?.slices {
        let image = macho::Image::parse(slice)?;
        is_loaded |= image.kind() != macho::Kind::Other;
        role = match image.kind() {
            macho::Kind::Executable => Role::Executable,
            _ if is_extension_by_name(name) => Role::ExtensionModule,
            _ => match &function {
                // A slice without a sound export trie is not a module either.
                Some(function)
                    if symbols::export(&image, function).is_ok_and(|it| it.is_some()) =>
                {
                    Role::ExtensionModule
                }
                _ => role,
            },
        };
        slices.push(image.summary()?);
    }
    Ok(is_loaded.then(|| (Facts::Macho(slices.into()), role)))
}

/// Does a file have the name of an extension module (PEP 3149)?
fn is_extension_by_name(name: &[u8]) -> bool {
    name.windows(9).any(|part| part == b".cpython-") || name.ends_with(b".abi3.so")
}

/// Why nothing is found at a path that a directory lists.
fn why_not(vfs: &dyn Vfs, path: &Path, error: io::Error) -> Why {
    match vfs.read_link(path) {
        Ok(target) if error.kind() == io::ErrorKind::NotFound => Why::Dangling(target),
        Ok(_) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => Why::Loop,
        _ => error.into(),
    }
}

/// Does the file begin as a GNU ld script does? Those are for the link editor; no program loads
/// them.
fn is_linker_script(start: &[u8]) -> bool {
    let start = start.trim_ascii_start();
    [b"/*".as_slice(), b"INPUT", b"GROUP", b"OUTPUT_FORMAT"].iter().any(|s| start.starts_with(s))
}

/// What a program would do with the object. Python's import looks for `X.so`, `X.abi3.so` and
/// `X.cpython-311-….so` (PEP 3149), and calls `PyInit_X` of what it finds (PEP 489); plugins and
/// libraries that a program opens are called `X.so` too, and lack that function.
fn role_of(path: &Path, image: &Image<'_>, summary: &Summary) -> Role {
    let name = path.file_name().map_or(b"".as_slice(), OsStr::as_bytes);
    match summary.kind {
        // Python tries to open it, whatever it is.
        Kind::Executable if is_extension_by_name(name) => Role::ExtensionModule,
        Kind::Executable => Role::Executable,
        Kind::Shared if summary.interpreter.is_some() && !is_named_as_object(name) => {
            Role::Executable
        }
        _ if is_extension_by_name(name) => Role::ExtensionModule,
        _ => match name.strip_suffix(b".so") {
            Some(module) if is_module(image, module) => Role::ExtensionModule,
            _ => Role::Library,
        },
    }
}

/// Does the object export the function by which Python makes the module of that name?
fn is_module(image: &Image<'_>, module: &[u8]) -> bool {
    let function = [b"PyInit_", module].concat();
    // An object without a sound symbol table is not a module either.
    hash::exports(image, &function).unwrap_or(false)
}
