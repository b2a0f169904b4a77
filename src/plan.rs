//! What is to be done to which file, as data: planned in one place, shown by a dry run, sent to
//! another machine as JSON, and carried out by an operation.
//!
//! A plan names files relative to the target's root and holds no absolute path, so that it fits
//! every identical environment. Each step is locked to what it relied on: an apply refuses a file
//! that is another one.

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

/// Digests are taken in pieces of this many bytes.
const PIECE: u64 = 1 << 20;

/// A list of steps. Where it is written down, a report adds what no step cures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Plan {
    /// [`SCHEMA`].
    pub schema: String,
    /// The operation that carried it out, if one did.
    pub operation: Option<String>,
    /// Was it only planned?
    pub dry_run: bool,
    /// What is to be done, in this order.
    pub steps: Vec<Step>,
}

impl Plan {
    /// A plan of `steps` that nothing has carried out yet.
    #[must_use]
    pub fn new(steps: Vec<Step>) -> Self {
        let schema = SCHEMA.to_owned();
        Self { schema, operation: None, dry_run: true, steps }
    }

    /// Reads a plan that was written as JSON.
    ///
    /// # Errors
    /// [`Malformed`] with line and column where it is no JSON, is another document, or breaks a
    /// rule: a path that leaves the target, edits that leave the file or overlap.
    pub fn parse(json: &[u8]) -> Result<Self, Malformed> {
        let named: Named = serde_json::from_slice(json)?;
        match named.schema {
            Some(schema) if schema == SCHEMA => Ok(serde_json::from_slice(json)?),
            schema => Err(Malformed::Schema { schema }),
        }
    }

    /// The ID of the operation that carries the plan out after `previous`, the last operation of
    /// the store: 12 hexadecimal digits. The same plan in the same history has the same ID on every
    /// host, and the second of two equal fixes with a revert between them has another one.
    #[must_use]
    pub fn id(&self, previous: Option<&str>) -> String {
        let steps: Vec<Identified<'_>> = self.steps.iter().map(Identified::of).collect();
        digest_of(&steps, previous)
    }
}

/// The schema that a JSON document says it is of.
#[derive(Deserialize)]
struct Named {
    #[serde(default)]
    schema: Option<String>,
}

/// Why a document is no plan.
#[derive(Debug, thiserror::Error)]
pub enum Malformed {
    /// It is no JSON, or no plan.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// It is another document.
    #[error(
        "{}; expected \"{SCHEMA}\", as written by `tfpatch fix --dry-run -o FILE`",
        schema.as_ref().map_or("it has no schema".to_owned(), |found| format!("its schema is {found:?}"))
    )]
    Schema {
        /// The schema that it names.
        schema: Option<String>,
    },
}

/// What of a step names its operation: all of it, but of a RECORD only the rows that change, since
/// the others differ from place to place with the paths in console scripts.
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

/// Hexadecimal digits of an operation's ID.
pub(crate) const ID_LEN: usize = 12;

/// The first [`ID_LEN`] hexadecimal digits of the blake3 digest of `data` as JSON, and of `previous`.
pub(crate) fn digest_of<T: Serialize>(data: &T, previous: Option<&str>) -> String {
    let mut hasher = blake3::Hasher::new();
    if let Err(error) = serde_json::to_writer(&mut hasher, data) {
        // Neither a hasher nor these types, whose keys are strings, give rise to an error.
        hasher.update(error.to_string().as_bytes());
    }
    hasher.update(&[0]);
    hasher.update(previous.unwrap_or_default().as_bytes());
    hasher.finalize().to_hex().chars().take(ID_LEN).collect()
}

/// What kind of file a step edits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An ELF object.
    Elf,
    /// A Mach-O object, thin or universal.
    Macho,
    /// A distribution's RECORD (PEP 376).
    Record,
    /// A wheel (PEP 427) as a whole, which an operation rewrites. A plan names its members
    /// instead.
    Wheel,
}

/// How room was found for what a step writes, as plans and undo records name it.
///
/// What an edit of a format tells, [`crate::elf::edit::Method`] for instance, is a type of its own: that one
/// is exactly what this version can do to that format, and this one is what a document may say, whichever
/// format or version it is about. `plan_builder` alone leads from the one to the other, and the compiler
/// asks it for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Method {
    /// Nothing is written.
    Unchanged,
    /// ELF: in the place of the old string.
    Slot,
    /// ELF: by another string that is there already.
    Repoint,
    /// ELF: behind the last segment of the file.
    ExtendTail,
    /// ELF: in a segment of its own.
    NewSegment,
    /// ELF: in a segment of its own, with the program headers.
    NewSegmentWithHeaders,
    /// ELF: the tag is taken away.
    Remove,
    /// ELF: no string is written, only flags and other fields.
    Fields,
    /// Mach-O: new load commands.
    LoadCommands,
    /// Mach-O: the same, and an ad-hoc signature where there was none.
    SignedAdHoc,
    /// Mach-O: the same, and an ad-hoc signature in the stead of a signer's.
    SignerDropped,
    /// `RECORD`: its rows follow.
    Rows,
    /// A wheel is written anew.
    Repacked,
    /// A revert: the old bytes are put back.
    OldBytes,
    /// A revert: a link is put back.
    Link,
    /// What another version of tfpatch, or somebody else, has written there.
    Other(String),
}

