//! The changes of files as data: planned in one place, shown by a dry run, sent to another machine as JSON,
//! and carried out by an operation.
//!
//! A plan names files relative to the root of the target and contains no absolute path, so that it fits every
//! identical environment. Each step is locked to the bytes that it relies on: `apply` refuses a file in which
//! they differ.

pub mod field;

use self::field::FieldChange;
use crate::bytes::{self, Source};
use crate::edit::{Content, Edit, EditSet, Patched};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Component, Path, PathBuf};

/// The schema of a plan's JSON.
pub const SCHEMA: &str = "tfpatch/plan/v1";

/// Digests are computed in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// A list of steps. Reports add the findings that no step fixes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: String,
    /// The operation that carried it out, if one did.
    pub operation: Option<String>,
    /// Was it only planned?
    pub dry_run: bool,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// A plan of `steps` that has not been carried out yet.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        let schema = SCHEMA.to_owned();
        Self { schema, operation: None, dry_run: true, steps }
    }

    /// Reads a plan from JSON.
    ///
    /// # Errors
    /// [`Malformed`], with line and column if it is not JSON, is another document, or breaks a rule: a path
    /// that leaves the target, or edits that exceed the file or overlap.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        let named: Named = serde_json::from_slice(json)?;
        match named.schema {
            Some(schema) if schema == SCHEMA => Ok(serde_json::from_slice(json)?),
            schema => Err(Malformed::Schema { schema }),
        }
    }

    /// The ID of the operation that carries out the plan after `previous`, the last operation of the store:
    /// 12 hexadecimal digits. The same plan with the same history has the same ID on every host. If an equal
    /// fix is repeated after a revert, it gets another ID.
    #[must_use]
    pub fn id(&self, previous: Option<&str>) -> String {
        let steps: Vec<Identified<'_>> = self.steps.iter().map(Identified::of).collect();
        digest_of(&steps, previous)
    }
}

/// The schema that a JSON document declares.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    schema: Option<String>,
}

/// The reason why a document is not a plan.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is not JSON, or not a plan.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is another kind of document.
    #[error(
        "{}; expected \"{SCHEMA}\"",
        schema.as_ref().map_or("it has no schema".to_owned(), |found| format!("its schema is {found:?}"))
    )]
    Schema {
        /// The schema that it declares.
        schema: Option<String>,
    },
}

/// The parts of a step that determine the ID of its operation: everything, but of a RECORD only the changed
/// rows, because the others differ from place to place with the paths in console scripts.
#[derive(Serialize)]
#[serde(untagged)]
enum Identified<'a> {
    Object(&'a Step),
    Rows(&'a RelativePath, &'a [String], &'a [String]),
}

impl<'a> Identified<'a> {
    fn of(step: &'a Step) -> Self {
        match step.kind {
            Kind::Record => Self::Rows(&step.path, &step.before, &step.after),
            Kind::Elf | Kind::Macho | Kind::Wheel => Self::Object(step),
        }
    }
}

/// The number of hexadecimal digits in the ID of an operation.
pub(crate) const ID_LEN: usize = 12;

/// The first [`ID_LEN`] hexadecimal digits of the BLAKE3 digest of `data` as JSON, and of `previous`.
pub(crate) fn digest_of<T: Serialize>(data: &T, previous: Option<&str>) -> String {
    let mut hasher = blake3::Hasher::new();
    // JSON is written in pieces of some bytes, which take longer to hash one by one.
    match serde_json::to_vec(data) {
        Ok(json) => hasher.update(&json),
        // These types, whose keys are strings, cannot fail.
        Err(error) => hasher.update(error.to_string().as_bytes()),
    };
    hasher.update(&[0]);
    hasher.update(previous.unwrap_or_default().as_bytes());
    hasher.finalize().to_hex().chars().take(ID_LEN).collect()
}

/// The kind of file that a step edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An ELF object.
    Elf,
    /// A Mach-O object, thin or universal.
    Macho,
    /// A distribution's RECORD (PEP 376).
    Record,
    /// A whole wheel (PEP 427), which an operation rewrites. A plan names the members instead.
    Wheel,
}

