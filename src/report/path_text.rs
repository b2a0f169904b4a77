//! Paths as text, for people and for programs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Serialize;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// A path of arbitrary bytes: a string, with `path_bytes` (base64) if it is not UTF-8.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct PathText {
    /// The path. Invalid UTF-8 is replaced.
    pub path: String,
    /// Its bytes, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_bytes: Option<String>,
}

impl PathText {
    /// A path as text.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        let bytes = path.as_os_str().as_bytes();
        Self {
            path: path.to_string_lossy().into_owned(),
            path_bytes: path.to_str().is_none().then(|| STANDARD.encode(bytes)),
        }
    }

    /// An optional path, for fields with other names.
    #[must_use]
    pub fn optional(path: Option<&Path>) -> (Option<String>, Option<String>) {
        path.map(Self::of).map_or((None, None), |text| (Some(text.path), text.path_bytes))
    }
}

/// A path without `.` and `..`, by its text alone.
#[must_use]
pub fn without_dots(path: &Path) -> PathBuf {
    let bytes = path.as_os_str().as_bytes();
    let is_dotted = bytes.starts_with(b".") || memchr::memmem::find(bytes, b"/.").is_some();
    if !is_dotted && !bytes.ends_with(b"/") && memchr::memmem::find(bytes, b"//").is_none() {
        return path.to_owned();
    }
    let mut plain = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if plain.file_name().is_some() => _ = plain.pop(),
            other => plain.push(other),
        }
    }
    plain
}
