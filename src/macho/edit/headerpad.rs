//! How far the load commands may grow: up to the first thing behind them.

use crate::bytes::{Error, Source as _};
use crate::macho::image::Image;
use goblin::mach::constants::{S_GB_ZEROFILL, S_THREAD_LOCAL_ZEROFILL, S_ZEROFILL, SECTION_TYPE};

/// The space that the load commands have, as offsets in the slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderPad {
    /// Where the load commands end.
    pub start: u64,
    /// Where something else begins.
    pub limit: u64,
}

impl HeaderPad {
    /// The space of a slice.
    ///
    /// Limits are sections of which something stands in the file, and segments without sections.
    ///
    /// # Errors
    /// Where the load commands reach into what follows.
    pub fn of(image: &Image<'_>) -> Result<Self, Error> {
        let mut limit = image.slice().len();
        for segment in image.segments()? {
            if segment.sections.is_empty() && segment.fileoff != 0 {
                limit = limit.min(segment.fileoff);
            }
            let in_file = segment.sections.iter().filter(|section| {
                let kind = section.flags & SECTION_TYPE;
                section.size != 0
                    && !matches!(kind, S_ZEROFILL | S_GB_ZEROFILL | S_THREAD_LOCAL_ZEROFILL)
            });
            limit = in_file.map(|section| section.offset).fold(limit, u64::min);
        }
        let start = image.commands_end();
        if limit < start {
            let why = "they overlap the first section; another tool damaged the file";
            return Err(image.slice().invalid("load commands", limit, why));
        }
        Ok(Self { start, limit })
    }

    /// Bytes that are free.
    #[must_use]
    pub fn len(self) -> u64 {
        self.limit - self.start
    }

    /// Is there no space at all?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}
