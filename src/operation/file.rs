//! What stays of a file when its bytes change, and its bytes, read piecewise.

use super::disk::{Disk, Handle, Times, is_not_permitted};
use super::error::PathError;
use super::journal::{self, Step};
use super::tree::{FileId, Name, Stat};
use crate::bytes::Source;
use crate::edit::{Content, Edit, EditSet, Patched, base64_bytes};
use crate::plan::Lock;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, Ordering};

/// Mode, owner, times and extended attributes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Permission bits, as in `st_mode & 0o7777`.
    pub mode: u32,
    /// The owner's user ID.
    pub uid: u32,
    /// The owner's group ID.
    pub gid: u32,
    /// Of last access and change.
    pub times: Times,
    /// Extended attributes: access control lists and capabilities are some of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

/// An extended attribute.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// The name, with its namespace.
    pub name: String,
    /// The value, any bytes.
    #[serde(with = "base64_bytes")]
    pub value: Vec<u8>,
}

/// The attribute that holds a file's capabilities; the kernel drops it whenever the file is
/// written to.
pub(super) const CAPABILITY: &str = "security.capability";

/// The attribute that holds SELinux's label, which its policy decides, not who writes.
pub(super) const LABEL: &str = "security.selinux";

/// Which file it was when it was looked at: a later look tells whether somebody wrote since. The time
/// of the last change of the inode is not part of it, for that moves whenever another name of the file
/// comes or goes, and content counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    file: FileId,
    len: u64,
    modified: (i64, u32),
}

impl Identity {
    pub(super) fn of(stat: &Stat) -> Self {
        Self { file: stat.id(), len: stat.len, modified: stat.modified }
    }
}

impl Metadata {
    /// Of an open file.
    ///
    /// # Errors
    /// As the operating system's.
    pub(super) fn of(file: &File, path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read the metadata of", path, source);
        let stat = Stat::from(rustix::fs::fstat(file).map_err(|error| failed(error.into()))?);
        Ok(Self {
            mode: stat.mode,
            uid: stat.uid,
            gid: stat.gid,
            times: Times::from(&stat),
            attributes: attributes_of(file).map_err(failed)?,
        })
    }

    /// Gives the file this metadata, and changes only what differs.
    pub(super) fn restore(&self, disk: &Disk, to: &Handle) -> Result<(), PathError> {
        let now = Self::of(&to.file, &to.path)?;
        if (now.uid, now.gid) != (self.uid, self.gid) {
            disk.set_owner(to, self.uid, self.gid)?;
        }
        // Setting the owner may have cleared bits of the mode: always look again.
        let now = Self::of(&to.file, &to.path)?;
        if now.mode != self.mode {
            disk.set_mode(to, self.mode)?;
        }
        for attribute in &now.attributes {
            if !self.attributes.iter().any(|wanted| wanted.name == attribute.name)
                && attribute.name != LABEL
            {
                disk.remove_attribute(to, &attribute.name)?;
            }
        }
        for attribute in self.attributes.iter().filter(|wanted| !now.attributes.contains(wanted)) {
            match disk.set_attribute(to, &attribute.name, &attribute.value) {
                Err(error) if attribute.name == LABEL && is_not_permitted(&error) => {}
                result => result?,
            }
        }
        if Self::of(&to.file, &to.path)?.times != self.times {
            disk.set_times(to, self.times)?;
        }
        Ok(())
    }
}

fn attributes_of(file: &File) -> std::io::Result<Vec<Attribute>> {
    let mut names = Vec::new();
    match rustix::fs::flistxattr_query(file) {
        Ok(0) | Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => {}
        Err(error) => return Err(error.into()),
        Ok(len) => {
            names.resize(len, 0);
            let found = rustix::fs::flistxattr(file, &mut names)?;
            names.truncate(found);
        }
    }
    let mut attributes = Vec::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let name = std::str::from_utf8(name).map_err(std::io::Error::other)?;
        let mut value = vec![0; rustix::fs::fgetxattr_query(file, name)?];
        if !value.is_empty() {
            let found = rustix::fs::fgetxattr(file, name, &mut value)?;
            value.truncate(found);
        }
        attributes.push(Attribute { name: name.to_owned(), value });
    }
    attributes.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(attributes)
}

/// An open file as a [`Source`]. It is read, never mapped, so that a file that shrinks meanwhile
/// is an error and no signal.
pub(super) struct FileSource {
    pub(super) file: File,
    len: u64,
    path: PathBuf,
    /// The number of the error with which a read failed; 0 where none did.
    failed: AtomicI32,
}

