//! The record of an operation: everything that is needed to restore every file, in a few kilobytes per file.
//! It is written and synced before the first byte of a file changes.

use super::digest::Digest;
use super::distrust::{Impossible, Unusable};
use super::times::Times;
use super::tree::Name;
use crate::edit::EditSet;
use crate::plan::field::FieldChange;
use crate::plan::{self, Kind as FileKind, Lock, RelativePath};
use crate::python::{join_within, record};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

/// The schema of a record's JSON.
const SCHEMA: &str = "tfpatch/operation/v2";
/// The schema of tfpatch 0.1, which had no digest of the record. The other fields are the same, and its
/// modes, owners and attributes are not read.
const SCHEMA_WITHOUT_DIGEST: &str = "tfpatch/operation/v1";

/// The kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Carries out a plan that fixes findings.
    Fix,
    /// Carries out a plan that was made before, possibly on another machine.
    Apply,
    /// Carries out edits of search paths that were requested directly.
    Rpath,
    /// Carries out other edits that were requested directly.
    Edit,
    /// Restores old bytes.
    Revert,
}

/// The start of a record, before the digest of everything that follows the digest: BLAKE3 in hexadecimal
/// digits. It detects damaged records.
const START: &str = r#"{"schema":"tfpatch/operation/v2","digest":""#;
/// The text between the digest and the content that it covers.
const AFTER_DIGEST: &str = "\",";
/// The maximum number of values in a record, estimated by counting commas. An operation on a large
/// environment has several hundred thousand.
const MAX_VALUES: usize = 2_000_000;
/// The maximum number of changes of one file in a record, and therefore of operations that one revert undoes.
pub(super) const MAX_CHANGES: usize = 200;
/// The maximum growth of a file as a factor, and in additional bytes, compared with the shorter of its
/// states. An edit copies a part of the file to its end, and a member of a wheel may compress less well than
/// before.
const MAX_GROWTH: u64 = 4;
const MAX_MORE: u64 = 64 << 20;
/// The number of hexadecimal digits of a digest.
const DIGEST_LEN: usize = 64;

/// The start of a record of any version.
#[derive(Deserialize)]
struct Named<'a> {
    schema: &'a str,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The digest of the steps and of the previous operation.
    pub(super) id: String,
    pub(super) kind: Kind,
    /// The version of tfpatch that wrote it.
    pub(super) tool: String,
    /// Seconds since 1970.
    pub(super) time: i64,
    /// The target of the record, if it does not contain the store itself, because one store may be used for
    /// several targets. It determines which records concern a target, and never which files are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) base: Option<Base>,
    pub(super) steps: Vec<Step>,
}

/// An absolute directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Base(#[serde(with = "path_text")] pub(super) PathBuf);

/// The old and new state of one file, and the changes in both directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Step {
    /// The path, relative to the directory that contains the store, or to the target if the store is
    /// elsewhere.
    #[serde(flatten)]
    pub(super) path: RelativePath,
    /// Other names of the same file.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) aliases: Vec<RelativePath>,
    #[serde(flatten)]
    pub(super) about: About,
    pub(super) old: State,
    pub(super) new: State,
    /// The changes from the old state to the new one, in order.
    pub(super) changes: Vec<Change>,
    /// Is editing in place forbidden?
    pub(super) replace: bool,
    /// Is editing in place forbidden while another process has the file open?
    #[serde(default)]
    pub(super) unopened: bool,
    /// The times of the directory of each name, beginning with that of the path.
    pub(super) directories: Vec<Times>,
    /// The operations whose changes of this file are undone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reverts: Vec<String>,
}

/// The description of a step for reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct About {
    pub(super) kind: plan::Kind,
    pub(super) before: Vec<String>,
    pub(super) after: Vec<String>,
    /// The changes in addition to entries or rows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) fields: Vec<FieldChange>,
    pub(super) method: plan::Method,
    pub(super) reason: String,
}

