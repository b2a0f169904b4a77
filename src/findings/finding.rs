//! What a diagnosis found: the cause, its severity, and the evidence.

use super::cure::{Cure, Search};
use super::evidence::Evidence;
use super::evidence::need::{Lacking, Need, Supply};
use super::evidence::symbols::{Newer, Symbols};
use super::refusal::Refusal;
use crate::command_line::Naming;
use crate::loader::SearchStep;
use crate::python::installs::Installs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The severity of a finding.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An import fails, or an accelerator library that a distribution needs is not found.
    Error,
    /// It works only by chance, or because of the environment.
    Warning,
    /// Worth knowing.
    Info,
}

impl fmt::Display for Severity {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Info => "info",
        })
    }
}

/// The cause of a finding, in the order in which causes block an import. The names are part of the JSON
/// contract.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The environment or its interpreter is broken.
    WrongInterpreter,
    /// The object is truncated, malformed or not readable.
    Unreadable,
    /// The object is for another operating system or C library.
    WrongPlatform,
    /// The object is for another processor.
    WrongArch,
    /// Installed files are missing or modified.
    PartialInstall,
    /// The library is in the target, in a directory that is not searched.
    PathMissing,
    /// The same, for a library that is only opened with `dlopen`.
    DlopenPathMissing,
    /// The library exists, but the symlink with the needed name is missing.
    DroppedLink,
    /// The library is in a directory that `ldconfig` searches, but the cache does not list it.
    StaleCache,
    /// The library is not found on this system.
    NotInstalled,
    /// Another major version of the library exists.
    SonameMismatch,
    /// The library exists, but lacks a needed version.
    SymbolVersion,
    /// A Mach-O signature is missing or invalid.
    BadSignature,
    /// Distributions are incompatible: one binds symbols that the other lacks.
    VersionMismatch,
    /// The library exists, but lacks a symbol.
    MissingSymbol,
    /// The object needs thread-local storage that is reserved when the program starts.
    StaticTls,
    /// The object requests an executable stack.
    ExecStack,
    /// Several copies fit, and none is preferred.
    DuplicateInstall,
    /// The library is found only because of a variable, or a variable makes another copy shadow the right
    /// one.
    EnvOverride,
    /// A data file, such as libdevice, is not in the searched directories.
    DataMissing,
    /// The library is found only after another library was loaded.
    LoadOrder,
    /// A library of the graphics driver is missing.
    DriverMissing,
    /// A search path contains duplicate entries.
    DuplicateRpath,
    /// A search path names missing directories.
    DeadRpath,
}

impl Cause {
    /// All causes, in the order in which they block an import.
    pub const ALL: &[Self] = &[
        Self::WrongInterpreter,
        Self::Unreadable,
        Self::WrongPlatform,
        Self::WrongArch,
        Self::PartialInstall,
        Self::PathMissing,
        Self::DlopenPathMissing,
        Self::DroppedLink,
        Self::StaleCache,
        Self::NotInstalled,
        Self::SonameMismatch,
        Self::SymbolVersion,
        Self::BadSignature,
        Self::VersionMismatch,
        Self::MissingSymbol,
        Self::StaticTls,
        Self::ExecStack,
        Self::DuplicateInstall,
        Self::EnvOverride,
        Self::DataMissing,
        Self::LoadOrder,
        Self::DriverMissing,
        Self::DuplicateRpath,
        Self::DeadRpath,
    ];

    /// The severity depends on the cause.
    #[must_use]
    pub fn severity(self) -> Severity {
        match self {
            Self::Unreadable
            | Self::WrongArch
            | Self::PathMissing
            | Self::DlopenPathMissing
            | Self::DroppedLink
            | Self::StaleCache
            | Self::NotInstalled
            | Self::SonameMismatch
            | Self::SymbolVersion
            | Self::BadSignature
            | Self::VersionMismatch
            | Self::MissingSymbol
            | Self::PartialInstall
            | Self::WrongPlatform => Severity::Error,
            Self::DuplicateInstall
            | Self::EnvOverride
            | Self::WrongInterpreter
            | Self::StaticTls
            | Self::ExecStack
            | Self::DataMissing => Severity::Warning,
            Self::LoadOrder | Self::DriverMissing | Self::DuplicateRpath | Self::DeadRpath => {
                Severity::Info
            }
        }
    }

    /// The name in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::WrongArch => "wrong_arch",
            Self::PathMissing => "path_missing",
            Self::DlopenPathMissing => "dlopen_path_missing",
            Self::DroppedLink => "dropped_link",
            Self::StaleCache => "stale_cache",
            Self::NotInstalled => "not_installed",
            Self::SonameMismatch => "soname_mismatch",
            Self::DuplicateInstall => "duplicate_install",
            Self::SymbolVersion => "symbol_version",
            Self::EnvOverride => "env_override",
            Self::WrongInterpreter => "wrong_interpreter",
            Self::LoadOrder => "load_order",
            Self::DriverMissing => "driver_missing",
            Self::BadSignature => "bad_signature",
            Self::VersionMismatch => "version_mismatch",
            Self::MissingSymbol => "missing_symbol",
            Self::DuplicateRpath => "duplicate_rpath",
            Self::DeadRpath => "dead_rpath",
            Self::PartialInstall => "partial_install",
            Self::WrongPlatform => "wrong_platform",
            Self::StaticTls => "static_tls",
            Self::ExecStack => "exec_stack",
            Self::DataMissing => "data_missing",
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.pad(self.name())
    }
}

