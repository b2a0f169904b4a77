//! What an operation wants to do, file by file.

use super::journal::{About, Change, Link};
use super::times::Times;
use crate::edit::EditSet;
use crate::plan::{Lock, RelativePath, Seen};

/// What an operation wants to do to a file.
pub(super) struct Intent {
    /// Relative to the directory that must not be left.
    pub(super) path: RelativePath,
    pub(super) aliases: Vec<RelativePath>,
    pub(super) about: About,
    pub(super) old: Lock,
    pub(super) new: Lock,
    pub(super) way: Way,
    pub(super) replace: bool,
    pub(super) unopened: bool,
    /// The file that the plan was made for, where it is known.
    pub(super) seen: Option<Seen>,
    /// The link to put in the file's place, instead of a file.
    pub(super) link: Option<Link>,
    /// The times that the file is to have afterwards, where they are not those it has.
    pub(super) times: Option<Times>,
    pub(super) reverts: Vec<String>,
}

/// How a file's old bytes become its new ones.
pub(super) enum Way {
    /// By edits that are not turned around yet.
    Edits(EditSet),
    /// By changes that were recorded.
    Changes(Vec<Change>),
}
