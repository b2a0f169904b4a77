//! A wheel (PEP 427) as a tree: its members as an installer would lay them out, seen through the
//! [`Vfs`] and inflated only where they are read, and the wheel with edited members as edits of the
//! archive.

mod archive;
mod error;
mod inflate;
mod repack;

pub use error::{Error, Why};
pub use repack::Change;

use super::read_start;
use crate::bytes::{self, Source};
use crate::vfs::{DirEntry, FileKind, Metadata, Vfs};
use archive::{Archive, Member, Method};
use inflate::{Deflated, Pieces, Progress};
use rustix::io::Errno;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// The device that members seem to be on; their inodes are their positions in the directory.
const DEVICE: u64 = u64::MAX;
/// The headers of the file WHEEL are read up to this length.
const MAX_HEADER_BYTES: u64 = 1 << 20;
/// The most tags of one set: a set of three lists has the product of their sizes.
const MAX_TAGS: usize = 1000;

/// A wheel, whose members are files below its own path: `/dist/x-1.0-py3-none-any.whl/x/lib.so`.
///
/// Nothing else is visible through it. Everything that an installer puts into site-packages is in
/// one tree, including the files below `NAME.data/purelib` and `NAME.data/platlib`. Files for other
/// directories stay below `NAME.data`.
pub struct Wheel<'a> {
    path: PathBuf,
    source: Box<dyn Source + 'a>,
    archive: Archive,
    /// By the path below the wheel, with directories.
    nodes: BTreeMap<PathBuf, Node>,
    children: BTreeMap<PathBuf, BTreeSet<OsString>>,
    dist_info: PathBuf,
    pieces: Pieces,
    progress: Vec<Progress>,
    fault: Mutex<Option<Error>>,
}

/// A member that differs between two wheels.
pub struct Changed {
    /// The path as RECORD has it.
    pub name: Vec<u8>,
    /// The path below the wheel.
    pub path: PathBuf,
    /// Is it the wheel's own RECORD?
    pub is_record: bool,
}

#[derive(Debug, Clone, Copy)]
enum Node {
    /// Its inode.
    Directory(u64),
    /// Its position in the archive's directory.
    File(usize),
}

impl<'a> Wheel<'a> {
    /// Opens the wheel at `path`, which is absolute, and reads its directory.
    ///
    /// # Errors
    /// If it cannot be read, is malformed, or has members that are not allowed in a wheel: see
    /// [`Why`].
    pub fn open(vfs: &'a dyn Vfs, path: &Path) -> Result<Self, Error> {
        let source = vfs.open(path).map_err(|error| Why::Unreadable(error.to_string()))?;
        Self::of(source, path)
    }

    /// The wheel in `source`, which is shown at `path`.
    ///
    /// # Errors
    /// As for [`Wheel::open`].
    pub fn of(source: Box<dyn Source + 'a>, path: &Path) -> Result<Self, Error> {
        let archive = Archive::read(source.as_ref())?;
        let names = archive.members.iter().map(|member| member.name.as_slice());
        let dist_infos = names.filter_map(|name| name.strip_suffix(b".dist-info/RECORD"));
        // Those of vendored distributions are deeper.
        let dist_infos: Vec<&[u8]> = dist_infos.filter(|name| !name.contains(&b'/')).collect();
        let [dist_info] = dist_infos.as_slice() else {
            return Err(Why::DistInfo(dist_infos.len()).into());
        };
        let dist_info = [dist_info, &b".dist-info"[..]].concat();
        let mut wheel = Self {
            path: path.to_owned(),
            progress: archive.members.iter().map(|_| Progress::default()).collect(),
            dist_info: PathBuf::from(OsStr::from_bytes(&dist_info)),
            source,
            archive,
            nodes: BTreeMap::from([(PathBuf::new(), Node::Directory(0))]),
            children: BTreeMap::new(),
            pieces: Pieces::default(),
            fault: Mutex::new(None),
        };
        for index in 0..wheel.archive.members.len() {
            wheel.place(index)?;
        }
        Ok(wheel)
    }

