//! Reports for programs. The names in them are a contract.

use super::linked::LinkReport;
use super::path_text::PathText;
use super::words::findings as words;
use super::words::targets;
use crate::app::targets::Reason;
use crate::findings::finding::{Cause, Finding, Severity};
use crate::loader::{Closure, Dependency, Rule, SearchStep, StepOutcome};
use crate::object::{Format, RpathKind};
use crate::plan::Plan;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::ser::Error as _;
use serde::{Serialize, Serializer};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Writes a report as one JSON document.
///
/// # Errors
/// If the output cannot be written.
pub fn write(out: &mut dyn Write, report: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, report).map_err(io::Error::from)?;
    writeln!(out)
}

/// `tfpatch/doctor/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct DoctorReport {
    schema: &'static str,
    targets: Vec<TargetReport>,
    findings: Vec<FindingReport>,
    objects: usize,
    unresolved: usize,
    /// Linked directories with objects outside the targets, which were not examined.
    pub not_followed: Vec<LinkReport>,
}

/// The examined target.
#[derive(Debug, Serialize, JsonSchema)]
pub struct TargetReport {
    /// The environment's prefix, the directory, or the object.
    #[serde(flatten)]
    pub path: PathText,
    /// The reason why it was chosen.
    pub reason: String,
}

/// A list of steps, and the findings that no step fixes.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub struct PlanReport<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// The findings that the plan does not fix, in the format of reports.
    #[schemars(default)]
    #[serde(serialize_with = "by_name")]
    unfixable: Vec<FindingReport>,
}

/// Writes findings with their fields sorted by name, as in all previous versions of plans, so that rewriting
/// a plan gives the same file.
fn by_name<S: Serializer>(findings: &[FindingReport], to: S) -> Result<S::Ok, S::Error> {
    let values: Result<Vec<Value>, _> = findings.iter().map(serde_json::to_value).collect();
    values.map_err(S::Error::custom)?.serialize(to)
}

impl<'a> PlanReport<'a> {
    /// A plan, and the findings that it does not fix in a target with this root, with paths relative to the
    /// root.
    #[must_use]
    pub fn of(plan: &'a Plan, root: &Path, remaining: &[Finding]) -> Self {
        let below_root = remaining.iter().map(|finding| FindingReport::below(root, finding));
        Self { plan, unfixable: below_root.collect() }
    }
}

/// One finding.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FindingReport {
    severity: Severity,
    cause: Cause,
    object: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    object_bytes: Option<String>,
    library: Option<String>,
    fixable: bool,
    message: String,
    cure: String,
    lies_in: Vec<String>,
    /// The bytes of each path in `lies_in`, if one of them is not UTF-8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    lies_in_bytes: Vec<String>,
    tried: Vec<StepReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    symbols: Vec<String>,
}

/// One location that the loader searched.
#[derive(Debug, Serialize, JsonSchema)]
pub struct StepReport {
    #[serde(flatten)]
    path: PathText,
    rule: Rule,
    outcome: StepOutcome,
}

impl TargetReport {
    /// A target, and the reason why it was chosen.
    #[must_use]
    pub fn of(path: &Path, reason: &Reason) -> Self {
        Self { path: PathText::of(path), reason: targets::reason(reason) }
    }
}

impl DoctorReport {
    /// A report without findings.
    #[must_use]
    pub fn new() -> Self {
        Self {
            schema: "tfpatch/doctor/v1",
            targets: Vec::new(),
            findings: Vec::new(),
            objects: 0,
            unresolved: 0,
            not_followed: Vec::new(),
        }
    }

    /// Adds the findings of one target.
    pub fn add(
        &mut self,
        target: TargetReport,
        findings: &[Finding],
        objects: usize,
        unresolved: usize,
    ) {
        self.targets.push(target);
        self.findings.extend(findings.iter().map(FindingReport::of));
        self.objects += objects;
        self.unresolved += unresolved;
    }
}

impl Default for DoctorReport {
    fn default() -> Self {
        Self::new()
    }
}

impl FindingReport {
    /// A finding with paths relative to `root` if they are below it. Plans use this, so that they do not
    /// depend on the location of the target.
    #[must_use]
    pub fn below(root: &Path, finding: &Finding) -> Self {
        let relative = |path: &Path| match path.strip_prefix(root) {
            Ok(below) if !below.as_os_str().is_empty() => below.to_owned(),
            _ => path.to_owned(),
        };
        let mut finding = finding.clone();
        finding.object = relative(&finding.object);
        finding.lies_in = finding.lies_in.iter().map(|path| relative(path)).collect();
        for step in &mut finding.tried {
            step.path = relative(&step.path);
        }
        Self::of(&finding)
    }

    /// A finding with its paths on the disk.
    #[must_use]
    pub fn of(finding: &Finding) -> Self {
        let object = PathText::of(&finding.object);
        Self {
            severity: finding.severity(),
            cause: finding.cause,
            object: object.path,
            object_bytes: object.path_bytes,
            library: finding.library.as_deref().map(text),
            fixable: finding.fixable,
            message: words::message(finding),
            cure: words::cure(finding),
            lies_in: finding
                .lies_in
                .iter()
                .map(|path| path.to_string_lossy().into_owned())
                .collect(),
            lies_in_bytes: if finding.lies_in.iter().all(|path| path.to_str().is_some()) {
                Vec::new()
            } else {
                let bytes = finding.lies_in.iter().map(|path| path.as_os_str().as_bytes());
                bytes.map(|bytes| STANDARD.encode(bytes)).collect()
            },
            tried: finding.tried.iter().map(StepReport::of).collect(),
            symbols: finding.symbols.iter().map(text).collect(),
        }
    }
}