/// A problem, or something worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The cause.
    pub cause: Cause,
    /// The object that needs the library, or that has the problem itself.
    pub object: PathBuf,
    /// The needed library, as named in `DT_NEEDED`.
    pub library: Option<Vec<u8>>,
    /// Can an edit of a search path fix it?
    pub fixable: bool,
    /// The evidence.
    pub evidence: Evidence,
    /// The fix: a command, or an instruction.
    pub cure: Cure,
    /// The reason why it is not repaired, although a search path would fix it.
    pub refusal: Option<Refusal>,
    /// The directories that contain the library, the best first; empty if it is not found.
    pub lies_in: Vec<PathBuf>,
    /// Every place that the loader tried, in order.
    pub tried: Vec<SearchStep>,
    /// Symbols that would not bind, with their underscores.
    pub symbols: Vec<Vec<u8>>,
    /// Does the loader reject the object because of it? Then it is an error, whatever its cause.
    pub is_fatal: bool,
    /// Do files not show whether anything fails because of it? Then an error is only a warning.
    pub is_doubtful: bool,
    /// Does everything that is imported work without it, as far as files show? Then it is only `info`,
    /// whatever its cause.
    pub is_optional: bool,
    /// How commands name the target that was examined.
    pub naming: Naming,
    /// The tool that installs packages in the environment, for fixes that install something.
    pub installs: Installs,
}

impl Finding {
    /// Its subject: the object and the library. Without a library, the cause belongs to it.
    #[must_use]
    pub fn question(&self) -> (&Path, Option<&[u8]>, Option<Cause>) {
        let cause = self.library.is_none().then_some(self.cause);
        (&self.object, self.library.as_deref(), cause)
    }

    /// Does a variable lead to a copy of a library that lacks symbols?
    #[must_use]
    pub fn gets_a_lacking_copy(&self) -> bool {
        self.cause == Cause::EnvOverride && !self.symbols.is_empty()
    }

    /// Marks it as something that a repair does not change. The reason is told unless the user has to change a
    /// variable first.
    pub fn refuse(&mut self, reason: &Refusal) {
        self.fixable = false;
        if !matches!(self.cure, Cure::Search(Search::TakeOut { .. })) {
            self.refusal = Some(reason.clone());
        }
    }

    /// Is it caused only by variables that are set?
    #[must_use]
    pub fn blames_variables(&self) -> bool {
        self.cause == Cause::EnvOverride
            || matches!(
                &self.evidence,
                Evidence::Symbols(Symbols::NoVersion { newer: Newer::WithoutVariables(_), .. })
            )
    }

    /// The severity of its cause, unless the loader rejects the object because of it, or nothing needs it.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self { is_optional: true, .. } => Severity::Info,
            Self { is_fatal: true, .. } => Severity::Error,
            Self { is_doubtful: true, cause, .. } => cause.severity().max(Severity::Warning),
            Self { cause, .. } => cause.severity(),
        }
    }

    /// Does the target have another version of a library than the needed one?
    #[must_use]
    pub(crate) fn is_about_own_version(&self) -> bool {
        let Evidence::Need(Need { supply: Supply::Lacking(lacking), .. }) = &self.evidence else {
            return false;
        };
        matches!(lacking, Lacking::OtherVersion { is_own: true, .. })
    }
}

/// A finding about an object itself.
pub(crate) fn fault(cause: Cause, object: &Path, evidence: Evidence, cure: Cure) -> Finding {
    Finding {
        cause,
        object: object.to_owned(),
        library: None,
        fixable: false,
        evidence,
        cure,
        refusal: None,
        lies_in: Vec::new(),
        tried: Vec::new(),
        symbols: Vec::new(),
        is_fatal: false,
        is_doubtful: false,
        is_optional: false,
        naming: Naming::default(),
        installs: Installs::default(),
    }
}

/// Adds the tool that installs packages and the name of the target to each finding, and sorts them.
pub fn with_tool(
    installs: impl Fn(&Path) -> Installs,
    naming: &Naming,
    findings: &mut Vec<Finding>,
) {
    for finding in findings.iter_mut() {
        finding.installs = installs(&finding.object);
        finding.naming = naming.clone();
    }
    sort(findings);
}

/// Sorts errors first, then by the order of causes, then by object and library.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.severity(), finding.cause);
        key(a).cmp(&key(b)).then_with(|| (&a.object, &a.library).cmp(&(&b.object, &b.library)))
    });
    findings.dedup();
}
