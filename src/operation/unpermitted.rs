//! What an edit or an undo record would change of a file beyond its search path.

use crate::python::wheel;

/// What would change besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpermitted {
    /// Bytes of the file would stand elsewhere in it.
    Moves,
    /// Bytes that no edit of a search path by this version of tfpatch changes.
    NotOwn,
    /// The same, in a member of a wheel.
    NotOwnIn {
        /// The member's name.
        member: Vec<u8>,
    },
    /// A file that has not the name of a RECORD.
    NoRecord,
    /// A RECORD that is longer than any.
    LongRecord,
    /// A RECORD that cannot be read.
    UnreadRecord,
    /// Other rows of a RECORD, or their number.
    OtherRows,
    /// What stands between the rows of a RECORD.
    BetweenRows,
    /// More of a row than hash and size, or the row of a file that is not edited.
    Row {
        /// The file, as the row names it.
        file: Vec<u8>,
    },
    /// A file that has not the name of a wheel.
    NoWheel,
    /// A wheel that cannot be read.
    UnreadWheel {
        /// What is wrong with it.
        error: wheel::Error,
    },
    /// A member of a wheel that cannot be read.
    UnreadMember {
        /// The member's name.
        member: Vec<u8>,
        /// What the system says.
        said: String,
    },
    /// A member of a wheel that has not the checksum that the archive gives for it.
    Checksum {
        /// The member's name.
        member: Vec<u8>,
    },
    /// The members of a wheel, or their number.
    Members,
    /// A file that is setuid or setgid, which no operation edits.
    SetUserId,
    /// A file that is not the one whose name it is said to be.
    OtherFile,
    /// A file more often than it can be put back at once.
    TooOften {
        /// How often that is possible.
        limit: usize,
    },
}
