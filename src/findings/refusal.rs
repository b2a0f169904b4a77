//! Why something is not repaired although a search path would cure it.

use crate::bytes::shown;
use crate::object::Failure;
use crate::world::unreadable::SystemError;
use std::path::PathBuf;

/// Why an object is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It lies outside of the target.
    OutsideTarget,
    /// It belongs to a package of the system's distribution, and was not named.
    OfPackage {
        /// The package.
        package: String,
    },
    /// It is reached through a link that leaves the target in the root of another system.
    LeavesRoot(LeavesRoot),
    /// A directory that it needs cannot be written in a search path.
    Unspellable {
        /// The directory.
        directory: PathBuf,
    },
    /// A directory that it needs lies outside of the target, and absolute entries were not allowed.
    NeedsAbsolute {
        /// The directory.
        directory: PathBuf,
    },
    /// It cannot be read.
    Io(SystemError),
    /// It is malformed, or editing it would be a risk.
    Edit(Failure),
    /// A library would come from elsewhere than it comes from now.
    Moves {
        /// The library.
        library: Vec<u8>,
        /// Where it would come from; `None` from nowhere.
        after: Option<PathBuf>,
        /// Where it comes from.
        before: PathBuf,
    },
    /// With an entry it would still lack what it lacks.
    NotCured,
}

/// A link that leaves the target in the root of another system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} is a link to a file outside the target; run tfpatch inside the root, where it can follow the link", shown(.link))]
pub struct LeavesRoot {
    /// The link.
    pub link: PathBuf,
}
