//! The record of an operation: everything that is needed to put every file back, about a kilobyte
//! a file, written and synced before the first byte of a file changes.

use super::disk::Times;
use super::file::Metadata;
use crate::edit::EditSet;
use crate::plan::{self, Lock, RelativePath};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The schema of a record's JSON.
pub(super) const SCHEMA: &str = "tfpatch/operation/v1";

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Carries out a plan that cures findings.
    Fix,
    /// Carries out a plan that was made before, perhaps elsewhere.
    Apply,
    /// Carries out edits that somebody asked for by hand.
    Rpath,
    /// Puts old bytes back.
    Revert,
}

/// An operation as it lies in the store.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) schema: String,
    /// The digest of the steps and of the operation before.
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The version of tfpatch that wrote it.
    pub(super) tool: String,
    /// Seconds since 1970.
    pub(super) time: i64,
    /// The directory that paths are relative to, where it is not the one that holds the store: one
    /// store may be named for several targets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Base>,
    pub(super) steps: Vec<Step>,
}

/// An absolute directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Base(#[serde(with = "path_text")] pub(super) PathBuf);

/// One file's way from one state to another, and back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// Relative to [`Record::base`], or to the directory that holds the store.
    #[serde(flatten)]
    pub(super) path: RelativePath,
    /// Other names of the same file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<RelativePath>,
    #[serde(flatten)]
    pub(super) about: About,
    pub(super) old: State,
    pub(super) new: State,
    /// One after the other they lead from the old state to the new one.
    pub(super) changes: Vec<Change>,
    /// Must the file not be edited in place?
    pub(super) replace: bool,
    /// Must it not be while anybody else has it open?
    #[serde(default)]
    pub(super) unopened: bool,
    /// Of the directory of each name, the path's first.
    pub(super) directories: Vec<Times>,
    /// The operations whose changes of this file are put back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reverts: Vec<String>,
}

/// What a step is, for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) kind: plan::Kind,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
    pub(super) method: String,
    pub(super) reason: String,
}

/// What a name was, or is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// Of the file that the name leads to.
    pub(super) lock: Lock,
    /// Of that file; where the name is a link, of the private copy that takes its place.
    pub(super) metadata: Metadata,
    /// The symbolic link out of the target that the name is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<Link>,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    #[serde(with = "path_text")]
    pub(super) target: PathBuf,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) times: Times,
}

/// Edits and what takes them back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) edits: EditSet,
    pub(super) undo: EditSet,
}

impl Record {
    /// A record of `steps` that follows on the operation `previous`.
    pub(super) fn new(
        kind: Kind,
        time: i64,
        base: Option<Base>,
        steps: Vec<Step>,
        id: String,
    ) -> Self {
        let tool = env!("CARGO_PKG_VERSION").to_owned();
        Self { schema: SCHEMA.to_owned(), id, kind, tool, time, base, steps }
    }
}

impl Step {
    /// Every name of the file, the path first.
    pub(super) fn names(&self) -> impl Iterator<Item = &RelativePath> {
        std::iter::once(&self.path).chain(&self.aliases)
    }

    /// The changes that lead from the new state back to the old one.
    pub(super) fn back(&self) -> Vec<Change> {
        let turned = self.changes.iter().rev();
        turned
            .map(|Change { edits, undo }| Change { edits: undo.clone(), undo: edits.clone() })
            .collect()
    }
}

/// The name of a temporary file, which tells whose it is: a recovery finds it by the record alone.
/// `step` and `name` are positions within the record and within a step's names.
pub(super) fn temporary(id: &str, step: usize, name: usize, beside: &Path) -> PathBuf {
    beside.with_file_name(format!(".tfpatch-{id}-{step}-{name}.tmp"))
}

/// A path of any bytes as base64: a link may point anywhere.
mod path_text {
    use crate::edit::base64_bytes;
    use serde::{Deserializer, Serializer};
    use std::ffi::OsString;
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    use std::path::{Path, PathBuf};

    pub(super) fn serialize<S: Serializer>(path: &Path, to: S) -> Result<S::Ok, S::Error> {
        base64_bytes::serialize(path.as_os_str().as_bytes(), to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<PathBuf, D::Error> {
        Ok(PathBuf::from(OsString::from_vec(base64_bytes::deserialize(from)?)))
    }
}
