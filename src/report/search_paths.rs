//! Search paths as plain lines, for people and for programs that need exact bytes.

use crate::bytes::{printable, shown};
use crate::object::SearchPath;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// The start of a line with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// Nothing, because there is only one file.
    No,
    /// The name of the file, for people.
    Shown,
    /// The bytes of the name of the file. If entries do not end with the line, the name may contain a line
    /// end.
    Bytes,
}

/// Warns about new entries that a loader interprets relative to the working directory of the process.
///
/// # Errors
/// If the warning cannot be written.
pub fn write_relative(out: &mut dyn Write, entries: &[Vec<u8>]) -> io::Result<()> {
    if entries.iter().any(Vec::is_empty) {
        let note = "note  glibc reads an empty entry as the working directory of the process; use $ORIGIN for the \
                    directory of the file";
        writeln!(out, "{note}")?;
    }
    let is_relative = |entry: &&Vec<u8>| entry.first().is_some_and(|first| !b"/$@".contains(first));
    for entry in entries.iter().filter(is_relative).map(|entry| printable(entry)) {
        let note = "is relative to the working directory of the process";
        writeln!(out, "note  {entry} {note}; use $ORIGIN/{entry} for a path relative to the file")?;
    }
    Ok(())
}

/// A line for each entry of a file, without a line end.
#[must_use]
pub fn lines(file: &Path, paths: Vec<SearchPath>, naming: Naming) -> Vec<Vec<u8>> {
    let name = match naming {
        Naming::No => Vec::new(),
        Naming::Shown => [shown(file).as_bytes(), b": "].concat(),
        Naming::Bytes => [file.as_os_str().as_bytes(), b": "].concat(),
    };
    let is_universal = paths.len() > 1;
    let of_slice = |path: SearchPath| {
        let arch = path.arch.filter(|_| is_universal).map(|arch| format!("{arch}: "));
        let lead = [name.as_slice(), arch.unwrap_or_default().as_bytes()].concat();
        path.entries.into_iter().map(move |entry| [lead.as_slice(), &entry].concat())
    };
    paths.into_iter().flat_map(of_slice).collect()
}
