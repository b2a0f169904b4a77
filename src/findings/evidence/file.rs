//! Broken or unsuitable files.

use crate::bytes::printable;
use crate::object::Format;
use crate::world::Place;
use crate::world::unreadable::Why;
use std::fmt::Display;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// It cannot be read as the format that its name suggests.
    Unreadable {
        /// The file or directory.
        file: Place,
        /// The reason.
        why: Why,
    },
    /// More files cannot be read than are listed individually.
    MoreUnreadable {
        /// How many more.
        files: usize,
        /// The first of them.
        file: Place,
        /// The reason for that one.
        why: Why,
    },
    /// It is built for a processor that no interpreter here runs on.
    OtherProcessor {
        /// The object.
        object: Place,
        /// Its architecture, as in `uname -m`.
        architecture: &'static str,
    },
    /// It has no slice that dyld accepts on this processor.
    NoSlice {
        /// The object.
        object: Place,
        /// The architecture of the process.
        arch: &'static str,
        /// The message of dyld.
        said: String,
    },
    /// Its signature is missing or invalid.
    NoSignature {
        /// The object.
        object: Place,
        /// The message of dyld.
        said: String,
    },
    /// dyld rejects it for another reason.
    NotTaken {
        /// The object.
        object: Place,
        /// The message of dyld.
        said: String,
    },
    /// A page does not match its signature.
    BadPage {
        /// The object.
        object: Place,
        /// The architecture of the slice.
        arch: &'static str,
        /// The start of the page in the slice, in bytes.
        offset: u64,
    },
    /// The `RECORD` of a wheel lists a missing member.
    NotInWheel {
        /// `RECORD`.
        record: Place,
        /// The member.
        member: Vec<u8>,
    },
    /// The length of a wheel's member differs from `RECORD`.
    OtherLength {
        /// The member.
        member: Place,
        /// The length in `RECORD`, in bytes.
        recorded: u64,
        /// Its length, in bytes.
        length: u64,
    },
    /// It does not match the platform in the wheel's tag.
    NotForTag {
        /// The object.
        object: Place,
        /// Its format.
        format: Format,
        /// Its architectures: one for ELF, one for each slice for Mach-O.
        architectures: Vec<&'static str>,
        /// The tag.
        tag: String,
    },
    /// Its search path has duplicate entries.
    DuplicateEntries {
        /// The object.
        object: Place,
        /// The number of duplicates.
        count: usize,
        /// Does dyld reject the object for this?
        is_refused: bool,
    },
    /// Its search path has entries for missing directories.
    DeadEntries {
        /// The object.
        object: Place,
        /// The number of such entries.
        count: usize,
    },
}

impl File {
    pub(super) fn each_name(&self, to: &mut dyn FnMut(&dyn Display)) {
        match self {
            Self::Unreadable { file, .. }
            | Self::MoreUnreadable { file, .. }
            | Self::OtherProcessor { object: file, .. }
            | Self::NoSlice { object: file, .. }
            | Self::NoSignature { object: file, .. }
            | Self::NotTaken { object: file, .. }
            | Self::BadPage { object: file, .. }
            | Self::OtherLength { member: file, .. }
            | Self::NotForTag { object: file, .. }
            | Self::DuplicateEntries { object: file, .. }
            | Self::DeadEntries { object: file, .. } => to(file),
            Self::NotInWheel { record, member } => {
                to(record);
                to(&printable(member));
            }
        }
    }
}
