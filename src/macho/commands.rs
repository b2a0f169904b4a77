//! A new list of load commands, and the edits that replace the old list with it.

use super::image::{Command, Image, is_needed};
use super::names::Names;
use crate::bytes::Source as _;
use crate::edit::{Content, Edit};
use goblin::mach::load_command as lc;
use std::collections::HashSet;

/// The load commands of a little-endian 64-bit slice, in order.
pub(super) struct Commands {
    list: Vec<(u32, Vec<u8>)>,
}

impl Commands {
    /// The load commands of a slice.
    pub(super) fn of(image: &Image<'_>) -> Self {
        let own = |command: &Command| (command.cmd, command.bytes.clone());
        Self { list: image.commands().iter().map(own).collect() }
    }

    /// Their size in bytes.
    pub(super) fn len(&self) -> u64 {
        self.list.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// Replaces every `LC_RPATH`. The new ones are placed at the position of the first old one, or else
    /// before `LC_CODE_SIGNATURE`, or else at the end. Only the first of equal entries is kept.
    pub(super) fn set_rpaths(&mut self, entries: &[Vec<u8>]) {
        let place = |wanted: u32| self.list.iter().position(|(cmd, _)| *cmd == wanted);
        let at =
            place(lc::LC_RPATH).or_else(|| place(lc::LC_CODE_SIGNATURE)).unwrap_or(self.list.len());
        let unique = without_duplicates(entries).into_iter();
        let new: Vec<_> = unique.map(|entry| (lc::LC_RPATH, rpath_command(&entry))).collect();
        self.list.splice(at..at, new.iter().cloned());
        let mut index = 0;
        let added = at..at + new.len();
        self.list.retain(|(cmd, _)| {
            let stays = *cmd != lc::LC_RPATH || added.contains(&index);
            index += 1;
            stays
        });
    }

    /// Sets the names, of which there are as many as there are commands for them. A command whose name stays the
    /// same stays as it is.
    pub(super) fn set_names(&mut self, names: &Names) {
        let mut needed = names.needed.iter();
        for (cmd, bytes) in &mut self.list {
            let name = match *cmd {
                lc::LC_ID_DYLIB => names.install_name.as_ref(),
                cmd if is_needed(cmd) => needed.next(),
                _ => None,
            };
            if let Some(named) = name.and_then(|name| with_name(bytes, name)) {
                *bytes = named;
            }
        }
    }

    /// Removes `LC_SOURCE_VERSION`.
    pub(super) fn drop_source_version(&mut self) {
        self.list.retain(|(cmd, _)| *cmd != lc::LC_SOURCE_VERSION);
    }

    /// Appends a command.
    pub(super) fn push(&mut self, bytes: Vec<u8>) {
        let cmd = bytes.first_chunk().map_or(0, |cmd| u32::from_le_bytes(*cmd));
        self.list.push((cmd, bytes));
    }

    /// Sets the position of the signature.
    pub(super) fn set_signature(&mut self, dataoff: u32, datasize: u32) {
        for (cmd, bytes) in &mut self.list {
            if *cmd == lc::LC_CODE_SIGNATURE {
                *bytes = signature_command(dataoff, datasize);
            }
        }
    }

    /// Sets the sizes of `__LINKEDIT`.
    pub(super) fn resize_linkedit(&mut self, filesize: u64, vmsize: u64) {
        const NAME: std::ops::Range<u64> = 8..24;
        for (cmd, bytes) in &mut self.list {
            let is_it = *cmd == lc::LC_SEGMENT_64
                && bytes.get(NAME).is_some_and(|name| name.starts_with(b"__LINKEDIT\0"));
            if !is_it {
                continue;
            }
            for (at, value) in [(32, vmsize), (48, filesize)] {
                if let Some(field) = bytes.get_mut(at..at + 8) {
                    field.copy_from_slice(&value.to_le_bytes());
                }
            }
        }
    }

    /// The edits that replace the list of `image` with this one, at offsets of the slice. Remaining bytes of
    /// the old list become zeros.
    pub(super) fn edits(&self, image: &Image<'_>) -> Vec<Edit> {
        /// `ncmds` and `sizeofcmds`.
        const COUNTS: std::ops::Range<u64> = 16..24;
        let counts = [self.list.len() as u32, self.len() as u32];
        let counts: Vec<u8> = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        let mut new: Vec<u8> =
            self.list.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        let start = image.header_size();
        let end = image.commands_end().max(start + new.len() as u64);
        new.resize((end - start) as usize, 0);
        let mut edits = Vec::new();
        for (at, new) in [(COUNTS.start, counts), (start, new)] {
            let old = image.slice().get(at..at + new.len() as u64).unwrap_or_default();
            edits.extend(changed_part(at, &old, &new));
        }
        edits
    }
}

/// The entries without repetitions.
pub(super) fn without_duplicates(entries: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seen = HashSet::new();
    entries.iter().filter(|entry| seen.insert(entry.as_slice())).cloned().collect()
}

/// `LC_RPATH` with a path.
fn rpath_command(path: &[u8]) -> Vec<u8> {
    let size = (lc::SIZEOF_RPATH_COMMAND + path.len() + 1).next_multiple_of(8);
    let words = [lc::LC_RPATH, size as u32, lc::SIZEOF_RPATH_COMMAND as u32];
    let mut bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    bytes.extend_from_slice(path);
    bytes.resize(size, 0);
    bytes
}

/// A `dylib_command` with another name; `None` if it has that name, or cannot be read.
fn with_name(command: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let at = name_offset(command)?;
    if command.get(at..)?.split(|&byte| byte == 0).next() == Some(name) {
        return None;
    }
    let mut bytes = [command.get(..at)?, name].concat();
    bytes.resize((bytes.len() + 1).next_multiple_of(8), 0);
    let size = bytes.len() as u32;
    bytes.get_mut(4..8)?.copy_from_slice(&size.to_le_bytes());
    Some(bytes)
}

/// The offset of the name of a `dylib_command` or `dylib_use_command` from its start, in bytes.
pub(super) fn name_offset(command: &[u8]) -> Option<usize> {
    let at = command.get(8..)?.first_chunk().map(|at| u32::from_le_bytes(*at))?;
    usize::try_from(at).ok().filter(|&at| at >= lc::SIZEOF_DYLIB_COMMAND && at < command.len())
}

/// `LC_CODE_SIGNATURE`.
pub(super) fn signature_command(dataoff: u32, datasize: u32) -> Vec<u8> {
    let size = lc::SIZEOF_LINKEDIT_DATA_COMMAND as u32;
    let words = [lc::LC_CODE_SIGNATURE, size, dataoff, datasize];
    words.iter().flat_map(|word| word.to_le_bytes()).collect()
}

/// The edit that turns `old` into `new`, which have the same length, without the equal bytes at both ends.
fn changed_part(at: u64, old: &[u8], new: &[u8]) -> Option<Edit> {
    let first = old.iter().zip(new).position(|(old, new)| old != new)?;
    let same_at_end =
        old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let end = new.len().saturating_sub(same_at_end);
    let bytes = new.get(first..end)?.to_vec();
    Some(Edit { range: at + first as u64..at + end as u64, new: Content::Bytes(bytes) })
}
