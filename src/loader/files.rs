//! The files that a search finds: does the file exist, and does the loader accept it? Every file
//! and every directory is examined once for all searches.

use super::{FileId, GlibcVersion, StepOutcome, Target};
use crate::elf::headers::Object;
use crate::elf::{Class, Endian, Headers, Kind, Summary};
use crate::hashing::{QuickMap, QuickSet};
use crate::vfs::{FileKind, Metadata, Vfs};
use goblin::elf::header;
use rustix::io::Errno;
use std::borrow::Borrow;
use std::ffi::{OsStr, OsString};
use std::hash::Hash;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A file that ends a search: the loader reports it instead of continuing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fatal {
    /// The file.
    pub path: PathBuf,
    /// Why, in glibc's words: `file too short`, `invalid ELF header`.
    pub message: String,
    /// What the process does not have and it needs, if it is refused for that alone.
    pub limit: Option<Limit>,
}

/// What a process has from its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// An executable stack.
    ExecutableStack,
    /// Room for thread-local storage at a fixed place.
    StaticTls,
}

impl Fatal {
    pub(super) fn new(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into(), limit: None }
    }
}

/// An object that the loader accepts, under one of its paths.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) path: Arc<Path>,
    pub(super) real: Arc<Path>,
    /// The directory of the path, by its last slash.
    pub(super) directory: Arc<Path>,
    pub(super) id: FileId,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) summary: Arc<Summary>,
    pub(super) names: Arc<Names>,
}

/// The names in the headers of an object, which every process that loads it has again.
#[derive(Debug)]
pub(super) struct Names {
    /// `DT_NEEDED`, in order.
    pub(super) needed: Box<[Arc<[u8]>]>,
    pub(super) soname: Option<Arc<[u8]>>,
    /// The versions that it defines; `None` if it defines none.
    pub(super) versions: Option<QuickSet<Box<[u8]>>>,
    /// Of each library that versions are needed of, a file that defines them all.
    pub(super) satisfied: Box<[OnceLock<FileId>]>,
}

impl Names {
    pub(super) fn of(summary: &Summary) -> Self {
        Self {
            needed: summary.needed.iter().map(|name| name.as_slice().into()).collect(),
            soname: summary.soname.as_deref().map(Into::into),
            versions: summary
                .version_definitions
                .as_ref()
                .map(|versions| versions.iter().map(|version| version.as_slice().into()).collect()),
            satisfied: summary.version_needs.iter().map(|_| OnceLock::new()).collect(),
        }
    }
}

/// The result for one path.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    Found(Arc<Candidate>),
    /// Not this one: the search continues, in the next directory of the same list if
    /// `next_directory`.
    Passed {
        outcome: StepOutcome,
        next_directory: bool,
    },
    Fatal(Fatal),
}

/// The loader's judgement of a file's bytes.
#[derive(Debug, Clone)]
enum Verdict {
    Library,
    Passed(StepOutcome),
    Fatal(String),
}

/// A file's content, judged and read.
#[derive(Debug, Clone)]
struct Content {
    verdict: Verdict,
    /// `None` where it is malformed.
    summary: Option<Arc<Summary>>,
}

/// A directory, as far as it matters to searches.
#[derive(Debug)]
enum Directory {
    /// Absent, or something else.
    Missing,
    Names(QuickSet<OsString>),
    /// It cannot be listed; its files may still open.
    Closed,
}

/// Everything that was examined so far.
pub(super) struct Files<'a> {
    pub(super) vfs: &'a dyn Vfs,
    target: Target,
    version: GlibcVersion,
    contents: RwLock<QuickMap<FileId, Content>>,
    /// By paths, byte for byte.
    probes: RwLock<QuickMap<OsString, Probe>>,
    directories: RwLock<QuickMap<OsString, Arc<Directory>>>,
    /// By device and inode: search paths spell one directory in as many ways as there are objects.
    listings: RwLock<QuickMap<FileId, Arc<Directory>>>,
}

