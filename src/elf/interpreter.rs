//! The dynamic loader of a program.

use super::image::Image;
use super::segments::range_of;
use crate::bytes::Error;
use goblin::elf::program_header::PT_INTERP;
use std::ops::Range;

/// Linux's `PATH_MAX`. The kernel runs no program with a longer interpreter.
const PATH_MAX: u64 = 4096;

impl Image<'_> {
    /// The string of `PT_INTERP`, without its NUL; `None` if there is no such segment.
    ///
    /// # Errors
    /// If it is outside the file, or has no end.
    pub fn interpreter(&self) -> Result<Option<Vec<u8>>, Error> {
        let Some(interp) = self.segment(PT_INTERP) else { return Ok(None) };
        let end = interp.p_offset.saturating_add(interp.p_filesz.min(PATH_MAX));
        self.source().string(interp.p_offset, end, "PT_INTERP").map(Some)
    }

    /// The file offsets of `PT_INTERP`.
    pub(super) fn interpreter_range(&self) -> Option<Range<u64>> {
        self.segment(PT_INTERP).map(range_of)
    }
}
