//! `tfpatch trace`, with real programs under the real loader of the machine.

use std::io::BufReader;
use tfpatch::trace::{Trace, read};

pub(crate) fn parse(text: &[u8]) -> Trace {
    read(7, &mut BufReader::with_capacity(97, text)).unwrap()
}
