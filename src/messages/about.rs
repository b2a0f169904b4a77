//! What a message is about, beside its kind.

use super::meaning::Unreadable;
use super::{Kind, Message, Speaker};
use crate::bytes::printable;
use crate::findings::finding::Cause;
use crate::knowledge::managers::{self, Manager};
use crate::knowledge::saying::Saying;

impl Message {
    /// Is it about who signed a library, and not about whether its signature holds?
    pub(super) fn is_about_a_team(&self) -> bool {
        self.kind == Kind::BadSignature
            && (self.says(b"Team ID") || self.says(b"not a platform binary"))
    }

    /// Does Gatekeeper block a library, although its signature may be valid?
    pub(super) fn is_about_a_policy(&self) -> bool {
        self.kind == Kind::BadSignature && self.says(b"disallowed by system policy")
    }

    /// Were too many files open, whichever this one is?
    pub(super) fn is_of_a_limit(&self) -> bool {
        self.kind == Kind::ObjectUnreadable && self.why_unreadable() == Unreadable::TooManyFiles
    }

    /// Is a file refused for what the system permits, or has, and not for what is in it?
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

    /// Can an environment of Python have a part in it?
    pub(super) fn is_of_an_environment(&self) -> bool {
        let is_elsewhere = self.saying.is_some_and(Saying::is_of_another_world);
        let is_managed =
            self.manager().is_some_and(|manager| !matches!(manager, Manager::Nix | Manager::Conda));
        !is_elsewhere && !is_managed && !self.is_node()
    }

    /// Does it speak of an addon of Node.js?
    pub(super) fn is_node(&self) -> bool {
        self.object.as_deref().is_some_and(|object| {
            object.ends_with(b".node") || memchr::memmem::find(object, b"/node_modules/").is_some()
        })
    }

    /// Is it repaired by building modules of Node.js again: an addon for another system or processor, or one that needs
    /// another addon, which was built beside it?
    pub(super) fn is_built_by_npm(&self, cause: Cause) -> bool {
        let is_addon = |library: &[u8]| library.ends_with(b".node");
        match (self.kind, cause) {
            (_, Cause::WrongPlatform | Cause::WrongArch) => self.is_node(),
            (Kind::LibraryNotFound, _) => self.library.as_deref().is_some_and(is_addon),
            _ => false,
        }
    }

    /// Does a path of the message, or the traceback before it, lead into an environment of conda?
    #[must_use]
    pub fn is_of_conda(&self) -> bool {
        let named = [&self.object, &self.near].into_iter().flatten();
        named.map(|path| printable(path)).any(|path| managers::is_of_conda(&path))
    }

    /// Is the library named with its path from the root?
    #[must_use]
    pub fn names_a_path_of_the_library(&self) -> bool {
        self.library.as_deref().is_some_and(|library| library.starts_with(b"/"))
    }

    /// Does a program open a library of macOS by a name without a directory?
    pub(super) fn is_bare_name(&self) -> bool {
        let is_bare = |name: &[u8]| !name.contains(&b'/') && !name.starts_with(b"@");
        self.speaker == Speaker::Dyld && self.library.as_deref().is_some_and(is_bare)
    }

    /// Do the numbers of the words say that a module was built with a newer NumPy than is here? It is so
    /// where what was built with comes first and is the greater: `0x10 … 0xf`, `Expected 96 … got 88`.
    pub(super) fn is_for_a_newer_numpy(&self) -> bool {
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
        matches!(numbers.as_slice(), [built, here, ..] if built > here)
    }
}
