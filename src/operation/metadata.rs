//! The metadata of a file that are kept when its bytes change: mode, owner, times and extended attributes.

use super::disk::{Disk, Handle, is_not_permitted};
use super::error::PathError;
use super::file_source::FileSource;
use super::times::Times;
use super::tree::Stat;
use crate::bytes::Source;
use crate::edit::base64_bytes;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::path::Path;

/// Mode, owner, times and extended attributes of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metadata {
    /// Permission bits, as in `st_mode & 0o7777`.
    pub mode: u32,
    /// The owner's user ID.
    pub uid: u32,
    /// The owner's group ID.
    pub gid: u32,
    /// The times of last access and last modification.
    pub times: Times,
    /// Extended attributes, which include access control lists and capabilities.
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

/// The attribute that contains the capabilities of a file. The kernel removes it whenever the file is
/// written.
pub(super) const CAPABILITY: &str = "security.capability";

/// The attribute with SELinux's label, which the policy sets.
pub(super) const LABEL: &str = "security.selinux";

impl Metadata {
    /// The metadata of an open file.
    ///
    /// # Errors
    /// The error of the operating system.
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

    /// The metadata of a file that is being read.
    ///
    /// # Errors
    /// The error of the operating system.
    pub(super) fn of_source(source: &FileSource) -> Result<Self, PathError> {
        Self::of(&source.file, source.path())
    }

    /// Sets the metadata of a file. Only differing values are changed.
    pub(super) fn restore(&self, disk: &Disk, to: &Handle) -> Result<(), PathError> {
        let now = Self::of(&to.file, &to.path)?;
        if (now.uid, now.gid) != (self.uid, self.gid) {
            disk.set_owner(to, self.uid, self.gid)?;
        }
        // Setting the owner may have cleared bits of the mode, so compare the mode again.
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
