//! Lines of an output that is written in parts.

use std::io;

/// The start of a line whose end was not written yet.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Was every line ended?
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in a part, and hands each line that it ends to `each`.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.0.extend_from_slice(part);
            if part.ends_with(b"\n") {
                // The next line is written to the same memory.
                let mut line = std::mem::take(&mut self.0);
                each(&line)?;
                line.clear();
                self.0 = line;
            }
        }
        Ok(())
    }

    /// Hands what was written of a line to `each`, if there is something.
    pub(super) fn end(&mut self, each: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let rest = std::mem::take(&mut self.0);
        if rest.is_empty() { Ok(()) } else { each(&rest) }
    }
}
