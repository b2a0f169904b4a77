//! A tree of files in memory, on which every rule of the loaders can be tested.

use super::walk::{self, Entry};
use super::{DirEntry, FileKind, Metadata, Vfs};
use crate::bytes::Source;
use rustix::io::Errno;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Component, Path, PathBuf};

/// A tree of files in memory, built by chained calls.
///
/// Missing directories are created, and an existing entry of the same name is replaced. Paths are
/// taken as they are written: no link is followed while building. Permissions are those of an
/// ordinary user who owns everything.
#[derive(Debug, Clone)]
pub struct MemVfs {
    nodes: Vec<Node>,
}

#[derive(Debug, Clone)]
struct Node {
    mode: u32,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    File(Vec<u8>),
    /// Names, and the indices of their nodes: in the order of their bytes, as `OsString` sorts.
    Directory(BTreeMap<OsString, usize>),
    Symlink(PathBuf),
    Other,
}

/// The root's index.
const ROOT: usize = 0;

impl Default for MemVfs {
    fn default() -> Self {
        Self::new()
    }
}

impl MemVfs {
    /// An empty root directory.
    #[must_use]
    pub fn new() -> Self {
        Self { nodes: vec![Node { mode: 0o755, content: Content::Directory(BTreeMap::new()) }] }
    }

    /// Puts a file of mode 0644 at `path`.
    #[must_use]
    pub fn file(self, path: impl AsRef<Path>, bytes: impl Into<Vec<u8>>) -> Self {
        self.with(path.as_ref(), 0o644, Content::File(bytes.into()))
    }

    /// Puts an empty directory of mode 0755 at `path`; an existing one is unchanged.
    #[must_use]
    pub fn dir(mut self, path: impl AsRef<Path>) -> Self {
        self.directory(path.as_ref());
        self
    }

    /// Puts a symbolic link at `path`.
    #[must_use]
    pub fn symlink(self, path: impl AsRef<Path>, target: impl Into<PathBuf>) -> Self {
        self.with(path.as_ref(), 0o777, Content::Symlink(target.into()))
    }

    /// Puts something at `path` that is neither file, directory nor link, such as a pipe.
    #[must_use]
    pub fn special(self, path: impl AsRef<Path>) -> Self {
        self.with(path.as_ref(), 0o644, Content::Other)
    }

    /// Gives the node at `existing` the additional name `path`.
    ///
    /// # Panics
    /// If there is nothing at `existing`.
    #[must_use]
    pub fn link(mut self, existing: impl AsRef<Path>, path: impl AsRef<Path>) -> Self {
        let existing = existing.as_ref();
        let index = self.lookup(existing);
        assert!(index.is_ok(), "{} cannot be linked: it is not there", existing.display());
        self.insert(path.as_ref(), index.unwrap_or(ROOT));
        self
    }

    /// Sets the permission bits of the node at `path`. Without a read bit a file cannot be opened
    /// and a directory cannot be listed; without a search bit nothing in a directory can be
    /// accessed.
    ///
    /// # Panics
    /// If there is nothing.
    #[must_use]
    pub fn mode(mut self, path: impl AsRef<Path>, mode: u32) -> Self {
        let path = path.as_ref();
        let index = self.lookup(path);
        assert!(index.is_ok(), "{} has no mode: it is not there", path.display());
        if let Some(node) = index.ok().and_then(|index| self.nodes.get_mut(index)) {
            node.mode = mode;
        }
        self
    }

    /// Removes every permission from the node at `path`.
    ///
    /// # Panics
    /// If there is nothing.
    #[must_use]
    pub fn unreadable(self, path: impl AsRef<Path>) -> Self {
        self.mode(path, 0)
    }

    fn with(mut self, path: &Path, mode: u32, content: Content) -> Self {
        self.nodes.push(Node { mode, content });
        self.insert(path, self.nodes.len() - 1);
        self
    }

