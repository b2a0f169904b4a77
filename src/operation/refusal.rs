//! Why a file is not written, although it could be read.

use rustix::io::Errno;

/// Why a file is not written. What it says follows upon the path of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The loader drops the search paths of such a program, and an edit could make more of it than it is.
    #[error(
        "is setuid or setgid: the loader drops search paths of such programs, and tfpatch does not \
         change them"
    )]
    SetUserId,
    /// Its bytes are sealed.
    #[error("is protected by fs-verity; patch it before it is sealed")]
    Verity,
    /// The file system lets nobody change it.
    #[error("is immutable or append-only; see chattr(1)")]
    Immutable,
    /// It belongs to somebody else than the tree does.
    #[error(
        "belongs to user {owner}, and user {user}, with whose rights tfpatch works on this tree, could \
         not keep its owner and times; give it the owner of the tree, or run tfpatch as its own"
    )]
    OtherOwner {
        /// The user that it belongs to.
        owner: u32,
        /// The user whose rights tfpatch has.
        user: u32,
    },
    /// It belongs to a group of which the user is no member.
    #[error(
        "belongs to group {group}, which could not be kept; run tfpatch as a member of it or as root"
    )]
    OtherGroup {
        /// The group.
        group: u32,
    },
    /// An edit drops an attribute that only root can set again.
    #[error("has the attribute {attribute}, which an edit drops; run tfpatch as root")]
    Attribute {
        /// The name of the attribute.
        attribute: String,
    },
    /// Root cannot become the user whom the directory belongs to.
    #[error(
        "belongs to user {uid}, with whose rights root works on it, and the system does not let \
         tfpatch become that user: {error}. Run tfpatch as user {uid}, or in a container with the \
         capabilities SETUID and SETGID"
    )]
    NoRights {
        /// The user.
        uid: u32,
        /// What the system says.
        error: Errno,
    },
    /// It was to be edited in place, and cannot be.
    #[error("cannot be edited in place: {obstacle}; let it be replaced")]
    NotInPlace {
        /// What is in the way.
        obstacle: Obstacle,
    },
    /// What the edit changes is more than an undo record may put back.
    #[error("is not edited, for that could not be taken back: it would change {change}")]
    NoWayBack {
        /// What it would change.
        change: String,
    },
    /// It is a directory, a pipe or a device.
    #[error("is not a regular file")]
    NotRegular,
    /// It is a link, and nothing is where that leads.
    #[error("is a link that leads to no file; repair the link")]
    DanglingLink,
    /// Another file has the name that an edited copy was to have.
    #[error("is there already, with other bytes; name another file, or remove it first")]
    NameTaken,
}

/// What is in the way of editing a file in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// A process that reads it in between would see neither the old nor the new file.
    #[error("its edits are not safe in place")]
    Unsafe,
    /// What it leads to is not the target's.
    #[error("it is a link that leaves the target")]
    LeavingLink,
    /// Other names of it would change too.
    #[error("it has hard links outside the target")]
    HardLinks,
    /// Writing to it takes them away, and an interruption would leave it without.
    #[error("it has capabilities")]
    Capabilities,
    /// It grows, or what stands in it moves.
    #[error("its bytes move")]
    Moves,
    /// The user may not write to it.
    #[error("it is not writable")]
    NotWritable,
    /// A process may see half of an edit.
    #[error("another process may have it open")]
    OpenElsewhere,
}
