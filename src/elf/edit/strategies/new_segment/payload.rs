//! The bytes that are appended to the file, and the positions of their parts.

use crate::bytes::align_up;
use crate::edit::{Content, Edit};
use crate::elf::edit::refusal::Refusal;
use crate::elf::image::Image;
use std::ops::Range;

/// The positions of the parts of the new segment.
pub(super) struct Layout {
    pub(super) p_offset: u64,
    pub(super) p_vaddr: u64,
    /// File offset of its end.
    pub(super) end: u64,
    /// The size of its first part: the tag, and the program headers if they moved. A section covers it,
    /// because eu-strip drops bytes outside all sections.
    pub(super) mark_len: u64,
    /// The file offset of the string table, and its new size.
    pub(super) strings_at: u64,
    pub(super) grown: u64,
    /// The piece of the payload with the program headers, and its file offset, if they moved.
    pub(super) headers_copy: Option<(usize, u64)>,
    /// The structures that had to make room for the program header.
    pub(super) moved: Vec<Moved>,
    /// The file offset and size of the new interpreter name.
    pub(super) interpreter: Option<(u64, u64)>,
    /// The piece of the payload with the dynamic table, its file offset and its size.
    pub(super) dynamic_copy: Option<(usize, u64, u64)>,
}

impl Layout {
    pub(super) fn address(&self, offset: u64) -> u64 {
        self.p_vaddr + (offset - self.p_offset)
    }

    /// The piece that made room and contained a range of the old file.
    pub(super) fn piece_of(&self, range: &Range<u64>) -> Option<&Moved> {
        self.moved.iter().find(|piece| {
            !range.is_empty() && piece.from.start <= range.start && range.end <= piece.from.end
        })
    }
}

/// A piece of the file that moves to make room.
pub(super) struct Moved {
    pub(super) from: Range<u64>,
    pub(super) to: u64,
    pub(super) address: u64,
}

/// The bytes that are appended to the file, in pieces.
pub(super) struct Payload {
    /// The file offset of the next piece.
    pub(super) at: u64,
    pub(super) pieces: Vec<Content>,
}

impl Payload {
    pub(super) fn at_end_of(image: &Image<'_>) -> Self {
        Self { at: image.source().len(), pieces: Vec::new() }
    }

    pub(super) fn push(&mut self, content: Content) -> Result<(), Refusal> {
        let end = self.at.checked_add(content.len());
        self.at = end.ok_or(Refusal::NoAddressRoom { end: u64::MAX })?;
        self.pieces.push(content);
        Ok(())
    }

    pub(super) fn align(&mut self, alignment: u64) -> Result<(), Refusal> {
        let next = align_up(self.at, alignment).ok_or(Refusal::NoAddressRoom { end: u64::MAX })?;
        self.push(Content::Bytes(vec![0; (next - self.at) as usize]))
    }

    /// Fills a piece whose position had to be known before its bytes.
    pub(super) fn replace(&mut self, index: usize, bytes: Vec<u8>) {
        if let Some(piece) = self.pieces.get_mut(index) {
            *piece = Content::Bytes(bytes);
        }
    }

    pub(super) fn into_edits(self, image: &Image<'_>) -> Vec<Edit> {
        let end = image.source().len();
        let mut joined: Vec<Content> = Vec::new();
        for piece in self.pieces.into_iter().filter(|piece| !piece.is_empty()) {
            match (joined.last_mut(), piece) {
                (Some(Content::Bytes(before)), Content::Bytes(bytes)) => before.extend(bytes),
                (_, piece) => joined.push(piece),
            }
        }
        joined.into_iter().map(|new| Edit { range: end..end, new }).collect()
    }
}
