//! Files that are not as they have to be, each by itself.

use crate::bytes::printable;
use crate::object::Format;
use crate::world::Place;
use crate::world::unreadable::Why;
use std::fmt::Display;

/// What is wrong with a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum File {
    /// It cannot be read as what it seems to be.
    Unreadable {
        /// The file or directory.
        file: Place,
        /// Why.
        why: Why,
    },
    /// More files than are told one by one cannot be read.
    MoreUnreadable {
        /// How many more.
        files: usize,
        /// The first of them.
        file: Place,
        /// Why that one cannot be read.
        why: Why,
    },
    /// It is for a processor for which there is no interpreter here.
    OtherProcessor {
        /// The object.
        object: Place,
        /// Its architecture, as `uname -m` has it.
        architecture: &'static str,
    },
    /// It has no slice that dyld takes on this processor.
    NoSlice {
        /// The object.
        object: Place,
        /// The architecture of the process.
        arch: &'static str,
        /// What dyld says.
        said: String,
    },
    /// Its signature is missing or does not hold.
    NoSignature {
        /// The object.
        object: Place,
        /// What dyld says.
        said: String,
    },
    /// dyld does not take it, for another reason.
    NotTaken {
        /// The object.
        object: Place,
        /// What dyld says.
        said: String,
    },
    /// A page of it does not match its signature.
    BadPage {
        /// The object.
        object: Place,
        /// The architecture of the slice.
        arch: &'static str,
        /// Where the page begins in the slice, in bytes.
        offset: u64,
    },
    /// `RECORD` of a wheel lists a member that the wheel does not have.
    NotInWheel {
        /// `RECORD`.
        record: Place,
        /// The member.
        member: Vec<u8>,
    },
    /// A member of a wheel has another length than `RECORD` says.
    OtherLength {
        /// The member.
        member: Place,
        /// What `RECORD` says, in bytes.
        recorded: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// It is not for the platform of the wheel's tag.
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
    /// Its search path has entries twice.
    DuplicateEntries {
        /// The object.
        object: Place,
        /// How many entries stand there before.
        count: usize,
        /// Does dyld refuse the object for it?
        is_refused: bool,
    },
    /// Its search path has entries that lead nowhere.
    DeadEntries {
        /// The object.
        object: Place,
        /// How many.
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
