//! The fix for a library that is too old, depending on its location.

use super::advice::Advice;
use super::cure::{Help, Older};
use super::scanner::{is_of_system, leaf};
use super::{Kind, Message, Speaker};
use crate::bytes::printable;
use crate::knowledge::homebrew;
use crate::knowledge::packages::{self, Shipped};

impl Message {
    pub(super) fn cure_of_older_library(&self) -> Help {
        let version = self.version.as_deref().unwrap_or_default();
        let path = self.library.as_deref().unwrap_or_default();
        let is_private = path.starts_with(b"/") && !is_of_system(path);
        if version.starts_with(b"GLIBCXX_") || version.starts_with(b"CXXABI_") {
            return Help::NewerLibstdcxx(packages::gcc_of(version));
        }
        if version.starts_with(b"GLIBC_") {
            return match is_private {
                true => Help::Older(Older::PrivateCopy(path.to_vec())),
                false => Help::NewerGlibc(self.distribution()),
            };
        }
        if self.speaker == Speaker::Dyld {
            let (path, name) = (printable(path), printable(leaf(path)));
            let formula =
                homebrew::formula_of_path(&path).or_else(|| homebrew::formula_of_library(&name));
            return formula.map_or(Help::Advice(Advice::NewerCopy), |formula| {
                Help::Older(Older::Formula(formula.to_owned()))
            });
        }
        let shipped = packages::shipper(leaf(path));
        // If only some releases of a system have the library, its name elsewhere is a manual link to another
        // one.
        let is_of_some = matches!(shipped, Some(Shipped::Releases { .. }));
        if is_of_system(path) && self.needs_a_newer_one() && !is_of_some {
            let conda = shipped.as_ref().and_then(in_conda);
            return Help::Older(Older::OfSystem { library: printable(path), conda });
        }
        if is_private && self.is_asked_by_the_system() {
            return Help::Older(Older::PrivateCopy(path.to_vec()));
        }
        match shipped {
            Some(shipped) if is_of_system(path) => {
                Help::Older(Older::LinkToAnother { library: printable(path), shipped })
            }
            Some(shipped) => Help::Older(Older::Copy(shipped)),
            None => Help::Advice(Advice::NewerCopy),
        }
    }

    /// Do the versions grow with each release, so that a newer library is needed? A version that ends in a
    /// number with a dot is one of several; others distinguish two series of releases.
    #[must_use]
    pub fn needs_a_newer_one(&self) -> bool {
        let version = self.version.as_deref().map(printable).unwrap_or_default();
        let number = version.rsplit('_').next().unwrap_or_default();
        self.kind == Kind::VersionNotFound
            && number.contains('.')
            && number
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    }

    /// Is it needed by a program or library of the system, or by a program with a bare name?
    fn is_asked_by_the_system(&self) -> bool {
        self.object.as_deref().is_some_and(|it| is_of_system(it) || !it.contains(&b'/'))
    }

    /// The library directory beside a program that has its own library: `/usr/local/lib` for
    /// `/usr/local/bin/python3.11` and `libpython3.11.so.1.0`.
    pub(super) fn own_libraries(&self) -> Option<String> {
        let program = self.object.as_deref().map(printable)?;
        let (tree, name) =
            program.rsplit_once("/bin/").filter(|(tree, _)| tree.starts_with('/'))?;
        let library = self.library.as_deref().map(printable)?;
        let is_own = library.strip_prefix("lib").is_some_and(|rest| rest.starts_with(name));
        (is_own && tree != "/usr").then(|| format!("{tree}/lib"))
    }
}

/// The package of conda-forge that contains a library.
fn in_conda(shipped: &Shipped) -> Option<&'static str> {
    match shipped {
        Shipped::Packages { conda, .. } => *conda,
        Shipped::Conda { package, .. } => Some(*package),
        Shipped::Releases { releases, .. } => Some(releases.conda).filter(|it| !it.is_empty()),
        _ => None,
    }
}
