//! The object formats behind one interface: their search paths, and the edits that change these.

use crate::bytes::{self, Source};
use crate::edit::{EditSet, Pair};
use crate::elf::edit::counterpart::Beside;
use crate::{elf, macho};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ffi::OsStr;
use std::ops::Range;
use std::os::unix::ffi::OsStrExt as _;

/// The format of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// ELF, as on Linux.
    Elf,
    /// Mach-O, as on macOS; thin or universal.
    Macho,
}

impl Format {
    /// The format according to the first bytes of a file, if any.
    #[must_use]
    pub fn of(source: &dyn Source) -> Option<Self> {
        let magic = source.get(0..4)?;
        if magic.as_ref() == b"\x7fELF" {
            return Some(Self::Elf);
        }
        macho::fat::is_macho(source).then_some(Self::Macho)
    }
}

/// How a search path is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RpathKind {
    /// `DT_RPATH`.
    Rpath,
    /// `DT_RUNPATH`.
    Runpath,
    /// `LC_RPATH` commands.
    LcRpath,
}

impl From<elf::search_path::RpathKind> for RpathKind {
    fn from(kind: elf::search_path::RpathKind) -> Self {
        match kind {
            elf::search_path::RpathKind::Rpath => Self::Rpath,
            elf::search_path::RpathKind::Runpath => Self::Runpath,
        }
    }
}

/// How an edit was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// Of an ELF object.
    Elf(elf::edit::Method),
    /// Of a Mach-O file.
    Macho(macho::edit::Method),
}

impl Method {
    /// Was no edit needed?
    #[must_use]
    pub fn is_unchanged(self) -> bool {
        matches!(
            self,
            Self::Elf(elf::edit::Method::Unchanged) | Self::Macho(macho::edit::Method::Unchanged)
        )
    }
}

/// Edits of an object, and what they rely on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// The edits; empty if nothing has to be done.
    pub edits: EditSet,
    /// How they were made.
    pub method: Method,
    /// May the edits be written into the file itself? Never for a Mach-O file: macOS caches the signature for
    /// the file, not for its bytes.
    pub in_place: bool,
    /// May they be written while no process has the file open? See [`elf::edit::Patch::in_place_unopened`].
    pub in_place_unopened: bool,
    /// Ranges of the old file that the edits rely on, in bytes.
    pub relies_on: Vec<Range<u64>>,
}

impl From<elf::edit::Patch> for Patch {
    fn from(patch: elf::edit::Patch) -> Self {
        let elf::edit::Patch { edits, method, in_place, in_place_unopened, relies_on } = patch;
        Self { edits, method: Method::Elf(method), in_place, in_place_unopened, relies_on }
    }
}

impl From<macho::edit::Patch> for Patch {
    fn from(patch: macho::edit::Patch) -> Self {
        let macho::edit::Patch { edits, method, relies_on } = patch;
        Self {
            edits,
            method: Method::Macho(method),
            in_place: false,
            in_place_unopened: false,
            relies_on,
        }
    }
}

/// Why there is no [`Patch`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The object is malformed.
    #[error(transparent)]
    Malformed(#[from] bytes::Error),
    /// It is a Mach-O file, and the request is only possible for ELF objects.
    #[error("this edit is only possible for ELF files, and it is a Mach-O file")]
    NotElf,
    /// It is an ELF object, and the request is only possible for Mach-O files.
    #[error("this edit is only possible for Mach-O files, and it is an ELF file")]
    NotMacho,
    /// An ELF object is valid, but editing it would be risky.
    #[error(transparent)]
    Elf(elf::edit::Refusal),
    /// A Mach-O file is valid, but editing it would be risky.
    #[error(transparent)]
    Macho(#[from] macho::edit::Refusal),
}

impl From<elf::edit::Failure> for Failure {
    fn from(failure: elf::edit::Failure) -> Self {
        match failure {
            elf::edit::Failure::Malformed(error) => Self::Malformed(error),
            elf::edit::Failure::Refused(refusal) => Self::Elf(refusal),
        }
    }
}

impl From<macho::edit::Failure> for Failure {
    fn from(failure: macho::edit::Failure) -> Self {
        match failure {
            macho::edit::Failure::Malformed(error) => Self::Malformed(error),
            macho::edit::Failure::Refused(refusal) => Self::Macho(refusal),
        }
    }
}

/// The search path of one slice. An ELF object is a single slice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchPath {
    /// The architecture, where the format has slices.
    pub arch: Option<&'static str>,
    /// How it is stored; `None` if there is none.
    pub kind: Option<RpathKind>,
    /// Its entries.
    pub entries: Vec<Vec<u8>>,
}

