//! The padding into which the load commands can grow, before the first section or segment.

use crate::bytes::{Error, Source as _};
use crate::macho::image::Image;
use goblin::mach::constants::{S_GB_ZEROFILL, S_THREAD_LOCAL_ZEROFILL, S_ZEROFILL, SECTION_TYPE};

/// The space that the load commands have, as offsets in the slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeaderPad {
    /// The end of the load commands.
    pub start: u64,
    /// The start of the next structure.
    pub limit: u64,
}

impl HeaderPad {
    /// The space of a slice.
    ///
    /// It ends at the first section with bytes in the file, or at the first segment without sections.
    ///
    /// # Errors
    /// If the load commands overlap what follows.
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

    /// The number of free bytes.
    #[must_use]
    pub fn len(self) -> u64 {
        self.limit - self.start
    }

    /// Is there no space?
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}
