//! The Python and platform that a distribution was built for: the tags in its `WHEEL` (PEP 425, PEP
//! 427; PEP 513 and 600 for manylinux, PEP 656 for musllinux).

use super::distribution::Distribution;
use super::interpreter::{Interpreter, Version};
use super::read_start;
use crate::vfs::Vfs;
use std::fmt;

/// A WHEEL has a few lines; a longer file is not read.
const MAX_BYTES: u64 = 1 << 16;
/// The most tags that are expanded: a line of three sets has the product of their sizes.
const MAX_TAGS: usize = 1000;

/// One tag: `cp311-cp311-manylinux_2_17_x86_64`. In a file each of the parts is one, not several
/// with dots between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The Python: `cp311`, `py3`.
    pub python: String,
    /// The binary interface: `cp311`, `abi3`, `none`.
    pub abi: String,
    /// The platform: `any`, `manylinux_2_17_x86_64`, `macosx_12_0_arm64`.
    pub platform: String,
}

impl fmt::Display for Tag {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{}-{}-{}", self.python, self.abi, self.platform)
    }
}

/// What a system's loader expects of the libraries of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum System {
    /// Linux with glibc.
    Glibc,
    /// Linux with musl.
    Musl,
    /// macOS.
    MacOs,
    /// Windows.
    Windows,
}

impl fmt::Display for System {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Glibc => "Linux with glibc",
            Self::Musl => "Linux with musl",
            Self::MacOs => "macOS",
            Self::Windows => "Windows",
        })
    }
}

impl System {
    /// The system of an interpreter, if the endings of its extension modules show it.
    #[must_use]
    pub fn of(interpreter: &Interpreter) -> Option<Self> {
        let suffix = interpreter.extension_suffixes.first()?;
        let tagged = suffix.strip_prefix(".cpython-")?;
        if tagged.contains("-linux-musl") {
            Some(Self::Musl)
        } else if tagged.contains("-linux-gnu") {
            Some(Self::Glibc)
        } else {
            None
        }
    }
}

impl Tag {
    /// The system for which it was built; `None` if that does not matter or is not known, as for
    /// `any` and `linux_x86_64`.
    #[must_use]
    pub fn system(&self) -> Option<System> {
        [
            ("manylinux", System::Glibc),
            ("musllinux", System::Musl),
            ("macosx_", System::MacOs),
            ("win_", System::Windows),
            ("win32", System::Windows),
        ]
        .into_iter()
        .find_map(|(start, system)| self.platform.starts_with(start).then_some(system))
    }

    /// The version of CPython in it: the one that it was built for, or the first of several.
    #[must_use]
    pub fn python_version(&self) -> Option<(u8, u8)> {
        let (major, minor) = self.python.strip_prefix("cp")?.split_at_checked(1)?;
        Some((major.parse().ok()?, minor.parse().ok()?))
    }

    /// Does a CPython of that version accept it? Without a version in the tag all do.
    #[must_use]
    pub fn fits_python(&self, version: Version) -> bool {
        let Some((major, minor)) = self.python_version() else { return true };
        if self.abi == "abi3" || self.abi == "none" {
            return major == version.major && minor <= version.minor;
        }
        (major, minor) == (version.major, version.minor)
    }
}

/// The tags of a distribution; none where it has no `WHEEL`.
#[must_use]
pub fn tags(vfs: &dyn Vfs, distribution: &Distribution) -> Vec<Tag> {
    let text = read_start(vfs, &distribution.location.join("WHEEL"), MAX_BYTES);
    let text = text.unwrap_or_default();
    String::from_utf8_lossy(&text)
        .lines()
        .filter_map(|line| line.strip_prefix("Tag:"))
        .flat_map(expanded)
        .take(MAX_TAGS)
        .collect()
}

/// The single tags of a line. Some tools write the compressed set from the file's name.
fn expanded(line: &str) -> Vec<Tag> {
    let mut parts = line.trim().split('-');
    let (Some(python), Some(abi), Some(platform), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Vec::new();
    };
    let sets = python.split('.').flat_map(|python| {
        let abis = abi.split('.').map(move |abi| (python, abi));
        abis.flat_map(|(python, abi)| platform.split('.').map(move |one| (python, abi, one)))
    });
    let tag = |(python, abi, platform): (&str, &str, &str)| Tag {
        python: python.to_owned(),
        abi: abi.to_owned(),
        platform: platform.to_owned(),
    };
    sets.take(MAX_TAGS).map(tag).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Tag {
        expanded(line).remove(0)
    }

    #[test]
    fn a_tag_tells_for_which_system_it_is() {
        let system = |line| of(line).system();
        assert_eq!(system("cp311-cp311-manylinux2014_x86_64"), Some(System::Glibc));
        assert_eq!(system("cp311-cp311-musllinux_1_2_x86_64"), Some(System::Musl));
        assert_eq!(system("cp311-cp311-macosx_12_0_arm64"), Some(System::MacOs));
        assert_eq!(system("cp311-cp311-win_amd64"), Some(System::Windows));
        assert_eq!(system("cp311-cp311-linux_x86_64"), None);
        assert_eq!(system("py3-none-any"), None);
    }

    #[test]
    fn a_tag_tells_for_which_python_it_is() {
        let version = Version { major: 3, minor: 11, free_threaded: false };
        let fits = |line| of(line).fits_python(version);
        assert!(fits("cp311-cp311-linux_x86_64") && fits("py3-none-any") && fits("cp38-abi3-any"));
        assert!(!fits("cp310-cp310-linux_x86_64") && !fits("cp312-abi3-linux_x86_64"));
    }

    #[test]
    fn a_line_may_hold_a_compressed_set() {
        assert_eq!(expanded(" cp310.cp311-abi3-linux_x86_64.manylinux1_x86_64").len(), 4);
        assert_eq!(expanded("cp310-abi3"), []);
    }
}