/// The value for a key, computed at most once for each thread that misses it at the same time; the
/// first one is kept.
pub(super) fn memoised<K, Q, V>(
    memo: &RwLock<QuickMap<K, V>>,
    key: &Q,
    compute: impl FnOnce(&Q) -> V,
) -> V
where
    K: Borrow<Q> + Hash + Eq,
    Q: ToOwned<Owned = K> + Hash + Eq + ?Sized,
    V: Clone,
{
    // A memo is valid even if a thread panicked: values are inserted completely.
    if let Some(known) = memo.read().unwrap_or_else(PoisonError::into_inner).get(key) {
        return known.clone();
    }
    let value = compute(key);
    let mut memo = memo.write().unwrap_or_else(PoisonError::into_inner);
    memo.entry(key.to_owned()).or_insert(value).clone()
}

impl<'a> Files<'a> {
    /// The files as the loader of a version of glibc judges them; without a version, of the newest.
    pub(super) fn new(vfs: &'a dyn Vfs, target: Target, version: Option<GlibcVersion>) -> Self {
        Self {
            vfs,
            target,
            version: version.unwrap_or((u32::MAX, 0)),
            contents: RwLock::default(),
            probes: RwLock::default(),
            directories: RwLock::default(),
            listings: RwLock::default(),
        }
    }

    /// Is there a directory at `path`?
    pub(super) fn is_directory(&self, path: &Path) -> bool {
        !matches!(&*self.directory(path), Directory::Missing)
    }

    /// May `name` be in a directory? `false` only if it certainly is not.
    pub(super) fn may_hold(&self, directory: &Path, name: &[u8]) -> bool {
        match &*self.directory(directory) {
            Directory::Missing => false,
            // The empty name is the directory itself.
            Directory::Names(names) => name.is_empty() || names.contains(OsStr::from_bytes(name)),
            Directory::Closed => true,
        }
    }

