//! The location of something in a target, and how it is shown.

use crate::bytes::shown;
use std::fmt;
use std::path::{Path, PathBuf};

/// A path for people: below the directory that packages are imported from or the root of the target, if
/// it is there, else as it is on the disk.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    path: PathBuf,
    base: Option<PathBuf>,
}

impl Place {
    /// A path, relative to a directory above it if there is one.
    #[must_use]
    pub fn below(base: Option<&Path>, path: &Path) -> Self {
        let base = base.filter(|base| path.starts_with(base)).map(Path::to_owned);
        Self { path: path.to_owned(), base }
    }

    /// A path that is shown as it is on the disk.
    #[must_use]
    pub fn on_disk(path: &Path) -> Self {
        Self::below(None, path)
    }

    /// The path as it is on the disk.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for Place {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let below = self.base.as_ref().and_then(|base| self.path.strip_prefix(base).ok());
        match below {
            Some(below) if below.as_os_str().is_empty() => to.write_str("."),
            Some(below) => to.write_str(&shown(below)),
            None => to.write_str(&shown(&self.path)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Place;
    use std::path::Path;

    #[test]
    fn a_place_is_told_from_the_directory_above_it() {
        let told = |base: Option<&str>, path: &str| {
            Place::below(base.map(Path::new), Path::new(path)).to_string()
        };
        assert_eq!(told(Some("/e/lib"), "/e/lib/a/b.so"), "a/b.so");
        assert_eq!(told(Some("/e/lib"), "/e/lib"), ".");
        assert_eq!(told(Some("/e/lib"), "/e/library/b.so"), "/e/library/b.so");
        assert_eq!(told(None, "/e/a\nb.so"), "/e/a\\nb.so");
    }
}