impl Method {
    /// All that this version writes.
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

    /// Its name in a plan and in an undo record.
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
    /// Its other names inside the target (hard links), which stay names of one file.
    pub aliases: Vec<RelativePath>,
    /// What kind of file it is.
    pub kind: Kind,
    /// The search path's entries, or the rows of a RECORD, that stood there.
    pub before: Vec<String>,
    /// Those that will stand there.
    pub after: Vec<String>,
    /// What changes besides.
    pub fields: Vec<FieldChange>,
    /// How room was found.
    pub method: Method,
    /// Why, for a person.
    pub reason: String,
    /// The edits. Their old length is the lock's size.
    pub edits: EditSet,
    /// The file that the plan was made for.
    pub lock: Lock,
    /// The file that the step leaves.
    pub left: Lock,
    /// Must the file not be edited in place, because not every prefix of the edits loads?
    pub replace: bool,
    /// Must the file not be edited in place while anybody else has it open? Every prefix of the
    /// edits loads, and a process that runs the file would be harmed.
    pub unopened: bool,
    /// The very file that was looked at, where the plan is carried out by the process that made it.
    /// Not part of a plan that is written down, which fits every file of these bytes.
    pub seen: Option<Seen>,
}

/// Which file it was that a plan was made for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Device and inode.
    pub id: (u64, u64),
    /// Length in bytes.
    pub len: u64,
    /// Time of the last change of content: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
    /// The directory that relative entries were spelled from, links resolved, as a path of the tree that
    /// was looked at. None where the file has its name by a link.
    pub directory: Option<PathBuf>,
}

/// A step as JSON: the list of edits alone, since their old length is the lock's size.
#[derive(Clone, Serialize, Deserialize, JsonSchema)]
struct WireStep {
    #[serde(flatten)]
    path: RelativePath,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<RelativePath>,
    kind: Kind,
    before: Vec<String>,
    after: Vec<String>,
    /// What changes of the object besides its search path.
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

/// What a file must be: its size, and the digest of the ranges that matter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Lock {
    /// Length in bytes.
    pub size: u64,
    /// The GNU build ID in hexadecimal digits, for a person to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build_id: Option<String>,
    /// The `LC_UUID` of a Mach-O object, for a person to compare.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uuid: Option<String>,
    /// blake3, in hexadecimal digits, over the size and over each range's bounds and bytes.
    pub digest: String,
    /// The ranges, as file offsets in bytes: ascending, disjoint.
    pub ranges: Vec<Range<u64>>,
}

impl Lock {
    /// The lock of `source` over `ranges`, which may overlap and stand in any order.
    ///
    /// # Errors
    /// Where a range leaves the file or cannot be read.
    pub fn of(source: &dyn Source, ranges: &[Range<u64>]) -> Result<Self, bytes::Error> {
        let ranges = bytes::joined(ranges);
        let digest = digest(source, &ranges)?;
        Ok(Self { size: source.len(), build_id: None, uuid: None, digest, ranges })
    }

    /// The locks of one step: of the file that `edits` are made for, over the ranges that the plan
    /// relied on and those that it replaces; and of the file that they leave, over the same ranges
    /// and what is new. Bytes that an edit merely copies ([`Content::CopyOf`]) are left out, for
    /// they may be a string table of 70 MB: name them in `relies_on` to have them in.
    ///
    /// # Errors
    /// Where a range leaves the file or cannot be read.
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

    /// The digest that `source` has over the lock's ranges, if it has them all.
    #[must_use]
    pub fn digest_in(&self, source: &dyn Source) -> Option<String> {
        // A lock may come from a plan that somebody else wrote: joining the ranges again bounds
        // the work by the file's length.
        digest(source, &bytes::joined(&self.ranges)).ok()
    }
}

fn digest(source: &dyn Source, ranges: &[Range<u64>]) -> Result<String, bytes::Error> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&source.len().to_le_bytes());
    for range in ranges {
        hasher.update(&range.start.to_le_bytes());
        hasher.update(&range.end.to_le_bytes());
        let mut at = range.start;
        while at < range.end {
            let piece = source.read(at, PIECE.min(range.end - at), "a locked range")?;
            hasher.update(&piece);
            at += piece.len() as u64;
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// A path relative to a root, that does not leave it: no `..`, nothing absolute, never empty. Any
/// bytes; in JSON a string, with `path_bytes` (base64) where they are not UTF-8.
#[derive(
    Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(try_from = "WirePath", into = "WirePath")]
pub struct RelativePath(PathBuf);

/// Why a path cannot stand in a plan.
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
    /// Where it is absolute, empty, or holds `..`.
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

/// A path of any bytes as JSON.
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
        // Whoever reads the plan reads `path`: the bytes may not name another file.
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
