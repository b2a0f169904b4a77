//! The reasons why something is not repaired, although a search path would fix it.

use crate::bytes::shown;
use crate::object::Failure;
use crate::world::Place;
use crate::world::unreadable::SystemError;
use std::path::PathBuf;

/// The reason why an object is skipped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It is outside the target.
    OutsideTarget,
    /// It belongs to a package of the system, and was not named.
    OfPackage {
        /// The package.
        package: String,
    },
    /// It is reached through a link that leaves the target, in the root of another system.
    LeavesRoot(LeavesRoot),
    /// A directory that it needs is invalid in a search path.
    Unspellable {
        /// The directory.
        directory: PathBuf,
    },
    /// A directory that it needs is outside the target, and absolute entries were not allowed.
    NeedsAbsolute {
        /// The directory.
        directory: PathBuf,
    },
    /// It cannot be read.
    Io(SystemError),
    /// It is malformed, or editing it would be risky.
    Edit(Failure),
    /// A library would be loaded from another file than now.
    Moves {
        /// The library.
        library: Vec<u8>,
        /// The new location; `None` if it would not be found.
        after: Option<PathBuf>,
        /// The current location.
        before: PathBuf,
    },
    /// With an entry, a library that is loaded with it would lack a version.
    Clashes {
        /// The object that needs the version.
        object: Place,
        /// Its name.
        version: Vec<u8>,
        /// The library that lacks it.
        provider: Place,
    },
    /// The problem would remain with an entry.
    NotCured,
    /// The file may not be edited.
    Protected(Protected),
}

/// The property of a file because of which it may not be edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Protected {
    /// It is setuid or setgid.
    SetUserId,
    /// Its bytes are sealed (fs-verity).
    Verity,
    /// It is immutable or append-only.
    Immutable,
    /// It belongs to this user, and neither it nor the tree belongs to the user who runs tfpatch.
    NotOwner(u32),
    /// It belongs to a different user than the tree.
    OtherOwner {
        /// The owner of the file.
        owner: u32,
        /// The user whose permissions tfpatch uses.
        user: u32,
    },
    /// It belongs to this group, which cannot be preserved.
    OtherGroup(u32),
    /// It has this attribute, which an edit would remove.
    Attribute(String),
}

impl Protected {
    /// May another user edit the file?
    #[must_use]
    pub fn depends_on_user(&self) -> bool {
        !matches!(self, Self::SetUserId | Self::Verity | Self::Immutable)
    }
}

/// A link that leaves the target in the root of another system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is a link to a file outside the target; run tfpatch inside the root, where it can follow the link", shown(.link))]
pub struct LeavesRoot {
    /// The link.
    pub link: PathBuf,
}