    /// The wheel's own path, below which its members are.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The first error when members were read: a damaged member looks like a truncated file.
    ///
    /// # Errors
    /// That.
    pub fn fault(&self) -> Result<(), Error> {
        let fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.clone().map_or(Ok(()), Err)
    }

    /// The tags of the file WHEEL, such as `cp311-cp311-macosx_12_0_arm64`; if it has none, those of
    /// the wheel's name. Compressed sets are expanded.
    #[must_use]
    pub fn tags(&self) -> Vec<String> {
        let file = self.path.join(&self.dist_info).join("WHEEL");
        let text = read_start(self, &file, MAX_HEADER_BYTES).unwrap_or_default();
        let text = String::from_utf8_lossy(&text).into_owned();
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let tags = lines.filter(|(name, _)| name.trim().eq_ignore_ascii_case("tag"));
        let mut tags: Vec<String> = tags.flat_map(|(_, tag)| apart(tag.trim())).collect();
        if tags.is_empty() {
            let stem = self.path.file_stem().map(OsStr::to_string_lossy).unwrap_or_default();
            let parts: Vec<&str> = stem.rsplitn(4, '-').collect();
            if let [platforms, abis, pythons, _] = parts.as_slice() {
                tags = apart(&format!("{pythons}-{abis}-{platforms}"));
            }
        }
        tags
    }

    /// The members of the archive that are files: the path as RECORD has it, the path below the
    /// wheel, and the length in bytes.
    pub fn members(&self) -> impl Iterator<Item = (&[u8], PathBuf, u64)> {
        self.nodes.iter().filter_map(|(path, node)| {
            let Node::File(index) = node else { return None };
            let member = self.archive.members.get(*index)?;
            Some((member.name.as_slice(), self.path.join(path), member.size))
        })
    }

    /// The members whose compressed bytes differ in another wheel; none if that has other members or
    /// headers.
    ///
    /// # Errors
    /// If an archive cannot be read.
    pub fn changed(&self, other: &Self) -> Result<Option<Vec<Changed>>, Error> {
        let (own, others) = (&self.archive.members, &other.archive.members);
        let key = |member: &Member| (member.name.clone(), member.mode);
        if own.iter().map(key).ne(others.iter().map(key)) {
            return Ok(None);
        }
        let record = self.dist_info.join("RECORD");
        let mut changed = Vec::new();
        let mut indexes = HashSet::new();
        for (path, node) in &self.nodes {
            let Node::File(index) = node else { continue };
            let (Some(one), Some(two)) = (own.get(*index), others.get(*index)) else { continue };
            let len = one.data.end - one.data.start;
            let is_same = (one.method, one.crc32, one.size) == (two.method, two.crc32, two.size)
                && len == two.data.end - two.data.start
                && bytes::is_same(&self.source, one.data.start, &other.source, two.data.start, len);
            if !is_same {
                let (name, is_record) = (one.name.clone(), *path == record);
                changed.push(Changed { name, path: self.path.join(path), is_record });
                indexes.insert(*index);
            }
        }
        // Headers, comments, and bytes between members that belong to none.
        let kept =
            |wheel: &Self| wheel.archive.kept(wheel.source.len(), |index| indexes.contains(&index));
        let (kept, others) = (kept(self), kept(other));
        let is_same = |(one, two): (&Range<u64>, &Range<u64>)| {
            let len = one.end - one.start;
            len == two.end - two.start
                && bytes::is_same(&self.source, one.start, &other.source, two.start, len)
        };
        let is_kept = kept.len() == others.len() && kept.iter().zip(&others).all(is_same);
        Ok(is_kept.then_some(changed))
    }