impl StepReport {
    /// A place with its path on the disk.
    #[must_use]
    pub fn of(step: &SearchStep) -> Self {
        Self { path: PathText::of(&step.path), rule: step.rule, outcome: step.outcome }
    }
}

/// `tfpatch/show/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct ShowReport {
    /// The name of the schema.
    pub schema: &'static str,
    /// The files, in the order on the command line.
    pub files: Vec<FileReport>,
}

/// One object.
#[derive(Debug, Serialize, JsonSchema)]
pub struct FileReport {
    /// Its path.
    #[serde(flatten)]
    pub path: PathText,
    /// Its format.
    pub format: Format,
    /// One slice for an ELF file, one for each architecture of a universal Mach-O file.
    pub slices: Vec<SliceReport>,
}

/// The fields of an object that the loader reads.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SliceReport {
    /// The architecture, as in `uname -m`.
    pub arch: String,
    /// `DT_SONAME`, or the install name in `LC_ID_DYLIB`.
    pub soname: Option<String>,
    /// `PT_INTERP`.
    pub interpreter: Option<String>,
    /// `DT_NEEDED`, or the install names of the needed libraries, in order.
    pub needed: Vec<String>,
    /// The effective tag, or `lc_rpath`.
    pub rpath_kind: Option<RpathKind>,
    /// Its entries.
    pub rpath: Vec<String>,
    /// Entries for missing directories, as indices into `rpath`.
    pub dead: Vec<usize>,
    /// Duplicate entries, as indices into `rpath`.
    pub duplicate: Vec<usize>,
    /// ELF: the current length of the search path, which is the space for an edit in place. Mach-O: the free
    /// bytes after the load commands.
    pub room: u64,
    /// The GNU build ID.
    pub build_id: Option<String>,
    /// The properties that only a Mach-O slice has.
    #[serde(flatten)]
    pub macho: Option<MachoReport>,
}

/// The properties that only a Mach-O slice has.
#[derive(Debug, Serialize, JsonSchema)]
pub struct MachoReport {
    /// `LC_UUID`, in hexadecimal digits.
    pub uuid: Option<String>,
    /// The oldest macOS that it supports.
    pub minimum_system: Option<String>,
    /// The SDK that it was built with.
    pub sdk: Option<String>,
    /// Its code signature; `null` if it has none.
    pub signature: Option<String>,
}

/// `tfpatch/tree/v1`
#[derive(Debug, Serialize, JsonSchema)]
pub struct TreeReport {
    schema: &'static str,
    objects: Vec<TreeObject>,
    /// The libraries that `LD_PRELOAD` and `/etc/ld.so.preload` request on behalf of the programs.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    preload: Vec<TreeNeed>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct TreeObject {
    #[serde(flatten)]
    path: PathText,
    needed: Vec<TreeNeed>,
    /// The message of the loader if it fails although everything was found.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    words: Vec<String>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct TreeNeed {
    name: String,
    found: Option<String>,
    /// The bytes of `found`, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    found_bytes: Option<String>,
    rule: Rule,
    /// The object whose search path was used.
    via: Option<String>,
    /// The bytes of `via`, if they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    via_bytes: Option<String>,
    tried: Vec<StepReport>,
    /// The file that ended the search, and the reason, in the loader's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    fatal: Option<FatalReport>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct FatalReport {
    #[serde(flatten)]
    path: PathText,
    message: String,
}

impl TreeReport {
    /// All closures. Requested objects come first.
    #[must_use]
    pub fn of(closures: &[Closure]) -> Self {
        let mut seen: BTreeMap<&Path, ()> = BTreeMap::new();
        let mut objects = Vec::new();
        let asked = closures
            .iter()
            .filter_map(|closure| closure.objects.first().map(|first| (closure, first)));
        let others = closures.iter().flat_map(|closure| {
            closure.objects.iter().skip(1).map(move |object| (closure, object))
        });
        for (closure, (path, needed)) in asked.chain(others) {
            if seen.insert(path, ()).is_none() {
                let said = closure.words.iter().filter(|said| *said.object == **path);
                let words = said.map(|said| said.words.clone()).collect();
                objects.push(TreeObject { words, ..TreeObject::of(path, needed) });
            }
        }
        let preload = closures.iter().flat_map(|closure| &closure.preload);
        Self { schema: "tfpatch/tree/v1", objects, preload: preload.map(TreeNeed::of).collect() }
    }
}

impl TreeObject {
    fn of(path: &Path, needed: &[Dependency]) -> Self {
        let needed = needed.iter().map(TreeNeed::of).collect();
        Self { path: PathText::of(path), needed, words: Vec::new() }
    }
}

impl TreeNeed {
    fn of(dependency: &Dependency) -> Self {
        let (found, found_bytes) = PathText::optional(dependency.found.as_deref());
        let (via, via_bytes) = PathText::optional(dependency.via.as_deref());
        Self {
            name: text(&dependency.name),
            found,
            found_bytes,
            rule: dependency.rule,
            via,
            via_bytes,
            tried: dependency.tried.steps().map(|step| StepReport::of(&step)).collect(),
            fatal: dependency.fatal.as_ref().map(|fatal| FatalReport {
                path: PathText::of(&fatal.path),
                message: fatal.message.clone(),
            }),
        }
    }
}

/// Bytes of an object as text. Invalid UTF-8 is replaced.
#[must_use]
pub fn text(bytes: impl AsRef<[u8]>) -> String {
    String::from_utf8_lossy(bytes.as_ref()).into_owned()
}