/// How room was found for what a step writes, as named in plans and undo records.
///
/// The edits of a format have types of their own, such as [`crate::elf::edit::Method`]. Those contain exactly
/// what this version can do to that format, and this type contains everything that a document may say, for
/// any format or version. Only `plan_builder` converts one into the other, and the compiler checks that it
/// covers every case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Method {
    /// Nothing is written.
    Unchanged,
    /// ELF: the old string was overwritten.
    Slot,
    /// ELF: another existing string is used.
    Repoint,
    /// ELF: behind the last segment of the file.
    ExtendTail,
    /// ELF: in a new segment.
    NewSegment,
    /// ELF: in a new segment, together with the program headers.
    NewSegmentWithHeaders,
    /// ELF: the tag is removed.
    Remove,
    /// ELF: no string is written, only flags and other fields.
    Fields,
    /// Mach-O: new load commands.
    LoadCommands,
    /// Mach-O: the same, with a new ad-hoc signature.
    SignedAdHoc,
    /// Mach-O: the same, with an ad-hoc signature that replaces a signer's.
    SignerDropped,
    /// `RECORD`: its rows are updated.
    Rows,
    /// A wheel is rewritten.
    Repacked,
    /// A revert: the old bytes are restored.
    OldBytes,
    /// A revert: a link is restored.
    Link,
    /// Another value, from another version of tfpatch or from somebody else.
    Other(String),
}

impl Method {
    /// All values that this version writes.
    const ALL: [Self; 15] = [
        Self::Unchanged,
        Self::Slot,
        Self::Repoint,
        Self::ExtendTail,
        Self::NewSegment,
        Self::NewSegmentWithHeaders,
        Self::Remove,
        Self::Fields,
        Self::LoadCommands,
        Self::SignedAdHoc,
        Self::SignerDropped,
        Self::Rows,
        Self::Repacked,
        Self::OldBytes,
        Self::Link,
    ];

    /// Its name in plans and undo records.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Slot => "slot",
            Self::Repoint => "repoint",
            Self::ExtendTail => "extend_tail",
            Self::NewSegment => "new_segment",
            Self::NewSegmentWithHeaders => "new_segment_with_headers",
            Self::Remove => "remove",
            Self::Fields => "fields",
            Self::LoadCommands => "load_commands",
            Self::SignedAdHoc => "signed_ad_hoc",
            Self::SignerDropped => "signer_dropped",
            Self::Rows => "rows",
            Self::Repacked => "repacked",
            Self::OldBytes => "old_bytes",
            Self::Link => "link",
            Self::Other(name) => name,
        }
    }
}

impl From<String> for Method {
    fn from(name: String) -> Self {
        let known = Self::ALL.into_iter().find(|method| method.name() == name);
        known.unwrap_or(Self::Other(name))
    }
}

impl From<Method> for String {
    fn from(method: Method) -> Self {
        match method {
            Method::Other(name) => name,
            known => known.name().to_owned(),
        }
    }
}

/// The edit of one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "WireStep", into = "WireStep")]
pub struct Step {
    /// The file, relative to the target's root.
    pub path: RelativePath,
    /// Its other names inside the target (hard links), which stay names of the same file.
    pub aliases: Vec<RelativePath>,
    /// The kind of the file.
    pub kind: Kind,
    /// The old entries of the search path, or the old rows of a RECORD.
    pub before: Vec<String>,
    /// The new entries or rows.
    pub after: Vec<String>,
    /// The changes in addition to entries or rows.
    pub fields: Vec<FieldChange>,
    /// How room was found.
    pub method: Method,
    /// The reason, for users.
    pub reason: String,
    /// The edits. Their old length is the size in the lock.
    pub edits: EditSet,
    /// The file that the plan was made for.
    pub lock: Lock,
    /// The file that the step produces.
    pub left: Lock,
    /// Is editing in place forbidden, because not every prefix of the edits loads?
    pub replace: bool,
    /// Is editing in place forbidden while another process has the file open? Every prefix of the edits
    /// loads, but a process that runs the file would be harmed.
    pub unopened: bool,
    /// The identity of the examined file, if the process that made the plan also carries it out. It is not
    /// part of a written plan, which fits every file with these bytes.
    pub seen: Option<Seen>,
}

/// The identity of the file that a plan was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Device and inode.
    pub id: (u64, u64),
    /// Length in bytes.
    pub len: u64,
    /// Modification time: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    /// The directory that relative entries were computed for, with links resolved, as a path in the examined
    /// tree. `None` if the name of the file is a link.
    pub directory: Option<PathBuf>,
}

