//! The free space of file systems, and how much of it an operation uses.

use super::error::{Error, PathError};
use super::owner;
use super::tree::Directory;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Bytes that an operation leaves free, including those for its record.
const SPARE: u64 = 1 << 20;

/// The free space of file systems. Each is queried once.
#[derive(Default)]
pub(super) struct FreeSpace {
    devices: BTreeMap<u64, Needed>,
}

struct Needed {
    path: PathBuf,
    /// The bytes by which files grow, minus those by which they shrink.
    needed: i64,
    available: u64,
}

impl FreeSpace {
    /// Counts `bytes` that will be used on a device, or freed if negative; `directory` is on that device.
    pub(super) fn take(
        &mut self,
        directory: &Directory,
        device: u64,
        bytes: i64,
    ) -> Result<(), Error> {
        if let Some(known) = self.devices.get_mut(&device) {
            known.needed = known.needed.saturating_add(bytes);
            return Ok(());
        }
        let path = directory.path().to_path_buf();
        let space = rustix::fs::fstatvfs(directory)
            .map_err(|source| PathError::new("find the free space of", &path, source))?;
        let blocks = if owner::myself() == 0 { space.f_bfree } else { space.f_bavail };
        let available = blocks.saturating_mul(space.f_frsize);
        self.devices.insert(device, Needed { path, needed: bytes, available });
        Ok(())
    }

    /// Fails if the steps need more space than is free. Steps that need no space are not checked, because a
    /// revert frees space.
    pub(super) fn check(&self) -> Result<(), Error> {
        for Needed { path, needed, available } in self.devices.values() {
            let needed = u64::try_from(*needed).unwrap_or_default();
            if needed > 0 && *available < needed.saturating_add(SPARE) {
                return Err(Error::NoSpace {
                    path: path.clone(),
                    needed: needed.saturating_add(SPARE),
                    available: *available,
                });
            }
        }
        Ok(())
    }
}
