//! Which names are examined: those of directories, and of files that may be objects.

use crate::hashing::QuickSet;
use memchr::memmem;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::sync::LazyLock;

/// Directories that contain no objects of the target. Those with a tilde were renamed by pip during
/// an upgrade, and are not imported from.
pub(crate) fn is_passed_over(name: &OsStr) -> bool {
    name == "__pycache__"
        || name == ".tfpatch"
        || name == ".git"
        || name.as_bytes().starts_with(b"~")
}

/// Endings of files that are not objects: texts, sources of Python and other languages, pictures,
/// archives and data. In an environment nearly all files have one of them.
const OF_OTHERS: &str = "\
    py pyc pyi pyx pxd pxi pth ipynb typed h hh hpp hxx inc c cc cpp cxx cu cuh f f90 go rs \
    java kt js mjs cjs jsx ts mts cts tsx vue map css scss less html htm xml xsd xsl svg json \
    json5 jsonl toml yaml yml cfg ini conf txt md rst tex csv tsv sql proto pbtxt fbs cmake \
    in am m4 mk sh bash zsh fish bat ps1 pl pm rb lua tcl el po mo pot png jpg jpeg gif ico \
    bmp webp tif tiff ttf otf woff woff2 eot wav mp3 mp4 pdf zip whl gz bz2 xz zst tar tgz \
    jar class npy npz mat h5 hdf5 pkl pickle pt safetensors parquet feather arrow onnx tflite \
    a o la lib dll exe pdb def pc log lock license template jinja j2 ui qml qm asc pem crt \
    sig sample orig rej bak gitignore npmignore";

/// The same endings, for look-ups.
static ENDINGS: LazyLock<QuickSet<&str>> = LazyLock::new(|| OF_OTHERS.split(' ').collect());

/// A file's name up to its first dot, by which a module is imported, whatever its ending (PEP
/// 3149).
#[must_use]
pub fn stem(name: &[u8]) -> &[u8] {
    name.split(|&byte| byte == b'.').next().unwrap_or_default()
}

/// May a file of that name be an object, according to its first bytes? Other languages have endings of
/// their own for modules that are libraries, such as `.node`.
#[must_use]
pub fn may_hold_object(name: &OsStr) -> bool {
    let Some(ending) = ending(name.as_bytes()).filter(|_| !may_be_object(name)) else {
        return true;
    };
    let is_lower = !ending.iter().any(u8::is_ascii_uppercase);
    str::from_utf8(ending).is_ok_and(|ending| {
        !ENDINGS.contains(ending)
            && (is_lower || !ENDINGS.contains(ending.to_ascii_lowercase().as_str()))
    })
}

/// What follows the last dot of a name, unless the name begins with it. Names are short, and have few dots: to
/// prepare a search takes longer than to look at each byte.
fn ending(name: &[u8]) -> Option<&[u8]> {
    let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&dot| dot > 0)?;
    name.get(dot + 1..)
}

/// May a file of that name be an object? Tens of thousands of files in an environment are not, and
/// opening each would take longer than all the rest. Objects have `.so` in their name, or, as most
/// programs, no suffix or a number as one.
#[must_use]
pub fn may_be_object(name: &OsStr) -> bool {
    let name = name.as_bytes();
    let Some(ending) = ending(name) else { return true };
    matches!(ending, b"so" | b"dylib")
        || !ending.is_empty() && ending.iter().all(u8::is_ascii_digit)
        || behind_so(name).is_some()
}

/// What follows the last `.so.` of a name.
fn behind_so(name: &[u8]) -> Option<&[u8]> {
    let dots = name.iter().enumerate().rev().filter(|(_, byte)| **byte == b'.');
    dots.map(|(dot, _)| dot).find_map(|dot| name.get(dot..)?.strip_prefix(b".so."))
}

/// Is the file named as a shared object: `*.so`, `*.dylib`, or `*.so.` and a version? A `libx.so.LICENSE` is
/// not.
pub(crate) fn is_named_as_object(name: &[u8]) -> bool {
    name.ends_with(b".so")
        || name.ends_with(b".dylib")
        || behind_so(name).is_some_and(|version| {
            !version.is_empty() && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        })
}

/// Was a library renamed when it was put into a wheel? auditwheel appends eight digits of its hash to the stem:
/// `libgomp-a34b3233.so.1.0.0`.
#[must_use]
pub fn is_renamed(name: &[u8]) -> bool {
    let stem = memmem::find(name, b".so").map_or(name, |at| name.get(..at).unwrap_or(name));
    let Some((_, tag)) = memmem::rfind(stem, b"-").and_then(|at| stem.split_at_checked(at + 1))
    else {
        return false;
    };
    let tag = tag.split(|&byte| byte == b'.').next().unwrap_or(tag);
    tag.len() == 8 && tag.iter().all(u8::is_ascii_hexdigit)
}