/// A step as JSON. It contains only the list of edits, because their old length is the size in the lock.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct WireStep {
    #[serde(flatten)]
    path: RelativePath,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<RelativePath>,
    kind: Kind,
    before: Vec<String>,
    after: Vec<String>,
    /// The changes of the object in addition to its search path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    fields: Vec<FieldChange>,
    method: String,
    #[serde(default)]
    bytes_changed: u64,
    #[serde(default)]
    bytes_appended: u64,
    reason: String,
    edits: Vec<Edit>,
    lock: Lock,
    left: Lock,
    #[serde(default)]
    replace: bool,
    #[serde(default)]
    unopened: bool,
}

impl From<Step> for WireStep {
    fn from(step: Step) -> Self {
        Self {
            bytes_changed: step.edits.bytes_changed(),
            bytes_appended: step.edits.bytes_appended(),
            edits: step.edits.in_write_order().to_vec(),
            path: step.path,
            aliases: step.aliases,
            kind: step.kind,
            before: step.before,
            after: step.after,
            fields: step.fields,
            method: step.method.into(),
            reason: step.reason,
            lock: step.lock,
            left: step.left,
            replace: step.replace,
            unopened: step.unopened,
        }
    }
}

impl TryFrom<WireStep> for Step {
    type Error = crate::edit::Invalid;

    fn try_from(wire: WireStep) -> Result<Self, Self::Error> {
        Ok(Self {
            edits: EditSet::new(wire.lock.size, wire.edits)?,
            path: wire.path,
            aliases: wire.aliases,
            kind: wire.kind,
            before: wire.before,
            after: wire.after,
            fields: wire.fields,
            method: wire.method.into(),
            reason: wire.reason,
            lock: wire.lock,
            left: wire.left,
            replace: wire.replace,
            unopened: wire.unopened,
            seen: None,
        })
    }
}

/// The required state of a file: its size, and the digest of the relevant ranges.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lock {
    /// Length in bytes.
    pub size: u64,
    /// The GNU build ID in hexadecimal digits, for users to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// The `LC_UUID` of a Mach-O object, for users to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// BLAKE3 in hexadecimal digits, over the size and over the bounds and bytes of each range.
    pub digest: String,
    /// The ranges, as file offsets in bytes: ascending, disjoint.
    pub ranges: Vec<Range<u64>>,
}

impl Lock {
    /// The lock of `source` over `ranges`, which may overlap and be in any order.
    ///
    /// # Errors
    /// If a range exceeds the file or cannot be read.
    pub fn of(source: &dyn Source, ranges: &[Range<u64>]) -> Result<Self, bytes::Error> {
        let ranges = bytes::joined(ranges);
        let digest = digest(source, &ranges)?;
        Ok(Self { size: source.len(), build_id: None, uuid: None, digest, ranges })
    }

    /// The locks of one step: of the file that `edits` are made for, over the ranges that the plan relied on
    /// and those that it replaces; and of the resulting file, over the same ranges and the new bytes. Bytes
    /// that an edit only copies ([`Content::CopyOf`]) are not included, because they may be a string table of
    /// 70 MB; add them to `relies_on` to include them.
    ///
    /// # Errors
    /// If a range exceeds the file or cannot be read.
    pub fn of_step(
        old: &dyn Source,
        edits: &EditSet,
        relies_on: &[Range<u64>],
    ) -> Result<(Self, Self), bytes::Error> {
        let mut before = relies_on.to_vec();
        before.extend(edits.in_write_order().iter().map(|edit| edit.range.clone()));
        let mut after = Vec::new();
        if edits.keeps_offsets() {
            let len = edits.new_len();
            after.extend(relies_on.iter().map(|range| range.start.min(len)..range.end.min(len)));
            let written = edits.in_write_order().iter().zip(edits.new_ranges());
            after.extend(written.filter_map(|(edit, range)| match edit.new {
                Content::Bytes(_) | Content::Kept(_) => Some(range),
                Content::CopyOf(_) => None,
            }));
        } else {
            after.push(0..edits.new_len());
        }
        Ok((Self::of(old, &before)?, Self::of(&Patched::new(old, edits), &after)?))
    }

    /// Is `source` the file that was locked?
    #[must_use]
    pub fn matches(&self, source: &dyn Source) -> bool {
        self.size == source.len()
            && self.digest_in(source).is_some_and(|found| found == self.digest)
    }