impl FileSource {
    /// Opens the regular file under a name; a link is not followed.
    pub(super) fn open(name: &Name) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", name.path(), source);
        Self::of(name.open().map_err(failed)?, name.path())
    }

    /// Opens what `path` leads to, links followed: a file that a person named.
    pub(super) fn open_named(path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", path, source);
        Self::of(File::open(path).map_err(failed)?, path)
    }

    /// A file that is open already, and is called `path` in errors.
    pub(super) fn of(file: File, path: &Path) -> Result<Self, PathError> {
        let failed = |source| PathError::new("read", path, source);
        let len = file.metadata().map_err(failed)?.len();
        Ok(Self { file, len, path: path.to_path_buf(), failed: AtomicI32::new(0) })
    }

    /// The same file once more.
    pub(super) fn again(&self) -> Result<Self, PathError> {
        let file = self.file.try_clone();
        let file = file.map_err(|source| PathError::new("read", &self.path, source))?;
        Ok(Self { file, len: self.len, path: self.path.clone(), failed: AtomicI32::new(0) })
    }

    /// The same open file, to be written to.
    pub(super) fn handle(&self) -> Result<Handle, PathError> {
        let Self { file, path, .. } = self.again()?;
        Ok(Handle { file, path })
    }

    pub(super) fn metadata(&self) -> Result<Metadata, PathError> {
        Metadata::of(&self.file, &self.path)
    }

    /// Fails where a read has failed. Whoever concludes from bytes that are not there that they are others
    /// asks for this first; a file that became shorter is another one indeed, and no failure.
    pub(super) fn require_read(&self) -> Result<(), PathError> {
        match self.failed.load(Ordering::Relaxed) {
            0 => Ok(()),
            number => {
                let source = std::io::Error::from_raw_os_error(number);
                Err(PathError::new("read", &self.path, source))
            }
        }
    }

    pub(super) fn stat(&self) -> Result<Stat, PathError> {
        let stat = rustix::fs::fstat(&self.file);
        Ok(stat.map_err(|source| PathError::new("read", &self.path, source))?.into())
    }
}

impl Source for FileSource {
    fn len(&self) -> u64 {
        self.len
    }

    fn get(&self, range: Range<u64>) -> Option<Cow<'_, [u8]>> {
        if range.start > range.end || range.end > self.len {
            return None;
        }
        let mut bytes = vec![0; usize::try_from(range.end - range.start).ok()?];
        match self.file.read_exact_at(&mut bytes, range.start) {
            Ok(()) => Some(Cow::Owned(bytes)),
            Err(error) => {
                if let Some(number) = error.raw_os_error() {
                    self.failed.store(number, Ordering::Relaxed);
                }
                None
            }
        }
    }
}

/// Runs `look` on `source` as it would be after all of `edits`, one after the other.
pub(super) fn through<T>(
    source: &dyn Source,
    edits: &[&EditSet],
    look: &mut dyn FnMut(&dyn Source) -> T,
) -> T {
    match edits.split_first() {
        None => look(source),
        Some((first, rest)) => through(&Patched::new(source, first), rest, look),
    }
}

/// How `source` differs from what is locked, if it does.
pub(super) fn change(lock: &Lock, source: &dyn Source) -> Option<super::Change> {
    if lock.size != source.len() {
        return Some(super::Change::Size { expected: lock.size, found: source.len() });
    }
    let found = lock.digest_in(source).unwrap_or_else(|| "unreadable".to_owned());
    (found != lock.digest).then(|| super::Change::Digest {
        at: None,
        expected: lock.digest.clone(),
        found,
    })
}

/// How `source` differs from what `step` left, if it does: anywhere in the file, where a digest of
/// the whole was kept.
pub(super) fn change_since(step: &Step, source: &dyn Source) -> Option<super::Change> {
    let Some(mut change) = change(&step.new.lock, source) else {
        return outside(&step.new, source);
    };
    if let (super::Change::Digest { at, .. }, Some(last)) = (&mut change, step.changes.last()) {
        let written = last.edits.in_write_order().iter().zip(last.edits.new_ranges());
        *at = written.filter_map(|(edit, range)| first_difference(edit, range, source)).min();
    }
    Some(change)
}

/// How `source` differs from what was recorded outside of the ranges that the edits rely on, if it
/// does and a digest of the whole was kept.
pub(super) fn outside(state: &journal::State, source: &dyn Source) -> Option<super::Change> {
    let expected = state.whole.as_ref()?;
    let found = expected.of_same_kind(source);
    (found.as_ref() != Some(expected)).then(|| super::Change::Outside {
        expected: expected.to_string(),
        found: found.map_or_else(|| "unreadable".to_owned(), |found| found.to_string()),
    })
}

fn first_difference(edit: &Edit, range: Range<u64>, source: &dyn Source) -> Option<u64> {
    let Content::Bytes(written) = &edit.new else { return None };
    let now = source.get(range.clone())?;
    let differs = written.iter().zip(now.iter()).position(|(one, other)| one != other)?;
    Some(range.start + differs as u64)
}
