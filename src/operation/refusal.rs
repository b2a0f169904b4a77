//! Why a file is not written, although it could be read.

use super::unpermitted::Unpermitted;
use rustix::io::Errno;

/// Why a file is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The loader drops the search paths of such a program, and an edit could make more of it than it is.
    SetUserId,
    /// Its bytes are sealed.
    Verity,
    /// The file system lets nobody change it.
    Immutable,
    /// It belongs to somebody else than the tree does.
    OtherOwner {
        /// The user that it belongs to.
        owner: u32,
        /// The user whose rights tfpatch has.
        user: u32,
    },
    /// It belongs to a group of which the user is no member.
    OtherGroup {
        /// The group.
        group: u32,
    },
    /// An edit drops an attribute that only root can set again.
    Attribute {
        /// The name of the attribute.
        attribute: String,
    },
    /// Root cannot become the user whom the directory belongs to.
    NoRights {
        /// The user.
        uid: u32,
        /// What the system says.
        error: Errno,
    },
    /// It was to be edited in place, and cannot be.
    NotInPlace {
        /// What is in the way.
        obstacle: Obstacle,
    },
    /// What the edit changes is more than an undo record may put back.
    NoWayBack {
        /// What it would change.
        change: Unpermitted,
    },
    /// It is a directory, a pipe or a device.
    NotRegular,
    /// It is a link, and nothing is where that leads.
    DanglingLink,
    /// Another file has the name that an edited copy was to have.
    NameTaken,
}

/// What is in the way of editing a file in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Obstacle {
    /// A process that reads it in between would see neither the old nor the new file.
    Unsafe,
    /// What it leads to is not the target's.
    LeavingLink,
    /// Other names of it would change too.
    HardLinks,
    /// Writing to it takes them away, and an interruption would leave it without.
    Capabilities,
    /// It grows, or what stands in it moves.
    Moves,
    /// The user may not write to it.
    NotWritable,
    /// A process may see half of an edit.
    OpenElsewhere,
}
