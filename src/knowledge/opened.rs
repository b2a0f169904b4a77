//! Libraries that do not work without others, which they open at run time by name. Files do not show this, so
//! each row has a source.

/// A library, and the libraries that it opens.
struct Row {
    /// The beginning of its soname, up to the version.
    opener: &'static str,
    /// The version that the row is about, which is also that of the opened libraries; `None` for any.
    version: Option<&'static str>,
    /// The beginnings of the sonames of the opened libraries, each of which it needs.
    opened: &'static [&'static str],
    /// Does it search its own directory by absolute path, before it requests the name from the loader?
    is_sought_beside: bool,
}

/// A library that another one opens and needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    /// Its soname.
    pub soname: String,
    /// Is it opened by its path in the opener's directory first?
    pub is_sought_beside: bool,
}

const ROWS: &[Row] = &[
    // The "single dynamic library" opens the others, and terminates the process if the first is not found:
    // "Intel oneMKL FATAL ERROR: Cannot load libmkl_core.so.2" (oneMKL's developer guide, "Using the Single
    // Dynamic Library", and messages of mkl 2023 to 2025). It finds its own directory with `dladdr` and
    // searches there, then beside the program, then by the bare name (`LD_DEBUG=files`, mkl 2025 and 2026).
    Row {
        opener: "libmkl_rt.so",
        version: None,
        opened: &["libmkl_core.so"],
        is_sought_beside: true,
    },
    // The library of cuDNN is a shim over its component libraries (NVIDIA's release notes of 8.0 and 9.0, and
    // "Could not load library libcudnn_ops_infer.so.8" in public reports).
    Row {
        opener: "libcudnn.so",
        version: Some("8"),
        opened: &["libcudnn_ops_infer.so"],
        is_sought_beside: false,
    },
    Row {
        opener: "libcudnn.so",
        version: Some("9"),
        opened: &["libcudnn_graph.so"],
        is_sought_beside: false,
    },
];

/// The libraries that a library opens and needs, by its soname.
#[must_use]
pub fn by(soname: &[u8]) -> Vec<Opened> {
    let Ok(soname) = str::from_utf8(soname) else { return Vec::new() };
    let soname = &as_it_was(soname);
    let mut found = Vec::new();
    for row in ROWS {
        let rest = soname.strip_prefix(row.opener).and_then(|rest| rest.strip_prefix('.'));
        let Some(version) = rest else { continue };
        let major = version.split('.').next();
        if row.version.is_none_or(|known| major == Some(known)) {
            found.extend(row.opened.iter().map(|opened| Opened {
                soname: format!("{opened}.{version}"),
                is_sought_beside: row.is_sought_beside,
            }));
        }
    }
    found
}

/// The soname before auditwheel copied the library into a wheel: auditwheel inserts a hyphen and eight digits
/// of a digest before `.so` (`copylib` in `auditwheel/repair.py`).
#[must_use]
pub fn as_it_was(soname: &str) -> String {
    let parts = soname.split_once(".so").and_then(|(stem, end)| {
        let (stem, digest) = stem.rsplit_once('-')?;
        let is_digest = digest.len() == 8 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_digest.then(|| format!("{stem}.so{end}"))
    });
    parts.unwrap_or_else(|| soname.to_owned())
}

#[cfg(test)]
mod tests {
    use super::by;

    #[test]
    fn what_is_opened_has_the_version_of_the_opener() {
        let opened = |soname: &[u8]| by(soname).into_iter().map(|it| it.soname).collect::<Vec<_>>();
        assert_eq!(opened(b"libmkl_rt.so.2"), ["libmkl_core.so.2"]);
        assert_eq!(opened(b"libmkl_rt-2a8836d8.so.2"), ["libmkl_core.so.2"]);
        assert_eq!(opened(b"libcudnn.so.9"), ["libcudnn_graph.so.9"]);
        assert!(by(b"libcudnn.so.7").is_empty() && by(b"libmkl_rt.so").is_empty());
    }
}
