//! The notes of an object: its build ID, the libraries that it opens at run time, and the processor that it
//! needs.

use super::image::Image;
use super::opens_by_note::OpensByNote;
use goblin::elf::{header, program_header};

/// The maximum size of notes that are read, in bytes. Linkers write less than a page.
const MAX_NOTES: u64 = 64 << 10;

impl Image<'_> {
    /// The GNU build ID (`NT_GNU_BUILD_ID` of a note named `GNU`). A malformed note is ignored.
    #[must_use]
    pub fn build_id(&self) -> Option<Vec<u8>> {
        const NT_GNU_BUILD_ID: u32 = 3;
        self.first_note(|kind, name, desc| {
            (kind == NT_GNU_BUILD_ID && name == b"GNU\0").then(|| desc.to_vec())
        })
    }

    /// The libraries that its notes say it opens at run time. A malformed note is ignored.
    #[must_use]
    pub fn opens_by_note(&self) -> Vec<OpensByNote> {
        const NT_FDO_DLOPEN_METADATA: u32 = 0x407c_0c0a;
        let mut found = Vec::new();
        self.first_note(|kind, name, desc| {
            if kind == NT_FDO_DLOPEN_METADATA && name == b"FDO\0" {
                let text = desc.split(|&byte| byte == 0).next().unwrap_or_default();
                found.extend(serde_json::from_slice::<Vec<OpensByNote>>(text).unwrap_or_default());
            }
            None::<()>
        });
        found
    }

    /// The first note that is wanted: its type, its name with the NUL, and its content.
    fn first_note<T>(&self, mut wanted: impl FnMut(u32, &[u8], &[u8]) -> Option<T>) -> Option<T> {
        let segments = self.segments().iter().filter(|s| s.p_type == program_header::PT_NOTE);
        for segment in segments {
            let len = segment.p_filesz.min(MAX_NOTES);
            let bytes = self.source().read(segment.p_offset, len, "PT_NOTE");
            let Ok(bytes) = bytes else { continue };
            let mut at = 0_usize;
            while at + 12 <= bytes.len() {
                let (name, desc) = (self.u32_at(&bytes, at), self.u32_at(&bytes, at + 4));
                let name_at = at + 12;
                let desc_at = name_at.saturating_add((name as usize).next_multiple_of(4));
                let name = bytes.get(name_at..name_at.saturating_add(name as usize));
                let held = bytes.get(desc_at..desc_at.saturating_add(desc as usize));
                if let (Some(name), Some(held)) = (name, held)
                    && let Some(found) = wanted(self.u32_at(&bytes, at + 8), name, held)
                {
                    return Some(found);
                }
                at = desc_at.saturating_add((desc as usize).next_multiple_of(4));
            }
        }
        None
    }

    /// `GNU_PROPERTY_X86_ISA_1_NEEDED` of the property note; 0 if it is absent or malformed.
    pub(super) fn x86_isa_needed(&self) -> u32 {
        const PT_GNU_PROPERTY: u32 = 0x6474_e553;
        const GNU_PROPERTY_X86_ISA_1_NEEDED: u32 = 0xc000_8002;
        // No linker writes a page of properties; this limits the read.
        const MAX: u64 = 4096;
        let machines = [header::EM_386, header::EM_X86_64];
        let Some(segment) = self.segment(PT_GNU_PROPERTY) else { return 0 };
        let note = self.source().read(segment.p_offset, segment.p_filesz.min(MAX), "properties");
        let (true, Ok(note)) = (machines.contains(&self.header().e_machine), note) else {
            return 0;
        };
        let align = if self.ctx().is_big() { 8 } else { 4 };
        let end = 16_usize.saturating_add(self.u32_at(&note, 4) as usize).min(note.len());
        let mut at = 16;
        while at + 8 < end {
            let (kind, size) = (self.u32_at(&note, at), self.u32_at(&note, at + 4) as usize);
            if kind == GNU_PROPERTY_X86_ISA_1_NEEDED {
                return self.u32_at(&note, at + 8);
            }
            at = at.saturating_add(8).saturating_add(size.next_multiple_of(align));
        }
        0
    }
}
