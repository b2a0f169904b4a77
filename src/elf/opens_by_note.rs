//! The libraries that an object declares to open at run time.

use serde::Deserialize;

/// A library that an object declares to open at run time: an entry of a note of type `NT_FDO_DLOPEN_METADATA`
/// (<https://systemd.io/ELF_DLOPEN_METADATA/>).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OpensByNote {
    /// The sonames that it tries, in order. One of them is enough.
    #[serde(rename = "soname")]
    pub sonames: Vec<String>,
    /// The purpose, in one word.
    #[serde(default)]
    pub feature: String,
    /// How important the library is to the object.
    #[serde(default)]
    pub priority: Priority,
}

/// How important a library is, as the object declares it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// The object does not work without it.
    Required,
    /// The object lacks an important feature without it.
    #[default]
    Recommended,
    /// The object lacks a rarely used feature without it.
    Suggested,
}
