//! Runs of a command: what a use-case requests, and what it learns from them.

pub use super::child::Child;

use super::Error;
use super::trace::Requests;
use schemars::JsonSchema;
use serde::Serialize;
use std::path::Path;

/// What a run is for. The names are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// How does it end as things are? Nothing is repaired.
    Once,
    /// How does it end before a repair?
    Before,
    /// How does it end after a repair?
    After,
    /// How does it end once the repair is undone?
    Reverted,
}

/// A run that has ended.
pub struct Run<'a> {
    /// How it ended.
    pub child: Child,
    /// Was it ended because its time was up?
    pub timed_out: bool,
    /// The last lines that it wrote to its standard error.
    pub words: Vec<String>,
    /// What its processes asked of the loader.
    pub requests: Requests<'a>,
}

/// Who runs a command, as often as a use-case requests it.
pub trait Runner<'a> {
    /// Runs it, with the rights of whom `owned` belongs to, where we are root and that is another.
    ///
    /// # Errors
    /// Where it cannot be started, or its trace cannot be read.
    fn run(&mut self, purpose: Purpose, owned: Option<&Path>) -> Result<Run<'a>, Error>;

    /// Were we asked to end? Then nothing more is run or repaired.
    fn is_told_to_end(&self) -> bool;
}