/// The old or new state of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The state of the file that the name refers to.
    pub(super) lock: Lock,
    /// The digest of the whole file, if it was known without reading the file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) whole: Option<Digest>,
    /// The metadata that are restored along with the bytes. They do not include permissions.
    pub(super) metadata: Kept,
    /// The symbolic link at this name, which leads outside the target.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) link: Option<Link>,
}

/// The metadata of a file in a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) times: Times,
}

/// A symbolic link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Link {
    #[serde(with = "path_text")]
    pub(super) target: PathBuf,
    pub(super) times: Times,
}

/// Edits and their inverse.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Change {
    pub(super) edits: EditSet,
    pub(super) undo: EditSet,
}

impl Record {
    /// A record of `steps` that follows the operation `previous`.
    pub(super) fn new(
        kind: Kind,
        time: i64,
        base: Option<Base>,
        steps: Vec<Step>,
        id: String,
    ) -> Self {
        let tool = env!("CARGO_PKG_VERSION").to_owned();
        Self { id, kind, tool, time, base, steps }
    }

    /// The record in its written form.
    pub(super) fn seal(&self) -> serde_json::Result<Vec<u8>> {
        let text = serde_json::to_string(self)?;
        let rest = text.strip_prefix('{').unwrap_or(&text);
        let digest = blake3::hash(rest.as_bytes()).to_hex();
        Ok([START, &digest, AFTER_DIGEST, rest].concat().into_bytes())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// The reason, if the record is damaged or its version is unknown.
    pub(super) fn unseal(text: &[u8]) -> Result<Self, Unusable> {
        let said = |error: serde_json::Error| Unusable::Json { said: error.to_string() };
        let Named { schema } = serde_json::from_slice(text).map_err(said)?;
        match schema {
            SCHEMA if !is_sealed(text) => {
                return Err(Unusable::Damaged);
            }
            SCHEMA | SCHEMA_WITHOUT_DIGEST => {}
            other => return Err(Unusable::Schema { found: other.to_owned(), known: SCHEMA }),
        }
        // A parsed value takes many times the space of its text.
        if memchr::memchr_iter(b',', text).count() > MAX_VALUES {
            return Err(Unusable::TooManyValues { limit: MAX_VALUES });
        }
        let mut record: Self = serde_json::from_slice(text).map_err(said)?;
        record.check().map_err(Unusable::Impossible)?;
        record.take_digests_from_rows();
        Ok(record)
    }

    /// Can an operation have produced this record, regardless of the files in the target? Its ID is a part of
    /// the names of temporary files.
    pub(super) fn check(&self) -> Result<(), Impossible> {
        let ids = self.steps.iter().flat_map(|step| &step.reverts).chain([&self.id]);
        if !ids.into_iter().all(|id| is_id(id)) {
            return Err(Impossible::Id);
        }
        let mut names: Vec<&Path> =
            self.steps.iter().flat_map(Step::names).map(RelativePath::as_path).collect();
        names.sort_unstable();
        if names.windows(2).any(|pair| pair.first() == pair.last()) {
            return Err(Impossible::NamedTwice);
        }
        self.steps.iter().try_for_each(Step::check)
    }

    /// The hash of a file in a RECORD after the operation is the digest of the whole file.
    fn take_digests_from_rows(&mut self) {
        let records = self.steps.iter().filter(|step| step.reverts.is_empty());
        let digests: BTreeMap<PathBuf, Digest> = records
            .filter(|step| step.about.kind == FileKind::Record)
            .flat_map(|step| digests_in_rows(step.path.as_path(), &step.about.after))
            .collect();
        for step in self.steps.iter_mut().filter(|step| step.new.whole.is_none()) {
            step.new.whole = digests.get(step.path.as_path()).cloned();
        }
    }
}

/// Is it a valid ID of an operation, as [`plan::digest_of`] computes it?
fn is_id(id: &str) -> bool {
    id.len() == plan::ID_LEN && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Does a record begin with the digest of the rest?
fn is_sealed(text: &[u8]) -> bool {
    let sealed = text.strip_prefix(START.as_bytes());
    let Some((digest, rest)) = sealed.and_then(|text| text.split_at_checked(DIGEST_LEN)) else {
        return false;
    };
    rest.strip_prefix(AFTER_DIGEST.as_bytes())
        .is_some_and(|rest| blake3::hash(rest).to_hex().as_bytes() == digest)
}

/// The SHA-256 of files by their paths, according to the rows of the RECORD at `record`. All paths are
/// relative to the same directory.
pub(super) fn digests_in_rows(
    record: &Path,
    rows: &[String],
) -> impl Iterator<Item = (PathBuf, Digest)> {
    let site = record.parent().and_then(Path::parent).unwrap_or(Path::new("")).to_path_buf();
    rows.iter().filter_map(move |text| {
        let row = record::rows(text.as_bytes()).next()?.ok()?;
        let sha256 = row.hash.as_ref()?.sha256()?;
        let path = join_within(&site, Path::new(OsStr::from_bytes(&row.path)))?;
        Some((path, Digest::Sha256(sha256)))
    })
}

impl Step {
    /// Can an operation have produced this step?
    fn check(&self) -> Result<(), Impossible> {
        let is_link = self.old.link.is_some() || self.new.link.is_some();
        if self.changes.is_empty() {
            return Err(Impossible::NoChange);
        }
        if self.changes.len() > MAX_CHANGES {
            return Err(Impossible::TooManyChanges);
        }
        if is_link && !matches!(self.about.kind, FileKind::Elf | FileKind::Macho) {
            return Err(Impossible::Link);
        }
        let is_empty = |state: &State| state.lock.size > 0 && state.lock.ranges.is_empty();
        if is_empty(&self.old) || is_empty(&self.new) {
            return Err(Impossible::NoContents);
        }
        let is_named = |name: &RelativePath| match self.about.kind {
            FileKind::Record => name.as_path().file_name() == Some(OsStr::new("RECORD")),
            FileKind::Wheel => name.as_path().extension() == Some(OsStr::new("whl")),
            FileKind::Elf | FileKind::Macho => true,
        };
        if !self.names().all(is_named) {
            return Err(Impossible::OtherKind);
        }
        let all = self.changes.iter().flat_map(|change| [&change.edits, &change.undo]);
        let longest = all.flat_map(|edits| [edits.old_len(), edits.new_len()]).max();
        let limit = self.old.lock.size.min(self.new.lock.size);
        if longest > Some(limit.saturating_mul(MAX_GROWTH).saturating_add(MAX_MORE)) {
            return Err(Impossible::TooMuchGrowth);
        }
        let links = [&self.old, &self.new].into_iter().filter_map(|state| state.link.as_ref());
        let times = [self.old.metadata.times, self.new.metadata.times].into_iter();
        let mut times =
            times.chain(links.map(|link| link.times)).chain(self.directories.iter().copied());
        if times.any(|times| !times.are_valid()) {
            return Err(Impossible::Time);
        }
        Ok(())
    }

    /// All names of the file, the path first.
    pub(super) fn names(&self) -> impl Iterator<Item = &RelativePath> {
        std::iter::once(&self.path).chain(&self.aliases)
    }

    /// The changes from the new state back to the old one.
    pub(super) fn back(&self) -> Vec<Change> {
        let turned = self.changes.iter().rev();
        turned
            .map(|Change { edits, undo }| Change { edits: undo.clone(), undo: edits.clone() })
            .collect()
    }
}

/// The name of a temporary file, which identifies its operation, so that a recovery finds the file with only
/// the record. `step` and `name` are the indices of the step in the record and of the name in the step.
pub(super) fn temporary(
    id: &str,
    (step, name): (usize, usize),
    way: Direction,
    beside: &Name,
) -> Name {
    let way = match way {
        Direction::Forth => "",
        Direction::Back => "-back",
    };
    beside.beside(format!(".tfpatch-{id}-{step}-{name}{way}.tmp"))
}

/// Is an operation carried out, or rolled back? Each direction has its own temporary names. Once a name has
/// received its new file, the temporary name of that direction never contains an incomplete one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Direction {
    Forth,
    Back,
}

/// A path of arbitrary bytes as base64, because a link may contain any bytes.
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
