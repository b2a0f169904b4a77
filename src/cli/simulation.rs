//! Simulation options, as it is typed: the loader, its environment, the processor.

use crate::loader::GlibcVersion;
use crate::loader::dyld::{UnknownVersion, Version};
use crate::loader::glibc::hwcaps;
use clap::Args;
use std::ffi::OsString;
use std::str::FromStr;

/// What the simulated loader is given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Simulation options")]
pub struct Simulation {
    /// Set an environment variable of the simulated process, such as LD_LIBRARY_PATH=/opt/cuda/lib64.
    #[arg(long = "env", hide_short_help = true, value_name = "KEY=VALUE")]
    pub env: Vec<OsString>,
    /// Ignore the current environment variables.
    #[arg(long, hide_short_help = true)]
    pub no_env: bool,
    /// Simulate another loader: musl, glibc@2.31, or dyld@13.0 for macOS 13.0. The default is the loader that the
    /// files need, with the version of the target's glibc or the newest known dyld. A version of glibc changes the
    /// rules of the loader only, such as which glibc-hwcaps subdirectories it searches: symbol versions are still
    /// checked in the libc.so.6 that is found.
    #[arg(long, hide_short_help = true, value_name = "LOADER")]
    pub loader: Option<LoaderName>,
    /// Simulate another processor, given by its best glibc-hwcaps subdirectory, such as x86-64-v3.
    #[arg(long, hide_short_help = true, value_name = "LEVEL", value_parser = levels)]
    pub cpu: Option<Levels>,
}

/// The `glibc-hwcaps` subdirectories that a processor can use, the best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(pub Vec<String>);

fn levels(name: &str) -> Result<Levels, String> {
    let why = "expected x86-64, x86-64-v2 to x86-64-v4, power9, power10, or z13 to z16";
    hwcaps::levels_up_to(name).map(Levels).ok_or_else(|| why.to_owned())
}

/// A loader to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoaderName {
    /// glibc's ld.so, of a version or of the target's.
    Glibc(Option<GlibcVersion>),
    /// musl's ld.so.
    Musl,
    /// dyld of a version of macOS.
    Dyld(Version),
}

impl FromStr for LoaderName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('@') {
            None if text == "musl" => Ok(Self::Musl),
            None if text == "glibc" => Ok(Self::Glibc(None)),
            Some(("glibc", version)) => {
                let numbers = version.split_once('.');
                let version = numbers.and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
                let why = || format!("{text}: expected a glibc version such as 2.36");
                version.map(|version| Self::Glibc(Some(version))).ok_or_else(why)
            }
            None if text == "dyld" => Ok(Self::Dyld(Version::NEWEST)),
            Some(("dyld", version)) => {
                version.parse().map(Self::Dyld).map_err(|error: UnknownVersion| error.to_string())
            }
            _ => {
                let why = "expected musl, glibc or dyld; glibc and dyld also with a version, such as glibc@2.36";
                Err(why.to_owned())
            }
        }
    }
}
