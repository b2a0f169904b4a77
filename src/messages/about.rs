//! The subject of a message, in addition to its kind.

use super::meaning::Unreadable;
use super::{Kind, Message, Speaker};
use crate::bytes::printable;
use crate::findings::finding::Cause;
use crate::knowledge::managers::{self, Manager};
use crate::knowledge::saying::Saying;

impl Message {
    /// Is it about who signed a library, rather than whether its signature is valid?
    pub(super) fn is_about_a_team(&self) -> bool {
        self.kind == Kind::BadSignature
            && (self.says(b"Team ID") || self.says(b"not a platform binary"))
    }

    /// Does Gatekeeper block a library, although its signature may be valid?
    pub(super) fn is_about_a_policy(&self) -> bool {
        self.kind == Kind::BadSignature && self.says(b"disallowed by system policy")
    }

    /// Were too many files open, so that the file itself does not matter?
    pub(super) fn is_of_a_limit(&self) -> bool {
        self.kind == Kind::ObjectUnreadable && self.why_unreadable() == Unreadable::TooManyFiles
    }

    /// Is a file rejected because of permissions or limits of the system, rather than its content?
    pub(super) fn is_of_the_system(&self) -> bool {
        let words: [&[u8]; 6] = [
            b"failed to map segment",
            b"annot allocate memory",
            b"ermission denied",
            b"peration not permitted",
            b"required file not found",
            b"xec format error",
        ];
        words.iter().any(|words| self.says(words))
    }

    /// Can it concern a Python environment?
    pub(super) fn is_of_an_environment(&self) -> bool {
        let is_elsewhere = self.saying.is_some_and(Saying::is_of_another_world);
        let is_managed =
            self.manager().is_some_and(|manager| !matches!(manager, Manager::Nix | Manager::Conda));
        !is_elsewhere && !is_managed && !self.is_node()
    }

    /// Is it about an addon of Node.js?
    pub(super) fn is_node(&self) -> bool {
        self.object.as_deref().is_some_and(|object| {
            object.ends_with(b".node") || memchr::memmem::find(object, b"/node_modules/").is_some()
        })
    }

    /// Can it be fixed by rebuilding modules of Node.js: an addon for another system or processor, or one
    /// that needs another addon that was built with it?
    pub(super) fn is_built_by_npm(&self, cause: Cause) -> bool {
        let is_addon = |library: &[u8]| library.ends_with(b".node");
        match (self.kind, cause) {
            (_, Cause::WrongPlatform | Cause::WrongArch) => self.is_node(),
            (Kind::LibraryNotFound, _) => self.library.as_deref().is_some_and(is_addon),
            _ => false,
        }
    }

    /// Is a path in the message, or the traceback before it, inside a conda environment?
    #[must_use]
    pub fn is_of_conda(&self) -> bool {
        let named = [&self.object, &self.near].into_iter().flatten();
        named.map(|path| printable(path)).any(|path| managers::is_of_conda(&path))
    }

    /// Is the library named with its absolute path?
    #[must_use]
    pub fn names_a_path_of_the_library(&self) -> bool {
        self.library.as_deref().is_some_and(|library| library.starts_with(b"/"))
    }

    /// Does a program open a library of macOS by its bare name?
    pub(super) fn is_bare_name(&self) -> bool {
        let is_bare = |name: &[u8]| !name.contains(&b'/') && !name.starts_with(b"@");
        self.speaker == Speaker::Dyld && self.library.as_deref().is_some_and(is_bare)
    }

    /// Was a module built with a newer NumPy than the installed one? If the message has no numbers, NumPy 1 is
    /// older than everything that fails with it.
    pub(super) fn is_for_a_newer_numpy(&self) -> bool {
        match self.numbers_of_builds() {
            // The public part of this type has become smaller in NumPy 2.
            Some((built, here)) if self.says(b"numpy.dtype size") => built < here,
            Some((built, here)) => built > here,
            None => {
                let installed = self.installed.as_ref().filter(|release| release.name == "numpy");
                let is_older = installed.is_some_and(|it| it.version.starts_with("1."));
                self.says(b"numpy") && is_older
            }
        }
    }

    /// The two numbers in a message of NumPy or Cython, of the build and of the installed release: `compiled
    /// against … 0x10 … is 0xf`, `Expected 96 from C header, got 88 from PyObject`.
    fn numbers_of_builds(&self) -> Option<(u64, u64)> {
        let text = printable(&self.words);
        let words =
            text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
        let mut words = words.peekable();
        let mut numbers = Vec::new();
        while let Some(word) = words.next() {
            let hexadecimal = word.strip_prefix("0x").and_then(|n| u64::from_str_radix(n, 16).ok());
            let is_size = matches!(word, "Expected" | "got");
            let size = words.peek().filter(|_| is_size).and_then(|next| next.parse().ok());
            numbers.extend(hexadecimal.or(size));
        }
        let [first, second, ..] = numbers[..] else { return None };
        // Cython before 0.29 expects the size of the installed release, and got that of the build.
        let is_reversed = self.says(b"size changed") && !self.says(b"from C header");
        Some(if is_reversed { (second, first) } else { (first, second) })
    }
}
