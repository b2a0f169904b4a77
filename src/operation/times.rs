//! The times of a file.

use super::tree::Stat;
use rustix::fs::{Timespec, Timestamps};

/// The times of last access and last modification of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Times {
    /// Last access: seconds since 1970, and nanoseconds.
    pub accessed: (i64, u32),
    /// Last modification: seconds since 1970, and nanoseconds.
    pub modified: (i64, u32),
}

impl Times {
    /// Are they valid times of a file system, with less than a second of nanoseconds?
    pub(super) fn are_valid(self) -> bool {
        const SECOND: u32 = 1_000_000_000;
        self.accessed.1 < SECOND && self.modified.1 < SECOND
    }
}

impl From<&Stat> for Times {
    fn from(stat: &Stat) -> Self {
        Self { accessed: stat.accessed, modified: stat.modified }
    }
}

impl From<Times> for Timestamps {
    fn from(times: Times) -> Self {
        let spec = |(seconds, nanoseconds): (i64, u32)| Timespec {
            tv_sec: seconds,
            tv_nsec: i64::from(nanoseconds),
        };
        Self { last_access: spec(times.accessed), last_modification: spec(times.modified) }
    }
}
