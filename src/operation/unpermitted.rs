//! The changes beyond its search path that an edit or an undo record would make to a file.

use crate::python::wheel;

/// The change that is not allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpermitted {
    /// It moves bytes of the file.
    Moves,
    /// It changes bytes that no edit of a search path by this version of tfpatch changes.
    NotOwn,
    /// The same, in a member of a wheel.
    NotOwnIn {
        /// The member's name.
        member: Vec<u8>,
    },
    /// The file does not have the name of a RECORD.
    NoRecord,
    /// The RECORD exceeds the maximum length.
    LongRecord,
    /// The RECORD cannot be read.
    UnreadRecord,
    /// It changes other rows of a RECORD, or their number.
    OtherRows,
    /// It changes the text between the rows of a RECORD.
    BetweenRows,
    /// It changes more of a row than hash and size, or the row of a file that is not edited.
    Row {
        /// The file, as the row names it.
        file: Vec<u8>,
    },
    /// The file does not have the name of a wheel.
    NoWheel,
    /// The wheel cannot be read.
    UnreadWheel {
        /// The reason.
        error: wheel::Error,
    },
    /// A member of the wheel cannot be read.
    UnreadMember {
        /// The member's name.
        member: Vec<u8>,
        /// The error of the operating system.
        said: String,
    },
    /// The checksum of a member does not match the one in the archive.
    Checksum {
        /// The member's name.
        member: Vec<u8>,
    },
    /// It changes the members of a wheel, or their number.
    Members,
    /// The file is setuid or setgid. No operation edits such files.
    SetUserId,
    /// The file does not match the name that the record declares for it.
    OtherFile,
    /// It undoes more changes of a file than one revert can.
    TooOften {
        /// The maximum number of changes.
        limit: usize,
    },
}