    /// Gives the node `index` the name `path`, and creates missing directories.
    fn insert(&mut self, path: &Path, index: usize) {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return };
        let directory = self.directory(parent);
        if let Some(Node { content: Content::Directory(names), .. }) = self.nodes.get_mut(directory)
        {
            names.insert(name.to_owned(), index);
        }
    }

    /// The index of the directory at `path`, which is created if it is missing.
    fn directory(&mut self, path: &Path) -> usize {
        let mut at = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            let known = self.child(at, Path::new(name)).filter(|&index| {
                matches!(self.nodes.get(index), Some(Node { content: Content::Directory(_), .. }))
            });
            let next = known.unwrap_or(self.nodes.len());
            if known.is_none() {
                let content = Content::Directory(BTreeMap::new());
                self.nodes.push(Node { mode: 0o755, content });
                if let Some(Node { content: Content::Directory(names), .. }) =
                    self.nodes.get_mut(at)
                {
                    names.insert(name.to_owned(), next);
                }
            }
            at = next;
        }
        at
    }

    fn child(&self, directory: usize, name: &Path) -> Option<usize> {
        match &self.nodes.get(directory)?.content {
            Content::Directory(names) => names.get(name.as_os_str()).copied(),
            _ => None,
        }
    }

    /// The node at a path without links, except perhaps its last component.
    fn lookup(&self, path: &Path) -> io::Result<usize> {
        let mut at = ROOT;
        for component in path.components() {
            let Component::Normal(name) = component else { continue };
            match self.nodes.get(at) {
                Some(Node { content: Content::Directory(_), mode }) if mode & 0o111 == 0 => {
                    return Err(Errno::ACCESS.into());
                }
                Some(Node { content: Content::Directory(_), .. }) => {}
                _ => return Err(Errno::NOTDIR.into()),
            }
            at = self.child(at, Path::new(name)).ok_or(Errno::NOENT)?;
        }
        Ok(at)
    }

    fn resolve(&self, path: &Path, follow: bool) -> io::Result<PathBuf> {
        walk::resolve(path, follow, |at| {
            let index = self.lookup(at)?;
            Ok(match self.nodes.get(index).map(|node| &node.content) {
                Some(Content::Directory(_)) => Entry::Directory,
                Some(Content::Symlink(target)) => Entry::Link(target.clone()),
                _ => Entry::Other,
            })
        })
    }

    fn node(&self, path: &Path, follow: bool) -> io::Result<(usize, &Node)> {
        let index = self.lookup(&self.resolve(path, follow)?)?;
        Ok((index, self.nodes.get(index).ok_or(Errno::NOENT)?))
    }

    fn metadata_of(&self, path: &Path, follow: bool) -> io::Result<Metadata> {
        let (index, node) = self.node(path, follow)?;
        let names = self.nodes.iter().filter_map(|node| match &node.content {
            Content::Directory(names) => Some(names.values()),
            _ => None,
        });
        Ok(Metadata {
            kind: node.content.kind(),
            len: match &node.content {
                Content::File(bytes) => bytes.len() as u64,
                Content::Symlink(target) => target.as_os_str().len() as u64,
                Content::Directory(_) | Content::Other => 0,
            },
            id: (1, index as u64 + 1),
            links: names.flatten().filter(|&&named| named == index).count().max(1) as u64,
            mode: node.mode,
            uid: 0,
            modified: (0, 0),
        })
    }
}

impl Content {
    fn kind(&self) -> FileKind {
        match self {
            Self::File(_) => FileKind::File,
            Self::Directory(_) => FileKind::Directory,
            Self::Symlink(_) => FileKind::Symlink,
            Self::Other => FileKind::Other,
        }
    }
}

impl Vfs for MemVfs {
    fn symlink_metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.metadata_of(path, false)
    }

    fn metadata(&self, path: &Path) -> io::Result<Metadata> {
        self.metadata_of(path, true)
    }

    fn read_link(&self, path: &Path) -> io::Result<PathBuf> {
        match &self.node(path, false)?.1.content {
            Content::Symlink(target) => Ok(target.clone()),
            _ => Err(Errno::INVAL.into()),
        }
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let (_, node) = self.node(path, true)?;
        let Content::Directory(names) = &node.content else { return Err(Errno::NOTDIR.into()) };
        if node.mode & 0o444 == 0 {
            return Err(Errno::ACCESS.into());
        }
        let kind = |index: usize| self.nodes.get(index).map(|node| node.content.kind());
        Ok(names
            .iter()
            .filter_map(|(name, &index)| Some(DirEntry { name: name.clone(), kind: kind(index)? }))
            .collect())
    }

    fn canonicalize(&self, path: &Path) -> io::Result<PathBuf> {
        self.resolve(path, true)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Source + '_>> {
        let (_, node) = self.node(path, true)?;
        match &node.content {
            Content::File(_) if node.mode & 0o444 == 0 => Err(Errno::ACCESS.into()),
            Content::File(bytes) => Ok(Box::new(bytes.as_slice())),
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
        }
    }
}
