//! The reasons why a readable file is not written.

use super::unpermitted::Unpermitted;
use rustix::io::Errno;

/// The reason why a file is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The loader ignores search paths of setuid and setgid programs, and editing such a program could extend
    /// its privileges.
    SetUserId,
    /// Its bytes are sealed (fs-verity).
    Verity,
    /// The file system does not allow anybody to change it.
    Immutable,
    /// Neither it nor the tree belongs to the user who runs tfpatch, and that is not root.
    NotOwner {
        /// The owner of the file.
        owner: u32,
    },
    /// It belongs to a different user than the tree, with whose permissions root edits it, too.
    OtherOwner {
        /// The owner of the file.
        owner: u32,
        /// The user whose permissions tfpatch uses.
        user: u32,
    },
    /// It belongs to a group that the user is not a member of.
    OtherGroup {
        /// The group.
        group: u32,
    },
    /// An edit removes an attribute that only root can set again.
    Attribute {
        /// The name of the attribute.
        attribute: String,
    },
    /// Root cannot switch to the user who owns the directory.
    NoRights {
        /// The user.
        uid: u32,
        /// The error of the operating system.
        error: Errno,
    },
    /// It must be edited in place, which is impossible.
    NotInPlace {
        /// The obstacle.
        obstacle: Obstacle,
    },
    /// The edit changes more than an undo record may restore.
    NoWayBack {
        /// The change that is not allowed.
        change: Unpermitted,
    },
    /// It is a directory, a pipe or a device.
    NotRegular,
    /// It is a symlink with a missing target.
    DanglingLink,
    /// Another file already has the name for the edited copy.
    NameTaken,
}

/// The obstacle to editing a file in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A process that reads the file during the edit would see neither the old nor the new file.
    Unsafe,
    /// The file that it refers to is not part of the target.
    LeavingLink,
    /// The file has other names, which would change too.
    HardLinks,
    /// Writing removes its capabilities, and an interruption would leave the file without them.
    Capabilities,
    /// It grows, or its content moves.
    Moves,
    /// The user has no write permission.
    NotWritable,
    /// A running process may see half of an edit.
    OpenElsewhere,
}
