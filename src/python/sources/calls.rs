//! The functions that open libraries, by their names.

use memchr::memmem;

/// The functions that open a library, by the last parts of their names.
pub const OPENERS: [&str; 6] =
    ["CDLL", "PyDLL", "LoadLibrary", "load_op_library", "dlopen", "load_library"];

/// May a file open a library? `false` only if it certainly contains no such call. Python compares names that are not
/// ASCII in another form than they are written.
pub fn may_open(file: &[u8]) -> bool {
    !file.is_ascii() || OPENERS.iter().any(|opener| memmem::find(file, opener.as_bytes()).is_some())
}

/// May a text be the name of a library, with or without its ending?
pub(super) fn is_like_a_library(text: &str) -> bool {
    text.starts_with("lib") || text.contains(".so") || text.contains(".dylib")
}

/// May a function load something, by its name?
pub(super) fn is_like_a_loader(function: &str) -> bool {
    let function = function.to_ascii_lowercase();
    ["load", "open", "dll", "lib"].iter().any(|part| function.contains(part))
}
