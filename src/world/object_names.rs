//! Which names are looked into: of directories, and of files that may be objects.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;

/// Directories that hold no objects of the target. Those with a tilde pip has moved out of the way
/// during an upgrade; no import leads there.
pub(crate) fn is_passed_over(name: &OsStr) -> bool {
    name == "__pycache__"
        || name == ".tfpatch"
        || name == ".git"
        || name.as_bytes().starts_with(b"~")
}

/// May a file of that name be an object? Tens of thousands of files in an environment are not, and
/// opening each would take longer than all the rest. Objects have `.so` in their name, or, as
/// programs mostly do, no suffix or a number as one.
#[must_use]
pub fn may_be_object(name: &OsStr) -> bool {
    let name = name.as_bytes();
    if is_named_as_object(name) || name.windows(4).any(|part| part == b".so.") {
        return true;
    }
    match name.iter().rposition(|&byte| byte == b'.') {
        None | Some(0) => true,
        Some(dot) => name
            .get(dot + 1..)
            .is_some_and(|suffix| !suffix.is_empty() && suffix.iter().all(u8::is_ascii_digit)),
    }
}

/// Is the file named as a shared object: `*.so`, `*.dylib`, or `*.so.` and a version? A `libx.so.LICENSE` is
/// not.
pub(crate) fn is_named_as_object(name: &[u8]) -> bool {
    let version =
        name.windows(4).rposition(|part| part == b".so.").and_then(|at| name.get(at + 4..));
    name.ends_with(b".so")
        || name.ends_with(b".dylib")
        || version.is_some_and(|version| {
            !version.is_empty() && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        })
}
