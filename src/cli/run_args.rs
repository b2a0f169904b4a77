//! Options of the commands that a run proves, as they are typed.

use clap::{ArgGroup, Args};
use std::ffi::OsString;

/// What is run to prove whether a target works.
#[derive(Debug, Clone, Default, Args)]
#[command(
    next_help_heading = "Proof by running",
    group(ArgGroup::new("runs").args(["probe", "command"]))
)]
pub struct Proof {
    /// Import every module with native code by the environment's own interpreter, each package in a process
    /// of its own. This executes the environment's code.
    #[arg(long, conflicts_with_all = ["env", "no_env", "loader", "cpu"])]
    pub probe: bool,
    /// End a run that takes longer than SECONDS, with --probe that of a package: it proves nothing then.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..),
        requires = "runs"
    )]
    pub timeout: u64,
    /// Run COMMAND under the loader's tracing, and let its exit status decide. It may be run several
    /// times, and must be safe to repeat.
    #[arg(
        value_name = "COMMAND",
        last = true,
        conflicts_with_all = ["env", "no_env", "loader", "cpu"]
    )]
    pub command: Vec<OsString>,
}

impl Proof {
    /// Is there a command to be run?
    #[must_use]
    pub fn is_given(&self) -> bool {
        !self.command.is_empty()
    }
}
