//! Detects texts from Windows, which has a different loader.

use memchr::memmem;

/// Texts that only programs on Windows write, including the hexadecimal error codes of cffi.
const WORDS: &[&[u8]] = &[
    b"DLL load failed",
    b"WindowsPath(",
    b"[WinError ",
    b"platform plugin \"windows\"",
    b": error 0x",
];

/// Texts that state that a DLL is missing.
const MISSING: &[&[u8]] =
    &[b"not found", b"not be found", b"ould not locate", b"ould not load", b"ould not find"];

/// Is a line from Windows: does it say so, or contain a path with a drive letter?
pub(super) fn is_of_windows(line: &[u8]) -> bool {
    let says = |words: &&[u8]| memmem::find(line, words).is_some();
    WORDS.iter().any(&says)
        || says(&&b".dll"[..]) && MISSING.iter().any(says)
        || names_a_drive(line)
}

/// Is there a path such as `C:\Users\…`? It must have more than one directory, so that a letter before a line
/// feed written as `\n` is not mistaken for one.
fn names_a_drive(line: &[u8]) -> bool {
    memmem::find_iter(line, b":\\").any(|at| {
        let before = line.get(..at).unwrap_or_default();
        let is_drive = before.last().is_some_and(u8::is_ascii_alphabetic)
            && !before.iter().rev().nth(1).is_some_and(u8::is_ascii_alphanumeric);
        let path = line.get(at + 1..).unwrap_or_default();
        let path = path.split(|byte| b"\"':;,".contains(byte)).next().unwrap_or_default();
        is_drive && path.iter().filter(|&&byte| byte == b'\\').count() > 1
    })
}

#[cfg(test)]
mod tests {
    use super::is_of_windows;

    #[test]
    fn a_path_with_a_drive_is_of_windows_and_a_written_line_feed_is_not() {
        assert!(is_of_windows(br#"  File "C:\Users\me\Lib\site-packages\x.py", line 1"#));
        assert!(is_of_windows(b"ImportError: DLL load failed while importing x"));
        assert!(!is_of_windows(br"Error message(s):\n  dlopen(/a/b.dylib, 6):\n  x"));
        assert!(is_of_windows(b"Could not locate cudnn_ops_infer64_8.dll. Please make sure"));
        assert!(!is_of_windows(b"OpenMP runtime is not installed (vcomp140.dll for Windows)"));
        assert!(is_of_windows(b"OSError: cannot load library 'gobject-2.0': error 0x7e."));
        assert!(!is_of_windows(br"['a:\n', 'b:\n']"));
    }
}