    /// The relative paths that may be in a directory, according to their first components.
    pub(super) fn may_hold_each<'p>(&self, directory: &Path, paths: &'p [String]) -> Vec<&'p str> {
        let paths = paths.iter().map(String::as_str);
        match &*self.directory(directory) {
            Directory::Missing => Vec::new(),
            Directory::Names(names) => {
                // Many of them begin alike.
                let mut known: Vec<(&str, bool)> = Vec::new();
                let is_listed = |path: &&'p str| {
                    let first = path.split('/').next().unwrap_or_default();
                    if let Some((_, is_listed)) = known.iter().find(|(known, _)| *known == first) {
                        return *is_listed;
                    }
                    let is_listed = first.is_empty() || names.contains(OsStr::new(first));
                    known.push((first, is_listed));
                    is_listed
                };
                paths.filter(is_listed).collect()
            }
            Directory::Closed => paths.collect(),
        }
    }

    fn directory(&self, path: &Path) -> Arc<Directory> {
        memoised(&self.directories, path.as_os_str(), |_| match self.vfs.metadata(path) {
            Ok(metadata) if metadata.kind == FileKind::Directory => {
                memoised(&self.listings, &metadata.id, |_| Arc::new(self.listing(path)))
            }
            _ => Arc::new(Directory::Missing),
        })
    }

    fn listing(&self, path: &Path) -> Directory {
        self.vfs.read_dir(path).map_or(Directory::Closed, |entries| {
            Directory::Names(entries.into_iter().map(|entry| entry.name).collect())
        })
    }

    /// Tries an absolute path as a library.
    pub(super) fn probe(&self, path: &Path) -> Probe {
        memoised(&self.probes, path.as_os_str(), |_| self.look_at(path))
    }

    /// Reads a path as the main program, which may be an executable or a library.
    pub(super) fn program(&self, path: &Path) -> Probe {
        let (metadata, content) = match self.content(path) {
            Ok(found) => found,
            Err(error) => return self.of_error(&error),
        };
        match (content.summary, content.verdict) {
            (Some(summary), _) if Target::of(&summary) == self.target => {
                self.candidate(path, &metadata, summary)
            }
            (_, Verdict::Passed(outcome)) => Probe::Passed { outcome, next_directory: false },
            (_, Verdict::Fatal(message)) => Probe::Fatal(Fatal::new(path, message)),
            (_, Verdict::Library) => not_dynamic(path),
        }
    }

    fn look_at(&self, path: &Path) -> Probe {
        let (metadata, content) = match self.content(path) {
            Ok(found) => found,
            Err(error) => return self.of_error(&error),
        };
        match (content.verdict, content.summary) {
            (Verdict::Library, Some(summary)) => self.candidate(path, &metadata, summary),
            (Verdict::Library, None) => not_dynamic(path),
            (Verdict::Passed(outcome), _) => Probe::Passed { outcome, next_directory: true },
            (Verdict::Fatal(message), _) => Probe::Fatal(Fatal::new(path, message)),
        }
    }

    fn candidate(&self, path: &Path, metadata: &Metadata, summary: Arc<Summary>) -> Probe {
        Probe::Found(Arc::new(Candidate {
            path: path.into(),
            real: self.vfs.canonicalize(path).map_or_else(|_| path.into(), Into::into),
            directory: directory_of(path).into(),
            id: metadata.id,
            mode: metadata.mode,
            names: Arc::new(Names::of(&summary)),
            summary,
        }))
    }

    fn content(&self, path: &Path) -> io::Result<(Metadata, Content)> {
        let metadata = self.vfs.metadata(path)?;
        if metadata.kind != FileKind::File {
            let message = match metadata.kind {
                // It opens, and its first read fails.
                FileKind::Directory => "cannot read file data",
                _ => "invalid ELF header",
            };
            let verdict = Verdict::Fatal(message.into());
            return Ok((metadata, Content { verdict, summary: None }));
        }
        // The permission to read a file is in its inode: a file that was read by one path need not be opened by
        // another, since the directories in the path were just searched.
        let known =
            self.contents.read().unwrap_or_else(PoisonError::into_inner).get(&metadata.id).cloned();
        if let Some(content) = known {
            return Ok((metadata, content));
        }
        let headers = self.vfs.headers(path, metadata.id, None)?;
        let content = memoised(&self.contents, &metadata.id, |_| {
            let verdict = judge(&headers, self.target);
            let (of_object, summary) = match headers.object() {
                Ok(object) => (self.judge(object), Some(Arc::clone(&object.summary))),
                Err(error) => (Verdict::Fatal(error.to_string()), None),
            };
            let verdict = if matches!(verdict, Verdict::Library) { of_object } else { verdict };
            Content { verdict, summary }
        });
        Ok((metadata, content))
    }

    /// How `open_path` handles a path that does not open: after ENOENT and EACCES it tries the next
    /// directory, any other error ends the list.
    fn of_error(&self, error: &io::Error) -> Probe {
        let errno = Errno::from_io_error(error);
        let (outcome, next_directory) = match errno {
            Some(Errno::NOENT) => (StepOutcome::Absent, true),
            Some(Errno::NOTDIR) => (StepOutcome::Absent, self.version >= (2, 38)),
            Some(Errno::ACCESS) => (StepOutcome::Unreadable, true),
            Some(Errno::NAMETOOLONG) => (StepOutcome::Absent, false),
            _ => (StepOutcome::Unreadable, false),
        };
        Probe::Passed { outcome, next_directory }
    }

    /// The checks of `_dl_map_object_from_fd`, in its order.
    fn judge(&self, object: &Object) -> Verdict {
        let fatal = |message: &str| Verdict::Fatal(message.into());
        // For machines with larger pages this is left to their linkers.
        let has_small_pages = matches!(self.target.machine, 3 | 62);
        match object.summary.kind {
            _ if has_small_pages && !object.is_aligned => {
                fatal("ELF load command address/offset not page-aligned")
            }
            _ if !object.has_loads => fatal("object file has no loadable segments"),
            _ if object.e_type == header::ET_EXEC => fatal("cannot dynamically load executable"),
            Kind::NotDynamic => fatal(NO_DYNAMIC_SECTION),
            // Files of debug information keep the segment without its bytes.
            _ if !object.has_dynamic => fatal(NO_DYNAMIC_SECTION),
            Kind::Executable if self.version >= (2, 30) => {
                fatal("cannot dynamically load position-independent executable")
            }
            Kind::Executable | Kind::Shared => Verdict::Library,
        }
    }
}

/// What glibc says of a file of debug information, among others.
pub const NO_DYNAMIC_SECTION: &str = "object file has no dynamic section";

/// The directory of a path, by its last slash alone (`_dl_new_object`).
pub(super) fn directory_of(path: &Path) -> &Path {
    let bytes = path.as_os_str().as_bytes();
    let end = bytes.iter().rposition(|&byte| byte == b'/').unwrap_or(0);
    let directory = bytes.get(..end.max(1)).unwrap_or_default();
    Path::new(OsStr::from_bytes(directory))
}

