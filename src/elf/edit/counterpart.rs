//! Computes the edits that turn one known state of an object into another, to compare them with recorded
//! edits.

use super::request::{Change, Request};
use super::wanted::Wanted;
use super::{Failure, make, preconditions};
use crate::bytes;
use crate::edit::{EditSet, Pair};
use crate::elf::image::Image;
use crate::elf::search_path::current;
use goblin::elf::program_header::{PF_X, PT_GNU_STACK};

impl Request {
    /// The request that a repair may have made, if it produced the state `then`: its search path with its
    /// tag, and no executable stack if `then` has none.
    ///
    /// # Errors
    /// If the search path of `then` cannot be read.
    pub fn towards(then: &Image<'_>) -> Result<Self, bytes::Error> {
        let path = current(then)?;
        let kind = path.as_ref().map(|path| path.kind);
        let entries = path.map_or_else(Vec::new, |path| path.entries);
        let mut request = Self::search_path(entries, kind);
        if then.segment(PT_GNU_STACK).is_some_and(|stack| stack.p_flags & PF_X == 0) {
            request.changes.push(Change::ExecutableStack(false));
        }
        Ok(request)
    }
}

/// What an edit may have changed in addition to the search path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside {
    /// The flags of the stack.
    pub stack: bool,
    /// The soname, the needed libraries with their versions, the interpreter, and the flags that control how
    /// libraries are found.
    pub names: bool,
}

/// The edits that give an object the search path of its other state, and the properties listed in `beside`.
///
/// # Errors
/// As for [`super::edit`], and if the other state cannot be read.
pub fn edits_towards(pair: &Pair<'_>, beside: Beside) -> Result<EditSet, Failure> {
    let (now, then) = (Image::parse(pair.one())?, Image::parse(pair.other())?);
    preconditions::check_dynamic(&now)?;
    let all = Wanted::towards(&now, &then)?;
    let stack = all.stack.filter(|_| beside.stack);
    let wanted = match beside.names {
        true => Wanted { stack, ..all },
        false => {
            let Wanted { path, debug, osabi, .. } = all;
            Wanted { path, debug, osabi, stack, ..Wanted::default() }
        }
    };
    Ok(make(&now, &wanted)?.edits)
}
