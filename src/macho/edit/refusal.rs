//! Why a file that can be read is not edited.

use crate::macho::adhoc::Obstacle;

/// Why a file that is sound, or sound enough to be read, is not edited: the cause, and what would
/// help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The load commands would reach into the first section.
    #[error(
        "{arch}: the load commands would end at {needed:#x}, but the first section begins at {available:#x}; remove \
         entries (`tfpatch rpath prune`), or create a symlink to the library in a directory that is already searched"
    )]
    NoHeaderRoom {
        /// The slice's architecture.
        arch: &'static str,
        /// Where the load commands would end, as an offset in the slice.
        needed: u64,
        /// Where the first section begins.
        available: u64,
    },
    /// What follows the load commands is not zero, so that it may be used.
    #[error(
        "{arch}: the space after the load commands at {offset:#x} is not empty; relink it with -headerpad"
    )]
    PaddingInUse {
        /// The slice's architecture.
        arch: &'static str,
        /// Where, as a file offset.
        offset: u64,
    },
    /// A key signed it, which tfpatch does not have.
    #[error(
        "{arch}: it is signed{by}, and an edit would invalidate the signature; --drop-signer replaces it by an \
         ad-hoc signature"
    )]
    Signed {
        /// The slice's architecture.
        arch: &'static str,
        /// " by team …", or nothing.
        by: String,
    },
    /// The signature does not fit the file as it is.
    #[error(
        "{arch}: page {page} does not match its {hash} hash: the file was changed after it was signed, and macOS \
         does not load it; reinstall it"
    )]
    BadSignature {
        /// The slice's architecture.
        arch: &'static str,
        /// The page.
        page: u64,
        /// The digest.
        hash: &'static str,
    },
    /// A signer's signature that cannot be replaced where it stands.
    #[error("{arch}: an ad-hoc signature cannot replace that of the signer: {why}")]
    NotReplaceable {
        /// The slice's architecture.
        arch: &'static str,
        /// Why not.
        why: Obstacle,
    },
    /// An unsigned arm64 slice that other slices follow: its signature would move them.
    #[error(
        "{arch}: it is not signed, and there is no space for a signature before the next slice; sign it with \
         codesign, or make it the last slice with lipo"
    )]
    NotLast {
        /// The slice's architecture.
        arch: &'static str,
    },
    /// An unsigned slice whose last bytes are not those of `__LINKEDIT`.
    #[error("{arch}: it is not signed, and __LINKEDIT is not at its end; sign it with codesign")]
    NotAtEnd {
        /// The slice's architecture.
        arch: &'static str,
    },
    /// 32 bits or big-endian: no such macOS is supported any more.
    #[error("{arch}: tfpatch does not edit 32-bit or big-endian slices")]
    Unsupported {
        /// The slice's architecture.
        arch: &'static str,
    },
    /// Neither dylib, bundle nor program.
    #[error("{arch}: it is not a dylib, a bundle or a program, so dyld never loads it")]
    NotLoadable {
        /// The slice's architecture.
        arch: &'static str,
    },
    /// `ncmds` and `sizeofcmds` tell of different lists.
    #[error("{arch}: the load commands end at {end:#x}, but sizeofcmds gives {said:#x}")]
    CommandsDisagree {
        /// The slice's architecture.
        arch: &'static str,
        /// Where the last one ends, as an offset in the slice.
        end: u64,
        /// Where they end by the header.
        said: u64,
    },
    /// No slice of the architecture that was asked for.
    #[error("it has no slice for {wanted}, only for {present}")]
    NoSuchArch {
        /// As it was asked for.
        wanted: String,
        /// Those that it has.
        present: String,
    },
    /// An entry that cannot stand in a load command.
    #[error("entry {index} of the search path is empty or contains a NUL byte")]
    BadEntry {
        /// Index of the entry, from 0.
        index: usize,
    },
    /// The edits were made and do not hold what they promise: a fault of this program. Nothing is
    /// written.
    #[error("the edited file would be invalid: {what}; please report this file")]
    Inconsistent {
        /// The postcondition.
        what: &'static str,
    },
}