    /// Does a member have the checksum in the archive?
    ///
    /// # Errors
    /// If there is no such member, or it cannot be read.
    pub fn has_right_checksum(&self, path: &Path) -> io::Result<bool> {
        const PIECE: u64 = 1 << 20;
        let (index, member) = self.member_at(path)?;
        let source = self.open_member(index, member)?;
        let mut crc = flate2::Crc::new();
        let mut at = 0;
        while at < source.len() {
            let end = source.len().min(at + PIECE);
            let piece = source.get(at..end).ok_or_else(|| io::Error::other("it cannot be read"))?;
            crc.update(&piece);
            at = end;
        }
        Ok(member.crc32 == crc.sum())
    }

    /// Puts a member where an installer would put it.
    fn place(&mut self, index: usize) -> Result<(), Error> {
        let Some(member) = self.archive.members.get(index) else { return Ok(()) };
        let is_directory = member.name.ends_with(b"/");
        let name = member.name.strip_suffix(b"/").unwrap_or(&member.name);
        let path = Path::new(OsStr::from_bytes(name));
        let parts: Vec<&[u8]> = name.split(|&byte| byte == b'/').collect();
        let is_plain = |part: &&[u8]| !matches!(*part, b"" | b"." | b"..");
        if !parts.iter().all(is_plain) || name.iter().any(|byte| matches!(byte, 0 | b'\\')) {
            return Err(member.refused(Why::Outside));
        }
        let path = super::as_installed(self.dist_info.as_os_str(), path);
        let refused = |why| Err(member.refused(why));
        for above in path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()) {
            let new = Node::Directory(self.nodes.len() as u64);
            match self.nodes.entry(above.to_owned()).or_insert(new) {
                Node::Directory(_) => {}
                Node::File(_) => return refused(Why::FileAndDirectory),
            }
        }
        let new = Node::Directory(self.nodes.len() as u64);
        let node = if is_directory { new } else { Node::File(index) };
        match (self.nodes.get(&path), node) {
            (None, _) => _ = self.nodes.insert(path.clone(), node),
            (Some(Node::Directory(_)), Node::Directory(_)) => {}
            (Some(Node::File(_)), Node::File(_)) => return refused(Why::Twice),
            (Some(_), _) => return refused(Why::FileAndDirectory),
        }
        for (above, below) in path.ancestors().skip(1).zip(path.ancestors()) {
            let Some(name) = below.file_name() else { continue };
            if !self.children.entry(above.to_owned()).or_default().insert(name.to_owned()) {
                break;
            }
        }
        Ok(())
    }

    /// The node at a path, and its path below the wheel. As in the kernel, `..` below a file does
    /// not exist.
    fn node(&self, path: &Path) -> io::Result<(PathBuf, Node)> {
        let outside = || io::Error::from(Errno::NOENT);
        let below = path.strip_prefix(&self.path).map_err(|_| outside())?;
        let (mut at, mut node) = (PathBuf::new(), Node::Directory(0));
        for part in below.components() {
            if !matches!(node, Node::Directory(_)) {
                return Err(Errno::NOTDIR.into());
            }
            match part {
                Component::CurDir => continue,
                Component::ParentDir if !at.pop() => return Err(outside()),
                Component::ParentDir => {}
                Component::Normal(name) => at.push(name),
                Component::RootDir | Component::Prefix(_) => return Err(outside()),
            }
            node = *self.nodes.get(&at).ok_or_else(outside)?;
        }
        let asks_for_directory = path.as_os_str().as_bytes().ends_with(b"/");
        match node {
            Node::File(_) if asks_for_directory => Err(Errno::NOTDIR.into()),
            _ => Ok((at, node)),
        }
    }

    fn member_at(&self, path: &Path) -> io::Result<(usize, &Member)> {
        match self.node(path)? {
            (_, Node::File(index)) => {
                let member = self.archive.members.get(index);
                member.map(|member| (index, member)).ok_or_else(|| Errno::NOENT.into())
            }
            (_, Node::Directory(_)) => {
                Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"))
            }
        }
    }

    fn open_member(&self, index: usize, member: &Member) -> Result<Box<dyn Source + '_>, Error> {
        match member.method {
            Method::Stored => {
                Ok(Box::new(Stored { archive: &*self.source, data: member.data.clone() }))
            }
            Method::Deflated => Ok(Box::new(Deflated {
                archive: &*self.source,
                data: member.data.clone(),
                len: member.size,
                index,
                pieces: &self.pieces,
                progress: self.progress.get(index).ok_or_else(|| member.refused(Why::NoEnd))?,
                complain: self,
            })),
            Method::Other(number) => Err(member.refused(Why::Method(number))),
        }
    }
}

