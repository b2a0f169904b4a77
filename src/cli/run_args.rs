//! Options of the commands that a run proves, as they are typed.

use clap::{ArgGroup, Args};
use std::ffi::OsString;

/// What is run to prove whether a target works.
#[derive(Debug, Clone, Default, Args)]
#[command(
    next_help_heading = "Run options",
    group(ArgGroup::new("runs").args(["probe", "command"]))
)]
pub struct Proof {
    /// Import every module with native code with the interpreter of the environment. This executes code of all packages.
    #[arg(long, conflicts_with_all = ["env", "no_env", "loader", "cpu"])]
    pub probe: bool,
    /// Stop a run after SECONDS; with --probe, the imports of one package. A stopped run has no result.
    #[arg(
        long,
        hide_short_help = true,
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..),
        requires = "runs"
    )]
    pub timeout: u64,
    /// Run COMMAND to check that it works. `fix` runs it again after the repair, so it must be safe to repeat.
    #[arg(
        value_name = "COMMAND",
        help_heading = None::<&str>,
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
