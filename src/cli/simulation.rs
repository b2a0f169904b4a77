//! What is simulated, as it is typed: the loader, its environment, the processor.

use crate::loader::GlibcVersion;
use crate::loader::dyld::{UnknownVersion, Version};
use crate::loader::glibc::hwcaps;
use clap::Args;
use std::ffi::OsString;
use std::str::FromStr;

/// What the simulated loader is given.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "What is simulated")]
pub struct Simulation {
    /// Set a variable of the simulated environment, such as LD_LIBRARY_PATH=/opt/cuda/lib64.
    #[arg(long = "env", value_name = "KEY=VALUE")]
    pub env: Vec<OsString>,
    /// Start from an empty environment instead of the current one.
    #[arg(long)]
    pub no_env: bool,
    /// Simulate another loader: musl, glibc@2.31, or dyld@13.0 for that of macOS 13.0. Without the
    /// option it is that which the files ask for; without a version the target's own glibc, or the
    /// newest dyld that is known.
    #[arg(long, value_name = "LOADER")]
    pub loader: Option<LoaderName>,
    /// Simulate a processor, by the best glibc-hwcaps subdirectory that it can use, such as
    /// x86-64-v3; otherwise it is this machine's, where the target is of its architecture.
    #[arg(long, value_name = "LEVEL", value_parser = levels)]
    pub cpu: Option<Levels>,
}

/// The `glibc-hwcaps` subdirectories that a processor can use, the best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Levels(pub Vec<String>);

fn levels(name: &str) -> Result<Levels, String> {
    let why = "a processor is x86-64, x86-64-v2 to x86-64-v4, power9, power10, or z13 to z16";
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
                let why = || format!("{text}: a version of glibc is like 2.36");
                version.map(|version| Self::Glibc(Some(version))).ok_or_else(why)
            }
            None if text == "dyld" => Ok(Self::Dyld(Version::NEWEST)),
            Some(("dyld", version)) => {
                version.parse().map(Self::Dyld).map_err(|error: UnknownVersion| error.to_string())
            }
            _ => {
                let why = "a loader is musl, glibc or dyld, the last two also with @ and a version";
                Err(why.to_owned())
            }
        }
    }
}
