//! The structs of an object as `goblin` defines them, for tests that compare bytes.

use super::Image;
use goblin::elf::header::Header;
use goblin::elf::program_header::ProgramHeader;

/// Private parts of an image.
pub trait Structs {
    /// The ELF header.
    fn header(&self) -> &Header;
    /// The program headers, in their order.
    fn segments(&self) -> &[ProgramHeader];
    /// The first program header of a type.
    fn segment(&self, p_type: u32) -> Option<&ProgramHeader>;
}

impl Structs for Image<'_> {
    fn header(&self) -> &Header {
        Image::header(self)
    }

    fn segments(&self) -> &[ProgramHeader] {
        Image::segments(self)
    }

    fn segment(&self, p_type: u32) -> Option<&ProgramHeader> {
        Image::segment(self, p_type)
    }
}
