//! Two states of one object: the edits that would lead from the one to the other, made anew.

use super::request::Request;
use super::{Failure, edit};
use crate::bytes;
use crate::edit::{EditSet, Pair};
use crate::elf::image::Image;
use crate::elf::search_path::current;

impl Request {
    /// The search path that another state of the object has, with its tag.
    ///
    /// # Errors
    /// Where that search path cannot be read.
    pub fn towards(then: &Image<'_>) -> Result<Self, bytes::Error> {
        let path = current(then)?;
        let kind = path.as_ref().map(|path| path.kind);
        Ok(Self { entries: path.map_or_else(Vec::new, |path| path.entries), kind })
    }
}

/// The edits that give an object the search path that it has in its other state.
///
/// # Errors
/// As those of [`edit`], and where the other state cannot be read.
pub fn edits_towards(pair: &Pair<'_>) -> Result<EditSet, Failure> {
    let request = Request::towards(&Image::parse(pair.other())?)?;
    Ok(edit(&Image::parse(pair.one())?, &request)?.edits)
}
