//! The loaders' own words, as people posted them: taken apart, and explained.

use crate::support::command::{Ran, command};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

/// Runs `explain` on a text that comes by standard input, where no environment is found but one that
/// the text names.
pub(crate) fn explain(dir: &Path, arguments: &[&str], input: &[u8]) -> Ran {
    let mut child = command(dir)
        .arg("explain")
        .args(arguments)
        .env("PATH", "")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // One that declines its arguments does not read.
    let _ = child.stdin.take().unwrap().write_all(input);
    Ran::of(&child.wait_with_output().unwrap())
}
