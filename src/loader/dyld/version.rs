//! Versions of macOS, and the differences of their dyld.

use crate::macho;
use std::fmt;
use std::str::FromStr;

/// A version of macOS: 12.4, 13.0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version {
    /// The first number.
    pub major: u16,
    /// The second.
    pub minor: u16,
}

impl Version {
    /// The newest whose rules are known.
    pub const NEWEST: Self = Self::new(26, 0);
    /// The oldest whose rules are known.
    pub const OLDEST: Self = Self::new(11, 0);

    /// A version by its numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// A version of a load command, without its third number.
    #[must_use]
    pub fn of(packed: macho::Version) -> Self {
        let number = |number: u32| u16::try_from(number).unwrap_or(u16::MAX);
        Self::new(number(packed.major()), number(packed.minor()))
    }

    /// Does the message list what was tried? Before 12.0 it said `image not found`.
    pub(super) fn lists_places(self) -> bool {
        self >= Self::new(12, 0)
    }

    /// Are `/usr/local/lib` and `/usr/lib` searched for all objects? From 13.0 only for objects
    /// built with an SDK before 14.0 (`pre2022Binary`).
    pub(super) fn falls_back_for_all(self) -> bool {
        self < Self::new(13, 0)
    }

    /// Does a `dlopen` of a path with a slash continue with the fallback directories (dyld-940 and
    /// 941)?
    pub(super) fn falls_back_for_slashes(self) -> bool {
        self < Self::new(12, 3)
    }

    /// Is the system's cryptex searched?
    pub(super) fn has_cryptex(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Is the cryptex searched even for names that begin with `@` (dyld-1042)?
    pub(super) fn has_cryptex_for_at_names(self) -> bool {
        self.has_cryptex() && self < Self::new(13, 4)
    }

    /// Does the message say that a library is not in the shared cache?
    pub(super) fn mentions_cache(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Do leading `/..` after `@executable_path` shorten the program's directory?
    pub(super) fn normalises_executable_path(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Are architectures in parentheses, and the library's name in quotes (dyld-960)?
    pub(super) fn is_dyld_960(self) -> bool {
        self >= Self::new(12, 5) && self < Self::new(13, 0)
    }

    /// Does `Referenced from` have the object's UUID?
    pub(super) fn shows_uuid(self) -> bool {
        self >= Self::new(13, 0)
    }

    /// Is there a separate message if nothing was tried for an `@rpath` name?
    pub(super) fn mentions_missing_rpaths(self) -> bool {
        self >= Self::new(14, 0)
    }

    /// Is an image refused that names a directory twice, and was built with `sdk`?
    #[must_use]
    pub fn refuses_duplicate_rpaths(self, sdk: Self) -> bool {
        let since = if self >= Self::new(26, 0) { Self::new(26, 0) } else { Self::new(15, 4) };
        self >= Self::new(15, 4) && sdk >= since
    }
}

impl Default for Version {
    fn default() -> Self {
        Self::NEWEST
    }
}

impl fmt::Display for Version {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}.{}", self.major, self.minor)
    }
}

/// The text names no version of macOS whose rules are known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a macOS version from {} to {}, such as 13.0", Version::OLDEST.major, Version::NEWEST.major)]
pub struct UnknownVersion;

impl FromStr for Version {
    type Err = UnknownVersion;

    fn from_str(text: &str) -> Result<Self, UnknownVersion> {
        let mut numbers = text.split('.').map(|part| part.parse::<u16>());
        let mut next = || numbers.next().transpose().map_err(|_| UnknownVersion);
        let version = Self::new(next()?.ok_or(UnknownVersion)?, next()?.unwrap_or(0));
        let known = Self::OLDEST.major..=Self::NEWEST.major;
        // Apple went from 15 to 26.
        let is_gap = (16..26).contains(&version.major);
        if known.contains(&version.major) && !is_gap { Ok(version) } else { Err(UnknownVersion) }
    }
}
