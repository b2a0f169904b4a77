//! Messages of .NET about a library that it could not load.

use super::scanner::between;
use crate::bytes::printable;

/// The library that .NET searches for: it appends the extension to a name, and adds `lib` to one without it.
pub(super) fn library(line: &[u8]) -> Option<String> {
    let quoted = |words| between(line, words, b'\'').map(printable);
    let name = quoted(b"nable to load shared library '");
    // On Windows the message is the same, but the name is that of a DLL.
    let name =
        name.or_else(|| quoted(b"nable to load DLL '").filter(|it| it.starts_with("lib")))?;
    let name = name.strip_suffix(".dll").unwrap_or(&name).to_owned();
    let is_one_word = !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c == '/');
    let start = if name.starts_with("lib") { "" } else { "lib" };
    let end = if name.contains(".so") { "" } else { ".so" };
    is_one_word.then(|| format!("{start}{name}{end}"))
}
