//! Which distribution owns a file, by the RECORDs of all of them.

use super::distribution::{Distribution, Problem};
use super::{as_installed, join_lexically, read_whole, record};
use crate::hashing::QuickMap;
use crate::vfs::Vfs;
use std::collections::hash_map::Entry;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// A row of a RECORD that names a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner {
    /// Index of the distribution in the list that the owners were read from.
    pub distribution: usize,
    /// Index of the row in its RECORD, as [`record::edits`] counts them.
    pub row: usize,
    /// The file's length in bytes as RECORD has it.
    pub size: Option<u64>,
    /// Has the row a hash?
    pub hashed: bool,
}

/// The owners of the requested files.
#[derive(Debug, Clone, Default)]
pub struct Owners {
    /// By paths in one spelling, byte for byte.
    files: QuickMap<OsString, Vec<Owner>>,
    /// Directories that are links, in one spelling and byte for byte, with their targets.
    links: QuickMap<OsString, PathBuf>,
}

impl Owners {
    /// Reads the RECORDs of `distributions`, and keeps the rows whose path `wanted` accepts, as it is
    /// written: an environment has some 40,000 rows, and few of them are objects. A distribution owns
    /// nothing if it has no RECORD, or one that is too long. With a malformed RECORD it owns the rows
    /// before the error.
    #[must_use]
    pub fn new(
        vfs: &dyn Vfs,
        distributions: &[Distribution],
        wanted: impl Fn(&[u8]) -> bool,
    ) -> (Self, Vec<Problem>) {
        let mut owners = Self::default();
        let mut problems = Vec::new();
        for (index, distribution) in distributions.iter().enumerate() {
            let path = distribution.record();
            let bytes = match read_whole(vfs, &path, record::MAX_BYTES) {
                Ok(bytes) => bytes,
                Err(error) => {
                    // No RECORD in a directory, or no directory: an egg-info that is a file.
                    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
                    if !absent.contains(&error.kind()) {
                        problems.push(Problem::Unreadable { path, source: error });
                    }
                    continue;
                }
            };
            if let Err(source) = owners.add(&bytes, index, distribution, &wanted) {
                problems.push(Problem::MalformedRecord { path, source });
            }
        }
        (owners, problems)
    }

    fn add(
        &mut self,
        bytes: &[u8],
        index: usize,
        distribution: &Distribution,
        wanted: impl Fn(&[u8]) -> bool,
    ) -> Result<(), crate::bytes::Error> {
        let info = distribution.location.file_name().unwrap_or_default();
        for (row, found) in record::rows(bytes).enumerate() {
            let found = found?;
            if wanted(&found.path) {
                let owner = Owner {
                    distribution: index,
                    row,
                    size: found.size,
                    hashed: found.hash.is_some(),
                };
                let path = as_installed(info, Path::new(OsStr::from_bytes(&found.path)));
                let path = join_lexically(&distribution.site, &path);
                // Nearly every file has one owner: space for four would be most of the memory.
                match self.files.entry(path.into_os_string()) {
                    Entry::Vacant(file) => _ = file.insert(vec![owner]),
                    Entry::Occupied(mut file) => file.get_mut().push(owner),
                }
            }
        }
        Ok(())
    }

    /// The rows that name the file at `path`, an absolute path below the site-packages directory
    /// as the distribution has it, or beside it, as `PREFIX/bin/f2py`. Several where distributions
    /// share a file, or are installed twice.
    #[must_use]
    pub fn of(&self, path: &Path) -> &[Owner] {
        let path = self.behind_links(join_lexically(Path::new("/"), path));
        self.files.get(path.as_os_str()).map_or(&[], Vec::as_slice)
    }

    /// Adds the names of files below linked directories: each link, and its target.
    #[must_use]
    pub fn through(mut self, links: impl IntoIterator<Item = (PathBuf, PathBuf)>) -> Self {
        let spelled = |path: PathBuf| join_lexically(Path::new("/"), &path).into_os_string();
        self.links.extend(links.into_iter().map(|(link, target)| (spelled(link), target)));
        if self.links.is_empty() {
            return self;
        }
        for (path, mut owners) in std::mem::take(&mut self.files) {
            let path = self.behind_links(PathBuf::from(path)).into_os_string();
            self.files.entry(path).or_default().append(&mut owners);
        }
        for owners in self.files.values_mut() {
            owners.sort_by_key(|owner| (owner.distribution, owner.row));
        }
        self
    }

    /// A file by the directory that the last link in its path leads to.
    fn behind_links(&self, path: PathBuf) -> PathBuf {
        if self.links.is_empty() {
            return path;
        }
        let bytes = path.as_os_str().as_bytes();
        let behind = memchr::memrchr_iter(b'/', bytes).find_map(|slash| {
            let (directory, rest) = bytes.split_at_checked(slash)?;
            let target = self.links.get(OsStr::from_bytes(directory))?;
            Some(target.join(OsStr::from_bytes(rest.get(1..)?)))
        });
        behind.unwrap_or(path)
    }

    /// Every requested file, with its rows, by path.
    #[must_use]
    pub fn files(&self) -> Vec<(&Path, &[Owner])> {
        self.with_rows(1)
    }

    /// The files that several rows name, with these, by path.
    #[must_use]
    pub fn shared(&self) -> Vec<(&Path, &[Owner])> {
        self.with_rows(2)
    }

    fn with_rows(&self, least: usize) -> Vec<(&Path, &[Owner])> {
        let files = self.files.iter().filter(|(_, owners)| owners.len() >= least);
        let mut files: Vec<_> =
            files.map(|(path, owners)| (Path::new(path), owners.as_slice())).collect();
        files.sort_unstable_by_key(|(path, _)| *path);
        files
    }
}