fn not_dynamic(path: &Path) -> Probe {
    Probe::Fatal(Fatal::new(path, NO_DYNAMIC_SECTION))
}

/// The fields of an ELF header that `open_verify` reads.
struct Header<'h> {
    bytes: &'h [u8],
    is_64: bool,
    is_little: bool,
}

impl Header<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn half(&self, at: usize) -> u16 {
        let field = [self.byte(at), self.byte(at + 1)];
        if self.is_little { u16::from_le_bytes(field) } else { u16::from_be_bytes(field) }
    }

    /// `e_phoff`.
    fn program_headers(&self) -> u64 {
        let field = if self.is_64 { self.bytes.get(32..40) } else { self.bytes.get(28..32) };
        let bytes = field.unwrap_or_default().iter();
        let shift = |offset: u64, byte: &u8| offset << 8 | u64::from(*byte);
        if self.is_little { bytes.rev().fold(0, shift) } else { bytes.fold(0, shift) }
    }
}

/// The checks of `open_verify`, in its order.
fn judge(headers: &Headers, target: Target) -> Verdict {
    let is_64 = target.class == Class::Elf64;
    let size = if is_64 { header::header64::SIZEOF_EHDR } else { header::header32::SIZEOF_EHDR };
    let Some(bytes) = headers.start().get(..size) else {
        return Verdict::Fatal("file too short".into());
    };
    let is_little = target.endian == Endian::Little;
    let header = Header { bytes, is_64, is_little };
    if let Some(verdict) = refused_identification(&header) {
        return verdict;
    }
    let fatal = |message: &str| Verdict::Fatal(message.into());
    let e_version = if is_little { [1, 0, 0, 0] } else { [0, 0, 0, 1] };
    if bytes.get(20..24) != Some(&e_version) {
        return fatal("ELF file version does not match current one");
    }
    if header.half(18) != target.machine {
        return Verdict::Passed(StepOutcome::WrongMachine);
    }
    if header.half(16) != header::ET_DYN && header.half(16) != header::ET_EXEC {
        return fatal("only ET_DYN and ET_EXEC can be loaded");
    }
    let (phentsize, wanted) = if is_64 { (header.half(54), 56) } else { (header.half(42), 32) };
    if phentsize != wanted {
        return fatal("ELF file's phentsize not the expected size");
    }
    let count = u64::from(if is_64 { header.half(56) } else { header.half(44) });
    let end = header.program_headers().checked_add(count * u64::from(wanted));
    if end.is_none_or(|end| end > headers.file_len()) {
        return fatal("cannot read file data");
    }
    Verdict::Library
}

/// The checks of `e_ident`, in the order of `open_verify`; `None` if it is what it must be.
fn refused_identification(header: &Header<'_>) -> Option<Verdict> {
    let fatal = |message: &str| Some(Verdict::Fatal(message.into()));
    let Header { bytes, is_64, is_little } = *header;
    if !bytes.starts_with(header::ELFMAG) {
        return fatal("invalid ELF header");
    }
    if header.byte(header::EI_CLASS) != if is_64 { header::ELFCLASS64 } else { header::ELFCLASS32 }
    {
        return Some(Verdict::Passed(StepOutcome::WrongClass));
    }
    let data = if is_little { header::ELFDATA2LSB } else { header::ELFDATA2MSB };
    if header.byte(header::EI_DATA) != data {
        let wanted = if is_little { "little" } else { "big" };
        return fatal(&format!("ELF file data encoding not {wanted}-endian"));
    }
    if header.byte(header::EI_VERSION) != header::EV_CURRENT {
        return fatal("ELF file version ident does not match current one");
    }
    let osabi = header.byte(header::EI_OSABI);
    if osabi != header::ELFOSABI_NONE && osabi != header::ELFOSABI_GNU {
        return fatal("ELF file OS ABI invalid");
    }
    // glibc knows four ABI versions of ELFOSABI_GNU; on MIPS, some more.
    let known = if osabi == header::ELFOSABI_GNU { 4 } else { 1 };
    if header.byte(header::EI_ABIVERSION) >= known {
        return fatal("ELF file ABI version invalid");
    }
    if bytes.get(9..16) != Some(&[0; 7]) {
        return fatal("nonzero padding in e_ident");
    }
    None
}
