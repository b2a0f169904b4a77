//! The files that a search comes upon: is one there, and does dyld take it? Every file is looked at
//! once for all searches.

use super::version::Version;
use crate::bytes::Source;
use crate::loader::files::memoised;
use crate::loader::{FileId, StepOutcome};
use crate::macho::{self, Arch, Kind, Summary};
use crate::vfs::{FileKind, Vfs};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};

/// `PLATFORM_MACOS`.
const MACOS: u32 = 1;

/// A file that dyld takes.
#[derive(Debug)]
pub(super) struct Candidate {
    /// The path with every link resolved: what dyld calls the image by.
    pub(super) path: PathBuf,
    pub(super) id: FileId,
    pub(super) summary: Arc<Summary>,
}

/// What came of one path.
#[derive(Debug, Clone)]
pub(super) enum Probe {
    /// Nothing is there.
    Absent,
    /// Something is there that is no regular file.
    NotAFile,
    /// A file that dyld does not take, and the words for it.
    Refused(StepOutcome, String),
    /// The image.
    Found(Arc<Candidate>),
}

/// Everything that was looked at so far.
pub(super) struct Files<'a> {
    pub(super) vfs: &'a dyn Vfs,
    arch: Arch,
    version: Version,
    probes: RwLock<HashMap<PathBuf, Probe>>,
    /// What dyld thinks of a file's content.
    contents: RwLock<HashMap<FileId, Result<Arc<Summary>, (StepOutcome, String)>>>,
}

impl<'a> Files<'a> {
    pub(super) fn new(vfs: &'a dyn Vfs, version: Version, arch: Arch) -> Self {
        let (probes, contents) = (RwLock::default(), RwLock::default());
        Self { vfs, arch, version, probes, contents }
    }

    /// Tries an absolute path.
    pub(super) fn probe(&self, path: &Path) -> Probe {
        memoised(&self.probes, path.to_owned(), |path| self.look_at(path))
    }

    fn look_at(&self, path: &Path) -> Probe {
        let metadata = match self.vfs.metadata(path) {
            Ok(metadata) => metadata,
            Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => {
                return Probe::Refused(StepOutcome::Unreadable, "errno=13".into());
            }
            Err(_) => return Probe::Absent,
        };
        if metadata.kind != FileKind::File {
            return Probe::NotAFile;
        }
        let source = match self.vfs.open(path) {
            Ok(source) => source,
            Err(error) => {
                let errno = error.raw_os_error().unwrap_or_default();
                let words = format!("open() failed with errno={errno}");
                return Probe::Refused(StepOutcome::Unreadable, words);
            }
        };
        let content = memoised(&self.contents, metadata.id, |_| self.judge(source.as_ref()));
        match content {
            Err((outcome, words)) => Probe::Refused(outcome, words),
            Ok(summary) => {
                let path = self.vfs.canonicalize(path).unwrap_or_else(|_| path.to_owned());
                Probe::Found(Arc::new(Candidate { path, id: metadata.id, summary }))
            }
        }
    }

    /// The checks of `MachOFile::compatibleSlice` and of the kernel.
    fn judge(&self, source: &dyn Source) -> Result<Arc<Summary>, (StepOutcome, String)> {
        let malformed = |words: String| (StepOutcome::NotALibrary, words);
        let slices = macho::slices(source)
            .map_err(|_| malformed("slice is not valid mach-o file".into()))?;
        let Some(slice) = slices.iter().find(|slice| self.takes(slice.arch)) else {
            let have: Vec<&str> = slices.iter().map(|slice| slice.arch.name()).collect();
            let kind = match slices.as_slice() {
                [slice] if slice.offset == 0 => "mach-o file, but is an incompatible architecture",
                _ => "fat file, but missing compatible architecture",
            };
            let (have, need) = (have.join(","), self.arch.name());
            let words = if self.version.is_dyld_960() {
                format!("{kind} (have ({have}), need ({need}))")
            } else {
                format!("{kind} (have '{have}', need '{need}')")
            };
            return Err((StepOutcome::WrongMachine, words));
        };
        let summary =
            macho::summary(source, slice).map_err(|error| malformed(error.to_string()))?;
        if summary.platform != MACOS {
            let words = "mach-o file, but is an incompatible platform".to_owned();
            return Err((StepOutcome::WrongMachine, words));
        }
        if !matches!(summary.kind, Kind::Dylib | Kind::Bundle | Kind::Executable) {
            return Err(malformed("not a dylib or a bundle".into()));
        }
        if let Some(entry) = self.duplicate_rpath(&summary) {
            let entry = String::from_utf8_lossy(entry);
            return Err(malformed(format!("duplicate LC_RPATH '{entry}'")));
        }
        // Macs with Apple's processors run no code without a signature.
        if !summary.signed && summary.arch.name().starts_with("arm64") {
            let words = "code signature missing: mapped file has no cdhash, completely unsigned? \
                         Code has to be at least ad-hoc signed.";
            return Err((StepOutcome::BadSignature, words.into()));
        }
        Ok(Arc::new(summary))
    }

    /// Does a process for [`Self::arch`] load code for `arch`? An x86_64 process loads what is for
    /// Haswell too.
    fn takes(&self, arch: Arch) -> bool {
        let (has, wants) = (arch.name(), self.arch.name());
        has == wants || (has, wants) == ("x86_64h", "x86_64")
    }

    /// The first entry that stands there twice, where this dyld refuses such an image. It compares
    /// the first 64.
    fn duplicate_rpath<'s>(&self, summary: &'s Summary) -> Option<&'s Vec<u8>> {
        let mut seen = HashSet::new();
        let refuses = self.version.refuses_duplicate_rpaths(Version::of_command(summary.sdk));
        summary
            .rpaths
            .iter()
            .take(64)
            .find(|entry| !seen.insert(entry.as_slice()))
            .filter(|_| refuses)
    }
}