    /// The digest of `source` over the ranges of the lock, if it has them all.
    #[must_use]
    pub fn digest_in(&self, source: &dyn Source) -> Option<String> {
        // A lock may come from a plan of unknown origin. Joining the ranges again limits the work to the
        // length of the file.
        digest(source, &bytes::joined(&self.ranges)).ok()
    }
}

/// The bytes of short ranges that are hashed together.
const SHORT: usize = 16 << 10;

fn digest(source: &dyn Source, ranges: &[Range<u64>]) -> Result<String, bytes::Error> {
    let mut hasher = blake3::Hasher::new();
    // Most ranges are short, and take longer to hash one by one.
    let mut short = source.len().to_le_bytes().to_vec();
    for range in ranges {
        short.extend(range.start.to_le_bytes());
        short.extend(range.end.to_le_bytes());
        let mut at = range.start;
        while at < range.end {
            let piece = source.read(at, PIECE.min(range.end - at), "a locked range")?;
            at += piece.len() as u64;
            if piece.len() + short.len() <= SHORT {
                short.extend_from_slice(&piece);
                continue;
            }
            hasher.update(&short);
            short.clear();
            hasher.update(&piece);
        }
    }
    hasher.update(&short);
    Ok(hasher.finalize().to_hex().to_string())
}

/// A path relative to a root that it does not leave: without `..`, not absolute, never empty. It may contain
/// any bytes; in JSON it is a string, with `path_bytes` (base64) if it is not UTF-8.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "WirePath", into = "WirePath")]
pub struct RelativePath(PathBuf);

/// The reason why a path is invalid in a plan.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path:?} is not a path inside the target: it must be relative and must not contain `..`")]
pub struct NotRelative {
    /// The path.
    pub path: PathBuf,
}

impl RelativePath {
    /// `path`, without `.` components.
    ///
    /// # Errors
    /// If it is absolute, empty, or contains `..`.
    pub fn new(path: &Path) -> Result<Self, NotRelative> {
        let mut clean = PathBuf::new();
        for component in path.components() {
            match component {
                Component::Normal(name) => clean.push(name),
                Component::CurDir => {}
                Component::ParentDir | Component::RootDir | Component::Prefix(_) => {
                    return Err(NotRelative { path: path.to_path_buf() });
                }
            }
        }
        if clean.as_os_str().is_empty() || path.as_os_str().as_bytes().contains(&0) {
            return Err(NotRelative { path: path.to_path_buf() });
        }
        Ok(Self(clean))
    }

    /// The path, to be joined to its root.
    #[must_use]
    pub fn as_path(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for RelativePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl std::fmt::Display for RelativePath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&bytes::printable(self.0.as_os_str().as_bytes()))
    }
}

/// A path of arbitrary bytes as JSON.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct WirePath {
    path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path_bytes: Option<String>,
}

impl From<RelativePath> for WirePath {
    fn from(path: RelativePath) -> Self {
        let bytes = path.0.as_os_str().as_bytes();
        let path_bytes = std::str::from_utf8(bytes).is_err().then(|| STANDARD.encode(bytes));
        Self { path: path.0.to_string_lossy().into_owned(), path_bytes }
    }
}

impl TryFrom<WirePath> for RelativePath {
    type Error = String;

    fn try_from(wire: WirePath) -> Result<Self, String> {
        let bytes = match wire.path_bytes {
            Some(text) => STANDARD.decode(text).map_err(|error| error.to_string())?,
            None => wire.path.clone().into_bytes(),
        };
        // A reader of the plan sees `path`, so the bytes must not name another file.
        if String::from_utf8_lossy(&bytes) != wire.path {
            return Err(format!("path_bytes do not match the path {:?}", wire.path));
        }
        let path = PathBuf::from(std::ffi::OsString::from_vec(bytes));
        Self::new(&path).map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::Method;

    #[test]
    fn a_method_has_one_name_and_an_unknown_one_is_kept() {
        for method in Method::ALL {
            assert_eq!(Method::from(method.name().to_owned()), method);
        }
        let unknown: Method = serde_json::from_str("\"by_magic\"").unwrap();
        assert_eq!(unknown, Method::Other("by_magic".to_owned()));
        assert_eq!(serde_json::to_string(&unknown).unwrap(), "\"by_magic\"");
        assert_eq!(serde_json::to_string(&Method::ExtendTail).unwrap(), "\"extend_tail\"");
    }
}
