//! The reasons why a readable file is not edited.

use crate::macho::adhoc::Obstacle;

/// The reason why a file that is valid, or valid enough to be read, is not edited, and what would help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The load commands would overlap the first section.
    #[error(
        "{arch}: the load commands would end at {needed:#x}, but the first section begins at {available:#x}; use \
         a shorter path, remove entries (`tfpatch rpath prune`), create a symlink to the library in a directory that is \
         already searched, or link the file again with -headerpad_max_install_names"
    )]
    NoHeaderRoom {
        /// The architecture of the slice.
        arch: &'static str,
        /// The end of the load commands, as an offset in the slice.
        needed: u64,
        /// The start of the first section.
        available: u64,
    },
    /// The bytes after the load commands are not zero, so they may be in use.
    #[error(
        "{arch}: the space after the load commands at {offset:#x} is not empty; relink it with -headerpad"
    )]
    PaddingInUse {
        /// The architecture of the slice.
        arch: &'static str,
        /// The file offset.
        offset: u64,
    },
    /// It is signed with a key that tfpatch does not have.
    #[error(
        "{arch}: it is signed{by}, and an edit would invalidate the signature; --drop-signer replaces it by an \
         ad-hoc signature"
    )]
    Signed {
        /// The architecture of the slice.
        arch: &'static str,
        /// " by team …", or nothing.
        by: String,
    },
    /// The signature does not match the current file.
    #[error(
        "{arch}: page {page} does not match its {hash} hash: the file was changed after it was signed, and macOS \
         does not load it; reinstall it"
    )]
    BadSignature {
        /// The architecture of the slice.
        arch: &'static str,
        /// The page.
        page: u64,
        /// The digest.
        hash: &'static str,
    },
    /// A signer's signature cannot be replaced in its space.
    #[error("{arch}: an ad-hoc signature cannot replace that of the signer: {why}")]
    NotReplaceable {
        /// The architecture of the slice.
        arch: &'static str,
        /// The reason.
        why: Obstacle,
    },
    /// Other slices follow an unsigned arm64 slice, and its signature would move them.
    #[error(
        "{arch}: it is not signed, and there is no space for a signature before the next slice; sign it with \
         codesign, or make it the last slice with lipo"
    )]
    NotLast {
        /// The architecture of the slice.
        arch: &'static str,
    },
    /// An unsigned slice does not end with `__LINKEDIT`.
    #[error("{arch}: it is not signed, and __LINKEDIT is not at its end; sign it with codesign")]
    NotAtEnd {
        /// The architecture of the slice.
        arch: &'static str,
    },
    /// The slice is 32-bit or big-endian; no supported macOS runs it.
    #[error("{arch}: tfpatch does not edit 32-bit or big-endian slices")]
    Unsupported {
        /// The architecture of the slice.
        arch: &'static str,
    },
    /// The slice is not a dylib, a bundle or a program.
    #[error("{arch}: it is not a dylib, a bundle or a program, so dyld never loads it")]
    NotLoadable {
        /// The architecture of the slice.
        arch: &'static str,
    },
    /// `ncmds` and `sizeofcmds` are inconsistent.
    #[error("{arch}: the load commands end at {end:#x}, but sizeofcmds gives {said:#x}")]
    CommandsDisagree {
        /// The architecture of the slice.
        arch: &'static str,
        /// The end of the last command, as an offset in the slice.
        end: u64,
        /// The end according to the header.
        said: u64,
    },
    /// There is no slice of the requested architecture.
    #[error("it has no slice for {wanted}, only for {present}")]
    NoSuchArch {
        /// The requested architecture.
        wanted: String,
        /// The architectures of the file.
        present: String,
    },
    /// An entry that is invalid in a load command.
    #[error("entry {index} of the search path is empty or contains a NUL byte")]
    BadEntry {
        /// Index of the entry, from 0.
        index: usize,
    },
    /// A search path that is to be removed or replaced does not exist.
    #[error("{arch}: no LC_RPATH load command with path: {path}")]
    NoSuchRpath {
        /// The architecture of the slice.
        arch: &'static str,
        /// The path.
        path: String,
    },
    /// A search path that is to be added exists.
    #[error("{arch}: rpath '{path}' would create a duplicate load command")]
    DuplicateRpath {
        /// The architecture of the slice.
        arch: &'static str,
        /// The path.
        path: String,
    },
    /// A name that is invalid in a load command.
    #[error("{arch}: a name is empty or contains a NUL byte")]
    BadName {
        /// The architecture of the slice.
        arch: &'static str,
    },
    /// Only a dylib has a name of its own.
    #[error("{arch}: it is not a dylib, so it has no install name")]
    NoInstallName {
        /// The architecture of the slice.
        arch: &'static str,
    },
    /// The edits violate a postcondition, which is a bug in tfpatch. Nothing is written.
    #[error("the edited file would be invalid: {what}; please report this file")]
    Inconsistent {
        /// The postcondition.
        what: &'static str,
    },
}
