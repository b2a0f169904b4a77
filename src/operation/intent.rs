//! The intended changes of an operation, for each file.

use super::journal::{About, Change, Link};
use super::times::Times;
use crate::edit::EditSet;
use crate::plan::{Lock, RelativePath, Seen};

/// The intended change of a file.
pub(super) struct Intent {
    /// The path, relative to the directory that must not be left.
    pub(super) path: RelativePath,
    pub(super) aliases: Vec<RelativePath>,
    pub(super) about: About,
    pub(super) old: Lock,
    pub(super) new: Lock,
    pub(super) way: Way,
    pub(super) replace: bool,
    pub(super) unopened: bool,
    /// The state of the file that the plan was made for, if known.
    pub(super) seen: Option<Seen>,
    /// The link that replaces the file, if any.
    pub(super) link: Option<Link>,
    /// The times that the file gets, if they are to change.
    pub(super) times: Option<Times>,
    pub(super) reverts: Vec<String>,
}

/// How the new bytes of a file are computed from the old ones.
pub(super) enum Way {
    /// With edits that have no inverse yet.
    Edits(EditSet),
    /// With recorded changes.
    Changes(Vec<Change>),
}
