//! How a child process ended.

use schemars::JsonSchema;
use serde::Serialize;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Child {
    /// Its exit status.
    pub status: Option<i32>,
    /// The signal that terminated it.
    pub signal: Option<i32>,
}

impl Child {
    /// Is its exit status 0?
    #[must_use]
    pub fn is_well(self) -> bool {
        self.status == Some(0)
    }
}
