//! What is carried out, on what, and how.

use super::args::Writing;
use super::session::Chosen;
use super::view::View;
use crate::operation;
use crate::world::World;
use std::path::{Path, PathBuf};

/// How a plan is carried out, and told of.
pub struct Carrying<'a> {
    /// What the operation is called in the log.
    pub kind: operation::Kind,
    /// Is nothing to be written?
    pub dry_run: bool,
    /// Are search paths shown before and after?
    pub diff: bool,
    /// Does a warning that remains give status 1?
    pub strict: bool,
    /// How files are written.
    pub writing: &'a Writing,
    /// The file that the plan is to be written to.
    pub file: Option<&'a Path>,
    /// The file or directory that a repaired wheel goes to, in the stead of its own place.
    pub repaired: Option<&'a Path>,
    /// Variables of the loader that what is repaired needs no more.
    pub unneeded: &'a [&'static str],
}

/// What a plan is for.
pub struct Subject<'a> {
    /// The target.
    pub chosen: &'a Chosen,
    /// Its files.
    pub view: &'a View<'a>,
    /// What was read of it.
    pub world: &'a World,
}

/// What became of a plan.
pub enum Written {
    /// Nothing, or nothing yet.
    Not,
    /// This operation.
    InPlace(String),
    /// A wheel in this file.
    To(PathBuf),
}
