//! Search paths as bare lines, for people and for what reads byte for byte.

use crate::bytes::{printable, shown};
use crate::object::SearchPath;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// How a line begins that holds an entry of one file among several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Naming {
    /// With the entry: there is one file.
    No,
    /// With the file's name, as people read it.
    Shown,
    /// With the bytes of the file's name: where a line's end ends no entry, a name may hold one.
    Bytes,
}

/// Says which new entries a loader takes from wherever the process happens to be.
///
/// # Errors
/// If it cannot be written.
pub fn write_relative(out: &mut dyn Write, entries: &[Vec<u8>]) -> io::Result<()> {
    let is_relative = |entry: &&Vec<u8>| entry.first().is_some_and(|first| !b"/$@".contains(first));
    for entry in entries.iter().filter(is_relative).map(|entry| printable(entry)) {
        let note = "is relative to the working directory of the process";
        writeln!(out, "note  {entry} {note}; use $ORIGIN/{entry} for a path relative to the file")?;
    }
    Ok(())
}

/// A line for each entry of a file, without its end.
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
