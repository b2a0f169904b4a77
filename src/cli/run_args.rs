//! Options of the commands that a run proves, as they are typed.

use clap::Args;
use std::ffi::OsString;

/// A command that proves whether a target works.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Proof by running")]
pub struct Proof {
    /// End a run that takes longer than SECONDS: it proves nothing then.
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        value_parser = clap::value_parser!(u64).range(1..),
        requires = "command"
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