/// The search paths of an object: one for each slice.
///
/// # Errors
/// If the object is malformed, or its format is unknown.
pub fn search_paths(source: &dyn Source) -> Result<Vec<SearchPath>, bytes::Error> {
    if Format::of(source) == Some(Format::Macho) {
        let file = macho::Container::parse(source)?;
        let slices = file.slices.into_iter().map(|slice| {
            let arch = Some(slice.arch().name());
            let entries = macho::Image::parse(slice)?.rpaths()?;
            let kind = (!entries.is_empty()).then_some(RpathKind::LcRpath);
            Ok(SearchPath { arch, kind, entries })
        });
        return slices.collect();
    }
    let path = elf::search_path::current(&elf::Image::parse(source)?)?;
    let kind = path.as_ref().map(|path| path.kind.into());
    let entries = path.map_or_else(Vec::new, |path| path.entries);
    Ok(vec![SearchPath { arch: None, kind, entries }])
}

/// The identifier that a linker stored in an object, for users to compare.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Identity {
    /// The GNU build ID, in hexadecimal digits.
    pub build_id: Option<String>,
    /// `LC_UUID`, in hexadecimal digits; of the first slice that has one.
    pub uuid: Option<String>,
}

impl Identity {
    /// The stamps of an object; empty if it cannot be read.
    #[must_use]
    pub fn of(source: &dyn Source) -> Self {
        if Format::of(source) == Some(Format::Macho) {
            let slices =
                macho::Container::parse(source).map_or_else(|_| Vec::new(), |file| file.slices);
            let images: Vec<_> =
                slices.into_iter().filter_map(|slice| macho::Image::parse(slice).ok()).collect();
            return Self::of_macho(&images);
        }
        elf::Image::parse(source).map_or_else(|_| Self::default(), |image| Self::of_elf(&image))
    }

    /// The stamp of an ELF object.
    #[must_use]
    pub fn of_elf(image: &elf::Image<'_>) -> Self {
        Self { build_id: image.build_id().as_deref().map(hex), uuid: None }
    }

    /// The stamp of the slices of a Mach-O file.
    #[must_use]
    pub fn of_macho(images: &[macho::Image<'_>]) -> Self {
        let uuid = images.iter().find_map(|image| image.uuid().ok().flatten());
        Self { build_id: None, uuid: uuid.as_ref().map(|uuid| hex(uuid)) }
    }
}

/// Bytes as hexadecimal digits.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Do two states of an object, under one of these file names, differ exactly because tfpatch changed its
/// search path, or what is listed in `beside`? The edit is computed again in both directions, and has to
/// produce exactly these bytes.
///
/// This is reliable for everything that an edit does not change, whatever the object contains. It does not
/// recognise an edit that another version of tfpatch would make differently.
#[must_use]
pub fn is_own_edit(pair: Pair<'_>, names: &[&OsStr], beside: Beside) -> bool {
    match Format::of(pair.one()) {
        Some(Format::Elf) => [pair, pair.turned()].iter().any(|pair| {
            elf::edit::counterpart::edits_towards(pair, beside)
                .is_ok_and(|edits| pair.is_made_by(&edits))
        }),
        Some(Format::Macho) => [pair, pair.turned()].iter().any(|pair| {
            // The states do not show whether a signature was to be repaired, or under which name of the file
            // the edit was made.
            let mut attempts = names.iter().flat_map(|name| [(name, false), (name, true)]);
            attempts.any(|(name, repairs)| {
                let file_name = name.as_bytes();
                macho::edit::counterpart::edits_towards(pair, file_name, beside.names, repairs)
                    .is_ok_and(|edits| pair.is_made_by(&edits))
            })
        }),
        None => false,
    }
}
