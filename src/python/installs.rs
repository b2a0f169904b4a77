//! The tool that installs packages into an environment: the command that changes the right one of several
//! environments, with the tool that keeps its records.

use super::distribution::normalized;
use super::environment::{Environment, Kind};
use super::venv::PyvenvCfg;
use crate::vfs::Vfs;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

/// The tool that installs into an environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Installs {
    /// The environment's pip.
    #[default]
    Pip,
    /// uv, which makes environments without pip: the prefix.
    Uv(PathBuf),
    /// pip with `--target`, into a directory that is no environment.
    Target {
        /// The directory.
        directory: PathBuf,
        /// Does the environment that uses the directory have uv instead of pip?
        with_uv: bool,
    },
    /// conda for what it has installed, and the environment's pip for the rest.
    Conda {
        /// The prefix.
        prefix: PathBuf,
        /// The names of what conda has installed, normalised.
        packages: Arc<BTreeSet<String>>,
    },
}

impl Installs {
    /// The tool for an environment on this machine.
    #[must_use]
    pub fn of(vfs: &dyn Vfs, environment: &Environment) -> Self {
        let prefix = environment.prefix.clone();
        match environment.kind {
            Kind::Venv => {
                let made_by = PyvenvCfg::of(vfs, &prefix).and_then(|cfg| cfg.made_by);
                if made_by == Some("uv venv") { Self::Uv(prefix) } else { Self::Pip }
            }
            Kind::Conda => {
                let records = vfs.read_dir(&prefix.join("conda-meta")).unwrap_or_default();
                let names = records.iter().filter_map(|entry| name_of_record(entry.name.to_str()?));
                Self::Conda { packages: Arc::new(names.collect()), prefix }
            }
            Kind::System => Self::Pip,
        }
    }

    /// Has conda installed a distribution?
    #[must_use]
    pub fn is_by_conda(&self, distribution: &str) -> bool {
        matches!(self, Self::Conda { packages, .. } if packages.contains(&normalized(distribution)))
    }
}

/// `numpy` of `numpy-1.26.4-py311h64a7726_0.json`.
fn name_of_record(file: &str) -> Option<String> {
    let stem = file.strip_suffix(".json")?;
    let name = stem.rsplitn(3, '-').nth(2)?;
    Some(normalized(name))
}

#[cfg(test)]
mod tests {
    use super::name_of_record;

    #[test]
    fn a_record_of_conda_is_called_by_name_version_and_build() {
        assert_eq!(name_of_record("numpy-1.26.4-py311h6_0.json").as_deref(), Some("numpy"));
        assert_eq!(name_of_record("libstdcxx-ng-13.2.0-h7.json").as_deref(), Some("libstdcxx-ng"));
        assert_eq!(name_of_record("history"), None);
    }
}
