//! The page of each cause: what it means, the error messages, how to check, and how to fix.

use super::finding::Cause;

impl Cause {
    /// The cause of that name, as [`Cause::name`] gives it.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|cause| cause.name() == name)
    }

    /// Its page, in Markdown.
    #[must_use]
    pub fn page(self) -> &'static str {
        match self {
            Self::Unreadable => include_str!("causes/unreadable.md"),
            Self::WrongArch => include_str!("causes/wrong_arch.md"),
            Self::PathMissing => include_str!("causes/path_missing.md"),
            Self::DlopenPathMissing => include_str!("causes/dlopen_path_missing.md"),
            Self::DroppedLink => include_str!("causes/dropped_link.md"),
            Self::StaleCache => include_str!("causes/stale_cache.md"),
            Self::NotInstalled => include_str!("causes/not_installed.md"),
            Self::SonameMismatch => include_str!("causes/soname_mismatch.md"),
            Self::DuplicateInstall => include_str!("causes/duplicate_install.md"),
            Self::SymbolVersion => include_str!("causes/symbol_version.md"),
            Self::EnvOverride => include_str!("causes/env_override.md"),
            Self::WrongInterpreter => include_str!("causes/wrong_interpreter.md"),
            Self::VersionMismatch => include_str!("causes/version_mismatch.md"),
            Self::MissingSymbol => include_str!("causes/missing_symbol.md"),
            Self::BadSignature => include_str!("causes/bad_signature.md"),
            Self::LoadOrder => include_str!("causes/load_order.md"),
            Self::DuplicateRpath => include_str!("causes/duplicate_rpath.md"),
            Self::DeadRpath => include_str!("causes/dead_rpath.md"),
            Self::DriverMissing => include_str!("causes/driver_missing.md"),
            Self::PartialInstall => include_str!("causes/partial_install.md"),
            Self::WrongPlatform => include_str!("causes/wrong_platform.md"),
            Self::StaticTls => include_str!("causes/static_tls.md"),
            Self::ExecStack => include_str!("causes/exec_stack.md"),
            Self::DataMissing => include_str!("causes/data_missing.md"),
        }
    }
}
