//! What a diagnosis found: the cause, its severity, and the evidence.

use super::cure::Cure;
use super::evidence::Evidence;
use super::evidence::need::{Lacking, Need, Supply};
use super::evidence::symbols::{Newer, Symbols};
use super::refusal::Refusal;
use crate::loader::SearchStep;
use crate::python::installs::Installs;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// How much a finding matters.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An import fails, or an accelerator library that a distribution needs is not found.
    Error,
    /// It works only by luck or by the environment.
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

/// Why a library is not loaded, what blocks first at the front. The names are part of the JSON
/// contract.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// The interpreter that the environment names is gone.
    WrongInterpreter,
    /// The object is truncated or malformed, or may not be read.
    Unreadable,
    /// The object is for another operating system or C library.
    WrongPlatform,
    /// The object is for another processor.
    WrongArch,
    /// Files that an installation wrote are gone, or are not as it wrote them.
    PartialInstall,
    /// The library is in the tree, in a directory that is not searched.
    PathMissing,
    /// The same for a library that is only `dlopen`ed.
    DlopenPathMissing,
    /// The library exists, but the symlink with the needed name is missing.
    DroppedLink,
    /// The library is where `ldconfig` searches, but the cache is older.
    StaleCache,
    /// The library is not found on this system.
    NotInstalled,
    /// Another major version of the library is there.
    SonameMismatch,
    /// The library is there, without a version that is asked of it.
    SymbolVersion,
    /// A Mach-O signature is missing or does not hold.
    BadSignature,
    /// Distributions that do not fit: one binds symbols that the other does not have.
    VersionMismatch,
    /// The library is there, without a symbol that is bound to it.
    MissingSymbol,
    /// The object wants thread-local storage that is laid out at the start of the program.
    StaticTls,
    /// The object requests an executable stack.
    ExecStack,
    /// Several copies fit, and none is preferred.
    DuplicateInstall,
    /// A variable is the only thing that leads to the library, or shadows the right one.
    EnvOverride,
    /// A data file, such as libdevice, is not in the searched directories.
    DataMissing,
    /// It resolves only once another library is loaded.
    LoadOrder,
    /// A library that comes with the graphics driver, at run time.
    DriverMissing,
    /// A search path names a directory twice.
    DuplicateRpath,
    /// A search path names missing directories.
    DeadRpath,
}

impl Cause {
    /// All causes, the one that blocks first at the front.
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

    /// The severity goes with the cause.
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

    /// The name, as JSON and the command line have it.
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

/// One thing that is wrong, or worth knowing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What is the case.
    pub cause: Cause,
    /// The object that asks, or that is itself at fault.
    pub object: PathBuf,
    /// The library that is asked for, as `DT_NEEDED` names it.
    pub library: Option<Vec<u8>>,
    /// Can an edited search path cure it?
    pub fixable: bool,
    /// What is the case here.
    pub evidence: Evidence,
    /// What cures it: a command, or what to install.
    pub cure: Cure,
    /// Why it is not repaired although a search path would cure it.
    pub refusal: Option<Refusal>,
    /// The directories that contain the library, the best first; empty if it is not found.
    pub lies_in: Vec<PathBuf>,
    /// Every place that the loader tried, in order.
    pub tried: Vec<SearchStep>,
    /// Symbols that would not bind, with their underscores.
    pub symbols: Vec<Vec<u8>>,
    /// Does the loader refuse the object for it? Then it is an error, whatever its cause.
    pub is_fatal: bool,
    /// Does everything that is imported work without it, as far as files tell? Then it is only worth
    /// knowing, whatever its cause.
    pub is_optional: bool,
    /// The tool that installs into the environment, for what has to be installed.
    pub installs: Installs,
}

impl Finding {
    /// What it is about: who asks for which library; without a library the cause tells.
    #[must_use]
    pub fn question(&self) -> (&Path, Option<&[u8]>, Option<Cause>) {
        let cause = self.library.is_none().then_some(self.cause);
        (&self.object, self.library.as_deref(), cause)
    }

    /// Would it not be so without variables that are set?
    #[must_use]
    pub fn blames_variables(&self) -> bool {
        self.cause == Cause::EnvOverride
            || matches!(
                &self.evidence,
                Evidence::Symbols(Symbols::NoVersion { newer: Newer::WithoutVariables(_), .. })
            )
    }

    /// The severity of its cause, unless the loader refuses the object for it, or nothing asks for it.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self {
            Self { is_optional: true, .. } => Severity::Info,
            Self { is_fatal: true, .. } => Severity::Error,
            Self { cause, .. } => cause.severity(),
        }
    }

    /// Is it that the target has another version of a library than the one that is needed?
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
        is_optional: false,
        installs: Installs::default(),
    }
}

/// Notes the tool that installs in each finding, sorts them, and returns the tool.
pub fn with_tool(installs: Installs, findings: &mut Vec<Finding>) -> Installs {
    for finding in findings.iter_mut() {
        finding.installs = installs.clone();
    }
    sort(findings);
    installs
}

/// Errors first, then by what blocks first, then by object and library.
pub fn sort(findings: &mut Vec<Finding>) {
    findings.sort_by(|a, b| {
        let key = |finding: &Finding| (finding.severity(), finding.cause);
        key(a).cmp(&key(b)).then_with(|| (&a.object, &a.library).cmp(&(&b.object, &b.library)))
    });
    findings.dedup();
}
