//! Runs of a command: the interface through which a use-case requests them, and their results.

pub use super::child::Child;

use super::Error;
use super::trace::Requests;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// The purpose of a run. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// To see how the command ends now. Nothing is repaired.
    Once,
    /// To see how it ends before a repair.
    Before,
    /// To see how it ends after a repair.
    After,
    /// To see how it ends after the repair was undone.
    Reverted,
}

/// A finished run.
pub struct Run<'a> {
    /// How it ended.
    pub child: Child,
    /// Was it terminated because of a timeout?
    pub timed_out: bool,
    /// The last lines of its standard error.
    pub words: Vec<String>,
    /// The requests of its processes to the loader.
    pub requests: Requests<'a>,
}

/// Runs a command, as often as a use-case requests it.
pub trait Runner<'a> {
    /// Runs it. If the process is root's, it uses the permissions of the owner of `owned`.
    ///
    /// # Errors
    /// If it cannot be started, or its trace cannot be read.
    fn run(&mut self, purpose: Purpose, owned: Option<&Path>) -> Result<Run<'a>, Error>;

    /// Was tfpatch interrupted? Then nothing more is run or repaired.
    fn is_told_to_end(&self) -> bool;
}
