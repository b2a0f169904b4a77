//! Splits an output that is written in parts into lines.

use std::io;

/// The start of an incomplete line.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Is no line incomplete?
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a part, and passes each line that it completes to `each`.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        mut each: impl FnMut(&[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            self.0.extend_from_slice(part);
            if part.ends_with(b"\n") {
                // The next line reuses the memory.
                let mut line = std::mem::take(&mut self.0);
                each(&line)?;
                line.clear();
                self.0 = line;
            }
        }
        Ok(())
    }

    /// Passes an incomplete last line to `each`, if there is one.
    pub(super) fn end(&mut self, each: impl FnOnce(&[u8]) -> io::Result<()>) -> io::Result<()> {
        let rest = std::mem::take(&mut self.0);
        if rest.is_empty() { Ok(()) } else { each(&rest) }
    }
}
