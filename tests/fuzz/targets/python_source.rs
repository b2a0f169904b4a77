//! Any bytes as a file of Python source, and as the marker of a requirement.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tfpatch::python::sources::markers::{self, MarkerEnvironment};
use tfpatch::python::sources::read;
use tfpatch_fuzz::within;

/// Memory for each byte of the file, and besides.
const FACTOR: usize = 2000;
const CONSTANT: usize = 1 << 20;

fuzz_target!(|input: &[u8]| {
    if let Ok(marker) = str::from_utf8(input) {
        let here = MarkerEnvironment { is_macos: false, python: None };
        within(CONSTANT + FACTOR * marker.len(), "the marker", || markers::holds(marker, here));
    }
    let lines = input.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let found = within(CONSTANT + FACTOR * input.len(), "the source", || read(&[input]));
    let Some(Ok(source)) = found.into_iter().next() else { return };
    let imports = source.imports.iter().map(|import| import.standing.line);
    let openings = source.openings.iter().map(|opening| opening.standing.line);
    for line in imports.chain(openings) {
        assert!(line >= 1 && line as usize <= lines, "{line} of {lines}");
    }
});