impl inflate::Complain for Wheel<'_> {
    fn complain(&self, index: usize, why: Why) {
        let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        if let (None, Some(member)) = (&*fault, self.archive.members.get(index)) {
            *fault = Some(member.refused(why));
        }
    }
}

/// The tags of a compressed set (PEP 425).
fn apart(set: &str) -> Vec<String> {
    let [pythons, abis, platforms] = set.split('-').collect::<Vec<_>>()[..] else {
        return Vec::new();
    };
    let sets = pythons.split('.').flat_map(|python| {
        let abis = abis.split('.').map(move |abi| (python, abi));
        abis.flat_map(|(python, abi)| platforms.split('.').map(move |one| (python, abi, one)))
    });
    let tags = sets.map(|(python, abi, platform)| format!("{python}-{abi}-{platform}"));
    tags.take(MAX_TAGS).collect()
}

impl Vfs for Wheel<'_> {
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        Ok(match self.node(path)?.1 {
            Node::File(index) => {
                let member = self.archive.members.get(index);
                Metadata {
                    kind: FileKind::File,
                    len: member.map_or(0, |member| member.size),
                    id: (DEVICE, index as u64),
                    links: 1,
                    mode: member.and_then(|member| member.mode).unwrap_or(0o644),
                    uid: 0,
                    modified: (0, 0),
                }
            }
            Node::Directory(inode) => {
                let id = (DEVICE - 1, inode);
                Metadata {
                    kind: FileKind::Directory,
                    len: 0,
                    id,
                    links: 1,
                    mode: 0o755,
                    uid: 0,
                    modified: (0, 0),
                }
            }
        })
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.symlink_metadata(path)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        self.node(path)?;
        Err(Errno::INVAL.into())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let (at, Node::Directory(_)) = self.node(path)? else { return Err(Errno::NOTDIR.into()) };
        let names = self.children.get(&at).into_iter().flatten();
        let entries = names.map(|name| DirEntry {
            name: name.clone(),
            kind: match self.nodes.get(&at.join(name)) {
                Some(Node::File(_)) => FileKind::File,
                _ => FileKind::Directory,
            },
        });
        Ok(entries.collect())
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        let (at, _) = self.node(path)?;
        Ok(if at.as_os_str().is_empty() { self.path.clone() } else { self.path.join(at) })
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        let (index, member) = self.member_at(path)?;
        Ok(self.open_member(index, member)?)
    }
}

/// A member that is not compressed.
struct Stored<'a> {
    archive: &'a dyn Source,
    data: Range<u64>,
}

impl Source for Stored<'_> {
    fn len(&self) -> u64 {
        self.data.end - self.data.start
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if range.start > range.end || range.end > self.len() {
            return None;
        }
        self.archive.get(self.data.start + range.start..self.data.start + range.end)
    }
}

#[cfg(test)]
mod tests {
    use super::apart;

    #[test]
    fn a_set_of_tags_is_taken_apart() {
        assert_eq!(
            apart("py2.py3-none-macosx_10_9_intel.macosx_10_9_x86_64"),
            [
                "py2-none-macosx_10_9_intel",
                "py2-none-macosx_10_9_x86_64",
                "py3-none-macosx_10_9_intel",
                "py3-none-macosx_10_9_x86_64",
            ]
        );
        assert!(apart("any").is_empty());
    }
}
