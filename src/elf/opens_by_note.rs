//! The libraries that an object says it opens at run time.

use serde::Deserialize;

/// A library that an object opens at run time, by its own word: an entry of a note of type
/// `NT_FDO_DLOPEN_METADATA`
/// (<https://systemd.io/ELF_DLOPEN_METADATA/>).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct OpensByNote {
    /// The sonames that it tries, in order: one of them will do.
    #[serde(rename = "soname")]
    pub sonames: Vec<String>,
    /// What it is for, in one word.
    #[serde(default)]
    pub feature: String,
    /// How much the object needs it.
    #[serde(default)]
    pub priority: Priority,
}

/// How much an object needs what it opens, by its own word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// It does not work without.
    Required,
    /// It lacks an important feature without.
    #[default]
    Recommended,
    /// It lacks a feature that few use without.
    Suggested,
}
